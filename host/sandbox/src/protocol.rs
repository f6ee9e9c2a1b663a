//! The messages that a worker may send next.
//!
//! Knows: the runs in progress and the state of each. Must not know: sockets and processes. Attack answered: a worker taken
//! over by its guest (GR14, D1): every limit that the worker enforces is enforced here again, and a message that an honest
//! worker would not send is a breach.

use std::collections::{BTreeSet, HashMap};

use super::fault::Breach;
use super::report::{check_decision, check_failure, check_report};
use super::wire::{Ending, FromWorker, Given, LogLine, SLOT_KEY_BYTES, VerbCall};
use bailiwick_core::limits::Limits;
use bailiwick_core::model::{Object, Phase, Verb};
use bailiwick_core::verbs::{COMPUTED_BYTES_MAX, needs_content, spec};

/// Bytes of a fault's detail.
const DETAIL_BYTES: usize = 1 << 10;

/// A message that is allowed, for its run.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Event {
    /// It calls a verb and waits.
    Call(VerbCall),
    /// It left a note.
    Log(LogLine),
    /// It ended.
    Ended { end: Ending, fuel_used: u64, logs_dropped: u32 },
}

/// The runs of one worker.
#[derive(Debug)]
pub(super) struct Ledger {
    verbs: BTreeSet<Verb>,
    limits: Limits,
    open: HashMap<u32, Progress>,
}

#[derive(Debug)]
struct Progress {
    phase: Phase,
    targets: usize,
    calls: u32,
    waiting: bool,
    logs: u64,
}

impl Ledger {
    pub(super) fn new(verbs: BTreeSet<Verb>, limits: Limits) -> Self {
        Self { verbs, limits, open: HashMap::new() }
    }

    /// A run begins.
    pub(super) fn open(&mut self, run: u32, phase: Phase, targets: usize) {
        self.open.insert(run, Progress { phase, targets, calls: 0, waiting: false, logs: 0 });
    }

    /// A run never reached the worker.
    pub(super) fn forget(&mut self, run: u32) {
        self.open.remove(&run);
    }

    /// A run's call has its answer, so the next call is allowed.
    pub(super) fn answered(&mut self, run: u32) {
        if let Some(progress) = self.open.get_mut(&run) {
            progress.waiting = false;
        }
    }

    /// Admits a message.
    ///
    /// # Errors
    /// When an honest worker would not have sent it.
    pub(super) fn admit(&mut self, message: FromWorker) -> Result<(u32, Event), Breach> {
        match message {
            FromWorker::Locked(_)
            | FromWorker::Attempted(_)
            | FromWorker::Artefact(_)
            | FromWorker::Ready(_)
            | FromWorker::NotLoaded { .. } => Err(Breach::Unexpected),
            FromWorker::Call { run, call } => {
                self.check_call(run, &call)?;
                Ok((run, Event::Call(call)))
            }
            FromWorker::Log { run, line } => {
                let progress = self.open.get_mut(&run).ok_or(Breach::UnknownRun)?;
                progress.logs += 1;
                if progress.logs > self.limits.logs || line.text.len() as u64 > self.limits.log_bytes {
                    return Err(Breach::Limits);
                }
                Ok((run, Event::Log(line)))
            }
            FromWorker::Ended { run, end, fuel_used, logs_dropped } => {
                let progress = self.open.remove(&run).ok_or(Breach::UnknownRun)?;
                check_end(&end, progress.phase, progress.calls)?;
                Ok((run, Event::Ended { end, fuel_used, logs_dropped }))
            }
        }
    }

    fn check_call(&mut self, run: u32, call: &VerbCall) -> Result<(), Breach> {
        let progress = self.open.get_mut(&run).ok_or(Breach::UnknownRun)?;
        if progress.waiting || progress.calls.checked_add(1) != Some(call.number) {
            return Err(Breach::CallOrder);
        }
        if u64::from(call.number) > self.limits.calls {
            return Err(Breach::Limits);
        }
        let exists = usize::try_from(call.target).is_ok_and(|index| index < progress.targets);
        let takes_slot = spec(call.verb).object != Object::None;
        let slot_fits = call.slot.as_ref().is_none_or(|slot| slot.len() <= SLOT_KEY_BYTES);
        let fits = takes_slot == call.slot.is_some() && slot_fits && given_fits(call.verb, &call.given);
        if !exists || !self.verbs.contains(&call.verb) || !fits {
            return Err(Breach::ImpossibleCall);
        }
        progress.calls = call.number;
        progress.waiting = true;
        Ok(())
    }
}

/// True if a call has exactly the inputs that its verb takes. Most verbs take none.
fn given_fits(verb: Verb, given: &Given) -> bool {
    let short = given.content.as_ref().is_none_or(|name| name.len() <= SLOT_KEY_BYTES);
    let small = given.bytes.as_ref().is_none_or(|bytes| bytes.len() as u64 <= COMPUTED_BYTES_MAX);
    let computed = verb == Verb::FilesChangeWriteComputed;
    needs_content(verb) == given.content.is_some() && computed == given.bytes.is_some() && short && small
}

fn check_end(end: &Ending, phase: Phase, calls: u32) -> Result<(), Breach> {
    match end {
        Ending::Decision(_) if phase != Phase::Plan => Err(Breach::UncheckedReport),
        Ending::Report(_) if phase == Phase::Plan => Err(Breach::UncheckedReport),
        Ending::Decision(decision) => check_decision(decision, calls).map_err(|_| Breach::UncheckedReport),
        Ending::Report(report) => check_report(report, calls).map_err(|_| Breach::UncheckedReport),
        Ending::CouldNotCheck { reason, call, .. } => {
            check_failure(reason, *call, calls).map_err(|_| Breach::UncheckedReport)
        }
        Ending::Fault(fault) if fault.detail.len() > DETAIL_BYTES => Err(Breach::Limits),
        Ending::Fault(_) => Ok(()),
        Ending::Interrupted => Err(Breach::Malformed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{LogLevel, Ready};
    use bailiwick_core::model::{Finding, Lockdown, Report, Severity, Tainted};

    fn ledger() -> Ledger {
        let limits = Limits { logs: 1, calls: 2, ..Limits::default() };
        let mut ledger = Ledger::new([Verb::SystemLoad, Verb::FilesRead].into(), limits);
        ledger.open(1, Phase::Examine, 1);
        ledger
    }

    fn call(number: u32, target: u32, verb: Verb, slot: Option<&str>) -> FromWorker {
        FromWorker::Call {
            run: 1,
            call: VerbCall { number, target, verb, slot: slot.map(Tainted::new), given: Given::default() },
        }
    }

    fn ended(end: Ending) -> FromWorker {
        FromWorker::Ended { run: 1, end, fuel_used: 0, logs_dropped: 0 }
    }

    fn resting_on(evidence: Vec<u32>) -> Ending {
        let finding = Finding {
            code: "x".to_owned(),
            severity: Severity::Ok,
            subject: Tainted::new(""),
            title: Tainted::new(""),
            metrics: Vec::new(),
            evidence,
        };
        Ending::Report(Report { findings: vec![finding] })
    }

    #[test]
    fn an_honest_run() {
        let mut ledger = ledger();
        assert!(ledger.admit(call(1, 0, Verb::SystemLoad, None)).is_ok());
        ledger.answered(1);
        assert!(ledger.admit(call(2, 0, Verb::FilesRead, Some("config"))).is_ok());
        ledger.answered(1);
        assert!(ledger.admit(ended(resting_on(vec![1, 2]))).is_ok());
    }

    #[test]
    fn whatever_an_honest_worker_would_not_say() {
        let long = "x".repeat(SLOT_KEY_BYTES + 1);
        let line = |bytes| LogLine { level: LogLevel::Info, text: Tainted::new("x".repeat(bytes)) };
        let table = [
            (FromWorker::Ready(Ready { compile_ms: 0 }), Breach::Unexpected),
            (FromWorker::Locked(Lockdown::default()), Breach::Unexpected),
            (FromWorker::NotLoaded { reason: Tainted::new("") }, Breach::Unexpected),
            (FromWorker::Artefact(vec![0]), Breach::Unexpected),
            (FromWorker::Log { run: 2, line: line(1) }, Breach::UnknownRun),
            (FromWorker::Log { run: 1, line: line(1025) }, Breach::Limits),
            (call(0, 0, Verb::SystemLoad, None), Breach::CallOrder),
            (call(2, 0, Verb::SystemLoad, None), Breach::CallOrder),
            (call(1, 1, Verb::SystemLoad, None), Breach::ImpossibleCall),
            (call(1, 0, Verb::SystemMemory, None), Breach::ImpossibleCall),
            (call(1, 0, Verb::SystemLoad, Some("x")), Breach::ImpossibleCall),
            (call(1, 0, Verb::FilesRead, None), Breach::ImpossibleCall),
            (call(1, 0, Verb::FilesRead, Some(&long)), Breach::ImpossibleCall),
            (ended(resting_on(vec![1])), Breach::UncheckedReport),
        ];
        for (message, breach) in table {
            assert_eq!(ledger().admit(message.clone()), Err(breach), "{message:?}");
        }
    }

    #[test]
    fn one_call_at_a_time_and_no_more_than_the_limit() {
        let mut ledger = ledger();
        ledger.admit(call(1, 0, Verb::SystemLoad, None)).unwrap();
        assert_eq!(ledger.admit(call(2, 0, Verb::SystemLoad, None)), Err(Breach::CallOrder));
        ledger.answered(1);
        ledger.admit(call(2, 0, Verb::SystemLoad, None)).unwrap();
        ledger.answered(1);
        assert_eq!(ledger.admit(call(3, 0, Verb::SystemLoad, None)), Err(Breach::Limits));
    }

    #[test]
    fn nothing_after_the_end() {
        let mut ledger = ledger();
        ledger.admit(ended(resting_on(vec![]))).unwrap();
        assert_eq!(ledger.admit(ended(resting_on(vec![]))), Err(Breach::UnknownRun));
    }
}
