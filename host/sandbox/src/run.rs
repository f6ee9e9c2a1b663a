//! One run: a new store, one call of `examine`, `plan` or `verify`, and how it ends.
//!
//! Knows: the limits of the run, and how its calls leave the process. Must not know: what a call means. Attacks answered:
//! loops, floods, calls before the start of the run, and anything after a trap (GR01–GR13, PH03, CA13): the store is made,
//! entered once and dropped in one function.

use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use wasmtime::component::Resource;
use wasmtime::{Store, Trap, WasmBacktrace};

use super::engine::TICK;
use super::fault::{Fault, FaultKind, TrapKind};
use super::host::{self, Pre};
use super::meter::Meter;
use super::random::Random;
use super::wire::{
    self, Ending, FROM_WORKER_FRAME_BYTES, FromWorker, Given, LogLevel, LogLine, Outcome, SLOT_KEY_BYTES, Start,
    TargetView, VerbCall,
};
use bailiwick_bindings::Target;
use bailiwick_core::limits::{EXHAUSTED_TRIES, Limits};
use bailiwick_core::model::{Answer, Phase, StageError, Tainted, Verb, VerbError};
use bailiwick_core::verbs::COMPUTED_BYTES_MAX;

/// The worker's end of the socket, shared by its runs.
pub(super) type Socket = Arc<Mutex<UnixStream>>;

/// Sends one message to the broker.
///
/// # Errors
/// When the broker has ended.
pub(super) fn send(socket: &Socket, message: &FromWorker) -> Result<(), wire::WireError> {
    let mut stream = socket.lock().unwrap_or_else(PoisonError::into_inner);
    wire::write(&mut *stream, message, FROM_WORKER_FRAME_BYTES)
}

/// The store's data: everything that host functions know about their run.
pub(super) struct RunState {
    run: u32,
    now_ms: u64,
    targets: Vec<TargetView>,
    limits: Limits,
    meter: Meter,
    phase: Phase,
    instantiated: bool,
    deadline: Instant,
    calls: u32,
    exhausted_tries: u64,
    local_calls: u64,
    host_bytes: u64,
    logs: u64,
    logs_dropped: u32,
    socket: Socket,
    answers: Receiver<(u32, Outcome)>,
    random: Random,
}

impl RunState {
    pub(super) fn new(
        start: Start,
        digest: &[u8; 32],
        limits: Limits,
        socket: Socket,
        answers: Receiver<(u32, Outcome)>,
    ) -> Self {
        Self {
            random: Random::new(digest, &start),
            run: start.run,
            phase: start.phase,
            now_ms: start.now_ms,
            targets: start.targets,
            meter: Meter::new(&limits),
            instantiated: false,
            deadline: Instant::now() + limits.wall(),
            limits,
            calls: 0,
            exhausted_tries: 0,
            local_calls: 0,
            host_bytes: 0,
            logs: 0,
            logs_dropped: 0,
            socket,
            answers,
        }
    }

    /// Asks the broker for one verb on one target, and waits.
    ///
    /// # Errors
    /// The outer error ends the run, the inner one is the guest's.
    pub(super) fn observe(
        &mut self,
        target: &Resource<Target>,
        verb: Verb,
        slot: Option<&str>,
    ) -> Result<Result<Answer, VerbError>, FaultKind> {
        self.check_phase()?;
        if u64::from(self.calls) >= self.limits.calls || self.host_bytes >= self.limits.host_bytes {
            self.exhausted_tries += 1;
            return if self.exhausted_tries > EXHAUSTED_TRIES {
                Err(FaultKind::Calls(self.limits.calls))
            } else {
                Ok(Err(VerbError::Exhausted))
            };
        }
        self.calls += 1;
        let slot = slot.map(|slot| Tainted::new(cut(slot, SLOT_KEY_BYTES)));
        let call = VerbCall { number: self.calls, target: target.rep(), verb, slot, given: Given::default() };
        send(&self.socket, &FromWorker::Call { run: self.run, call }).map_err(|_| FaultKind::Host)?;
        match self.wait()? {
            Outcome::Failed(error) => Ok(Err(error)),
            Outcome::Answered(answer) => {
                let bytes = answer.stdout.len() as u64;
                match self.host_bytes.checked_add(bytes).filter(|sum| *sum <= self.limits.host_bytes) {
                    Some(sum) => {
                        self.host_bytes = sum;
                        Ok(Ok(answer))
                    }
                    None => {
                        self.host_bytes = self.limits.host_bytes;
                        Ok(Err(VerbError::Exhausted))
                    }
                }
            }
            Outcome::Staged | Outcome::NotStaged(_) => Err(FaultKind::Host),
        }
    }

    /// Asks the broker to add a change to the plan, and waits. In the wrong phase it asks, too, so that the refusal is
    /// recorded in the journal.
    ///
    /// # Errors
    /// The outer error ends the run, the inner one is the guest's.
    pub(super) fn stage(
        &mut self,
        target: &Resource<Target>,
        verb: Verb,
        slot: &str,
        given: Given,
    ) -> Result<Result<(), StageError>, FaultKind> {
        self.check_phase()?;
        let too_large = given.bytes.as_ref().is_some_and(|bytes| bytes.len() as u64 > COMPUTED_BYTES_MAX);
        if u64::from(self.calls) >= self.limits.calls || too_large {
            self.exhausted_tries += 1;
            return if self.exhausted_tries > EXHAUSTED_TRIES {
                Err(FaultKind::Calls(self.limits.calls))
            } else {
                Ok(Err(StageError::Exhausted))
            };
        }
        self.calls += 1;
        let slot = Some(Tainted::new(cut(slot, SLOT_KEY_BYTES)));
        let call = VerbCall { number: self.calls, target: target.rep(), verb, slot, given };
        send(&self.socket, &FromWorker::Call { run: self.run, call }).map_err(|_| FaultKind::Host)?;
        match self.wait()? {
            Outcome::Staged if self.phase == Phase::Plan => Ok(Ok(())),
            Outcome::NotStaged(error) => Ok(Err(error)),
            Outcome::Staged | Outcome::Answered(_) | Outcome::Failed(_) => Err(FaultKind::Host),
        }
    }

    /// The literal that policy bound to an entry of a slot.
    pub(super) fn literal(&self, target: &Resource<Target>, key: &str) -> Option<&str> {
        let view = self.targets.get(usize::try_from(target.rep()).ok()?)?;
        let entry = view.slots.values().flatten().find(|entry| entry.key == key)?;
        Some(&entry.literal)
    }

    /// When this run began, and the previous run on this target.
    pub(super) fn times(&self, target: &Resource<Target>) -> host::Times {
        let index = usize::try_from(target.rep()).unwrap_or(usize::MAX);
        let previous_ms = self.targets.get(index).and_then(|target| target.previous_ms);
        host::Times { now_ms: self.now_ms, previous_ms }
    }

    /// Waits for the answer to the latest call. Neither fuel nor epoch counts here: the deadline does.
    fn wait(&self) -> Result<Outcome, FaultKind> {
        loop {
            let left = self.deadline.saturating_duration_since(Instant::now());
            match self.answers.recv_timeout(left) {
                Ok((call, outcome)) if call == self.calls => return Ok(outcome),
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout) => return Err(FaultKind::Wall(self.limits.wall_ms)),
                Err(RecvTimeoutError::Disconnected) => return Err(FaultKind::Host),
            }
        }
    }

    fn check_phase(&self) -> Result<(), FaultKind> {
        if self.instantiated { Ok(()) } else { Err(FaultKind::Phase) }
    }

    /// Counts a call that reaches no target.
    ///
    /// # Errors
    /// When there were too many, or the run has not begun.
    pub(super) fn local(&mut self) -> Result<(), FaultKind> {
        self.check_phase()?;
        self.inert()
    }

    /// The same for inert WASI, which a language's runtime may call before the run has begun. It gets no information there.
    ///
    /// # Errors
    /// When there were too many.
    pub(super) fn inert(&mut self) -> Result<(), FaultKind> {
        self.local_calls += 1;
        if self.local_calls > self.limits.local_calls { Err(FaultKind::Calls(self.limits.local_calls)) } else { Ok(()) }
    }

    /// Counts bytes that go to the guest from a function that cannot return an error.
    ///
    /// # Errors
    /// When there were too many.
    pub(super) fn charge(&mut self, bytes: usize) -> Result<(), FaultKind> {
        self.host_bytes = self.host_bytes.saturating_add(bytes as u64);
        if self.host_bytes > self.limits.host_bytes {
            Err(FaultKind::HostBytes(self.limits.host_bytes))
        } else {
            Ok(())
        }
    }

    /// Sends a note to the broker, or drops it.
    ///
    /// # Errors
    /// When the broker has ended.
    pub(super) fn log(&mut self, level: LogLevel, text: &str) -> Result<(), FaultKind> {
        if self.logs >= self.limits.logs {
            self.logs_dropped = self.logs_dropped.saturating_add(1);
            return Ok(());
        }
        self.logs += 1;
        let short = cut(text, usize::try_from(self.limits.log_bytes).unwrap_or(usize::MAX));
        if short.len() < text.len() {
            self.logs_dropped = self.logs_dropped.saturating_add(1);
        }
        let line = LogLine { level, text: Tainted::new(short) };
        send(&self.socket, &FromWorker::Log { run: self.run, line }).map_err(|_| FaultKind::Host)
    }

    /// The next random bytes, which are charged before they are made.
    ///
    /// # Errors
    /// When there were too many.
    pub(super) fn random(&mut self, bytes: u64) -> Result<Vec<u8>, FaultKind> {
        let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
        self.charge(bytes)?;
        Ok(self.random.take(bytes))
    }

    pub(super) const fn now_ms(&self) -> u64 {
        self.now_ms
    }

    pub(super) const fn calls(&self) -> u32 {
        self.calls
    }

    /// The target behind a handle. The engine has checked the handle; the number behind it is our own.
    ///
    /// # Errors
    /// When there is none, which would be a bug of the host.
    pub(super) fn target(&self, handle: &Resource<Target>) -> Result<&TargetView, FaultKind> {
        let index = usize::try_from(handle.rep()).map_err(|_| FaultKind::Host)?;
        self.targets.get(index).ok_or(FaultKind::Host)
    }
}

/// The start of a text, at most `max` bytes.
pub(super) fn cut(text: &str, max: usize) -> &str {
    let end = (0..=max.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    text.get(..end).unwrap_or_default()
}

/// Runs a component once. Consumes the state: there is no second call.
pub(super) fn run(pre: &Pre, state: RunState) -> FromWorker {
    let run = state.run;
    let limits = state.limits.clone();
    let mut store = Store::new(pre.engine(), state);
    let end = match enter(pre, &mut store, &limits) {
        Ok(end) => end,
        Err(error) => Ending::Fault(fault(&error, store.data(), &limits)),
    };
    let fuel_used = limits.fuel.saturating_sub(store.get_fuel().unwrap_or(0));
    FromWorker::Ended { run, end, fuel_used, logs_dropped: store.data().logs_dropped }
}

fn enter(pre: &Pre, store: &mut Store<RunState>, limits: &Limits) -> wasmtime::Result<Ending> {
    store.limiter(|state| &mut state.meter);
    store.set_fuel(limits.fuel)?;
    // One tick more than the wall time: normally fuel ends a run first.
    let ticks = limits.wall().as_millis() / TICK.as_millis();
    store.set_epoch_deadline(u64::try_from(ticks).unwrap_or(u64::MAX - 1).saturating_add(1));
    store.set_hostcall_fuel(usize::try_from(limits.guest_bytes)?);
    store.set_max_component_handles(usize::try_from(limits.handles)?);

    let phase = store.data().phase;
    let targets = u32::try_from(store.data().targets.len())?;
    let end = match pre {
        Pre::Probe(pre) if phase == Phase::Examine => {
            let probe = pre.instantiate(&mut *store)?;
            store.data_mut().instantiated = true;
            let targets: Vec<_> = (0..targets).map(Resource::new_own).collect();
            let result = probe.call_examine(&mut *store, &targets)?;
            host::report::end(result, store.data().calls)
        }
        Pre::Fix(pre) if phase != Phase::Examine && targets == 1 => {
            let fix = pre.instantiate(&mut *store)?;
            store.data_mut().instantiated = true;
            let target = Resource::new_own(0);
            match phase {
                Phase::Plan => match fix.call_plan(&mut *store, target)? {
                    Ok(decision) => host::change::decided(decision, store.data().calls),
                    Err(failure) => host::report::end(Err(failure), store.data().calls),
                },
                _ => {
                    let result = fix.call_verify(&mut *store, target)?;
                    host::report::end(result, store.data().calls)
                }
            }
        }
        // The component does not have this function. The broker should have known.
        Pre::Probe(_) | Pre::Fix(_) => return Err(FaultKind::Host.into()),
    };
    end.map_err(|error| FaultKind::Output(error).into())
}

/// The fault behind an error of the engine.
fn fault(error: &wasmtime::Error, state: &RunState, limits: &Limits) -> Fault {
    let refused = state.meter.refused().cloned();
    let kind = if let Some(kind) = error.downcast_ref::<FaultKind>() {
        kind.clone()
    } else if let Some(trap) = error.downcast_ref::<Trap>() {
        // A guest that was refused memory aborts. The refusal is the cause that its author must know.
        trap_kind(*trap, limits).unwrap_or_else(|plain| refused.unwrap_or(plain))
    } else if let Some(kind) = refused {
        kind
    } else {
        // The engine's types for these errors are private.
        let text = error.root_cause().to_string();
        if text.starts_with("too much data is being copied") {
            FaultKind::GuestBytes(limits.guest_bytes)
        } else if text.starts_with("resource limit exceeded") {
            FaultKind::Instances
        } else if state.instantiated || error.is::<WasmBacktrace>() {
            FaultKind::CanonicalAbi
        } else {
            FaultKind::Host
        }
    };
    Fault { kind, detail: Tainted::new(detail(error)) }
}

fn trap_kind(trap: Trap, limits: &Limits) -> Result<FaultKind, FaultKind> {
    Ok(match trap {
        Trap::OutOfFuel => FaultKind::Fuel(limits.fuel),
        Trap::Interrupt => FaultKind::Wall(limits.wall_ms),
        Trap::StackOverflow => FaultKind::Stack,
        Trap::CannotEnterComponent
        | Trap::CannotLeaveComponent
        | Trap::InvalidChar
        | Trap::StringOutOfBounds
        | Trap::ListOutOfBounds
        | Trap::InvalidDiscriminant
        | Trap::UnalignedPointer => FaultKind::CanonicalAbi,
        Trap::UnreachableCodeReached => return Err(FaultKind::Unreachable),
        Trap::MemoryOutOfBounds => return Err(FaultKind::Trap(TrapKind::MemoryOutOfBounds)),
        Trap::TableOutOfBounds => return Err(FaultKind::Trap(TrapKind::TableOutOfBounds)),
        Trap::IndirectCallToNull | Trap::BadSignature => FaultKind::Trap(TrapKind::IndirectCall),
        Trap::IntegerOverflow | Trap::IntegerDivisionByZero | Trap::BadConversionToInteger => {
            FaultKind::Trap(TrapKind::Arithmetic)
        }
        _ => FaultKind::Trap(TrapKind::Other),
    })
}

/// The engine's message and the guest's frames, for the journal.
fn detail(error: &wasmtime::Error) -> String {
    let mut text = error.root_cause().to_string();
    if let Some(backtrace) = error.downcast_ref::<WasmBacktrace>() {
        for frame in backtrace.frames().iter().take(8) {
            let name = frame.func_name().unwrap_or("?");
            text.push_str("\n  at ");
            text.push_str(cut(name, 100));
        }
    }
    cut(&text, 1 << 10).to_owned()
}

/// How long a broker waits beyond the wall time before it kills a worker that did not end the run itself.
pub(super) const GRACE: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    #[test]
    fn a_cut_falls_between_characters() {
        assert_eq!(super::cut("aéb", 2), "a");
        assert_eq!(super::cut("aéb", 3), "aé");
        assert_eq!(super::cut("ab", 9), "ab");
    }
}
