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

use bailiwick_core::fleet::{Access, Target};
use bailiwick_core::manifest::{Manifest, Scope};
use bailiwick_core::model::{
    ActionId, Literal, LookError, Object, ParamValue, Phase, Point, Severity, Tainted, TargetName, Unit, Verb, World,
};
use bailiwick_core::model::{Answer, Exit, Timing};
use bailiwick_core::source::{Problem, Problems, Source};
use bailiwick_core::verbs;
use bailiwick_journal::history::Earlier;
use bailiwick_policy::grant;
use bailiwick_policy::grant::Grant;
use bailiwick_policy::policy::{
    Assignment, Named, RawChangeCommand, RawCommand, RawStateless, RawStatement, Stateless,
};
use bailiwick_transport::recorded::{RecordedAnswer, RecordedAnswers};

/// A case, read and held against its component's manifest.
#[derive(Debug)]
pub struct Case {
    /// One line for people.
    pub about: String,
    pub(super) now_ms: u64,
    /// Which part of the component's work it is about.
    pub(super) phase: Phase,
    /// Never none.
    pub(super) targets: Vec<On>,
    pub(super) expected: Expected,
}

/// One target of a case.
#[derive(Debug)]
pub(super) struct On {
    pub(super) grant: Arc<Grant>,
    pub(super) answers: RecordedAnswers,
    /// What the component has said of it before.
    pub(super) earlier: Earlier,
}

/// What it must lead to.
#[derive(Debug)]
pub(super) enum Expected {
    Findings(Vec<RawFinding>),
    Failure(RawFailure),
    Plan(RawPlan),
}

/// What a fix must decide, as a case writes it: one of the three.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawPlan {
    /// What it says that it saw.
    pub(super) propose: Option<String>,
    /// Why there is nothing to do.
    pub(super) nothing: Option<String>,
    /// Why it is not its to do.
    pub(super) refuse: Option<String>,
    /// Whose it is then.
    pub(super) owner: Option<String>,
    /// The ids of the changes on its list, in order; the digest of what is written may be left out.
    #[serde(default)]
    pub(super) stages: Vec<String>,
    /// The texts that it made, in the order of their changes.
    #[serde(default)]
    pub(super) computed: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCase {
    about: String,
    now: Spanned<String>,
    /// When the component's latest run there began that could look; if it is not said, the time of the newest of the
    /// numbers below.
    previous: Option<Spanned<String>>,
    /// What the component is told that its target is called.
    target: Option<Spanned<String>>,
    /// The same, for one that looks at several at once. What is bound and set is the same on all of them.
    #[serde(default)]
    targets: Vec<Spanned<String>>,
    #[serde(default)]
    bind: BTreeMap<Spanned<String>, Spanned<toml::Value>>,
    #[serde(default)]
    param: BTreeMap<Spanned<String>, Spanned<toml::Value>>,
    #[serde(default, rename = "statement")]
    statements: BTreeMap<Spanned<String>, RawStatement>,
    #[serde(default, rename = "command")]
    commands: BTreeMap<Spanned<String>, RawCommand>,
    #[serde(default, rename = "change-command")]
    change_commands: BTreeMap<Spanned<String>, RawChangeCommand>,
    #[serde(default, rename = "answer")]
    answers: Vec<RawAnswer>,
    #[serde(default)]
    earlier: Vec<RawEarlier>,
    #[serde(default, rename = "finding")]
    findings: Vec<RawFinding>,
    failure: Option<RawFailure>,
    /// Of a fix: `plan`, or `verify`.
    phase: Option<Spanned<Phase>>,
    plan: Option<Spanned<RawPlan>>,
    stateless: Option<Spanned<RawStateless>>,
}

/// What the component has said before, one metric over time.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawEarlier {
    on: Option<Spanned<String>>,
    code: String,
    #[serde(default)]
    subject: String,
    metric: String,
    unit: Unit,
    /// Times and values, in any order.
    points: Vec<(Spanned<String>, f64)>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct RawAnswer {
    /// The target, in a case with several.
    on: Option<Spanned<String>>,
    action: Spanned<String>,
    #[serde(default)]
    stdout: String,
    #[serde(default)]
    stderr: String,
    stdout_base64: Option<Spanned<String>>,
    stderr_base64: Option<Spanned<String>>,
    exit: Option<RawExit>,
    error: Option<RawError>,
    /// When it was asked, where that matters.
    asked: Option<Spanned<String>>,
    elapsed_us: Option<u64>,
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
        let stateless = Stateless::read(source, raw.stateless.as_ref(), &mut problems);
        let named = Named::read(source, &raw.statements, &raw.commands, &raw.change_commands, &mut problems);
        let mut wrong = |span: std::ops::Range<usize>, message: String| {
            problems.push(Problem::at(source.at(span), message));
        };
        let mut time = |written: &Spanned<String>| {
            let time = millis(written.get_ref());
            if time.is_none() {
                wrong(written.span(), "a time is written 2026-11-21T12:00:00Z".to_owned());
            }
            time
        };
        let now_ms = time(&raw.now).unwrap_or(0);
        let previous_ms = raw.previous.as_ref().and_then(&mut time);
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
        let mut named: Vec<&Spanned<String>> = raw.targets.iter().chain(&raw.target).collect();
        named.sort_by_key(|name| name.get_ref());
        if let (Some(both), false) = (&raw.target, raw.targets.is_empty()) {
            wrong(both.span(), "a case has `target` or `targets`, not both".to_owned());
        }
        if let (Some(first), Scope::Target) = (raw.targets.get(1), manifest.scope) {
            wrong(first.span(), format!("`{}` looks at one target at a time", manifest.id));
        }
        let mut names = Vec::new();
        for name in named {
            match TargetName::new(name.get_ref()) {
                Ok(name) if !names.contains(&name) => names.push(name),
                Ok(_) => wrong(name.span(), "it is named twice".to_owned()),
                Err(_) => wrong(name.span(), "this cannot be a target's name".to_owned()),
            }
        }
        if let (true, Ok(case)) = (raw.target.is_none() && raw.targets.is_empty(), TargetName::new("case")) {
            names.push(case);
        }
        let place = source.at(0..0);
        let phase = phase(&raw, manifest, &mut wrong);
        let bars = grant::Exclusions { never: &[], stateless: Some(&stateless) };
        // A fix changes nothing where there is no gate; nothing is ever sent to this one.
        let access = if manifest.world == World::Fix { Access::gated_nowhere() } else { Some(Access::Local) };
        let mut targets = Vec::new();
        for name in names {
            let access = access.clone().unwrap_or(Access::Local);
            let target = Target { name, access, tags: Default::default(), place: place.clone() };
            let assignment = Assignment::new(manifest, &place, slots.clone(), params.clone());
            let grant = Arc::new(grant::compute(manifest, &target, &assignment, bars));
            targets.push(On { grant, answers: RecordedAnswers::default(), earlier: Earlier::default() });
        }
        for answer in raw.answers {
            let Some(on) = pick(&mut targets, answer.on.as_ref()) else {
                let at = answer.on.as_ref().unwrap_or(&answer.action).span();
                wrong(at, "`on` names one of several targets".to_owned());
                continue;
            };
            let Some(id) = action(answer.action.get_ref(), &on.grant) else {
                wrong(answer.action.span(), "there is no such action".to_owned());
                continue;
            };
            match take(&answer, now_ms.saturating_mul(1_000)) {
                Ok(take) => on.answers.record(id, take),
                Err((span, what)) => wrong(span, what.to_owned()),
            }
        }
        for series in raw.earlier {
            let at = series.on.as_ref().map_or(0..0, Spanned::span);
            let Some(on) = pick(&mut targets, series.on.as_ref()) else {
                wrong(at, "`on` names one of several targets".to_owned());
                continue;
            };
            if manifest.history.is_none() {
                wrong(at, format!("`{}` does not ask for its [history]", manifest.id));
            }
            for (time, value) in &series.points {
                match millis(time.get_ref()) {
                    Some(time_ms) => on.earlier.points.push(series.point(time_ms, *value)),
                    None => wrong(time.span(), "a time is written 2026-11-21T12:00:00Z".to_owned()),
                }
            }
        }
        for on in &mut targets {
            on.earlier.points.sort_by_key(|point| point.time_ms);
            on.earlier.previous_ms = previous_ms.or_else(|| on.earlier.newest_ms());
        }
        if targets.is_empty() {
            return Err(problems);
        }
        let expected = match (raw.failure, raw.findings.is_empty()) {
            (None, true) if phase == Phase::Plan => {
                Expected::Plan(raw.plan.map(Spanned::into_inner).unwrap_or_default())
            }
            (Some(failure), true) => Expected::Failure(failure),
            (None, _) => Expected::Findings(raw.findings),
            (Some(_), false) => {
                wrong(0..0, "a case expects findings or a failure, not both".to_owned());
                Expected::Findings(Vec::new())
            }
        };
        problems.or(Self { about: raw.about, now_ms, phase, targets, expected })
    }
}

/// The part of a component's work that a case is about, and whether it expects what that part can come to.
fn phase(raw: &RawCase, manifest: &Manifest, wrong: &mut impl FnMut(Range<usize>, String)) -> Phase {
    let said = raw.phase.as_ref().map(|phase| (*phase.get_ref(), phase.span()));
    let phase = match (manifest.world, said) {
        (World::Probe, None) => Phase::Examine,
        (World::Fix, None) => Phase::Plan,
        (World::Fix, Some((phase @ (Phase::Plan | Phase::Verify), _))) => phase,
        (World::Fix, Some((_, span))) => {
            wrong(span, "a fix has `plan` and `verify`".to_owned());
            Phase::Plan
        }
        (World::Probe, Some((_, span))) => {
            wrong(span, "a probe has one part only".to_owned());
            Phase::Examine
        }
    };
    match &raw.plan {
        Some(plan) if phase != Phase::Plan => {
            wrong(plan.span(), "only `plan` of a fix comes to a [plan]".to_owned());
        }
        Some(plan) => {
            let RawPlan { propose, nothing, refuse, owner, .. } = plan.get_ref();
            let said = [propose, nothing, refuse].into_iter().flatten().count();
            if said != 1 || refuse.is_some() != owner.is_some() {
                let one = "a [plan] says `propose`, or `nothing`, or `refuse` and `owner`";
                wrong(plan.span(), one.to_owned());
            }
        }
        None if phase == Phase::Plan && raw.failure.is_none() => {
            wrong(0..0, "a case of a fix expects a [plan] or a [failure]; or it says phase = \"verify\"".to_owned());
        }
        None => {}
    }
    phase
}

/// The target that is meant: the only one, or the one that is named.
fn pick<'t>(targets: &'t mut [On], on: Option<&Spanned<String>>) -> Option<&'t mut On> {
    match (targets, on) {
        ([only], None) => Some(only),
        (targets, on) => {
            let on = on?.get_ref();
            targets.iter_mut().find(|target| target.grant.target.as_str() == on)
        }
    }
}

fn millis(text: &str) -> Option<u64> {
    u64::try_from(text.parse::<Timestamp>().ok()?.as_millisecond()).ok()
}

impl RawEarlier {
    fn point(&self, time_ms: u64, value: f64) -> Point {
        let Self { code, subject, metric, unit, .. } = self;
        let (code, subject, metric) = (code.clone(), Tainted::new(subject.as_str()), metric.clone());
        Point { time_ms, code, subject, metric, unit: *unit, value }
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

/// What an answer plays back; where something in it is not what it must be. Unless it says otherwise it was asked when the
/// run began, and was there at once.
fn take(answer: &RawAnswer, now_us: u64) -> Result<RecordedAnswer, (Range<usize>, &'static str)> {
    let bytes = |text: &str, base64: &Option<Spanned<String>>| match base64 {
        Some(base64) => BASE64.decode(base64.get_ref().as_bytes()).map_err(|_| (base64.span(), "this is not base64")),
        None => Ok(text.as_bytes().to_vec()),
    };
    let asked_us = match &answer.asked {
        None => now_us,
        Some(asked) => asked
            .get_ref()
            .parse::<Timestamp>()
            .ok()
            .and_then(|time| u64::try_from(time.as_microsecond()).ok())
            .ok_or_else(|| (asked.span(), "a time is written 2026-11-21T12:00:00Z"))?,
    };
    Ok(match answer.error {
        Some(RawError::TimedOut) => RecordedAnswer::TimedOut,
        Some(RawError::Unreachable) => RecordedAnswer::Lost,
        Some(RawError::NotPermitted) => RecordedAnswer::NotStarted,
        Some(RawError::TooLarge) => RecordedAnswer::TooLarge,
        None => RecordedAnswer::Answer(Answer {
            stdout: bytes(&answer.stdout, &answer.stdout_base64)?,
            stderr: bytes(&answer.stderr, &answer.stderr_base64)?,
            exit: match answer.exit {
                None => Exit::Status(0),
                Some(RawExit::Status(status)) => Exit::Status(status),
                Some(RawExit::Else(RawEnd::Signal)) => Exit::Signal,
                Some(RawExit::Else(RawEnd::Unsaid)) => Exit::Unreported,
            },
            timing: Some(Timing { asked_us, elapsed_us: answer.elapsed_us.unwrap_or(0) }),
        }),
    })
}
