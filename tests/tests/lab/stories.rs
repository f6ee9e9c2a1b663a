//! The stories of the article, on real hosts: each fault is switched on, is found, is switched off and is not found any more.
//!
//! `tests/lab/scenarios` starts the lab, runs these, and stops the lab.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bailiwick_tests::lab::{Lab, eventually};

use crate::PROGRAM;

const SOON: Duration = Duration::from_secs(40);

#[test]
#[ignore = "needs the lab: tests/lab/scenarios"]
fn every_host_is_checked_and_the_firewall_is_not_touched() -> Result<()> {
    let lab = Lab::find(PROGRAM)?;
    let found = lab.check(&[], &[])?;
    for (target, standing) in found.standings() {
        ensure!(matches!(standing.as_str(), "healthy" | "findings"), "{target} is {standing}: {:#?}", found.document);
    }
    ensure!(found.standings().len() == 8, "{:?}", found.standings());
    ensure!(lab.touched_the_firewall()? == 0);
    Ok(())
}

#[test]
#[ignore = "needs the lab: tests/lab/scenarios"]
fn monitoring_that_monitors_nothing() -> Result<()> {
    let lab = Lab::find(PROGRAM)?;
    let rules = || lab.check(&["mon01"], &["prometheus-rules"])?.worst("mon01", "prometheus-rules");
    let finding = rules()?;
    ensure!(finding.severity == "critical" && finding.code == "loaded", "{finding:?}");
    let _repaired = lab.fault("mon01", "rules-present", None)?;
    eventually(SOON, || {
        let finding = rules()?;
        ensure!(finding.severity == "ok", "{finding:?}");
        Ok(())
    })
}

#[test]
#[ignore = "needs the lab: tests/lab/scenarios"]
fn an_exporter_that_never_connected() -> Result<()> {
    let lab = Lab::find(PROGRAM)?;
    let exporter = || lab.check(&["db01"], &["exporter-connected"])?.worst("db01", "exporter-connected");
    {
        let _fault = lab.fault("db01", "exporter-unconnected", None)?;
        eventually(SOON, || {
            let finding = exporter()?;
            ensure!(finding.severity == "critical" && finding.code == "connected", "{finding:?}");
            Ok(())
        })?;
    }
    Ok(())
}

#[test]
#[ignore = "needs the lab: tests/lab/scenarios"]
fn the_feed_fault_that_must_not_be_fixed() -> Result<()> {
    let lab = Lab::find(PROGRAM)?;
    let feeds = || lab.check(&["collect01"], &["feed-freshness"])?.worst("collect01", "feed-freshness");
    ensure!(feeds()?.severity == "ok", "{:?}", feeds()?);
    let _fault = lab.fault("source", "feeds-403", None)?;
    let finding = eventually(Duration::from_secs(90), || {
        let finding = feeds()?;
        ensure!(finding.severity == "critical", "{finding:?}");
        Ok(finding)
    })?;
    ensure!(finding.title.contains("a restart will not help"), "{finding:?}");
    ensure!(finding.title.contains("the operator must check the credentials"), "{finding:?}");
    Ok(())
}

/// The rate of the generator, and the reports of the probes after the time that the lab's policy sets:
/// that the disk fills, when it is full, and which database fills it.
#[test]
#[ignore = "needs the lab: tests/lab/scenarios"]
fn disk_growth_is_measured_dated_and_attributed_to_the_database() -> Result<()> {
    const RATE: f64 = 2_000_000.0;
    let lab = Lab::find(PROGRAM)?;
    let _fault = lab.fault("db01", "disk-growth", Some("2000000"))?;
    // The first second after it begins makes the table; then growth is even.
    std::thread::sleep(Duration::from_secs(5));
    let (disk, databases) = eventually(Duration::from_secs(150), || {
        std::thread::sleep(Duration::from_secs(7));
        let all = lab.check(&["db01"], &["database-growth", "disk-growth"])?.findings();
        let (databases, disks): (Vec<_>, Vec<_>) = all.into_iter().partition(|it| it.component == "database-growth");
        let disk =
            disks.into_iter().find(|finding| finding.subject == "/var/lib/postgresql").context("no such disk")?;
        ensure!(disk.severity != "unknown", "{disk:?}");
        Ok((disk, databases))
    })?;
    let per_second = disk.metric("growth-per-day")? / 86_400.0;
    ensure!((per_second / RATE - 1.0).abs() < 0.1, "{per_second} B/s, the generator writes {RATE}: {disk:?}");
    // Full counts from 95 %.
    let (used, percent) = (disk.metric("used-bytes")?, disk.metric("used-percent")?);
    let left = (used / percent * 95.0 - used) / RATE;
    let time_left = disk.metric("time-left")?;
    ensure!((time_left / left - 1.0).abs() < 0.1, "{time_left} s, {left} s are left: {disk:?}");

    let find = |code: &str, subject: &str| {
        let found = databases.iter().find(|finding| finding.code == code && finding.subject == subject);
        found.with_context(|| format!("{code} of {subject}: {databases:#?}"))
    };
    let attribution = find("attribution", "/var/lib/postgresql")?;
    ensure!(
        attribution.severity == "critical" && attribution.title.contains("; database market grows by "),
        "{attribution:?}"
    );
    ensure!((attribution.metric("share-percent")? - 100.0).abs() < 10.0, "{attribution:?}");
    ensure!((attribution.metric("time-left")? / left - 1.0).abs() < 0.1, "{left} s are left: {attribution:?}");
    let market = find("growth", "market")?;
    ensure!(
        (market.metric("growth-per-day")? / 86_400.0 / RATE - 1.0).abs() < 0.1,
        "the generator writes {RATE}: {market:?}"
    );
    for other in ["postgres", "reports"] {
        let other = find("growth", other)?;
        ensure!(other.metric("growth-per-day")?.abs() / 86_400.0 < RATE / 1000.0, "{other:?}");
    }
    Ok(())
}

#[test]
#[ignore = "needs the lab: tests/lab/scenarios"]
fn the_collision_is_seen_and_reported() -> Result<()> {
    let lab = Lab::find(PROGRAM)?;
    let locks = || lab.check(&["db01"], &["postgres-locks"])?.worst("db01", "postgres-locks");
    let before = locks()?;
    ensure!(before.severity == "ok", "{before:?}");
    let _fault = lab.fault("db01", "lock-held", None)?;
    eventually(SOON, || {
        let finding = locks()?;
        ensure!(finding.severity != "ok" && finding.code == "blocked", "{finding:?}");
        Ok(())
    })
}

/// `llm-gateway` is unwell from the start; a change is reported for the container that it happens to.
#[test]
#[ignore = "needs the lab: tests/lab/scenarios"]
fn a_container_that_stopped_and_one_that_is_unwell() -> Result<()> {
    let lab = Lab::find(PROGRAM)?;
    let worst = |component: &str, subject: &str| {
        let all = lab.check(&["agent01"], &[component])?.findings();
        let found = all.iter().find(|finding| finding.subject == subject).cloned();
        found.ok_or_else(|| anyhow::anyhow!("{subject}: {all:#?}"))
    };
    ensure!(worst("container-state", "order-book")?.severity == "ok", "it runs");
    {
        let _fault = lab.fault("agent01", "container-down", None)?;
        let finding = worst("container-state", "order-book")?;
        ensure!(finding.severity == "critical" && finding.code == "state", "{finding:?}");
    }
    ensure!(worst("container-health", "podman/quote-api")?.severity == "ok", "it is well");
    {
        let _fault = lab.fault("agent01", "container-unhealthy", None)?;
        let finding = worst("container-health", "podman/quote-api")?;
        ensure!(finding.severity == "critical" && finding.metric("failing-streak")? >= 1.0, "{finding:?}");
    }
    let relay = worst("container-restarts", "podman/alert-relay")?;
    ensure!(relay.severity != "ok" && relay.metric("restarts")? > 3.0, "{relay:?}");
    Ok(())
}

#[test]
#[ignore = "needs the lab: tests/lab/scenarios"]
fn updates_are_reported_while_the_package_lock_is_taken() -> Result<()> {
    let lab = Lab::find(PROGRAM)?;
    let updates = || lab.check(&["db01"], &["pending-updates"])?.worst("db01", "pending-updates");
    ensure!(updates()?.severity == "ok", "{:?}", updates()?);
    let _lock = lab.fault("db01", "dpkg-lock", None)?;
    let _fault = lab.fault("db01", "updates-pending", None)?;
    let finding = updates()?;
    ensure!(finding.severity == "warning" && finding.code == "security-updates", "{finding:?}");
    ensure!(finding.title.contains("openssl"), "{finding:?}");
    Ok(())
}

#[test]
#[ignore = "needs the lab: tests/lab/scenarios"]
fn one_down_one_slow_one_lying_and_the_others_complete() -> Result<()> {
    let lab = Lab::find(PROGRAM)?;
    let _down = lab.fault("nas01", "host-down", None)?;
    let _slow = lab.fault("collect01", "slow-host", Some("300"))?;
    let _lies = lab.fault("collect02", "corrupt-output", None)?;
    let found = lab.check(&[], &[])?;
    ensure!(found.code == 4, "exit {}", found.code);
    for (target, standing) in found.standings() {
        let expected: &[&str] = match target.as_str() {
            "nas01" => &["unseen"],
            "collect02" => &["in-part", "findings"],
            _ => &["healthy", "findings"],
        };
        ensure!(expected.contains(&standing.as_str()), "{target} is {standing}");
    }
    let unread = found.document["summary"]["runs"]["could_not_look"].as_u64();
    ensure!(
        unread.is_some_and(|unread| unread > 0),
        "no probe noticed the false answers: {:#?}",
        found.document["summary"]
    );
    ensure!(found.document["summary"]["runs"]["fault"] == 0, "{:#?}", found.document["summary"]);
    ensure!(lab.touched_the_firewall()? == 0);
    Ok(())
}
