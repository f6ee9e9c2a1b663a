//! The checks of `doctor`. They change nothing, and send nothing except to the user's own ssh-agent.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rustix::fs::Access as Allowed;

use super::{Line, chain, count};
use bailiwick_core::encode::ShownPath as _;
use bailiwick_core::fleet::{Access, Credential};
use bailiwick_core::model::{ComponentId, Lockdown};
use bailiwick_core::source;
use bailiwick_engine::consent::verify::{Row, Verified};
use bailiwick_journal::{FILE, HEAD, Reader, verify};
use bailiwick_policy::lock::Version;
use bailiwick_policy::ops::{Ops, OpsError};
use bailiwick_policy::unbound::unbound;
use bailiwick_sandbox::{LoadError, Worker};
use bailiwick_transport::ssh;

/// Maximum size of a journal that is read to its end.
const JOURNAL_BYTES: u64 = 64 << 20;

/// A clock before this time is not set: the program did not exist yet.
const EARLIEST: &str = "2026-01-01T00:00:00Z";

/// The installation to check.
#[derive(Debug)]
pub struct Installation<'a> {
    /// The ops directory, or why there is none.
    pub ops: Result<&'a Ops, &'a OpsError>,
    /// The verified lock, and the versions that are held. None without an ops directory.
    pub lock: Option<(&'a Verified, &'a [(ComponentId, Version)])>,
    /// The folder of the journal, if it has one.
    pub journal: Option<PathBuf>,
    /// The user's ssh-agent.
    pub agent: Option<PathBuf>,
    /// The current time.
    pub now: Timestamp,
}

/// Checks that the installed components are the accepted ones.
fn lock(verified: &Verified, waiting: &[(ComponentId, Version)]) -> Vec<Line> {
    if let Some(why) = &verified.unusable {
        return vec![Line::problem("lock", why, "`bailiwick lock verify` shows more")];
    }
    let refused = |row: &&Row| row.refused.is_some() || row.targets.iter().any(|target| target.refused.is_some());
    let ids: Vec<_> = verified.components.iter().filter(refused).map(|row| row.component.as_str()).collect();
    let mut lines = Vec::new();
    if !ids.is_empty() {
        let says = format!("differs from what was accepted, and does not run everywhere: {}", ids.join(", "));
        lines.push(Line::warning("lock", says, "`bailiwick lock verify` shows the reason and the next command"));
    }
    for (id, version) in waiting {
        let says = format!("{id} {version} waits for approval; the accepted version runs");
        lines.push(Line::warning("lock", says, format!("`bailiwick approve {id}` shows what is new, and asks")));
    }
    if lines.is_empty() {
        lines.push(Line::ok(
            "lock",
            format!("{}, all unchanged", count(verified.components.len(), "accepted component")),
        ));
    }
    lines
}

/// Runs all checks.
pub async fn check(what: &Installation<'_>) -> Vec<Line> {
    let required = what.ops.is_ok_and(|ops| ops.policy.require_lockdown);
    let mut lines = kernel(Worker::start(None).await.map(|idle| idle.lockdown()), required);
    match what.ops {
        Ok(ops) => {
            lines.extend(rules(ops));
            lines.extend(what.lock.map(|(verified, waiting)| lock(verified, waiting)).unwrap_or_default());
            lines.extend(pins(ops));
            lines.extend(keys(ops, what.agent.as_deref()).await);
        }
        Err(error) => lines.extend(mistakes(error)),
    }
    let newest = match &what.journal {
        Some(folder) => journal(folder, &mut lines),
        None => {
            lines.push(Line::problem(
                "journal",
                "there is no directory for it: HOME is not set",
                "name a directory with --state DIR",
            ));
            None
        }
    };
    lines.push(clock(what.now, newest));
    lines
}

/// The lockdown of a worker, as the worker reports it.
fn kernel(lockdown: Result<Lockdown, LoadError>, required: bool) -> Vec<Line> {
    let lockdown = match lockdown {
        Ok(lockdown) => lockdown,
        Err(error) => {
            let next = "nothing can run; check that /proc is mounted, and that this user can start processes";
            return vec![Line::problem("kernel", format!("no worker can be started: {}", chain(&error)), next)];
        }
    };
    let lacks = |what: &str, next: &str| {
        if required { Line::problem("kernel", what, next) } else { Line::warning("kernel", what, next) }
    };
    let landlock = match lockdown.landlock {
        Some(abi) => {
            let also = [(1, "files"), (4, "TCP ports"), (6, "signals and abstract sockets")];
            let known: Vec<_> = also.iter().filter(|(from, _)| abi >= *from).map(|(_, what)| *what).collect();
            Line::ok("kernel", format!("Landlock: workers get no {} (ABI {abi})", known.join(", ")))
        }
        None => lacks(
            "no Landlock: files and ports are kept from workers by seccomp alone",
            "Linux 5.13 or newer, with `landlock` among the names in /sys/kernel/security/lsm",
        ),
    };
    let seccomp = if lockdown.seccomp {
        Line::ok("kernel", "seccomp: any system call that no worker needs kills it")
    } else {
        lacks(
            "no seccomp: a worker may make any system call",
            "Linux on x86-64 or aarch64 with CONFIG_SECCOMP_FILTER; check whether a container forbids it",
        )
    };
    let mut lines = vec![landlock, seccomp];
    let others = Lockdown { landlock: Some(0), seccomp: true, ..lockdown };
    lines.push(if others.complete() {
        Line::ok("kernel", "workers have no new privileges, no capabilities, no dumps, and limits")
    } else {
        lacks(
            &format!("workers lack {}", others.lacking().join(", ")),
            "check whether a container forbids prctl or capset",
        )
    });
    lines
}

fn rules(ops: &Ops) -> Vec<Line> {
    let place = match &ops.dir {
        Some(dir) => format!("{}: files valid, writable only by you and root", dir.shown()),
        None => "no ops directory: this machine, with the built-in probes".to_owned(),
    };
    let (targets, components) = (ops.fleet.targets.len(), ops.library.components().len());
    let (grants, never) = (ops.policy.grants.len(), ops.policy.never.len());
    let counts = [(targets, "target"), (components, "component"), (grants, "grant"), (never, "never-rule")];
    let counts = counts.map(|(count, what)| super::count(count, what)).join(", ");
    let mut lines = vec![Line::ok("ops", format!("{place}: {counts}"))];
    for unbound in unbound(ops, |_| true, |_| true) {
        lines.push(Line::warning("ops", unbound.to_string(), format!("add `{}` to that [[grant]]", unbound.add)));
    }
    for name in ops.never_named() {
        let says = format!("a grant names {name}, which is a never-host: it is refused in every sweep");
        lines.push(Line::warning("ops", says, "remove it from policy.toml"));
    }
    lines
}

fn mistakes(error: &OpsError) -> Vec<Line> {
    if error.problems().is_empty() {
        let text = error.to_string();
        let next = text.split_once("hint: ").map_or("correct it; nothing runs until then", |(_, hint)| hint);
        return vec![Line::problem("ops", chain(error), next)];
    }
    let count = error.problems().len();
    let says = format!("{} in its files", super::count(count, "mistake"));
    vec![Line::problem("ops", says, "`bailiwick review` shows each with its place")]
}

/// The pinned host keys, and the never-hosts.
fn pins(ops: &Ops) -> Vec<Line> {
    let mut lines = Vec::new();
    let (mut pinned, mut over_ssh) = (0, 0);
    for target in ops.fleet.targets.values() {
        let Access::Ssh(ssh) = &target.access else { continue };
        over_ssh += 1;
        if let Some(hit) = ops.fleet.forbidden(target) {
            let says = format!("{} is forbidden: {hit}", target.name);
            lines.push(Line::warning("pins", says, format!("remove it from {}", target.place)));
        } else if ssh.host_key.is_some() {
            pinned += 1;
        } else {
            let says = format!("{} ({}) has no pinned host key: it is refused", target.name, target.place);
            let next = "`bailiwick fleet import` takes it from known_hosts; compare it on the machine itself";
            lines.push(Line::problem("pins", says, next));
        }
    }
    for never in ops.fleet.never.values().filter(|never| never.host_keys.is_empty()) {
        let says = format!("the never-host {} ({}) is recognised by its addresses only", never.name, never.place);
        lines.push(Line::warning("pins", says, "add its host-key: it is then recognised under any address"));
    }
    let never = ops.fleet.never.len();
    lines.insert(
        0,
        Line::ok(
            "pins",
            format!(
                "{pinned} of {} {} a pinned host key; {}",
                super::count(over_ssh, "SSH target"),
                if over_ssh == 1 { "has" } else { "have" },
                super::count(never, "never-host")
            ),
        ),
    );
    lines
}

/// Checks every credential of the fleet once.
async fn keys(ops: &Ops, agent: Option<&Path>) -> Vec<Line> {
    let mut wanted: BTreeMap<String, (&Credential, usize)> = BTreeMap::new();
    for target in ops.fleet.targets.values() {
        if let Access::Ssh(ssh) = &target.access {
            let name = match &ssh.credential {
                Credential::KeyFile(path) => path.shown(),
                Credential::Agent(key) => format!("{} in ssh-agent", key.fingerprint()),
                Credential::Certificate { certificate, .. } => certificate.shown(),
            };
            wanted.entry(name).or_insert((&ssh.credential, 0)).1 += 1;
        }
    }
    let mut lines = Vec::new();
    for (name, (credential, targets)) in wanted {
        let replaceable = match credential {
            Credential::KeyFile(path) | Credential::Certificate { key: path, .. } => {
                source::check_permissions(path).err()
            }
            Credential::Agent(_) => None,
        };
        lines.push(match (ssh::check_credential(credential, agent).await, replaceable) {
            (Ok(()), None) => Line::ok("keys", format!("{name}: usable, for {}", super::count(targets, "target"))),
            (Ok(()), Some(error)) => Line::problem("keys", chain(&error), "chmod go-w it, and every folder above it"),
            (Err(error), _) => {
                let next = error.hint().unwrap_or_else(|| "no target that wants it can be reached".to_owned());
                Line::problem("keys", format!("{}, for {}", chain(&error), super::count(targets, "target")), next)
            }
        });
    }
    lines
}

/// Checks the journal. Returns the time of its newest entry.
fn journal(folder: &Path, lines: &mut Vec<Line>) -> Option<Timestamp> {
    const PART: &str = "journal";
    let shown = folder.shown();
    let file = folder.join(FILE);
    let Ok(meta) = fs::metadata(&file) else {
        let above = folder.ancestors().find(|above| above.exists()).unwrap_or(Path::new("/"));
        lines.push(match rustix::fs::access(above, Allowed::WRITE_OK) {
            Ok(()) => Line::ok(PART, format!("none yet; the first `bailiwick check` creates it in {shown}")),
            Err(_) => {
                let says = format!("none yet, and {} cannot be written", above.shown());
                Line::problem(PART, says, "nothing runs without a journal; name another directory with --state DIR")
            }
        });
        return None;
    };
    let us = rustix::process::geteuid().as_raw();
    for path in [folder, &file, &folder.join(HEAD)] {
        match fs::metadata(path) {
            Ok(meta) if meta.uid() != us => {
                let says = format!("{} belongs to user {}", path.shown(), meta.uid());
                lines.push(Line::problem(PART, says, "run as its owner, or name another directory with --state DIR"));
            }
            Ok(meta) if meta.mode() & 0o077 != 0 => {
                let says = format!("{} is open to others (mode {:04o})", path.shown(), meta.mode() & 0o7777);
                lines.push(Line::problem(PART, says, format!("chmod go= {}", path.shown())));
            }
            Ok(_) => {}
            Err(_) => {
                let says =
                    format!("{} does not exist: a cut at the end of the journal would not be detected", path.shown());
                lines.push(Line::problem(PART, says, "`bailiwick journal verify` shows more"));
            }
        }
    }
    if meta.len() > JOURNAL_BYTES {
        let says = format!("{shown} is {} MiB and was not read", meta.len() >> 20);
        lines.push(Line::warning(PART, says, "`bailiwick journal verify` reads it to its end"));
        return None;
    }
    match verify(folder) {
        Ok(verdict) => {
            let serious: Vec<_> = verdict.breaks.iter().filter(|problem| problem.is_serious()).collect();
            lines.push(match serious.first() {
                None => Line::ok(PART, format!("{shown}: entries 1 to {}: hash chain intact", verdict.proven.seq)),
                Some(first) => {
                    let next = "`bailiwick journal verify` shows more; keep the folder as evidence";
                    Line::problem(PART, format!("{shown}: {first}"), next)
                }
            });
        }
        Err(error) => lines.push(Line::problem(PART, chain(&error), "check that you own it and can read it")),
    }
    let reader = Reader::open(folder).ok()?;
    reader.map_while(Result::ok).map(|record| record.time).max()
}

/// Checks the controller's clock, which runs and journal use.
fn clock(now: Timestamp, newest: Option<Timestamp>) -> Line {
    const PART: &str = "clock";
    let set = "set the clock; journal entries keep their times";
    let shown = now.strftime("%Y-%m-%dT%H:%M:%SZ");
    if EARLIEST.parse::<Timestamp>().is_ok_and(|earliest| now < earliest) {
        return Line::problem(PART, format!("the clock shows {shown}, which is before this program was built"), set);
    }
    if let Some(newest) = newest.filter(|newest| now < *newest) {
        return Line::problem(
            PART,
            format!("the clock shows {shown}, and the newest entry of the journal is of {newest}"),
            set,
        );
    }
    let after = if newest.is_some() { ", after the journal's newest entry" } else { "" };
    // Only systemd-timesyncd is asked, by its own file.
    let known = if Path::new("/run/systemd/timesync/synchronized").exists() {
        "synchronised, by systemd-timesyncd"
    } else {
        "whether it is synchronised is not known here"
    };
    Line::ok(PART, format!("{shown}{after}; {known}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::State;

    fn states(lines: &[Line]) -> Vec<State> {
        lines.iter().map(|line| line.state).collect()
    }

    #[test]
    fn what_the_kernel_lacks_is_a_warning_and_where_it_is_required_a_problem() {
        use State::{Ok as Fine, Problem, Warning};
        let all = Lockdown::ALL;
        assert_eq!(states(&kernel(Ok(all), true)), [Fine, Fine, Fine]);
        let old = Lockdown { landlock: None, undumpable: false, ..all };
        assert_eq!(states(&kernel(Ok(old), false)), [Warning, Fine, Warning]);
        assert_eq!(states(&kernel(Ok(old), true)), [Problem, Fine, Problem]);
        assert_eq!(states(&kernel(Ok(Lockdown { seccomp: false, ..all }), false)), [Fine, Warning, Fine]);
        assert_eq!(states(&kernel(Err(LoadError::Late(30)), false)), [Problem]);
    }

    #[test]
    fn a_clock_that_has_gone_back_is_a_problem() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let (before, now) = (at("2026-11-21T10:00:00Z"), at("2026-11-22T10:00:00Z"));
        assert_eq!(clock(now, None).state, State::Ok);
        assert_eq!(clock(now, Some(before)).state, State::Ok);
        assert_eq!(clock(before, Some(now)).state, State::Problem);
        assert_eq!(clock(at("1970-01-01T00:00:10Z"), None).state, State::Problem);
    }
}
