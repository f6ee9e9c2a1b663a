//! Pages through connections that a target is made to open: on this machine, through real OpenSSH, and through a hostile SSH
//! server. The servers behind them do what real servers do not. The readers test what an answer means; here,
//! each connection ends within its verb's limits, and the kinds of failures are distinguished.

use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bailiwick_core::model::{Action, Literal, Object, Verb};
use bailiwick_core::model::{Answer, Exit};
use bailiwick_core::verbs::{Tier, action, spec};
use bailiwick_tests::fleet::{Entry, fleet, target};
use bailiwick_tests::hostile::{Act, Hostile};
use bailiwick_tests::listeners::closed_port;
use bailiwick_tests::pages::{Page, Pages};
use bailiwick_tests::sshd::{Options, Sshd, keygen};
use bailiwick_transport::ssh::{Session, Settings, connect};
use bailiwick_transport::{RunError, local};

const HEAD: &[u8] = b"HTTP/1.0 200 OK\r\n\r\n";

fn page(address: SocketAddr) -> Result<Action> {
    let literal = Literal::parse(Object::Url, &format!("http://{address}/api/v1/rules?type=alert&a=%20"))?;
    Ok(action(Verb::HttpGet, Some(literal), Tier::Plain))
}

async fn session(sshd: &Sshd) -> Result<Session> {
    let fleet = fleet(&[Entry::for_sshd("mon01", sshd)?], &[])?;
    Ok(connect(&fleet, target(&fleet, "mon01")?, &Settings::default()).await?)
}

/// Ends within one minute, or fails.
async fn ends<T>(work: impl Future<Output = T>) -> Result<T> {
    tokio::time::timeout(Duration::from_secs(60), work).await.context("it does not end")
}

/// The same request here and through a server: both results must be the same.
async fn both(address: SocketAddr) -> Result<Result<Answer, RunError>> {
    let sshd = Sshd::plain()?;
    let session = session(&sshd).await?;
    let action = page(address)?;
    let (here, there) = tokio::join!(ends(local::run(&action)), ends(session.run(&action)));
    let (here, there) = (here?, there?);
    ensure!(format!("{here:?}") == format!("{there:?}"), "here: {here:?}, through SSH: {there:?}");
    session.close().await;
    Ok(there)
}

#[tokio::test]
async fn nw04_nw05_a_page_comes_whole_and_the_request_is_the_wire_text() -> Result<()> {
    let pages = Pages::saying("text/plain", "hello")?;
    let answer = both(pages.address()).await??;
    ensure!(answer.exit == Exit::Status(0) && answer.stdout.ends_with(b"\r\n\r\nhello"), "{answer:?}");
    let wire = page(pages.address())?.wire.text();
    for request in pages.heard() {
        assert_eq!(format!("connect {} < {request:?}", pages.address()), wire);
    }
    assert_eq!(pages.heard().len(), 2);
    Ok(())
}

#[tokio::test]
async fn tg01_floods_and_large_answers_are_cut_at_the_verbs_limit() -> Result<()> {
    for act in [Page::Flood, Page::Large(HEAD.to_vec(), 100 << 20)] {
        let outcome = both(Pages::start(act.clone())?.address()).await?;
        let limit = spec(Verb::HttpGet).bytes_max;
        ensure!(matches!(outcome, Err(RunError::TooLarge(cut)) if cut == limit), "{outcome:?}");
    }
    // As much as there may be.
    let room = usize::try_from(spec(Verb::HttpGet).bytes_max)? - HEAD.len();
    let answer = both(Pages::start(Page::Large(HEAD.to_vec(), room))?.address()).await??;
    assert_eq!(answer.stdout.len(), HEAD.len() + room);
    let outcome = both(Pages::start(Page::Large(HEAD.to_vec(), room + 1))?.address()).await?;
    ensure!(matches!(outcome, Err(RunError::TooLarge(_))), "{outcome:?}");
    Ok(())
}

#[tokio::test]
async fn tg03_servers_that_stall_or_never_close_end_with_the_verbs_clock() -> Result<()> {
    let whole = b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok".to_vec();
    let pause = Duration::from_millis(400);
    let stalls = [Page::Stall(Vec::new()), Page::Stall(whole.clone()), Page::Drip(whole, pause)];
    let mut running = tokio::task::JoinSet::new();
    for act in stalls {
        let pages = Pages::start(act)?;
        running.spawn(async move { (both(pages.address()).await, pages) });
    }
    while let Some(done) = running.join_next().await {
        let (outcome, _pages) = done?;
        let outcome = outcome?;
        ensure!(matches!(outcome, Err(RunError::TimedOut(_))), "{outcome:?}");
    }
    Ok(())
}

#[tokio::test]
async fn tg07_however_it_ends_what_came_is_the_answer() -> Result<()> {
    let binary: Vec<u8> = HEAD.iter().copied().chain((0..=255).cycle().take(3000)).collect();
    let acts = [
        (Page::HalfClose(binary.clone()), binary.clone()),
        (Page::Bytes(binary.clone()), binary),
        (Page::Close, Vec::new()),
        (Page::Bytes([b"HTTP/1.1 200 OK\r\nA: ".as_slice(), &[b'x'; 300_000]].concat()), Vec::new()),
    ];
    for (act, expected) in acts {
        let answer = both(Pages::start(act)?.address()).await??;
        ensure!(answer.exit == Exit::Status(0));
        ensure!(expected.is_empty() || answer.stdout == expected, "{} bytes", answer.stdout.len());
    }
    Ok(())
}

#[tokio::test]
async fn a_closed_port_is_an_answer_of_the_target() -> Result<()> {
    let answer = both(closed_port()?).await??;
    ensure!(answer.exit == Exit::Status(1) && answer.stdout.is_empty(), "{answer:?}");
    assert_eq!(answer.stderr, b"connection refused\n");
    Ok(())
}

/// A server with this line of `authorized_keys` for a key of its own, and a session with that key.
async fn restricted(options: &str, config: &[&str]) -> Result<(Sshd, Session)> {
    let keys = tempfile::tempdir()?;
    let key = keys.path().join("key");
    let line = format!("{options} {}", keygen("ed25519", &key)?);
    let config = config.iter().map(|line| (*line).to_owned()).collect();
    let sshd = Sshd::start(&Options { authorized: vec![line], config, ..Options::default() })?;
    let entry = Entry::for_sshd("mon01", &sshd)?.text("identity", &key.display().to_string());
    let fleet = fleet(&[entry], &[])?;
    let session = connect(&fleet, target(&fleet, "mon01")?, &Settings::default()).await?;
    Ok((sshd, session))
}

#[tokio::test]
async fn nw09_the_line_of_authorized_keys_opens_that_page_and_no_other() -> Result<()> {
    let (open, other) = (Pages::saying("text/plain", "hello")?, Pages::saying("text/plain", "hello")?);
    let line = format!("restrict,port-forwarding,permitopen=\"{}\"", open.address());
    let (_sshd, session) = restricted(&line, &[]).await?;
    ensure!(session.run(&page(open.address())?).await?.exit == Exit::Status(0));
    let outcome = session.run(&page(other.address())?).await;
    ensure!(matches!(outcome, Err(RunError::NotStarted)), "{outcome:?}");
    // The session goes on, for programs as well.
    ensure!(session.run(&action(Verb::SystemLoad, None, Tier::Plain)).await?.exit == Exit::Status(0));
    ensure!(session.run(&page(open.address())?).await?.exit == Exit::Status(0));
    ensure!(other.heard().is_empty());
    Ok(())
}

#[tokio::test]
async fn a_server_that_forwards_nothing_says_not_permitted() -> Result<()> {
    let pages = Pages::saying("text/plain", "hello")?;
    for (line, config) in [("restrict", &[][..]), ("", &["AllowTcpForwarding no"]), ("", &["DisableForwarding yes"])] {
        let (_sshd, session) = restricted(line, config).await?;
        let outcome = session.run(&page(pages.address())?).await;
        ensure!(matches!(outcome, Err(RunError::NotStarted)), "{line} {config:?}: {outcome:?}");
    }
    ensure!(pages.heard().is_empty());
    Ok(())
}

#[tokio::test]
async fn many_pages_share_one_connection_and_leave_no_channel_behind() -> Result<()> {
    let pages = Pages::saying("text/plain", "hello")?;
    let sshd = Sshd::start(&Options { log_wire: true, ..Options::default() })?;
    let session = session(&sshd).await?;
    for _ in 0..60 {
        ensure!(session.run(&page(pages.address())?).await?.exit == Exit::Status(0));
        ensure!(session.run(&action(Verb::SystemLoad, None, Tier::Plain)).await?.exit == Exit::Status(0));
    }
    session.close().await;
    assert_eq!((pages.heard().len(), sshd.connections()?, sshd.connects()?.len()), (60, 1, 60));
    // The highest number that a channel ever had: they were closed as they were done with.
    let log = sshd.log()?;
    let opened = log.lines().filter(|line| line.contains("direct-tcpip") && line.contains(": new "));
    let numbers = opened.filter_map(|line| line.split_once("channel "));
    let highest = numbers.filter_map(|(_, rest)| rest.split(':').next()?.parse::<u32>().ok()).max();
    ensure!(highest.is_some_and(|highest| highest < 16), "{highest:?}");
    Ok(())
}

#[tokio::test]
async fn a_server_that_means_harm_gains_nothing_by_it() -> Result<()> {
    let address: SocketAddr = "127.0.0.1:9090".parse()?;
    let mut running = tokio::task::JoinSet::new();
    let acts = [
        Act::FloodStdout,
        Act::FloodStderr,
        Act::NoExitStatus,
        Act::ExitFirst,
        Act::TwoExits,
        Act::NeverCloses,
        Act::Stall,
        Act::NoChannel,
        Act::RefuseExec,
        Act::Vanish,
    ];
    for act in acts {
        let hostile = Hostile::start(act)?;
        running.spawn(async move {
            let entry = Entry::at("evil", hostile.address(), &hostile.user_key())?.text("host-key", hostile.host_key());
            let fleet = fleet(&[entry], &[])?;
            let session = ends(connect(&fleet, target(&fleet, "evil")?, &Settings::default())).await??;
            let action = page(address)?;
            let outcome = ends(session.run(&action)).await?;
            let fits = match act {
                Act::FloodStdout | Act::FloodStderr => matches!(outcome, Err(RunError::TooLarge(_))),
                // An end of file is the end, and a status that no program gave counts for nothing.
                Act::NoExitStatus | Act::TwoExits | Act::NeverCloses | Act::ExitFirst => {
                    matches!(outcome, Ok(ref answer) if answer.exit == Exit::Status(0))
                }
                Act::Stall | Act::NoChannel => matches!(outcome, Err(RunError::TimedOut(_))),
                Act::RefuseExec => matches!(outcome, Err(RunError::NotStarted)),
                _ => matches!(outcome, Err(RunError::Lost)),
            };
            ensure!(fits, "{act:?}: {outcome:?}");
            let heard = hostile.heard();
            let asked = "connect 127.0.0.1:9090".to_owned();
            ensure!(heard == [action.wire.text()] || heard == [asked], "{act:?}: {heard:?}");
            Ok(())
        });
    }
    while let Some(done) = running.join_next().await {
        done??;
    }
    Ok(())
}
