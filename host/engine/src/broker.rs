//! Every verb call goes through here: grant lookup, journal intent, transport, journal outcome.
//!
//! Knows: grants, connections, the journal. Must not know: wasm, or what an answer means. Attacks answered: a worker that
//! asks for more than its run was granted (the broker does not trust the worker's linking), one target that many probes ask
//! the same question, and secrets in answers (TX09): they are removed here.
//!
//! **Invariant:** this is the only caller of [`Connection::run`], and it takes an action from a grant, never a text.
//! **Invariant:** journal, workers and reports get an answer only after redaction, and all of them get the same bytes.

mod stage;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use jiff::Timestamp;
use tokio::sync::watch;
use tokio::task::JoinSet;

pub use self::stage::{STAGED_MAX, StageRequest, Staged};
use bailiwick_core::model::{Action, ActionId, Phase, Tainted, TargetName, Verb, VerbError};
use bailiwick_core::model::{Answer, Timing};
use bailiwick_core::outcome;
use bailiwick_core::redact;
use bailiwick_core::redact::{Counts, Redactor};
use bailiwick_core::verbs::{READ_BYTES, spec};
use bailiwick_journal as journal;
use bailiwick_journal::{Blob, Entry, Journal};
use bailiwick_policy::grant::Grant;
use bailiwick_policy::library::Binary;
use bailiwick_transport::{Connection, RunError};

/// Sends calls to targets, and records each of them in the journal.
#[derive(Debug)]
pub struct Broker {
    journal: Arc<Journal>,
    /// The first write that failed. Nothing is sent after it.
    broken: Mutex<Option<journal::OpenError>>,
    redactor: Arc<Redactor>,
    /// Components that are kept beside the journal: their sizes, by digest.
    kept_components: Mutex<HashMap<String, u64>>,
}

/// One target of a sweep: its connection, and the answers it has given.
#[derive(Debug)]
pub struct TargetSession {
    connection: Connection,
    answers: Mutex<HashMap<ActionId, watch::Receiver<Option<SharedAnswer>>>>,
    /// Actions under way. Each ends by itself, even if the run that asked for it has ended.
    sending: Mutex<JoinSet<()>>,
}

/// The result of an action, for every run that asked for it.
#[derive(Debug, Clone)]
struct SharedAnswer {
    /// The number of the intent's entry.
    intent: u64,
    result: Result<Arc<Answer>, Failure>,
    redacted: Counts,
}

/// Why there is no answer: an error for the guest, a cause for the operator.
#[derive(Debug, Clone)]
struct Failure {
    error: VerbError,
    cause: String,
}

/// One run, as the broker sees it.
#[derive(Debug)]
pub struct RunContext {
    /// Its number in the journal.
    pub id: u64,
    /// The part of the component's work.
    pub phase: Phase,
    targets: Vec<(Arc<Grant>, Arc<TargetSession>)>,
    calls: Mutex<Vec<outcome::Call>>,
    staged: Mutex<Vec<Staged>>,
}

impl TargetSession {
    /// Takes over an open connection.
    #[must_use]
    pub fn new(connection: Connection) -> Self {
        Self { connection, answers: Mutex::default(), sending: Mutex::default() }
    }

    /// Waits for the actions that are still under way, each within its verb's limit.
    pub async fn finish(&self) {
        let sending = std::mem::take(&mut *self.sending.lock().unwrap_or_else(PoisonError::into_inner));
        sending.join_all().await;
    }

    /// Closes the connection.
    pub async fn close(self) {
        self.connection.close().await;
    }
}

impl RunContext {
    /// A run on one target. `id` is the number of its start in the journal.
    #[must_use]
    pub fn new(id: u64, grant: Arc<Grant>, session: Arc<TargetSession>) -> Self {
        Self::together(id, vec![(grant, session)])
    }

    /// A run on several targets, each with its own grant. A call names a target by its index here.
    #[must_use]
    pub fn together(id: u64, targets: Vec<(Arc<Grant>, Arc<TargetSession>)>) -> Self {
        Self { id, phase: Phase::Examine, targets, calls: Mutex::default(), staged: Mutex::default() }
    }

    /// The same for a part of a fix's work.
    #[must_use]
    pub fn in_phase(self, phase: Phase) -> Self {
        Self { phase, ..self }
    }

    /// The target's name, in a run on several targets.
    fn on(&self, grant: &Grant) -> Option<TargetName> {
        (self.targets.len() > 1).then(|| grant.target.clone())
    }

    /// The calls so far.
    #[must_use]
    pub fn calls(&self) -> Vec<outcome::Call> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn record(&self, call: outcome::Call) {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).push(call);
    }
}

impl Broker {
    /// A broker that writes to `journal`, and removes secrets from answers by the built-in rules.
    #[must_use]
    pub fn new(journal: Arc<Journal>) -> Self {
        Self { journal, broken: Mutex::default(), redactor: Arc::default(), kept_components: Mutex::default() }
    }

    /// The same with policy's rules.
    #[must_use]
    pub fn redacting(self, redactor: Arc<Redactor>) -> Self {
        Self { redactor, ..self }
    }

    /// Writes an entry and returns its number; `None` once a write has failed.
    pub fn note(&self, entry: Entry) -> Option<u64> {
        match self.journal.append(entry) {
            Ok(seq) => Some(seq),
            Err(error) => {
                self.fail(error);
                None
            }
        }
    }

    fn fail(&self, error: journal::OpenError) {
        tracing::debug!("{error}");
        // Later errors only follow from the first one.
        self.broken.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
    }

    /// Keeps a component that is about to run, so that its run can be replayed after the component was replaced. Returns the
    /// number of bytes that are kept; `None` also once a write has failed, and the run then has no entry.
    pub async fn keep_component(&self, binary: &Binary) -> Option<u64> {
        let known = self.kept_components.lock().unwrap_or_else(PoisonError::into_inner).get(&binary.digest).copied();
        if known.is_some() {
            return known;
        }
        let (journal, ours) = (Arc::clone(&self.journal), binary.clone());
        let keep = move || Ok(journal.keep_component(&ours.bytes)?.map(|_| ours.bytes.len() as u64));
        match tokio::task::spawn_blocking(keep).await.unwrap_or(Err(journal::OpenError::Broken)) {
            Ok(Some(bytes)) => {
                let mut kept = self.kept_components.lock().unwrap_or_else(PoisonError::into_inner);
                kept.insert(binary.digest.clone(), bytes);
                Some(bytes)
            }
            Ok(None) => None,
            Err(error) => {
                self.fail(error);
                None
            }
        }
    }

    /// The first write that failed, if one did. It is returned once.
    pub fn failure(&self) -> Option<journal::OpenError> {
        self.broken.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Answers one call of a run. `number` counts from 1 in each run; the caller has checked that it is the next.
    ///
    /// # Errors
    /// The error that the guest gets instead of an answer.
    pub async fn call(
        self: &Arc<Self>,
        run: &RunContext,
        number: u32,
        target: u32,
        verb: Verb,
        slot: Option<&Tainted>,
    ) -> Result<Arc<Answer>, VerbError> {
        let key = slot.map(Tainted::for_encoder);
        let asked = Tainted::new(key.map_or_else(|| verb.name().to_owned(), |key| format!("{verb}({key})")));
        // An index without a target is a breach: the worker that sent it has been killed.
        let on_target = usize::try_from(target).ok().and_then(|index| run.targets.get(index));
        let Some((grant, session)) = on_target else { return Err(VerbError::Refused) };
        let on = run.on(grant);
        let Some(granted) = grant.lookup(verb, key) else {
            self.note(Entry::CallRefused { run: run.id, call: number, on: on.clone(), verb, slot: slot.cloned() });
            run.record(outcome::Call {
                target: on,
                action: None,
                asked,
                error: Some(VerbError::Refused),
                cause: grant.withheld_reason(verb, key),
                redacted: Counts::new(),
            });
            return Err(VerbError::Refused);
        };
        let action = &granted.action;
        let (receiver, first) = self.shared_answer(run.id, on.clone(), session, number, action);
        let answer = Self::wait(receiver).await;
        if !first {
            let (call, intent, on) = (number, answer.intent, on.clone());
            self.note(Entry::Shared { run: run.id, call, on, action: action.id.clone(), intent });
        }
        let failure = answer.result.as_ref().err();
        run.record(outcome::Call {
            target: on,
            action: Some(action.id.clone()),
            asked,
            error: failure.map(|failure| failure.error),
            cause: failure.map(|failure| failure.cause.clone()),
            redacted: answer.redacted.clone(),
        });
        answer.result.clone().map_err(|failure| failure.error)
    }

    /// Where the answer to an action arrives. Sends the action if no run has asked for it before; then the second value is
    /// true.
    fn shared_answer(
        self: &Arc<Self>,
        run: u64,
        on: Option<TargetName>,
        session: &Arc<TargetSession>,
        call: u32,
        action: &Arc<Action>,
    ) -> (watch::Receiver<Option<SharedAnswer>>, bool) {
        let mut answers = session.answers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(receiver) = answers.get(&action.id) {
            return (receiver.clone(), false);
        }
        let (sender, receiver) = watch::channel(None);
        answers.insert(action.id.clone(), receiver.clone());
        let (broker, on_target) = (Arc::clone(self), Arc::clone(session));
        let action = Arc::clone(action);
        // In a task of its own: if the run ends meanwhile, the intent still gets its outcome, and other runs that wait for
        // the answer get it.
        session.sending.lock().unwrap_or_else(PoisonError::into_inner).spawn(async move {
            let answer = broker.send(run, on, call, &on_target.connection, &action).await;
            sender.send_replace(Some(answer));
        });
        (receiver, true)
    }

    async fn wait(mut receiver: watch::Receiver<Option<SharedAnswer>>) -> SharedAnswer {
        let answer = receiver.wait_for(Option::is_some).await;
        answer.ok().and_then(|answer| answer.clone()).unwrap_or_else(|| SharedAnswer {
            intent: 0,
            result: Err(Failure { error: VerbError::Unreachable, cause: "the sweep has ended".to_owned() }),
            redacted: Counts::new(),
        })
    }

    /// Sends one action, once per target and sweep.
    async fn send(
        &self,
        run: u64,
        on: Option<TargetName>,
        call: u32,
        connection: &Connection,
        action: &Action,
    ) -> SharedAnswer {
        let intent = Entry::Intent { run, call, on, action: action.id.clone() };
        let Some(intent) = self.note(intent) else {
            let cause = "the journal is not writable, so nothing is sent".to_owned();
            let result = Err(Failure { error: VerbError::Unreachable, cause });
            return SharedAnswer { intent: 0, result, redacted: Counts::new() };
        };
        let sent_us = u64::try_from(Timestamp::now().as_microsecond()).unwrap_or(0);
        let started = Instant::now();
        let (answer, redacted, elapsed_ms) = match connection.recorded_outcome(action) {
            // A recorded answer brings the time that it took then.
            Some((answer, redacted)) => {
                (answer.map_err(|error| Failure { error: verb_error(&error), cause: error.to_string() }), redacted, 0)
            }
            None => {
                let mut answer = connection.run(action).await;
                let elapsed = started.elapsed();
                if let (Ok(answer), true) = (&mut answer, action.verb == Verb::SystemClock) {
                    // An answer of a case may have its own.
                    let elapsed_us = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
                    answer.timing.get_or_insert(Timing { asked_us: sent_us, elapsed_us });
                }
                // No part of the answer leaves the broker before this.
                let mut redacted = Counts::new();
                let answer = answer.and_then(|answer| self.without_secrets(action.verb, answer, &mut redacted));
                let answer = answer.map_err(|error| Failure {
                    error: verb_error(&error),
                    cause: self.redactor.text(error.to_string(), &mut redacted),
                });
                (answer, redacted, u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX))
            }
        };
        let result = answer.map(Arc::new);
        let outcome = match &result {
            Ok(answer) => match self.keep(answer).await {
                Ok((stdout, stderr)) => journal::Outcome::Answer { stdout, stderr, exit: answer.exit },
                Err(error) => {
                    self.fail(error);
                    return SharedAnswer { intent, result, redacted };
                }
            },
            Err(Failure { error, cause }) => journal::Outcome::Failed { error: *error, cause: cause.clone() },
        };
        let timing = result.as_ref().ok().and_then(|answer| answer.timing);
        self.note(Entry::Outcome { intent, outcome, elapsed_ms, timing, redacted: redacted.clone() });
        SharedAnswer { intent, result, redacted }
    }

    /// An answer as its entry writes it. Bytes that are kept beside the journal are on the disk before the entry is written;
    /// other targets do not wait for that.
    async fn keep(&self, answer: &Arc<Answer>) -> Result<(Blob, Blob), journal::OpenError> {
        let (journal, answer) = (Arc::clone(&self.journal), Arc::clone(answer));
        let keep = move || Ok((journal.keep(&answer.stdout)?, journal.keep(&answer.stderr)?));
        // It does not panic, and is never aborted.
        tokio::task::spawn_blocking(keep).await.unwrap_or(Err(journal::OpenError::Broken))
    }

    /// An answer without secrets. It is checked against its verb's limit again: the marks in place of secrets add bytes.
    fn without_secrets(&self, verb: Verb, answer: Answer, counts: &mut Counts) -> Result<Answer, RunError> {
        let Answer { mut stdout, stderr, exit, timing } = answer;
        let whole = stdout.len();
        if verb == Verb::FilesRead && whole > READ_BYTES {
            redact::drop_cut_line(&mut stdout);
        }
        let mut stdout = self.redactor.bytes(stdout, counts);
        let stderr = self.redactor.bytes(stderr, counts);
        let bytes_max = spec(verb).bytes_max;
        if verb == Verb::FilesRead {
            // One byte more than a component gets means that the file goes on. Redaction must not remove that byte.
            if whole > READ_BYTES || stdout.len() > READ_BYTES {
                stdout.resize(READ_BYTES + 1, b'\n');
            }
        } else if u64::try_from(stdout.len()).is_ok_and(|bytes| bytes > bytes_max) {
            return Err(RunError::TooLarge(bytes_max));
        }
        Ok(Answer { stdout, stderr, exit, timing })
    }
}

/// The error that a guest gets for a failure of the transport.
fn verb_error(error: &RunError) -> VerbError {
    match error {
        RunError::Lost | RunError::NotConnected(_) => VerbError::Unreachable,
        RunError::NotStarted | RunError::Gate(_) => VerbError::NotPermitted,
        RunError::TimedOut(_) => VerbError::TimedOut,
        RunError::TooLarge(_) => VerbError::TooLarge,
        RunError::Forbidden { .. } => VerbError::Refused,
        RunError::Recorded { error, .. } => *error,
        // A fault of the controller, not of the target: the target was not checked.
        RunError::Io(_) | RunError::NoChannel => VerbError::Unreachable,
    }
}
