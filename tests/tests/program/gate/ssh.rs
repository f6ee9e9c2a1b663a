//! The gate as it is installed: real sshd, real sudo, and a client that has the keys.

use std::fs;
use std::path::Path;

use bailiwick_core::gate_protocol::{GateFacts, Preview, Request, Status, frame};
use bailiwick_core::model::{Verb, Wire};
use bailiwick_core::verbs::Tier;
use bailiwick_policy::gate::{Entry, EntryKind, Limits};
use bailiwick_tests::fleet::{Entry as Target, fleet, target, text};
use bailiwick_tests::gate::{FREE, Session as GateSession, begin, named, place, program, read, step, undo, write};
use bailiwick_tests::gate_host::{Host, Options, Site};
use bailiwick_tests::ops::Ops;
use bailiwick_tests::sshd::keygen;
use bailiwick_transport::RunError;
use bailiwick_transport::gate::{ChangeSession, inspect};
use bailiwick_transport::ssh::{Session, Settings, connect};

use crate::PROGRAM;

struct Way {
    fleet: bailiwick_core::fleet::Fleet,
}

impl Way {
    fn to(host: &Host) -> Self {
        Self::with(host, "")
    }

    /// With more about its gate.
    fn with(host: &Host, more: &str) -> Self {
        let entry = Target::at("test", host.address, &host.key("read")).unwrap();
        let entry = entry.text("user", "bw-read").with("host-key", &text(&host.host_key));
        let gate =
            format!("{{ user = \"bw-change\", identity = {}{more} }}", text(&host.key("change").display().to_string()));
        let entry = entry.with("gate", &gate);
        Self { fleet: fleet(&[entry], &[]).unwrap() }
    }

    async fn read_session(&self) -> Session {
        connect(&self.fleet, target(&self.fleet, "test").unwrap(), &Settings::default()).await.unwrap()
    }

    async fn change_session(&self) -> ChangeSession {
        let target = target(&self.fleet, "test").unwrap();
        ChangeSession::open(&self.fleet, target, &Settings::default()).await.unwrap()
    }
}

fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap().block_on(work)
}

#[test]
#[ignore = "needs root, sudo, busybox and sshd"]
fn ssh_a_change_is_begun_done_undone_and_closed_over_a_real_connection() {
    let file = format!("/var/tmp/bailiwick-gate-ssh-{}", std::process::id());
    fs::write(&file, "before\n").unwrap();
    let action = "files-change.write:/x=base#ab";
    let entries = vec![
        write(action, Path::new(&file), "after\n").unwrap(),
        read("system.load", &["/usr/bin/cat", "/proc/loadavg"], 10, 100),
    ];
    let (host, script) = Host::start(&Options { entries, limits: FREE, ..Options::default() }).unwrap();
    let way = Way::to(&host);
    run(async {
        let reader = way.read_session().await;
        let answers = inspect(&reader, &[Request::Gate, Request::Preview(action.to_owned())]).await.unwrap();
        let facts = GateFacts::read(&answers[0].stdout).unwrap();
        assert_eq!((facts.list.as_str(), facts.script), (script.list.as_str(), script.digest()));
        assert_eq!((facts.disabled, facts.open, facts.begins_today), (None, None, 0));
        let preview = Preview::read(&answers[1].stdout).unwrap();
        assert!(preview.shown.for_encoder().contains("-before\n+after\n"), "{:?}", preview.shown);

        let changer = way.change_session().await;
        assert_eq!(changer.ask(begin("c-1")).await.unwrap().status, Status::Exit(0));
        let done = changer.ask(step("c-1", 1, action, &preview.before, &preview.after)).await.unwrap();
        assert_eq!((done.status, done.state), (Status::Exit(0), Some(preview.after.clone())));
        assert_eq!(fs::read(&file).unwrap(), b"after\n");
        let undone = changer.ask(undo("c-1", 1)).await.unwrap();
        assert_eq!((undone.status, undone.state), (Status::Exit(0), Some(preview.before.clone())));
        assert_eq!(fs::read(&file).unwrap(), b"before\n");
        assert_eq!(changer.ask(Request::Close(named("c-1"))).await.unwrap().status, Status::Exit(0));
        changer.close().await;
        reader.close().await;
    });
    let log = host.read("log").unwrap();
    assert!(log.contains("role=change from=127."), "{log}");
    fs::remove_file(&file).unwrap();
}

/// A gate's frame over plain `ssh`, with the input open until it ends.
fn by_hand(host: &Host, role: &str, options: &[&str], requests: &[Request]) -> (Option<i32>, String) {
    let mut command = host.ssh(role);
    command.args(options).arg(host.address.ip().to_string()).arg(format!("bailiwick-gate/1 {role}"));
    let mut session = GateSession::start(command).unwrap();
    session.say(&frame(requests).unwrap()).unwrap();
    let (code, out, _) = session.end().unwrap();
    (code, String::from_utf8_lossy(&out).into_owned())
}

#[test]
#[ignore = "needs root, sudo, busybox and sshd"]
fn nw19_nw21_ssh_with_a_key_in_hand_there_is_nothing_but_the_list() {
    let dir = place("keys");
    let (file, canary) = (dir.join("file"), dir.join("canary"));
    let evil = dir.join("evil");
    fs::create_dir(&evil).unwrap();
    for name in ["cat", "env", "sh", "sudo", "setsid", "timeout", "logger", "stat"] {
        program(&evil.join(name), &format!("#!/bin/sh\necho pwned >>{}\n", canary.display())).unwrap();
    }
    fs::write(evil.join("rc"), format!("echo pwned >>{}\n", canary.display())).unwrap();
    fs::set_permissions(&dir, std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let inside = listener.local_addr().unwrap();
    let entries =
        vec![write("w", &file, "after\n").unwrap(), read("load", &["/usr/bin/cat", "/proc/loadavg"], 10, 100)];
    let limits = Limits { free_kib: 16, ..Limits::default() };
    // A careless sshd: it accepts everything that a client sends.
    let config = vec!["AcceptEnv *".to_owned(), "AllowTcpForwarding yes".to_owned(), "PermitTunnel yes".to_owned()];
    let (host, _) = Host::start(&Options { entries, limits, config, ..Options::default() }).unwrap();
    let stranger = format!("{}:{}", inside.ip(), inside.port());
    for role in ["read", "change"] {
        // Shells and programs, requested in every way that a client has.
        for words in [
            &["reboot"][..],
            &["sh"],
            &["bash", "-i"],
            &[],
            &["sudo", "-n", "reboot"],
            &["sudo", "-n", "/usr/local/libexec/bailiwick-gate", "change-root"],
            &["bailiwick-gate/1", "change-root"],
            &["bailiwick-gate/1", "read;", "id"],
            &["bailiwick-gate/1 read\nid"],
            &["bailiwick-gate/2", "read"],
            &["rsync", "--server", "."],
            &["scp", "-t", "/tmp"],
            &["git-upload-pack", "/x"],
            &["$(touch", "/tmp/x)"],
        ] {
            let output = host.try_ssh(role, &[], words).unwrap();
            assert_eq!(output.status.code(), Some(126), "{role} {words:?}: {output:?}");
            assert!(output.stdout.is_empty(), "{role} {words:?}");
        }
        // The command of the other role.
        let other = if role == "read" { "bailiwick-gate/1 change" } else { "bailiwick-gate/1 look" };
        assert_eq!(host.try_ssh(role, &[], &[other]).unwrap().status.code(), Some(126), "{role}");
        let subsystem = host.try_ssh(role, &["-s"], &["sftp"]).unwrap();
        assert_eq!((subsystem.status.code(), subsystem.stdout.is_empty()), (Some(126), true), "{role}: sftp");
        let terminal = host.try_ssh(role, &["-tt"], &["sh"]).unwrap();
        assert!(matches!(terminal.status.code(), Some(126 | 255)), "{role}: a terminal: {terminal:?}");
        assert!(String::from_utf8_lossy(&terminal.stderr).contains("PTY allocation request failed"), "{role}");
        // Nothing is forwarded: in, out, to a socket, by a tunnel.
        for options in [
            &["-W", stranger.as_str()][..],
            &["-N", "-o", "ExitOnForwardFailure=yes", "-R", "0:127.0.0.1:1"],
            &["-N", "-o", "ExitOnForwardFailure=yes", "-R", "/tmp/bailiwick-evil.sock:127.0.0.1:1"],
            &["-o", "ExitOnForwardFailure=yes", "-w", "any:any"],
        ] {
            let output = host.try_ssh(role, options, &[]).unwrap();
            assert!(matches!(output.status.code(), Some(255 | 126)), "{role} {options:?}: {output:?}");
            assert!(output.stdout.is_empty(), "{role} {options:?}");
        }
        let forwards = host.try_ssh(role, &["-v", "-A"], &["sh"]).unwrap();
        let stderr = String::from_utf8_lossy(&forwards.stderr).into_owned();
        assert!(stderr.contains("key options: command") && !stderr.contains("agent-forwarding"), "{stderr}");
        // What a client puts into the environment changes nothing.
        let set = |text: &str| format!("SetEnv=\"{}\"", text.replace('\n', "\" \""));
        for variable in [
            format!("PATH={}", evil.display()),
            format!("ENV={}", evil.join("rc").display()),
            format!("BASH_ENV={}", evil.join("rc").display()),
            format!("IFS=/\nSHELLOPTS=xtrace\nCDPATH={}\nTMPDIR={}", dir.display(), dir.display()),
            format!("BASH_FUNC_cd%%=() {{ echo pwned >>{}; }}", canary.display()),
            "POSIXLY_CORRECT=1\nLC_ALL=de_DE.UTF-8\nLANG=tr_TR.UTF-8\nSUDO_USER=root\nSSH_CONNECTION=evil".to_owned(),
        ] {
            let request = if role == "read" { Request::Read("load".into()) } else { undo("c-none", 1) };
            let (code, out) = by_hand(&host, role, &["-o", &set(&variable)], &[request]);
            let expected = if role == "read" { "answer 1 0 " } else { "answer 1 unknown " };
            assert!(code == Some(0) && out.starts_with(expected), "{role} {variable}: {code:?} {out}");
        }
    }
    listener.set_nonblocking(true).unwrap();
    assert!(listener.accept().is_err(), "no connection was made");
    assert!(!canary.exists(), "nothing of the client's was run");
    let log = host.read("log").unwrap();
    for request in
        ["\"reboot\"", "\"bash -i\"", "\"bailiwick-gate/1 read; id\"", "\"bailiwick-gate/1 read?id\"", "\"\""]
    {
        assert!(log.contains(&format!("request={request} outcome=refused")) || request == "\"\"", "{request} in {log}");
    }
    // With the change key, by hand: the list, and once a day.
    let preview = by_hand(&host, "read", &[], &[Request::Read("w".into())]);
    assert!(preview.1.starts_with("answer 1 unknown "), "what changes is not read");
    let after = format!(
        "file:{}:6:644:0:0",
        data_encoding::HEXLOWER.encode(&sha2::Digest::finalize(sha2::Digest::chain_update(
            <sha2::Sha256 as sha2::Digest>::new(),
            "after\n"
        )))
    );
    let after = after.parse().unwrap();
    let other = "absent".parse().unwrap();
    let asked = [
        begin("c-1"),
        step("c-1", 1, "firewall", &other, &after),
        step("c-1", 2, "services-change.restart:postgresql.service", &other, &after),
        step("c-1", 3, "w", &other, &after),
        Request::Confirm(named("c-1")),
        begin("c-2"),
    ];
    let (code, out) = by_hand(&host, "change", &[], &asked);
    let statuses: Vec<_> =
        out.lines().filter_map(|line| line.strip_prefix("answer ")?.split(' ').nth(1).map(str::to_owned)).collect();
    assert_eq!((code, statuses.join(" ").as_str()), (Some(0), "0 unknown unknown 0 0 budget"), "{out}");
    assert_eq!(fs::read(&file).unwrap(), b"after\n");
    let (_, out) = by_hand(&host, "change", &[], &[begin("c-3")]);
    assert!(out.starts_with("answer 1 budget "), "{out}");
    fs::remove_dir_all(&dir).unwrap();
}

#[test]
#[ignore = "needs root, sudo, busybox and sshd"]
fn ar19_sudo_takes_two_command_lines_and_no_other() {
    let (host, _) = Host::start(&Options { limits: FREE, ..Options::default() }).unwrap();
    let text = host.read("etc/sudoers.d/bailiwick").unwrap();
    let rules: Vec<_> = text.lines().filter(|line| !line.starts_with(['#']) && !line.starts_with("Defaults")).collect();
    assert_eq!(
        rules,
        [
            "bw-read ALL=(root) NOPASSWD: /usr/local/libexec/bailiwick-gate look",
            "bw-change ALL=(root) NOPASSWD: /usr/local/libexec/bailiwick-gate change-root",
        ]
    );
    assert!(host.root(&["visudo", "-c", "-f", "/etc/sudoers.d/bailiwick"]).unwrap().status.success());
    let gate = "/usr/local/libexec/bailiwick-gate";
    let sudo = |user: &str, words: &[&str]| {
        let mut command = host.enter("setpriv");
        command.args(["--reuid", user, "--regid", user, "--init-groups", "sudo", "-n"]).args(words);
        let output = command.stdin(std::process::Stdio::null()).output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    for (user, words) in [
        ("bw-read", &[gate][..]),
        ("bw-read", &[gate, "look", "x"]),
        ("bw-read", &[gate, "change-root"]),
        ("bw-read", &[gate, "status"]),
        ("bw-read", &["/bin/sh"]),
        ("bw-read", &["-s"]),
        ("bw-read", &["-u", "bw-change", gate, "look"]),
        ("bw-change", &[gate, "look"]),
        ("bw-change", &[gate, "rollback", "c-1"]),
        ("bw-change", &[gate, "change-root", ""]),
        ("bw-change", &[gate, "now-change-root"]),
        ("bw-change", &["EVIL=1", gate, "change-root"]),
        ("bw-change", &["-D", "/tmp", gate, "change-root"]),
        ("bw-change", &["-e", "/etc/passwd"]),
    ] {
        let (code, text) = sudo(user, words);
        assert_eq!(code, Some(1), "{user} {words:?}: {text}");
    }
    for (user, role) in [("bw-read", "look"), ("bw-change", "change-root")] {
        let (code, text) = sudo(user, &[gate, role]);
        assert_eq!(code, Some(126), "{text}");
        assert!(text.contains("the input ended before go"), "it is our gate that says no: {text}");
    }
    // Without sudo none of the roles that need root does anything.
    for role in ["look", "change-root", "status"] {
        let mut command = host.enter("setpriv");
        command.args(["--reuid", "bw-change", "--regid", "bw-change", "--init-groups", gate, role]);
        assert_eq!(command.stdin(std::process::Stdio::null()).output().unwrap().status.code(), Some(126), "{role}");
    }
}

#[test]
#[ignore = "needs root, sudo, busybox and sshd"]
fn nw20_ssh_a_certificate_is_good_for_one_target_one_role_and_its_time() {
    let ca = tempfile::tempdir().unwrap();
    let authority = keygen("ed25519", &ca.path().join("ca")).unwrap();
    let options =
        Options { limits: FREE, authority: Some((authority, "bw-change@test".to_owned())), ..Options::default() };
    let (host, _) = Host::start(&options).unwrap();
    let certify = |key: &str, principal: &str, valid: &str, more: &[&str]| {
        certify(&host, &ca.path().join(key), principal, valid, more);
    };
    let tries = || {
        let (code, out) = by_hand(&host, "change", &[], &[undo("c-none", 1)]);
        (code, out.starts_with("answer 1 unknown "))
    };
    let refused = (Some(255), false);
    assert_eq!(tries(), refused, "the key alone");
    bailiwick_tests::sshd::keygen("ed25519", &ca.path().join("other")).unwrap();
    for (what, key, principal, valid, more) in [
        ("another target", "ca", "bw-change@prod", "+5m", &[][..]),
        ("the other role", "ca", "bw-read@test", "+5m", &[]),
        ("too late", "ca", "bw-change@test", "-10m:-5m", &[]),
        ("too early", "ca", "bw-change@test", "+5m:+10m", &[]),
        ("another CA", "other", "bw-change@test", "+5m", &[]),
        ("another source", "ca", "bw-change@test", "+5m", &["-O", "source-address=203.0.113.7"]),
        ("a host's", "ca", "bw-change@test", "+5m", &["-h"]),
    ] {
        certify(key, principal, valid, more);
        assert_eq!(tries(), refused, "{what}");
    }
    certify("ca", "bw-change@test", "+5m", &["-O", "force-command=/bin/sh"]);
    assert_ne!(tries(), (Some(0), true), "another command than the key line's");
    certify("ca", "bw-change@test", "+5m", &["-O", "force-command=/usr/local/libexec/bailiwick-gate change"]);
    assert_eq!(tries(), (Some(0), true));
    // And with our own client.
    certify("ca", "bw-change@test", "+5m", &[]);
    let way = Way::with(&host, &format!(", certificate = {}", text(&certificate(&host))));
    run(async {
        let changer = way.change_session().await;
        let answer = changer.ask(undo("c-none", 1)).await.unwrap();
        assert_eq!(answer.status, Status::Unknown);
        changer.close().await;
    });
}

/// Puts a certificate for the change key where `ssh` and our own client find it.
fn certify(host: &Host, authority: &Path, principal: &str, valid: &str, more: &[&str]) {
    let mut keygen = std::process::Command::new("ssh-keygen");
    keygen.args(["-q", "-s"]).arg(authority).args(["-I", "plan", "-n", principal, "-V", valid]).args(more);
    assert!(keygen.arg(host.key("change").with_extension("pub")).status().unwrap().success());
}

fn certificate(host: &Host) -> String {
    host.key("change").with_file_name("change-cert.pub").display().to_string()
}

#[test]
#[ignore = "needs root, sudo, busybox and sshd"]
fn ch20_ssh_an_expired_certificate_does_not_prevent_a_rollback() {
    let file = format!("/var/tmp/bailiwick-gate-ch20-{}", std::process::id());
    fs::write(&file, "before\n").unwrap();
    let action = "files-change.write:/x=base#ab";
    let ca = tempfile::tempdir().unwrap();
    let (key, principal) = (ca.path().join("ca"), "bw-change@test");
    let authority = keygen("ed25519", &key).unwrap();
    let options = Options {
        entries: vec![write(action, Path::new(&file), "after\n").unwrap()],
        limits: FREE,
        authority: Some((authority, principal.to_owned())),
        ..Options::default()
    };
    let (host, _) = Host::start(&options).unwrap();
    certify(&host, &key, principal, "+5m", &[]);
    let way = Way::with(&host, &format!(", certificate = {}", text(&certificate(&host))));
    run(async {
        let answers = inspect(&way.read_session().await, &[Request::Preview(action.to_owned())]).await.unwrap();
        let preview = Preview::read(&answers[0].stdout).unwrap();
        let changer = way.change_session().await;
        assert_eq!(changer.ask(begin("c-1")).await.unwrap().status, Status::Exit(0));
        let done = changer.ask(step("c-1", 1, action, &preview.before, &preview.after)).await.unwrap();
        assert_eq!(done.status, Status::Exit(0));
        changer.close().await;
    });
    assert_eq!(fs::read(&file).unwrap(), b"after\n");
    certify(&host, &key, principal, "-10m:-5m", &[]);
    assert_eq!(by_hand(&host, "change", &[], &[undo("c-1", 1)]).0, Some(255), "it is good for nothing now");
    let undone = host.root(&["/usr/local/libexec/bailiwick-gate", "rollback", "c-1"]).unwrap();
    assert!(undone.status.success(), "{undone:?}");
    assert_eq!(fs::read(&file).unwrap(), b"before\n");
    fs::remove_file(&file).unwrap();
}

#[test]
#[ignore = "needs root, sudo, busybox and sshd"]
fn ssh_reading_goes_through_the_gate_several_in_one_channel() {
    let verbs = [Verb::SystemLoad, Verb::SystemUptime, Verb::SystemMemory, Verb::SystemIdentity, Verb::SystemClock];
    let action = |verb| bailiwick_core::verbs::action(verb, None, Tier::Gated);
    let entries = verbs
        .iter()
        .filter(|verb| **verb != Verb::SystemMemory)
        .map(|verb| {
            let action = action(*verb);
            let Wire::Gated(wire) = action.wire else { panic!("{verb}") };
            Entry { id: action.id.as_str().to_owned(), kind: EntryKind::Read(*wire), seconds: 10, bytes_max: 64 << 10 }
        })
        .collect();
    let (host, _) = Host::start(&Options { entries, limits: FREE, ..Options::default() }).unwrap();
    let way = Way::to(&host);
    run(async {
        let settings = Settings { channels: 2, ..Settings::default() };
        let session = connect(&way.fleet, target(&way.fleet, "test").unwrap(), &settings).await.unwrap();
        let session = std::sync::Arc::new(bailiwick_transport::Connection::Ssh(session));
        let mut runs = tokio::task::JoinSet::new();
        for number in 0..30 {
            let (session, action) = (std::sync::Arc::clone(&session), action(verbs[number % verbs.len()]));
            runs.spawn(async move { (action.verb, session.run(&action).await) });
        }
        while let Some(answer) = runs.join_next().await {
            match answer.unwrap() {
                (Verb::SystemMemory, Err(RunError::Gate(why))) => {
                    assert!(why.contains("does not list this action"), "{why}")
                }
                (verb, Ok(answer)) => assert!(!answer.stdout.is_empty(), "{verb}"),
                (verb, Err(error)) => panic!("{verb}: {error}"),
            }
        }
    });
    let log = host.read("log").unwrap();
    assert_eq!(log.matches("role=read").count(), 30, "{log}");
    let channels = host.read("sshd.log").unwrap().matches("Starting session: forced-command").count();
    // Six are the clock's, which goes alone; the rest, eight together at most.
    assert!((9..=20).contains(&channels), "{channels} channels for 30 questions");
}

#[test]
#[ignore = "needs root, sudo, busybox and sshd"]
fn gate_verify_finds_whatever_differs_from_the_grant() {
    let site = Site::new().unwrap();
    let entry = Target::at("test", site.address, &site.key("read")).unwrap();
    let gate = format!("{{ user = \"bw-change\", identity = {} }}", text(&site.key("change").display().to_string()));
    let entry = entry.text("user", "bw-read").with("host-key", &text(&site.host_key)).with("gate", &gate);
    let policy = |components: &str| format!("[[grant]]\ncomponent = [{components}]\non = [\"test\"]\n");
    let ops = Ops::new(PROGRAM, &[entry], &[], &policy("\"load\", \"uptime\"")).unwrap();
    let install = ops.run(&["gate", "install-script", "test"]).unwrap();
    assert_eq!(install.code, 0, "{}", install.stderr);
    let shown = ops.run(&["gate", "show", "test"]).unwrap();
    assert!(install.stdout.contains(&shown.stdout), "what is shown is what is installed");
    let host = site.start(&install.stdout, &[]).unwrap();
    let verify = |what: &str, expected: &[&str]| {
        let output = ops.run(&["gate", "verify", "test"]).unwrap();
        let found: Vec<_> = output.stdout.lines().filter(|line| line.starts_with("DIFFERS")).collect();
        assert_eq!(found.len(), expected.len(), "{what}: {}{}", output.stdout, output.stderr);
        for (line, expected) in found.iter().zip(expected) {
            assert!(line.contains(expected), "{what}: {line}");
        }
        assert_eq!(output.code, i32::from(!expected.is_empty()), "{what}");
    };
    verify("as installed", &[]);
    ops.write("policy.toml", policy("\"load\"").as_bytes()).unwrap();
    verify("a smaller grant", &["its list", "its script", "bailiwick-gate (mode"]);
    ops.write("policy.toml", policy("\"load\", \"uptime\"").as_bytes()).unwrap();
    let root = |words: &[&str]| assert!(host.root(words).unwrap().status.success(), "{words:?}");
    let unit = "/etc/systemd/system/bailiwick-gate.service";
    root(&["sh", "-c", &format!("cp {unit} {unit}.kept && sed -i s/boot/status/ {unit}")]);
    verify("the unit at boot", &[unit]);
    root(&["mv", &format!("{unit}.kept"), unit]);
    root(&["chmod", "0777", "/usr/local/libexec/bailiwick-gate"]);
    verify("a script that every user can write", &["bailiwick-gate (mode"]);
    root(&["chmod", "0755", "/usr/local/libexec/bailiwick-gate"]);
    root(&["chmod", "0777", "/usr/local/libexec"]);
    verify("a folder that every user can write", &["/usr/local/libexec (only root may write"]);
    root(&["chmod", "0755", "/usr/local/libexec"]);
    root(&["sh", "-c", "echo 'bw-change ALL=(root) NOPASSWD: ALL' >>/etc/sudoers.d/bailiwick"]);
    verify("sudo's file", &["/etc/sudoers.d/bailiwick (mode"]);
    root(&["sed", "-i", "$d", "/etc/sudoers.d/bailiwick"]);
    root(&[
        "sh",
        "-c",
        "printf 'Match User bw-*\\n    AllowAgentForwarding yes\\n' >/etc/ssh/sshd_config.d/00-first.conf",
    ]);
    verify("sshd's switch", &["bw-read: sshd's allowagentforwarding", "bw-change: sshd's allowagentforwarding"]);
    root(&["rm", "/etc/ssh/sshd_config.d/00-first.conf"]);
    root(&["usermod", "--shell", "/bin/bash", "bw-change"]);
    verify("its shell", &["bw-change: its shell"]);
    root(&["usermod", "--shell", "/bin/sh", "bw-change"]);
    verify("as installed again", &[]);
    root(&["touch", "/etc/bailiwick/disabled"]);
    assert!(
        ops.run(&["gate", "verify", "test"]).unwrap().stdout.contains("accepts no change now: the kill switch is on")
    );
}
