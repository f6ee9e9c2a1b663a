//! Cases: recorded answers and the findings they must lead to. A component runs in its sandbox, through the broker, as
//! in a sweep; only the transport is a tape.
//!
//! Knows: `cases/*.toml`. Must not know: any network.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde::Deserialize;
use toml::Spanned;

use crate::broker::{Broker, Link, RunContext};
use crate::fleet::{Access, Target};
use crate::grant::{self, Grant};
use crate::journal::Journal;
use crate::limits::Limits;
use crate::manifest::Manifest;
use crate::model::{Action, Literal, LookError, Object, ParamValue, Report, TargetName, Verb};
use crate::policy::Assignment;
use crate::sandbox::client::Worker;
use crate::sandbox::{self, LoadError};
use crate::source::{Problem, Problems, Source};
use crate::sweep::Borrowed;
use crate::transport::recorded::{Take, Tape};
use crate::transport::{Answer, Connection, Exit};
use crate::verbs::{self, Tier};

/// A case, read and held against its component's manifest.
#[derive(Debug)]
pub struct Case {
    /// One line for people.
    pub about: String,
    now_ms: u64,
    grant: Grant,
    tape: Tape,
    expected: Expected,
}

#[derive(Debug)]
enum Expected {
    Findings(Vec<RawFinding>),
    Failure(RawFailure),
}

/// How a case came out otherwise than expected: each line one difference.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Differences(pub Vec<String>);

/// Why a component cannot be put to its cases.
#[derive(Debug, thiserror::Error)]
pub enum CasesError {
    /// It is no component for this host.
    #[error("the component is refused")]
    Inspect(#[from] sandbox::InspectError),
    /// Its imports are not what its manifest asks for.
    #[error("the component is refused")]
    Imports(#[from] sandbox::ImportError),
    /// It cannot be compiled.
    #[error("the component cannot be loaded")]
    Load(#[from] LoadError),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCase {
    about: String,
    now: Spanned<String>,
    #[serde(default)]
    bind: BTreeMap<Spanned<String>, Spanned<toml::Value>>,
    #[serde(default)]
    param: BTreeMap<Spanned<String>, Spanned<toml::Value>>,
    #[serde(default, rename = "answer")]
    answers: Vec<RawAnswer>,
    #[serde(default, rename = "finding")]
    findings: Vec<RawFinding>,
    failure: Option<RawFailure>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawAnswer {
    action: Spanned<String>,
    #[serde(default)]
    stdout: String,
    #[serde(default)]
    stderr: String,
    #[serde(default)]
    exit: u32,
    error: Option<RawError>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum RawError {
    TimedOut,
    Unreachable,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFinding {
    code: String,
    severity: crate::model::Severity,
    #[serde(default)]
    subject: String,
    title: String,
    #[serde(default)]
    metrics: BTreeMap<String, toml::Value>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFailure {
    error: Option<LookError>,
    reason: Option<String>,
}

impl Case {
    /// Reads a case of a component.
    ///
    /// # Errors
    /// All mistakes in it, each with its place.
    pub fn parse(source: &Source, manifest: &Manifest) -> Result<Self, Problems> {
        let raw: RawCase = source.parse()?;
        let mut problems = Problems::default();
        let mut wrong = |span: std::ops::Range<usize>, message: String| {
            problems.push(Problem::at(source.at(span), message));
        };
        let now = raw.now.get_ref().parse::<Timestamp>();
        if now.is_err() {
            wrong(raw.now.span(), "a time is written 2026-11-21T12:00:00Z".to_owned());
        }
        let mut slots = BTreeMap::new();
        for (name, value) in &raw.bind {
            let Some((slot_name, slot)) = manifest.slots.get_key_value(name.get_ref().as_str()) else {
                wrong(name.span(), format!("`{}` has no slot `{}`", manifest.id, name.get_ref()));
                continue;
            };
            match literals(value.get_ref(), slot.object) {
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
        let place = source.at(0..0);
        let target = Target {
            name: TargetName::new("case").unwrap_or_else(|_| unreachable!("a literal that fits")),
            access: Access::Local,
            tags: Default::default(),
            place: place.clone(),
        };
        let grant = grant::compute(manifest, &target, &Assignment::new(manifest, &place, slots, params), &[]);
        let mut tape = Tape::default();
        for answer in raw.answers {
            match action(answer.action.get_ref()) {
                Some(action) => tape.record(action.id, take(answer)),
                None => wrong(answer.action.span(), "there is no such action".to_owned()),
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
        let now_ms = now.ok().and_then(|now| u64::try_from(now.as_millisecond()).ok()).unwrap_or(0);
        problems.or(Self { about: raw.about, now_ms, grant, tape, expected })
    }
}

fn literals(value: &toml::Value, object: Object) -> Option<Vec<Literal>> {
    match value {
        toml::Value::String(text) => Some(vec![Literal::parse(object, text).ok()?]),
        toml::Value::Array(items) => items.iter().map(|item| Literal::parse(object, item.as_str()?).ok()).collect(),
        _ => None,
    }
}

/// The action of an id such as `services.status:nginx.service`.
fn action(id: &str) -> Option<Action> {
    let (name, object) = id.split_once(':').map_or((id, None), |(name, object)| (name, Some(object)));
    let verb = Verb::from_name(name)?;
    let literal = match (verbs::spec(verb).object, object) {
        (Object::None, None) => None,
        (Object::None, Some(_)) | (_, None) => return None,
        (kind, Some(text)) => Some(Literal::parse(kind, text).ok()?),
    };
    Some(verbs::action(verb, literal, Tier::Local))
}

fn take(answer: RawAnswer) -> Take {
    match answer.error {
        Some(RawError::TimedOut) => Take::TimedOut,
        Some(RawError::Unreachable) => Take::Lost,
        None => Take::Answer(Answer {
            stdout: answer.stdout.into_bytes(),
            stderr: answer.stderr.into_bytes(),
            exit: Exit::Status(answer.exit),
        }),
    }
}

/// A component, loaded to be put to its cases.
#[derive(Debug)]
pub struct Bench {
    worker: Borrowed,
    broker: Arc<Broker>,
}

impl Bench {
    /// Checks and loads a component. `program` is the worker's executable, or none for this one; what happens is written
    /// to `journal`.
    ///
    /// # Errors
    /// When the component is refused or cannot be loaded.
    pub async fn new(
        program: Option<&std::path::Path>,
        manifest: &Manifest,
        bytes: &[u8],
        journal: Arc<Journal>,
    ) -> Result<Self, CasesError> {
        let verbs = manifest.verbs();
        let limits = Limits::asked(&manifest.limits);
        sandbox::check_imports(&sandbox::inspect(bytes, &limits)?, &verbs)?;
        let worker = Worker::load(program, bytes, &verbs, limits).await?;
        Ok(Self { worker: Borrowed::new(worker), broker: Arc::new(Broker::new(journal)) })
    }

    /// Puts the component to one case.
    pub async fn run(&self, case: &Case) -> Differences {
        let link = Arc::new(Link::new(Connection::Recorded(case.tape.clone())));
        let context = RunContext::new(0, Arc::new(case.grant.clone()), link);
        let view = crate::sweep::view(&case.grant);
        let ran = self.worker.run(&self.broker, &context, case.now_ms, view).await;
        let mut found = Differences::default();
        for action in context.calls().into_iter().filter_map(|call| call.action) {
            if !case.tape.has(&action) {
                found.0.push(format!("it asks for {action}, and the case records no answer to that"));
            }
        }
        match (&case.expected, &ran.end) {
            (Expected::Findings(expected), crate::journal::RunEnd::Report(report)) => found.findings(expected, report),
            (Expected::Failure(expected), crate::journal::RunEnd::CouldNotLook { reason, error }) => {
                found.differ("error", &expected.error, error);
                if let Some(text) = &expected.reason {
                    found.differ("reason", text, &reason.for_encoder().to_owned());
                }
            }
            (expected, end) => found.0.push(format!("expected {expected:?}, and it ended with {end:?}")),
        }
        found
    }
}

impl Differences {
    fn differ<T: PartialEq + std::fmt::Debug>(&mut self, what: &str, expected: &T, found: &T) {
        if expected != found {
            self.0.push(format!("{what}: expected {expected:?}, found {found:?}"));
        }
    }

    fn findings(&mut self, expected: &[RawFinding], report: &Report) {
        self.differ("findings", &expected.len(), &report.findings.len());
        for (index, (expected, found)) in expected.iter().zip(&report.findings).enumerate() {
            let at = |field: &str| format!("finding {}, {field}", index + 1);
            self.differ(&at("code"), &expected.code, &found.code);
            self.differ(&at("severity"), &expected.severity, &found.severity);
            self.differ(&at("subject"), &expected.subject, &found.subject.for_encoder().to_owned());
            self.differ(&at("title"), &expected.title, &found.title.for_encoder().to_owned());
            let names: Vec<_> = found.metrics.iter().map(|metric| metric.name.clone()).collect();
            for metric in &found.metrics {
                let wanted = expected.metrics.get(&metric.name).and_then(ParamValue::from_toml);
                match wanted {
                    Some(ParamValue::Number(wanted)) => {
                        if (wanted - metric.value).abs() > 1e-9 * wanted.abs().max(1.0) {
                            self.differ(&at(&metric.name), &wanted, &metric.value);
                        }
                    }
                    _ => self.0.push(format!("{}: found {}, expected no such metric", at(&metric.name), metric.value)),
                }
            }
            for name in expected.metrics.keys().filter(|name| !names.contains(name)) {
                self.0.push(format!("{}: expected, and not there", at(name)));
            }
        }
    }
}
