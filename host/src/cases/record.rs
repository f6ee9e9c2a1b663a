//! A case out of a run that the journal holds: what was asked and answered, and what the component made of it.
//!
//! Knows: entries. Must not know: how the run came about. It was a run like any other: granted, accepted, redacted before
//! anything was written down. So a recording holds nothing that the journal does not.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use data_encoding::BASE64;
use jiff::Timestamp;

use super::text;
use crate::grant::Grant;
use crate::journal::{Blob, Entry, Evidence, EvidenceError, Outcome, ReadError, Reader, RunEnd};
use crate::manifest::Manifest;
use crate::model::{ActionId, Literal, LookError};
use crate::transport::Exit;

/// One run, as a case needs it.
#[derive(Debug)]
pub struct Recording {
    digest: String,
    target: String,
    now_ms: u64,
    answers: Vec<(ActionId, Outcome)>,
    /// How many secrets were taken out of the answers.
    pub redacted: u32,
    end: RunEnd,
}

/// Why there is nothing to make a case of.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The journal cannot be read.
    #[error("cannot read the journal")]
    Read(#[from] ReadError),
    /// An answer is not beside it as it was.
    #[error(transparent)]
    Evidence(#[from] EvidenceError),
    /// It does not hold the run's start and end.
    #[error("the journal does not hold all of run {0}")]
    NotThere(u64),
    /// The component broke, which no case expects.
    #[error("the component broke: {0}")]
    Broke(String),
    /// A case knows no never-rules.
    #[error(
        "{action} is withheld by {rule}, and a case knows no never-rules\n\nhint: record it on a target where nothing is withheld from it"
    )]
    Withheld {
        /// What is withheld.
        action: ActionId,
        /// By which line.
        rule: String,
    },
    /// The target turned out to be out of reach for everybody.
    #[error("{0} was refused: nothing of this target can be recorded")]
    Refused(ActionId),
}

impl Recording {
    /// Finds a run in the journal.
    ///
    /// # Errors
    /// When the journal cannot be read, or does not hold all of it.
    pub fn read(folder: &Path, run: u64) -> Result<Self, RecordError> {
        let evidence = Evidence::beside(folder);
        let mut intents = BTreeMap::new();
        let mut outcomes = BTreeMap::new();
        let (mut asked, mut start, mut end) = (Vec::new(), None, None);
        for record in Reader::open(folder)? {
            let record = record?;
            match record.entry {
                // Answers are kept for one sweep at a time; the run's own is the last that has begun before it.
                Entry::SweepStarted { .. } if start.is_none() => {
                    intents.clear();
                    outcomes.clear();
                }
                Entry::RunStarted { digest, target, now_ms, .. } if record.seq == run => {
                    start = Some((digest, target, now_ms));
                }
                Entry::Intent { run: of, action, .. } => {
                    if of == run {
                        asked.push(record.seq);
                    }
                    intents.insert(record.seq, action);
                }
                // It asked for what a run before it had asked for.
                Entry::Shared { run: of, intent, .. } if of == run && !asked.contains(&intent) => asked.push(intent),
                Entry::Outcome { intent, outcome, redacted, .. } => {
                    outcomes.insert(intent, (outcome, redacted.values().sum::<u32>()));
                }
                Entry::RunEnded { run: of, end: how, .. } if of == run => end = Some(how),
                _ => {}
            }
        }
        let (Some((digest, target, now_ms)), Some(end)) = (start, end) else { return Err(RecordError::NotThere(run)) };
        let mut recording = Self { digest, target: target.to_string(), now_ms, answers: Vec::new(), redacted: 0, end };
        for intent in asked {
            let (Some(action), Some((outcome, redacted))) = (intents.remove(&intent), outcomes.remove(&intent)) else {
                return Err(RecordError::NotThere(run));
            };
            recording.redacted += redacted;
            recording.answers.push((action, whole(outcome, &evidence)?));
        }
        Ok(recording)
    }

    /// How many answers there are.
    #[must_use]
    pub fn answers(&self) -> usize {
        self.answers.len()
    }

    /// The case, ready for a person to read.
    ///
    /// # Errors
    /// When no case can say what happened.
    pub fn case(&self, manifest: &Manifest, grant: &Grant) -> Result<String, RecordError> {
        if let Some(withheld) = grant.withheld.first() {
            let action = withheld.granted.action.id.clone();
            return Err(RecordError::Withheld { action, rule: withheld.rule.to_string() });
        }
        if let RunEnd::Fault { message } = &self.end {
            return Err(RecordError::Broke(message.clone()));
        }
        let now = Timestamp::from_millisecond(i64::try_from(self.now_ms).unwrap_or(i64::MAX)).unwrap_or(Timestamp::MAX);
        let mut out = format!(
            "# Recorded from {} by component sha256:{}. Read it before you trust it: it is what was, not what should be.\n",
            self.target, self.digest
        );
        out += &format!("about = {}\nnow = \"{now}\"\n", text::string(&format!("as recorded on {}", self.target)));
        out += &format!("target = {}\n", text::string(&self.target));
        out += &settings(manifest, grant);
        for (action, outcome) in &self.answers {
            out += &answer(action, outcome)?;
        }
        out += "\n";
        out += &super::written(&self.end);
        Ok(out)
    }
}

/// What policy had put into slots and settings, where it is not what the manifest has.
fn settings(manifest: &Manifest, grant: &Grant) -> String {
    let mut bind = String::new();
    let slots = grant.slots();
    // Behind the name of a statement or a command stands a digest, which a case works out again.
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

/// What policy's names stand for, by literal.
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

fn answer(action: &ActionId, outcome: &Outcome) -> Result<String, RecordError> {
    let mut out = format!("\n[[answer]]\naction = {}\n", text::string(action.as_str()));
    match outcome {
        Outcome::Answer { stdout, stderr, exit } => {
            out += &bytes("stdout", stdout);
            out += &bytes("stderr", stderr);
            // Writing to a String does not fail.
            let _ = match exit {
                Exit::Status(0) => Ok(()),
                Exit::Status(status) => writeln!(out, "exit = {status}"),
                Exit::Signal => writeln!(out, "exit = \"signal\""),
                Exit::Unsaid => writeln!(out, "exit = \"unsaid\""),
            };
        }
        Outcome::Failed { error, .. } => {
            let error = match error {
                LookError::TimedOut => "timed-out",
                LookError::NotPermitted => "not-permitted",
                LookError::TooLarge => "too-large",
                LookError::Refused => return Err(RecordError::Refused(action.clone())),
                // The rest is what a reader makes of an answer; without one, nothing was reached.
                _ => "unreachable",
            };
            out += &format!("error = \"{error}\"\n");
        }
    }
    Ok(out)
}

/// An outcome with all of its answer in it.
fn whole(outcome: Outcome, evidence: &Evidence) -> Result<Outcome, EvidenceError> {
    Ok(match outcome {
        Outcome::Answer { stdout, stderr, exit } => {
            let here = |blob| evidence.read(blob).map(|bytes| Blob::Here(bytes.into_owned()));
            Outcome::Answer { stdout: here(&stdout)?, stderr: here(&stderr)?, exit }
        }
        failed @ Outcome::Failed { .. } => failed,
    })
}

fn bytes(name: &str, blob: &Blob) -> String {
    let Blob::Here(bytes) = blob else { return String::new() };
    match std::str::from_utf8(bytes) {
        Ok("") => String::new(),
        Ok(text) => format!("{name} = {}\n", text::string(text)),
        Err(_) => format!("{name}-base64 = \"{}\"\n", BASE64.encode(bytes)),
    }
}
