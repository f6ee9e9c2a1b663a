//! SSH against real OpenSSH: what is sent, to which server, and what is refused.

use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bailiwick_core::fleet::Fleet;
use bailiwick_core::model::{Action, Literal, Object, Verb};
use bailiwick_core::model::{Answer, Exit};
use bailiwick_core::verbs::{Tier, action};
use bailiwick_tests::fleet::{Entry, fleet, never, target, text};
use bailiwick_tests::listeners::{Agent, Silent, closed_port};
use bailiwick_tests::sshd::{Options, Sshd, keygen, keygen_with};
use bailiwick_transport::RunError;
use bailiwick_transport::ssh::{ConnectError, Session, Settings, Step, connect};

fn load() -> Action {
    action(Verb::SystemLoad, None, Tier::Plain)
}

fn file(path: &str) -> Result<Action> {
    Ok(action(Verb::FilesRead, Some(Literal::parse(Object::Path, path)?), Tier::Plain))
}

async fn reach(fleet: &Fleet, name: &str) -> Result<Session, ConnectError> {
    reach_with(fleet, name, &Settings::default()).await
}

async fn reach_with(fleet: &Fleet, name: &str, settings: &Settings) -> Result<Session, ConnectError> {
    let target = target(fleet, name).map_err(|_| ConnectError::Local)?;
    connect(fleet, target, settings).await
}

fn refused(outcome: Result<Session, ConnectError>) -> Result<ConnectError> {
    outcome.err().context("it connected")
}

fn succeeded(answer: &Answer) -> bool {
    answer.exit == Exit::Status(0) && !answer.stdout.is_empty()
}

#[tokio::test]
async fn what_reaches_the_server_is_the_wire_text() -> Result<()> {
    let sshd = Sshd::start(&Options { log_wire: true, ..Options::default() })?;
    let fleet = fleet(&[Entry::for_sshd("db01", &sshd)?], &[])?;
    let session = reach(&fleet, "db01").await?;
    let actions = [load(), action(Verb::SystemMemory, None, Tier::Plain), file("/etc/hostname")?];
    for action in &actions {
        ensure!(succeeded(&session.run(action).await?), "{}", action.id);
    }
    let expected: Vec<String> = actions.iter().map(|action| action.wire.text()).collect();
    assert_eq!(sshd.wire()?, expected);
    session.close().await;
    assert_eq!(sshd.connections()?, 1);
    Ok(())
}

#[tokio::test]
async fn many_actions_share_one_connection() -> Result<()> {
    let sshd = Sshd::plain()?;
    let fleet = fleet(&[Entry::for_sshd("db01", &sshd)?], &[])?;
    let session = Arc::new(reach(&fleet, "db01").await?);
    let mut running = tokio::task::JoinSet::new();
    for index in 0..40 {
        let session = Arc::clone(&session);
        let action = if index % 2 == 0 { load() } else { action(Verb::SystemMemory, None, Tier::Plain) };
        running.spawn(async move { session.run(&action).await });
    }
    let mut answers = 0;
    while let Some(answer) = running.join_next().await {
        ensure!(succeeded(&answer??));
        answers += 1;
    }
    assert_eq!((answers, sshd.connections()?), (40, 1));
    Ok(())
}

#[tokio::test]
async fn a_server_that_allows_two_channels_gets_two() -> Result<()> {
    let sshd = Sshd::start(&Options { config: vec!["MaxSessions 2".into()], ..Options::default() })?;
    let fleet = fleet(&[Entry::for_sshd("db01", &sshd)?], &[])?;
    let session = Arc::new(reach(&fleet, "db01").await?);
    let mut running = tokio::task::JoinSet::new();
    for _ in 0..12 {
        let session = Arc::clone(&session);
        running.spawn(async move { session.run(&load()).await });
    }
    while let Some(answer) = running.join_next().await {
        ensure!(succeeded(&answer??));
    }
    ensure!(sshd.log()?.contains("no more sessions"), "the limit was never met:\n{}", sshd.log()?);
    Ok(())
}

#[tokio::test]
async fn a_server_that_allows_no_channel_is_distinguished() -> Result<()> {
    let sshd = Sshd::start(&Options { config: vec!["MaxSessions 0".into()], ..Options::default() })?;
    let fleet = fleet(&[Entry::for_sshd("db01", &sshd)?], &[])?;
    let session = reach(&fleet, "db01").await?;
    ensure!(matches!(session.run(&load()).await, Err(RunError::NoChannel)));
    Ok(())
}

#[tokio::test]
async fn failures_of_programs_come_back() -> Result<()> {
    let sshd = Sshd::plain()?;
    let fleet = fleet(&[Entry::for_sshd("db01", &sshd)?], &[])?;
    let session = reach(&fleet, "db01").await?;
    let answer = session.run(&file("/nonexistent")?).await?;
    assert_eq!(answer.exit, Exit::Status(1));
    ensure!(String::from_utf8(answer.stderr)?.contains("No such file or directory"));
    // This machine's way of reading is not for others.
    let local = action(Verb::FilesRead, Some(Literal::parse(Object::Path, "/etc/hostname")?), Tier::Local);
    ensure!(matches!(session.run(&local).await, Err(RunError::NotStarted)));
    Ok(())
}

#[tokio::test]
async fn every_kind_of_key_works_on_both_sides() -> Result<()> {
    for kind in ["ed25519", "ecdsa", "rsa"] {
        let sshd = Sshd::start(&Options { host_keys: vec![kind], user_key: kind, ..Options::default() })?;
        let entry = Entry::at("db01", sshd.address(), &sshd.user_key())?;
        let fleet = fleet(&[entry.text("host-key", sshd.host_key(kind)?)], &[])?;
        let session =
            reach(&fleet, "db01").await.with_context(|| format!("{kind}:\n{}", sshd.log().unwrap_or_default()))?;
        ensure!(succeeded(&session.run(&load()).await?), "{kind}");
    }
    Ok(())
}

#[tokio::test]
async fn nw15_without_a_pin_nothing_is_sent() -> Result<()> {
    let silent = Silent::start()?;
    let sshd = Sshd::plain()?;
    let fleet = fleet(&[Entry::at("db01", silent.address(), &sshd.user_key())?], &[])?;
    let error = refused(reach(&fleet, "db01").await)?;
    assert_eq!(error.to_string(), "no host key is pinned for db01 (fleet.toml:1)");
    ensure!(error.hint().is_some_and(|hint| hint.contains("fleet import") && hint.contains("console")));
    assert_eq!(silent.count(), 0);
    Ok(())
}

#[tokio::test]
async fn another_key_ends_it_before_authentication() -> Result<()> {
    let (sshd, other) = (Sshd::plain()?, Sshd::plain()?);
    let entry = Entry::for_sshd("db01", &sshd)?.text("host-key", other.host_key("ed25519")?);
    let fleet = fleet(&[entry], &[])?;
    let error = refused(reach(&fleet, "db01").await)?;
    ensure!(matches!(error, ConnectError::Mismatch { .. }), "{error}");
    ensure!(error.refusal().is_none());
    ensure!(error.hint().is_some_and(|hint| hint.contains("fleet.toml:1") && hint.contains("reinstalled")));
    no_login(&sshd)
}

/// Waits for the end of the connection in the server's log, then searches for any sign of authentication.
fn no_login(sshd: &Sshd) -> Result<()> {
    let ended = |log: &str| log.contains("Connection closed by") || log.contains("Connection reset by");
    for _ in 0..400 {
        if ended(&sshd.log()?) {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let log = sshd.log()?;
    ensure!(ended(&log), "the connection was never ended:\n{log}");
    // With LogLevel VERBOSE, sshd names the account and the key as soon as a client does.
    for sign in ["Accepted", "Failed publickey", "Postponed", "for root", "user "] {
        ensure!(!log.contains(sign), "`{sign}` in:\n{log}");
    }
    Ok(())
}

#[tokio::test]
async fn a_server_without_the_pinned_kind_is_named() -> Result<()> {
    let sshd = Sshd::start(&Options { host_keys: vec!["ecdsa"], ..Options::default() })?;
    let other = Sshd::plain()?;
    let entry = Entry::at("db01", sshd.address(), &sshd.user_key())?.text("host-key", other.host_key("ed25519")?);
    let error = refused(reach(&fleet(&[entry], &[])?, "db01").await)?;
    let message = error.to_string();
    ensure!(message.contains("pinned type ssh-ed25519") && message.contains("ecdsa-sha2-nistp256"), "{message}");
    Ok(())
}

#[tokio::test]
async fn nw16_old_algorithms_are_not_spoken() -> Result<()> {
    let cases = [
        ("KexAlgorithms diffie-hellman-group14-sha256", "key exchange"),
        ("Ciphers aes128-cbc", "cipher"),
        ("Ciphers aes128-ctr\nMACs hmac-sha2-256", "MAC"),
    ];
    for (line, kind) in cases {
        let sshd = Sshd::start(&Options { config: vec![line.into()], ..Options::default() })?;
        let error = refused(reach(&fleet(&[Entry::for_sshd("db01", &sshd)?], &[])?, "db01").await)?;
        ensure!(matches!(&error, ConnectError::NothingInCommon { kind: k, .. } if *k == kind), "{line}: {error}");
    }
    Ok(())
}

#[tokio::test]
async fn nw16_an_rsa_host_key_with_sha1_only_is_refused() -> Result<()> {
    let config = vec!["HostKeyAlgorithms ssh-rsa".into()];
    let sshd = Sshd::start(&Options { host_keys: vec!["rsa"], config, ..Options::default() })?;
    let entry = Entry::at("db01", sshd.address(), &sshd.user_key())?.text("host-key", sshd.host_key("rsa")?);
    let error = refused(reach(&fleet(&[entry], &[])?, "db01").await)?;
    ensure!(matches!(error, ConnectError::OtherAlgorithm { .. }), "{error}");
    Ok(())
}

#[tokio::test]
async fn a_key_that_may_not_log_in_is_named() -> Result<()> {
    let (sshd, other) = (Sshd::plain()?, Sshd::plain()?);
    let entry = Entry::for_sshd("db01", &sshd)?.text("identity", &other.user_key().display().to_string());
    let error = refused(reach(&fleet(&[entry], &[])?, "db01").await)?;
    ensure!(matches!(error, ConnectError::Denied { partial: false, .. }), "{error}");
    ensure!(error.to_string().contains("SHA256:"), "{error}");
    ensure!(error.hint().is_some_and(|hint| hint.contains("authorized_keys")));
    Ok(())
}

#[tokio::test]
async fn key_files_must_be_private_plain_keys() -> Result<()> {
    let silent = Silent::start()?;
    let dir = tempfile::tempdir()?;
    let pin = keygen("ed25519", &dir.path().join("pin"))?;
    let open = dir.path().join("open");
    keygen("ed25519", &open)?;
    std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o644))?;
    keygen_with("ed25519", &dir.path().join("locked"), "a passphrase")?;
    let scrap = dir.path().join("scrap");
    std::fs::write(&scrap, "no key")?;
    std::fs::set_permissions(&scrap, std::fs::Permissions::from_mode(0o600))?;
    let cases = [
        ("open", "other users can read the key file"),
        ("locked", "is encrypted"),
        ("scrap", "does not contain a private key"),
        ("missing", "cannot read the key file"),
    ];
    for (name, words) in cases {
        let entry = Entry::at("db01", silent.address(), &dir.path().join(name))?.text("host-key", &pin);
        let error = refused(reach(&fleet(&[entry], &[])?, "db01").await)?;
        ensure!(error.to_string().contains(words), "{name}: {error}");
    }
    assert_eq!(silent.count(), 0, "found before anything is sent");
    Ok(())
}

#[tokio::test]
async fn of_an_agents_keys_only_the_named_one_is_offered() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let (first, second) = (keygen("ed25519", &dir.path().join("first"))?, keygen("rsa", &dir.path().join("second"))?);
    let agent = Agent::start()?;
    agent.add(&dir.path().join("first"))?;
    agent.add(&dir.path().join("second"))?;
    // Both may log in: what is not offered shows only in the log.
    let sshd = Sshd::start(&Options { authorized: vec![first.clone(), second.clone()], ..Options::default() })?;
    let settings = Settings { agent: Some(agent.socket()), ..Settings::default() };
    let with = |key: &str| -> Result<Fleet> {
        fleet(&[Entry::for_sshd("db01", &sshd)?.without("identity").text("agent-key", key)], &[])
    };
    let session = reach_with(&with(&second)?, "db01", &settings).await?;
    ensure!(succeeded(&session.run(&load()).await?));
    let log = sshd.log()?;
    ensure!(log.contains("Accepted publickey") && log.contains("RSA SHA256:"), "{log}");
    ensure!(!log.contains("ED25519 SHA256:"), "the other key was offered:\n{log}");

    let absent = keygen("ed25519", &dir.path().join("absent"))?;
    let error = refused(reach_with(&with(&absent)?, "db01", &settings).await)?;
    ensure!(matches!(error, ConnectError::AgentLacks { .. }), "{error}");
    let error = refused(reach(&with(&first)?, "db01").await)?;
    ensure!(matches!(error, ConnectError::NoAgent), "{error}");
    assert_eq!(sshd.connections()?, 1);
    Ok(())
}

#[tokio::test]
async fn tg03_silence_refusal_and_nonsense_each_have_a_cause() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let key = dir.path().join("key");
    let pin = keygen("ed25519", &key)?;
    let settings = Settings { handshake: Duration::from_millis(300), ..Settings::default() };
    let (silent, half) = (Silent::start()?, Silent::greeting(b"SSH-2.0-x\r\n")?);
    let web = Silent::greeting(b"HTTP/1.1 400 Bad Request\r\n\r\n")?;
    let closed = closed_port()?;
    let error = |address| {
        let (key, pin, settings) = (key.clone(), pin.clone(), settings.clone());
        async move {
            let entry = Entry::at("db01", address, &key)?.text("host-key", &pin);
            refused(reach_with(&fleet(&[entry], &[])?, "db01", &settings).await)
        }
    };
    let refusal = error(silent.address()).await?;
    ensure!(matches!(refusal, ConnectError::Stalled { step: Step::Handshake, heard: false, .. }), "{refusal}");
    ensure!(
        refusal
            .to_string()
            .starts_with("the server accepted the connection, and sent nothing for 0.3 s (handshake; 127."),
        "{refusal}"
    );
    let refusal = error(half.address()).await?;
    ensure!(matches!(refusal, ConnectError::Stalled { step: Step::Handshake, heard: true, .. }), "{refusal}");
    let refusal = error(web.address()).await?;
    ensure!(refusal.to_string().contains("handshake"), "{refusal}");
    assert_eq!(error(closed).await?.to_string(), format!("connection refused ({closed})"));
    // No process or socket of ours is left after a failed connection.
    for _ in 0..400 {
        if silent.all_ended() && half.all_ended() {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    anyhow::bail!("a connection outlived its handshake")
}

#[tokio::test]
async fn a_lost_machine_fails_every_action_on_it() -> Result<()> {
    let sshd = Sshd::start(&Options { log_wire: true, ..Options::default() })?;
    let fifo = tempfile::tempdir()?;
    let path = fifo.path().join("fifo");
    ensure!(std::process::Command::new("mkfifo").arg(&path).status()?.success());
    let fleet = fleet(&[Entry::for_sshd("db01", &sshd)?], &[])?;
    let session = Arc::new(reach(&fleet, "db01").await?);
    let stuck = file(path.to_str().context("path")?)?;
    let mut running = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let (session, stuck) = (Arc::clone(&session), stuck.clone());
        running.spawn(async move { session.run(&stuck).await });
    }
    while sshd.wire()?.len() < 4 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    sshd.cut()?;
    while let Some(outcome) = running.join_next().await {
        ensure!(matches!(outcome?, Err(RunError::Lost)));
    }
    ensure!(matches!(session.run(&load()).await, Err(RunError::Lost)));
    Ok(())
}

#[tokio::test]
async fn never_hosts_see_no_connection() -> Result<()> {
    let silent = Silent::start()?;
    let sshd = Sshd::plain()?;
    let pin = sshd.host_key("ed25519")?;
    let at =
        |name: &str| Ok::<_, anyhow::Error>(Entry::at(name, silent.address(), &sshd.user_key())?.text("host-key", pin));
    let ip = format!("[{}]", text(&silent.address().ip().to_string()));
    let mapped = format!("[{}]", text(&format!("::ffff:{}", silent.address().ip())));
    let elsewhere = r#"["192.0.2.1"]"#;
    let cases = [
        ("by name", at("fw01")?, never("fw01", &[("addresses", elsewhere)])),
        ("by address", at("alias")?, never("fw01", &[("addresses", &ip)])),
        ("by address", at("alias")?, never("fw01", &[("addresses", &mapped)])),
        ("by host key", at("alias")?, never("fw01", &[("addresses", elsewhere), ("host-key", &text(pin))])),
    ];
    for (how, entry, never) in cases {
        let name = entry.name.clone();
        let error = refused(reach(&fleet(&[entry], &[never])?, &name).await)?;
        ensure!(error.refusal().is_some_and(|rule| rule.contains("fw01") && rule.contains(how)), "{how}: {error}");
    }
    assert_eq!(silent.count(), 0);
    Ok(())
}

#[tokio::test]
async fn nw03_a_name_is_resolved_once_and_every_address_is_checked() -> Result<()> {
    let sshd = Sshd::plain()?;
    let pin = sshd.host_key("ed25519")?;
    // A name of this machine's resolver, on either side.
    let local = Silent::start()?;
    let entry =
        Entry::at("alias", local.address(), &sshd.user_key())?.text("host-key", pin).text("address", "localhost");
    let by_name = never("fw01", &[("addresses", r#"["127.0.0.1", "::1"]"#)]);
    let error = refused(reach(&fleet(std::slice::from_ref(&entry), &[by_name])?, "alias").await)?;
    ensure!(error.refusal().is_some_and(|rule| rule.contains("by address")), "{error}");
    let entry = entry.text("address", "127.0.0.1");
    let by_name = never("fw01", &[("addresses", r#"["localhost"]"#)]);
    let error = refused(reach(&fleet(std::slice::from_ref(&entry), &[by_name])?, "alias").await)?;
    ensure!(error.refusal().is_some_and(|rule| rule.contains("by address")), "{error}");
    let by_name = never("fw01", &[("addresses", r#"["never.invalid"]"#)]);
    let error = refused(reach(&fleet(&[entry], &[by_name])?, "alias").await)?;
    ensure!(matches!(error, ConnectError::NeverUnknown { .. }), "{error}");
    assert_eq!(local.count(), 0);
    Ok(())
}

#[tokio::test]
async fn a_never_hosts_key_is_recognised_before_authentication() -> Result<()> {
    // The pin is another machine's, so nothing in our files gives the never-host away.
    let (sshd, other) = (Sshd::plain()?, Sshd::plain()?);
    let entry = Entry::for_sshd("alias", &sshd)?.text("host-key", other.host_key("ed25519")?);
    let never = never("fw01", &[("host-key", &text(sshd.host_key("ed25519")?))]);
    let error = refused(reach(&fleet(&[entry], &[never])?, "alias").await)?;
    ensure!(error.refusal().is_some_and(|rule| rule.contains("fw01, recognised by host key")), "{error}");
    no_login(&sshd)
}

#[tokio::test]
async fn a_never_hosts_other_key_is_recognised_before_anything_runs() -> Result<()> {
    let sshd = Sshd::start(&Options { host_keys: vec!["ed25519", "ecdsa"], log_wire: true, ..Options::default() })?;
    let entry = Entry::for_sshd("alias", &sshd)?.text("host-key", sshd.host_key("ecdsa")?);
    let never = never("fw01", &[("host-key", &text(sshd.host_key("ed25519")?))]);
    let fleet = fleet(&[entry], &[never])?;
    match reach(&fleet, "alias").await {
        Err(error) => ensure!(error.refusal().is_some(), "{error}"),
        Ok(session) => match session.run(&load()).await {
            Err(RunError::Forbidden { rule }) => ensure!(rule.contains("fw01"), "{rule}"),
            other => anyhow::bail!("{other:?}"),
        },
    }
    assert_eq!(sshd.wire()?.len(), 0);
    Ok(())
}

#[tokio::test]
async fn two_jumps_lead_to_the_third_machine() -> Result<()> {
    let wire = Options { log_wire: true, ..Options::default() };
    let (outer, inner, last) = (Sshd::plain()?, Sshd::plain()?, Sshd::start(&wire)?);
    let entries = [
        Entry::for_sshd("outer", &outer)?,
        Entry::for_sshd("inner", &inner)?.text("jump", "outer"),
        Entry::for_sshd("last", &last)?.text("jump", "inner"),
    ];
    let fleet = fleet(&entries, &[])?;
    let session = Arc::new(reach(&fleet, "last").await?);
    let mut running = tokio::task::JoinSet::new();
    for _ in 0..16 {
        let session = Arc::clone(&session);
        running.spawn(async move { session.run(&load()).await });
    }
    while let Some(answer) = running.join_next().await {
        ensure!(succeeded(&answer??));
    }
    assert_eq!((outer.connections()?, inner.connections()?, last.connections()?), (1, 1, 1));
    assert_eq!(last.wire()?.len(), 16);
    ensure!(last.log()?.contains(&format!("Connection from {}", "127.0.0.1")), "it comes from the jump host");
    Ok(())
}

#[tokio::test]
async fn a_jump_host_is_checked_like_any_target() -> Result<()> {
    let (outer, last, other) = (Sshd::plain()?, Sshd::plain()?, Sshd::plain()?);
    let through = |entry: Entry| Ok::<_, anyhow::Error>([entry, Entry::for_sshd("last", &last)?.text("jump", "outer")]);

    let by_address = never("fw01", &[("addresses", &format!("[{}]", text(&outer.address().ip().to_string())))]);
    let error = refused(reach(&fleet(&through(Entry::for_sshd("outer", &outer)?)?, &[by_address])?, "last").await)?;
    ensure!(error.refusal().is_some_and(|rule| rule.contains("through jump host outer")), "{error}");
    let last_never = never("fw01", &[("addresses", &format!("[{}]", text(&last.address().ip().to_string())))]);
    let error = refused(reach(&fleet(&through(Entry::for_sshd("outer", &outer)?)?, &[last_never])?, "last").await)?;
    ensure!(error.refusal().is_some_and(|rule| rule.contains("by address")), "{error}");
    let error =
        refused(reach(&fleet(&through(Entry::for_sshd("outer", &outer)?.without("host-key"))?, &[])?, "last").await)?;
    assert_eq!(error.to_string(), "jump host outer: no host key is pinned for outer (fleet.toml:1)");
    assert_eq!((outer.connections()?, last.connections()?), (0, 0));

    let wrong = Entry::for_sshd("outer", &outer)?.text("host-key", other.host_key("ed25519")?);
    let error = refused(reach(&fleet(&through(wrong)?, &[])?, "last").await)?;
    ensure!(error.to_string().starts_with("jump host outer: the host key does not match the pinned key"), "{error}");
    // A never-host behind a jump shows its key through it.
    let key = never("fw01", &[("host-key", &text(last.host_key("ed25519")?))]);
    let entries = [
        Entry::for_sshd("outer", &outer)?,
        Entry::for_sshd("last", &last)?.text("jump", "outer").text("host-key", other.host_key("ed25519")?),
    ];
    let error = refused(reach(&fleet(&entries, &[key])?, "last").await)?;
    ensure!(error.refusal().is_some_and(|rule| rule.contains("by host key")), "{error}");
    no_login(&last)
}

#[tokio::test]
async fn a_jump_host_that_forwards_nothing_says_so() -> Result<()> {
    let outer = Sshd::start(&Options { config: vec!["AllowTcpForwarding no".into()], ..Options::default() })?;
    let last = Sshd::plain()?;
    let entries = [Entry::for_sshd("outer", &outer)?, Entry::for_sshd("last", &last)?.text("jump", "outer")];
    let error = refused(reach(&fleet(&entries, &[])?, "last").await)?;
    assert_eq!(
        error.to_string(),
        format!("jump host outer cannot connect to {}: forwarding is not allowed", last.address())
    );
    assert_eq!(last.connections()?, 0);
    Ok(())
}
