//! Checks that are written in a manifest, for the built-in interpreter. A simple check needs no compiler.
//!
//! Knows: `[[check]]`, the answers of verbs (from the contract), expressions. Must not know: any fleet or policy, wasm, how an
//! expression is run. Attack answered: a check that silently does less than its author meant. Every field, type, parameter,
//! slot and case is checked when the manifest is read, and an expression cannot loop or fail.

mod expression;
mod lex;
mod line;
mod read;

use serde::{Deserialize, Serialize};

pub use self::expression::{DEPTH_MAX, STEPS_MAX};
pub use self::lex::EXPRESSION_BYTES_MAX;
pub(crate) use self::read::{Asked, RawCheck, read};
use crate::model::{Severity, SlotName, Unit, Verb, VerbError};

/// Maximum checks in one manifest.
pub const CHECKS_MAX: usize = 32;
/// Maximum definitions of one check, and maximum metrics.
pub const NAMED_MAX: usize = 32;

/// All checks of a manifest, in its order; at least one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rules {
    /// The checks.
    pub checks: Vec<Check>,
}

/// One question about a target. `probes/interpreter/wit/rules.wit` says how the interpreter uses its parts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Check {
    /// The code of its findings.
    pub code: String,
    /// The verb that it calls.
    pub verb: Verb,
    /// The slot whose entries it asks about, if the verb takes an object.
    pub slot: Option<SlotName>,
    /// The list in the answer whose entries are the items, if the answer itself is not the list.
    pub each: Option<String>,
    /// Expressions that other expressions can name.
    pub definitions: Vec<Steps>,
    /// Which items count.
    pub filter: Option<Steps>,
    /// One finding about the number of items.
    pub summary: bool,
    /// Its subject.
    pub subject: Line,
    /// Its subject if there is no item.
    pub place: Line,
    /// Its title.
    pub title: Line,
    /// Its title if nothing is wrong.
    pub fine: Line,
    /// The condition for critical.
    pub critical: Option<Steps>,
    /// The condition for a warning.
    pub warning: Option<Steps>,
    /// The verdict if no item counts.
    pub nothing: Option<Verdict>,
    /// The verdicts if the verb ends with these errors.
    pub errors: Vec<(VerbError, Verdict)>,
    /// Its metrics.
    pub measures: Vec<Measure>,
}

/// A finding if there is nothing to judge.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// Its severity.
    pub severity: Severity,
    /// Its title.
    pub title: Line,
}

/// A metric of a finding.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measure {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: Steps,
    /// Its unit.
    pub unit: Unit,
}

/// An expression in postfix order. Well-typed: only [`read`] makes one.
pub type Steps = Vec<Step>;

/// A line for people.
pub type Line = Vec<Part>;

/// A step of an expression.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Step {
    /// A constant.
    Push(Value),
    /// A field of the item, or, after all its fields, a definition.
    Field(u32),
    /// A parameter.
    Param(String),
    /// The object that is bound to the slot.
    Slot,
    /// The start of the run, in seconds.
    Now,
    /// The number of items that count.
    Count,
    /// An operator.
    Apply(Operator),
}

/// A value: of a constant, or of an answer's field.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Value {
    /// Unknown.
    Absent,
    /// A finite number.
    Number(f64),
    /// A text, or an enum's case.
    Text(String),
    /// True or false.
    Flag(bool),
    /// Texts.
    Texts(Vec<String>),
}

/// An operation on values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "probes/interpreter/wit/rules.wit says what each does")]
pub enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    Negate,
    Not,
    And,
    Or,
    Equal,
    Unequal,
    Less,
    AtMost,
    More,
    AtLeast,
    Among,
    Contains,
    StartsWith,
    EndsWith,
    Known,
    Length,
    Parse,
    Magnitude,
    Least,
    Most,
}

/// The format of a value in a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Format {
    /// As it is.
    Plain,
    /// Without decimals.
    Whole,
    /// `91.2 %`.
    Percent,
    /// `12.3 GiB`.
    Bytes,
    /// `3 d 4 h`.
    Duration,
}

/// A piece of a line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Part {
    /// As it is.
    Literal(String),
    /// An expression's value.
    Value(Steps, Format),
}

/// A mistake in an expression or a line, and its position.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Mistake {
    /// A lower-case fragment.
    pub message: String,
    /// What to write instead, or empty.
    pub hint: String,
    /// The range of the mistake, in bytes.
    pub at: std::ops::Range<usize>,
}

impl Mistake {
    fn new(at: std::ops::Range<usize>, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { message: message.into(), hint: hint.into(), at }
    }
}

impl Rules {
    /// The verbs that the checks call.
    #[must_use]
    pub fn verbs(&self) -> std::collections::BTreeSet<Verb> {
        self.checks.iter().map(|check| check.verb).collect()
    }
}

#[cfg(test)]
mod tests;
