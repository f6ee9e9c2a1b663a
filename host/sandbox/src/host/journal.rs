//! Reader of `journalctl --output=json`: one flat object a line.
//!
//! Attack answered: any program on the target chooses its messages. A message that is not text, or a field that
//! comes twice, must not hide the other messages (TG05); nesting is not followed.

use std::fmt;

use serde::Deserialize;
use serde::de::{IgnoredAny, SeqAccess, Visitor};

use super::text::{ended, failure, known_message, number, whole};
use super::{Context, Times};
use bailiwick_bindings::ops::{
    logs::{Entry, NewEntries},
    services::LogEntry,
};
use bailiwick_core::model::Answer;
use bailiwick_core::model::VerbError;

use VerbError::Garbled;

/// The value of `--lines`. For new entries, one more is requested.
const LINES: usize = 1_000;
/// The value of `--since` for new entries.
const WINDOW_MS: u64 = 8 * 86_400_000;
/// The accepted difference of two clocks: the target's in its entries, the controller's in a run's time. Up to this difference
/// no entry is lost.
const APART_MS: u64 = 60_000;

pub(super) fn logs(answer: &Answer) -> Result<Vec<LogEntry>, VerbError> {
    entries(answer, LINES)
}

/// The entries since the last run, from a window of fixed length.
pub(super) fn since_last_run(answer: &Answer, context: Context<'_>) -> Result<NewEntries, VerbError> {
    let Times { now_ms, previous_ms } = context.times;
    let all = entries(answer, LINES + 1)?;
    let edge = previous_ms.map(|previous| previous.saturating_sub(APART_MS));
    // One line more than is returned was requested. If it came, the window has older entries. Entries are missing only if the
    // oldest one that came is new.
    let cut = all.len() > LINES && all.first().is_some_and(|oldest| edge.is_none_or(|edge| oldest.time_ms >= edge));
    let within = previous_ms.is_none_or(|previous| now_ms.saturating_sub(previous) <= WINDOW_MS);
    let new = all.into_iter().filter(|entry| edge.is_none_or(|edge| entry.time_ms >= edge));
    let mut entries: Vec<_> =
        new.map(|LogEntry { time_ms, priority, message }| Entry { time_ms, priority, message }).collect();
    // The newest.
    entries.drain(..entries.len().saturating_sub(LINES));
    Ok(NewEntries { since_ms: previous_ms, complete: within && !cut, entries })
}

fn entries(answer: &Answer, lines_max: usize) -> Result<Vec<LogEntry>, VerbError> {
    if !ended(answer, &[0]) {
        return Err(failure(answer));
    }
    // The program succeeded with a hint: some of the unit's messages belong to another user, and are not among these.
    if let Some(error) = known_message(answer) {
        return Err(error);
    }
    let text = whole(answer)?;
    if text.lines().count() > lines_max {
        return Err(Garbled);
    }
    text.lines().map(entry).collect()
}

fn entry(line: &str) -> Result<LogEntry, VerbError> {
    let raw: Raw = serde_json::from_str(line).map_err(|_| Garbled)?;
    let micros: u64 = number(&raw.time.0)?;
    let priority: u8 = number(&raw.priority.0)?;
    if priority > 7 {
        return Err(Garbled);
    }
    Ok(LogEntry { time_ms: micros / 1000, priority, message: raw.message.0 })
}

#[derive(Deserialize)]
struct Raw {
    #[serde(rename = "__REALTIME_TIMESTAMP")]
    time: Field,
    #[serde(rename = "PRIORITY")]
    priority: Field,
    #[serde(rename = "MESSAGE", default)]
    message: Field,
}

/// A field's value: text; bytes where it is not UTF-8; null where it is too long to print; the first of several.
#[derive(Default)]
struct Field(String);

impl<'de> Deserialize<'de> for Field {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(FieldVisitor)
    }
}

struct FieldVisitor;

/// An element of a field that is an array.
#[derive(Deserialize)]
#[serde(untagged)]
enum Element {
    Byte(u8),
    Text(String),
    Null(()),
}

impl<'de> Visitor<'de> for FieldVisitor {
    type Value = Field;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field of the journal")
    }

    fn visit_str<E>(self, text: &str) -> Result<Field, E> {
        Ok(Field(text.to_owned()))
    }

    fn visit_unit<E>(self) -> Result<Field, E> {
        Ok(Field::default())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Field, A::Error> {
        let mut bytes = Vec::new();
        while let Some(element) = elements.next_element()? {
            match element {
                Element::Byte(byte) => bytes.push(byte),
                Element::Text(text) => {
                    while elements.next_element::<IgnoredAny>()?.is_some() {}
                    return Ok(Field(text));
                }
                Element::Null(()) => {}
            }
        }
        Ok(Field(String::from_utf8_lossy(&bytes).into_owned()))
    }
}
