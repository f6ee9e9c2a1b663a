//! What the commands about changes share: who asks, the journal, the rules, and the doors to a target.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::report::exit::ExitCode as Exit;
use bailiwick_change::check::Constraints;
use bailiwick_change::clock::System;
use bailiwick_change::ledger::{Ledger, LedgerError};
use bailiwick_change::log::Log;
use bailiwick_change::remote_gate::{Gated, Sessions};
use bailiwick_change::stop::Stop;
use bailiwick_change::store::Store;
use bailiwick_change::verifier::Sweeps;
use bailiwick_change::{Admission, ApplyOutcome, CurrentState, Plan};
use bailiwick_core::encode;
use bailiwick_core::fleet::{Access, Target};
use bailiwick_core::model::{Literal, TargetName};
use bailiwick_core::source::Source;
use bailiwick_engine::sweep::Settings;
use bailiwick_journal::{End, ReadError};
use bailiwick_policy::lock::LockState;
use bailiwick_policy::ops::Ops;
use bailiwick_policy::signature::AllowedSigners;
use bailiwick_transport::ssh;
use jiff::tz::TimeZone;

use crate::cli::{Context, check, fail, history};

/// How long each step of a connection may take.
const CONNECT: Duration = Duration::from_secs(10);

/// Everything on the controller's side that a change is about.
pub(super) struct Room {
    pub(super) ops: Arc<Ops>,
    pub(super) lock_state: LockState,
    pub(super) settings: Settings,
    pub(super) store: Store,
    pub(super) stop: Stop,
    /// A signal has come.
    interrupted: AtomicBool,
}

impl Room {
    pub(super) fn open(context: &Context, jobs: usize) -> anyhow::Result<Self> {
        let (ops, lock_state) = context.ops_and_lock()?;
        let state = context.state_folder()?;
        let settings = Settings {
            jobs,
            quarantine: context.quarantine()?,
            require_lockdown: ops.policy.require_lockdown,
            ssh: ssh::Settings {
                connect: CONNECT,
                handshake: CONNECT,
                authentication: CONNECT,
                agent: context.environment.agent.clone(),
                ..ssh::Settings::default()
            },
            cache: check::cache(context),
            past_runs: history::pasts(context),
        };
        let (store, stop) = (Store::at(&state), Stop::at(&state));
        Ok(Self { ops: Arc::new(ops), lock_state, settings, store, stop, interrupted: AtomicBool::new(false) })
    }

    /// A target that may be meant, and that has a gate.
    pub(super) fn target(&self, name: &str) -> anyhow::Result<&Target> {
        let Some(target) = self.ops.fleet.targets.get(name) else {
            if let Some(never) = self.ops.fleet.never.get(name) {
                let message = format!("{name} is a never-host ({}: {})", never.place, never.why);
                return Err(fail::usage(message, "nothing changes there, whatever is asked for"));
            }
            let known: Vec<_> = self.ops.fleet.targets.keys().map(TargetName::as_str).take(20).collect();
            let message = format!("there is no target `{}`", name.escape_default());
            return Err(fail::usage(message, format!("fleet.toml has: {}", known.join(", "))));
        };
        if let Some(hit) = self.ops.fleet.forbidden(target) {
            return Err(fail::usage(hit.to_string(), "nothing changes there, whatever is asked for"));
        }
        if target.gate().is_none() {
            let message = format!("{name} has no gate, and nothing is changed without one ({})", target.place);
            return Err(fail::usage(
                message,
                format!("add [targets.{name}.gate] to fleet.toml; then `bailiwick gate install-script {name}`"),
            ));
        }
        Ok(target)
    }

    /// What was true when the plan was made, as it is now.
    fn today(&self, plan: &Plan) -> CurrentState {
        let grant = self.ops.grant(&plan.fix, &plan.target);
        let binary = self.ops.library.binary(&plan.fix);
        // What nobody has accepted is not there.
        let allowed = grant.as_ref().is_some_and(|grant| self.lock_state.allows(&self.ops.library, grant).is_ok());
        CurrentState {
            component: binary.filter(|_| allowed).map(|binary| binary.digest.clone()),
            grant: grant.map(|grant| grant.digest()),
            policy: self.ops.digest(),
            host_key: self.ops.fleet.targets.get(&plan.target).map(host_key).unwrap_or_default(),
            gate: self.list(&plan.target),
        }
    }

    /// The digest of the list that a target's gate should have.
    pub(super) fn list(&self, target: &TargetName) -> Option<String> {
        super::list::digest(&self.ops, target)
    }

    /// What the fix may do there, and what open changes hold.
    pub(super) fn ground(&self, ledger: &Ledger, plan: &Plan) -> Constraints {
        let mut ground = Constraints::default();
        if let Some(grant) = self.ops.grant(&plan.fix, &plan.target) {
            for granted in grant.entries() {
                if let Some(Literal::Change(changing)) = &granted.action.literal {
                    ground.granted.insert(granted.action.id.clone(), changing.change().clone());
                }
            }
            for withheld in &grant.withheld {
                let rule = format!("{}: {}", withheld.rule, withheld.why);
                ground.withheld.insert(withheld.granted.action.id.clone(), rule);
            }
        }
        let open = ledger.open().filter(|open| open.target == plan.target);
        ground.held = open
            .flat_map(|open| open.objects.iter().map(|object| (object.clone(), open.id.clone())))
            .collect::<BTreeMap<_, _>>();
        ground
    }

    pub(super) fn desk<'a>(
        &'a self,
        clock: &'a System,
        ledger: &Ledger,
        plan: &Plan,
    ) -> anyhow::Result<Admission<'a, System>> {
        let policy = &self.ops.policy;
        Ok(Admission {
            clock,
            stop: &self.stop,
            interrupted: &self.interrupted,
            rules: &policy.change,
            windows: &policy.windows,
            calendar: &policy.calendar,
            target: self.target(plan.target.as_str())?,
            today: self.today(plan),
            ground: self.ground(ledger, plan),
        })
    }

    pub(super) fn hands<'a>(&'a self, target: &'a Target) -> Gated<'a> {
        Gated::new(Sessions::new(&self.ops.fleet, target, self.settings.ssh.clone()), self.store.clone())
    }

    pub(super) fn eyes(&self, log: &Log) -> Sweeps {
        Sweeps {
            ops: Arc::clone(&self.ops),
            lock_state: self.lock_state.clone(),
            settings: self.settings.clone(),
            journal: Arc::clone(log.journal()),
        }
    }

    /// Sees a change to its end. At the first SIGINT or SIGTERM it goes back, at the second one nobody waits for it: none.
    pub(super) fn see_through<T>(&self, context: &Context, work: impl Future<Output = T>) -> anyhow::Result<Option<T>> {
        Ok(runtime()?.block_on(async {
            let mut work = std::pin::pin!(work);
            let mut stopped = std::pin::pin!(check::stopped());
            tokio::select! {
                came = &mut work => return Some(came),
                signal = &mut stopped => {
                    self.interrupted.store(true, Ordering::Relaxed);
                    context.out.say(&format!("{signal}: what has begun is taken back; once more, and nobody waits for that"));
                }
            }
            stopped.set(check::stopped());
            tokio::select! {
                came = work => Some(came),
                _ = stopped => None,
            }
        }))
    }

    /// Those who may approve; none: policy names nobody.
    pub(super) fn approvers(&self) -> anyhow::Result<Option<AllowedSigners>> {
        let Some(file) = &self.ops.policy.change.approvers else { return Ok(None) };
        let base = self.ops.dir.as_deref().unwrap_or(Path::new("/"));
        let source = Source::read(&base.join(&file.value))?;
        let found = AllowedSigners::parse(&source, &TimeZone::system());
        Ok(Some(found.map_err(bailiwick_policy::ops::OpsError::Invalid)?))
    }
}

/// The pinned key of a target, as `fleet.toml` has it.
pub(super) fn host_key(target: &Target) -> String {
    match &target.access {
        Access::Ssh(ssh) => ssh.host_key.as_ref().map(ToString::to_string).unwrap_or_default(),
        Access::Local => String::new(),
    }
}

/// The account of whoever asks, as the journal has it: their own word, and their number, which is not.
pub(super) fn who(context: &Context) -> String {
    let uid = rustix::process::getuid().as_raw();
    let named = context.environment.user.as_deref().filter(|user| user.len() <= 64 && encode::is_plain(user));
    named.map_or_else(|| format!("uid {uid}"), |user| format!("{user} (uid {uid})"))
}

/// The journal, open for writing, with all that it says.
pub(super) fn log(context: &Context) -> anyhow::Result<Log> {
    let (journal, recovery) = check::open(context)?;
    if let Some(recovery) = recovery {
        context.out.say(&check::told(&recovery, &journal));
    }
    Ok(Log::open(Arc::new(journal))?)
}

/// What the journal says, without writing to it.
pub(super) fn read(context: &Context) -> anyhow::Result<Ledger> {
    match Ledger::read(&context.journal_folder()?) {
        Ok(ledger) => Ok(ledger),
        // Where there is none, nothing was ever changed.
        Err(LedgerError::Read(ReadError::Io { source, .. })) if source.kind() == std::io::ErrorKind::NotFound => {
            Ok(Ledger::default())
        }
        Err(error) => Err(error.into()),
    }
}

/// One thread: the work here is to wait.
pub(super) fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?)
}

/// What came of it, as an exit code.
pub(super) const fn exit(came: &ApplyOutcome) -> Exit {
    match came {
        ApplyOutcome::NoOp | ApplyOutcome::Ended { end: End::Applied, .. } => Exit::Fine,
        ApplyOutcome::Denied { .. } | ApplyOutcome::Ended { end: End::NotBegun, .. } => Exit::Refused,
        ApplyOutcome::Ended { end: End::RolledBack, .. } => Exit::RolledBack,
        ApplyOutcome::Ended { end: End::Stuck, .. } | ApplyOutcome::Open { .. } => Exit::Stuck,
    }
}
