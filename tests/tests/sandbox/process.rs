//! The worker as a process: what it has, what its death does, many runs at once (docs/threats.md, D1 and GR14).

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use crate::support::{LOAD_IMPORT, answered, body, load, loading, short, targets};
use bailiwick_core::model::{Verb, VerbError};
use bailiwick_sandbox::fault::{FaultKind, WorkerEnd};
use bailiwick_sandbox::{Ending, Limits, Links, LoadError, Outcome, Worker};
use rustix::process::{Pid, Signal, kill_process};

/// Calls `system.load` once and returns an empty report.
fn one_call() -> Vec<u8> {
    loading(LOAD_IMPORT, "(call $load (i32.load (local.get $targets)) (i32.const 2048)) (i32.const 1024)").bytes()
}

/// Calls `system.load`; traps if the answer is an error, and loops without end if `one` is 0.5.
fn moody() -> Vec<u8> {
    let text = "(call $load (i32.load (local.get $targets)) (i32.const 2048))
        (if (i32.load8_u (i32.const 2048)) (then unreachable))
        (if (f64.eq (f64.load (i32.const 2056)) (f64.const 0.5)) (then (loop $l (br $l))))
        (i32.const 1024)";
    loading(LOAD_IMPORT, text).bytes()
}

const LOAD: &str = "/proc/loadavg:0.65 1.37 0.79 2/89 13375\n/sys/devices/system/cpu/online:0-3\n";

/// The objects of a process' descriptors.
fn descriptors(folder: &str) -> BTreeSet<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    entries.filter_map(|entry| Some(std::fs::read_link(entry.unwrap().path()).ok()?.display().to_string())).collect()
}

mod as_a_user {
    use super::*;

    #[tokio::test]
    #[ignore = "needs an ordinary user"]
    async fn a_worker_cannot_be_inspected_not_even_by_its_own_user() {
        let worker = load(&one_call(), &[Verb::SystemLoad], short()).await.unwrap();
        let proc = format!("/proc/{}", worker.pid());
        let run = worker.run(1, targets(), async |_| {
            let error = std::fs::read(format!("{proc}/environ")).unwrap_err();
            assert_eq!(error.kind(), std::io::ErrorKind::PermissionDenied);
            answered(LOAD)
        });
        assert!(matches!(run.await.ending, Ending::Report(_)));
    }
}

mod as_root {
    use super::*;

    #[tokio::test]
    #[ignore = "needs root"]
    async fn a_worker_has_a_socket_and_nothing_else() {
        // A parent process left a file open: every child inherits it, and a worker closes it.
        let forgotten = tempfile::tempfile().unwrap();
        rustix::io::fcntl_setfd(&forgotten, rustix::io::FdFlags::empty()).unwrap();
        let worker = load(&one_call(), &[Verb::SystemLoad], short()).await.unwrap();
        let proc = format!("/proc/{}", worker.pid());
        let run = worker.run(1, targets(), async |_| {
            // Read while a run is in progress.
            assert_eq!(std::fs::read(format!("{proc}/environ")).unwrap(), b"", "environment");
            let open = descriptors(&format!("{proc}/fd"));
            let beside: Vec<_> = open.iter().filter(|open| *open != "/dev/null").collect();
            assert!(beside.len() == 1 && beside[0].starts_with("socket:"), "one socket: {open:?}");
            assert_eq!(std::fs::read_link(format!("{proc}/cwd")).unwrap(), std::path::Path::new("/"));
            let program = std::fs::canonicalize(crate::support::program()).unwrap();
            let maps = std::fs::read_to_string(format!("{proc}/maps")).unwrap();
            let mapped: BTreeSet<&str> =
                maps.lines().filter_map(|line| line.split_once('/')).map(|(_, path)| path).collect();
            for path in mapped {
                let path = format!("/{path}");
                let library = path.contains("/lib") && path.contains(".so");
                assert!(library || program == std::path::Path::new(&path), "mapped: {path}");
            }
            let limits = std::fs::read_to_string(format!("{proc}/limits")).unwrap();
            for line in ["Max core file size        0 ", "Max file size             0 ", "Max open files            8 "]
            {
                assert!(limits.contains(line), "{limits}");
            }
            answered(LOAD)
        });
        assert!(matches!(run.await.ending, Ending::Report(_)));
    }
}

#[tokio::test]
async fn gr14_a_killed_worker_ends_every_run_at_once() {
    let worker = load(&one_call(), &[Verb::SystemLoad], short()).await.unwrap();
    let pid = Pid::from_raw(worker.pid().cast_signed()).unwrap();
    let hang = || worker.run(1, targets(), async |_| std::future::pending().await);
    let kill = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        kill_process(pid, Signal::KILL).unwrap();
    };
    let (one, two, ()) = tokio::join!(hang(), hang(), kill);
    for end in [one, two] {
        let Ending::Fault(fault) = end.ending else { panic!("{end:?}") };
        assert_eq!(fault.kind, FaultKind::WorkerDied(WorkerEnd::Signal(9)));
        assert_eq!(fault.to_string(), "its worker died (signal 9)");
    }
    assert!(!worker.is_alive());
    let late = worker.run(1, targets(), async |_| std::future::pending().await).await;
    assert!(matches!(late.ending, Ending::Fault(_)), "a dead worker is not asked: {late:?}");
}

#[tokio::test]
async fn ca13_runs_do_not_disturb_each_other() {
    // Fuel has to decide, even on a busy machine.
    let limits = Limits { fuel: 300_000_000, ..Limits::default() };
    let worker = load(&moody(), &[Verb::SystemLoad], limits).await.unwrap();
    let run = async |kind: usize| {
        worker
            .run(1, targets(), async |_| {
                tokio::time::sleep(Duration::from_millis(20)).await;
                match kind {
                    0 => Outcome::Failed(VerbError::NotFound),
                    1 => answered(&LOAD.replace("0.65", "0.5")),
                    _ => answered(LOAD),
                }
            })
            .await
    };
    let runs = tokio::join!(run(0), run(1), run(2), run(3), run(4), run(0), run(1), run(2));
    let ends = [runs.0, runs.1, runs.2, runs.3, runs.4, runs.5, runs.6, runs.7].map(|end| end.ending);
    for (index, end) in ends.iter().enumerate() {
        match (index, end) {
            (0 | 5, Ending::Fault(fault)) => assert_eq!(fault.kind, FaultKind::Unreachable),
            (1 | 6, Ending::Fault(fault)) => assert_eq!(fault.kind, FaultKind::Fuel(300_000_000)),
            (2 | 3 | 4 | 7, Ending::Report(_)) => {}
            _ => panic!("{index}: {end:?}"),
        }
    }
    assert!(worker.is_alive());
}

#[tokio::test]
async fn a_stopped_worker_is_killed_when_its_time_is_over_and_the_others_may_start_again() {
    let limits = Limits { wall_ms: 500, ..short() };
    let worker = load(&one_call(), &[Verb::SystemLoad], limits).await.unwrap();
    let pid = Pid::from_raw(worker.pid().cast_signed()).unwrap();
    let begun = Instant::now();
    let overdue = worker.run(1, targets(), async |_| {
        kill_process(pid, Signal::STOP).unwrap();
        answered(LOAD)
    });
    let younger = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        worker.run(1, targets(), async |_| answered(LOAD)).await
    };
    let (overdue, younger) = tokio::join!(overdue, younger);
    assert!(begun.elapsed() < Duration::from_secs(40), "{:?}", begun.elapsed());
    let Ending::Fault(fault) = overdue.ending else { panic!("{overdue:?}") };
    assert_eq!(fault.kind, FaultKind::Wall(500));
    assert_eq!(younger.ending, Ending::Interrupted);
    assert!(!std::path::Path::new(&format!("/proc/{}", pid.as_raw_nonzero())).exists(), "reaped");
}

/// The broker spawns runs: a compile-time check.
#[tokio::test]
async fn a_run_can_be_spawned() {
    let worker = std::sync::Arc::new(load(&one_call(), &[Verb::SystemLoad], short()).await.unwrap());
    let run = tokio::spawn({
        let worker = std::sync::Arc::clone(&worker);
        async move { worker.run(1, targets(), |_| async { answered(LOAD) }).await }
    });
    assert!(matches!(run.await.unwrap().ending, Ending::Report(_)));
}

#[tokio::test]
async fn an_answer_that_is_too_long_for_the_wire_is_too_large() {
    let worker = load(&moody(), &[Verb::SystemLoad], short()).await.unwrap();
    let end = worker.run(1, targets(), |_| async { answered(&"x".repeat(3 << 20)) }).await;
    let Ending::Fault(fault) = end.ending else { panic!("{end:?}") };
    assert_eq!(fault.kind, FaultKind::Unreachable, "the guest got the error, and panicked");
}

#[tokio::test]
async fn a_dropped_worker_is_gone() {
    let worker = load(&body("(i32.const 1024)"), &[], short()).await.unwrap();
    let proc = format!("/proc/{}/environ", worker.pid());
    drop(worker);
    let begun = Instant::now();
    // A zombie may stay until the runtime reaps it; its memory is gone.
    while std::fs::read(&proc).is_ok_and(|bytes| !bytes.is_empty()) && begun.elapsed() < Duration::from_secs(30) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let closed = load(&body("(i32.const 1024)"), &[], short()).await.unwrap();
    let proc = format!("/proc/{}", closed.pid());
    closed.close().await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(!std::path::Path::new(&proc).exists());
}

#[tokio::test]
async fn a_program_that_is_not_a_worker_is_an_error() {
    let none = Worker::load(Some("/nonexistent".as_ref()), b"", &Links::default(), Limits::default()).await;
    assert!(matches!(none, Err(LoadError::Spawn(_))));
    let silent = Worker::load(Some("/bin/true".as_ref()), b"", &Links::default(), Limits::default()).await;
    assert!(matches!(silent, Err(LoadError::Died(_))), "{silent:?}");
    // Continues to run, and sends nothing on the socket.
    let links = Links::default();
    let other = Worker::load(Some("/bin/yes".as_ref()), b"", &links, Limits::default());
    let other = tokio::time::timeout(Duration::from_millis(300), other).await;
    assert!(!matches!(other, Ok(Ok(_))));
}

#[tokio::test]
async fn a_worker_ends_with_its_broker() {
    // What the worker does when the socket closes: the test plays the broker by hand.
    let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
    let mut child = std::process::Command::new(crate::support::program())
        .arg("worker")
        .env_clear()
        .stdin(std::os::fd::OwnedFd::from(theirs))
        .spawn()
        .unwrap();
    drop(ours);
    let begun = Instant::now();
    while child.try_wait().unwrap().is_none() {
        assert!(begun.elapsed() < Duration::from_secs(60), "it lives on");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
