//! The answers of verbs, from the contract: the fields that a check without a compiler can use.
//!
//! Knows: the layout of this project's contract (see [`super`]). Must not know: how answers are parsed. There is no table of
//! verbs here: the answer of a new verb is read from its own lines of `wit/`, so no verb can be forgotten.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::{CONTRACT, Item, items};
use crate::model::Verb;

/// What a verb answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// True for a list of items; false for a single one.
    pub list: bool,
    /// The fields of an item, in the contract's order. The fields of a nested record are in its place, as `inodes.used`.
    pub fields: Vec<Field>,
    /// Lists of records in an answer that is not a list: name, and the fields of an entry. After these come the fields of the
    /// answer itself.
    pub lists: Vec<(String, Vec<Field>)>,
    /// Fields of other types, which only a compiled probe can read.
    pub beyond: Vec<String>,
}

/// One field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Its name, after those of the records that contain it. `value` for an answer that is not a record.
    pub path: Vec<String>,
    /// What it holds.
    pub kind: Kind,
    /// It may be absent.
    pub optional: bool,
    /// It is a field of the answer that contains the list, not of the entry.
    pub outer: bool,
}

/// What a field holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A number.
    Number,
    /// A text; of bytes, what is UTF-8 in them.
    Text,
    /// True or false.
    Flag,
    /// Texts.
    Texts,
    /// One of these texts.
    Choice(Vec<String>),
}

impl Field {
    /// `inodes.used`; `answer.complete` for one of the answer that the list is in.
    #[must_use]
    pub fn name(&self) -> String {
        let path = self.path.join(".");
        if self.outer { format!("answer.{path}") } else { path }
    }
}

impl Answer {
    /// The fields of an item: of the answer, or of an entry of one of its lists. `None`: the list does not exist.
    #[must_use]
    pub fn items(&self, each: Option<&str>) -> Option<&[Field]> {
        match each {
            None => Some(&self.fields),
            Some(each) => self.lists.iter().find(|(name, _)| name == each).map(|(_, fields)| fields.as_slice()),
        }
    }
}

/// What the verb answers.
#[must_use]
pub fn answer(verb: Verb) -> &'static Answer {
    static ALL: LazyLock<BTreeMap<Verb, Answer>> =
        LazyLock::new(|| Verb::ALL.iter().map(|verb| (*verb, read(*verb))).collect());
    static NONE: Answer = Answer { list: false, fields: Vec::new(), lists: Vec::new(), beyond: Vec::new() };
    ALL.get(&verb).unwrap_or(&NONE)
}

/// The items of an interface of the contract.
fn interface(name: &str) -> Vec<Item<'static>> {
    let all = CONTRACT.iter().flat_map(|(_, text)| items(text, 0));
    let matching = all.filter(|item| {
        let head = item.code().strip_prefix("interface ").map(|rest| rest.trim_end_matches([' ', '{']));
        head == Some(name)
    });
    matching.flat_map(|item| items(item.open().1, 4)).collect()
}

fn read(verb: Verb) -> Answer {
    let types = interface(verb.interface());
    let mut answer = Answer { list: false, fields: Vec::new(), lists: Vec::new(), beyond: Vec::new() };
    let function = types.iter().find(|item| item.function() == Some(verb.function()));
    let result = function.and_then(|item| item.code().split_once("-> result<")).map(|(_, result)| result);
    let ok = result.and_then(|result| result.rsplit_once(", verb-error>")).map(|(ok, _)| ok.trim());
    let Some(ok) = ok else {
        return answer;
    };
    // A list of bytes is a text, one of texts is a field like any other.
    let item = match ok.strip_prefix("list<").and_then(|rest| rest.strip_suffix('>')) {
        Some(item) if plain(ok).is_none() => {
            answer.list = true;
            item
        }
        _ => ok,
    };
    put(&mut answer, &types, &mut Vec::new(), item, false);
    let outer: Vec<_> = answer.fields.iter().map(|field| Field { outer: true, ..field.clone() }).collect();
    answer.lists.iter_mut().for_each(|(_, fields)| fields.extend(outer.iter().cloned()));
    answer
}

/// The kind of a type, if it has one of its own.
fn plain(wit_type: &str) -> Option<Kind> {
    Some(match wit_type {
        "bool" => Kind::Flag,
        "string" | "char" | "list<u8>" => Kind::Text,
        "list<string>" => Kind::Texts,
        "u8" | "u16" | "u32" | "u64" | "s8" | "s16" | "s32" | "s64" | "f32" | "f64" => Kind::Number,
        _ => return None,
    })
}

/// Maximum depth of nested records.
const DEPTH_MAX: usize = 4;

fn put(answer: &mut Answer, types: &[Item<'_>], path: &mut Vec<String>, wit_type: &str, optional: bool) {
    if let Some(inner) = wit_type.strip_prefix("option<").and_then(|rest| rest.strip_suffix('>')) {
        return put(answer, types, path, inner, true);
    }
    let named = types.iter().find(|item| item.type_name() == Some(wit_type));
    let word = named.and_then(|item| item.code().split(' ').next()).unwrap_or_default();
    let kind = match (plain(wit_type), named) {
        (Some(kind), _) => kind,
        (None, Some(item)) if word == "enum" => Kind::Choice(inside(item)),
        (None, Some(item)) if word == "record" && path.len() < DEPTH_MAX => {
            for field in inside(item) {
                let (name, inner) = field.split_once(": ").unwrap_or((&field, ""));
                path.push(name.to_owned());
                put(answer, types, path, inner, optional);
                path.pop();
            }
            return;
        }
        (None, None) => return list(answer, types, path, wit_type, optional),
        _ => return answer.beyond.push(path.join(".")),
    };
    let path = if path.is_empty() { vec!["value".to_owned()] } else { path.clone() };
    answer.fields.push(Field { path, kind, optional, outer: false });
}

/// A list of records. One in an entry of a list, or an optional one, cannot be read by a check.
fn list(answer: &mut Answer, types: &[Item<'_>], path: &[String], wit_type: &str, optional: bool) {
    let mut inner = Answer { list: true, fields: Vec::new(), lists: Vec::new(), beyond: Vec::new() };
    if let Some(item) = wit_type.strip_prefix("list<").and_then(|rest| rest.strip_suffix('>'))
        && let ([name], false, false) = (path, answer.list, optional)
    {
        put(&mut inner, types, &mut Vec::new(), item, false);
        if !inner.fields.is_empty() {
            answer.beyond.extend(inner.beyond.iter().map(|beyond| format!("{name}.{beyond}")));
            return answer.lists.push((name.clone(), inner.fields));
        }
    }
    answer.beyond.push(path.join("."));
}

/// The text between the braces of an item, without documentation, split at the commas outside of other brackets.
fn inside(item: &Item<'_>) -> Vec<String> {
    let lines: Vec<_> = item.0.lines().map(str::trim).filter(|line| !super::is_note(line)).collect();
    let text = lines.concat();
    let body = text.split_once('{').and_then(|(_, rest)| rest.rsplit_once('}')).map_or("", |(body, _)| body);
    let mut parts = vec![String::new()];
    let mut depth = 0_usize;
    for c in body.chars() {
        match c {
            '<' => depth += 1,
            '>' => depth = depth.saturating_sub(1),
            _ => {}
        }
        match parts.last_mut() {
            Some(part) if c != ',' || depth > 0 => part.push(c),
            _ => parts.push(String::new()),
        }
    }
    parts.iter().map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::*;

    /// What a check can ask of each verb: a new verb's line is a reviewed one.
    #[test]
    fn what_a_check_can_ask_of_each_verb() {
        let mut text = String::new();
        for verb in crate::verbs::with(crate::model::Effect::Observe) {
            let Answer { list, fields, lists, beyond } = answer(verb);
            assert!(
                !(fields.is_empty() && lists.is_empty()),
                "{verb}: its record in wit/ has no field that a `[[check]]` could ask for"
            );
            writeln!(text, "{verb}: {}", if *list { "any number of" } else { "one" }).unwrap();
            let entries = lists.iter().flat_map(|(name, fields)| {
                fields.iter().filter(|field| !field.outer).map(move |field| (format!("each {name}: "), field))
            });
            for (list, field) in fields.iter().map(|field| (String::new(), field)).chain(entries) {
                let kind = match &field.kind {
                    Kind::Choice(cases) => format!("one of {}", cases.join(", ")),
                    kind => format!("{kind:?}").to_lowercase(),
                };
                let optional = if field.optional { ", or absent" } else { "" };
                writeln!(text, "  {list}{}: {kind}{optional}", field.name()).unwrap();
            }
            for name in beyond {
                writeln!(text, "  {name}: for compiled probes only").unwrap();
            }
        }
        insta::assert_snapshot!(text);
    }
}
