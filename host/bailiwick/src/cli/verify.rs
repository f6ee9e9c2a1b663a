//! `bailiwick journal verify`: checks the chain, the evidence and the anchors.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use crate::report::exit::ExitCode as Exit;
use bailiwick_core::encode;
use bailiwick_core::model::Tainted;
use bailiwick_engine::anchor;
use bailiwick_engine::anchor::AnchorCheck;
use bailiwick_journal::{Break, verify};
use bailiwick_policy::ops::Ops;
use bailiwick_transport::ssh;

use super::{Context, fail};

/// The lines of each anchor, by name, or why it could not be read.
#[derive(Default)]
struct Anchors {
    checks: BTreeMap<String, AnchorCheck>,
    unread: BTreeMap<String, String>,
}

pub(super) fn run(context: &Context, folder: &Path, offline: bool) -> anyhow::Result<Exit> {
    // The anchors are read before the journal: a running sweep adds to both, and to the journal first.
    let (lines, unread) = if offline { Default::default() } else { fetch(context)? };
    let verdict = verify(folder)?;
    let anchors = Anchors { checks: anchor::compare(folder, &lines)?, unread };
    let mut text = String::new();
    for problem in &verdict.breaks {
        writeln!(text, "{}: {problem}", if problem.is_serious() { "BROKEN" } else { "note" })?;
    }
    let (seq, hash) = (verdict.proven.seq, &verdict.proven.hash);
    writeln!(text, "entries 1 to {seq}: hash chain intact; the hash of entry {seq} is {hash}")?;
    let (evidence, pruned) = (verdict.evidence, verdict.pruned);
    if evidence + pruned > 0 {
        writeln!(text, "{} unchanged; {pruned} pruned", encode::counted(evidence, "evidence file"))?;
    }
    write_anchors(&mut text, &anchors)?;
    let covers = anchors.checks.values().map(|check| check.covers).max().unwrap_or(0).min(seq);
    let faults = anchors.checks.values().any(|check| !check.faults.is_empty());
    let serious = verdict.breaks.iter().any(Break::is_serious) || faults;
    if covers == 0 && !serious {
        writeln!(
            text,
            "no copy elsewhere: a user who can write the journal can rewrite all of it. Add an [[anchor]] to policy.toml, or keep the \
             hash above on another machine"
        )?;
    } else if covers == 0 {
        writeln!(text, "no anchor covers any entry")?;
    } else if covers < seq {
        writeln!(text, "no anchor covers entries {} to {seq}", covers + 1)?;
    } else {
        writeln!(text, "every entry is covered by an anchor")?;
    }
    context.out.page(&text)?;
    Ok(match (serious, anchors.unread.is_empty()) {
        (true, _) => Exit::Usage,
        (false, false) => Exit::NotChecked,
        (false, true) => Exit::Fine,
    })
}

fn write_anchors(text: &mut String, anchors: &Anchors) -> std::fmt::Result {
    let line = |sentence: &str| encode::terminal(&Tainted::new(sentence), 400);
    for (name, check) in &anchors.checks {
        for fault in &check.faults {
            writeln!(text, "BROKEN: anchor {name}: {fault}")?;
        }
        if check.malformed > 0 {
            writeln!(
                text,
                "note: anchor {name}: {} without a complete head",
                encode::counted(check.malformed, "line")
            )?;
        }
        match (check.covers, check.matching) {
            (0, _) => writeln!(text, "anchor {name} confirms no entry")?,
            (covers, fitting) => {
                writeln!(
                    text,
                    "anchor {name} confirms entries 1 to {covers} ({} match)",
                    encode::counted(fitting, "head")
                )?;
            }
        }
    }
    for (name, why) in &anchors.unread {
        writeln!(text, "NOT COMPARED: anchor {name}: {}", line(why))?;
    }
    Ok(())
}

type Fetched = (BTreeMap<String, Vec<u8>>, BTreeMap<String, String>);

/// Reads every anchor that policy names, concurrently.
fn fetch(context: &Context) -> anyhow::Result<Fetched> {
    let ops = match Ops::load(context.dir.as_deref(), context.environment.home.as_deref()) {
        Ok(ops) => std::sync::Arc::new(ops),
        // The journal is still verified if policy has a mistake.
        Err(error) => {
            fail::report(&error.into(), &context.out);
            let why = "the ops directory cannot be read, so the anchors are unknown; --offline reads none";
            return Ok((BTreeMap::new(), [("of policy".to_owned(), why.to_owned())].into()));
        }
    };
    let settings = ssh::Settings { agent: context.environment.agent.clone(), ..ssh::Settings::default() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut tasks = tokio::task::JoinSet::new();
        for anchor in ops.policy.anchors.clone() {
            let (ops, settings) = (std::sync::Arc::clone(&ops), settings.clone());
            tasks.spawn(async move {
                let read = anchor::fetch(&ops, &anchor.to, &settings).await;
                (anchor.to.to_string(), read.map_err(|error| error.on_one_line(&ops)))
            });
        }
        let mut fetched = Fetched::default();
        while let Some(done) = tasks.join_next().await {
            match done? {
                (name, Ok(lines)) => drop(fetched.0.insert(name, lines)),
                (name, Err(why)) => drop(fetched.1.insert(name, why)),
            }
        }
        Ok(fetched)
    })
}
