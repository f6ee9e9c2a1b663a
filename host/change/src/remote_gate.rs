//! The real client of a target's gate, over two connections: one that reads, and one that changes, which is opened for a change whose
//! intent is in the journal, and for nothing else.
//!
//! Knows: what a request and an answer are in frames. Must not know: the order of events. Attacks answered: the credential for changes
//! used for anything else (D18); a failure that passes for a refusal (CH07): a refusal is only what the gate has answered itself, or
//! what was never sent.

use std::time::Duration;

use super::check::SNAPSHOT_BYTES_MAX;
use super::gate_client::{Closed, GateClient, GateClientError, GateRecord, GateState};
use super::plan::{Plan, Step};
use super::store::Store;
use bailiwick_core::fleet::{Fleet, Target};
use bailiwick_core::gate_protocol;
use bailiwick_core::gate_protocol::{Answer, ChangeFacts, Ended, GateFacts, Outcome, Preview, Request, Signed, Status};
use bailiwick_core::model::{ChangeId, State, Tainted, Way};
use bailiwick_transport::gate::{ChangeSession, GateError, inspect};
use bailiwick_transport::ssh;
use bailiwick_transport::ssh::Session;

/// How often, and after which wait, a request is sent again while an earlier session is still at work: a restart may take minutes.
const BUSY_TRIES: u32 = 30;
const BUSY_WAIT: Duration = Duration::from_secs(5);

/// Carries a request to a gate and its answer back.
pub trait GateTransport {
    /// Sends a request that changes nothing.
    fn query(&mut self, request: Request) -> impl Future<Output = Result<Answer, GateClientError>>;
    /// Sends a request that changes something.
    fn change(&mut self, request: Request) -> impl Future<Output = Result<Outcome, GateClientError>>;
    /// Drops every connection, and opens another.
    fn renew(&mut self) -> impl Future<Output = Result<(), GateClientError>>;
}

/// The client of a gate, over any transport.
#[derive(Debug)]
pub struct RemoteGate<T> {
    /// The transport.
    pub transport: T,
    /// The store of the bytes that fixes have computed.
    store: Store,
    /// An approver's statement and the signature under it.
    signed: Option<(Vec<u8>, Vec<u8>)>,
}

/// The client of a gate over SSH.
pub type SshGate<'a> = RemoteGate<SshTransport<'a>>;

/// Two connections to a target: one that reads, and one that changes.
#[derive(Debug)]
pub struct SshTransport<'a> {
    fleet: &'a Fleet,
    target: &'a Target,
    settings: ssh::Settings,
    reading: Option<Session>,
    changing: Option<ChangeSession>,
}

impl<'a> SshTransport<'a> {
    /// The transport to a target. It does not connect yet.
    #[must_use]
    pub const fn new(fleet: &'a Fleet, target: &'a Target, settings: ssh::Settings) -> Self {
        Self { fleet, target, settings, reading: None, changing: None }
    }

    /// Closes the connections.
    pub async fn close(self) {
        if let Some(session) = self.reading {
            session.close().await;
        }
        if let Some(session) = self.changing {
            session.close().await;
        }
    }

    async fn open(&self) -> Result<ChangeSession, GateClientError> {
        if self.target.gate().is_none() {
            return refused("refused", "fleet.toml has no gate for this target");
        }
        // Nothing was sent; but a failed connection is not an answer of the gate.
        let opened = ChangeSession::open(self.fleet, self.target, &self.settings).await;
        opened.map_err(|error| GateClientError::Lost(error.to_string()))
    }
}

impl GateTransport for SshTransport<'_> {
    async fn query(&mut self, request: Request) -> Result<Answer, GateClientError> {
        if self.reading.is_none() {
            self.renew().await?;
        }
        let Some(session) = &self.reading else {
            return Err(GateClientError::Lost("there is no connection".to_owned()));
        };
        match inspect(session, &[request]).await {
            Ok(answers) => {
                answers.into_iter().next().ok_or_else(|| GateClientError::Lost("the gate does not answer".to_owned()))
            }
            Err(error) => {
                // Whatever the error was, the next query opens another connection.
                self.reading = None;
                Err(client_error(&error))
            }
        }
    }

    async fn change(&mut self, request: Request) -> Result<Outcome, GateClientError> {
        if self.changing.is_none() {
            self.changing = Some(self.open().await?);
        }
        let Some(session) = &self.changing else {
            return Err(GateClientError::Lost("there is no connection".to_owned()));
        };
        match session.ask(request).await {
            Ok(outcome) => Ok(outcome),
            Err(error) => {
                self.changing = None;
                Err(client_error(&error))
            }
        }
    }

    async fn renew(&mut self) -> Result<(), GateClientError> {
        // By dropping them, so that a target that does not answer is not waited for.
        self.changing = None;
        self.reading = None;
        let session = ssh::connect(self.fleet, self.target, &self.settings).await;
        self.reading = Some(session.map_err(|error| GateClientError::Lost(bailiwick_transport::chain(&error)))?);
        Ok(())
    }
}

impl<T: GateTransport> RemoteGate<T> {
    /// The client of a gate over a transport.
    pub const fn new(transport: T, store: Store) -> Self {
        Self { transport, store, signed: None }
    }

    /// The same with an approver's signature, which the gate requires for bytes that a fix has computed.
    #[must_use]
    pub fn signed(self, statement: Vec<u8>, signature: Vec<u8>) -> Self {
        Self { signed: Some((statement, signature)), ..self }
    }

    /// Sends a request that changes something. It waits for an earlier session of this controller that was cut and is still at work.
    async fn change_when_free(&mut self, request: &Request) -> Result<Outcome, GateClientError> {
        let mut tries = 0;
        loop {
            tries += 1;
            let outcome = self.transport.change(request.clone()).await?;
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
                    (Some(_), None) => {
                        return refused("refused", "the bytes that the fix has computed are not signed by an approver");
                    }
                    (Some(sha), Some((statement, signature))) => {
                        let Some(bytes) = self.store.computed(sha) else {
                            return refused("refused", "the bytes that the fix has computed are missing");
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

fn refused<T>(word: &str, detail: &str) -> Result<T, GateClientError> {
    Err(GateClientError::Refused { word: word.to_owned(), detail: Tainted::new(detail) })
}

/// A failed exchange: a refusal only if that is certain.
fn client_error(error: &GateError) -> GateClientError {
    match error {
        GateError::Refused { reason } => {
            GateClientError::Refused { word: "refused".to_owned(), detail: reason.clone() }
        }
        GateError::Request(error) => {
            GateClientError::Refused { word: "not sent".to_owned(), detail: Tainted::new(error.to_string()) }
        }
        other => GateClientError::Lost(other.to_string()),
    }
}

/// The state that an outcome reports.
fn state_of(outcome: Outcome) -> Result<Option<State>, GateClientError> {
    match outcome.status {
        Status::Exit(0) => Ok(outcome.state),
        Status::Exit(_) => Err(GateClientError::Refused { word: "failed".to_owned(), detail: outcome.detail }),
        status => Err(GateClientError::Refused { word: status.to_string(), detail: outcome.detail }),
    }
}

fn read<T>(
    answer: &Answer,
    read: impl FnOnce(&[u8]) -> Result<T, gate_protocol::Unreadable>,
) -> Result<T, GateClientError> {
    match answer.status {
        Status::Exit(0) => read(&answer.stdout).map_err(|error| GateClientError::Lost(error.to_string())),
        status => {
            let detail = Tainted::new(String::from_utf8_lossy(&answer.stdout));
            Err(GateClientError::Refused { word: status.to_string(), detail })
        }
    }
}

impl<T: GateTransport> GateClient for RemoteGate<T> {
    async fn gate(&mut self) -> Result<GateState, GateClientError> {
        let facts = read(&self.transport.query(Request::Gate).await?, GateFacts::read)?;
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
                    return refused("not sent", "the bytes that the fix has computed are missing");
                };
                Request::PreviewComputed(action, bytes)
            }
        };
        read(&self.transport.query(request).await?, Preview::read)
    }

    async fn people(&mut self, plan: &Plan) -> Result<Vec<Tainted>, GateClientError> {
        let actions = plan.steps.iter().map(|step| step.action.as_str().to_owned()).collect();
        let answer = self.transport.query(Request::People(actions)).await?;
        read(&answer, |bytes| Ok(gate_protocol::lines(bytes)))
    }

    async fn record(&mut self, change: &ChangeId) -> Result<Option<GateRecord>, GateClientError> {
        let answer = self.transport.query(Request::Change(change.clone())).await?;
        if answer.status == Status::Unknown {
            return Ok(None);
        }
        let facts = read(&answer, ChangeFacts::read)?;
        let closed = match (facts.ended, facts.failed) {
            (Some((Ended::Applied, _)), _) => Some(Closed::Confirmed),
            (Some((Ended::RolledBack, _)), _) => Some(Closed::RolledBack),
            (None, Some(_)) => Some(Closed::Failed),
            (None, None) => None,
        };
        let mut done = Vec::new();
        for step in facts.steps {
            for (way, status, state) in step.results {
                done.push((step.number, way, state.filter(|_| status == Status::Exit(0))));
            }
        }
        Ok(Some(GateRecord { plan: facts.plan, done, closed }))
    }

    async fn begin(&mut self, change: &ChangeId, plan: &str, seconds: u32) -> Result<(), GateClientError> {
        let request = Request::Begin { change: change.clone(), plan: plan.to_owned(), seconds };
        state_of(self.change_when_free(&request).await?).map(drop)
    }

    async fn act(&mut self, change: &ChangeId, number: u32, way: Way, step: &Step) -> Result<State, GateClientError> {
        let request = self.request(change.clone(), number, way, step)?;
        let state = state_of(self.change_when_free(&request).await?)?;
        state.ok_or_else(|| GateClientError::Lost("the gate does not report the new state of the object".to_owned()))
    }

    async fn close(&mut self, change: &ChangeId, keep: bool) -> Result<(), GateClientError> {
        let change = change.clone();
        let request = if keep { Request::Confirm(change) } else { Request::Close(change) };
        state_of(self.change_when_free(&request).await?).map(drop)
    }

    async fn renew(&mut self) -> Result<(), GateClientError> {
        self.transport.renew().await
    }
}
