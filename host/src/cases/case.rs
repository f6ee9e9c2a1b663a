//! One case, as a person or a recording wrote it, held against its component's manifest.
//!
//! Knows: the file's grammar. Must not know: how it is run.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use data_encoding::BASE64;
use jiff::Timestamp;
use serde::Deserialize;
use toml::Spanned;

use crate::fleet::{Access, Target};
use crate::grant::{self, Grant};
use crate::manifest::Manifest;
use crate::model::{ActionId, Literal, LookError, Object, ParamValue, Severity, TargetName, Verb};
use crate::policy::{Assignment, Named, RawCommand, RawStatement};
use crate::source::{Problem, Problems, Source};
use crate::transport::recorded::{Take, Tape};
use crate::transport::{Answer, Exit};
use crate::verbs;

/// A case, read and held against its component's manifest.
#[derive(Debug)]
pub struct Case {
    /// One line for people.
    pub about: String,
    pub(super) now_ms: u64,
    pub(super) previous_ms: Option<u64>,
    pub(super) grant: Arc<Grant>,
    pub(super) tape: Tape,
    pub(super) expected: Expected,
}

/// What it must lead to.
#[derive(Debug)]
pub(super) enum Expected {
    Findings(Vec<RawFinding>),
    Failure(RawFailure),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCase {
    about: String,
    now: Spanned<String>,
    /// When the component's last run on the target began.
    previous: Option<Spanned<String>>,
    /// What the component is told that its target is called.
    target: Option<Spanned<String>>,
    #[serde(default)]
    bind: BTreeMap<Spanned<String>, Spanned<toml::Value>>,
    #[serde(default)]
    param: BTreeMap<Spanned<String>, Spanned<toml::Value>>,
    #[serde(default, rename = "statement")]
    statements: BTreeMap<Spanned<String>, RawStatement>,
    #[serde(default, rename = "command")]
    commands: BTreeMap<Spanned<String>, RawCommand>,
    #[serde(default, rename = "answer")]
    answers: Vec<RawAnswer>,
    #[serde(default, rename = "finding")]
    findings: Vec<RawFinding>,
    failure: Option<RawFailure>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct RawAnswer {
    action: Spanned<String>,
    #[serde(default)]
    stdout: String,
    #[serde(default)]
    stderr: String,
    stdout_base64: Option<Spanned<String>>,
    stderr_base64: Option<Spanned<String>>,
    exit: Option<RawExit>,
    error: Option<RawError>,
}

/// A status, or how else it ended.
#[derive(Deserialize)]
#[serde(untagged)]
enum RawExit {
    Status(u32),
    Else(RawEnd),
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum RawEnd {
    Signal,
    Unsaid,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum RawError {
    TimedOut,
    Unreachable,
    NotPermitted,
    TooLarge,
}

/// A finding as a case writes it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawFinding {
    pub(super) code: String,
    pub(super) severity: Severity,
    #[serde(default)]
    pub(super) subject: String,
    pub(super) title: String,
    #[serde(default)]
    pub(super) metrics: BTreeMap<String, toml::Value>,
}

/// That it could not look, as a case writes it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawFailure {
    pub(super) error: Option<LookError>,
    pub(super) reason: Option<String>,
}

impl Case {
    /// Reads a case of a component.
    ///
    /// # Errors
    /// All mistakes in it, each with its place.
    pub fn parse(source: &Source, manifest: &Manifest) -> Result<Self, Problems> {
        let raw: RawCase = source.parse()?;
        let mut problems = Problems::default();
        let named = Named::read(source, &raw.statements, &raw.commands, &mut problems);
        let mut wrong = |span: std::ops::Range<usize>, message: String| {
            problems.push(Problem::at(source.at(span), message));
        };
        let mut time = |written: &Spanned<String>| {
            let time = written.get_ref().parse::<Timestamp>();
            if time.is_err() {
                wrong(written.span(), "a time is written 2026-11-21T12:00:00Z".to_owned());
            }
            time.ok().and_then(|time| u64::try_from(time.as_millisecond()).ok())
        };
        let now_ms = time(&raw.now).unwrap_or(0);
        let previous_ms = raw.previous.as_ref().and_then(time);
        let mut slots = BTreeMap::new();
        for (name, value) in &raw.bind {
            let Some((slot_name, slot)) = manifest.slots.get_key_value(name.get_ref().as_str()) else {
                wrong(name.span(), format!("`{}` has no slot `{}`", manifest.id, name.get_ref()));
                continue;
            };
            match literals(value.get_ref(), slot.object, &named) {
                Some(literals) if slot.many || literals.len() == 1 => drop(slots.insert(slot_name.clone(), literals)),
                _ => wrong(value.span(), "this cannot be bound to the slot".to_owned()),
            }
        }
        let mut params = BTreeMap::new();
        for (name, value) in &raw.param {
            match (manifest.params.get_key_value(name.get_ref().as_str()), ParamValue::from_toml(value.get_ref())) {
                (Some((name, param)), Some(value)) if value.kind() == param.default.kind() => {
                    params.insert(name.clone(), value);
                }
                (None, _) => wrong(name.span(), format!("`{}` has no parameter `{}`", manifest.id, name.get_ref())),
                (Some(_), _) => wrong(value.span(), "the value has another type than the parameter".to_owned()),
            }
        }
        let name = raw.target.as_ref().map_or("case", |name| name.get_ref());
        let Ok(name) = TargetName::new(name) else {
            wrong(raw.target.map_or(0..0, |name| name.span()), "this cannot be a target's name".to_owned());
            return Err(problems);
        };
        let place = source.at(0..0);
        let target = Target { name, access: Access::Local, tags: Default::default(), place: place.clone() };
        let grant = grant::compute(manifest, &target, &Assignment::new(manifest, &place, slots, params), &[]);
        let mut tape = Tape::default();
        for answer in raw.answers {
            let Some(id) = action(answer.action.get_ref(), &grant) else {
                wrong(answer.action.span(), "there is no such action".to_owned());
                continue;
            };
            match take(&answer) {
                Ok(take) => tape.record(id, take),
                Err(span) => wrong(span, "this is not base64".to_owned()),
            }
        }
        let expected = match (raw.failure, raw.findings.is_empty()) {
            (Some(failure), true) => Expected::Failure(failure),
            (None, _) => Expected::Findings(raw.findings),
            (Some(_), false) => {
                wrong(0..0, "a case expects findings or a failure, not both".to_owned());
                Expected::Findings(Vec::new())
            }
        };
        problems.or(Self { about: raw.about, now_ms, previous_ms, grant: Arc::new(grant), tape, expected })
    }
}

fn literals(value: &toml::Value, object: Object, named: &Named) -> Option<Vec<Literal>> {
    match value {
        toml::Value::String(text) => Some(vec![named.literal(object, text).ok()?]),
        toml::Value::Array(items) => items.iter().map(|item| named.literal(object, item.as_str()?).ok()).collect(),
        _ => None,
    }
}

/// The id that a case writes, such as `services.status:nginx.service`: one that the case's own bindings lead to, or any
/// other that could be. What stands for a statement or a command may be left out: `postgres.query:failed-jobs`.
fn action(id: &str, grant: &Grant) -> Option<ActionId> {
    let mut granted = grant.entries().map(|granted| &granted.action.id);
    let short = |known: &ActionId| known.as_str().split('#').next() == Some(id);
    if let Some(known) = granted.find(|known| known.as_str() == id || short(known)) {
        return Some(known.clone());
    }
    let (name, object) = id.split_once(':').map_or((id, None), |(name, object)| (name, Some(object)));
    let verb = Verb::from_name(name)?;
    let literal = match (verbs::spec(verb).object, object) {
        (Object::None, None) => None,
        (Object::None, Some(_)) | (_, None) => return None,
        (kind, Some(text)) => Some(Literal::parse(kind, text).ok()?),
    };
    Some(ActionId::new(verb, literal.as_ref()))
}

/// What an answer plays back; where its base64 is none.
fn take(answer: &RawAnswer) -> Result<Take, Range<usize>> {
    let bytes = |text: &str, base64: &Option<Spanned<String>>| match base64 {
        Some(base64) => BASE64.decode(base64.get_ref().as_bytes()).map_err(|_| base64.span()),
        None => Ok(text.as_bytes().to_vec()),
    };
    Ok(match answer.error {
        Some(RawError::TimedOut) => Take::TimedOut,
        Some(RawError::Unreachable) => Take::Lost,
        Some(RawError::NotPermitted) => Take::NotStarted,
        Some(RawError::TooLarge) => Take::TooLarge,
        None => Take::Answer(Answer {
            stdout: bytes(&answer.stdout, &answer.stdout_base64)?,
            stderr: bytes(&answer.stderr, &answer.stderr_base64)?,
            exit: match answer.exit {
                None => Exit::Status(0),
                Some(RawExit::Status(status)) => Exit::Status(status),
                Some(RawExit::Else(RawEnd::Signal)) => Exit::Signal,
                Some(RawExit::Else(RawEnd::Unsaid)) => Exit::Unsaid,
            },
        }),
    })
}
