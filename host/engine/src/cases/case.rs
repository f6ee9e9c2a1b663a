//! Reads one case, and checks it against its component's manifest.
//!
//! Knows: the file's grammar. Must not know: how a case is run. Attack answered: a case from elsewhere that names actions or
//! objects that cannot exist.

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
    ActionId, Literal, Object, ParamValue, Phase, Point, Severity, Tainted, TargetName, Unit, Verb, VerbError, World,
};
use bailiwick_core::model::{Answer, Exit, Timing};
use bailiwick_core::read_toml::read_toml;
use bailiwick_core::source::{Problem, Problems, Source, shown_value};
use bailiwick_core::verbs;
use bailiwick_journal::history::Earlier;
use bailiwick_policy::grant;
use bailiwick_policy::grant::Grant;
use bailiwick_policy::policy::{
    Assignment, Named, RawChangeCommand, RawCommand, RawStateless, RawStatement, Stateless,
};
use bailiwick_transport::recorded::{RecordedAnswer, RecordedAnswers};

/// A case, checked against its component's manifest.
#[derive(Debug)]
pub struct Case {
    /// One line for people.
    pub about: String,
    pub(super) now_ms: u64,
    /// The part of the component's work that it tests.
    pub(super) phase: Phase,
    /// At least one.
    pub(super) targets: Vec<On>,
    pub(super) expected: Expected,
}

/// One target of a case.
#[derive(Debug)]
pub(super) struct On {
    pub(super) grant: Arc<Grant>,
    pub(super) answers: RecordedAnswers,
    /// The component's earlier numbers there.
    pub(super) earlier: Earlier,
}

/// The end of the run that a case expects.
#[derive(Debug)]
pub(super) enum Expected {
    Findings(Vec<RawFinding>),
    Failure(RawFailure),
    Plan(RawPlan),
}

/// The decision that a case expects of a fix: `propose`, `nothing` or `refuse`.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawPlan {
    /// What it saw.
    pub(super) propose: Option<String>,
    /// Why there is nothing to do.
    pub(super) nothing: Option<String>,
    /// Why it refuses.
    pub(super) refuse: Option<String>,
    /// Who has to fix it then.
    pub(super) owner: Option<String>,
    /// The ids of the changes on its list, in order; the digest of the content may be left out.
    #[serde(default)]
    pub(super) stages: Vec<String>,
    /// The texts that it computed, in the order of their changes.
    #[serde(default)]
    pub(super) computed: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCase {
    about: String,
    now: Spanned<String>,
    /// When the component's latest run there that could check began. The default is the time of the newest number below.
    previous: Option<Spanned<String>>,
    /// The name of the target.
    target: Option<Spanned<String>>,
    /// The names of the targets, for a component that checks several in one run. Bindings and parameters are the same on all.
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

/// The component's earlier numbers: one metric over time.
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
    /// When the action was sent, where that matters.
    asked: Option<Spanned<String>>,
    elapsed_us: Option<u64>,
}

/// An exit status, or another end.
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

/// A failure as a case writes it: the component could not check.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawFailure {
    pub(super) error: Option<VerbError>,
    pub(super) reason: Option<String>,
}

impl Case {
    /// Reads a case of a component.
    ///
    /// # Errors
    /// All mistakes in it, each with its place.
    pub fn parse(source: &Source, manifest: &Manifest) -> Result<Self, Problems> {
        let raw: RawCase = read_toml(source, None)?;
        let mut problems = Problems::default();
        let stateless = Stateless::read(source, raw.stateless.as_ref(), &mut problems);
        let named = Named::read(source, &raw.statements, &raw.commands, &raw.change_commands, &mut problems);
        let mut wrong = |span: std::ops::Range<usize>, message: String| {
            problems.push(Problem::at(source.at(span), message));
        };
        let mut time = |written: &Spanned<String>| {
            let time = millis(written.get_ref());
            if time.is_none() {
                wrong(written.span(), not_a_time(written.get_ref()));
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
                _ => wrong(value.span(), "the slot cannot have this value".to_owned()),
            }
        }
        let mut params = BTreeMap::new();
        for (name, value) in &raw.param {
            match (manifest.params.get_key_value(name.get_ref().as_str()), ParamValue::from_toml(value.get_ref())) {
                (Some((name, param)), Some(value)) if value.kind() == param.default.kind() => {
                    params.insert(name.clone(), value);
                }
                (None, _) => wrong(name.span(), format!("`{}` has no parameter `{}`", manifest.id, name.get_ref())),
                (Some(_), _) => wrong(value.span(), "the value's type does not match the parameter".to_owned()),
            }
        }
        let mut named: Vec<&Spanned<String>> = raw.targets.iter().chain(&raw.target).collect();
        named.sort_by_key(|name| name.get_ref());
        if let (Some(both), false) = (&raw.target, raw.targets.is_empty()) {
            wrong(both.span(), "a case cannot have both `target` and `targets`".to_owned());
        }
        if let (Some(first), Scope::Target) = (raw.targets.get(1), manifest.scope) {
            wrong(first.span(), format!("`{}` checks one target at a time", manifest.id));
        }
        let mut names = Vec::new();
        for name in named {
            match TargetName::new(name.get_ref()) {
                Ok(name) if !names.contains(&name) => names.push(name),
                Ok(_) => wrong(name.span(), "the target is named twice".to_owned()),
                Err(_) => wrong(
                    name.span(),
                    format!(
                        "`{}` is not a target's name: use lower-case letters, digits, `.` and `-`, with a letter or digit first, 64 at most",
                        shown_value(name.get_ref())
                    ),
                ),
            }
        }
        if let (true, Ok(case)) = (raw.target.is_none() && raw.targets.is_empty(), TargetName::new("case")) {
            names.push(case);
        }
        let place = source.at(0..0);
        let phase = phase(&raw, manifest, &mut wrong);
        let bars = grant::Exclusions { never: &[], stateless: Some(&stateless) };
        // A fix needs a gate. Nothing is ever sent to this one.
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
                wrong(at, "`on` must name one of the case's targets".to_owned());
                continue;
            };
            let Some(id) = action(answer.action.get_ref(), &on.grant) else {
                wrong(answer.action.span(), "there is no such action".to_owned());
                continue;
            };
            match recorded_answer(&answer, now_ms.saturating_mul(1_000)) {
                Ok(answer) => on.answers.record(id, answer),
                Err((span, what)) => wrong(span, what),
            }
        }
        for series in raw.earlier {
            let at = series.on.as_ref().map_or(0..0, Spanned::span);
            let Some(on) = pick(&mut targets, series.on.as_ref()) else {
                wrong(at, "`on` must name one of the case's targets".to_owned());
                continue;
            };
            if manifest.history.is_none() {
                wrong(at, format!("`{}` does not ask for its [history]", manifest.id));
            }
            for (time, value) in &series.points {
                match millis(time.get_ref()) {
                    Some(time_ms) => on.earlier.points.push(series.point(time_ms, *value)),
                    None => wrong(time.span(), not_a_time(time.get_ref())),
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
                wrong(0..0, "a case cannot expect both findings and a failure".to_owned());
                Expected::Findings(Vec::new())
            }
        };
        problems.or(Self { about: raw.about, now_ms, phase, targets, expected })
    }
}

/// The part of a component's work that a case tests. Checks that the case expects an end that this part can have.
fn phase(raw: &RawCase, manifest: &Manifest, wrong: &mut impl FnMut(Range<usize>, String)) -> Phase {
    let written = raw.phase.as_ref().map(|phase| (*phase.get_ref(), phase.span()));
    let phase = match (manifest.world, written) {
        (World::Probe, None) => Phase::Examine,
        (World::Fix, None) => Phase::Plan,
        (World::Fix, Some((phase @ (Phase::Plan | Phase::Verify), _))) => phase,
        (World::Fix, Some((_, span))) => {
            wrong(span, "the phase of a fix must be `plan` or `verify`".to_owned());
            Phase::Plan
        }
        (World::Probe, Some((_, span))) => {
            wrong(span, "a probe has no phases".to_owned());
            Phase::Examine
        }
    };
    match &raw.plan {
        Some(plan) if phase != Phase::Plan => {
            wrong(plan.span(), "only a case of a fix in the phase `plan` can expect a [plan]".to_owned());
        }
        Some(plan) => {
            let RawPlan { propose, nothing, refuse, owner, .. } = plan.get_ref();
            let decisions = [propose, nothing, refuse].into_iter().flatten().count();
            if decisions != 1 || refuse.is_some() != owner.is_some() {
                let one = "a [plan] must have `propose`, or `nothing`, or `refuse` and `owner`";
                wrong(plan.span(), one.to_owned());
            }
        }
        None if phase == Phase::Plan && raw.failure.is_none() => {
            wrong(0..0, "a case of a fix must expect a [plan] or a [failure], or have phase = \"verify\"".to_owned());
        }
        None => {}
    }
    phase
}

/// The target that `on` names, or the only target.
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

/// The action that a case names, such as `services.status:nginx.service`: one from the case's own bindings, or any other
/// that can exist. The digest of a statement or a command may be left out: `postgres.query:failed-jobs`.
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

fn not_a_time(value: &str) -> String {
    format!("`{}` is not a time: write it like 2026-11-21T12:00:00Z", shown_value(value))
}

/// The recorded answer that a case writes, or the place of a mistake in it. By default the action was sent when the run began,
/// and answered at once.
fn recorded_answer(answer: &RawAnswer, now_us: u64) -> Result<RecordedAnswer, (Range<usize>, String)> {
    let bytes = |text: &str, base64: &Option<Spanned<String>>| match base64 {
        Some(base64) => BASE64
            .decode(base64.get_ref().as_bytes())
            .map_err(|_| (base64.span(), format!("`{}` is not base64", shown_value(base64.get_ref())))),
        None => Ok(text.as_bytes().to_vec()),
    };
    let asked_us = match &answer.asked {
        None => now_us,
        Some(asked) => asked
            .get_ref()
            .parse::<Timestamp>()
            .ok()
            .and_then(|time| u64::try_from(time.as_microsecond()).ok())
            .ok_or_else(|| (asked.span(), not_a_time(asked.get_ref())))?,
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
