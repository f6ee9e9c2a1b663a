//! The lab of `tests/lab`, as tests use it: faults that end with their guard, and sweeps from the controller's place.
//!
//! Tests that need it are ignored by default and run by `tests/lab/scenarios`, in a running lab.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tempfile::TempDir;

/// The running lab, and a state directory of this test.
#[derive(Debug)]
pub struct Lab {
    program: PathBuf,
    ops: PathBuf,
    dir: TempDir,
}

/// A switch that differs from the booted lab. It is restored when this value is dropped.
#[derive(Debug)]
pub struct Fault {
    host: &'static str,
    name: &'static str,
    restore: Option<&'static str>,
}

/// What a probe reported on a target, in short.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbeResult {
    /// The probe; `EVERY_PROBE` where the target could not be reached.
    pub component: String,
    /// The target.
    pub target: String,
    /// `ok`, or `critical: growth, space`, or `could not check: garbled`.
    pub words: String,
}

impl ProbeResult {
    /// Instead of a component, for a target that could not be reached.
    pub const EVERY_PROBE: &'static str = "every probe";
}

/// From good to bad.
const SEVERITIES: [&str; 4] = ["ok", "unknown", "warning", "critical"];

/// The result of a sweep: the document of `--format json`.
#[derive(Debug)]
pub struct SweepResult {
    /// The document.
    pub document: Value,
    /// The exit code.
    pub code: i32,
}

/// One finding of it.
#[derive(Debug, Clone)]
pub struct Finding {
    /// The component.
    pub component: String,
    /// The target.
    pub target: String,
    /// Its code.
    pub code: String,
    /// `ok`, `warning`, `critical`, `unknown`.
    pub severity: String,
    /// The subject.
    pub subject: String,
    /// The title.
    pub title: String,
    metrics: Vec<(String, f64)>,
}

impl Finding {
    /// One of its metrics.
    ///
    /// # Errors
    /// When it has none of this name.
    pub fn metric(&self, name: &str) -> Result<f64> {
        let found = self.metrics.iter().find(|(known, _)| known == name).map(|(_, value)| *value);
        found.with_context(|| format!("no metric {name} in {self:?}"))
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("lab")
}

fn switch(fault: Fault, argument: Option<&str>) -> Result<Fault> {
    let Fault { host, name, .. } = fault;
    let output = Command::new(folder().join("fault")).args([host, name]).args(argument).output()?;
    ensure!(output.status.success(), "fault {host} {name}: {}", both_streams(&output));
    Ok(fault)
}

/// Every switch that the lab has.
///
/// # Errors
/// When the lab does not list them.
pub fn faults() -> Result<Vec<String>> {
    let output = Command::new(folder().join("fault")).arg("--list").output()?;
    let list = String::from_utf8(output.stdout)?;
    Ok(list.lines().filter_map(|line| line.split_whitespace().next()).map(ToOwned::to_owned).collect())
}

fn both_streams(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

impl Lab {
    /// Finds the running lab. `program` is the binary under test.
    ///
    /// # Errors
    /// When none is.
    pub fn find(program: &str) -> Result<Self> {
        let state = fs::read_link("/run/bailiwick-lab").context("no lab is up; tests/lab/scenarios starts one")?;
        Ok(Self { program: program.into(), ops: state.join("ops"), dir: tempfile::tempdir()? })
    }

    /// The state directory that sweeps write.
    #[must_use]
    pub fn state(&self) -> PathBuf {
        self.dir.path().join("state")
    }

    /// The ops directory.
    #[must_use]
    pub fn ops(&self) -> &Path {
        &self.ops
    }

    /// The same lab with more in its policy, in an ops directory of its own.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn with_policy(program: &str, more: &str) -> Result<Self> {
        let lab = Self::find(program)?;
        let ops = lab.dir.path().join("ops");
        let copied = Command::new("cp").arg("-a").arg(&lab.ops).arg(&ops).status()?;
        ensure!(copied.success(), "the ops directory cannot be copied");
        let policy = fs::read_to_string(ops.join("policy.toml"))?;
        fs::write(ops.join("policy.toml"), policy + more)?;
        Ok(Self { ops, ..lab })
    }

    /// Switches a fault on.
    ///
    /// # Errors
    /// When the lab fails to.
    pub fn fault(&self, host: &'static str, name: &'static str, argument: Option<&str>) -> Result<Fault> {
        switch(Fault { host, name, restore: Some("off") }, argument)
    }

    /// Switches off what the lab boots with.
    ///
    /// # Errors
    /// When the lab fails to.
    pub fn repair(&self, host: &'static str, name: &'static str) -> Result<Fault> {
        switch(Fault { host, name, restore: None }, Some("off"))
    }

    /// Runs the program in the controller's network namespace.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn run(&self, args: &[&str]) -> Result<Output> {
        let mut command = Command::new(folder().join("in"));
        command.arg(&self.program).arg("--dir").arg(&self.ops).arg("--state").arg(self.state());
        Ok(command.args(args).env_remove("BAILIWICK_DIR").output()?)
    }

    /// A script that is the program in the controller's place in the network, for who starts it by name.
    #[must_use]
    pub fn command(&self) -> String {
        let (within, program) = (folder().join("in"), self.program.display());
        format!("#!/bin/sh\nexec '{}' '{program}' \"$@\"\n", within.display())
    }

    /// The host key of a host, as `fleet.toml` has it.
    ///
    /// # Errors
    /// When it has none.
    pub fn host_key(&self, host: &str) -> Result<String> {
        let file = self.ops.parent().context("the lab's state")?.join(format!("run/keys/{host}.pub"));
        let line = fs::read_to_string(&file).with_context(|| file.display().to_string())?;
        Ok(line.split_whitespace().take(2).collect::<Vec<_>>().join(" "))
    }

    /// Checks targets with probes; none of either: all.
    ///
    /// # Errors
    /// When there is no report.
    pub fn check(&self, targets: &[&str], probes: &[&str]) -> Result<SweepResult> {
        let mut args = vec!["check", "--format", "json", "--connect-timeout", "5"];
        args.extend(targets.iter().flat_map(|target| ["--target", target]));
        args.extend(probes.iter().flat_map(|probe| ["--probe", probe]));
        let output = self.run(&args)?;
        let document = serde_json::from_slice(&output.stdout).with_context(|| both_streams(&output))?;
        Ok(SweepResult { document, code: output.status.code().unwrap_or(-1) })
    }

    /// What fw01 has counted: packets that any host sent to it.
    ///
    /// # Errors
    /// When the counter cannot be read.
    pub fn touched_the_firewall(&self) -> Result<u64> {
        let output = Command::new(folder().join("fw-count")).output()?;
        String::from_utf8(output.stdout)?.trim().parse().context("fw-count")
    }

    /// Runs a command on a host, as root, not over its network.
    ///
    /// # Errors
    /// When it fails.
    pub fn enter(&self, host: &str, command: &[&str]) -> Result<String> {
        self.enter_with(host, command, Path::new("/dev/null"))
    }

    /// The same, with a file of this machine as its input.
    ///
    /// # Errors
    /// When it fails.
    pub fn enter_with(&self, host: &str, command: &[&str], input: &Path) -> Result<String> {
        let mut enter = Command::new(folder().join("enter"));
        let output = enter.arg(host).args(command).stdin(fs::File::open(input)?).output()?;
        ensure!(output.status.success(), "{host} {command:?}: {}", both_streams(&output));
        Ok(String::from_utf8(output.stdout)?)
    }
}

impl Drop for Fault {
    fn drop(&mut self) {
        let output = Command::new(folder().join("fault")).args([self.host, self.name]).args(self.restore).output();
        if !output.as_ref().is_ok_and(|output| output.status.success()) {
            eprintln!("{} {} stays as it is: {output:?}", self.host, self.name);
        }
    }
}

impl SweepResult {
    /// Every finding.
    #[must_use]
    pub fn findings(&self) -> Vec<Finding> {
        let mut all = Vec::new();
        let text = |value: &Value, key: &str| value[key].as_str().unwrap_or_default().to_owned();
        for target in self.document["targets"].as_array().into_iter().flatten() {
            for run in target["result"]["runs"].as_array().into_iter().flatten() {
                for finding in run["outcome"]["findings"].as_array().into_iter().flatten() {
                    let metrics = finding["metrics"].as_array().into_iter().flatten();
                    all.push(Finding {
                        component: text(run, "component"),
                        target: text(target, "target"),
                        code: text(finding, "code"),
                        severity: text(finding, "severity"),
                        subject: text(finding, "subject"),
                        title: text(finding, "title"),
                        metrics: metrics.filter_map(|m| Some((text(m, "name"), m["value"].as_f64()?))).collect(),
                    });
                }
            }
        }
        all
    }

    /// The worst finding of a component on a target.
    ///
    /// # Errors
    /// When it reported nothing there.
    pub fn worst(&self, target: &str, component: &str) -> Result<Finding> {
        let rank = |finding: &Finding| SEVERITIES.iter().position(|known| *known == finding.severity);
        let findings = self.findings().into_iter().filter(|f| f.target == target && f.component == component);
        findings.max_by_key(rank).with_context(|| {
            let target = self.document["targets"].as_array().into_iter().flatten().find(|t| t["target"] == target);
            format!("{component} reported nothing: {target:#?}")
        })
    }

    /// What each probe reported on each target, in words that are the same in every lab. A run on several targets is split by the
    /// subject of each finding.
    #[must_use]
    pub fn results(&self) -> Vec<ProbeResult> {
        let mut all = Vec::new();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        for target in self.document["targets"].as_array().into_iter().flatten() {
            let (name, result) = (text(&target["target"]), &target["result"]);
            let mut push = |component: String, words| all.push(ProbeResult { component, target: name.clone(), words });
            if result["kind"] == "runs" {
                for run in result["runs"].as_array().into_iter().flatten() {
                    push(text(&run["component"]), words(&run["outcome"], |_| true));
                }
            } else {
                push(ProbeResult::EVERY_PROBE.to_owned(), text(&result["kind"]));
            }
        }
        for together in self.document["together"].as_array().into_iter().flatten() {
            let run = &together["run"];
            for target in together["targets"].as_array().into_iter().flatten() {
                let words = words(&run["outcome"], |finding| finding["subject"] == *target);
                all.push(ProbeResult { component: text(&run["component"]), target: text(target), words });
            }
        }
        all
    }

    /// The standing of each target: name, and `healthy`, `findings`, `in-part`, `unseen`, `refused`.
    #[must_use]
    pub fn standings(&self) -> Vec<(String, String)> {
        let targets = self.document["targets"].as_array().into_iter().flatten();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        targets.map(|target| (text(&target["target"]), text(&target["standing"]))).collect()
    }
}

/// The worst severity, and the codes of the findings that have it; for `ok`, only the severity.
fn words(outcome: &Value, about: impl Fn(&Value) -> bool) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    match outcome["kind"].as_str() {
        Some("report") => {
            let findings = outcome["findings"].as_array().into_iter().flatten().filter(|finding| about(finding));
            let by_severity = findings.map(|finding| (text(&finding["severity"]), text(&finding["code"])));
            let mut codes: BTreeMap<usize, BTreeSet<String>> = BTreeMap::new();
            for (severity, code) in by_severity {
                let rank = SEVERITIES.iter().position(|known| *known == severity).unwrap_or(0);
                codes.entry(rank).or_default().insert(code);
            }
            match codes.pop_last() {
                None | Some((0, _)) => SEVERITIES[0].to_owned(),
                Some((rank, codes)) => {
                    format!("{}: {}", SEVERITIES[rank], codes.into_iter().collect::<Vec<_>>().join(", "))
                }
            }
        }
        Some("could-not-look") => format!("could not check: {}", text(&outcome["error"])),
        other => other.unwrap_or_default().to_owned(),
    }
}

/// Tries until it succeeds, within a time.
///
/// # Errors
/// The last error.
pub fn eventually<T>(within: Duration, mut test: impl FnMut() -> Result<T>) -> Result<T> {
    let end = std::time::Instant::now() + within;
    loop {
        match test() {
            Err(_) if std::time::Instant::now() < end => std::thread::sleep(Duration::from_secs(1)),
            other => return other,
        }
    }
}
