//! `bailiwick review`.

use std::fmt::Write;

use crate::report::exit::ExitCode as Exit;
use bailiwick_core::encode;
use bailiwick_core::model::{At, Change, ComponentId, Effect, Inverse, TargetName, Wire};
use bailiwick_core::nearest::did_you_mean;
use bailiwick_core::verbs;
use bailiwick_policy::review::{Action, Anchor, Requester, Review, Target, inert, review};

use super::args::Format;
use super::{Context, fail};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A target or a component [default: everything]
    #[arg(value_name = "TARGET|COMPONENT")]
    pub(super) name: Option<String>,

    /// Print only the exact command lines, byte for byte
    #[arg(long, conflicts_with = "format")]
    pub(super) wire: bool,

    /// Output format
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    pub(super) format: Format,
}

pub(super) fn run(context: &Context, args: &Args) -> anyhow::Result<Exit> {
    let (ops, lock_state) = context.ops_and_lock()?;
    let (target, component) = match &args.name {
        None => (None, None),
        Some(name) if ops.fleet.targets.contains_key(name.as_str()) => (Some(TargetName::new(name)?), None),
        Some(name) if ops.library.components().contains_key(name.as_str()) => (None, Some(ComponentId::new(name)?)),
        Some(name) => {
            if let Some(never) = ops.fleet.never.get(name.as_str()) {
                let line = format!("{name} is a never-host ({}: {}): no action can reach it", never.place, never.why);
                context.out.text(&line)?;
                return Ok(Exit::Refused);
            }
            let message = format!("there is no target and no component `{}`", name.escape_default());
            let targets = ops.fleet.targets.keys().map(TargetName::as_str);
            let known = targets.chain(ops.library.components().keys().map(ComponentId::as_str));
            let hint = did_you_mean(name, known) + "`bailiwick review` prints all targets and granted components";
            return Err(fail::usage(message, hint));
        }
    };
    let mut review = review(&ops, target.as_ref(), component.as_ref());
    review.mark(&ops, &lock_state);
    let text = match (args.wire, args.format) {
        (true, _) => review.wire().map(|(target, text)| format!("{target}\t{text}\n")).collect(),
        (false, Format::Json) => serde_json::to_string_pretty(&review)? + "\n",
        (false, Format::Table) => table(&review),
    };
    context.out.text(&text)?;
    Ok(Exit::Fine)
}

/// The review for people: for each target every action once, with its literal form, its components, and the line of policy that
/// allows it.
fn table(review: &Review) -> String {
    let mut text = String::new();
    // Writing to a String does not fail.
    let _ = writeln!(
        text,
        "What is not listed cannot be sent to a target. `--wire` prints the exact bytes.\n\
         wire    the command on the target. Every program runs with an empty environment,\n\
         \x20       this search path, the C locale and UTC:\n\
         \x20 {} PROGRAM …\n\
         for     the component, its author's reason, and the line that allows the action\n",
        verbs::PREFIX.join(" ")
    );
    for target in &review.targets {
        let _ = write_target(&mut text, target);
    }
    for anchor in &review.anchors {
        let _ = write_anchor(&mut text, anchor);
    }
    for wasi in &review.inert_wasi {
        let _ =
            writeln!(text, "{} gets inert WASI, which reaches nothing: {}", wasi.component, inert(&wasi.interfaces));
        let _ = writeln!(text, "    for     {}\n", wasi.why);
    }
    for past in &review.own_past {
        let _ = writeln!(
            text,
            "{} can read its own earlier numbers of each target, and of no other component; this reaches nothing",
            past.component
        );
        let _ = writeln!(text, "    for     {}\n", past.why);
    }
    for together in &review.together {
        let targets: Vec<_> = together.targets.iter().map(ToString::to_string).collect();
        let _ = writeln!(
            text,
            "{} checks all its targets in one run, and the answer of one target can change what it reports of another",
            together.component
        );
        let _ = writeln!(text, "    on      {}\n", targets.join(", "));
    }
    let _ = write_limits(&mut text, review);
    for unbound in &review.unbound {
        let targets: Vec<_> = unbound.targets.iter().map(ToString::to_string).collect();
        let _ = writeln!(text, "{unbound}, so it gets no action there");
        let _ = writeln!(text, "    on      {}\n    add     {} to that [[grant]]\n", targets.join(", "), unbound.add);
    }
    text
}

/// An anchor: the line that is written after each sweep by the operator's rule, not by a component.
fn write_anchor(text: &mut String, anchor: &Anchor) -> std::fmt::Result {
    let how = if anchor.target.is_some() { "appends over SFTP, after each sweep" } else { "commits, after each sweep" };
    let user = anchor.user.as_ref().map(|user| format!(" as {user}")).unwrap_or_default();
    writeln!(text, "anchor {}{user}\n    {how}    {}", anchor.to, anchor.line.trim_end())?;
    writeln!(text, "    for     the operator: {} ({})\n", anchor.why, anchor.policy)
}

fn write_target(text: &mut String, target: &Target) -> std::fmt::Result {
    let count = encode::counted(target.actions.len(), "action");
    writeln!(text, "{} ({}): {count}", target.target, target.access)?;
    if let Some(rule) = &target.refused {
        writeln!(text, "  REFUSED: {rule}\n  none of the actions below can happen")?;
    }
    for action in &target.actions {
        writeln!(text, "\n  {}", action.id)?;
        write_literal(text, action)?;
        for asked in &action.for_components {
            writeln!(text, "    for     {}", asked_by(asked))?;
        }
    }
    for withheld in &target.withheld {
        writeln!(text, "\n  {}  WITHHELD", withheld.id)?;
        writeln!(text, "    rule    {}: {}", withheld.rule, withheld.rule_why)?;
        writeln!(text, "    for     {}", asked_by(&withheld.asked))?;
    }
    writeln!(text)
}

/// What the action reads or changes, in words, and the literal that is sent to the target.
pub(super) fn write_literal(text: &mut String, action: &Action) -> std::fmt::Result {
    writeln!(text, "    effect  {}: {}", effect(action), action.reads)?;
    match &action.wire {
        Wire::Change(change) => write_change(text, change)?,
        wire => writeln!(text, "    wire    {}", wire_text(wire))?,
    }
    writeln!(text, "    limits  {} KiB, {} s", action.bytes_max >> 10, action.timeout_s)
}

fn write_limits(text: &mut String, review: &Review) -> std::fmt::Result {
    if !review.limits.is_empty() {
        writeln!(text, "limits that policy sets (`bailiwick limits COMPONENT` prints them all)")?;
    }
    for set in &review.limits {
        let word = if set.value > set.default { "RAISED" } else { "lowered" };
        let why = set.why.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
        writeln!(
            text,
            "  {}  {} {word} to {} from {} ({}{why})",
            set.component, set.name, set.value, set.default, set.policy
        )?;
    }
    if !review.limits.is_empty() {
        writeln!(text)?;
    }
    if !review.unmet.is_empty() {
        writeln!(
            text,
            "limits that are requested and not granted; to grant them, add this to policy.toml,\nwith your reason in `why`:\n"
        )?;
        writeln!(text, "{}", bailiwick_policy::review::to_raise(&review.unmet))?;
    }
    Ok(())
}

fn effect(action: &Action) -> &'static str {
    match action.effect {
        Effect::Observe => "observe",
        Effect::Change => "CHANGE",
    }
}

/// A change with every byte that it can write, so that an approver sees all of it.
fn write_change(text: &mut String, change: &Change) -> std::fmt::Result {
    let quoted = |argv: &[String]| argv.iter().map(|word| format!("{word:?}")).collect::<Vec<_>>().join(" ");
    match change {
        Change::Write { path, text: bytes } => {
            writeln!(text, "    writes  {}, {} bytes in all:", path.as_str(), bytes.len())?;
            for line in bytes.split_terminator('\n') {
                writeln!(text, "            | {line}")?;
            }
            if !bytes.ends_with('\n') {
                writeln!(text, "            (no line end after the last line)")?;
            }
        }
        Change::WriteComputed { path, bytes_max } => writeln!(
            text,
            "    writes  {}: up to {} KiB that the fix makes; only with a person's signature over them",
            path.as_str(),
            bytes_max >> 10
        )?,
        Change::EnsureLine { path, line, at } => {
            let at = match at {
                At::Start => "first line",
                At::End => "last line",
            };
            writeln!(
                text,
                "    adds    to {}, as its {at}, unless the file has it:\n            | {line}",
                path.as_str()
            )?;
        }
        Change::RemoveLine { path, line } => {
            writeln!(text, "    removes from {}, wherever it is:\n            | {line}", path.as_str())?;
        }
        Change::SetAside { path } => writeln!(text, "    moves   {} out of its place", path.as_str())?,
        Change::Unit { unit, act } => writeln!(text, "    does    systemctl {} {}", act.word(), unit.as_str())?,
        Change::RestartContainer { container } => writeln!(text, "    does    restart {}", container.as_str())?,
        Change::Command { does, undoes, checks, .. } => {
            writeln!(text, "    does    {}", quoted(does))?;
            writeln!(text, "    undoes  {}", quoted(undoes))?;
            writeln!(text, "    checks  {}", quoted(checks))?;
        }
    }
    writeln!(text, "    back    {}", back(change.inverse()))
}

/// How a change is undone, in words.
const fn back(inverse: Inverse) -> &'static str {
    match inverse {
        Inverse::Restore => "the file gets its previous bytes, owner and mode",
        Inverse::Revert => "the unit gets its previous state",
        Inverse::Undo => "the program that undoes it",
        Inverse::Again => "done once more, after all other steps are undone",
    }
}

fn wire_text(wire: &Wire) -> String {
    match wire {
        Wire::Exec(words) => own(words),
        Wire::Fed { words, stdin } => {
            format!("{}\n    reads   {}", own(words), stdin.trim_end().replace('\n', "\n            "))
        }
        Wire::Connect { address, request } => {
            format!("connects to {address}\n    sends   {}", request.trim_end().replace("\r\n", "\n            "))
        }
        Wire::Read(path) => format!("reads {} without a program", path.as_str()),
        Wire::Gated(inner) => format!("{}\n    through the target's gate, by its name", wire_text(inner)),
        Wire::Change(change) => change.text(),
    }
}

/// The words after the prefix that every program has.
fn own(words: &[String]) -> String {
    words.get(verbs::PREFIX.len()..).unwrap_or_default().join(" ")
}

fn asked_by(asked: &Requester) -> String {
    let slot = asked.slot.as_ref().map(|slot| format!(", slot {slot}")).unwrap_or_default();
    let refused =
        asked.not_accepted.as_ref().map(|why| format!("\n            NOT ACCEPTED: {why}")).unwrap_or_default();
    format!("{}{slot}: {} ({}){refused}", asked.component, asked.why, asked.policy)
}
