//! What another version of a component would have said to what was recorded.
//!
//! Knows: a candidate's manifest, and the recorded bindings. Must not know: policy: a candidate gets what the run had, its
//! own defaults for what is new, and no answer that nobody has given. What it asks beyond that is told, call by call.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::recorded::Recorded;
use super::{Found, Runner, Unplayable, answers, load, play};
use crate::cases;
use crate::run::WorkerHandle;
use bailiwick_core::limits::Limits;
use bailiwick_core::model::{Action, ActionId, ParamName, ParamValue, SlotKey, SlotName, Verb, Wire};
use bailiwick_core::source::Source;
use bailiwick_journal::{EvidenceError, RunTarget};
use bailiwick_policy::grant;
use bailiwick_policy::grant::Grant;
use bailiwick_policy::library::ComponentFile;
use bailiwick_transport::recorded::RecordedAnswers;

/// Another version, ready to run.
pub struct Candidate<'f> {
    file: &'f ComponentFile,
    worker: WorkerHandle,
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
    pub async fn say(&self, bench: &Runner<'_>, found: &Found, run: &Recorded) -> Result<Said, Unplayable> {
        let end = run.end.as_ref().ok_or(Unplayable::Interrupted)?;
        let pasts = run.pasts(found)?;
        let grants: Vec<_> = run.on.iter().zip(run.grants()).map(|(on, then)| self.grant(run, on, &then)).collect();
        let (tapes, mut unanswered) = self.tapes(bench, found, run, &grants);
        let has: Vec<Vec<ActionId>> = tapes.iter().map(|tape| tape.ids().cloned().collect()).collect();
        if self.file.manifest.history.is_some() {
            let untold = run.on.iter().filter(|on| on.previous_ms.is_some() && on.earlier.is_none());
            unanswered
                .extend(untold.map(|on| format!("what it had said of {} before, which it was not told", on.target)));
        }
        let (now, calls) = play(&bench.broker, &self.worker, &grants, tapes, &pasts, run.now_ms).await;
        for call in calls {
            let at = call.target.as_ref().map_or(Some(0), |name| run.targets().position(|target| target == name));
            let on = call.target.as_ref().map(|target| format!(" on {target}")).unwrap_or_default();
            match &call.action {
                Some(action) if at.and_then(|at| has.get(at)).is_some_and(|has| has.contains(action)) => {}
                Some(action) => unanswered.push(format!("{action}{on}")),
                None if call.cause.is_none() => {
                    unanswered.push(format!("{}{on}, which its grant did not hold", call.asked.for_encoder()));
                }
                None => {}
            }
        }
        unanswered.sort();
        unanswered.dedup();
        Ok(Said { recorded: cases::written(end), replayed: cases::written(&now), unanswered })
    }

    /// All that was answered on each target in the same sweep: what two components ask alike, they are told alike.
    fn tapes(
        &self,
        bench: &Runner<'_>,
        found: &Found,
        run: &Recorded,
        grants: &[Arc<Grant>],
    ) -> (Vec<RecordedAnswers>, Vec<String>) {
        let mut tapes: Vec<_> = grants.iter().map(|grant| (grant, RecordedAnswers::default())).collect();
        let mut gone = Vec::new();
        for told in run.answers.values() {
            let Some((grant, tape)) = tapes.iter_mut().find(|(grant, _)| grant.target == told.target) else { continue };
            if !grant.entries().any(|granted| granted.action.id == told.action) {
                continue;
            }
            match answers::take(told, bench.shelf.evidence()) {
                Ok(take) => tape.record(told.action.clone(), take),
                Err(error) => {
                    let why = match (answers::pruned(found, run, &error), &error) {
                        (Some(entry), _) => format!("its answer was pruned, entry {entry}"),
                        (None, EvidenceError::Io { .. }) => "its answer cannot be read".to_owned(),
                        (None, error) => error.to_string(),
                    };
                    gone.push(format!("{}: {why}", told.action));
                }
            }
        }
        (tapes.into_iter().map(|(_, tape)| tape).collect(), gone)
    }

    /// What the run had on a target, and what the candidate's manifest makes of the same bindings.
    fn grant(&self, run: &Recorded, on: &RunTarget, recorded: &Grant) -> Arc<Grant> {
        let manifest = &self.file.manifest;
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
                content: None,
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
        let (component, target) = (run.component.clone(), on.target.clone());
        Arc::new(Grant::recorded(component, target, entries, recorded.withheld.clone(), params))
    }
}
