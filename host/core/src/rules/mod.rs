//! Checks that stand in a manifest, for the built-in interpreter: a simple check needs no compiler.
//!
//! Knows: `[[check]]`, what verbs answer (by the contract), expressions. Must not know: any fleet or policy, wasm, how an
//! expression is run. Attack answered: a check that says nothing where its author thought that it says something: every
//! field, type, parameter, slot and case is checked when the manifest is read, and an expression cannot loop or fail.

mod expression;
mod lex;
mod line;
mod read;

use serde::{Deserialize, Serialize};

pub use self::expression::{DEPTH_MAX, STEPS_MAX};
pub use self::lex::EXPRESSION_BYTES_MAX;
pub(crate) use self::read::{Asked, RawCheck, read};
use crate::model::{Severity, SlotName, Unit, Verb, VerbError};

/// Checks in one manifest.
pub const CHECKS_MAX: usize = 32;
/// Definitions, and numbers, of one check.
pub const NAMED_MAX: usize = 32;

/// All checks of a manifest, in its order; at least one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rules {
    /// They.
    pub checks: Vec<Check>,
}

/// One question about a target. What its parts mean to the interpreter stands in `probes/interpreter/wit/rules.wit`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Check {
    /// The code of its findings.
    pub code: String,
    /// What is asked.
    pub verb: Verb,
    /// About whose entries, if the verb takes an object.
    pub slot: Option<SlotName>,
    /// The list of the answer whose entries are the items, if it is not the answer itself.
    pub each: Option<String>,
    /// Expressions that others name.
    pub definitions: Vec<Steps>,
    /// Which items count.
    pub filter: Option<Steps>,
    /// One finding about the number of items.
    pub summary: bool,
    /// What it is about.
    pub subject: Line,
    /// The same where no item is known.
    pub place: Line,
    /// Its title.
    pub title: Line,
    /// Its title in good order.
    pub fine: Line,
    /// When it is critical.
    pub critical: Option<Steps>,
    /// When it is a warning.
    pub warning: Option<Steps>,
    /// If no item counts.
    pub nothing: Option<Verdict>,
    /// If the verb ends in one of these errors.
    pub errors: Vec<(VerbError, Verdict)>,
    /// The numbers behind it.
    pub measures: Vec<Measure>,
}

/// What is said where there is nothing to judge.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// How bad that is.
    pub severity: Severity,
    /// What is said.
    pub title: Line,
}

/// A number behind a finding.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measure {
    /// Its name.
    pub name: String,
    /// What it is.
    pub value: Steps,
    /// What it counts in.
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
    /// What is bound to the slot.
    Slot,
    /// The run's beginning, in seconds.
    Now,
    /// The number of items that count.
    Count,
    /// An operator.
    Apply(Operator),
}

/// A value: of a constant, or of an answer's field.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Value {
    /// Not known.
    Absent,
    /// A finite number.
    Number(f64),
    /// A text, or an enum's case.
    Text(String),
    /// Yes or no.
    Flag(bool),
    /// Texts.
    Texts(Vec<String>),
}

/// What is done to values.
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

/// How a value is written into a line.
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

/// What is wrong with an expression or a line, and where in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Mistake {
    /// A lower-case fragment.
    pub message: String,
    /// What to write instead, if there is something to say.
    pub hint: String,
    /// The bytes that are meant.
    pub at: std::ops::Range<usize>,
}

impl Mistake {
    fn new(at: std::ops::Range<usize>, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { message: message.into(), hint: hint.into(), at }
    }
}

impl Rules {
    /// The verbs that are asked.
    #[must_use]
    pub fn verbs(&self) -> std::collections::BTreeSet<Verb> {
        self.checks.iter().map(|check| check.verb).collect()
    }
}

#[cfg(test)]
mod tests;
