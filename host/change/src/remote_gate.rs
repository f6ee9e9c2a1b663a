//! The real hands: a target's gate, over two connections: one that looks, and one that changes, which is opened for a change that has
//! its intent in the journal, and for nothing else.
//!
//! Knows: what a request and an answer are in frames. Must not know: the order of things. Attacks answered: the credential that changes
//! in use for anything else (D18); a "no" that is none (CH07): only what the gate has said itself, or what was never sent, is a no.

use std::time::Duration;

use super::check::SNAPSHOT_BYTES_MAX;
use super::gate_client::{Closed, GateClient, GateClientError, GateState, Known};
use super::plan::{Plan, Step};
use super::store::Store;
use bailiwick_core::fleet::{Fleet, Target};
use bailiwick_core::gate_protocol;
use bailiwick_core::gate_protocol::{Answer, ChangeFacts, Ended, GateFacts, Outcome, Preview, Request, Signed, Status};
use bailiwick_core::model::{ChangeId, State, Tainted, Way};
use bailiwick_transport::gate::{ChangeSession, GateError, inspect};
use bailiwick_transport::ssh;
use bailiwick_transport::ssh::Session;

/// How long is waited for a session before ours that is still at work there, and how often that is tried: a restart may take minutes.
const BUSY_TRIES: u32 = 30;
const BUSY_WAIT: Duration = Duration::from_secs(5);

/// Who carries a request to a gate and an answer back.
pub trait GateTransport {
    /// Asks something that changes nothing.
    fn looks(&mut self, request: Request) -> impl Future<Output = Result<Answer, GateClientError>>;
    /// Asks for a change.
    fn changes(&mut self, request: Request) -> impl Future<Output = Result<Outcome, GateClientError>>;
    /// Lets every connection go, and makes another.
    fn renew(&mut self) -> impl Future<Output = Result<(), GateClientError>>;
}

/// A gate, however it is reached.
#[derive(Debug)]
pub struct RemoteGate<T> {
    /// Who reaches it.
    pub talk: T,
    /// Where bytes are that fixes made.
    store: Store,
    /// What an approver has signed, and the signature.
    signed: Option<(Vec<u8>, Vec<u8>)>,
}

/// A gate over SSH.
pub type Gated<'a> = RemoteGate<Sessions<'a>>;

/// Two connections to a target: one that looks, and one that changes.
#[derive(Debug)]
pub struct Sessions<'a> {
    fleet: &'a Fleet,
    target: &'a Target,
    settings: ssh::Settings,
    eyes: Option<Session>,
    hands: Option<ChangeSession>,
}

impl<'a> Sessions<'a> {
    /// Those of a target. Nothing is connected yet.
    #[must_use]
    pub const fn new(fleet: &'a Fleet, target: &'a Target, settings: ssh::Settings) -> Self {
        Self { fleet, target, settings, eyes: None, hands: None }
    }

    /// Says goodbye.
    pub async fn close(self) {
        if let Some(eyes) = self.eyes {
            eyes.close().await;
        }
        if let Some(hands) = self.hands {
            hands.close().await;
        }
    }

    async fn open(&self) -> Result<ChangeSession, GateClientError> {
        if self.target.gate().is_none() {
            return refused("refused", "fleet.toml has no gate for it");
        }
        // Nothing was sent; but that nobody is reached is no word of the gate's.
        let opened = ChangeSession::open(self.fleet, self.target, &self.settings).await;
        opened.map_err(|error| GateClientError::Lost(error.to_string()))
    }
}

impl GateTransport for Sessions<'_> {
    async fn looks(&mut self, request: Request) -> Result<Answer, GateClientError> {
        if self.eyes.is_none() {
            self.renew().await?;
        }
        let Some(eyes) = &self.eyes else { return Err(GateClientError::Lost("there is no connection".to_owned())) };
        match inspect(eyes, &[request]).await {
            Ok(answers) => {
                answers.into_iter().next().ok_or_else(|| GateClientError::Lost("the gate says nothing".to_owned()))
            }
            Err(error) => {
                // Whatever it was, the next question goes over another one.
                self.eyes = None;
                Err(said(&error))
            }
        }
    }

    async fn changes(&mut self, request: Request) -> Result<Outcome, GateClientError> {
        if self.hands.is_none() {
            self.hands = Some(self.open().await?);
        }
        let Some(hands) = &self.hands else { return Err(GateClientError::Lost("there is no connection".to_owned())) };
        match hands.ask(request).await {
            Ok(outcome) => Ok(outcome),
            Err(error) => {
                self.hands = None;
                Err(said(&error))
            }
        }
    }

    async fn renew(&mut self) -> Result<(), GateClientError> {
        // By dropping them: whoever does not answer is not waited for.
        self.hands = None;
        self.eyes = None;
        let session = ssh::connect(self.fleet, self.target, &self.settings).await;
        self.eyes = Some(session.map_err(|error| GateClientError::Lost(bailiwick_transport::chain(&error)))?);
        Ok(())
    }
}

impl<T: GateTransport> RemoteGate<T> {
    /// A gate that somebody reaches.
    pub const fn new(talk: T, store: Store) -> Self {
        Self { talk, store, signed: None }
    }

    /// The same with an approver's signature, which the gate wants for bytes that nobody reviewed.
    #[must_use]
    pub fn signed(self, statement: Vec<u8>, signature: Vec<u8>) -> Self {
        Self { signed: Some((statement, signature)), ..self }
    }

    /// One request that changes something. A session of ours that was cut may still be at work there; that is waited for.
    async fn patiently(&mut self, request: &Request) -> Result<Outcome, GateClientError> {
        let mut tries = 0;
        loop {
            tries += 1;
            let outcome = self.talk.changes(request.clone()).await?;
            if outcome.status != Status::Busy || tries >= BUSY_TRIES || matches!(request, Request::Begin { .. }) {
                return Ok(outcome);
            }
            tokio::time::sleep(BUSY_WAIT).await;
        }
    }

    fn request(&self, change: ChangeId, number: u32, way: Way, step: &Step) -> Result<Request, GateClientError> {
        Ok(match way {
            Way::Undo => Request::Undo { change, step: number },
            Way::Again => Request::Again { change, step: number },
            Way::Do => {
                let computed = match (&step.computed, &self.signed) {
                    (None, _) => None,
                    (Some(_), None) => return refused("refused", "nobody has signed the bytes that the fix made"),
                    (Some(sha), Some((statement, signature))) => {
                        let Some(bytes) = self.store.computed(sha) else {
                            return refused("refused", "the bytes that the fix made are not there any more");
                        };
                        Some(Signed { bytes, statement: statement.clone(), signature: signature.clone() })
                    }
                };
                Request::Do {
                    change,
                    step: number,
                    action: step.action.as_str().to_owned(),
                    before: step.before.clone(),
                    after: step.after.clone(),
                    computed,
                }
            }
        })
    }
}

fn refused<T>(word: &str, said: &str) -> Result<T, GateClientError> {
    Err(GateClientError::Refused { word: word.to_owned(), said: Tainted::new(said) })
}

/// What a failed conversation is: only what is certain is a no.
fn said(error: &GateError) -> GateClientError {
    match error {
        GateError::Refused { reason } => GateClientError::Refused { word: "refused".to_owned(), said: reason.clone() },
        GateError::Request(error) => {
            GateClientError::Refused { word: "not sent".to_owned(), said: Tainted::new(error.to_string()) }
        }
        other => GateClientError::Lost(other.to_string()),
    }
}

/// An outcome as a word.
fn done(outcome: Outcome) -> Result<Option<State>, GateClientError> {
    match outcome.status {
        Status::Exit(0) => Ok(outcome.state),
        Status::Exit(_) => Err(GateClientError::Refused { word: "failed".to_owned(), said: outcome.said }),
        status => Err(GateClientError::Refused { word: status.to_string(), said: outcome.said }),
    }
}

fn read<T>(
    answer: &Answer,
    read: impl FnOnce(&[u8]) -> Result<T, gate_protocol::Unreadable>,
) -> Result<T, GateClientError> {
    match answer.status {
        Status::Exit(0) => read(&answer.stdout).map_err(|error| GateClientError::Lost(error.to_string())),
        status => {
            let said = Tainted::new(String::from_utf8_lossy(&answer.stdout));
            Err(GateClientError::Refused { word: status.to_string(), said })
        }
    }
}

impl<T: GateTransport> GateClient for RemoteGate<T> {
    async fn gate(&mut self) -> Result<GateState, GateClientError> {
        let facts = read(&self.talk.looks(Request::Gate).await?, GateFacts::read)?;
        Ok(GateState {
            list: facts.list,
            script: facts.script,
            disabled: facts.disabled.is_some(),
            open: facts.open,
            clock_seconds: i64::try_from(facts.clock).unwrap_or(i64::MAX),
            boot: facts.boot,
        })
    }

    async fn preview(&mut self, step: &Step) -> Result<Preview, GateClientError> {
        let action = step.action.as_str().to_owned();
        let request = match &step.computed {
            None => Request::Preview(action),
            Some(sha) => {
                let bytes = self.store.computed(sha);
                let Some(bytes) = bytes.filter(|bytes| bytes.len() as u64 <= SNAPSHOT_BYTES_MAX) else {
                    return refused("not sent", "the bytes that the fix made are not there any more");
                };
                Request::PreviewComputed(action, bytes)
            }
        };
        read(&self.talk.looks(request).await?, Preview::read)
    }

    async fn people(&mut self, plan: &Plan) -> Result<Vec<Tainted>, GateClientError> {
        let actions = plan.steps.iter().map(|step| step.action.as_str().to_owned()).collect();
        let answer = self.talk.looks(Request::People(actions)).await?;
        read(&answer, |bytes| Ok(gate_protocol::lines(bytes)))
    }

    async fn known(&mut self, change: &ChangeId) -> Result<Option<Known>, GateClientError> {
        let answer = self.talk.looks(Request::Change(change.clone())).await?;
        if answer.status == Status::Unknown {
            return Ok(None);
        }
        let facts = read(&answer, ChangeFacts::read)?;
        let closed = match (facts.ended, facts.failed) {
            (Some((Ended::Applied, _)), _) => Some(Closed::Kept),
            (Some((Ended::RolledBack, _)), _) => Some(Closed::Undone),
            (None, Some(_)) => Some(Closed::Failed),
            (None, None) => None,
        };
        let mut done = Vec::new();
        for step in facts.steps {
            for (way, status, state) in step.results {
                done.push((step.number, way, state.filter(|_| status == Status::Exit(0))));
            }
        }
        Ok(Some(Known { plan: facts.plan, done, closed }))
    }

    async fn begin(&mut self, change: &ChangeId, plan: &str, seconds: u32) -> Result<(), GateClientError> {
        let request = Request::Begin { change: change.clone(), plan: plan.to_owned(), seconds };
        done(self.patiently(&request).await?).map(drop)
    }

    async fn act(&mut self, change: &ChangeId, number: u32, way: Way, step: &Step) -> Result<State, GateClientError> {
        let request = self.request(change.clone(), number, way, step)?;
        let state = done(self.patiently(&request).await?)?;
        state.ok_or_else(|| GateClientError::Lost("the gate does not say what the object is now".to_owned()))
    }

    async fn close(&mut self, change: &ChangeId, keep: bool) -> Result<(), GateClientError> {
        let change = change.clone();
        let request = if keep { Request::Confirm(change) } else { Request::Close(change) };
        done(self.patiently(&request).await?).map(drop)
    }

    async fn renew(&mut self) -> Result<(), GateClientError> {
        self.talk.renew().await
    }
}
