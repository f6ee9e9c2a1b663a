//! Runs another version of a component on recorded answers.
//!
//! Knows: a candidate's manifest, and the recorded bindings. Must not know: policy. A candidate gets the bindings and answers
//! of the run, and its own defaults for new slots and parameters. Actions without a recorded answer are listed.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::recorded::Recorded;
use super::{NotReplayable, Runner, Selection, answers, load, play};
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

/// What both versions report.
#[derive(Debug)]
pub struct Comparison {
    /// The recorded end, as a case writes it. It is text from a component.
    pub recorded: String,
    /// The end of the other version, in the same form.
    pub replayed: String,
    /// What it asked for without a recorded answer: an action, or a call that the run's grant does not have.
    pub unanswered: Vec<String>,
}

impl Comparison {
    /// True if nothing differs and every call has an answer.
    #[must_use]
    pub fn is_same(&self) -> bool {
        self.recorded == self.replayed && self.unanswered.is_empty()
    }
}

impl<'f> Candidate<'f> {
    /// Loads it, with the limits that it asks for.
    ///
    /// # Errors
    /// When this host refuses it.
    pub async fn new(program: Option<&Path>, file: &'f ComponentFile) -> Result<Self, NotReplayable> {
        let worker = load(program, &file.binary.bytes, Limits::asked(&file.manifest.limits)).await?;
        Ok(Self { file, worker })
    }

    /// Runs it on a recorded run, and compares the two ends.
    ///
    /// # Errors
    /// When the run has no end to compare with, or its history cannot be read.
    pub async fn compare(
        &self,
        runner: &Runner<'_>,
        selection: &Selection,
        run: &Recorded,
    ) -> Result<Comparison, NotReplayable> {
        let end = run.end.as_ref().ok_or(NotReplayable::Interrupted)?;
        let earlier = run.earlier(selection)?;
        let grants: Vec<_> = run.on.iter().zip(run.grants()).map(|(on, then)| self.grant(run, on, &then)).collect();
        let (answers, mut unanswered) = self.answers(runner, selection, run, &grants);
        let has: Vec<Vec<ActionId>> = answers.iter().map(|answers| answers.ids().cloned().collect()).collect();
        if self.file.manifest.history.is_some() {
            let without = run.on.iter().filter(|on| on.previous_ms.is_some() && on.earlier.is_none());
            unanswered.extend(without.map(|on| format!("its history on {}, which the run was not given", on.target)));
        }
        let (now, calls) = play(&runner.broker, &self.worker, &grants, answers, &earlier, run.now_ms).await;
        for call in calls {
            let at = call.target.as_ref().map_or(Some(0), |name| run.targets().position(|target| target == name));
            let on = call.target.as_ref().map(|target| format!(" on {target}")).unwrap_or_default();
            match &call.action {
                Some(action) if at.and_then(|at| has.get(at)).is_some_and(|has| has.contains(action)) => {}
                Some(action) => unanswered.push(format!("{action}{on}")),
                None if call.cause.is_none() => {
                    unanswered.push(format!("{}{on}, which its grant does not have", call.asked.for_encoder()));
                }
                None => {}
            }
        }
        unanswered.sort();
        unanswered.dedup();
        Ok(Comparison { recorded: cases::written(end), replayed: cases::written(&now), unanswered })
    }

    /// All answers of each target in the same sweep: two components that ask for the same action get the same answer.
    fn answers(
        &self,
        runner: &Runner<'_>,
        selection: &Selection,
        run: &Recorded,
        grants: &[Arc<Grant>],
    ) -> (Vec<RecordedAnswers>, Vec<String>) {
        let mut sets: Vec<_> = grants.iter().map(|grant| (grant, RecordedAnswers::default())).collect();
        let mut gone = Vec::new();
        for answer in run.answers.values() {
            let Some((grant, set)) = sets.iter_mut().find(|(grant, _)| grant.target == answer.target) else { continue };
            if !grant.entries().any(|granted| granted.action.id == answer.action) {
                continue;
            }
            match answers::recorded(answer, runner.store.evidence()) {
                Ok(recorded) => set.record(answer.action.clone(), recorded),
                Err(error) => {
                    let why = match (answers::pruned(selection, run, &error), &error) {
                        (Some(entry), _) => format!("its answer was pruned, entry {entry}"),
                        (None, EvidenceError::Io { .. }) => "its answer cannot be read".to_owned(),
                        (None, error) => error.to_string(),
                    };
                    gone.push(format!("{}: {why}", answer.action));
                }
            }
        }
        (sets.into_iter().map(|(_, set)| set).collect(), gone)
    }

    /// The run's grant on a target, and the actions that the candidate's manifest adds for the same bindings.
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
        let is_withheld = |entry: &grant::Granted| {
            recorded.withheld.iter().any(|withheld| withheld.granted.action.id == entry.action.id)
        };
        entries.retain(|entry| !is_withheld(entry));
        let (component, target) = (run.component.clone(), on.target.clone());
        Arc::new(Grant::recorded(component, target, entries, recorded.withheld.clone(), params))
    }
}
