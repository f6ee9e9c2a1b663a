//! The contract in `wit/`, and the part of it that a manifest asks for.
//!
//! Knows: the layout of this project's contract: one item after another, each ending at its own indentation with a semicolon or
//! a brace. Must not know: the rest of WIT, files. Authors need a part of the contract because the toolchains of interpreted
//! languages import every function of the world that they are given, and a component must import exactly what its manifest asks
//! for.

use std::collections::BTreeSet;

mod answer;

pub use self::answer::{Answer, Field, Kind, answer};
use crate::model::{Verb, World};

include!(concat!(env!("OUT_DIR"), "/contract.rs"));

/// All interfaces of the contract, in the order in which the world `fix` imports them.
#[must_use]
pub fn interfaces() -> Vec<&'static str> {
    let whole = CONTRACT.iter().flat_map(|(_, text)| items(text, 0)).find(|item| item.code() == "world fix {");
    let lines = whole.map(|item| item.open().1).unwrap_or_default().lines();
    lines.filter_map(|line| line.trim().strip_prefix("import ")?.strip_suffix(';')).collect()
}

/// The last line of every file that [`trimmed`] makes. A file without it was written by a person. At the beginning it would
/// count as documentation of the package, which may exist only once.
pub const MARK: &str = "// What manifest.toml asks for of the contract. `bailiwick wit` writes this file.\n";

/// The part of the contract that a manifest for this world with these verbs asks for: the verbs, the functions that reach no
/// target (`history` only if the manifest asks for it), and the types of both. Returns the name and text of each file.
#[must_use]
pub fn trimmed(wanted: World, verbs: &BTreeSet<Verb>, history: bool) -> Vec<(&'static str, String)> {
    let asked: BTreeSet<_> = verbs.iter().map(|verb| verb.interface()).collect();
    let kept = |interface: &str| match interface {
        "history" => history,
        "changes" => wanted == World::Fix,
        _ => asked.contains(interface) || !has_verbs(interface),
    };
    let file = |text: &str| -> Option<String> {
        let parts: Vec<_> = items(text, 0)
            .into_iter()
            .filter_map(|item| match item.code().split_once(' ') {
                Some(("interface", name)) => {
                    let name = name.trim_end_matches([' ', '{']);
                    kept(name).then(|| if has_verbs(name) { interface(&item, name, verbs) } else { item.0.to_owned() })
                }
                Some(("world", name)) => {
                    (name.trim_end_matches([' ', '{']) == wanted.name()).then(|| world(&item, kept))
                }
                _ => Some(item.0.to_owned()),
            })
            .collect();
        // The first part is the line of the package.
        (parts.len() > 1).then(|| format!("{}\n{MARK}", parts.concat()))
    };
    CONTRACT.iter().filter_map(|(name, text)| Some((*name, file(text)?))).collect()
}

fn has_verbs(interface: &str) -> bool {
    Verb::ALL.iter().any(|verb| verb.interface() == interface)
}

/// An item with its documentation and the empty lines above it.
#[derive(Clone, Copy)]
struct Item<'t>(&'t str);

/// The items of a text at an indentation.
fn items(text: &str, indent: usize) -> Vec<Item<'_>> {
    let mut parts = Vec::new();
    let (mut start, mut end) = (0, 0);
    for line in text.split_inclusive('\n') {
        end += line.len();
        let code = line.trim();
        let own = line.len() - line.trim_start_matches(' ').len() == indent && !is_note(code);
        if own && code.ends_with([';', '}']) {
            parts.extend(text.get(start..end).map(Item));
            start = end;
        }
    }
    parts
}

/// True for a comment, an attribute or an empty line.
fn is_note(code: &str) -> bool {
    code.is_empty() || code.starts_with("//") || code.starts_with('@')
}

impl<'t> Item<'t> {
    /// Its first line that is not a note.
    fn code(&self) -> &'t str {
        self.0.lines().map(str::trim).find(|line| !is_note(line)).unwrap_or_default()
    }

    /// Its lines up to the opening brace, and the lines between the braces.
    fn open(&self) -> (&'t str, &'t str) {
        let inside = self.0.find("{\n").map_or(0, |at| at + 2);
        let (head, rest) = self.0.split_at_checked(inside).unwrap_or((self.0, ""));
        (head, rest.strip_suffix("}\n").unwrap_or(rest))
    }

    /// The name of a function; `None` for anything else. A `%` marks a name that is a keyword.
    fn function(&self) -> Option<&'t str> {
        self.code().split_once(": func(").map(|(name, _)| name.trim_start_matches('%'))
    }

    /// The name of a type; `None` for anything else.
    fn type_name(&self) -> Option<&'t str> {
        let (word, rest) = self.code().split_once(' ')?;
        (word != "use" && self.function().is_none()).then(|| rest.split([' ', '{', ';', '(']).next().unwrap_or(rest))
    }

    /// Its tokens, without documentation.
    fn words(&self) -> impl Iterator<Item = &'t str> {
        let lines = self.0.lines().map(str::trim).filter(|line| !is_note(line));
        lines.flat_map(|line| line.split(|c: char| !c.is_ascii_alphanumeric() && c != '-'))
    }
}

/// An interface with only the functions of these verbs, and the types that they need.
fn interface(whole: &Item<'_>, name: &str, verbs: &BTreeSet<Verb>) -> String {
    let (head, body) = whole.open();
    let all = items(body, 4);
    let asked = |function: &str| verbs.iter().any(|verb| verb.interface() == name && verb.function() == function);
    let mut needed: BTreeSet<&str> = BTreeSet::new();
    let is_kept = |item: &Item<'_>, needed: &BTreeSet<&str>| {
        item.function().is_some_and(asked) || item.type_name().is_some_and(|name| needed.contains(name))
    };
    loop {
        let before = needed.len();
        let words: Vec<_> = all.iter().filter(|item| is_kept(item, &needed)).flat_map(Item::words).collect();
        needed.extend(words);
        if needed.len() == before {
            break;
        }
    }
    let mut text = head.to_owned();
    for item in &all {
        if let Some((from, names)) = item.code().strip_prefix("use ").and_then(|rest| rest.split_once(".{")) {
            let names = names.trim_end_matches("};").split(", ");
            let names: Vec<_> = names.filter(|name| needed.contains(name)).collect();
            text.push_str(&format!("    use {from}.{{{}}};\n", names.join(", ")));
        } else if is_kept(item, &needed) {
            text.push_str(item.0);
        }
    }
    text + "}\n"
}

/// A world with only the imports that are kept.
fn world(whole: &Item<'_>, is_kept: impl Fn(&str) -> bool) -> String {
    let stays = |line: &&str| {
        let import = line.trim().strip_prefix("import ").map(|rest| rest.trim_end_matches(';'));
        import.is_none_or(&is_kept)
    };
    whole.0.split_inclusive('\n').filter(stays).collect()
}
