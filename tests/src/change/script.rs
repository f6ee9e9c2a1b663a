//! The same theorems against the real gate: the generated script, run by this machine's shell, on files of a folder of its own.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::rc::Rc;

use anyhow::{Context, Result, ensure};
use bailiwick_change::gate_client::{GateClientError, Verifier};
use bailiwick_change::make::{PlanBasis, RequestedChange, make};
use bailiwick_change::remote_gate::{GateTransport, RemoteGate as Framed};
use bailiwick_change::store::Store;
use bailiwick_change::{ApplyOutcome, Plan};
use bailiwick_core::gate_protocol::{Answer, Outcome, Request};
use bailiwick_core::model::{At, Change, ChangeId, Severity, Tainted, UnitAct};
use bailiwick_journal::Observed;
use bailiwick_policy::gate;
use bailiwick_policy::gate::{Entry, Limits};

use super::controller::{Controller, run};
use super::faulty::Faulty;
use super::plans;
use crate::gate::{Gate, SHELLS, Session, absolute, change, ensure_line, program, unit, write};

/// All objects that a plan changes, as bytes, mode and owner.
pub type Snapshot = BTreeMap<PathBuf, (Vec<u8>, u32, u32, u32)>;

/// A target with a gate: a folder.
pub struct Rig {
    /// The gate.
    pub gate: Gate,
    /// The changes of its plan, in order.
    pub wanted: Vec<RequestedChange>,
    /// The objects before the plan.
    pub before: Snapshot,
    /// The objects after the plan.
    pub after: Snapshot,
}

/// No limit for the theorems: the controller counts the changes.
const LIMITS: Limits = Limits { per_day: 99, between_s: 0, dead_man_max_s: 600, free_kib: 16 };

/// Combinations of changes.
pub const KINDS: &[&str] = &["everything", "new file and restart", "line away and reload"];

impl Rig {
    /// A target before any change.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn new(kind: &str) -> Result<Self> {
        // The entries name files below the folder that the gate's constructor makes. So the gate is made twice, the second time with them.
        let dir = tempfile::Builder::new().prefix("bailiwick-rig").tempdir()?;
        let objects = dir.path().join("objects");
        fs::create_dir(&objects)?;
        let at = |name: &str| objects.join(name);
        put(&at("rules.yml"), "old\n", 0o640)?;
        put(&at("hba.conf"), "first\nlast\n", 0o600)?;
        put(&at("stale.pid"), "4711\n", 0o644)?;
        put(&at("with.conf"), "a\nthe line\nb\n", 0o644)?;
        program(&at("do"), &format!("#!/bin/sh\n: >'{}'\n", at("role").display()))?;
        program(&at("undo"), &format!("#!/bin/sh\nrm -f '{}'\n", at("role").display()))?;
        program(&at("check"), &format!("#!/bin/sh\ntest -e '{}'\n", at("role").display()))?;
        let word = |name: &str| vec![at(name).display().to_string()];
        let command =
            Change::Command { name: "role".to_owned(), does: word("do"), undoes: word("undo"), checks: word("check") };
        let toy = |act| unit(&format!("services-change.{}:toy.service", act_word(act)), "toy.service", act);
        let remove = Change::RemoveLine { path: absolute(&at("with.conf"))?, line: "the line".to_owned() };
        let entries: Vec<Entry> = match kind {
            "everything" => vec![
                change("commands-change.run:role#1", command),
                ensure_line(
                    "files-change.ensure-line:hba=l#1",
                    &at("hba.conf"),
                    "local all prometheus peer",
                    At::Start,
                )?,
                write("files-change.write:rules=r#1", &at("rules.yml"), "new\n")?,
                change("files-change.set-aside:stale", Change::SetAside { path: absolute(&at("stale.pid"))? }),
                toy(UnitAct::Enable)?,
                toy(UnitAct::Start)?,
            ],
            "new file and restart" => {
                vec![write("files-change.write:new=n#1", &at("new.conf"), "new\n")?, toy(UnitAct::Restart)?]
            }
            _ => vec![change("files-change.remove-line:with=l#1", remove), toy(UnitAct::Reload)?],
        };
        let shell = SHELLS.first().map_or(&["/bin/sh"][..], |(_, words)| words);
        let gate = Gate::new(&entries, &LIMITS, shell)?;
        let (active, enabled) = if kind == "everything" { ("inactive", "disabled") } else { ("active", "enabled") };
        fs::write(gate.at("toy.active"), format!("{active}\n"))?;
        fs::write(gate.at("toy.enabled"), format!("{enabled}\n"))?;
        let wanted = entries.into_iter().filter_map(|entry| match entry.kind {
            gate::EntryKind::Change(change) => {
                let action = serde_json::from_value(entry.id.into()).ok()?;
                Some(RequestedChange { action, change, computed: None })
            }
            gate::EntryKind::Read(_) => None,
        });
        let wanted = wanted.collect();
        // It is removed with the gate's own folder.
        let _ = std::os::unix::fs::symlink(dir.keep(), gate.at("objects-folder"));
        let mut rig = Self { gate, wanted, before: Snapshot::new(), after: Snapshot::new() };
        rig.before = rig.snapshot()?;
        Ok(rig)
    }

    fn objects(&self) -> PathBuf {
        self.gate.at("objects-folder").join("objects")
    }

    /// The objects now.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn snapshot(&self) -> Result<Snapshot> {
        let mut found = Snapshot::new();
        let mut paths: Vec<PathBuf> = vec![self.gate.at("toy.active"), self.gate.at("toy.enabled")];
        for entry in fs::read_dir(self.objects())? {
            let path = entry?.path();
            // The operator's three programs, which name the folder.
            if !["do", "undo", "check"].iter().any(|name| path.ends_with(name)) {
                paths.push(path);
            }
        }
        for path in paths {
            let meta = fs::symlink_metadata(&path)?;
            let name = PathBuf::from(path.file_name().context("a name")?);
            found.insert(name, (fs::read(&path)?, meta.mode() & 0o7777, meta.uid(), meta.gid()));
        }
        Ok(found)
    }

    /// Its plan, made by asking the gate.
    ///
    /// # Errors
    /// When the gate does not answer.
    pub fn plan(&self, controller: &Controller) -> Result<Plan> {
        let frame = plans::plan("theorem", Vec::new());
        let base = PlanBasis {
            made: frame.made,
            fix: frame.fix,
            version: frame.version,
            component: frame.component,
            target: frame.target,
            host_key: frame.host_key,
            grant: frame.grant,
            policy: frame.policy,
            run: frame.run,
            contract: frame.contract,
            raised: frame.raised,
        };
        let mut gate = self.client(controller);
        Ok(run(make(&mut gate, base, self.wanted.clone()))?)
    }

    /// A client of the gate, as the engine has one.
    pub fn client(&self, controller: &Controller) -> Framed<ScriptTransport> {
        Framed::new(ScriptTransport::for_gate(&self.gate), Store::at(controller.folder()))
    }

    /// Runs a command that a person types on the target.
    ///
    /// # Errors
    /// When it does not run.
    pub fn person(&self, words: &[&str]) -> Result<(bool, String)> {
        let (program, before) = self.gate.paths.shell.split_first().context("a shell")?;
        let mut command = Command::new(program);
        command.args(before).arg(&self.gate.paths.gate).args(words).env_clear().stdin(Stdio::null());
        let output = command.output()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        Ok((output.status.success(), text))
    }

    /// Everything is as it was, byte for byte.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn is_before(&self) -> Result<bool> {
        Ok(self.snapshot()? == self.before)
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        if let Ok(folder) = fs::read_link(self.gate.at("objects-folder")) {
            drop(fs::remove_dir_all(folder));
        }
    }
}

fn act_word(act: UnitAct) -> &'static str {
    act.word()
}

fn put(path: &Path, text: &str, mode: u32) -> Result<()> {
    fs::write(path, text)?;
    Ok(fs::set_permissions(path, fs::Permissions::from_mode(mode))?)
}

/// Starts the script for each request, as sshd would.
#[derive(Debug, Clone)]
pub struct ScriptTransport {
    shell: Vec<String>,
    script: String,
    /// Kills this process after this request is sent and before its answer arrives.
    pub die_in: Option<u32>,
    sent: Rc<Cell<u32>>,
}

impl ScriptTransport {
    /// For a gate.
    pub fn for_gate(gate: &Gate) -> Self {
        Self { shell: gate.paths.shell.clone(), script: gate.paths.gate.clone(), die_in: None, sent: Rc::default() }
    }

    /// For a gate of another process.
    pub fn at(shell: Vec<String>, script: String, die_in: Option<u32>) -> Self {
        Self { shell, script, die_in, sent: Rc::default() }
    }

    fn one(&self, role: &str, request: &Request) -> Result<Answer> {
        let (program, before) = self.shell.split_first().context("a shell")?;
        let mut command = Command::new(program);
        command.args(before).arg(&self.script).arg(role);
        command.env_clear().env("SSH_CONNECTION", "192.0.2.7 4711 192.0.2.8 22");
        let mut session = Session::start(command)?;
        session.say(&bailiwick_core::gate_protocol::frame(std::slice::from_ref(request))?)?;
        self.sent.set(self.sent.get() + 1);
        if self.die_in == Some(self.sent.get()) {
            die();
        }
        session.answers(1)?.pop().context("an answer")
    }
}

/// `kill -9` of oneself.
pub fn die() -> ! {
    let _ = Command::new("/bin/kill").args(["-9", &std::process::id().to_string()]).status();
    unreachable!("it was killed")
}

impl GateTransport for ScriptTransport {
    async fn query(&mut self, request: Request) -> Result<Answer, GateClientError> {
        self.one("look", &request).map_err(|error| GateClientError::Lost(format!("{error:#}")))
    }

    async fn change(&mut self, request: Request) -> Result<Outcome, GateClientError> {
        let answer = self.one("change-root", &request).map_err(|error| GateClientError::Lost(format!("{error:#}")))?;
        Ok(Outcome::read(&answer))
    }

    async fn renew(&mut self) -> Result<(), GateClientError> {
        Ok(())
    }
}

/// A verifier with a fixed result.
pub struct FixedVerifier {
    /// Whether the change works.
    pub works: bool,
}

impl Verifier for FixedVerifier {
    async fn check(&mut self, plan: &Plan) -> Result<Vec<Observed>, String> {
        // The first call is for the baseline; the second one counts.
        let one = |raised: &bailiwick_change::Raised| Observed {
            probe: raised.probe.clone(),
            severity: Some(if self.works { Severity::Ok } else { Severity::Critical }),
            code: if self.works { String::new() } else { raised.code.clone() },
            subject: Tainted::new(""),
        };
        Ok(plan.raised.iter().map(one).collect())
    }

    async fn verify(&mut self, plan: &Plan) -> Result<Vec<Observed>, String> {
        let severity = Some(Severity::Ok);
        Ok(vec![Observed { probe: plan.fix.clone(), severity, code: String::new(), subject: Tainted::new("") }])
    }
}

/// A controller for the real gate: its clock has the real time.
pub fn controller() -> Controller {
    let now = jiff::Timestamp::now().to_string();
    Controller::new("[change]\nverify-seconds = 5\ndead-man-seconds = 600\n", &now)
}

/// Applies a plan on a rig.
///
/// # Errors
/// When the journal cannot be written.
pub fn apply<H: bailiwick_change::gate_client::GateClient>(
    controller: &Controller,
    log: &mut bailiwick_change::log::Log,
    gate: &mut Faulty<H>,
    plan: &Plan,
    works: bool,
) -> Result<ApplyOutcome> {
    let mut verifier = FixedVerifier { works };
    let list = plan.gate.clone();
    let outcome = controller.apply_with(log, (gate, &mut verifier), plan, &controller.request, |admission| {
        admission.current.gate = Some(list)
    })?;
    Ok(outcome)
}

/// The one change of a journal.
///
/// # Errors
/// When there are more.
pub fn only(log: &bailiwick_change::log::Log) -> Result<Option<(ChangeId, bailiwick_change::state::ChangeStatus)>> {
    ensure!(log.ledger().changes.len() <= 1, "two changes");
    Ok(log.ledger().changes.values().next().map(|state| (state.id.clone(), state.status)))
}

/// Names of calls, by number.
pub fn names<H>(gate: &Faulty<H>) -> Vec<String> {
    let names: &RefCell<Vec<String>> = &gate.names;
    names.borrow().clone()
}
