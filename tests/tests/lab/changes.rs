//! Changes on real hosts: from the finding to the receipt, and back by the one command that the receipt names, typed by a person
//! without Bailiwick; the fix that must refuse; a rehearsal; the healthy day; the stolen change key.
//!
//! `tests/lab/scenarios` starts the lab, runs these, and stops the lab.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bailiwick_tests::lab::eventually;
use bailiwick_tests::lab_changes::{Applied, Gated, run_with_input};

use crate::PROGRAM;

const SOON: Duration = Duration::from_secs(40);

const RULES: &str = "/etc/prometheus/base-rules.yml";
/// All that the fix of Prometheus touches.
const OF_PROMETHEUS: [&str; 2] = ["/etc/prometheus/prometheus.yml", RULES];

fn as_it_is(policy: String) -> String {
    policy
}

/// Content, owner, mode and time of files, or that a file does not exist.
fn bytes(gated: &Gated, host: &str, files: &[&str]) -> Result<String> {
    let mut all = String::new();
    for file in files {
        let script = format!("sha256sum {file} && stat --format='%a %U %G %s %Y' {file} || echo none");
        all += &gated.lab.enter(host, &["sh", "-c", &script])?;
    }
    Ok(all)
}

/// Rolls back by the command of the receipt, in a shell on the target.
fn rolled_back_by_hand(gated: &Gated, host: &str, applied: &Applied) -> Result<()> {
    let words: Vec<_> = applied.rollback_at_target.split(' ').collect();
    let output = gated.lab.enter(host, &words)?;
    ensure!(output.contains("is rolled back"), "{output}");
    Ok(())
}

#[test]
#[ignore = "needs the lab: tests/lab/scenarios"]
fn a_prometheus_without_rules_gets_some_alerts_and_is_as_before_after_one_command() -> Result<()> {
    let gated = Gated::on(PROGRAM, &["mon01"], as_it_is)?;
    ensure!(gated.worst("mon01", "prometheus-rules")?.0 == "critical");
    let before = bytes(&gated, "mon01", &OF_PROMETHEUS)?;

    // The line in prometheus.yml is computed: a plan shows it, and only an approver can allow it.
    let (plan, shown) = gated.plan("prometheus-base-rules", "mon01")?;
    ensure!(
        shown.contains("+  - \"/etc/prometheus/base-rules.yml\"") && shown.contains("alert: InstanceDown"),
        "{shown}"
    );
    let unsigned = gated.run(&["apply", &plan])?;
    ensure!(unsigned.code == 3, "{}", unsigned.text);
    ensure!(bytes(&gated, "mon01", &OF_PROMETHEUS)? == before);

    let applied = gated.mend("prometheus-base-rules", "mon01")?;
    ensure!(gated.worst("mon01", "prometheus-rules")?.0 == "ok", "{:#}", applied.receipt);
    {
        let _fault = gated.lab.fault("collect02", "target-down", None)?;
        eventually(Duration::from_secs(150), || {
            let alerts = gated.lab.enter("mon01", &["curl", "-s", "http://127.0.0.1:9090/api/v1/alerts"])?;
            ensure!(
                alerts.contains("InstanceDown") && alerts.contains("firing") && alerts.contains("collect02"),
                "{alerts}"
            );
            Ok(())
        })?;
    }

    rolled_back_by_hand(&gated, "mon01", &applied)?;
    let after = bytes(&gated, "mon01", &OF_PROMETHEUS)?;
    ensure!(after == before, "before:\n{before}after:\n{after}");
    eventually(SOON, || {
        let rules = gated.lab.enter("mon01", &["curl", "-s", "http://127.0.0.1:9090/api/v1/rules"])?;
        ensure!(rules.contains("\"groups\":[]"), "{rules}");
        Ok(())
    })
}

#[test]
#[ignore = "needs the lab: tests/lab/scenarios"]
fn an_exporter_that_never_connected_connects_and_is_as_before_after_one_command() -> Result<()> {
    const FILES: [&str; 2] = ["/etc/postgresql/15/main/pg_hba.conf", "/etc/default/prometheus-postgres-exporter"];
    let gated = Gated::on(PROGRAM, &["db01"], as_it_is)?;
    let roles = || {
        let ask = "setpriv --reuid=postgres --regid=postgres --init-groups psql -XAtc \
                   \"select rolname, rolsuper, rolcanlogin from pg_roles where rolname = 'prometheus'\"";
        gated.lab.enter("db01", &["sh", "-c", ask])
    };
    let started = || {
        gated
            .lab
            .enter("db01", &["systemctl", "show", "--property=ActiveEnterTimestampMonotonic", "postgresql@15-main"])
    };
    ensure!(gated.worst("db01", "exporter-connected")?.0 == "critical");
    let (before, since, role) = (bytes(&gated, "db01", &FILES)?, started()?, roles()?);
    ensure!(role.is_empty(), "{role}");

    let applied = gated.mend("postgres-exporter-role", "db01")?;
    let (severity, title) = gated.worst("db01", "exporter-connected")?;
    ensure!(severity == "ok" && title.contains("pg_up is 1"), "{severity}: {title}");
    ensure!(roles()?.trim() == "prometheus|f|t", "{}", roles()?);
    ensure!(started()? == since, "PostgreSQL was restarted");

    rolled_back_by_hand(&gated, "db01", &applied)?;
    let after = bytes(&gated, "db01", &FILES)?;
    ensure!(after == before, "before:\n{before}after:\n{after}");
    ensure!(roles()?.is_empty() && started()? == since, "{}", roles()?);
    eventually(SOON, || {
        ensure!(gated.worst("db01", "exporter-connected")?.0 == "critical");
        Ok(())
    })
}

/// FX: what promtool does not accept never reaches Prometheus, and its message is in the receipt.
#[test]
#[ignore = "needs the lab: tests/lab/scenarios"]
fn rules_that_promtool_does_not_accept_are_rolled_back_in_its_words() -> Result<()> {
    let broken = "component = \"prometheus-base-rules\"\ncontent.base-rules = \"groups:\\n- name: bailiwick-base\\n  rules:\\n  - alert: X\\n    expr: up ===\\n\"\n";
    let gated =
        Gated::on(PROGRAM, &["mon01"], |policy| policy.replace("component = \"prometheus-base-rules\"\n", broken))?;
    let before = bytes(&gated, "mon01", &OF_PROMETHEUS)?;
    let reloaded = || {
        gated.lab.enter(
            "mon01",
            &["sh", "-c", "curl -s http://127.0.0.1:9090/api/v1/status/runtimeinfo | grep -o 'lastConfigTime[^,]*'"],
        )
    };
    let config = reloaded()?;
    let (plan, _) = gated.plan("prometheus-base-rules", "mon01")?;
    let done = gated.apply(&plan)?;
    ensure!(done.code == 5, "{}", done.text);
    ensure!(done.text.contains("base-rules.yml") && done.text.contains("FAILED"), "{}", done.text);
    ensure!(bytes(&gated, "mon01", &OF_PROMETHEUS)? == before, "{}", done.text);
    ensure!(reloaded()? == config, "Prometheus was made to read what promtool refuses");
    Ok(())
}

#[test]
#[ignore = "needs the lab: tests/lab/scenarios"]
fn the_feeds_that_are_turned_away_are_left_alone_with_reason_and_owner() -> Result<()> {
    let gated = Gated::on(PROGRAM, &["collect01"], as_it_is)?;
    let healthy = gated.run(&["plan", "feeds-blocked", "--target", "collect01"])?;
    ensure!(healthy.code == 0 && healthy.text.contains("nothing to do"), "{}", healthy.text);
    let _fault = gated.lab.fault("source", "feeds-403", None)?;
    let refusal = eventually(Duration::from_secs(120), || {
        let refusal = gated.run(&["plan", "feeds-blocked", "--target", "collect01"])?;
        ensure!(refusal.code == 3, "{}", refusal.text);
        Ok(refusal.text)
    })?;
    ensure!(refusal.contains("server-side rejection: a restart will not help"), "{refusal}");
    ensure!(refusal.contains("operator (API credentials)"), "{refusal}");
    // An outcome, in the journal.
    let journal = std::fs::read_to_string(gated.state().join("journal/journal.jsonl"))?;
    let entry = journal.lines().rev().find(|line| line.contains("not-planned")).context("no entry")?;
    ensure!(entry.contains("a restart will not help") && entry.contains("API credentials"), "{entry}");
    Ok(())
}

#[test]
#[ignore = "needs the lab: tests/lab/scenarios"]
fn each_of_the_smaller_fixes_mends_its_fault_and_is_rolled_back() -> Result<()> {
    let gated = Gated::on(PROGRAM, &["collect01", "collect02", "collect03", "collect04"], as_it_is)?;
    for (fault, fix, target, probe, files) in [
        ("log-unrotated", "log-rotation", "collect04", "file-contains", ["/etc/logrotate.d/collector"]),
        (
            "crashed-service",
            "crashed-service",
            "collect02",
            "failed-services",
            ["/etc/systemd/system/quote-cache.service"],
        ),
        ("file-left-over", "stale-file", "collect03", "leftover-file", ["/var/lib/collector/import.tmp"]),
        ("collector-stuck", "feeds-blocked", "collect01", "feed-freshness", ["/etc/systemd/system/collector.service"]),
    ] {
        let _fault = gated.lab.fault(target, fault, None)?;
        let applied = eventually(Duration::from_secs(120), || {
            ensure!(gated.worst(target, probe)?.0 != "ok", "{fault} is not seen by {probe}");
            let before = bytes(&gated, target, &files)?;
            Ok((gated.mend(fix, target).with_context(|| format!("{fault}: {fix} on {target}"))?, before))
        });
        let (applied, before) = applied?;
        ensure!(gated.worst(target, probe)?.0 == "ok", "{fault}: {probe} is not content");
        let rollback = gated.run(&["rollback", &applied.change])?;
        ensure!(rollback.code == 0, "{fault}: {}", rollback.text);
        ensure!(bytes(&gated, target, &files)? == before, "{fault}: {}", rollback.text);
    }
    Ok(())
}

#[test]
#[ignore = "needs the lab: tests/lab/scenarios"]
fn unattended_apply_needs_a_rehearsal() -> Result<()> {
    let unattended = |policy: String| {
        policy.replace("bind.role = \"exporter-role\"\n", "bind.role = \"exporter-role\"\nunattended = true\n")
    };
    let gated = Gated::on(PROGRAM, &["db01", "stage01"], unattended)?;
    let (plan, _) = gated.plan("postgres-exporter-role", "db01")?;
    let early = gated.run(&["apply", &plan])?;
    ensure!(early.code == 3 && early.text.contains("rehears"), "{}", early.text);

    let files = ["/etc/postgresql/15/main/pg_hba.conf", "/etc/default/prometheus-postgres-exporter"];
    let before = bytes(&gated, "stage01", &files)?;
    let rehearsed = gated.run(&["rehearse", "postgres-exporter-role", "--staging", "stage01"])?;
    ensure!(rehearsed.code == 0 && rehearsed.text.contains("passed: applied, rolled back"), "{}", rehearsed.text);
    ensure!(bytes(&gated, "stage01", &files)? != before, "the last of a rehearsal is the change");

    let now = gated.run(&["apply", &plan])?;
    ensure!(now.code == 0, "{}", now.text);
    ensure!(gated.worst("db01", "exporter-connected")?.0 == "ok");
    // The lab's faults start from Debian's files.
    let change = now.text.split_ascii_whitespace().find(|word| word.starts_with("c-")).context("its id")?;
    let rollback = gated.run(&["rollback", change])?;
    ensure!(rollback.code == 0, "{}", rollback.text);
    Ok(())
}

/// CH-PH-AG: an attacker with the change key, without Bailiwick.
#[test]
#[ignore = "needs the lab: tests/lab/scenarios"]
fn a_stolen_change_key_can_request_listed_actions_and_nothing_else() -> Result<()> {
    let gated = Gated::on(PROGRAM, &["mon01"], as_it_is)?;
    let at = "bw-change@10.77.0.12";
    let mut refused = 0;
    for words in [
        vec!["reboot"],
        vec!["sh"],
        vec!["/bin/sh", "-c", "id"],
        vec!["bailiwick-gate/1", "look"],
        vec!["bailiwick-gate/1", "change;", "id"],
        vec!["sudo", "/usr/local/libexec/bailiwick-gate", "change-root"],
        vec!["scp", "-t", "/tmp"],
        vec![],
    ] {
        let mut command = gated.with_change_key("ssh", "mon01");
        command.arg("-T").arg(at).args(&words);
        let output = run_with_input(command, "")?;
        ensure!(output.code != 0 && !output.text.contains("uid="), "{words:?}: {}", output.text);
        refused += 1;
    }
    for (tool, args) in [
        ("ssh", vec!["-tt", at]),
        ("ssh", vec!["-s", at, "sftp"]),
        ("ssh", vec!["-N", "-o", "ExitOnForwardFailure=yes", "-R", "127.0.0.1:7999:127.0.0.1:22", at]),
        ("ssh", vec!["-W", "127.0.0.1:9090", at]),
        ("ssh", vec!["-A", "-T", at, "ssh-add", "-l"]),
        ("ssh", vec!["-o", "SendEnv=LD_PRELOAD", "-o", "SetEnv=ENV=/tmp/x", "-T", at, "env"]),
    ] {
        let mut command = gated.with_change_key(tool, "mon01");
        command.args(&args);
        let output = run_with_input(command, "GET / HTTP/1.0\r\n\r\n")?;
        ensure!(
            output.code != 0 && !output.text.contains("HTTP/1") && !output.text.contains("PATH="),
            "{args:?}: {}",
            output.text
        );
    }
    // A second command channel, a shell from the read key, either.
    let mut read_key = gated.with_read_key("ssh", "mon01");
    read_key.args(["-T", "bw-check@10.77.0.12", "id"]);
    ensure!(!run_with_input(read_key, "")?.text.contains("uid="));
    // Nothing that is not listed, over the one command that is accepted.
    let mut unlisted = gated.with_change_key("ssh", "mon01");
    unlisted.args(["-T", at, "bailiwick-gate/1 change"]);
    let digest = "0".repeat(64);
    let asked = format!(
        "begin c-stolen {digest} 60\ndo c-stolen 1 services-change.restart:ssh.service unit:active:enabled unit:active:enabled\nclose c-stolen\ngo\n"
    );
    let output = run_with_input(unlisted, &asked)?;
    ensure!(output.text.contains("answer 2 unknown"), "{}", output.text);

    let log = gated.lab.enter("mon01", &["journalctl", "--output=cat", "--identifier=bailiwick-gate"])?;
    let counted = log.lines().filter(|line| line.contains("role=change") && line.contains("outcome=refused")).count();
    ensure!(counted >= refused, "{refused} were refused, and the target logs {counted}:\n{log}");
    ensure!(log.contains("reboot") && log.contains("from=10.77.0.2"), "{log}");
    Ok(())
}

/// A change of mon01 that has written a file and is not continued.
fn left_open(gated: &Gated, seconds: u32) -> Result<String> {
    let list = gated.run(&["gate", "show", "mon01"])?;
    let action =
        list.text.split('\'').find(|word| word.starts_with("files-change.write:")).context("the action")?.to_owned();
    let mut read_key = gated.with_read_key("ssh", "mon01");
    read_key.args(["-T", "bw-check@10.77.0.12", "bailiwick-gate/1 look"]);
    let preview = run_with_input(read_key, &format!("preview {action}\ngo\n"))?;
    let states = preview.text.lines().nth(1).context("two states")?.to_owned();
    let mut change = gated.with_change_key("ssh", "mon01");
    change.args(["-T", "bw-change@10.77.0.12", "bailiwick-gate/1 change"]);
    let id = format!("c-{seconds}-{}", std::process::id());
    let done =
        run_with_input(change, &format!("begin {id} {} {seconds}\ndo {id} 1 {action} {states}\ngo\n", "0".repeat(64)))?;
    ensure!(done.text.contains("answer 1 0 ") && done.text.contains("answer 2 0 "), "{states}: {}", done.text);
    ensure!(bytes(gated, "mon01", &[RULES])?.contains("base-rules.yml"), "it was not written");
    Ok(id)
}

fn is_taken_back(gated: &Gated, id: &str, why: &str) -> Result<()> {
    eventually(SOON, || {
        ensure!(bytes(gated, "mon01", &[RULES])?.trim() == "none", "it is still there");
        Ok(())
    })?;
    let log = gated.lab.enter("mon01", &["journalctl", "--output=cat", "--identifier=bailiwick-gate"])?;
    ensure!(log.contains(&format!("rollback {id}")) && log.contains(why), "{log}");
    Ok(())
}

/// CH09: the change is not confirmed, and systemd rolls it back.
#[test]
#[ignore = "needs the lab: tests/lab/scenarios"]
fn an_unconfirmed_change_is_rolled_back_by_the_target() -> Result<()> {
    let gated = Gated::on(PROGRAM, &["mon01"], as_it_is)?;
    let id = left_open(&gated, 5)?;
    is_taken_back(&gated, &id, "not confirmed in time")
}

/// An open change after a boot: its timer is gone, and systemd starts the enabled unit.
#[test]
#[ignore = "needs the lab: tests/lab/scenarios"]
fn a_change_that_a_boot_interrupts_is_rolled_back_by_the_target() -> Result<()> {
    let gated = Gated::on(PROGRAM, &["mon01"], as_it_is)?;
    let id = left_open(&gated, 300)?;
    let wanted =
        gated.lab.enter("mon01", &["systemctl", "show", "--property=Wants", "--value", "multi-user.target"])?;
    ensure!(wanted.split_whitespace().any(|unit| unit == "bailiwick-gate.service"), "{wanted}");
    gated.lab.enter("mon01", &["systemctl", "stop", &format!("bailiwick-gate-{id}.timer")])?;
    gated.lab.enter("mon01", &["systemctl", "start", "bailiwick-gate.service"])?;
    is_taken_back(&gated, &id, "this machine went down")
}

#[test]
#[ignore = "needs the lab: tests/lab/scenarios"]
fn the_healthy_day_is_reported_with_its_evidence() -> Result<()> {
    let gated = Gated::on(
        PROGRAM,
        &["mon01", "db01", "collect01", "collect02", "collect03", "collect04", "stage01"],
        as_it_is,
    )?;
    let _log = gated.lab.fault("collect04", "log-unrotated", None)?;
    let applied = gated.mend("log-rotation", "collect04")?;
    let output = gated.run(&["rounds"])?;
    // The lab always has findings (containers, exporter). The changed objects are ok, and nothing was changed today.
    ensure!(output.code <= 1 || output.code == 4, "{}", output.text);
    ensure!(output.text.contains(&applied.change), "{}", output.text);
    let journal = std::fs::read_to_string(gated.state().join("journal/journal.jsonl"))?;
    let entry = journal.lines().rev().find(|line| line.contains("\"round\"")).context("no entry of the round")?;
    ensure!(entry.contains(&applied.change) && !entry.contains("\"holds\":false,\"said\""), "{entry}");
    let rollback = gated.run(&["rollback", &applied.change])?;
    ensure!(rollback.code == 0, "{}", rollback.text);
    Ok(())
}

/// CH04: a person's edit of an object stays, before a change and after it.
#[test]
#[ignore = "needs the lab: tests/lab/scenarios"]
fn a_person_edits_and_both_ways_are_stopped_with_the_difference() -> Result<()> {
    const RULE: &str = "/etc/logrotate.d/collector";
    let gated = Gated::on(PROGRAM, &["collect04"], as_it_is)?;
    let _fault = gated.lab.fault("collect04", "log-unrotated", None)?;
    let write = |line: &str| gated.lab.enter("collect04", &["sh", "-c", &format!("printf '%s\\n' '{line}' >>{RULE}")]);
    let (plan, _) = gated.plan("log-rotation", "collect04")?;

    write("# typed by a person")?;
    let mine = bytes(&gated, "collect04", &[RULE])?;
    let stopped = gated.apply_as(&plan, "table")?;
    let shown = stopped.text.contains("E-CONFLICT") && stopped.text.contains("-# typed by a person");
    ensure!(stopped.code == 3 && shown, "{}", stopped.text);
    ensure!(bytes(&gated, "collect04", &[RULE])? == mine, "{}", stopped.text);

    gated.lab.enter("collect04", &["rm", RULE])?;
    let applied = gated.mend("log-rotation", "collect04")?;
    write("# typed by a person, later")?;
    let mine = bytes(&gated, "collect04", &[RULE])?;
    let stopped = gated.run(&["rollback", &applied.change])?;
    ensure!(stopped.code == 3 && stopped.text.contains("-# typed by a person, later"), "{}", stopped.text);
    ensure!(bytes(&gated, "collect04", &[RULE])? == mine, "{}", stopped.text);
    // For a person it is the same: there is no --force.
    let words: Vec<_> = applied.rollback_at_target.split(' ').collect();
    ensure!(gated.lab.enter("collect04", &words).is_err());
    ensure!(bytes(&gated, "collect04", &[RULE])? == mine);
    gated.lab.enter("collect04", &["sed", "-i", "/typed by a person/d", RULE])?;
    let still = gated.run(&["rollback", &applied.change])?;
    // sed has replaced the file by a new one, with the same bytes, owner and mode.
    ensure!(still.code == 0, "{}", still.text);
    Ok(())
}

/// CH11: two controllers, each with a signed plan, at the same moment.
#[test]
#[ignore = "needs the lab: tests/lab/scenarios"]
fn two_controllers_at_once_make_one_change() -> Result<()> {
    let _fault = Gated::on(PROGRAM, &[], as_it_is)?.lab.fault("collect04", "log-unrotated", None)?;
    let both = [Gated::on(PROGRAM, &["collect04"], as_it_is)?, Gated::on(PROGRAM, &["collect04"], as_it_is)?];
    let plans = [both[0].plan("log-rotation", "collect04")?.0, both[1].plan("log-rotation", "collect04")?.0];
    let codes: Vec<i32> = std::thread::scope(|scope| {
        let applying: Vec<_> = both
            .iter()
            .zip(&plans)
            .map(|(gated, plan)| scope.spawn(|| gated.apply(plan).map(|completed| completed.code)))
            .collect();
        applying.into_iter().map(|one| one.join().unwrap().unwrap_or(-1)).collect()
    });
    let applied = codes.iter().filter(|code| **code == 0).count();
    ensure!(applied == 1 && !codes.contains(&6), "{codes:?}");
    Ok(())
}

/// CH06, CH09: the controller is killed in the middle. The target rolls it back by itself, and `recover` reports the true state.
#[test]
#[ignore = "needs the lab: tests/lab/scenarios"]
fn a_controller_that_is_killed_leaves_the_target_as_it_was() -> Result<()> {
    let hurried = |policy: String| {
        policy
            .replace("dead-man-seconds = 300", "dead-man-seconds = 60")
            .replace("verify-seconds = 60", "verify-seconds = 30")
    };
    let gated = Gated::on(PROGRAM, &["mon01"], hurried)?;
    let before = bytes(&gated, "mon01", &OF_PROMETHEUS)?;
    let (plan, _) = gated.plan("prometheus-base-rules", "mon01")?;
    gated.apply_and_signal(&plan, "KILL", || two_steps_done(&gated))?;
    let half = bytes(&gated, "mon01", &OF_PROMETHEUS)?;
    ensure!(half != before, "nothing was done before it was killed");
    eventually(Duration::from_secs(120), || {
        let now = bytes(&gated, "mon01", &OF_PROMETHEUS)?;
        ensure!(now == before, "before:\n{before}now:\n{now}");
        Ok(())
    })?;
    let recovered = eventually(SOON, || {
        let output = gated.run(&["recover"])?;
        ensure!(output.text.contains("rolled back"), "{}", output.text);
        Ok(output.text)
    })?;
    let changes = gated.run(&["changes"])?;
    ensure!(changes.text.contains("rolled back"), "{recovered}\n{}", changes.text);
    Ok(())
}

/// An operator presses Ctrl-C after two steps: they are undone before the program ends.
#[test]
#[ignore = "needs the lab: tests/lab/scenarios"]
fn a_controller_that_is_interrupted_rolls_its_change_back() -> Result<()> {
    let gated = Gated::on(PROGRAM, &["mon01"], as_it_is)?;
    let before = bytes(&gated, "mon01", &OF_PROMETHEUS)?;
    let (plan, _) = gated.plan("prometheus-base-rules", "mon01")?;
    let (code, text) = gated.apply_and_signal(&plan, "INT", || two_steps_done(&gated))?;
    ensure!(code == Some(5) && text.contains("it was interrupted"), "{code:?}: {text}");
    ensure!(bytes(&gated, "mon01", &OF_PROMETHEUS)? == before, "{text}");
    ensure!(gated.run(&["recover"])?.code == 0);
    Ok(())
}

fn two_steps_done(gated: &Gated) -> bool {
    let journal = std::fs::read_to_string(gated.state().join("journal/journal.jsonl")).unwrap_or_default();
    journal.lines().filter(|line| line.contains("\"step-outcome\"")).count() >= 2
}

/// The file that every user with root there can create: no change begins, and reading continues.
#[test]
#[ignore = "needs the lab: tests/lab/scenarios"]
fn the_kill_switch_of_the_target_ends_changes_there() -> Result<()> {
    let gated = Gated::on(PROGRAM, &["collect03"], as_it_is)?;
    let _fault = gated.lab.fault("collect03", "file-left-over", None)?;
    let (plan, _) = gated.plan("stale-file", "collect03")?;
    gated.lab.enter("collect03", &["touch", "/etc/bailiwick/disabled"])?;
    let denied = gated.apply(&plan);
    gated.lab.enter("collect03", &["rm", "/etc/bailiwick/disabled"])?;
    let denied = denied?;
    ensure!(denied.code == 3, "{}", denied.text);
    ensure!(bytes(&gated, "collect03", &["/var/lib/collector/import.tmp"])?.contains("import.tmp"), "{}", denied.text);
    ensure!(gated.worst("collect03", "leftover-file")?.0 == "warning");
    Ok(())
}
