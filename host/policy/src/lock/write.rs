//! Writes the lock's text: one line per import and action, so that a diff shows each change.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use super::{Actions, Component, FORMAT, Lock, Record};
use crate::library::digest;
use bailiwick_core::model::TargetName;

/// The end of the part that the checksum covers.
pub(super) const CHECKSUM: &str = "\n[checksum]\n";

/// The file's text.
#[must_use]
pub fn render(lock: &Lock) -> String {
    let mut text = format!(
        "# Which components were accepted, by whom. Written by `bailiwick add`, `approve` and `revoke`. Do not edit it: an edited\n\
         # lock accepts nothing. `bailiwick lock verify` compares it with the installed components.\nformat = {FORMAT:?}\n"
    );
    // Writing to a String does not fail.
    let _ = write_all(&mut text, lock);
    let sum = digest(text.as_bytes());
    text + CHECKSUM + &format!("sha256 = \"{sum}\"\n")
}

fn write_all(text: &mut String, lock: &Lock) -> std::fmt::Result {
    for (id, component) in &lock.components {
        let facts = &component.facts;
        writeln!(text, "\n[[component]]\nid = \"{id}\"\nversion = \"{}\"", facts.version)?;
        writeln!(text, "digest = \"{}\"", facts.digest)?;
        if let Some(manifest) = &facts.manifest {
            writeln!(text, "manifest = \"{manifest}\"")?;
        }
        if let Some(signer) = &facts.signer {
            writeln!(text, "signer = {}", quoted(signer))?;
        }
        list(text, "imports", &facts.imports)?;
        for (name, value) in &facts.limits {
            writeln!(text, "limits.{} = {value}", quoted(name))?;
        }
        writeln!(text, "grant-digest = \"{}\"", component.grant_digest)?;
        record(text, &component.record)?;
        for ((actions, who), targets) in groups(component) {
            writeln!(text, "\n[[component.grant]]")?;
            list(text, "targets", targets.iter().map(|target| target.as_str()))?;
            list(text, "actions", actions)?;
            record(text, who)?;
        }
    }
    for (digest, revoked) in &lock.revoked {
        writeln!(text, "\n[[revoked]]\ndigest = \"{digest}\"")?;
        if let Some((id, version)) = &revoked.component {
            writeln!(text, "component = \"{id}\"\nversion = \"{version}\"")?;
        }
        record(text, &revoked.record)?;
    }
    Ok(())
}

/// Targets with the same list and the same record are one group.
fn groups(component: &Component) -> BTreeMap<(&Actions, &Record), BTreeSet<&TargetName>> {
    let mut groups: BTreeMap<(&Actions, &Record), BTreeSet<&TargetName>> = BTreeMap::new();
    for (target, accepted) in &component.grants {
        groups.entry((&accepted.actions, &accepted.record)).or_default().insert(target);
    }
    groups
}

fn record(text: &mut String, record: &Record) -> std::fmt::Result {
    writeln!(text, "who = {}\nwhen = \"{}\"\nwhy = {}", quoted(&record.who), record.when, quoted(&record.why))
}

fn list(text: &mut String, key: &str, items: impl IntoIterator<Item = impl AsRef<str>>) -> std::fmt::Result {
    let lines: String = items.into_iter().map(|item| format!("    {},\n", quoted(item.as_ref()))).collect();
    if lines.is_empty() { writeln!(text, "{key} = []") } else { writeln!(text, "{key} = [\n{lines}]") }
}

/// A text on one line. JSON's escapes are valid TOML, except for DEL.
fn quoted(text: &str) -> String {
    let json = serde_json::Value::from(text).to_string();
    json.replace('\u{7f}', "\\u007F")
}
