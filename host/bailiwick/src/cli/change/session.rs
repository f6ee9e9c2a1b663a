//! What the commands about changes share: the ops directory, the journal, and the connections to a target.
//!
//! Knows: which files and settings a change needs. Must not know: the order of a change.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use bailiwick_change::check::Constraints;
use bailiwick_change::clock::System;
use bailiwick_change::ledger::{Ledger, LedgerError};
use bailiwick_change::log::Log;
use bailiwick_change::remote_gate::{SshGate, SshTransport};
use bailiwick_change::stop::Stop;
use bailiwick_change::store::Store;
use bailiwick_change::verifier::SweepVerifier;
use bailiwick_change::{Admission, CurrentState, Plan};
use bailiwick_core::encode;
use bailiwick_core::fleet::{Access, Target};
use bailiwick_core::model::{Literal, TargetName};
use bailiwick_engine::sweep::Settings;
use bailiwick_journal::ReadError;
use bailiwick_policy::lock::LockState;
use bailiwick_policy::ops::Ops;
use bailiwick_policy::signature::AllowedSigners;
use bailiwick_transport::ssh;

use crate::cli::gate::no_gate;
use crate::cli::{Context, check, fail, history};

/// The timeout of each step of a connection.
const CONNECT: Duration = Duration::from_secs(10);

/// What a command about changes works with on the controller.
pub(super) struct Session {
    pub(super) ops: Arc<Ops>,
    pub(super) lock_state: LockState,
    pub(super) settings: Settings,
    pub(super) store: Store,
    pub(super) stop: Stop,
    /// Set by a signal.
    pub(super) interrupted: AtomicBool,
}

impl Session {
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

    /// A target that may be changed, and that has a gate.
    pub(super) fn target(&self, name: &str) -> anyhow::Result<&Target> {
        let Some(target) = self.ops.fleet.targets.get(name) else {
            if let Some(never) = self.ops.fleet.never.get(name) {
                let message = format!("{name} is a never-host ({}: {})", never.place, never.why);
                return Err(fail::usage(message, "no command changes a never-host"));
            }
            let (message, hint) = self.ops.fleet.unknown(name);
            return Err(fail::usage(message, hint));
        };
        if let Some(hit) = self.ops.fleet.forbidden(target) {
            return Err(fail::usage(hit.to_string(), "no command changes a never-host"));
        }
        if target.gate().is_none() { Err(no_gate(target)) } else { Ok(target) }
    }

    /// What the plan was made from, as it is now.
    fn current(&self, plan: &Plan) -> CurrentState {
        let grant = self.ops.grant(&plan.fix, &plan.target);
        let binary = self.ops.library.binary(&plan.fix);
        // A component that is not accepted counts as missing.
        let allowed = grant.as_ref().is_some_and(|grant| self.lock_state.allows(&self.ops.library, grant).is_ok());
        CurrentState {
            component: binary.filter(|_| allowed).map(|binary| binary.digest.clone()),
            grant: grant.map(|grant| grant.digest()),
            policy: self.ops.digest(),
            host_key: self.ops.fleet.targets.get(&plan.target).map(host_key).unwrap_or_default(),
            gate: self.list(&plan.target),
        }
    }

    /// The digest of the list that the gate of a target should have.
    pub(super) fn list(&self, target: &TargetName) -> Option<String> {
        super::list::digest(&self.ops, target)
    }

    /// The constraints on a plan: what the fix may do on the target, and which objects belong to open changes.
    pub(super) fn constraints(&self, ledger: &Ledger, plan: &Plan) -> Constraints {
        let mut constraints = Constraints::default();
        if let Some(grant) = self.ops.grant(&plan.fix, &plan.target) {
            for granted in grant.entries() {
                if let Some(Literal::Change(changing)) = &granted.action.literal {
                    constraints.granted.insert(granted.action.id.clone(), changing.change().clone());
                }
            }
            for withheld in &grant.withheld {
                let rule = format!("{}: {}", withheld.rule, withheld.why);
                constraints.withheld.insert(withheld.granted.action.id.clone(), rule);
            }
        }
        let open = ledger.open().filter(|open| open.target == plan.target);
        constraints.in_use = open
            .flat_map(|open| open.objects.iter().map(|object| (object.clone(), open.id.clone())))
            .collect::<BTreeMap<_, _>>();
        constraints
    }

    /// What a plan is checked against before it is applied.
    pub(super) fn admission<'a>(
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
            current: self.current(plan),
            constraints: self.constraints(ledger, plan),
        })
    }

    /// The client of a target's gate. It does not connect yet.
    pub(super) fn gate<'a>(&'a self, target: &'a Target) -> SshGate<'a> {
        SshGate::new(SshTransport::new(&self.ops.fleet, target, self.settings.ssh.clone()), self.store.clone())
    }

    /// The probes and fixes that verify a change.
    pub(super) fn verifier(&self, log: &Log) -> SweepVerifier {
        SweepVerifier {
            ops: Arc::clone(&self.ops),
            lock_state: self.lock_state.clone(),
            settings: self.settings.clone(),
            journal: Arc::clone(log.journal()),
        }
    }

    /// The approvers; none if policy names none.
    pub(super) fn approvers(&self) -> anyhow::Result<Option<AllowedSigners>> {
        Ok(self.ops.approvers()?.map(|(_, approvers)| approvers))
    }
}

/// The pinned key of a target, as `fleet.toml` has it.
pub(super) fn host_key(target: &Target) -> String {
    match &target.access {
        Access::Ssh(ssh) => ssh.host_key.as_ref().map(ToString::to_string).unwrap_or_default(),
        Access::Local => String::new(),
    }
}

/// The account that runs this program, for the journal: its name, which the environment may forge, and its uid, which it may not.
pub(super) fn who(context: &Context) -> String {
    let uid = rustix::process::getuid().as_raw();
    let named = context.environment.user.as_deref().filter(|user| user.len() <= 64 && encode::is_plain(user));
    named.map_or_else(|| format!("uid {uid}"), |user| format!("{user} (uid {uid})"))
}

/// The journal, open for writing, with its ledger.
pub(super) fn open_log(context: &Context) -> anyhow::Result<Log> {
    let (journal, recovery) = check::open(context)?;
    if let Some(recovery) = recovery {
        context.out.say(&check::recovery_warning(&recovery, &journal));
    }
    Ok(Log::open(Arc::new(journal))?)
}

/// The ledger, read without opening the journal for writing.
pub(super) fn read_ledger(context: &Context) -> anyhow::Result<Ledger> {
    match Ledger::read(&context.journal_folder()?) {
        Ok(ledger) => Ok(ledger),
        // Without a journal there never was a change.
        Err(LedgerError::Read(ReadError::Io { source, .. })) if source.kind() == std::io::ErrorKind::NotFound => {
            Ok(Ledger::default())
        }
        Err(error) => Err(error.into()),
    }
}

/// A runtime with one thread, because changes mostly wait.
pub(super) fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?)
}
