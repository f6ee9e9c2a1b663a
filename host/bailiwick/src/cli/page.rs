//! The page that a person reads before an acceptance: a component with everything that it could do here, or only what is new.
//!
//! **Invariant:** the author's text is behind a bar, on separate lines. All other text is the host's (TX07).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write};

use crate::report::quote::quoted;
use bailiwick_core::encode::ShownPath as _;
use bailiwick_core::manifest::Manifest;
use bailiwick_core::model::{ComponentId, TargetName};
use bailiwick_engine::consent::{Offered, Question};
use bailiwick_policy::lock::{Actions, Facts, Record};
use bailiwick_policy::ops::Ops;
use bailiwick_policy::review::{Action, Review, review, to_raise};
use bailiwick_sandbox::Inspected;

use super::review::write_literal;

/// The whole page of an unknown component.
pub(super) fn whole(ops: &Ops, question: &Question, offered: &Offered, inspected: &Inspected) -> String {
    let mut text = String::new();
    // Writing to a String does not fail.
    let _ = write_whole(&mut text, ops, question, offered, inspected);
    text
}

/// The differences of a known component.
pub(super) fn difference(ops: &Ops, question: &Question, manifest: &Manifest) -> String {
    let mut text = String::new();
    let _ = write_difference(&mut text, ops, question, manifest);
    text
}

/// What an ungranted component asks for, and the lines to write.
pub(super) fn ungranted(question: &Question, manifest: &Manifest) -> String {
    let mut text = String::new();
    let _ = write_ungranted(&mut text, question, manifest);
    text
}

/// Limits that a component asks for and does not have, and the lines to write.
pub(super) fn unmet(ops: &Ops, id: &ComponentId) -> String {
    let unmet = review(ops, None, Some(id)).unmet;
    if unmet.is_empty() {
        return String::new();
    }
    format!(
        "\nlimits that it asks for and policy does not give; to give them, add to policy.toml:\n\n{}",
        to_raise(&unmet)
    )
}

fn write_whole(
    text: &mut String,
    ops: &Ops,
    question: &Question,
    offered: &Offered,
    inspected: &Inspected,
) -> fmt::Result {
    writeln!(text, "{} {}, from {}", question.id, question.facts.version, offered.path.shown())?;
    write_facts(text, &question.facts, inspected.size)?;
    writeln!(text, "  its author calls it")?;
    text.push_str(&quoted(&offered.file.manifest.title, "    "));
    write_contract(text, &offered.file.manifest)?;
    for (digest, revoked) in &question.revoked {
        let version = revoked.component.as_ref().map(|(_, version)| version.to_string()).unwrap_or_default();
        writeln!(text, "  REVOKED before: {version} sha256:{digest}\n    {}", recorded_by(&revoked.record))?;
    }
    let review = review(ops, None, Some(&question.id));
    for (lists, targets) in groups(&question.grants) {
        writeln!(text, "\non {}: {}, and nothing else", names(&targets), count(lists.len()))?;
        write_actions(text, &review, &question.id, targets.first(), lists, "  ")?;
    }
    for target in question.grants.keys() {
        if ops.grant(&question.id, target).is_some_and(|grant| grant.unattended) {
            writeln!(text, "\n  UNATTENDED on {target}: policy lets declared changes be made there without a person")?;
        }
    }
    for withheld in review.targets.iter().flat_map(|target| &target.withheld) {
        writeln!(text, "\n  withheld by {}: {}", withheld.rule, withheld.id)?;
    }
    text.push_str(&unmet(ops, &question.id));
    Ok(())
}

/// The contract of a fix, in its author's text. Nothing for a probe.
fn write_contract(text: &mut String, manifest: &Manifest) -> fmt::Result {
    let Some(contract) = &manifest.contract else { return Ok(()) };
    let answers: Vec<_> =
        manifest.answers.iter().map(|answers| format!("{} of {}", answers.code, answers.probe)).collect();
    writeln!(text, "  a FIX, which proposes changes; it answers {}", answers.join(", "))?;
    let parts = [
        ("is to achieve", &contract.intent),
        ("is done this way because", &contract.rationale),
        ("leaves, if it is rolled back", &contract.if_reverted),
    ];
    for (what, value) in parts {
        writeln!(text, "  what its author says that it {what}")?;
        text.push_str(&quoted(value, "    "));
    }
    writeln!(text, "  what its author says that shaped it")?;
    for constraint in &contract.constraints {
        text.push_str(&quoted(constraint, "    "));
    }
    Ok(())
}

fn write_facts(text: &mut String, facts: &Facts, bytes: usize) -> fmt::Result {
    writeln!(text, "  digest   sha256:{}\n  size     {bytes} bytes", facts.digest)?;
    writeln!(text, "  signer   {}", facts.signer.as_deref().unwrap_or("none"))?;
    for (name, value) in &facts.limits {
        writeln!(text, "  limit    {name} raised to {value}")?;
    }
    for import in &facts.imports {
        writeln!(text, "  imports  {import}{}", inert(import))?;
    }
    Ok(())
}

/// The note for an import of inert WASI.
fn inert(import: &str) -> &'static str {
    if import.starts_with("wasi:") {
        "  (inert: no files, no network, a fixed clock)"
    } else if import.starts_with("bailiwick:ops/history@") {
        "  (its own earlier numbers, and no other component's)"
    } else {
        ""
    }
}

fn write_difference(text: &mut String, ops: &Ops, question: &Question, manifest: &Manifest) -> fmt::Result {
    let (facts, new) = (&question.facts, &question.difference);
    let Some(before) = &question.before else { return Ok(()) };
    let old = &before.facts;
    if old.digest == facts.digest {
        writeln!(text, "{} {}: policy or fleet give it more than was accepted", question.id, facts.version)?;
    } else {
        writeln!(text, "{} {} asks for more than {}", question.id, facts.version, old.version)?;
    }
    writeln!(text, "  accepted {} sha256:{}\n           {}", old.version, old.digest, recorded_by(&before.record))?;
    if old.digest != facts.digest {
        writeln!(text, "  new      {} sha256:{}\n  its author calls it", facts.version, facts.digest)?;
        text.push_str(&quoted(&manifest.title, "    "));
        write_contract(text, manifest)?;
    }
    if let Some((was, is)) = &new.signer {
        let name = |signer: &Option<String>| signer.clone().unwrap_or_else(|| "unsigned".to_owned());
        writeln!(text, "\n! signed by {}, was by {}", name(is), name(was))?;
    }
    for (name, was, is) in &new.limits_more {
        let was = was.map_or_else(|| "not raised".to_owned(), |was| was.to_string());
        writeln!(text, "\n+ limit {name} = {is}, was {was}")?;
    }
    if !(new.imports_more.is_empty() && new.imports_less.is_empty()) {
        writeln!(text)?;
    }
    for import in &new.imports_more {
        writeln!(text, "+ imports {import}{}", inert(import))?;
    }
    for import in &new.imports_less {
        writeln!(text, "- imports {import}")?;
    }
    let review = review(ops, None, Some(&question.id));
    // On a new target every action is new, and there may be none.
    let mut more = new.actions_more.clone();
    for target in &new.targets_more {
        more.entry(target.clone()).or_default();
    }
    for (list, targets) in groups(&more) {
        let (fresh, known): (Vec<_>, Vec<_>) =
            targets.into_iter().partition(|target| new.targets_more.contains(*target));
        for (targets, what) in [(known, "more"), (fresh, "(nothing was accepted there before)")] {
            if !targets.is_empty() {
                writeln!(text, "\non {}: {} {what}", names(&targets), count(list.len()))?;
                write_actions(text, &review, &question.id, targets.first(), list, "+ ")?;
            }
        }
    }
    for (list, targets) in groups(&new.actions_less) {
        writeln!(text, "\non {}: {} less", names(&targets), count(list.len()))?;
        for action in list {
            writeln!(text, "- {action}")?;
        }
    }
    Ok(())
}

fn write_ungranted(text: &mut String, question: &Question, manifest: &Manifest) -> fmt::Result {
    writeln!(text, "\npolicy grants it on no target, so there is nothing to agree to. It asks for:")?;
    for (verb, why) in &manifest.uses {
        writeln!(text, "\n  {verb}: {}", bailiwick_core::verbs::spec(*verb).reads)?;
        text.push_str(&quoted(why, "    "));
    }
    for (name, slot) in &manifest.slots {
        let verbs: Vec<_> = slot.verbs.iter().map(|verb| verb.name()).collect();
        writeln!(text, "\n  {} on the {} in its slot `{name}`", verbs.join(", "), slot.object.noun())?;
        text.push_str(&quoted(&slot.why, "    "));
    }
    if let Some(why) = &manifest.history {
        writeln!(text, "\n  its own earlier numbers of each target, and no other component's")?;
        text.push_str(&quoted(why, "    "));
    }
    writeln!(text, "\nIf it is to run, write into policy.toml, with your targets:\n")?;
    writeln!(text, "[[grant]]\ncomponent = \"{}\"\non = [\"TARGET\"]", question.id)?;
    for (name, slot) in &manifest.slots {
        match &slot.default {
            Some(default) => writeln!(text, "# bind.{name} = \"{default}\"    (its author's default)")?,
            None => writeln!(text, "bind.{name} = \"{}\"", slot.object.noun().to_uppercase())?,
        }
    }
    writeln!(text, "\nthen run this again.")
}

/// Groups targets with the same list.
fn groups(lists: &BTreeMap<TargetName, Actions>) -> Vec<(&Actions, Vec<&TargetName>)> {
    let mut groups: BTreeMap<&Actions, Vec<&TargetName>> = BTreeMap::new();
    for (target, list) in lists {
        groups.entry(list).or_default().push(target);
    }
    groups.into_iter().collect()
}

fn write_actions(
    text: &mut String,
    review: &Review,
    id: &ComponentId,
    target: Option<&&TargetName>,
    list: &Actions,
    mark: &str,
) -> fmt::Result {
    let reviewed = review.targets.iter().find(|reviewed| target.is_some_and(|target| **target == reviewed.target));
    let all: Vec<&Action> = reviewed.map(|reviewed| reviewed.actions.iter().collect()).unwrap_or_default();
    for action in all.into_iter().filter(|action| list.contains(action.id.as_str())) {
        writeln!(text, "{mark}{}", action.id)?;
        write_literal(text, action)?;
        let mine: BTreeSet<_> =
            action.for_components.iter().filter(|asked| asked.component == *id).map(|a| (&a.policy, &a.why)).collect();
        for (policy, why) in mine {
            writeln!(text, "    allowed by {policy}; the author's reason:")?;
            text.push_str(&quoted(why, "            "));
        }
    }
    Ok(())
}

fn names(targets: &[&TargetName]) -> String {
    targets.iter().map(|target| target.as_str()).collect::<Vec<_>>().join(", ")
}

fn count(actions: usize) -> String {
    bailiwick_core::encode::counted(actions, "action")
}

/// Who, when and why, on one line.
pub(super) fn recorded_by(record: &Record) -> String {
    format!("by {} on {}: {}", record.who, record.when.strftime("%Y-%m-%d %H:%M UTC"), record.why)
}
