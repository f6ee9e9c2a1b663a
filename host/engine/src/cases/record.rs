//! A case out of a run that the journal holds: what was asked and answered, and what the component reported.
//!
//! Knows: entries. Must not know: how the run was started. It was a run like any other: granted, accepted, and redacted before
//! the journal was written. So a recording has nothing that the journal does not have.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use data_encoding::BASE64;
use jiff::Timestamp;

use super::text;
use bailiwick_core::manifest::Manifest;
use bailiwick_core::model::{ActionId, Literal, TargetName, VerbError};
use bailiwick_core::model::{Exit, Timing};
use bailiwick_journal::history;
use bailiwick_journal::history::{Earlier, PastError};
use bailiwick_journal::{Blob, Entry, Evidence, EvidenceError, Outcome, ReadError, Reader, RunEnd};
use bailiwick_policy::grant::Grant;

/// One run, as a case needs it.
#[derive(Debug)]
pub struct Recording {
    digest: String,
    /// In the run's order.
    targets: Vec<TargetName>,
    now_ms: u64,
    answers: Vec<Answered>,
    /// The component's earlier numbers, by target.
    earlier: Vec<Earlier>,
    /// The number of secrets that were removed from the answers.
    pub redacted: u32,
    end: RunEnd,
}

/// One answer.
#[derive(Debug)]
struct Answered {
    /// The target, in a run on several.
    on: Option<TargetName>,
    action: ActionId,
    outcome: Outcome,
    timing: Option<Timing>,
}

/// Why no case can be made of a run.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The journal cannot be read.
    #[error("cannot read the journal")]
    Read(#[from] ReadError),
    /// An answer that is kept beside the journal is missing or differs.
    #[error(transparent)]
    Evidence(#[from] EvidenceError),
    /// The start or the end of the run is missing.
    #[error("the journal does not have all entries of run {0}")]
    NotThere(u64),
    /// The component broke, which no case can expect.
    #[error("the component broke: {0}")]
    Broke(String),
    /// A never-rule withholds an action, which a case cannot write.
    #[error(
        "{action} is withheld by {rule}, and a case cannot write never-rules\n\nhint: record it on a target where no never-rule applies to it"
    )]
    Withheld {
        /// The action that is withheld.
        action: ActionId,
        /// The rule's place.
        rule: String,
    },
    /// The numbers that the run was given cannot be read any more.
    #[error("the history that the run was given cannot be read")]
    Past(#[from] PastError),
    /// Bindings, parameters or the earlier run are not the same on all targets, and a case writes them once.
    #[error(
        "the slots, the parameters or the earlier run of `{0}` differ from those of the first target, and a case has one of each for all targets\n\nhint: record it on fewer targets"
    )]
    Differ(TargetName),
    /// The target turned out to be a never-host.
    #[error("{0} was refused: this target cannot be recorded")]
    Refused(ActionId),
}

impl Recording {
    /// Finds a run in the journal.
    ///
    /// # Errors
    /// When the journal cannot be read, or does not have all of its entries.
    pub fn read(folder: &Path, run: u64) -> Result<Self, RecordError> {
        let evidence = Evidence::beside(folder);
        let mut intents = BTreeMap::new();
        let mut outcomes = BTreeMap::new();
        let (mut asked, mut start, mut end) = (Vec::new(), None, None);
        for record in Reader::open(folder)? {
            let record = record?;
            match record.entry {
                // Answers are collected for one sweep at a time: the last sweep that starts before the run is its own.
                Entry::SweepStarted { .. } if start.is_none() => {
                    intents.clear();
                    outcomes.clear();
                }
                Entry::RunStarted(started) if record.seq == run => start = Some(started),
                Entry::Intent { run: asking, on, action, .. } => {
                    if asking == run {
                        asked.push((record.seq, on));
                    }
                    intents.insert(record.seq, action);
                }
                // The run shares the answer to an action that another run sent.
                Entry::Shared { run: asking, on, intent, .. }
                    if asking == run && !asked.iter().any(|(known, _)| *known == intent) =>
                {
                    asked.push((intent, on));
                }
                Entry::Outcome { intent, outcome, timing, redacted, .. } => {
                    outcomes.insert(intent, (outcome, timing, redacted.values().sum::<u32>()));
                }
                Entry::RunEnded { run: ended, end: how, .. } if ended == run => end = Some(how),
                _ => {}
            }
        }
        let (Some(start), Some(end)) = (start, end) else { return Err(RecordError::NotThere(run)) };
        let (digest, now_ms) = (start.digest.clone(), start.now_ms);
        let (targets, previous): (Vec<_>, Vec<_>) = start.into_targets().map(|on| (on.target, on.previous_ms)).unzip();
        let points =
            history::past_numbers(folder, &[run].into())?.remove(&run).unwrap_or(Err(PastError::NoRun(run)))?;
        let earlier = previous.into_iter().zip(points);
        let earlier =
            earlier.map(|(previous_ms, points)| Earlier { previous_ms, points, ..Earlier::default() }).collect();
        let mut recording = Self { digest, targets, now_ms, answers: Vec::new(), earlier, redacted: 0, end };
        for (intent, on) in asked {
            let (Some(action), Some((outcome, timing, redacted))) = (intents.remove(&intent), outcomes.remove(&intent))
            else {
                return Err(RecordError::NotThere(run));
            };
            recording.redacted += redacted;
            let outcome = whole(outcome, &evidence)?;
            recording.answers.push(Answered { on, action, outcome, timing });
        }
        Ok(recording)
    }

    /// The number of answers.
    #[must_use]
    pub fn answers(&self) -> usize {
        self.answers.len()
    }

    /// The case as text. A person reads it before it is used.
    ///
    /// # Errors
    /// When a case cannot write what happened.
    pub fn case(&self, manifest: &Manifest, grants: &[Grant]) -> Result<String, RecordError> {
        if let Some(withheld) = grants.iter().find_map(|grant| grant.withheld.first()) {
            let action = withheld.granted.action.id.clone();
            return Err(RecordError::Withheld { action, rule: withheld.rule.to_string() });
        }
        if let RunEnd::Fault(fault) = &self.end {
            return Err(RecordError::Broke(fault.message.clone()));
        }
        let mut all = grants.iter().map(|grant| (grant, settings(manifest, grant)));
        let set = all.next().map(|(_, set)| set).unwrap_or_default();
        if let Some((other, _)) = all.find(|(_, other)| *other != set) {
            return Err(RecordError::Differ(other.target.clone()));
        }
        let names = self.targets.iter().map(TargetName::as_str).collect::<Vec<_>>().join(", ");
        let now = Timestamp::from_millisecond(i64::try_from(self.now_ms).unwrap_or(i64::MAX)).unwrap_or(Timestamp::MAX);
        let previous = self.previous()?;
        let mut out = format!(
            "# Recorded from {} by component sha256:{}. Read it before you trust it: it is what happened, not what should happen.\n",
            names, self.digest
        );
        out += &format!("about = {}\nnow = \"{now}\"\n", text::string(&format!("as recorded on {names}")));
        out += &previous.map(|time| format!("previous = \"{time}\"\n")).unwrap_or_default();
        out += &match self.targets.as_slice() {
            [only] => format!("target = {}\n", text::string(only.as_str())),
            several => {
                let several: Vec<_> = several.iter().map(ToString::to_string).collect();
                format!("targets = {}\n", text::list(&several))
            }
        };
        out += &set;
        for answered in &self.answers {
            out += &answer(answered)?;
        }
        for (target, past) in self.targets.iter().zip(&self.earlier) {
            let on = (self.targets.len() > 1).then_some(target);
            out += &text::earlier(on, &past.points);
        }
        out += "\n";
        out += &super::written(&self.end);
        Ok(out)
    }

    /// When the earlier run began. None if that is the time of the newest number, which is a case's default.
    fn previous(&self) -> Result<Option<Timestamp>, RecordError> {
        if self.earlier.iter().all(|past| past.previous_ms == past.newest_ms()) {
            return Ok(None);
        }
        let first = self.earlier.first().and_then(|past| past.previous_ms);
        let other = self.targets.iter().zip(&self.earlier).find(|(_, past)| past.previous_ms != first);
        if let Some((other, _)) = other {
            return Err(RecordError::Differ(other.clone()));
        }
        Ok(first.and_then(|ms| Timestamp::from_millisecond(i64::try_from(ms).ok()?).ok()))
    }
}

/// Bindings and parameters that differ from the manifest's defaults.
fn settings(manifest: &Manifest, grant: &Grant) -> String {
    let mut bind = String::new();
    let slots = grant.slots();
    // The digest after the name of a statement or a command is left out: the case computes it again.
    let named = definitions(grant);
    let written = |literal: &str| match literal.split_once('#') {
        Some((name, _)) if named.contains_key(literal) => name.to_owned(),
        _ => literal.to_owned(),
    };
    for (name, slot) in &manifest.slots {
        let bound: Vec<_> =
            slots.get(name.as_str()).into_iter().flatten().map(|(_, literal)| written(literal)).collect();
        let default: Vec<_> = slot.default.iter().map(|literal| literal.as_str().to_owned()).collect();
        match bound.as_slice() {
            same if same == default => {}
            [one] if !slot.many => bind += &format!("{name} = {}\n", text::string(one)),
            several => bind += &format!("{name} = {}\n", text::list(several)),
        }
    }
    let mut param = String::new();
    for (name, value) in &grant.params {
        if manifest.params.get(name).is_none_or(|param| param.default != *value) {
            param += &format!("{name} = {}\n", text::value(value));
        }
    }
    let table = |name: &str, lines: String| if lines.is_empty() { lines } else { format!("\n[{name}]\n{lines}") };
    let defined: String = named.into_values().map(|definition| format!("\n{definition}")).collect();
    table("bind", bind) + &table("param", param) + &defined
}

/// The definitions of policy's statements and commands, by literal.
fn definitions(grant: &Grant) -> BTreeMap<String, String> {
    let literals = grant.entries().filter_map(|granted| granted.action.literal.as_ref());
    let define = |kind: &str, literal: &str, lines: String| {
        let name = literal.split('#').next().unwrap_or_default();
        (literal.to_owned(), format!("[{kind}.{name}]\n{lines}why = \"as recorded\"\n"))
    };
    let definition = |literal: &Literal| match literal {
        Literal::Statement(statement) => {
            let (database, sql) = (text::string(statement.database().as_str()), text::string(statement.sql()));
            Some(define("statement", statement.as_str(), format!("database = {database}\nsql = {sql}\n")))
        }
        Literal::Command(command) => {
            let argv = text::list(command.argv());
            Some(define("command", command.as_str(), format!("argv = {argv}\neffect = \"observe\"\n")))
        }
        _ => None,
    };
    literals.filter_map(definition).collect()
}

fn answer(answered: &Answered) -> Result<String, RecordError> {
    let Answered { on, action, outcome, timing } = answered;
    let mut out = "\n[[answer]]\n".to_owned();
    if let Some(on) = on {
        out += &format!("on = {}\n", text::string(on.as_str()));
    }
    out += &format!("action = {}\n", text::string(action.as_str()));
    if let Some(Timing { asked_us, elapsed_us }) = timing {
        let asked = i64::try_from(*asked_us).ok().and_then(|us| Timestamp::from_microsecond(us).ok());
        out += &format!("asked = \"{}\"\nelapsed-us = {elapsed_us}\n", asked.unwrap_or(Timestamp::MAX));
    }
    match outcome {
        Outcome::Answer { stdout, stderr, exit } => {
            out += &bytes("stdout", stdout);
            out += &bytes("stderr", stderr);
            // Writing to a String does not fail.
            let _ = match exit {
                Exit::Status(0) => Ok(()),
                Exit::Status(status) => writeln!(out, "exit = {status}"),
                Exit::Signal => writeln!(out, "exit = \"signal\""),
                Exit::Unreported => writeln!(out, "exit = \"unsaid\""),
            };
        }
        Outcome::Failed { error, .. } => {
            let error = match error {
                VerbError::TimedOut => "timed-out",
                VerbError::NotPermitted => "not-permitted",
                VerbError::TooLarge => "too-large",
                VerbError::Refused => return Err(RecordError::Refused(action.clone())),
                // The other errors come from reading an answer. Without an answer the target was not reached.
                _ => "unreachable",
            };
            out += &format!("error = \"{error}\"\n");
        }
    }
    Ok(out)
}

/// An outcome with the whole answer in it, also if the answer is kept beside the journal.
fn whole(outcome: Outcome, evidence: &Evidence) -> Result<Outcome, EvidenceError> {
    Ok(match outcome {
        Outcome::Answer { stdout, stderr, exit } => {
            let here = |blob| evidence.read(blob).map(|bytes| Blob::Inline(bytes.into_owned()));
            Outcome::Answer { stdout: here(&stdout)?, stderr: here(&stderr)?, exit }
        }
        failed @ Outcome::Failed { .. } => failed,
    })
}

fn bytes(name: &str, blob: &Blob) -> String {
    let Blob::Inline(bytes) = blob else { return String::new() };
    match std::str::from_utf8(bytes) {
        Ok("") => String::new(),
        Ok(text) => format!("{name} = {}\n", text::string(text)),
        Err(_) => format!("{name}-base64 = \"{}\"\n", BASE64.encode(bytes)),
    }
}
