//! A gate with one fault: at the n-th call, or from it on.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use bailiwick_change::gate_client::{GateClient, GateClientError, GateRecord, GateState};
use bailiwick_change::{Plan, Step};
use bailiwick_core::gate_protocol::Preview;
use bailiwick_core::model::{ChangeId, State, Tainted, Way};

/// The fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// The gate refuses.
    Refuse(u32),
    /// The connection is lost before the request arrives.
    CutBefore(u32),
    /// The request is done, and the connection breaks before the answer arrives.
    CutAfter(u32),
    /// From this call on the target is not reachable.
    DownFrom(u32),
    /// The request is done, and from then on the target is not reachable.
    DownAfter(u32),
}

/// What a test does before a call, by the number and name of the call.
pub type Before = Box<dyn FnMut(u32, &str)>;

/// A gate with a fault, and a count of its calls.
pub struct Faulty<H> {
    /// The gate.
    pub inner: H,
    /// The fault.
    pub fault: Fault,
    /// Calls so far.
    pub calls: Rc<Cell<u32>>,
    /// Their names, for the message of a failure.
    pub names: Rc<RefCell<Vec<String>>>,
    /// What is done before each call: a person's edit, the kill switch.
    pub before: Option<Before>,
}

impl<H> Faulty<H> {
    /// A gate with a fault.
    pub fn new(inner: H, fault: Fault) -> Self {
        Self { inner, fault, calls: Rc::default(), names: Rc::default(), before: None }
    }

    /// Counts a call; an error if it never arrives.
    fn arrive(&mut self, name: String) -> Result<bool, GateClientError> {
        let call = self.calls.get() + 1;
        self.calls.set(call);
        if let Some(before) = &mut self.before {
            before(call, &name);
        }
        self.names.borrow_mut().push(name);
        let lost = || GateClientError::Lost("the connection was lost".to_owned());
        match self.fault {
            Fault::Refuse(at) if at == call => {
                Err(GateClientError::Refused { word: "conflict".to_owned(), detail: Tainted::new("a fault") })
            }
            Fault::CutBefore(at) if at == call => Err(lost()),
            Fault::DownFrom(at) if call >= at => Err(lost()),
            Fault::DownAfter(at) if call > at => Err(lost()),
            Fault::CutAfter(at) | Fault::DownAfter(at) => Ok(at == call),
            _ => Ok(false),
        }
    }
}

/// The answer, unless it is lost on the way.
fn deliver<T>(answer: Result<T, GateClientError>, is_lost: bool) -> Result<T, GateClientError> {
    if is_lost { Err(GateClientError::Lost("the connection was lost".to_owned())) } else { answer }
}

impl<H: GateClient> GateClient for Faulty<H> {
    async fn gate(&mut self) -> Result<GateState, GateClientError> {
        let lost = self.arrive("gate".to_owned())?;
        deliver(self.inner.gate().await, lost)
    }

    async fn preview(&mut self, step: &Step) -> Result<Preview, GateClientError> {
        let lost = self.arrive(format!("preview {}", step.change.object()))?;
        deliver(self.inner.preview(step).await, lost)
    }

    async fn people(&mut self, plan: &Plan) -> Result<Vec<Tainted>, GateClientError> {
        let lost = self.arrive("people".to_owned())?;
        deliver(self.inner.people(plan).await, lost)
    }

    async fn record(&mut self, change: &ChangeId) -> Result<Option<GateRecord>, GateClientError> {
        let lost = self.arrive("known".to_owned())?;
        deliver(self.inner.record(change).await, lost)
    }

    async fn begin(&mut self, change: &ChangeId, plan: &str, seconds: u32) -> Result<(), GateClientError> {
        let lost = self.arrive("begin".to_owned())?;
        deliver(self.inner.begin(change, plan, seconds).await, lost)
    }

    async fn act(&mut self, change: &ChangeId, number: u32, way: Way, step: &Step) -> Result<State, GateClientError> {
        let lost = self.arrive(format!("{} {number}", way.word()))?;
        deliver(self.inner.act(change, number, way, step).await, lost)
    }

    async fn close(&mut self, change: &ChangeId, keep: bool) -> Result<(), GateClientError> {
        let lost = self.arrive(format!("close {keep}"))?;
        deliver(self.inner.close(change, keep).await, lost)
    }

    async fn renew(&mut self) -> Result<(), GateClientError> {
        let lost = self.arrive("renew".to_owned())?;
        deliver(self.inner.renew().await, lost)
    }
}
