//! The lab with gates (`tests/lab/gates`), as tests of changes use it: an ops directory and a journal of their own, gates made from it,
//! an approver who signs with `ssh-keygen`, and the bare keys.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tempfile::TempDir;

use crate::lab::Lab;

/// The running lab, with gates on some of its hosts.
#[derive(Debug)]
pub struct Gated {
    /// The lab, for faults and for root on a host.
    pub lab: Lab,
    program: PathBuf,
    dir: TempDir,
}

/// A program that has ended.
#[derive(Debug)]
pub struct Completed {
    /// Its exit code.
    pub code: i32,
    /// Both outputs.
    pub text: String,
    stdout: Vec<u8>,
}

/// A change that was applied.
#[derive(Debug)]
pub struct Applied {
    /// Its id.
    pub change: String,
    /// The command that a person types on the target.
    pub rollback_at_target: String,
    /// The receipt.
    pub receipt: Value,
}

fn lab_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("lab")
}

fn completed(output: Output) -> Completed {
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    Completed { code: output.status.code().unwrap_or(-1), text, stdout: output.stdout }
}

impl Gated {
    /// Gates on these hosts, from the lab's policy as `edit` leaves it.
    ///
    /// # Errors
    /// When there is no lab, or a gate cannot be installed.
    pub fn on(program: &str, hosts: &[&str], edit: impl FnOnce(String) -> String) -> Result<Self> {
        let gated = Self { lab: Lab::find(program)?, program: program.into(), dir: tempfile::tempdir()? };
        let made = Command::new(lab_folder().join("gates")).arg("--ops").arg(gated.ops()).output()?;
        ensure!(made.status.success(), "{}", completed(made).text);
        let policy = gated.ops().join("policy.toml");
        fs::write(&policy, edit(fs::read_to_string(&policy)?))?;
        if !hosts.is_empty() {
            gated.install(hosts)?;
        }
        Ok(gated)
    }

    /// Installs the gates of the current policy.
    ///
    /// # Errors
    /// When one cannot be installed.
    pub fn install(&self, hosts: &[&str]) -> Result<()> {
        let mut command = Command::new(lab_folder().join("gates"));
        let done = command.arg("--ops").arg(self.ops()).arg(&self.program).args(hosts).output()?;
        ensure!(done.status.success(), "{}", completed(done).text);
        Ok(())
    }

    /// The ops directory.
    #[must_use]
    pub fn ops(&self) -> PathBuf {
        self.dir.path().join("ops")
    }

    /// The state directory.
    #[must_use]
    pub fn state(&self) -> PathBuf {
        self.dir.path().join("state")
    }

    /// Runs the program in the controller's network namespace.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn run(&self, args: &[&str]) -> Result<Completed> {
        let mut command = Command::new(lab_folder().join("in"));
        command.arg(&self.program).arg("--dir").arg(self.ops()).arg("--state").arg(self.state()).args(args);
        Ok(completed(command.stdin(Stdio::null()).env_remove("BAILIWICK_DIR").output()?))
    }

    /// The severity of a probe's worst finding, and its title.
    ///
    /// # Errors
    /// When there is none.
    pub fn worst(&self, target: &str, probe: &str) -> Result<(String, String)> {
        let done = self.run(&["check", "--format", "json", "--target", target, "--probe", probe])?;
        let document: Value = serde_json::from_slice(&done.stdout).with_context(|| done.text.clone())?;
        let found = crate::lab::SweepResult { document, code: done.code }.worst(target, probe)?;
        Ok((found.severity, found.title))
    }

    /// The digest of a plan that a fix makes.
    ///
    /// # Errors
    /// When it makes none.
    pub fn plan(&self, fix: &str, target: &str) -> Result<(String, String)> {
        let done = self.run(&["plan", fix, "--target", target])?;
        ensure!(done.code == 0, "{}", done.text);
        let digest = done.text.strip_prefix("plan ").and_then(|rest| rest.lines().next());
        Ok((digest.with_context(|| done.text.clone())?.to_owned(), done.text))
    }

    /// Alice signs a plan; the signature's file.
    ///
    /// # Errors
    /// When signing fails.
    pub fn sign(&self, plan: &str) -> Result<PathBuf> {
        let statement = self.run(&["plan", "show", plan, "--statement", "--for", "2h"])?;
        ensure!(statement.code == 0, "{}", statement.text);
        let file = self.dir.path().join(format!("statement-{plan}"));
        fs::write(&file, &statement.stdout)?;
        let mut command = Command::new("ssh-keygen");
        command.args(["-Y", "sign", "-n", "bailiwick-plan", "-f"]).arg(self.ops().join("keys/alice")).arg(&file);
        let signed = completed(command.stdin(Stdio::null()).output()?);
        ensure!(signed.code == 0, "{}", signed.text);
        Ok(self.dir.path().join(format!("statement-{plan}.sig")))
    }

    /// Applies a plan that Alice has signed.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn apply(&self, plan: &str) -> Result<Completed> {
        self.apply_as(plan, "json")
    }

    /// The same, reported as `table` or `json`.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn apply_as(&self, plan: &str, format: &str) -> Result<Completed> {
        let signature = self.sign(plan)?;
        let signature = signature.to_str().context("a path that is text")?;
        self.run(&["apply", plan, "--approval", signature, "--format", format])
    }

    /// Applies a signed plan, and sends the controller a signal as soon as `when` is true. Gives its exit code, if it has
    /// one, and its output.
    ///
    /// # Errors
    /// When it ends by itself first.
    pub fn apply_and_signal(&self, plan: &str, signal: &str, when: impl Fn() -> bool) -> Result<(Option<i32>, String)> {
        let signature = self.sign(plan)?;
        let mut command = Command::new(lab_folder().join("in"));
        command.arg(&self.program).arg("--dir").arg(self.ops()).arg("--state").arg(self.state());
        command.args(["apply", plan, "--approval"]).arg(signature).stdin(Stdio::null()).env_remove("BAILIWICK_DIR");
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        // `in` execs `nsenter`, which execs the program: the process is the same.
        while !when() {
            ensure!(child.try_wait()?.is_none(), "it has ended before the signal");
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        let sent = Command::new("kill").args(["-s", signal, &child.id().to_string()]).status()?;
        ensure!(sent.success(), "kill -s {signal}");
        let ended = child.wait_with_output()?;
        let streams = [ended.stdout, ended.stderr].concat();
        Ok((ended.status.code(), String::from_utf8_lossy(&streams).into_owned()))
    }

    /// From finding to receipt: a plan, signed and applied.
    ///
    /// # Errors
    /// When a step of this fails.
    pub fn mend(&self, fix: &str, target: &str) -> Result<Applied> {
        let (plan, shown) = self.plan(fix, target)?;
        let done = self.apply(&plan)?;
        ensure!(done.code == 0, "{shown}\n{}", done.text);
        let receipt: Value = serde_json::from_slice(&done.stdout).with_context(|| done.text.clone())?;
        let text =
            |key: &str| receipt[key].as_str().map(str::to_owned).with_context(|| format!("{key} in {receipt:#}"));
        Ok(Applied { change: text("change")?, rollback_at_target: text("rollback-at-target")?, receipt })
    }

    /// The bare change key with plain `ssh` or a similar tool: what a thief of the key has.
    #[must_use]
    pub fn with_change_key(&self, tool: &str, host: &str) -> Command {
        self.with_key(tool, host, "bw-change")
    }

    /// The same with the read key.
    #[must_use]
    pub fn with_read_key(&self, tool: &str, host: &str) -> Command {
        self.with_key(tool, host, "bw-check")
    }

    fn with_key(&self, tool: &str, _host: &str, key: &str) -> Command {
        let mut command = Command::new(lab_folder().join("in"));
        command
            .arg("timeout")
            .arg("30")
            .arg(tool)
            .args(["-F", "/dev/null", "-i"])
            .arg(self.ops().join("keys").join(key));
        for option in [
            "IdentitiesOnly=yes",
            "BatchMode=yes",
            "StrictHostKeyChecking=yes",
            "GlobalKnownHostsFile=/dev/null",
            "ConnectTimeout=20",
        ] {
            command.args(["-o", option]);
        }
        let known = self.lab.ops().parent().unwrap_or(Path::new("/")).join("run/known_hosts");
        command.arg("-o").arg(format!("UserKnownHostsFile={}", known.display()));
        command
    }
}

/// Runs a command with this input, and gives its output.
///
/// # Errors
/// When it cannot be started.
pub fn run_with_input(mut command: Command, input: &str) -> Result<Completed> {
    use std::io::Write as _;
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let mut pipe = child.stdin.take().context("its input")?;
    pipe.write_all(input.as_bytes())?;
    // For a gate, the end of its input is a client that has disconnected.
    let waiting = std::thread::spawn(move || child.wait_with_output());
    let mut waited = 0;
    while !waiting.is_finished() && waited < 300 {
        std::thread::sleep(std::time::Duration::from_millis(100));
        waited += 1;
    }
    drop(pipe);
    let output = waiting.join().map_err(|_| anyhow::anyhow!("the thread that waited for it panicked"))??;
    Ok(completed(output))
}
