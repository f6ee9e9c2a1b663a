//! What another version of a component would have said to what was recorded.
//!
//! Knows: a candidate's manifest, and the recorded bindings. Must not know: policy: a candidate gets what the run had, its
//! own defaults for what is new, and no answer that nobody has given. What it asks beyond that is told, call by call.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::recorded::Recorded;
use super::{Bench, Found, Unplayable, load, play, tape};
use crate::cases;
use crate::grant::{self, Grant};
use crate::journal::EvidenceError;
use crate::library::ComponentFile;
use crate::limits::Limits;
use crate::model::{Action, ActionId, ParamName, ParamValue, SlotKey, SlotName, Verb, Wire};
use crate::source::Source;
use crate::sweep::Borrowed;
use crate::transport::recorded::Tape;

/// Another version, ready to run.
pub struct Candidate<'f> {
    file: &'f ComponentFile,
    worker: Borrowed,
}

/// What it would have said.
#[derive(Debug)]
pub struct Said {
    /// What was said then, as a case writes it. Somebody else's text.
    pub recorded: String,
    /// What the other version says, in the same form.
    pub replayed: String,
    /// What it asked for and nobody has recorded an answer to: an action, or what the run's grant did not hold.
    pub unanswered: Vec<String>,
}

impl Said {
    /// True if nothing differs and nothing was left open.
    #[must_use]
    pub fn is_same(&self) -> bool {
        self.recorded == self.replayed && self.unanswered.is_empty()
    }
}

impl<'f> Candidate<'f> {
    /// Loads it, with the limits that it asks for.
    ///
    /// # Errors
    /// When it is no component for this host.
    pub async fn new(program: Option<&Path>, file: &'f ComponentFile) -> Result<Self, Unplayable> {
        let worker = load(program, &file.binary.bytes, Limits::asked(&file.manifest.limits)).await?;
        Ok(Self { file, worker })
    }

    /// What it would have said in a run.
    ///
    /// # Errors
    /// When the run has nothing to compare with, or its answers are gone.
    pub async fn say(&self, bench: &Bench<'_>, found: &Found, run: &Recorded) -> Result<Said, Unplayable> {
        let end = run.end.as_ref().ok_or(Unplayable::Interrupted)?;
        let (tape, mut unanswered) = self.tape(bench, found, run)?;
        let grant = Arc::new(self.grant(run));
        let has: Vec<ActionId> = tape.ids().cloned().collect();
        let (now, calls) = play(&bench.broker, &self.worker, &grant, tape, run).await;
        for call in calls {
            match &call.action {
                Some(action) if has.contains(action) => {}
                Some(action) => unanswered.push(action.to_string()),
                None if call.cause.is_none() => {
                    unanswered.push(format!("{}, which its grant did not hold", call.asked.for_encoder()));
                }
                None => {}
            }
        }
        unanswered.sort();
        unanswered.dedup();
        Ok(Said { recorded: cases::written(end), replayed: cases::written(&now), unanswered })
    }

    /// All that was answered on the target in the same sweep: what two components ask alike, they are told alike.
    fn tape(&self, bench: &Bench<'_>, found: &Found, run: &Recorded) -> Result<(Tape, Vec<String>), Unplayable> {
        let (mut tape, mut gone) = (Tape::default(), Vec::new());
        let own = self.grant(run);
        for told in run.answers.values() {
            if !own.entries().any(|granted| granted.action.id == told.action) {
                continue;
            }
            match tape::take(told, bench.shelf.evidence()) {
                Ok(take) => tape.record(told.action.clone(), take),
                Err(error) => {
                    let why = match (tape::pruned(found, run, &error), &error) {
                        (Some(entry), _) => format!("its answer was pruned, entry {entry}"),
                        (None, EvidenceError::Io { .. }) => "its answer cannot be read".to_owned(),
                        (None, error) => error.to_string(),
                    };
                    gone.push(format!("{}: {why}", told.action));
                }
            }
        }
        Ok((tape, gone))
    }

    /// What the run had, and what the candidate's manifest makes of the same bindings.
    fn grant(&self, run: &Recorded) -> Grant {
        let manifest = &self.file.manifest;
        let recorded = run.grant();
        let place = Source::embedded("the journal", "").at(0..0);
        let granted =
            |verb: Verb, key: Option<SlotKey>, slot: Option<SlotName>, literal: Option<&str>| grant::Granted {
                action: Arc::new(Action {
                    id: ActionId::recorded(verb, literal),
                    verb,
                    literal: None,
                    wire: Wire::Exec(Vec::new()),
                }),
                key,
                slot,
                why: String::new(),
                place: place.clone(),
                default: None,
            };
        let mut entries: Vec<grant::Granted> = recorded.entries().cloned().collect();
        entries.extend(manifest.uses.keys().map(|verb| granted(*verb, None, None, None)));
        let slots = recorded.slots();
        for (name, slot) in &manifest.slots {
            let bound: Vec<(SlotKey, String)> = match (slots.get(name.as_str()), &slot.default) {
                (Some(bound), _) => bound.clone(),
                (None, Some(default)) => vec![(SlotKey::single(name), default.to_string())],
                (None, None) => Vec::new(),
            };
            for (key, literal) in bound {
                entries.extend(
                    slot.verbs.iter().map(|verb| granted(*verb, Some(key.clone()), Some(name.clone()), Some(&literal))),
                );
            }
        }
        let params: BTreeMap<ParamName, ParamValue> = manifest
            .params
            .iter()
            .map(|(name, param)| {
                let then = recorded.params.get(name).filter(|value| value.kind() == param.default.kind());
                (name.clone(), then.unwrap_or(&param.default).clone())
            })
            .collect();
        let taken = |entry: &grant::Granted| {
            recorded.withheld.iter().any(|withheld| withheld.granted.action.id == entry.action.id)
        };
        entries.retain(|entry| !taken(entry));
        Grant::recorded(run.component.clone(), run.target.clone(), entries, recorded.withheld.clone(), params)
    }
}
