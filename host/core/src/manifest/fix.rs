//! The parts of a manifest that only a fix has: its contract, the findings that it answers, and every byte that it may write.
//!
//! Attack answered: bytes that are written without a review (PH07, FS14). A text is in the manifest or in policy, a review
//! shows all of it, and its digest is part of its action's name.

use std::collections::BTreeSet;

use serde::Deserialize;
use toml::Spanned;

use super::{Reader, Slot};
use crate::encode;
use crate::model::{At, ComponentId, ContentName, Effect, Object, SlotName, Verb, World};
use crate::source::Place;
use crate::verbs::{needs_content, spec};

/// Maximum bytes of a text.
pub(super) const TEXT_BYTES_MAX: usize = 32 << 10;
/// Maximum bytes of a line.
pub(super) const LINE_BYTES_MAX: usize = 1 << 10;
/// Maximum number of constraints in a contract.
pub(super) const CONSTRAINTS_MAX: usize = 8;

/// Why a fix exists, for a reader who finds its change years later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contract {
    /// What it achieves.
    pub intent: String,
    /// Why this way.
    pub rationale: String,
    /// What breaks if it is rolled back.
    pub if_reverted: String,
    /// The constraints that led to this design. At least one.
    pub constraints: Vec<String>,
}

/// A finding that a fix answers.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Answers {
    /// The probe that reports it.
    pub probe: ComponentId,
    /// Its code.
    pub code: String,
}

/// A declared content that may be written into a file.
#[derive(Debug, Clone)]
pub struct Content {
    /// The text or line.
    pub body: Body,
    /// The author's reason.
    pub why: String,
    /// The place in the manifest.
    pub place: Place,
}

/// A text or a line for a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// The whole content of the file.
    Text(String),
    /// One line of the file.
    Line {
        /// Without its end.
        line: String,
        /// The position, if the line is missing.
        at: At,
    },
}

/// Why a content cannot be written into a file. A reviewer must be able to see all of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// It is empty.
    #[error("there is nothing in it")]
    Empty,
    /// It is too large.
    #[error("it has {found} bytes; at most {max} are written")]
    Long {
        /// Its size in bytes.
        found: usize,
        /// The limit.
        max: usize,
    },
    /// It holds invisible characters.
    #[error("line {line} holds characters that cannot be shown")]
    Hidden {
        /// The line, from 1.
        line: usize,
    },
    /// The line holds a line end.
    #[error("`line` must be one line, without a line end")]
    Lines,
}

impl Body {
    /// Checks a text: a reader must see all of it.
    ///
    /// # Errors
    /// When a reader does not, or it is empty or too long.
    pub fn text(text: &str) -> Result<Self, BodyError> {
        check(text, TEXT_BYTES_MAX)?;
        Ok(Self::Text(text.to_owned()))
    }

    /// Checks a line: a reader must see all of it.
    ///
    /// # Errors
    /// As for a text, and when it is more than one line.
    pub fn line(line: &str, at: At) -> Result<Self, BodyError> {
        if line.contains(['\n', '\r']) {
            return Err(BodyError::Lines);
        }
        check(line, LINE_BYTES_MAX)?;
        Ok(Self::Line { line: line.to_owned(), at })
    }

    /// The operator's replacement, of the same kind.
    ///
    /// # Errors
    /// As for the author's content.
    pub fn replaced(&self, by: &str) -> Result<Self, BodyError> {
        match self {
            Self::Text(_) => Self::text(by),
            Self::Line { at, .. } => Self::line(by, *at),
        }
    }

    /// True if the verb writes this kind of content.
    #[must_use]
    pub const fn fits(&self, verb: Verb) -> bool {
        match self {
            Self::Text(_) => matches!(verb, Verb::FilesChangeWrite),
            Self::Line { .. } => matches!(verb, Verb::FilesChangeEnsureLine | Verb::FilesChangeRemoveLine),
        }
    }
}

fn check(text: &str, max: usize) -> Result<(), BodyError> {
    if text.is_empty() {
        return Err(BodyError::Empty);
    }
    if text.len() > max {
        return Err(BodyError::Long { found: text.len(), max });
    }
    encode::seen_whole(text).map_err(|line| BodyError::Hidden { line })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RawContract {
    intent: Spanned<String>,
    rationale: Spanned<String>,
    if_reverted: Spanned<String>,
    constraints: Spanned<Vec<Spanned<String>>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawAnswers {
    probe: Spanned<String>,
    code: Spanned<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawContent {
    pub(super) name: Spanned<String>,
    text: Option<Spanned<String>>,
    line: Option<Spanned<String>>,
    at: Option<Spanned<At>>,
    why: Spanned<String>,
}

/// The parts of a manifest that belong to a fix.
pub(super) struct RawFix<'r> {
    pub(super) contract: Option<&'r RawContract>,
    pub(super) answers: &'r [RawAnswers],
    pub(super) contents: &'r [RawContent],
}

impl Reader<'_> {
    pub(super) fn contract(&mut self, raw: &RawContract) -> Contract {
        self.line(&raw.intent, "a contract needs an `intent`");
        self.line(&raw.rationale, "a contract needs a `rationale`");
        self.line(&raw.if_reverted, "a contract needs an `if-reverted`: what breaks when the change is rolled back");
        let constraints = raw.constraints.get_ref();
        if constraints.is_empty() {
            self.wrong(&raw.constraints, "a contract needs `constraints`", "write one sentence for each constraint");
        } else if constraints.len() > CONSTRAINTS_MAX {
            let message = format!("{} constraints; at most {CONSTRAINTS_MAX}", constraints.len());
            self.wrong(&raw.constraints, message, "keep those that decided");
        }
        for constraint in constraints {
            self.line(constraint, "a constraint must not be empty");
        }
        Contract {
            intent: raw.intent.get_ref().clone(),
            rationale: raw.rationale.get_ref().clone(),
            if_reverted: raw.if_reverted.get_ref().clone(),
            constraints: constraints.iter().map(|text| text.get_ref().clone()).collect(),
        }
    }

    pub(super) fn answers(&mut self, raw: &[RawAnswers]) -> BTreeSet<Answers> {
        let mut answers = BTreeSet::new();
        for raw in raw {
            let probe = self.take(&raw.probe, ComponentId::new, "");
            let code = raw.code.get_ref();
            let fits = (1..=64).contains(&code.len())
                && code.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
            if !fits {
                self.wrong(&raw.code, "a finding's code must match `[a-z0-9-]{1,64}`", "");
            } else if let Some(probe) = probe
                && !answers.insert(Answers { probe, code: code.clone() })
            {
                self.wrong(&raw.code, "named twice", "");
            }
        }
        answers
    }

    pub(super) fn content(&mut self, raw: &RawContent) -> Option<(ContentName, Content)> {
        self.line(&raw.why, "every content needs a `why`");
        let name = self.take(&raw.name, ContentName::new, "");
        if name.as_ref().is_some_and(|name| name.as_str() == "computed") {
            self.wrong(&raw.name, "`computed` is reserved for bytes that a fix computes", "choose another name");
        }
        if let (Some(at), None) = (&raw.at, &raw.line) {
            self.wrong(at, "`at` applies only to a line", "remove it");
        }
        let at = raw.at.as_ref().map_or(At::End, |at| *at.get_ref());
        let (written, body) = match (&raw.text, &raw.line) {
            (Some(text), None) => (text, Body::text(text.get_ref())),
            (None, Some(line)) => (line, Body::line(line.get_ref(), at)),
            (None, None) => {
                self.wrong(&raw.name, "it has no bytes", "add text = '''…''' for a whole file, or line = \"…\"");
                return None;
            }
            (Some(_), Some(line)) => {
                self.wrong(line, "a content is a text or a line, not both", "make two of them");
                return None;
            }
        };
        let hint = |error: &BodyError| match error {
            BodyError::Lines => "remove the line end, or use `text` for several lines",
            _ => "use only plain text, spaces, tabs and line ends, so that a reviewer sees all of it",
        };
        let body = body.map_err(|error| self.wrong(written, &error, hint(&error))).ok()?;
        let place = self.source.at(raw.name.span());
        Some((name?, Content { body, why: raw.why.get_ref().clone(), place }))
    }

    /// Checks that a manifest matches its world: a fix has a contract, answers at least one finding, and has a verb that
    /// changes; a probe has none of these.
    pub(super) fn fits_world(
        &mut self,
        world: World,
        id: &Spanned<String>,
        raw: &RawFix<'_>,
        verbs: &[(Verb, &Spanned<String>)],
    ) {
        let changing = verbs.iter().find(|(verb, _)| spec(*verb).effect == Effect::Change);
        match world {
            World::Probe => {
                let hint = "a component that changes something is built for world `bailiwick:ops/fix@0.1.0`";
                if let Some((verb, at)) = changing {
                    self.wrong(at, format!("`{verb}` changes something, and a probe only observes"), hint);
                }
                if let Some(contract) = raw.contract {
                    self.wrong(&contract.intent, "a probe changes nothing, and has no [contract]", hint);
                }
                if let Some(answers) = raw.answers.first() {
                    self.wrong(&answers.probe, "a probe cannot have [[answers]]", hint);
                }
                if let Some(content) = raw.contents.first() {
                    self.wrong(&content.name, "a probe writes nothing, and has no [[content]]", hint);
                }
            }
            World::Fix => {
                if raw.contract.is_none() {
                    let hint = "add [contract] with intent, rationale, if-reverted and constraints";
                    self.wrong(id, "a fix without a contract does not load", hint);
                }
                if raw.answers.is_empty() {
                    let hint = "add [[answers]] with `probe` and `code`";
                    self.wrong(id, "a fix answers at least one finding of a probe", hint);
                }
                if changing.is_none() {
                    let hint = "ask for a changing verb in a [[slot]], or build a probe";
                    self.wrong(id, "a fix that asks for no changing verb can change nothing", hint);
                }
            }
        }
    }

    /// Checks that a slot's contents exist, and that a verb of the slot takes each of them.
    pub(super) fn slot_content(
        &mut self,
        names: &[Spanned<String>],
        at: &Spanned<String>,
        verbs: &BTreeSet<Verb>,
        contents: &[(ContentName, Content)],
    ) -> BTreeSet<ContentName> {
        let mut named = BTreeSet::new();
        for name in names {
            let Some((known, content)) = contents.iter().find(|(known, _)| known.as_str() == name.get_ref()) else {
                let message = format!("unknown [[content]] `{}`", name.get_ref().escape_debug());
                self.wrong(name, message, "write it down: [[content]] with name, text or line, and why");
                continue;
            };
            if !verbs.iter().any(|verb| content.body.fits(*verb)) {
                let kind = match content.body {
                    Body::Text(_) => "a whole text, which only `files-change.write` takes",
                    Body::Line { .. } => {
                        "a line, which only `files-change.ensure-line` and `files-change.remove-line` take"
                    }
                };
                self.wrong(name, format!("`{known}` is {kind}"), "");
            } else if !named.insert(known.clone()) {
                self.wrong(name, format!("`{known}` is named twice"), "");
            }
        }
        for verb in verbs.iter().filter(|verb| needs_content(**verb)) {
            let has = contents.iter().any(|(name, content)| named.contains(name) && content.body.fits(*verb));
            if !has && names.len() == named.len() {
                let kind = if *verb == Verb::FilesChangeWrite { "a text" } else { "a line" };
                let message = format!("`{verb}` needs {kind} that it may put there");
                self.wrong(at, message, "add content = [\"NAME\"] to this slot, and the [[content]]");
            }
        }
        named
    }

    /// Checks that a fix may change the default of a slot.
    pub(super) fn changeable(&mut self, at: &Spanned<String>, slot: &Slot) {
        if let Some(literal) = &slot.default
            && let Err(error) = slot.changeable(literal)
        {
            self.wrong(at, error, "no policy can allow it; choose another object");
        }
    }

    /// Refuses a content that no slot names.
    pub(super) fn unused(&mut self, raw: &[RawContent], slots: &std::collections::BTreeMap<SlotName, Slot>) {
        for raw in raw {
            let is_used = slots.values().any(|slot| slot.content.contains(raw.name.get_ref().as_str()));
            if !is_used {
                let message = format!("no slot names the content `{}`", raw.name.get_ref().escape_debug());
                self.wrong(&raw.name, message, "add it to `content` of a [[slot]], or remove it");
            }
        }
    }
}

impl Slot {
    /// Checks that the bound literal may be changed, if the slot has a verb that changes.
    ///
    /// # Errors
    /// When no change may ever touch it.
    pub fn changeable(&self, literal: &crate::model::Literal) -> Result<(), crate::model::LiteralError> {
        use crate::model::{Literal, writable};
        if !self.verbs.iter().any(|verb| spec(*verb).effect == Effect::Change) {
            return Ok(());
        }
        match (self.object, literal) {
            (Object::Path, Literal::Path(path)) => writable::path(path),
            (Object::Unit, Literal::Unit(unit)) => writable::unit(unit),
            _ => Ok(()),
        }
    }
}
