//! A sweep of the lab is evidence: replayed by a person who reaches none of its hosts, to the same reports; anchored on nas01,
//! in an account that has SFTP and nothing else.

use std::fs;

use anyhow::{Context, Result, ensure};
use bailiwick_journal::{Blob, Entry, Outcome, Reader};
use bailiwick_tests::lab::Lab;
use bailiwick_tests::ops::bailiwick;
use serde_json::Value;

use crate::PROGRAM;

/// Runs the program outside the lab's network.
fn replay(lab: &Lab) -> Result<(Option<i32>, Value)> {
    let state = lab.state();
    let output = bailiwick(PROGRAM).args(["replay", "--last", "--format", "json", "--state"]).arg(state).output()?;
    Ok((output.status.code(), serde_json::from_slice(&output.stdout)?))
}

#[test]
#[ignore = "needs the lab: tests/lab/scenarios"]
fn a_sweep_of_the_lab_is_replayed_without_it_and_its_head_is_on_nas01() -> Result<()> {
    let name = format!("heads-{}", std::process::id());
    let anchor = format!(
        "\n[[anchor]]\ntarget = \"nas01\"\nuser = \"bw-store\"\nidentity = \"keys/bw-store\"\nfile = \"/journal/{name}\"\n\
         why = \"for a test\"\n"
    );
    let lab = Lab::with_policy(PROGRAM, &anchor)?;
    let found = lab.check(&[], &[])?;
    let targets = found.document["targets"].as_array().context("targets")?;
    let runs: Vec<&Value> = targets.iter().filter_map(|target| target["result"]["runs"].as_array()).flatten().collect();
    ensure!(runs.len() > 50, "{} runs", runs.len());

    let (code, replayed) = replay(&lab)?;
    let identical = replayed["runs"].as_array().into_iter().flatten().filter(|run| {
        let id = run["run"].to_string();
        let then = runs.iter().find(|then| then["id"] == id.as_str());
        then.is_some_and(|then| then["report_sha256"] == run["result"]["report"])
    });
    ensure!(code == Some(0) && identical.count() == runs.len(), "{:#}", replayed["summary"]);

    // One answer altered.
    let journal = lab.state().join("journal");
    let kept = Reader::open(&journal)?.filter_map(Result::ok).find_map(|record| match record.entry {
        Entry::Outcome { outcome: Outcome::Answer { stdout: Blob::Evidence { sha256, .. }, .. }, .. } => Some(sha256),
        _ => None,
    });
    let sha = kept.context("an answer of more than 1 KiB")?;
    let piece = journal.join(format!("evidence/{}/{sha}.zst", &sha.as_str()[..2]));
    let whole = fs::read(&piece)?;
    fs::write(&piece, &whole[..whole.len() / 2])?;
    let (code, replayed) = replay(&lab)?;
    let text = replayed.to_string();
    ensure!(code == Some(7) && text.contains(&format!("evidence {sha} is cut")), "{:#}", replayed["summary"]);
    fs::write(&piece, whole)?;

    let there = lab.enter("nas01", &["cat", &format!("/srv/store/journal/{name}")])?;
    ensure!(there.lines().count() == 1 && there.starts_with("bailiwick.head/1 "), "{there}");
    // Lines are wrapped.
    let unwrapped =
        |stdout| Ok::<_, anyhow::Error>(String::from_utf8(stdout)?.split_whitespace().collect::<Vec<_>>().join(" "));
    let verified = lab.run(&["journal", "verify"])?;
    let text = unwrapped(verified.stdout)?;
    ensure!(
        verified.status.success() && text.contains(&format!("anchor nas01:/journal/{name} confirms entries ")),
        "{text}"
    );
    lab.enter("nas01", &["rm", &format!("/srv/store/journal/{name}")])?;
    let verified = lab.run(&["journal", "verify"])?;
    let text = unwrapped(verified.stdout)?;
    ensure!(verified.status.code() == Some(4) && text.contains("the file does not exist"), "{text}");
    Ok(())
}
