//! `rules`: passes the checks of a manifest to the interpreter, and calls their verbs for it.
//!
//! Knows: the interpreter's own WIT, and how an answer becomes plain values according to the contract. Must not know:
//! how a check is judged. Attack answered: an interpreter that calls another verb: it names a check by its
//! number, and the host chooses the verb; an answer that does not match the contract is garbled.

use serde_json::Value as Json;
use wasmtime::component::{Linker, Resource};

use super::{Context, observe, read_as, wit_verb_error};
use crate::imports::RULES;
use crate::run::RunState;
use bailiwick_bindings::ops::{reports, types::VerbError as WitVerbError};
use bailiwick_bindings::{Target, rules as own};
use bailiwick_core::model::{Object, Severity, Unit, Verb, VerbError};
use bailiwick_core::rules::{Check, Format, Line, Operator, Part, Rules, Step, Steps, Value, Verdict};
use bailiwick_core::wit::{Answer, Field, Kind};

/// Links what the interpreter imports beyond what every component may.
pub(super) fn link(linker: &mut Linker<RunState>, rules: &Rules) -> wasmtime::Result<()> {
    let mut instance = linker.instance(RULES)?;
    let checks = rules.checks.clone();
    instance.func_wrap("checks", move |mut store, ()| {
        store.data_mut().local()?;
        Ok((checks.iter().map(check).collect::<Vec<_>>(),))
    })?;
    let asks: Vec<_> = rules.checks.iter().map(|check| (check.verb, check.each.clone())).collect();
    instance.func_wrap("ask", move |mut store, (target, check, key): (Resource<Target>, u32, Option<String>)| {
        let ask = usize::try_from(check).ok().and_then(|check| asks.get(check));
        // As the verb itself would be called: with a slot where it takes an object, and with none where it does not.
        let fits = |verb| (bailiwick_core::verbs::spec(verb).object == Object::None) == key.is_none();
        let Some((verb, each)) = ask.filter(|(verb, _)| fits(*verb)).map(|(verb, each)| (*verb, each.as_deref()))
        else {
            store.data_mut().local()?;
            return Ok((Err(WitVerbError::Refused),));
        };
        let read = |answer: &_, context: Context<'_>| asked(verb, each, answer, context);
        let items = observe(store.data_mut(), &target, verb, key.as_deref(), read)?;
        Ok((items.map_err(wit_verb_error),))
    })
}

/// The items of a verb's answer, for a check.
///
/// # Errors
/// The error of the verb.
pub(super) fn asked(
    verb: Verb,
    each: Option<&str>,
    answer: &bailiwick_core::model::Answer,
    context: Context<'_>,
) -> Result<Vec<Vec<own::Value>>, VerbError> {
    items(bailiwick_core::wit::answer(verb), each, &read_as(verb, answer, context)?)
}

/// An answer as items, each with its fields' values.
fn items(answer: &Answer, each: Option<&str>, answered: &Json) -> Result<Vec<Vec<own::Value>>, VerbError> {
    let fields = answer.items(each).ok_or(VerbError::Garbled)?;
    let item = |item| {
        let read = |field: &Field| value(field, if field.outer { answered } else { item });
        fields.iter().map(read).collect::<Result<Vec<_>, _>>()
    };
    match each.map_or(Some(answered), |each| under(answered, each)) {
        Some(Json::Array(entries)) if answer.list || each.is_some() => entries.iter().map(item).collect(),
        Some(single) if !answer.list && each.is_none() => Ok(vec![item(single)?]),
        _ => Err(VerbError::Garbled),
    }
}

/// A field of a record. If its name is a keyword of Rust, the generated name ends in an underscore.
fn under<'j>(record: &'j Json, name: &str) -> Option<&'j Json> {
    let plain = name.replace('-', "_");
    record.get(&plain).or_else(|| record.get(format!("{plain}_")))
}

/// The value of a field. The readers' types come from the same contract, so a mismatch is a bug of ours. It is reported as a
/// garbled answer, never as an absent value.
fn value(field: &Field, item: &Json) -> Result<own::Value, VerbError> {
    let mut json = item;
    let is_record = !matches!(field.path.as_slice(), [name] if name == "value" && !item.is_object());
    for name in field.path.iter().filter(|_| is_record) {
        if json.is_null() {
            break;
        }
        json = under(json, name).ok_or(VerbError::Garbled)?;
    }
    let value = match (&field.kind, json) {
        (_, Json::Null) if field.optional => Some(own::Value::Absent),
        (Kind::Number, Json::Number(number)) => number.as_f64().map(own::Value::Number),
        (Kind::Flag, Json::Bool(flag)) => Some(own::Value::Flag(*flag)),
        (Kind::Text, Json::String(text)) => Some(own::Value::Text(text.clone())),
        (Kind::Text, Json::Array(bytes)) => {
            let byte = |byte: &Json| byte.as_u64().and_then(|byte| u8::try_from(byte).ok());
            let bytes: Option<Vec<u8>> = bytes.iter().map(byte).collect();
            bytes.map(|bytes| own::Value::Text(String::from_utf8_lossy(&bytes).into_owned()))
        }
        (Kind::Texts, Json::Array(texts)) => {
            let texts: Option<Vec<_>> = texts.iter().map(|text| text.as_str().map(str::to_owned)).collect();
            texts.map(own::Value::Texts)
        }
        (Kind::Choice(cases), Json::String(name)) => {
            cases.iter().find(|case| camel(case) == *name).map(|case| own::Value::Text(case.clone()))
        }
        _ => None,
    };
    value.ok_or(VerbError::Garbled)
}

/// `not-found` as the engine's macro names it: `NotFound`.
fn camel(case: &str) -> String {
    let word = |word: &str| {
        let mut letters = word.chars();
        letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect::<String>()
    };
    case.split('-').map(word).collect()
}

fn steps(steps: &Steps) -> Vec<own::Step> {
    steps.iter().map(step).collect()
}

fn line(line: &Line) -> Vec<own::Part> {
    let part = |part: &Part| match part {
        Part::Literal(text) => own::Part::Literal(text.clone()),
        Part::Value(value, shown) => own::Part::Value((steps(value), format(*shown))),
    };
    line.iter().map(part).collect()
}

fn check(check: &Check) -> own::Check {
    own::Check {
        code: check.code.clone(),
        verb: check.verb.name().to_owned(),
        slot: check.slot.as_ref().map(|slot| slot.as_str().to_owned()),
        definitions: check.definitions.iter().map(steps).collect(),
        filter: check.filter.as_ref().map(steps),
        summary: check.summary,
        subject: line(&check.subject),
        place: line(&check.place),
        title: line(&check.title),
        fine: line(&check.fine),
        critical: check.critical.as_ref().map(steps),
        warning: check.warning.as_ref().map(steps),
        nothing: check.nothing.as_ref().map(verdict),
        errors: check.errors.iter().map(|(error, then)| (wit_verb_error(*error), verdict(then))).collect(),
        measures: check
            .measures
            .iter()
            .map(|measure| own::Measure {
                name: measure.name.clone(),
                value: steps(&measure.value),
                unit: unit(measure.unit),
            })
            .collect(),
    }
}

fn verdict(verdict: &Verdict) -> own::Verdict {
    own::Verdict { severity: severity(verdict.severity), title: line(&verdict.title) }
}

fn step(step: &Step) -> own::Step {
    match step {
        Step::Push(value) => own::Step::Push(match value {
            Value::Absent => own::Value::Absent,
            Value::Number(number) => own::Value::Number(*number),
            Value::Text(text) => own::Value::Text(text.clone()),
            Value::Flag(flag) => own::Value::Flag(*flag),
            Value::Texts(texts) => own::Value::Texts(texts.clone()),
        }),
        Step::Field(at) => own::Step::Field(*at),
        Step::Param(name) => own::Step::Param(name.clone()),
        Step::Slot => own::Step::Slot,
        Step::Now => own::Step::Now,
        Step::Count => own::Step::Count,
        Step::Apply(applied) => own::Step::Apply(operator(*applied)),
    }
}

/// Functions from the host's enums to the contract's, whose cases have the same names.
macro_rules! same {
    ($name:ident, $ours:ty => $theirs:ty { $($case:ident,)* }) => {
        fn $name(ours: $ours) -> $theirs {
            match ours { $(<$ours>::$case => <$theirs>::$case,)* }
        }
    };
}

same!(format, Format => own::Format { Plain, Whole, Percent, Bytes, Duration, });
same!(severity, Severity => reports::Severity { Ok, Unknown, Warning, Critical, });
same!(unit, Unit => reports::Unit { Count, Bytes, Seconds, Percent, Ratio, PerSecond, PerHour, });
same!(operator, Operator => own::Operator {
    Add, Subtract, Multiply, Divide, Negate, Not, And, Or, Equal, Unequal, Less, AtMost, More, AtLeast, Among, Contains,
    StartsWith, EndsWith, Known, Length, Parse, Magnitude, Least, Most,
});
