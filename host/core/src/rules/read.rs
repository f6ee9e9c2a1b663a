//! Parses `[[check]]` tables, and checks them against the rest of their manifest.
//!
//! Knows: TOML, what the manifest asks for, the answers of verbs. Must not know: the results of a check.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use serde::Deserialize;
use toml::Spanned;

use super::expression::{self, Names, is_taken, noun};
use super::{CHECKS_MAX, Check, Line, Measure, Mistake, NAMED_MAX, Rules, Steps, Verdict, line};
use crate::model::{ParamName, ParamValue, Severity, SlotName, Unit, Verb, VerbError};
use crate::nearest::choices;
use crate::source::{Problem, Problems, Source};
use crate::wit;
use crate::wit::Kind;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawCheck {
    code: Spanned<String>,
    over: Spanned<String>,
    slot: Option<Spanned<String>>,
    each: Option<Spanned<String>>,
    #[serde(rename = "where")]
    filter: Option<Spanned<String>>,
    #[serde(default)]
    summary: bool,
    subject: Option<Spanned<String>>,
    title: Spanned<String>,
    ok: Option<Spanned<String>>,
    critical: Option<Spanned<String>>,
    warning: Option<Spanned<String>>,
    none: Option<Spanned<RawVerdict>>,
    #[serde(default, rename = "error")]
    errors: BTreeMap<Spanned<String>, RawVerdict>,
    #[serde(default, rename = "let")]
    definitions: BTreeMap<Spanned<String>, Spanned<String>>,
    #[serde(default, rename = "metric")]
    measures: BTreeMap<Spanned<String>, RawMeasure>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawVerdict {
    severity: Spanned<String>,
    title: Spanned<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawMeasure {
    value: Spanned<String>,
    unit: Spanned<String>,
}

/// What the rest of the manifest asks for.
pub(crate) struct Asked {
    /// Verbs without an object.
    pub uses: BTreeSet<Verb>,
    /// Slots and their verbs.
    pub slots: BTreeMap<SlotName, BTreeSet<Verb>>,
    /// Settings and their defaults.
    pub params: BTreeMap<ParamName, ParamValue>,
}

/// Errors that a target itself reports, which an author can give a meaning. After any other error nothing was observed.
const ERRORS: &[(&str, VerbError)] = &[
    ("not-found", VerbError::NotFound),
    ("not-permitted", VerbError::NotPermitted),
    ("unsupported", VerbError::Unsupported),
];

const SEVERITIES: &[(&str, Severity)] = &[
    ("ok", Severity::Ok),
    ("warning", Severity::Warning),
    ("critical", Severity::Critical),
    ("unknown", Severity::Unknown),
];

/// Parses the checks, and adds mistakes to `problems`. `None` if there are no checks, or none without a mistake.
pub(crate) fn read(source: &Source, raw: &[RawCheck], asked: &Asked, problems: &mut Problems) -> Option<Rules> {
    let first = raw.first()?;
    let before = problems.0.len();
    let mut reader = Reader { source, asked, problems };
    if raw.len() > CHECKS_MAX {
        reader.wrong(
            &first.code,
            format!("{} checks; at most {CHECKS_MAX}", raw.len()),
            "split it into two components",
        );
    }
    let mut wanted = BTreeSet::new();
    let checks: Vec<_> = raw.iter().take(CHECKS_MAX).filter_map(|raw| reader.check(raw, &mut wanted)).collect();
    if reader.problems.0.len() > before {
        return None;
    }
    let slots = asked.slots.iter().flat_map(|(name, verbs)| verbs.iter().map(move |verb| (Some(name), *verb)));
    for (slot, verb) in asked.uses.iter().map(|verb| (None, *verb)).chain(slots) {
        if !wanted.contains(&(slot.cloned(), verb)) {
            let slot_name = slot.map(|slot| format!(" of slot `{slot}`")).unwrap_or_default();
            let message = format!("`{verb}`{slot_name} is asked for, and no check asks it");
            reader.wrong(&first.code, message, "remove it, or write it as a check");
        }
    }
    (reader.problems.0.len() == before).then_some(Rules { checks })
}

struct Reader<'a> {
    source: &'a Source,
    asked: &'a Asked,
    problems: &'a mut Problems,
}

impl Reader<'_> {
    fn wrong<T>(&mut self, at: &Spanned<T>, message: impl std::fmt::Display, hint: &str) {
        self.at(at.span(), message, hint);
    }

    fn at(&mut self, span: Range<usize>, message: impl std::fmt::Display, hint: &str) {
        let problem = Problem::at(self.source.at(span), message);
        self.problems.push(if hint.is_empty() { problem } else { problem.hint(hint) });
    }

    /// Adds a mistake inside a text. If the file has the text unescaped, the caret points at the exact word.
    fn mistaken(&mut self, text: &Spanned<String>, mistake: &Mistake) {
        let span = text.span();
        let raw = self.source.text().get(span.clone()).unwrap_or_default();
        let plain = raw.len() == text.get_ref().len() + 2 && raw.get(1..raw.len() - 1) == Some(text.get_ref());
        let exact = span.start + 1 + mistake.at.start..span.start + 1 + mistake.at.end;
        self.at(if plain { exact } else { span }, &mistake.message, &mistake.hint);
    }

    fn line(&mut self, text: &Spanned<String>, names: &Names<'_>) -> Option<Line> {
        line::read(text.get_ref(), names).map_err(|mistake| self.mistaken(text, &mistake)).ok()
    }

    fn expression(&mut self, text: &Spanned<String>, names: &Names<'_>) -> Option<(Steps, Kind)> {
        expression::read(text.get_ref(), names).map_err(|mistake| self.mistaken(text, &mistake)).ok()
    }

    fn typed(&mut self, text: &Spanned<String>, needed: &Kind, names: &Names<'_>) -> Option<Steps> {
        let (steps, kind) = self.expression(text, names)?;
        if kind == *needed {
            return Some(steps);
        }
        let message = format!("this is {}, and {} is needed", noun(&kind), noun(needed));
        self.wrong(text, message, if *needed == Kind::Flag { "compare it with something" } else { "" });
        None
    }

    /// Parses an optional expression. The outer `None` means a mistake.
    fn condition(&mut self, text: Option<&Spanned<String>>, names: &Names<'_>) -> Option<Option<Steps>> {
        text.map_or(Some(None), |text| self.typed(text, &Kind::Flag, names).map(Some))
    }

    fn one_of<T: Copy>(&mut self, text: &Spanned<String>, known: &[(&str, T)], what: &str) -> Option<T> {
        let entry = known.iter().find(|(name, _)| *name == text.get_ref());
        if entry.is_none() {
            let names = known.iter().map(|(name, _)| *name);
            let message = format!("unknown {what} `{}`", text.get_ref().escape_default());
            self.wrong(text, message, &choices(text.get_ref(), names, "names"));
        }
        entry.map(|(_, value)| *value)
    }

    fn code(&mut self, text: &Spanned<String>) {
        let name = text.get_ref();
        let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if !(1..=64).contains(&name.len()) || !name.bytes().all(fits) {
            self.wrong(text, "not of the form `[a-z0-9-]{1,64}`", "trends are kept under it: a short, stable name");
        }
    }

    fn verb(&mut self, raw: &RawCheck) -> Option<(Verb, Option<SlotName>)> {
        let Some(verb) = Verb::from_name(raw.over.get_ref()) else {
            let name = raw.over.get_ref();
            let hint = crate::verbs::nearest(name);
            self.wrong(&raw.over, format!("unknown verb `{}`", name.escape_default()), &hint);
            return None;
        };
        let Some(at) = &raw.slot else {
            if !self.asked.uses.contains(&verb) {
                let hint = if crate::verbs::spec(verb).object == crate::model::Object::None {
                    "ask for it in a [[use]], with why"
                } else {
                    "ask for it in a [[slot]], and name that here: slot = \"…\""
                };
                self.wrong(&raw.over, format!("the manifest does not ask for `{verb}`"), hint);
                return None;
            }
            return Some((verb, None));
        };
        let slot = self.asked.slots.get_key_value(at.get_ref().as_str());
        match slot {
            Some((name, verbs)) if verbs.contains(&verb) => Some((verb, Some(name.clone()))),
            Some((name, _)) => {
                self.wrong(&raw.over, format!("slot `{name}` does not ask for `{verb}`"), "add it to the slot's verbs");
                None
            }
            None => {
                let hint = choices(at.get_ref(), self.asked.slots.keys().map(SlotName::as_str), "slots");
                self.wrong(at, format!("unknown slot `{}`", at.get_ref().escape_default()), &hint);
                None
            }
        }
    }

    fn check(&mut self, raw: &RawCheck, wanted: &mut BTreeSet<(Option<SlotName>, Verb)>) -> Option<Check> {
        self.code(&raw.code);
        let (verb, slot) = self.verb(raw)?;
        wanted.insert((slot.clone(), verb));
        let answer = wit::answer(verb);
        let asked = self.asked;
        // The names outside of every item; inside of one, with its fields; and with its definitions.
        let each = raw.each.as_ref().map(|each| each.get_ref().as_str());
        let Some(items) = answer.items(each) else {
            let known = answer.lists.iter().map(|(name, _)| name.as_str());
            let message = format!("`{verb}` answers no list `{}`", each.unwrap_or_default().escape_default());
            let hint = choices(each.unwrap_or_default(), known, &format!("lists of `{verb}`"));
            self.wrong(raw.each.as_ref().unwrap_or(&raw.over), message, &hint);
            return None;
        };
        let list = answer.list || each.is_some();
        let outside = Names {
            fields: &[],
            answer: None,
            definitions: &[],
            params: &asked.params,
            slot: slot.is_some(),
            count: raw.summary,
        };
        let fields = Names { fields: items, answer: Some(answer), count: false, ..outside };
        let (named, definitions) = self.definitions(raw, &fields);
        let inside = Names { definitions: &named, ..fields };
        let about = if raw.summary { &outside } else { &inside };

        let place_of = |text: &str| line::read(text, &outside).ok();
        let own = if slot.is_some() { "{slot}" } else { "" };
        let subject = match &raw.subject {
            Some(text) => self.line(text, about)?,
            None => place_of(own)?,
        };
        let place = raw.subject.as_ref().and_then(|text| place_of(text.get_ref())).or_else(|| place_of(own))?;
        if raw.critical.is_none() && raw.warning.is_none() {
            self.wrong(
                &raw.code,
                "the check can never report a problem",
                "add a condition: critical = \"…\", warning = \"…\", or both",
            );
        }
        let title = self.line(&raw.title, about);
        let fine = raw.ok.as_ref().map_or_else(|| title.clone(), |text| self.line(text, about));
        let filter = self.condition(raw.filter.as_ref(), &inside);
        let critical = self.condition(raw.critical.as_ref(), about);
        let warning = self.condition(raw.warning.as_ref(), about);
        let nothing = self.nothing(raw, list, &outside);
        let outer = Names { count: false, ..outside };
        let errors = raw.errors.iter().filter_map(|(name, raw)| {
            let error = self.one_of(name, ERRORS, "error of a target");
            Some((error?, self.verdict(raw, &outer)?))
        });
        let errors = errors.collect();
        if raw.measures.len() > NAMED_MAX {
            self.wrong(&raw.code, format!("{} numbers; at most {NAMED_MAX}", raw.measures.len()), "");
        }
        let measures = raw.measures.iter().filter_map(|(name, raw)| {
            self.code(name);
            let value = self.typed(&raw.value, &Kind::Number, about);
            let unit = self.one_of(&raw.unit, &Unit::ALL.map(|unit| (unit.name(), unit)), "unit");
            Some(Measure { name: name.get_ref().clone(), value: value?, unit: unit? })
        });
        let measures = measures.collect();
        Some(Check {
            code: raw.code.get_ref().clone(),
            verb,
            slot,
            each: raw.each.as_ref().map(|each| each.get_ref().clone()),
            definitions,
            filter: filter?,
            summary: raw.summary,
            subject,
            place,
            title: title?,
            fine: fine?,
            critical: critical?,
            warning: warning?,
            nothing,
            errors,
            measures,
        })
    }

    fn definitions(&mut self, raw: &RawCheck, names: &Names<'_>) -> (Vec<(String, Kind)>, Vec<Steps>) {
        let (mut named, mut steps) = (Vec::new(), Vec::new());
        if raw.definitions.len() > NAMED_MAX {
            self.wrong(&raw.code, format!("{} definitions; at most {NAMED_MAX}", raw.definitions.len()), "");
        }
        for (name, text) in raw.definitions.iter().take(NAMED_MAX) {
            self.code(name);
            let own = name.get_ref();
            let field = names.fields.iter().any(|field| field.name() == *own);
            if field || is_taken(own) || !own.starts_with(|c: char| c.is_ascii_lowercase()) {
                let what = if field { "a field of the answer" } else { "a word of the language" };
                self.wrong(name, format!("`{}` is {what}", own.escape_default()), "choose another name");
            } else if let Some((definition, kind)) = self.expression(text, names) {
                named.push((own.clone(), kind));
                steps.push(definition);
            }
        }
        (named, steps)
    }

    /// The author must say what an empty answer means. It is never silently ok.
    fn nothing(&mut self, raw: &RawCheck, list: bool, names: &Names<'_>) -> Option<Verdict> {
        match &raw.none {
            Some(none) if raw.summary => {
                self.wrong(none, "a summary counts, and none are 0", "write critical = \"count == 0\"");
                None
            }
            Some(none) => self.verdict(none.get_ref(), names),
            None if (list || raw.filter.is_some()) && !raw.summary => {
                let what = if list { "the answer is a list, which may be empty" } else { "`where` may leave nothing" };
                let hint = "define that case: none = { severity = \"ok\", title = \"…\" }";
                self.wrong(&raw.code, what, hint);
                None
            }
            None => None,
        }
    }

    fn verdict(&mut self, raw: &RawVerdict, names: &Names<'_>) -> Option<Verdict> {
        let severity = self.one_of(&raw.severity, SEVERITIES, "severity");
        let title = self.line(&raw.title, names);
        Some(Verdict { severity: severity?, title: title? })
    }
}
