//! A guest that has native code in its worker (docs/threats.md, A9, D1, GR14): the results of its system calls, and the broker's
//! answers to its messages. The worker is `native-worker`, which becomes one by the product's own code.

use std::fmt::Write;
use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bailiwick_core::encode;
use bailiwick_core::model::{ComponentId, TargetName, Verb, VerbError};
use bailiwick_engine::broker::{Broker, RunContext, TargetSession};
use bailiwick_journal::Journal;
use bailiwick_policy::ops::Ops;
use bailiwick_sandbox::fault::{FaultKind, WorkerEnd};
use bailiwick_sandbox::{Ending, Limits, Links, Outcome, TargetView, VerbCall, Worker};
use bailiwick_tests::kernel;
use bailiwick_transport::Connection;
use tempfile::TempDir;

/// The worker with native code in it.
const PROGRAM: &str = env!("CARGO_BIN_EXE_native-worker");

/// The objects that a call would reach if it were allowed: this process is the broker.
struct Surroundings {
    folder: TempDir,
    broker: u32,
    port: u16,
    _listeners: (TcpListener, UnixListener, UnixListener),
    abstract_name: String,
}

impl Surroundings {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let broker = std::process::id();
        let abstract_name = format!("bailiwick-test-{broker}");
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let path = UnixListener::bind(folder.path().join("socket")).unwrap();
        let address = SocketAddr::from_abstract_name(&abstract_name).unwrap();
        let hidden = UnixListener::bind_addr(&address).unwrap();
        let port = tcp.local_addr().unwrap().port();
        std::fs::write(folder.path().join("file"), "secret").unwrap();
        Self { folder, broker, port, _listeners: (tcp, path, hidden), abstract_name }
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    /// Every call, with its argument, and how the golden calls the argument.
    fn calls(&self) -> Vec<(String, String)> {
        let broker = self.broker.to_string();
        let (socket, file, new) = (self.path("socket"), self.path("file"), self.path("new"));
        let about = |name: &str| format!("/proc/{broker}/{name}");
        let mut calls = Vec::new();
        let mut add = |name: &str, argument: &str, shown: &str| {
            calls.push((format!("{name} {argument}"), format!("{name} {shown}").trim().to_owned()));
        };
        let files = [
            ("/etc/passwd", "/etc/passwd"),
            ("/dev/null", "/dev/null"),
            ("/proc/self/mem", "/proc/self/mem"),
            ("/proc/self/exe", "/proc/self/exe"),
            ("/", "/"),
            (&file, "a file of its user"),
            (&about("mem"), "the broker's memory"),
            (&about("environ"), "the broker's environment"),
            (&about("fd/0"), "the broker's standard input"),
        ];
        let opens =
            if cfg!(target_arch = "x86_64") { &["open", "openat", "openat2"][..] } else { &["openat", "openat2"] };
        for open in opens {
            files.iter().for_each(|(path, shown)| add(open, path, shown));
        }
        add("create", &new, "a new file");
        for name in ["readlinkat", "mkdirat", "unlinkat", "fchmodat", "name_to_handle_at"] {
            add(name, if name == "mkdirat" { &new } else { &file }, "");
        }
        add("connect-inet", &self.port.to_string(), "a port of this machine");
        add("connect-unix", &socket, "a socket of its user");
        add("connect-abstract", &self.abstract_name, "an abstract socket");
        add("bind-abstract", "bailiwick-native", "");
        for name in ["execve", "execveat"] {
            add(name, "/bin/true", "/bin/true");
            add(name, "/proc/self/exe", "itself");
        }
        #[cfg(target_arch = "x86_64")]
        add("vfork", "", "");
        let others = [
            "ptrace-seize",
            "ptrace-attach",
            "process_vm_readv",
            "process_vm_writev",
            "kill",
            "tkill",
            "tgkill",
            "rt_sigqueueinfo",
            "pidfd_open",
            "pidfd_getfd",
            "pidfd_send_signal",
            "prlimit64-broker",
        ];
        others.iter().for_each(|name| add(name, &broker, "the broker"));
        let plain = [
            "inherited",
            "getdents64",
            "socket-inet",
            "socket-unix",
            "socketpair",
            "listen",
            "recvmsg",
            "sendmsg",
            "memfd_create",
            "fork",
            "clone3",
            "clone-thread-newuser",
            "unshare",
            "setns",
            "io_uring_setup",
            "prctl-seccomp-off",
            "prctl-dumpable",
            "prctl-new-privs",
            "seccomp",
            "setrlimit-up",
            "setuid",
            "capset",
            "ioctl",
            "bpf",
            "userfaultfd",
            "perf_event_open",
            "keyctl",
            "mount",
            "chroot",
            "shmget",
            "landlock",
        ];
        plain.iter().for_each(|name| add(name, "", ""));
        calls
    }
}

/// A target that the run sees.
fn here() -> Vec<TargetView> {
    let name = TargetName::new("here").unwrap();
    vec![TargetView {
        name,
        params: Default::default(),
        slots: Default::default(),
        previous_ms: None,
        earlier: Vec::new(),
    }]
}

/// Gives the guest an order, on a worker of its own, and returns how the run ended.
async fn order(text: &str) -> Result<String, FaultKind> {
    let limits = Limits { wall_ms: 10_000, ..Limits::default() };
    let worker = Worker::load(Some(Path::new(PROGRAM)), text.as_bytes(), &Links::default(), limits).await.unwrap();
    let end = worker.run(1, here(), async |_| Outcome::Failed(VerbError::Unreachable)).await;
    match end.ending {
        Ending::Report(report) => Ok(encode::terminal(&report.findings[0].title, 100).to_string()),
        Ending::Fault(fault) => Err(fault.kind),
        other => panic!("{text}: {other:?}"),
    }
}

/// The result of each call: an errno, a death, or DONE.
async fn table(calls: &[(String, String)]) -> String {
    let mut table = String::new();
    for (call, shown) in calls {
        let result = match order(&format!("call {call}")).await {
            Ok(text) => text,
            Err(FaultKind::WorkerDied(WorkerEnd::Signal(31))) => "killed".to_owned(),
            Err(other) => panic!("{call}: {other}"),
        };
        writeln!(table, "{result:<8}{shown}").unwrap();
    }
    table
}

#[tokio::test]
async fn gr14_native_code_gets_nothing_from_the_system() {
    let surroundings = Surroundings::new();
    // The worker can do what it needs, with threads, and its death is recognised.
    assert_eq!(order("call thread").await, Ok("DONE".to_owned()));
    assert_eq!(order("call abort").await, Err(FaultKind::WorkerDied(WorkerEnd::Signal(6))));
    let table = table(&surroundings.calls()).await;
    let done: Vec<_> = table.lines().filter(|line| line.starts_with("DONE")).collect();
    assert!(done.is_empty(), "these got through: {done:#?}");
    #[cfg(target_arch = "x86_64")]
    insta::assert_snapshot!("native_code_behind_everything", table);
    // The broker is this process; its objects are unchanged.
    assert_eq!(std::fs::read_to_string(surroundings.path("file")).unwrap(), "secret");
    assert!(!Path::new(&surroundings.path("new")).exists());
}

/// Needs a Landlock that knows signals.
mod landlock_6 {
    use super::*;

    /// Without seccomp, Landlock and the other measures still hold. A filter that the worker inherits makes the kernel
    /// lack seccomp.
    #[test]
    #[ignore = "needs Landlock's ABI 6: Linux 6.12"]
    fn gr14_native_code_behind_landlock_alone_gets_no_file_network_program_or_process() {
        let surroundings = Surroundings::new();
        let calls = surroundings.calls();
        let (table, lockdown) = std::thread::spawn(move || {
            kernel::without(&[libc::SYS_seccomp]).unwrap();
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let lockdown = Worker::start(Some(Path::new(PROGRAM))).await.unwrap().lockdown();
                (table(&calls).await, lockdown)
            })
        })
        .join()
        .unwrap();
        assert!(lockdown.lacking().contains(&"seccomp"), "{lockdown:?}");
        assert!(
            lockdown.landlock.is_some_and(|abi| abi >= 6),
            "this kernel's Landlock does not know signals: {lockdown:?}"
        );
        // Not among them: what neither Landlock nor the other measures are for. The worker can still set the limits of its own
        // processes, start processes and make sockets, without reaching anything with them.
        let for_nothing = [
            "open",
            "create",
            "mkdirat",
            "unlinkat",
            "connect-inet",
            "connect-abstract",
            "execve",
            "ptrace",
            "process_vm",
            "kill",
            "tkill",
            "tgkill",
            "rt_sigqueueinfo",
            "pidfd_getfd",
            "pidfd_send_signal",
            "setrlimit",
            "inherited",
            "bpf",
            "mount",
            "chroot",
            "setns",
        ];
        for line in table.lines() {
            let (gave, call) = line.split_at(8);
            let stopped = for_nothing.iter().any(|name| call.starts_with(name));
            assert!(!stopped || gave.trim() != "DONE", "{line}");
        }
        assert_eq!(std::fs::read_to_string(surroundings.path("file")).unwrap(), "secret");
        assert!(!Path::new(&surroundings.path("new")).exists());
    }
}

#[test]
fn a_worker_without_seccomp_says_so() {
    let lockdown = std::thread::spawn(|| {
        kernel::without(&[libc::SYS_seccomp]).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async { Worker::start(Some(Path::new(PROGRAM))).await.unwrap().lockdown() })
    })
    .join()
    .unwrap();
    assert!(lockdown.lacking().contains(&"seccomp"), "{lockdown:?}");
}

/// An ops directory whose `file-freshness` may read one file of this machine, and the broker for it.
struct Granted {
    _folder: TempDir,
    journal: std::path::PathBuf,
    broker: Arc<Broker>,
    run: RunContext,
}

impl Granted {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        write("fleet.toml", "[targets.here]\nlocal = true\n[targets.there]\nlocal = true\n");
        write(
            "policy.toml",
            "[[grant]]\ncomponent = \"file-freshness\"\non = [\"here\"]\nbind.file = \"/etc/hostname\"\n\
             [[grant]]\ncomponent = \"file-freshness\"\non = [\"there\"]\nbind.file = \"/etc/os-release\"\n\
             [[grant]]\ncomponent = \"load\"\non = [\"here\", \"there\"]\n",
        );
        let ops = Ops::load(Some(folder.path()), None).unwrap_or_else(|error| panic!("{error} {:?}", error.problems()));
        let (component, target) = (ComponentId::new("file-freshness").unwrap(), TargetName::new("here").unwrap());
        let grant = ops.grant(&component, &target).unwrap();
        assert_eq!(grant.entries().count(), 1, "one action");
        let journal = folder.path().join("journal");
        let broker = Broker::new(Arc::new(Journal::open(&journal, Duration::ZERO).unwrap().0));
        let run = RunContext::new(1, Arc::new(grant), Arc::new(TargetSession::new(Connection::Local)));
        Self { _folder: folder, journal, broker: Arc::new(broker), run }
    }

    async fn answer(&self, call: VerbCall) -> Outcome {
        match self.broker.call(&self.run, call.number, call.target, call.verb, call.slot.as_ref()).await {
            Ok(answer) => Outcome::Answered((*answer).clone()),
            Err(error) => Outcome::Failed(error),
        }
    }
}

#[tokio::test]
async fn gr14_native_code_is_granted_nothing_beyond_its_run_whatever_it_says() {
    let orders = [
        "what-was-granted",
        "a-slot-key-not-granted",
        "another-targets-path-for-a-key",
        "a-verb-not-in-the-manifest",
        "a-verb-of-the-same-slot",
        "another-runs-id",
        "another-target",
        "a-call-out-of-order",
        "two-calls-at-once",
        "a-key-without-end",
        "another-lockdown",
        "ready-again",
        "an-oversize-frame",
        "no-message-at-all",
    ];
    let mut table = String::new();
    for what in orders {
        let granted = Granted::new();
        let (order, links) = (format!("say {what}"), Links::from([Verb::FilesStat]));
        let limits = Limits { wall_ms: 10_000, ..Limits::default() };
        let worker = Worker::load(Some(Path::new(PROGRAM)), order.as_bytes(), &links, limits).await.unwrap();
        let end = worker.run(1, here(), async |call| granted.answer(call).await).await;
        let gave = match end.ending {
            Ending::Report(report) => encode::terminal(&report.findings[0].title, 100).to_string(),
            Ending::Fault(fault) => fault.to_string(),
            other => panic!("{what}: {other:?}"),
        };
        // What was sent to the target, by the journal, which is written first.
        let journal = std::fs::read_to_string(granted.journal.join("journal.jsonl")).unwrap();
        let sent: Vec<_> = journal.lines().filter(|line| line.contains("\"kind\":\"intent\"")).collect();
        assert!(sent.iter().all(|line| line.contains("files.stat:/etc/hostname")), "{what}: {sent:?}");
        if !matches!(what, "what-was-granted" | "two-calls-at-once") {
            assert!(sent.is_empty(), "{what}: {sent:?}");
        }
        assert!(sent.len() <= 1, "{what}: {sent:?}");
        // The first of two is granted; whether it is sent before the second one ends everything is a race.
        let count = if what == "two-calls-at-once" { "at most 1".to_owned() } else { sent.len().to_string() };
        writeln!(table, "{what}: {gave}; sent {count}").unwrap();
    }
    insta::assert_snapshot!("what_native_code_says", table);
}
