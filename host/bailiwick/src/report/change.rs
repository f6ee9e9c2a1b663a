//! Plans and changes for people: what is approved, what happened, and what to do next.
//!
//! **Invariant:** text of components and targets is behind a bar, on separate lines. All other text is the host's (TX07).

use std::fmt::Write;

use jiff::Timestamp;
use jiff::civil::Date;

use super::quote::quoted;
use bailiwick_change::ledger::Ledger;
use bailiwick_change::receipt::rollback_at_target;
use bailiwick_change::state::{ChangeState, ChangeStatus};
use bailiwick_change::{ApplyOutcome, Plan, Proof, Recovered, Step};
use bailiwick_core::encode;
use bailiwick_core::model::{Change, ComponentId, Inverse, Tainted, TargetName};
use bailiwick_journal::{End, NotPlanned, ProofResult};

/// Maximum number of lines of a step's difference.
const LINES_MAX: usize = 400;
/// Maximum width of a line of it.
const COLUMNS: usize = 160;

/// A whole plan, as a person approves it.
#[must_use]
pub fn plan(plan: &Plan, digest: &str) -> String {
    let mut text = String::new();
    // Writing to a String does not fail.
    let _ = write_plan(&mut text, plan, digest);
    text
}

fn write_plan(text: &mut String, plan: &Plan, digest: &str) -> std::fmt::Result {
    let contract = &plan.contract;
    writeln!(text, "plan {digest}")?;
    writeln!(text, "  {} {} on {}, made {}", plan.fix, plan.version, plan.target, time(plan.made))?;
    writeln!(text, "\n  observed, in the words of the fix")?;
    text.push_str(&tainted(&contract.context, 8, "    "));
    for (name, words) in
        [("intent", &contract.intent), ("rationale", &contract.rationale), ("if rolled back", &contract.if_reverted)]
    {
        writeln!(text, "  {name}")?;
        text.push_str(&quoted(words, "    "));
    }
    writeln!(text, "  constraints")?;
    for constraint in &contract.constraints {
        text.push_str(&quoted(constraint, "    "));
    }
    for raised in &plan.raised {
        writeln!(text, "  answers  {} {}", raised.probe, encode::terminal(&Tainted::new(&raised.code), 60))?;
    }
    for (number, step) in (1..).zip(&plan.steps) {
        writeln!(text, "\n{number}. {}", description(&step.change))?;
        writeln!(text, "   action   {}", step.action)?;
        writeln!(text, "   from     {}\n   to       {}", step.before, step.after)?;
        writeln!(text, "   undo     {}", undo(step))?;
        if let Some(sha) = &step.computed {
            writeln!(text, "   NOT REVIEWED: writes bytes that the fix has computed, sha256:{sha}")?;
        }
        text.push_str(&tainted(&step.shown, LINES_MAX, "   "));
    }
    writeln!(text, "\nThe change is rolled back unless all of this is proved:")?;
    for proof in &plan.proof {
        writeln!(text, "  - {}", requirement(*proof))?;
    }
    Ok(())
}

fn tainted(text: &Tainted, lines_max: usize, indent: &str) -> String {
    let (lines, more) = encode::block(text, lines_max, COLUMNS);
    let mut out: String = lines.iter().map(|line| format!("{indent}| {line}\n")).collect();
    if more > 0 {
        out.push_str(&format!("{indent}({more} more lines; --json has them)\n"));
    }
    out
}

fn description(change: &Change) -> String {
    match change {
        Change::Write { path, text } => format!("writes {} ({} bytes, declared)", path.as_str(), text.len()),
        Change::WriteComputed { path, .. } => format!("writes {} with bytes that the fix has computed", path.as_str()),
        Change::EnsureLine { path, .. } => format!("adds a line to {}", path.as_str()),
        Change::RemoveLine { path, .. } => format!("removes a line from {}", path.as_str()),
        Change::SetAside { path } => format!("sets {} aside", path.as_str()),
        Change::Unit { unit, act } => format!("{} {}", act.word(), unit.as_str()),
        Change::RestartContainer { container } => format!("restarts the container {}", container.as_str()),
        Change::Command { name, does, .. } => format!("runs the operator's command {name}: {}", does.join(" ")),
    }
}

fn undo(step: &Step) -> &'static str {
    match step.inverse {
        Inverse::Restore => "restores the former file byte for byte, with its owner and mode",
        Inverse::Revert => "restores the former state of the unit",
        Inverse::Undo => "runs the undo that the operator has configured",
        Inverse::Again => "repeats this step after all other steps are undone",
    }
}

const fn requirement(proof: Proof) -> &'static str {
    match proof {
        Proof::BeforeAfter => "each object has the state that the plan expects",
        Proof::LiveStatus => "it works: the fix's own verify passes, and the probe no longer reports the finding",
        Proof::RollbackArtefact => "the former state is kept on the target",
        Proof::Unharmed => "no probe of a changed object reports worse than before",
    }
}

/// Why the fix made no plan.
#[must_use]
pub fn not_planned(fix: &ComponentId, target: &TargetName, why: &NotPlanned) -> String {
    match why {
        NotPlanned::Nothing { why } => format!("{fix} on {target}: nothing to do\n{}", tainted(why, 8, "  ")),
        NotPlanned::Refused { reason, owner } => format!(
            "{fix} on {target} refuses to fix this:\n{}responsible, in the words of the fix:\n{}",
            tainted(reason, 8, "  "),
            tainted(owner, 2, "  ")
        ),
        NotPlanned::Rejected { why } => {
            let lines: String = why.iter().map(|why| format!("  {}\n", encode::lines(why))).collect();
            format!("{fix} on {target}: the plan is rejected\n{lines}")
        }
        NotPlanned::Failed { why } => format!("{fix} on {target}: planning failed: {}\n", encode::lines(why)),
    }
}

/// The outcome of a plan, or of a rollback.
#[must_use]
pub fn outcome(outcome: &ApplyOutcome, plan: &Plan) -> String {
    let mut text = String::new();
    let _ = write_outcome(&mut text, outcome, plan);
    text
}

fn write_outcome(text: &mut String, outcome: &ApplyOutcome, plan: &Plan) -> std::fmt::Result {
    match outcome {
        ApplyOutcome::Denied { code, why, shown } => {
            writeln!(text, "denied ({}): {why}", code.code())?;
            if let Some(shown) = shown {
                writeln!(text, "\n  the difference, from the target")?;
                text.push_str(&tainted(shown, LINES_MAX, "  "));
            }
            Ok(())
        }
        ApplyOutcome::NoOp => {
            writeln!(text, "nothing to do: every object on {} is already as the plan wants it", plan.target)
        }
        ApplyOutcome::Ended { change, end, why, proofs, .. } => {
            let word = match end {
                End::Applied => "applied and verified",
                End::RolledBack => "rolled back: every object has its former state",
                End::NotBegun => "not begun: nothing was done",
                End::Stuck => "STUCK: a person must check the target",
            };
            writeln!(text, "{change} on {}: {word}", plan.target)?;
            if let Some(why) = why {
                writeln!(text, "  because  {why}")?;
            }
            write_proofs(text, proofs)?;
            match end {
                End::Applied => {
                    writeln!(text, "\nTo roll it back at any time:\n  bailiwick rollback {change}")?;
                    writeln!(
                        text,
                        "or on {} as root, without bailiwick:\n  {}",
                        plan.target,
                        rollback_at_target(change)
                    )
                }
                End::Stuck => {
                    writeln!(text, "\nChanges on {} are blocked. Check the target, and repair it:", plan.target)?;
                    writeln!(text, "  on {}, as root:     {}", plan.target, rollback_at_target(change))?;
                    writeln!(text, "  then at a terminal: bailiwick unblock {}", plan.target)
                }
                End::RolledBack | End::NotBegun => Ok(()),
            }
        }
        ApplyOutcome::Open { change, why } => {
            writeln!(text, "{change} on {}: OPEN\n  because  {why}", plan.target)?;
            writeln!(text, "\nThe target rolls it back by itself when its time is over. To find out its state then:")?;
            writeln!(text, "  bailiwick recover\nTo roll it back now:\n  bailiwick rollback {change}")?;
            writeln!(text, "or on {} as root, without bailiwick:\n  {}", plan.target, rollback_at_target(change))
        }
    }
}

fn write_proofs(text: &mut String, proofs: &[ProofResult]) -> std::fmt::Result {
    for proof in proofs {
        let word = if proof.holds { "holds" } else { "FAILS" };
        writeln!(text, "  {word}    {}", encode::lines(&proof.what))?;
        text.push_str(&tainted(&proof.detail, 4, "           "));
    }
    Ok(())
}

/// What recovery has found out about a change.
#[must_use]
pub fn recovered(recovered: &Recovered) -> String {
    let mut text = String::new();
    let word = match recovered.end {
        None => "OPEN",
        Some(End::Applied) => "applied",
        Some(End::RolledBack) => "rolled back",
        Some(End::NotBegun) => "not begun",
        Some(End::Stuck) => "STUCK",
    };
    let _ = writeln!(text, "{}: {word}: {}", recovered.change, recovered.why);
    let _ = write_proofs(&mut text, &recovered.proofs);
    text
}

/// The result of a day's rounds.
#[must_use]
pub fn round(day: Date, verified: &[ProofResult], holds: bool, entry: u64) -> String {
    let mut text = String::new();
    let _ = write_proofs(&mut text, verified);
    let word =
        if holds { "no changes were made; everything is healthy" } else { "no changes were made; there are findings" };
    let _ = writeln!(text, "{day}: {word} (entry {entry} of the journal)");
    text
}

/// Every change, the latest last.
#[must_use]
pub fn changes(ledger: &Ledger, last: usize) -> String {
    let mut rows: Vec<_> =
        ledger.changes.values().filter_map(|state| Some((ledger.begun.get(&state.id)?, state))).collect();
    rows.sort_by(|a, b| a.0.cmp(b.0).then_with(|| a.1.id.cmp(&b.1.id)));
    let mut text = String::new();
    for (begun, state) in rows.iter().skip(rows.len().saturating_sub(last)) {
        let fix = state.fix.as_ref().map_or("-", |fix| fix.as_str());
        let day = state.day.map_or("rehearsal", |_| "");
        let _ = writeln!(text, "{}  {}  {:<11}  {}  {fix}  {day}", state.id, time(**begun), word(state), state.target);
        if let Some(why) = state.why.as_ref().filter(|_| state.status != ChangeStatus::Applied) {
            let _ = writeln!(text, "    {}", encode::lines(why));
        }
    }
    if text.is_empty() {
        text.push_str("there are no changes\n");
    }
    text.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

fn word(state: &ChangeState) -> &'static str {
    state.status.word()
}

fn time(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M UTC").to_string()
}
