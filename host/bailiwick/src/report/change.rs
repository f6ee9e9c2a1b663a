//! Plans, changes and what came of them, for people: what a yes is about, and what has to be done next.
//!
//! **Invariant:** words of components and targets stand behind a bar, on lines of their own; everything else is ours (TX07).

use std::fmt::Write;

use jiff::Timestamp;
use jiff::civil::Date;

use super::quote::quoted;
use bailiwick_change::ledger::Ledger;
use bailiwick_change::state::{ChangeState, ChangeStatus};
use bailiwick_change::{ApplyOutcome, Found, Plan, Proof, Step};
use bailiwick_core::encode;
use bailiwick_core::model::{Change, ComponentId, Inverse, Tainted, TargetName};
use bailiwick_journal::{End, NotPlanned, ProofResult};

/// Most lines of a step's difference.
const LINES_MAX: usize = 400;
/// Columns of a line of it.
const COLUMNS: usize = 160;

/// A plan, whole: what a person says yes to.
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
    writeln!(text, "\n  what it saw, in the fix's own words")?;
    text.push_str(&tainted(&contract.context, 8, "    "));
    for (name, words) in [
        ("intent", &contract.intent),
        ("why this way", &contract.rationale),
        ("if it is taken back", &contract.if_reverted),
    ] {
        writeln!(text, "  {name}")?;
        text.push_str(&quoted(words, "    "));
    }
    writeln!(text, "  what shaped it")?;
    for constraint in &contract.constraints {
        text.push_str(&quoted(constraint, "    "));
    }
    for raised in &plan.raised {
        writeln!(text, "  answers  {} says {}", raised.probe, encode::terminal(&Tainted::new(&raised.code), 60))?;
    }
    for (number, step) in (1..).zip(&plan.steps) {
        writeln!(text, "\n{number}. {}", done(&step.change))?;
        writeln!(text, "   action   {}", step.action)?;
        writeln!(text, "   from     {}\n   to       {}", step.before, step.after)?;
        writeln!(text, "   undone   {}", undone(step))?;
        if let Some(sha) = &step.computed {
            writeln!(text, "   BYTES THAT THE FIX MADE, which nobody has reviewed: sha256:{sha}")?;
        }
        text.push_str(&tainted(&step.shown, LINES_MAX, "   "));
    }
    let proofs: Vec<_> = plan.proof.iter().map(|proof| shows(*proof)).collect();
    writeln!(text, "\nIt counts as done only when it has shown {}.", proofs.join("; "))
}

fn tainted(text: &Tainted, lines_max: usize, indent: &str) -> String {
    let (lines, more) = encode::block(text, lines_max, COLUMNS);
    let mut out: String = lines.iter().map(|line| format!("{indent}| {line}\n")).collect();
    if more > 0 {
        out.push_str(&format!("{indent}({more} more lines; --json has them)\n"));
    }
    out
}

fn done(change: &Change) -> String {
    match change {
        Change::Write { path, text } => format!("writes {} ({} bytes, declared)", path.as_str(), text.len()),
        Change::WriteComputed { path, .. } => format!("writes {} with bytes that the fix made", path.as_str()),
        Change::EnsureLine { path, .. } => format!("adds a line to {}", path.as_str()),
        Change::RemoveLine { path, .. } => format!("takes a line out of {}", path.as_str()),
        Change::SetAside { path } => format!("sets {} aside", path.as_str()),
        Change::Unit { unit, act } => format!("{} {}", act.word(), unit.as_str()),
        Change::RestartContainer { container } => format!("restarts the container {}", container.as_str()),
        Change::Command { name, does, .. } => format!("runs the operator's command {name}: {}", does.join(" ")),
    }
}

fn undone(step: &Step) -> &'static str {
    match step.inverse {
        Inverse::Restore => "by putting back what was there, byte for byte, with owner and mode",
        Inverse::Revert => "by making the unit what it was",
        Inverse::Undo => "by the operator's undo",
        Inverse::Again => "by doing it once more, after everything else is back",
    }
}

const fn shows(proof: Proof) -> &'static str {
    match proof {
        Proof::BeforeAfter => "each object's state before and after",
        Proof::LiveStatus => "that it works: the fix's own verify, and the probe that raised the finding",
        Proof::RollbackArtefact => "what was there, kept on the target",
        Proof::Unharmed => "that no probe of anything it touches says worse than before",
    }
}

/// Why there is no plan.
#[must_use]
pub fn not_planned(fix: &ComponentId, target: &TargetName, why: &NotPlanned) -> String {
    match why {
        NotPlanned::Nothing { why } => format!("{fix} on {target}: nothing to do\n{}", tainted(why, 8, "  ")),
        NotPlanned::Refused { reason, owner } => format!(
            "{fix} on {target} refuses to fix this; in its own words\n{}whose fix it is\n{}",
            tainted(reason, 8, "  "),
            tainted(owner, 2, "  ")
        ),
        NotPlanned::Rejected { why } => {
            let lines: String = why.iter().map(|why| format!("  {}\n", encode::lines(why))).collect();
            format!("{fix} on {target}: what it wants is not done here\n{lines}")
        }
        NotPlanned::Failed { why } => format!("{fix} on {target}: no plan: {}\n", encode::lines(why)),
    }
}

/// What came of a plan, or of a rollback.
#[must_use]
pub fn came(came: &ApplyOutcome, plan: &Plan) -> String {
    let mut text = String::new();
    let _ = write_came(&mut text, came, plan);
    text
}

fn write_came(text: &mut String, came: &ApplyOutcome, plan: &Plan) -> std::fmt::Result {
    match came {
        ApplyOutcome::Denied { code, why, shown } => {
            writeln!(text, "not done ({}): {why}", code.code())?;
            if let Some(shown) = shown {
                writeln!(text, "\n  the difference, as the target shows it")?;
                text.push_str(&tainted(shown, LINES_MAX, "  "));
            }
            Ok(())
        }
        ApplyOutcome::NoOp => {
            writeln!(text, "nothing to do: everything on {} is already as the plan says", plan.target)
        }
        ApplyOutcome::Ended { change, end, why, proofs } => {
            let word = match end {
                End::Applied => "applied, and proved",
                End::RolledBack => "rolled back: everything is what it was",
                End::NotBegun => "not begun: nothing was done",
                End::Stuck => "STUCK: a person has to look",
            };
            writeln!(text, "{change} on {}: {word}", plan.target)?;
            if let Some(why) = why {
                writeln!(text, "  because  {why}")?;
            }
            write_proofs(text, proofs)?;
            match end {
                End::Applied => {
                    writeln!(text, "\nTo take it back, at any time:\n  bailiwick rollback {change}")?;
                    writeln!(
                        text,
                        "or on {}, without bailiwick, as root:\n  {}",
                        plan.target,
                        at_target(change.as_str())
                    )
                }
                End::Stuck => {
                    writeln!(text, "\n{} is left alone until somebody has looked:", plan.target)?;
                    writeln!(text, "  on {}, as root: {}", plan.target, at_target(change.as_str()))?;
                    writeln!(text, "  then, at a terminal: bailiwick unblock {}", plan.target)
                }
                End::RolledBack | End::NotBegun => Ok(()),
            }
        }
        ApplyOutcome::Open { change, why } => {
            writeln!(text, "{change} on {}: OPEN, neither done nor undone\n  because  {why}", plan.target)?;
            writeln!(text, "\nThe target undoes it by itself when its time is over. To know what is true then:")?;
            writeln!(text, "  bailiwick recover\nTo undo it now: bailiwick rollback {change}")?;
            writeln!(text, "or on {}, without bailiwick, as root:\n  {}", plan.target, at_target(change.as_str()))
        }
    }
}

/// What a person types on the target, who has nothing else.
#[must_use]
pub fn at_target(change: &str) -> String {
    format!("/usr/local/libexec/bailiwick-gate rollback {change}")
}

fn write_proofs(text: &mut String, proofs: &[ProofResult]) -> std::fmt::Result {
    for proof in proofs {
        let word = if proof.holds { "holds" } else { "FAILS" };
        writeln!(text, "  {word}    {}", encode::lines(&proof.what))?;
        text.push_str(&tainted(&proof.said, 4, "           "));
    }
    Ok(())
}

/// What was found out of an open change.
#[must_use]
pub fn found(found: &Found) -> String {
    let mut text = String::new();
    let word = match found.end {
        None => "OPEN",
        Some(End::Applied) => "applied",
        Some(End::RolledBack) => "rolled back",
        Some(End::NotBegun) => "not begun",
        Some(End::Stuck) => "STUCK",
    };
    let _ = writeln!(text, "{}: {word}: {}", found.change, found.why);
    let _ = write_proofs(&mut text, &found.said);
    text
}

/// What a day's round came to.
#[must_use]
pub fn round(day: Date, verified: &[ProofResult], holds: bool, entry: u64) -> String {
    let mut text = String::new();
    let _ = write_proofs(&mut text, verified);
    let word = if holds { "no change, and nothing to change" } else { "no change; not everything is as it should be" };
    let _ = writeln!(text, "{day}: {word} (entry {entry} of the journal)");
    text
}

/// Every change, the latest last.
#[must_use]
pub fn changes(ledger: &Ledger, last: usize) -> String {
    let mut rows: Vec<_> =
        ledger.changes.values().filter_map(|course| Some((ledger.begun.get(&course.id)?, course))).collect();
    rows.sort_by(|a, b| a.0.cmp(b.0).then_with(|| a.1.id.cmp(&b.1.id)));
    let mut text = String::new();
    for (begun, course) in rows.iter().skip(rows.len().saturating_sub(last)) {
        let fix = course.fix.as_ref().map_or("-", |fix| fix.as_str());
        let day = course.day.map_or("rehearsal", |_| "");
        let _ =
            writeln!(text, "{}  {}  {:<11}  {}  {fix}  {day}", course.id, time(**begun), word(course), course.target);
        if let Some(why) = course.why.as_ref().filter(|_| course.stage != ChangeStatus::Applied) {
            let _ = writeln!(text, "    {}", encode::lines(why));
        }
    }
    if text.is_empty() {
        text.push_str("no change was ever begun\n");
    }
    text.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

fn word(course: &ChangeState) -> &'static str {
    course.stage.word()
}

fn time(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M UTC").to_string()
}
