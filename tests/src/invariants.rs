//! What must hold after every case (docs/threats.md 2.0, INV).
//!
//! Knows: how a sweep is set up so that a breach shows, and where a breach shows. Must not know: any case. A test
//! is a piece of work within [`case`]: it adds guests, sweeps, and checks its own row. Around it and in [`Case::sweep`], these are
//! asserted:
//!
//! * the program ended by itself, with a known exit code, and every process that it started has ended;
//! * the *forbidden host* saw no connection, though it is granted to every guest under an alias, in the same sweep;
//! * the target is as it was: files, modes, times; no process is left on it; and it received nothing that is not in
//!   `review --wire`, in programs, in what they read, and on connections that it was made to open;
//! * the journal verifies, and ends with the end of a sweep;
//! * memory, descriptors and threads are bounded, compared with the same sweep without the guests;
//! * a well-behaved probe beside the guests reports the same as it does alone;
//! * no output controls a terminal, hides text or reverses its direction;
//! * planted secrets are in no journal, report or message.
//!
//! [`light`] is for cases that only load or run a component in this process.

pub mod scene;
pub mod watch;

use std::collections::BTreeSet;
use std::fs;
use std::future::Future;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use bailiwick::report::exit::ExitCode;
use serde_json::Value;
use tempfile::TempDir;

use self::scene::{Scene, harmless};
use self::watch::{Peaks, children, gone, measure, with_environment};
use crate::fleet::{Entry, never};
use crate::hostile::{Act, Hostile};
use crate::listeners::Silent;
use crate::ops::{Ops, component_run};
use crate::sshd::{Options, Sshd, keygen};

/// The probe that is compared with itself.
const WITNESS: &str = "witness";

/// The target of every case.
pub const TARGET: &str = "ground";

/// The never-host's other name, under which every guest is granted it.
const ALIAS: &str = "elsewhere";

/// How much more the broker may hold beside guests than without them.
const BROKER_GROWTH_KIB: u64 = 64 << 10;

/// A run's linear memory, and room for the rest of it.
const RUN_KIB: u64 = (64 + 32) << 10;

/// Descriptors and threads that guests may cost the broker: each has a socket, a pidfd and pipes.
const MORE_EACH: usize = 8;

/// What the target is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TargetKind {
    /// This machine, without SSH.
    Local,
    /// A real OpenSSH server.
    Sshd,
    /// A server that does what real ones do not. Nothing can be read there, so no well-behaved probe runs beside the guests.
    Hostile(Act),
}

/// A component of a case.
#[derive(Debug, Clone)]
pub struct Suspect {
    id: String,
    component: Vec<u8>,
    manifest: String,
    policy: String,
}

enum Server {
    None,
    Sshd(Sshd),
    Hostile(Hostile),
}

/// One case, from its beginning to its end.
pub struct Case {
    program: String,
    guests_dir: PathBuf,
    keys: TempDir,
    forbidden: Silent,
    server: Server,
    scene: Scene,
    guests: Vec<Suspect>,
    rules: String,
    home: Vec<(String, String)>,
    ops: Option<Ops>,
    alone: Option<(Value, Peaks)>,
}

/// What a sweep came to.
#[derive(Debug)]
pub struct Swept {
    /// Its exit code.
    pub code: i32,
    /// Its JSON.
    pub json: Value,
    /// The same, asked for again as a table.
    pub table: String,
    /// The journal, as it stands after both.
    pub journal: String,
}

impl Suspect {
    /// A component in bytes, with its manifest and the lines of policy that stand below its grant.
    #[must_use]
    pub fn new(id: &str, component: &[u8], manifest: &str, policy: &str) -> Self {
        let (id, manifest, policy) = (id.to_owned(), manifest.to_owned(), policy.to_owned());
        Self { id, component: component.to_vec(), manifest, policy }
    }

    /// A component of a world without verbs but those named.
    #[must_use]
    pub fn asking(id: &str, component: &[u8], verbs: &[&str]) -> Self {
        let mut manifest = format!(
            "[component]\nid = {id:?}\nversion = \"0.1.0\"\nworld = \"bailiwick:ops/probe@0.1.0\"\ntitle = \"For tests\"\n"
        );
        if !verbs.is_empty() {
            manifest += &format!("[[use]]\nverb = {verbs:?}\nwhy = \"a test\"\n");
        }
        Self::new(id, component, &manifest, "")
    }

    /// One that `probes/build` made.
    ///
    /// # Errors
    /// When it is not there.
    pub fn built(folder: &Path, id: &str, policy: &str) -> Result<Self> {
        let read = |extension: &str| {
            let path = folder.join(id).with_extension(extension);
            fs::read(&path).with_context(|| format!("{}: run tests/run to build it", path.display()))
        };
        Ok(Self::new(id, &read("wasm")?, &String::from_utf8(read("toml")?)?, policy))
    }
}

/// Does one case on `program`, the binary under test, with the guests that were built into `guests`.
///
/// # Errors
/// What the work found, or else which of the standing invariants is broken.
pub fn case<T>(program: &str, guests: &Path, kind: TargetKind, work: impl FnOnce(&mut Case) -> Result<T>) -> Result<T> {
    let mut case = Case::begin(program, guests, kind)?;
    let found = work(&mut case)?;
    case.end()?;
    Ok(found)
}

impl Case {
    fn begin(program: &str, guests: &Path, kind: TargetKind) -> Result<Self> {
        let server = match kind {
            TargetKind::Local => Server::None,
            TargetKind::Sshd => Server::Sshd(Sshd::start(&Options { log_wire: true, ..Options::default() })?),
            TargetKind::Hostile(act) => Server::Hostile(Hostile::start(act)?),
        };
        Ok(Self {
            program: program.to_owned(),
            guests_dir: guests.to_owned(),
            keys: tempfile::tempdir()?,
            forbidden: Silent::start()?,
            server,
            scene: Scene::new()?,
            guests: Vec::new(),
            rules: String::new(),
            home: Vec::new(),
            ops: None,
            alone: None,
        })
    }

    /// Adds a component.
    pub fn guest(&mut self, guest: Suspect) {
        self.guests.push(guest);
    }

    /// Adds the guest `hostile` under the name `bad-BEHAVIOUR`, which it will behave like.
    ///
    /// # Errors
    /// When it was not built.
    pub fn hostile(&mut self, behaviour: &str) -> Result<()> {
        self.hostile_with(behaviour, "")
    }

    /// The same with further lines below its grant.
    ///
    /// # Errors
    /// When it was not built.
    pub fn hostile_with(&mut self, behaviour: &str, lines: &str) -> Result<()> {
        let policy = format!("param.behaviour = {behaviour:?}\n{lines}");
        let mut guest = Suspect::built(&self.guests_dir, "hostile", &policy)?;
        guest.id = format!("bad-{behaviour}");
        guest.manifest = guest.manifest.replace("id = \"hostile\"", &format!("id = {:?}", guest.id));
        self.guest(guest);
        Ok(())
    }

    /// Adds text to the policy.
    pub fn rules(&mut self, text: &str) {
        self.rules += text;
    }

    /// Puts a file into the home of the account that sweeps.
    pub fn home(&mut self, name: &str, text: &str) {
        self.home.push((name.to_owned(), text.to_owned()));
    }

    /// What was laid out on the target.
    #[must_use]
    pub fn scene(&self) -> &Scene {
        &self.scene
    }

    /// The exec strings that the target heard; none where it keeps none.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn wire(&self) -> Result<Vec<String>> {
        match &self.server {
            Server::Sshd(sshd) => sshd.wire(),
            _ => Ok(Vec::new()),
        }
    }

    /// The server, if it is one of ours.
    #[must_use]
    pub fn hostile_server(&self) -> Option<&Hostile> {
        match &self.server {
            Server::Hostile(hostile) => Some(hostile),
            _ => None,
        }
    }

    /// The ops directory, once there was a sweep.
    ///
    /// # Errors
    /// When there was none.
    pub fn ops(&self) -> Result<&Ops> {
        self.ops.as_ref().context("sweep first")
    }

    /// Runs the well-behaved probe alone, then everything, twice: as JSON and as a table.
    ///
    /// # Errors
    /// When one of the standing invariants is broken; the text says which.
    pub fn sweep(&mut self) -> Result<Swept> {
        if self.ops.is_none() {
            self.ops = Some(self.lay_out()?);
        }
        if self.alone.is_none() && self.has_witness() {
            let (output, peaks) = self.check(&["--format", "json", "--probe", WITNESS, "--target", TARGET])?;
            let json: Value = serde_json::from_str(&output.1)?;
            ensure!(witnessed(&json)?["kind"] == "report", "{WITNESS} does not work alone: {}", witnessed(&json)?);
            self.alone = Some((json, peaks));
        }
        let ((code, text), peaks) = self.check(&["--format", "json"])?;
        let mut json: Value = serde_json::from_str(&text).with_context(|| text.clone())?;
        self.refused(&mut json)?;
        if let Some((alone, before)) = &self.alone {
            ensure!(
                witnessed(alone)? == witnessed(&json)?,
                "{WITNESS} alone: {}\nbeside: {}",
                witnessed(alone)?,
                witnessed(&json)?
            );
            self.bounded(before, &peaks)?;
        }
        let ((_, table), _) = self.check(&["-v"])?;
        let journal = fs::read_to_string(self.ops()?.journal().join("journal.jsonl"))?;
        Ok(Swept { code, json, table, journal })
    }

    fn end(&self) -> Result<()> {
        let ops = self.ops()?;
        ensure!(self.forbidden.count() == 0, "the forbidden host saw {} connections", self.forbidden.count());
        self.scene.unchanged()?;
        let verify = ops.run(&["journal", "verify"])?;
        ensure!(verify.code == 0, "the journal does not verify: {}{}", verify.stdout, verify.stderr);
        let journal = fs::read_to_string(ops.journal().join("journal.jsonl"))?;
        let last = journal.lines().last().unwrap_or_default();
        ensure!(last.contains("\"kind\":\"sweep-ended\""), "the journal ends with {last}");
        self.scene.kept_below(&ops.path().join("state"))?;
        harmless("journal", &journal)?;
        if let Server::Sshd(sshd) = &self.server {
            gone(|| children(sshd.id())).context("sessions are left on the target")?;
            gone(|| with_environment(&sshd.marker())).context("processes are left on the target")?;
            let wire: BTreeSet<_> = ops.wire()?.into_iter().map(|(_, text)| text).collect();
            let mut unlisted: Vec<_> = sshd.wire()?.into_iter().filter(|text| !wire.contains(text)).collect();
            // The listeners know what was sent to them; this server knows where it went.
            let listed = |to: &String| wire.iter().any(|text| text.split(" < ").next() == Some(to));
            unlisted.extend(sshd.connects()?.into_iter().filter(|to| !listed(to)));
            ensure!(unlisted.is_empty(), "not in review --wire: {unlisted:?}");
        }
        if let Server::Hostile(server) = &self.server {
            let wire: BTreeSet<_> = ops.wire()?.into_iter().map(|(_, text)| text).collect();
            // A request that was cut off by the server's own act is one that it was sent.
            let listed = |heard: &String| {
                wire.contains(heard) || wire.iter().any(|text| text.split(" < ").next() == Some(heard))
            };
            let unlisted: Vec<_> = server.heard().into_iter().filter(|heard| !listed(heard)).collect();
            ensure!(unlisted.is_empty(), "not in review --wire: {unlisted:?}");
        }
        Ok(())
    }

    fn has_witness(&self) -> bool {
        !matches!(self.server, Server::Hostile(_))
    }

    fn lay_out(&self) -> Result<Ops> {
        let pin = keygen("ed25519", &self.keys.path().join("pin"))?;
        let key = self.keys.path().join("pin");
        let target = match &self.server {
            Server::None => Entry { name: TARGET.to_owned(), fields: vec![("local", "true".to_owned())] },
            Server::Sshd(sshd) => Entry::for_sshd(TARGET, sshd)?,
            Server::Hostile(server) => {
                Entry::at(TARGET, server.address(), &server.user_key())?.text("host-key", server.host_key())
            }
        };
        let alias = Entry::at(ALIAS, self.forbidden.address(), &key)?.text("host-key", &pin);
        let addresses = format!("[\"{}\"]", self.forbidden.address().ip());
        let mut policy = String::new();
        let mut guests: Vec<Suspect> = self.guests.clone();
        if self.has_witness() {
            let bind = format!("bind.file = {:?}\n", self.scene.granted().display().to_string());
            guests.push(Suspect::built(&self.guests_dir, WITNESS, &bind)?);
        }
        for Suspect { id, policy: lines, .. } in &guests {
            policy += &format!("[[grant]]\ncomponent = {id:?}\non = [{TARGET:?}, {ALIAS:?}]\n{lines}");
        }
        policy += &self.rules;
        let ops = Ops::new(&self.program, &[target, alias], &[never("fw01", &[("addresses", &addresses)])], &policy)?;
        // Where a program might read without permission.
        ops.write("notes.txt", self.scene.canary("key")?.as_bytes())?;
        for (name, text) in &self.home {
            ops.write(name, text.as_bytes())?;
        }
        for guest in &guests {
            ops.install(&guest.id, &guest.component, guest.manifest.as_bytes())?;
        }
        // As if a person had accepted even what cannot be accepted: the later checks have to stop it.
        ops.accept_blindly()?;
        Ok(ops)
    }

    /// One `check`: exit code and standard output.
    fn check(&self, args: &[&str]) -> Result<((i32, String), Peaks)> {
        let mut command = self.ops()?.command(&[&["check"], args].concat());
        command.env("BAILIWICK_TEST_SECRET", self.scene.canary("environment")?);
        let (output, peaks) = watch::run(&command)?;
        let code = output.status.code().context("no exit code")?;
        let (stdout, stderr) = (String::from_utf8(output.stdout)?, String::from_utf8(output.stderr)?);
        let known = ExitCode::ALL.iter().any(|known| i32::from(known.code()) == code && *known != ExitCode::Bug);
        ensure!(known && code != 2, "exit code {code}\n{stdout}{stderr}");
        ensure!(!stderr.contains("panicked at"), "{stderr}");
        for (place, text) in [("stdout", &stdout), ("stderr", &stderr)] {
            harmless(place, text)?;
            self.scene.kept(place, text.as_bytes())?;
        }
        Ok(((code, stdout), peaks))
    }

    /// Takes the never-host out of the result, having seen that it was refused.
    fn refused(&self, json: &mut Value) -> Result<()> {
        let targets = json["targets"].as_array_mut().context("no targets")?;
        let at = targets.iter().position(|target| target["target"] == ALIAS).context("the alias was not checked")?;
        let alias = targets.remove(at);
        let result = alias["result"].to_string();
        ensure!(
            alias["result"]["kind"] == "refused" && result.contains("fw01"),
            "the never-host was not refused: {result}"
        );
        Ok(())
    }

    fn bounded(&self, before: &Peaks, now: &Peaks) -> Result<()> {
        let growth = now.broker.rss_kib.saturating_sub(before.broker.rss_kib);
        ensure!(growth < BROKER_GROWTH_KIB, "the broker took {growth} KiB more: {before:?} {now:?}");
        ensure!(before.worker.rss_kib > 0 && now.workers >= before.workers, "no worker was seen: {before:?} {now:?}");
        let growth = now.worker.rss_kib.saturating_sub(before.worker.rss_kib);
        ensure!(growth < RUN_KIB, "a worker took {growth} KiB more: {before:?} {now:?}");
        let more = MORE_EACH * self.guests.len();
        for (what, before, now) in [
            ("descriptors", before.broker.descriptors, now.broker.descriptors),
            ("threads", before.broker.threads, now.broker.threads),
        ] {
            ensure!(now <= before + more, "the broker had {now} {what}, and {before} without guests");
        }
        Ok(())
    }
}

impl Swept {
    /// How a component's run on the target ended.
    ///
    /// # Errors
    /// When it did not run there.
    pub fn outcome(&self, component: &str) -> Result<&Value> {
        Ok(&component_run(&self.json, TARGET, component)?["outcome"])
    }

    /// # Errors
    /// When the component's run did not end with a fault that says this.
    pub fn fault(&self, component: &str, says: &str) -> Result<()> {
        let outcome = self.outcome(component)?;
        let cause = outcome["cause"].as_str().unwrap_or_default();
        ensure!(outcome["kind"] == "fault" && cause.contains(says), "no fault with `{says}`: {outcome}");
        Ok(())
    }

    /// # Errors
    /// When the component was not refused with a cause that says this.
    pub fn refusal(&self, component: &str, says: &str) -> Result<()> {
        let outcome = self.outcome(component)?;
        let cause = outcome["cause"].as_str().unwrap_or_default();
        ensure!(outcome["kind"] == "refused" && cause.contains(says), "not refused with `{says}`: {outcome}");
        Ok(())
    }

    /// Verb calls of a component's run, as they are reported to the operator.
    ///
    /// # Errors
    /// When it did not run there.
    pub fn calls(&self, component: &str) -> Result<&Vec<Value>> {
        component_run(&self.json, TARGET, component)?["calls"].as_array().context("no calls")
    }
}

/// The outcome of the well-behaved probe, with its evidence.
fn witnessed(json: &Value) -> Result<&Value> {
    Ok(&component_run(json, TARGET, WITNESS)?["outcome"])
}

/// Does something in this process, on a runtime of its own, and asserts what must hold after it: no child is left, and
/// descriptors, threads and memory are as before.
///
/// # Errors
/// When one of them is not, or the work fails.
pub fn light<T>(work: impl Future<Output = T>) -> Result<T> {
    let me = std::process::id();
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build();
    // What tokio opens once and keeps for the process, for the signals of children.
    runtime()?.block_on(async { tokio::process::Command::new("true").status().await })?;
    let before = measure(me);
    let old = children(me);
    let runtime = runtime()?;
    let done = runtime.block_on(work);
    drop(runtime);
    gone(|| children(me).into_iter().filter(|child| !old.contains(child)).collect()).context("children are left")?;
    // nextest runs each test in a process of its own; elsewhere, other tests open and close descriptors at the same time.
    if std::env::var_os("NEXTEST").is_some() {
        for _ in 0..2_000 {
            let now = measure(me);
            if now.descriptors <= before.descriptors && now.threads <= before.threads {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        let now = measure(me);
        if now.descriptors > before.descriptors || now.threads > before.threads {
            bail!("not as before: {before:?} {now:?}");
        }
    }
    let growth = measure(me).rss_kib.saturating_sub(before.rss_kib);
    ensure!(growth < BROKER_GROWTH_KIB, "it took {growth} KiB: {before:?}");
    Ok(done)
}
