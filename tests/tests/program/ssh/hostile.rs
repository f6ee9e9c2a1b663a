//! SSH against hostile servers. Every case must end within a guard of one minute.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bailiwick_core::model::{Action, Literal, Object, Verb};
use bailiwick_core::model::{Answer, Exit};
use bailiwick_core::verbs::{Tier, action, spec};
use bailiwick_tests::fleet::{Entry, fleet, target};
use bailiwick_tests::hostile::{Act, Hostile};
use bailiwick_transport::RunError;
use bailiwick_transport::ssh::{Session, Settings, connect};

fn load() -> Action {
    action(Verb::SystemLoad, None, Tier::Plain)
}

async fn ends<T>(work: impl Future<Output = T>) -> Result<T> {
    tokio::time::timeout(Duration::from_secs(60), work).await.context("it does not end")
}

async fn session(hostile: &Hostile) -> Result<Session> {
    let entry = Entry::at("evil", hostile.address(), &hostile.user_key())?.text("host-key", hostile.host_key());
    let fleet = fleet(&[entry], &[])?;
    Ok(ends(connect(&fleet, target(&fleet, "evil")?, &Settings::default())).await??)
}

async fn one(act: Act) -> Result<Result<Answer, RunError>> {
    let hostile = Hostile::start(act)?;
    let session = session(&hostile).await?;
    ends(session.run(&load())).await
}

#[tokio::test]
async fn tg01_floods_are_cut_at_the_verbs_limit() -> Result<()> {
    for act in [Act::FloodStdout, Act::FloodStderr] {
        let outcome = one(act).await?;
        ensure!(
            matches!(outcome, Err(RunError::TooLarge(limit)) if limit == spec(Verb::SystemLoad).bytes_max),
            "{act:?}: {outcome:?}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn tg02_a_flooded_channel_stops_no_other() -> Result<()> {
    let hostile = Hostile::start(Act::FloodFirst)?;
    let session = Arc::new(session(&hostile).await?);
    // The largest limit, so that the flood lasts.
    let unit = Literal::parse(Object::Unit, "a.service")?;
    let large = action(Verb::ServicesLogs, Some(unit), Tier::Plain);
    let flooded = {
        let session = Arc::clone(&session);
        tokio::spawn(async move { session.run(&large).await })
    };
    tokio::task::yield_now().await;
    let mut running = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let session = Arc::clone(&session);
        running.spawn(async move { session.run(&load()).await });
    }
    let mut fine = 0;
    while let Some(answer) = ends(running.join_next()).await? {
        fine += usize::from(answer??.stdout == b"ok\n");
    }
    ensure!(matches!(ends(flooded).await??, Err(RunError::TooLarge(_))));
    assert_eq!(fine, 20);
    Ok(())
}

#[tokio::test]
async fn a_flood_beside_the_channels_ends_the_connection() -> Result<()> {
    let outcome = one(Act::FloodBeside).await?;
    ensure!(matches!(outcome, Err(RunError::Lost)), "{outcome:?}");
    Ok(())
}

#[tokio::test]
async fn output_before_the_question_stalls_nothing() -> Result<()> {
    let hostile = Hostile::start(Act::TalkFirst)?;
    let session = Arc::new(session(&hostile).await?);
    let mut running = tokio::task::JoinSet::new();
    for _ in 0..40 {
        let session = Arc::clone(&session);
        running.spawn(async move { session.run(&load()).await });
    }
    while let Some(answer) = ends(running.join_next()).await? {
        assert_eq!(answer??.exit, Exit::Status(0));
    }
    Ok(())
}

#[tokio::test]
async fn tg07_channels_may_end_in_any_order() -> Result<()> {
    let cases = [
        (Act::NoExitStatus, "ok\n", Exit::Unreported),
        (Act::ExitFirst, "ok\n", Exit::Status(0)),
        (Act::TwoExits, "", Exit::Status(0)),
        (Act::NeverCloses, "ok\n", Exit::Status(0)),
    ];
    for (act, stdout, exit) in cases {
        let answer = one(act).await?.with_context(|| format!("{act:?}"))?;
        ensure!(answer.stdout == stdout.as_bytes() && answer.exit == exit, "{act:?}: {answer:?}");
    }
    Ok(())
}

#[tokio::test]
async fn kinds_of_missing_answers_are_distinguished() -> Result<()> {
    let outcome = one(Act::RefuseExec).await?;
    ensure!(matches!(outcome, Err(RunError::NotStarted)), "{outcome:?}");
    let outcome = one(Act::Vanish).await?;
    ensure!(matches!(outcome, Err(RunError::Lost)), "{outcome:?}");
    Ok(())
}

#[tokio::test]
async fn tg03_stalls_end_with_the_verbs_clock() -> Result<()> {
    for act in [Act::Stall, Act::NoChannel] {
        let outcome = one(act).await?;
        ensure!(matches!(outcome, Err(RunError::TimedOut(_))), "{act:?}: {outcome:?}");
    }
    Ok(())
}

#[tokio::test]
async fn nw17_channels_opened_at_us_are_refused() -> Result<()> {
    let hostile = Hostile::start(Act::OpenBack)?;
    let session = session(&hostile).await?;
    let answer = ends(session.run(&load())).await??;
    assert_eq!(answer.stdout, b"ok\n");
    let opened = hostile.opened();
    assert_eq!(opened.len(), 7, "{opened:?}");
    ensure!(opened.iter().all(|(_, accepted)| !accepted), "{opened:?}");
    Ok(())
}
