//! The memory of a program and its children while it runs: what the kernel reports for each process, with shared pages counted
//! once (`Pss` of `/proc/PID/smaps_rollup`).

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// The largest that were seen.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Peak {
    /// Of the first process.
    pub(crate) broker_mib: f64,
    /// Of it and its children together.
    pub(crate) all_mib: f64,
}

/// Samples every 20 ms.
pub(crate) struct Sampler {
    done: Arc<AtomicBool>,
    thread: JoinHandle<Peak>,
}

impl Sampler {
    /// Starts to search for a child of this process that has `mark` on its command line.
    pub(crate) fn start(mark: &Path) -> Self {
        let done = Arc::new(AtomicBool::new(false));
        let (ended, mark) = (Arc::clone(&done), mark.display().to_string());
        let thread = std::thread::spawn(move || {
            let mut peak = Peak::default();
            while !ended.load(Ordering::Relaxed) {
                if let Some(broker) = broker(&mark) {
                    let own = pss_mib(broker);
                    let all = own + children(broker).into_iter().map(pss_mib).sum::<f64>();
                    peak.broker_mib = peak.broker_mib.max(own);
                    peak.all_mib = peak.all_mib.max(all);
                }
                std::thread::sleep(Duration::from_millis(20));
            }
            peak
        });
        Self { done, thread }
    }

    pub(crate) fn finish(self) -> Peak {
        self.done.store(true, Ordering::Relaxed);
        self.thread.join().unwrap_or_default()
    }
}

fn broker(mark: &str) -> Option<u32> {
    children(std::process::id()).into_iter().find(|pid| {
        fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| String::from_utf8_lossy(&line).contains(mark))
    })
}

/// Of all its threads: each starts children of its own.
fn children(pid: u32) -> Vec<u32> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let lists = tasks.filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
    lists.flat_map(|list| list.split(' ').filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>()).collect()
}

fn pss_mib(pid: u32) -> f64 {
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"));
    let kib: f64 =
        line.and_then(|line| line.trim().strip_suffix(" kB")).and_then(|kib| kib.parse().ok()).unwrap_or(0.0);
    kib / 1024.0
}
