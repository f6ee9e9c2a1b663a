//! A program in a session of its own, measured while it runs: what it and its children use, and what they leave behind.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

/// How long a process may take to end on a busy machine. It is not a measurement.
const PATIENCE: u32 = 2_000;
const PAUSE: Duration = Duration::from_millis(10);

/// The most that was seen of each process.
#[derive(Debug, Clone, Default)]
pub struct Peaks {
    /// The program itself.
    pub broker: Peak,
    /// The largest of its workers, in each figure.
    pub worker: Peak,
    /// How many workers there were.
    pub workers: usize,
}

/// The most that was seen of one process.
#[derive(Debug, Clone, Copy, Default)]
pub struct Peak {
    /// Resident memory, in KiB.
    pub rss_kib: u64,
    /// Open descriptors.
    pub descriptors: usize,
    /// Threads.
    pub threads: usize,
}

impl Peak {
    fn most(self, other: Self) -> Self {
        Self {
            rss_kib: self.rss_kib.max(other.rss_kib),
            descriptors: self.descriptors.max(other.descriptors),
            threads: self.threads.max(other.threads),
        }
    }
}

/// Runs a program to its end, and makes sure that no process of it is left.
///
/// # Errors
/// When it cannot be started, when a signal ended it, or when a process of its session outlives it.
pub fn run(command: &Command) -> Result<(Output, Peaks)> {
    let mut session = Command::new("setsid");
    session.arg(command.get_program()).args(command.get_args()).env_clear();
    for (name, value) in command.get_envs() {
        session.envs(value.map(|value| (name, value)));
    }
    // `setsid` becomes the program: a child that leads no group does not fork.
    let child = session.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().context("setsid")?;
    let id = child.id();
    let done = Arc::new(AtomicBool::new(false));
    let watching = Arc::clone(&done);
    let watcher = std::thread::spawn(move || {
        let mut seen: BTreeMap<u32, (bool, Peak)> = BTreeMap::new();
        while !watching.load(Ordering::Relaxed) {
            for process in family(id) {
                let (worker, peak) = seen.entry(process).or_default();
                *worker |= is_worker(process);
                *peak = peak.most(measure(process));
            }
            std::thread::sleep(PAUSE);
        }
        seen
    });
    let output = child.wait_with_output();
    done.store(true, Ordering::Relaxed);
    let seen = watcher.join().map_err(|_| anyhow::anyhow!("the watching thread broke"))?;
    let output = output?;
    ensure!(output.status.signal().is_none(), "ended by a signal: {}\n{}", output.status, lossy(&output.stderr));
    gone(|| in_session(id)).context("it left processes behind")?;
    let workers: Vec<_> = seen.values().filter(|(worker, _)| *worker).map(|(_, peak)| *peak).collect();
    let peaks = Peaks {
        broker: seen.get(&id).map(|(_, peak)| *peak).unwrap_or_default(),
        worker: workers.iter().copied().fold(Peak::default(), Peak::most),
        workers: workers.len(),
    };
    Ok((output, peaks))
}

/// Waits until these processes have ended.
///
/// # Errors
/// When some stay; they are named.
pub fn gone(list: impl Fn() -> Vec<u32>) -> Result<()> {
    for _ in 0..PATIENCE {
        if list().is_empty() {
            return Ok(());
        }
        std::thread::sleep(PAUSE);
    }
    let left: Vec<_> = list().into_iter().map(|process| format!("{process}: {}", words(process))).collect();
    ensure!(left.is_empty(), "{}", left.join("\n"));
    Ok(())
}

/// The processes whose environment holds this text.
#[must_use]
pub fn with_environment(text: &str) -> Vec<u32> {
    let has = |process: &u32| {
        let environment = fs::read(format!("/proc/{process}/environ")).unwrap_or_default();
        environment.windows(text.len()).any(|window| window == text.as_bytes())
    };
    processes().filter(has).collect()
}

/// A process' children.
#[must_use]
pub fn children(process: u32) -> Vec<u32> {
    let tasks = fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
    let lists = tasks.filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
    lists.flat_map(|list| list.split_whitespace().filter_map(|id| id.parse().ok()).collect::<Vec<_>>()).collect()
}

/// What a process uses now; zero if it has ended.
#[must_use]
pub fn measure(process: u32) -> Peak {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let number = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0)
    };
    Peak {
        // The kernel's own high-water mark: it includes what happens between two samples.
        rss_kib: number("VmHWM"),
        descriptors: fs::read_dir(format!("/proc/{process}/fd")).map_or(0, Iterator::count),
        threads: usize::try_from(number("Threads")).unwrap_or(0),
    }
}

fn family(process: u32) -> Vec<u32> {
    let mut all = vec![process];
    let mut at = 0;
    while let Some(next) = all.get(at).copied() {
        all.extend(children(next));
        at += 1;
    }
    all
}

fn processes() -> impl Iterator<Item = u32> {
    fs::read_dir("/proc").into_iter().flatten().flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

fn in_session(session: u32) -> Vec<u32> {
    let has_environment = |process: &u32| {
        let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
        // Counted from behind the name, which may hold anything: state, parent, group, session.
        stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(3)?.parse().ok()) == Some(session)
    };
    processes().filter(has_environment).collect()
}

/// A worker is the program with `worker` as its first argument.
fn is_worker(process: u32) -> bool {
    fs::read(format!("/proc/{process}/cmdline")).unwrap_or_default().split(|byte| *byte == 0).nth(1)
        == Some(b"worker".as_slice())
}

fn words(process: u32) -> String {
    lossy(&fs::read(format!("/proc/{process}/cmdline")).unwrap_or_default()).replace('\0', " ")
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_of_a_session_is_found() -> Result<()> {
        // Its own child leads no group, and its parent is gone: found by the session alone.
        let mut leader = Command::new("setsid").args(["sh", "-c", "sleep 600 & exec true"]).spawn()?;
        let id = leader.id();
        leader.wait()?;
        let left = in_session(id);
        ensure!(left.len() == 1 && words(left.first().copied().unwrap_or(0)).contains("sleep"), "{left:?}");
        for process in left {
            Command::new("kill").arg(process.to_string()).status()?;
        }
        gone(|| in_session(id))
    }

    #[test]
    fn a_program_that_a_signal_ends_is_an_error() {
        let mut command = Command::new("sh");
        command.args(["-c", "kill -9 $$"]);
        assert!(run(&command).is_err());
    }
}
