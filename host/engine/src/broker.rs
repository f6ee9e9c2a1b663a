//! The one gate for every verb call: grant lookup, journal intent, transport, journal outcome.
//!
//! Knows: grants, connections, the journal. Must not know: wasm, or what an answer means. Attacks answered: a worker that
//! asks for more than its run was granted (the worker's own linking is not believed), one target asked the same question
//! by many probes, and secrets in answers (TX09): they end here.
//!
//! **Invariant:** this is the only caller of [`Connection::run`], and it takes an action from a grant, never a text.
//! **Invariant:** journal, workers and reports get what the redactor has left of an answer, all of them the same bytes.

mod stage;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use jiff::Timestamp;
use tokio::sync::watch;
use tokio::task::JoinSet;

pub use self::stage::{Asked, STAGED_MAX, Staged};
use bailiwick_core::model::{Action, ActionId, LookError, Phase, Tainted, TargetName, Verb};
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

/// Carries calls to targets and writes down what happens.
#[derive(Debug)]
pub struct Broker {
    journal: Arc<Journal>,
    /// The first write that failed: after it nothing is sent any more.
    broken: Mutex<Option<journal::OpenError>>,
    redactor: Arc<Redactor>,
    /// Components that are beside the journal, by digest.
    kept: Mutex<HashMap<String, u64>>,
}

/// One target of a sweep: its connection, and the answers it has given.
#[derive(Debug)]
pub struct TargetSession {
    connection: Connection,
    told: Mutex<HashMap<ActionId, watch::Receiver<Option<Told>>>>,
    /// Questions under way. Each ends by itself, whatever becomes of the run that asked it.
    asks: Mutex<JoinSet<()>>,
}

/// What came of an action, for all who asked.
#[derive(Debug, Clone)]
struct Told {
    /// The journal's number of the intent.
    intent: u64,
    result: Result<Arc<Answer>, Failure>,
    redacted: Counts,
}

/// Why there is no answer: what the guest is told, and what the operator is.
#[derive(Debug, Clone)]
struct Failure {
    error: LookError,
    cause: String,
}

/// One run, as the broker sees it.
#[derive(Debug)]
pub struct RunContext {
    /// Its number in the journal.
    pub id: u64,
    /// Which part of a component's work it is.
    pub phase: Phase,
    targets: Vec<(Arc<Grant>, Arc<TargetSession>)>,
    calls: Mutex<Vec<outcome::Call>>,
    staged: Mutex<Vec<Staged>>,
}

impl TargetSession {
    /// Takes over an open connection.
    #[must_use]
    pub fn new(connection: Connection) -> Self {
        Self { connection, told: Mutex::default(), asks: Mutex::default() }
    }

    /// Waits for the answers that are still due, each within its verb's limit.
    pub async fn finish(&self) {
        let asks = std::mem::take(&mut *self.asks.lock().unwrap_or_else(PoisonError::into_inner));
        asks.join_all().await;
    }

    /// Says goodbye to the target.
    pub async fn close(self) {
        self.connection.close().await;
    }
}

impl RunContext {
    /// A run that has been written down under `id`.
    #[must_use]
    pub fn new(id: u64, grant: Arc<Grant>, link: Arc<TargetSession>) -> Self {
        Self::together(id, vec![(grant, link)])
    }

    /// A run on several targets, each with its own grant: a call names one by its place here.
    #[must_use]
    pub fn together(id: u64, targets: Vec<(Arc<Grant>, Arc<TargetSession>)>) -> Self {
        Self { id, phase: Phase::Examine, targets, calls: Mutex::default(), staged: Mutex::default() }
    }

    /// The same for a part of a fix's work.
    #[must_use]
    pub fn in_phase(self, phase: Phase) -> Self {
        Self { phase, ..self }
    }

    /// The target's name, where it has to be said: in a run on several.
    fn on(&self, grant: &Grant) -> Option<TargetName> {
        (self.targets.len() > 1).then(|| grant.target.clone())
    }

    /// The calls so far.
    #[must_use]
    pub fn calls(&self) -> Vec<outcome::Call> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn remember(&self, call: outcome::Call) {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).push(call);
    }
}

impl Broker {
    /// A broker that writes to `journal`, and takes secrets out of answers by the built-in rules.
    #[must_use]
    pub fn new(journal: Arc<Journal>) -> Self {
        Self { journal, broken: Mutex::default(), redactor: Arc::default(), kept: Mutex::default() }
    }

    /// The same with policy's rules.
    #[must_use]
    pub fn redacting(self, redactor: Arc<Redactor>) -> Self {
        Self { redactor, ..self }
    }

    /// Writes an entry and gives its number; `None` once a write has failed.
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
        // Later ones only say that there was a first.
        self.broken.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
    }

    /// Keeps a component that is about to run, so that its run can be replayed when there is another in its place. How
    /// many bytes are kept; `None` too once a write has failed, and the run then has no entry.
    pub async fn keep_component(&self, binary: &Binary) -> Option<u64> {
        let known = self.kept.lock().unwrap_or_else(PoisonError::into_inner).get(&binary.digest).copied();
        if known.is_some() {
            return known;
        }
        let (journal, ours) = (Arc::clone(&self.journal), binary.clone());
        let keep = move || Ok(journal.keep_component(&ours.bytes)?.map(|_| ours.bytes.len() as u64));
        match tokio::task::spawn_blocking(keep).await.unwrap_or(Err(journal::OpenError::Broken)) {
            Ok(Some(bytes)) => {
                let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
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

    /// The first write that failed, if one did; told once.
    pub fn failure(&self) -> Option<journal::OpenError> {
        self.broken.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Answers one call of a run. `number` counts from 1 in each run; the caller has checked that it is the next.
    ///
    /// # Errors
    /// What the guest is told instead of an answer.
    pub async fn call(
        self: &Arc<Self>,
        run: &RunContext,
        number: u32,
        target: u32,
        verb: Verb,
        slot: Option<&Tainted>,
    ) -> Result<Arc<Answer>, LookError> {
        let key = slot.map(Tainted::for_encoder);
        let asked = Tainted::new(key.map_or_else(|| verb.name().to_owned(), |key| format!("{verb}({key})")));
        // A place that is none was a breach of the worker's, who is no more.
        let found = usize::try_from(target).ok().and_then(|index| run.targets.get(index));
        let Some((grant, link)) = found else { return Err(LookError::Refused) };
        let on = run.on(grant);
        let Some(granted) = grant.lookup(verb, key) else {
            let (call, on_target) = (number, on.clone());
            self.note(Entry::CallRefused { run: run.id, call, on: on_target, verb, slot: slot.cloned() });
            run.remember(outcome::Call {
                target: on,
                action: None,
                asked,
                error: Some(LookError::Refused),
                cause: grant.withheld_reason(verb, key),
                redacted: Counts::new(),
            });
            return Err(LookError::Refused);
        };
        let action = &granted.action;
        let (told, first) = self.told(run.id, on.clone(), link, number, action);
        let told = Self::wait(told).await;
        if !first {
            let (call, intent, on) = (number, told.intent, on.clone());
            self.note(Entry::Shared { run: run.id, call, on, action: action.id.clone(), intent });
        }
        let failure = told.result.as_ref().err();
        run.remember(outcome::Call {
            target: on,
            action: Some(action.id.clone()),
            asked,
            error: failure.map(|failure| failure.error),
            cause: failure.map(|failure| failure.cause.clone()),
            redacted: told.redacted.clone(),
        });
        told.result.clone().map_err(|failure| failure.error)
    }

    /// Where the answer to an action will be told; sends it if nobody has yet. True for the one who did.
    fn told(
        self: &Arc<Self>,
        run: u64,
        on: Option<TargetName>,
        link: &Arc<TargetSession>,
        call: u32,
        action: &Arc<Action>,
    ) -> (watch::Receiver<Option<Told>>, bool) {
        let mut told = link.told.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(told) = told.get(&action.id) {
            return (told.clone(), false);
        }
        let (sender, receiver) = watch::channel(None);
        told.insert(action.id.clone(), receiver.clone());
        let (broker, asked) = (Arc::clone(self), Arc::clone(link));
        let action = Arc::clone(action);
        // In a task of its own: if the run ends meanwhile, what was sent still gets its outcome, and whoever else waits
        // for the answer gets it.
        link.asks.lock().unwrap_or_else(PoisonError::into_inner).spawn(async move {
            let told = broker.ask(run, on, call, &asked.connection, &action).await;
            sender.send_replace(Some(told));
        });
        (receiver, true)
    }

    async fn wait(mut told: watch::Receiver<Option<Told>>) -> Told {
        let found = told.wait_for(Option::is_some).await;
        found.ok().and_then(|told| told.clone()).unwrap_or_else(|| Told {
            intent: 0,
            result: Err(Failure { error: LookError::Unreachable, cause: "the sweep has ended".to_owned() }),
            redacted: Counts::new(),
        })
    }

    /// Sends one action, once per target and sweep.
    async fn ask(&self, run: u64, on: Option<TargetName>, call: u32, connection: &Connection, action: &Action) -> Told {
        let intent = Entry::Intent { run, call, on, action: action.id.clone() };
        let Some(intent) = self.note(intent) else {
            let cause = "the journal cannot be written, so nothing is sent".to_owned();
            let result = Err(Failure { error: LookError::Unreachable, cause });
            return Told { intent: 0, result, redacted: Counts::new() };
        };
        let asked_us = u64::try_from(Timestamp::now().as_microsecond()).unwrap_or(0);
        let started = Instant::now();
        let (answer, redacted, elapsed_ms) = match connection.told(action) {
            // It brings the times of when it was given.
            Some((answer, redacted)) => {
                (answer.map_err(|error| Failure { error: look_error(&error), cause: error.to_string() }), redacted, 0)
            }
            None => {
                let mut answer = connection.run(action).await;
                let elapsed = started.elapsed();
                if let (Ok(answer), true) = (&mut answer, action.verb == Verb::SystemClock) {
                    // A case's answer may bring its own.
                    let elapsed_us = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
                    answer.timing.get_or_insert(Timing { asked_us, elapsed_us });
                }
                // Nothing of the answer is seen by anybody before this.
                let mut redacted = Counts::new();
                let answer = answer.and_then(|answer| self.without_secrets(action.verb, answer, &mut redacted));
                let answer = answer.map_err(|error| Failure {
                    error: look_error(&error),
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
                    return Told { intent, result, redacted };
                }
            },
            Err(Failure { error, cause }) => journal::Outcome::Failed { error: *error, cause: cause.clone() },
        };
        let timing = result.as_ref().ok().and_then(|answer| answer.timing);
        self.note(Entry::Outcome { intent, outcome, elapsed_ms, timing, redacted: redacted.clone() });
        Told { intent, result, redacted }
    }

    /// An answer as its entry says it. What is kept beside the journal is on the disk before the entry is written; who
    /// waits for other targets does not wait for that.
    async fn keep(&self, answer: &Arc<Answer>) -> Result<(Blob, Blob), journal::OpenError> {
        let (journal, answer) = (Arc::clone(&self.journal), Arc::clone(answer));
        let keep = move || Ok((journal.keep(&answer.stdout)?, journal.keep(&answer.stderr)?));
        // It does not panic, and nobody aborts it.
        tokio::task::spawn_blocking(keep).await.unwrap_or(Err(journal::OpenError::Broken))
    }

    /// An answer as everybody may see it, within its verb's limit, which what stands for a secret may have gone over.
    fn without_secrets(&self, verb: Verb, answer: Answer, counts: &mut Counts) -> Result<Answer, RunError> {
        let Answer { mut stdout, stderr, exit, timing } = answer;
        let whole = stdout.len();
        if verb == Verb::FilesRead && u64::try_from(whole).is_ok_and(|bytes| bytes > READ_BYTES) {
            redact::drop_cut_line(&mut stdout);
        }
        let mut stdout = self.redactor.bytes(stdout, counts);
        let stderr = self.redactor.bytes(stderr, counts);
        let bytes_max = spec(verb).bytes_max;
        if verb == Verb::FilesRead {
            // One byte more than a component gets says that there is more of the file, and must go on saying so.
            let start = usize::try_from(READ_BYTES).unwrap_or(usize::MAX);
            if whole > start || stdout.len() > start {
                stdout.resize(start.saturating_add(1), b'\n');
            }
        } else if u64::try_from(stdout.len()).is_ok_and(|bytes| bytes > bytes_max) {
            return Err(RunError::TooLarge(bytes_max));
        }
        Ok(Answer { stdout, stderr, exit, timing })
    }
}

/// What a guest is told of a transport's failure.
fn look_error(error: &RunError) -> LookError {
    match error {
        RunError::Lost | RunError::Unreached(_) => LookError::Unreachable,
        RunError::NotStarted | RunError::Gate(_) => LookError::NotPermitted,
        RunError::TimedOut(_) => LookError::TimedOut,
        RunError::TooLarge(_) => LookError::TooLarge,
        RunError::Forbidden { .. } => LookError::Refused,
        RunError::Recorded { error, .. } => *error,
        // Ours, not the target's: whatever it is, nobody has looked.
        RunError::Io(_) | RunError::NoChannel => LookError::Unreachable,
    }
}
