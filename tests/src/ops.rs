//! An ops directory for one test, and the real program run on it.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::LazyLock;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tempfile::TempDir;

use crate::fleet::{Entry, fleet_toml};

/// The built-in probes without a slot that the default policy grants on this machine.
pub static SLOTLESS: LazyLock<Vec<String>> = LazyLock::new(|| {
    // The default policy has a test of its own.
    let ops =
        bailiwick_policy::ops::Ops::load(None, None).unwrap_or_else(|error| panic!("the default policy: {error}"));
    let granted = ops.assignments.values().flat_map(|components| components.keys());
    granted.filter(|id| ops.library.components()[*id].manifest.slots.is_empty()).map(ToString::to_string).collect()
});

/// An ops directory and its journal, removed with the value.
#[derive(Debug)]
pub struct Ops {
    dir: TempDir,
    program: PathBuf,
}

/// A program that has ended.
#[derive(Debug)]
pub struct Completed {
    /// Its exit code.
    pub code: i32,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

impl Ops {
    /// A directory for `program`, the binary under test.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn new(program: &str, targets: &[Entry], never: &[String], policy: &str) -> Result<Self> {
        let ops = Self { dir: tempfile::tempdir()?, program: program.into() };
        ops.write("fleet.toml", fleet_toml(targets, never).as_bytes())?;
        ops.write("policy.toml", policy.as_bytes())?;
        Ok(ops)
    }

    /// The directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// The journal's folder.
    #[must_use]
    pub fn journal(&self) -> PathBuf {
        self.path().join("state/journal")
    }

    /// Writes a file that only its owner can write.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let path = self.path().join(name);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
            fs::set_permissions(folder, PermissionsExt::from_mode(0o755))?;
        }
        fs::write(&path, bytes)?;
        Ok(fs::set_permissions(&path, PermissionsExt::from_mode(0o644))?)
    }

    /// Adds a component that was built into `folder`: `id.wasm` and `id.toml`.
    ///
    /// # Errors
    /// When it is not there: `tests/run` builds the guests.
    pub fn add(&self, folder: &Path, id: &str) -> Result<()> {
        let read = |extension: &str| {
            let path = folder.join(format!("{id}.{extension}"));
            fs::read(&path).with_context(|| format!("{}: run tests/run to build it", path.display()))
        };
        self.install(id, &read("wasm")?, &read("toml")?)
    }

    /// Adds a component with its manifest. The one way in which a test gets one into an ops directory.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn install(&self, id: &str, component: &[u8], manifest: &[u8]) -> Result<()> {
        self.write(&format!("components/{id}.wasm"), component)?;
        self.write(&format!("components/{id}.toml"), manifest)
    }

    /// Accepts every component that is in the directory, as a person would who reads the page and agrees: through
    /// `bailiwick add` and its digests. Call it after the last file is in its place, policy and fleet too.
    ///
    /// # Errors
    /// When one of them is not accepted.
    pub fn accept(&self) -> Result<()> {
        let folder = self.path().join("components").display().to_string();
        let shown = self.run(&["add", &folder])?;
        let digests: Vec<&str> =
            shown.stdout.split("--accept ").skip(1).filter_map(|rest| rest.lines().next()).collect();
        let accept: Vec<&str> = digests.iter().flat_map(|digest| ["--accept", digest]).collect();
        let output = self.run(&[&["add", &folder, "--why", "for a test"], accept.as_slice()].concat())?;
        ensure!(output.code == 0, "{}\n{}", output.stdout, output.stderr);
        Ok(())
    }

    /// Writes a lock that accepts every component with all that policy grants it, whether or not `bailiwick add`
    /// would: for tests of the later checks.
    ///
    /// # Errors
    /// When the directory cannot be read, or the lock not written.
    pub fn accept_blindly(&self) -> Result<()> {
        use bailiwick_policy::lock;
        use bailiwick_policy::lock::{Accepted, Component, Lock, Record};
        let ops = bailiwick_policy::ops::Ops::load(Some(self.path()), Some(self.path()))?;
        let mut lock = Lock::default();
        let when = "2026-01-01T00:00:00Z".parse()?;
        let record = Record { who: "a test".to_owned(), when, why: "blindly".to_owned() };
        for (id, file) in ops.library.components().iter().filter(|(id, _)| !ops.library.is_built_in(id.as_str())) {
            let binary = ops.library.binary(id).context("it was listed")?;
            let imports = bailiwick_sandbox::inspect(&binary.bytes, ops.limits(id)).map(|found| found.import_names());
            let signer = ops.signer(id, when).ok().flatten();
            let facts = lock::Facts {
                version: lock::Version::new(&file.manifest.version)?,
                digest: binary.digest.clone(),
                manifest: ops.library.manifest_digest(id),
                signer: signer.map(|signer| format!("{} ({})", signer.principal, signer.fingerprint)),
                imports: imports.unwrap_or_default(),
                limits: ops.budget(id).raised().map(|(row, value, _)| (row.name.to_owned(), value)).collect(),
            };
            let grants = ops.fleet.targets.keys().filter_map(|target| {
                let actions = lock::actions(&ops.grant(id, target)?);
                Some((target.clone(), Accepted { actions, record: record.clone() }))
            });
            let component =
                Component { facts, grant_digest: "0".repeat(64), record: record.clone(), grants: grants.collect() };
            lock.components.insert(id.clone(), component);
        }
        self.write(lock::FILE, lock::render(&lock).as_bytes())
    }

    /// The program, ready to run on this directory, without the environment of the test.
    #[must_use]
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = bailiwick(&self.program);
        command.env_clear().env("HOME", self.path()).env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        command.args(args).arg("--dir").arg(self.path()).stdin(Stdio::null());
        command
    }

    /// Runs the program to its end.
    ///
    /// # Errors
    /// When it cannot be started or is killed.
    pub fn run(&self, args: &[&str]) -> Result<Completed> {
        completed(self.command(args).output()?)
    }

    /// Runs `check` and reads its JSON.
    ///
    /// # Errors
    /// When it prints none.
    pub fn check(&self, args: &[&str]) -> Result<(i32, Value)> {
        let output = self.run(&[&["check", "--format", "json"], args].concat())?;
        let value =
            serde_json::from_str(&output.stdout).with_context(|| format!("{}\n{}", output.stdout, output.stderr))?;
        Ok((output.code, value))
    }

    /// Every line of `review --wire`: target and string.
    ///
    /// # Errors
    /// When the program fails.
    pub fn wire(&self) -> Result<BTreeSet<(String, String)>> {
        let output = self.run(&["review", "--wire"])?;
        ensure!(output.code == 0, "{}", output.stderr);
        output
            .stdout
            .lines()
            .map(|line| {
                line.split_once('\t').map(|(a, b)| (a.to_owned(), b.to_owned())).context("a line without a tab")
            })
            .collect()
    }
}

/// The program at this path, called by its own name, which its help and its errors show.
#[must_use]
pub fn bailiwick(path: impl AsRef<Path>) -> Command {
    let mut command = Command::new(path.as_ref());
    command.arg0("bailiwick");
    command
}

/// The exit code and output of a program that has ended.
///
/// # Errors
/// When it was killed.
pub fn completed(output: Output) -> Result<Completed> {
    Ok(Completed {
        code: output.status.code().with_context(|| format!("killed: {:?}", output.status))?,
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

/// A policy that grants every slotless built-in on these targets or tags.
#[must_use]
pub fn slotless(on: &[&str]) -> String {
    format!("[[grant]]\ncomponent = {:?}\non = {on:?}\n", *SLOTLESS)
}

/// One target's part of a sweep's JSON.
///
/// # Errors
/// When it is not there.
pub fn target_result<'a>(sweep: &'a Value, target: &str) -> Result<&'a Value> {
    let targets = sweep["targets"].as_array().context("no targets")?;
    targets.iter().find(|found| found["target"] == target).map(|found| &found["result"]).context("no such target")
}

/// One component's run on one target.
///
/// # Errors
/// When it is not there.
pub fn component_run<'a>(sweep: &'a Value, target: &str, component: &str) -> Result<&'a Value> {
    let runs = target_result(sweep, target)?["runs"].as_array().context("no runs")?;
    runs.iter().find(|run| run["component"] == component).context("no such run")
}
