//! The broker's end of a worker: starts the process, starts runs in it, and trusts nothing that it sends.
//!
//! Knows: the process, its protocol and its time limits. Must not know: grants, transports; it passes each call to its
//! caller, which looks it up. Attacks answered: a worker that hangs, dies or is taken over (GR09, GR14, D10): whatever happens to the
//! process, every run that waits for it ends at once, and a message out of order ends the process.

use std::collections::HashMap;
use std::future::Future;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::attempt::{Attempt, Marks};
use super::fault::{Breach, FaultKind, WorkerEnd};
use super::imports::Links;
use super::kernel;
use super::load::LoadError;
use super::process::{Process, read, reap};
use super::protocol::{Event, Ledger};
use super::run::GRACE;
use super::wire::{
    self, Ending, FROM_WORKER_FRAME_BYTES, FromWorker, HELLO_FRAME_BYTES, LOAD_FRAME_BYTES, Load, LogLine, Outcome,
    Ready, Start, TO_WORKER_FRAME_BYTES, TargetView, ToWorker, VERSION, VerbCall, WireError,
};
use bailiwick_core::limits::Limits;
use bailiwick_core::model::{Lockdown, Phase, VerbError};

/// How long a worker may take to start and to lock itself down.
const START_TIME: Duration = Duration::from_secs(30);
/// A worker may take this many times its processor time to compile, because the machine may be busy.
const LOAD_PATIENCE: u64 = 4;

/// A worker that has its component loaded. Dropping it kills the process.
#[derive(Debug)]
pub struct Worker {
    lockdown: Lockdown,
    ready: Ready,
    pid: u32,
    limits: Limits,
    next_run: AtomicU32,
    frames: mpsc::Sender<Vec<u8>>,
    kill: mpsc::Sender<Gone>,
    shared: Arc<Shared>,
    /// Owns the process; ended with the worker, which kills it.
    supervisor: tokio::task::AbortHandle,
}

/// The form of a component that is sent to a worker.
#[derive(Debug)]
pub enum Code<'a> {
    /// Its bytes.
    Component(&'a [u8]),
    /// Its bytes. The worker also returns the compiled form.
    Keep(&'a [u8]),
    /// The compiled form that a worker returned for the same component, from the sealed cache.
    Compiled(Vec<u8>),
}

/// Identifies this program, so that it never loads code that another one compiled: the file that it runs from, and its
/// version. The engine itself refuses code of another version, configuration or processor.
///
/// # Errors
/// When the file cannot be read.
pub fn identity() -> std::io::Result<String> {
    use std::os::unix::fs::MetadataExt;
    let file = if cfg!(target_os = "linux") { "/proc/self/exe".into() } else { std::env::current_exe()? };
    let meta = std::fs::metadata(file)?;
    let (device, inode, size, time) = (meta.dev(), meta.ino(), meta.size(), (meta.mtime(), meta.mtime_nsec()));
    Ok(format!("bailiwick {} {device} {inode} {size} {time:?}", env!("CARGO_PKG_VERSION")))
}

/// A worker that is locked down and has no component yet. Dropping it kills the process.
#[derive(Debug)]
pub struct Idle {
    lockdown: Lockdown,
    process: Process,
}

/// What stopped an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopped {
    /// The kernel refused it, or another error occurred: its number.
    Errno(i32),
    /// The worker died.
    Died(WorkerEnd),
}

/// How a run ended, and what it used.
#[derive(Debug, Clone, PartialEq)]
pub struct RunEnd {
    /// How.
    pub ending: Ending,
    /// Verb calls that were handed to the broker.
    pub calls: u32,
    /// Wasm instructions, as the worker reports; 0 if unknown.
    pub fuel_used: u64,
    /// The component's notes, for the journal.
    pub logs: Vec<LogLine>,
    /// Notes dropped or cut.
    pub logs_dropped: u32,
    /// From start to end.
    pub elapsed: Duration,
}

/// Why a worker ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Gone {
    Died(WorkerEnd),
    Breach(Breach),
    Overdue { run: u32 },
    Closed,
}

#[derive(Debug)]
struct Shared(Mutex<State>);

#[derive(Debug)]
struct State {
    ledger: Ledger,
    open: HashMap<u32, mpsc::Sender<Event>>,
    gone: Option<Gone>,
}

impl State {
    /// Removes a run that was never sent to the worker.
    fn forget(&mut self, run: u32) {
        self.open.remove(&run);
        self.ledger.forget(run);
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Checks a message and passes it to its run.
    fn deliver(&self, message: FromWorker) -> Result<(), Breach> {
        let mut state = self.lock();
        let (run, event) = state.ledger.admit(message)?;
        let over = matches!(event, Event::Ended { .. });
        if let Some(events) = state.open.get(&run)
            && let Err(TrySendError::Full(_)) = events.try_send(event)
        {
            return Err(Breach::Limits);
        }
        if over {
            state.open.remove(&run);
        }
        Ok(())
    }

    /// Ends every run: its channel closes, and `gone` has the reason.
    fn close(&self, gone: Gone) {
        let mut state = self.lock();
        state.gone.get_or_insert(gone);
        state.open.clear();
    }
}

impl Idle {
    /// The lockdown that the process reports.
    #[must_use]
    pub const fn lockdown(&self) -> Lockdown {
        self.lockdown
    }

    /// Makes the worker attempt something that must not be possible. `None` if it succeeded.
    ///
    /// # Errors
    /// When the process does not answer. If it dies, that is what stopped the attempt, and not an error.
    pub async fn attempt(mut self, what: Attempt, on: Marks) -> Result<Option<Stopped>, LoadError> {
        let order = ToWorker::Attempt { what, on };
        match self.process.ask(&order, HELLO_FRAME_BYTES, FROM_WORKER_FRAME_BYTES, START_TIME).await {
            Ok(FromWorker::Attempted(gave)) => Ok(gave.map(Stopped::Errno)),
            Ok(_) => Err(LoadError::Protocol(None)),
            Err(LoadError::Died(end)) => Ok(Some(Stopped::Died(end))),
            Err(error) => Err(error),
        }
    }

    /// Makes the worker load a component.
    ///
    /// # Errors
    /// When the component cannot be compiled and linked.
    pub async fn load(self, component: &[u8], links: &Links, limits: Limits) -> Result<Worker, LoadError> {
        let digest = Sha256::digest(component).into();
        self.load_code(Code::Component(component), digest, links, limits).await.map(|(worker, _)| worker)
    }

    /// Makes the worker load a component with this SHA-256, in one of its forms. Returns the compiled form if it is to be kept.
    ///
    /// # Errors
    /// When the code cannot be loaded and linked.
    pub async fn load_code(
        mut self,
        code: Code<'_>,
        digest: [u8; 32],
        links: &Links,
        limits: Limits,
    ) -> Result<(Worker, Option<Vec<u8>>), LoadError> {
        // Only a compiled form that was asked for may be large.
        let (code, kept_max) = match code {
            Code::Component(bytes) => (wire::Code::Component { bytes: bytes.to_vec(), keep: false }, None),
            Code::Keep(bytes) => {
                let most = wire::artefact_bytes_max(bytes.len()).saturating_add(FROM_WORKER_FRAME_BYTES);
                (wire::Code::Component { bytes: bytes.to_vec(), keep: true }, Some(most))
            }
            Code::Compiled(artefact) => (wire::Code::Compiled(artefact), None),
        };
        let pid = self.process.child.id().unwrap_or_default();
        kernel::compiling(pid, &limits).map_err(LoadError::Spawn)?;
        let patience = START_TIME + Duration::from_secs(limits.compile_s.saturating_mul(LOAD_PATIENCE));
        let load = ToWorker::Load(Load { code, digest, links: links.clone(), limits: Box::new(limits.clone()) });
        let answer_max = kept_max.unwrap_or(FROM_WORKER_FRAME_BYTES);
        let mut reply = match self.process.ask(&load, LOAD_FRAME_BYTES, answer_max, patience).await {
            Err(LoadError::Died(end)) => return Err(LoadError::died(end, &limits)),
            other => other?,
        };
        let mut artefact = None;
        if let (FromWorker::Artefact(bytes), Some(_)) = (&mut reply, kept_max) {
            artefact = Some(std::mem::take(bytes));
            reply = self.process.receive(FROM_WORKER_FRAME_BYTES, START_TIME).await?;
        }
        let ready = match reply {
            FromWorker::Ready(ready) => ready,
            FromWorker::NotLoaded { reason } => return Err(LoadError::NotLoaded { reason }),
            _ => return Err(LoadError::Protocol(None)),
        };
        kernel::running(pid, &limits).map_err(LoadError::Spawn)?;
        let Self { lockdown, process } = self;
        let ledger = Ledger::new(links.verbs.clone(), limits.clone());
        let shared = Arc::new(Shared(Mutex::new(State { ledger, open: HashMap::new(), gone: None })));
        let (frames, outgoing) = mpsc::channel(16);
        let (kill, killed) = mpsc::channel(1);
        let supervisor = tokio::spawn(supervise(process, outgoing, Arc::clone(&shared), killed));
        let worker = Worker {
            lockdown,
            ready,
            pid,
            limits,
            next_run: AtomicU32::new(1),
            frames,
            kill,
            shared,
            supervisor: supervisor.abort_handle(),
        };
        Ok((worker, artefact))
    }
}

impl Worker {
    /// Starts a worker and has it load a component. `program` is this program, unless a test passes another. The links
    /// come from [`super::check_imports`].
    ///
    /// # Errors
    /// When the process cannot be started, or the component not be compiled and linked.
    pub async fn load(
        program: Option<&Path>,
        component: &[u8],
        links: &Links,
        limits: Limits,
    ) -> Result<Self, LoadError> {
        Self::start(program).await?.load(component, links, limits).await
    }

    /// Starts a worker without a component, for a caller that first checks its lockdown.
    ///
    /// # Errors
    /// When the process cannot be started, or is not a worker.
    pub async fn start(program: Option<&Path>) -> Result<Idle, LoadError> {
        let mut process = Process::start(program).map_err(LoadError::Spawn)?;
        let hello = ToWorker::Hello { version: VERSION };
        match process.ask(&hello, HELLO_FRAME_BYTES, FROM_WORKER_FRAME_BYTES, START_TIME).await? {
            FromWorker::Locked(lockdown) => Ok(Idle { lockdown, process }),
            _ => Err(LoadError::Protocol(None)),
        }
    }

    /// The lockdown that the process reports.
    #[must_use]
    pub const fn lockdown(&self) -> Lockdown {
        self.lockdown
    }

    /// The result of loading.
    #[must_use]
    pub const fn ready(&self) -> Ready {
        self.ready
    }

    /// The process id.
    #[must_use]
    pub const fn pid(&self) -> u32 {
        self.pid
    }

    /// False once the process has ended: a run would be interrupted at once.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.shared.lock().gone.is_none()
    }

    /// Runs the component once. Many runs may be in progress at once. `answer` gets each verb call as the guest made it,
    /// one at a time, and must look it up in the grant; its future is dropped when the run ends meanwhile (time, a dead
    /// worker), so what has to finish is to be spawned. Dropping this future leaves the run to its wall time.
    pub async fn run<F, A>(&self, now_ms: u64, targets: Vec<TargetView>, answer: F) -> RunEnd
    where
        F: FnMut(VerbCall) -> A,
        A: Future<Output = Outcome>,
    {
        self.run_phase(Phase::Examine, now_ms, targets, answer).await
    }

    /// The same for a part of a fix's work.
    pub async fn run_phase<F, A>(&self, phase: Phase, now_ms: u64, targets: Vec<TargetView>, mut answer: F) -> RunEnd
    where
        F: FnMut(VerbCall) -> A,
        A: Future<Output = Outcome>,
    {
        let begun = Instant::now();
        let run = self.next_run.fetch_add(1, Ordering::Relaxed);
        let mut end = RunEnd {
            ending: Ending::Interrupted,
            calls: 0,
            fuel_used: 0,
            logs: Vec::new(),
            logs_dropped: 0,
            elapsed: Duration::ZERO,
        };
        let mut events = self.open(run, phase, targets.len());
        let deadline = begun + self.limits.wall() + GRACE;
        let start = ToWorker::Start(Start { run, phase, now_ms, targets });
        if self.send(&start, deadline).await.is_err() {
            self.shared.lock().forget(run);
            end.ending = Ending::Fault(FaultKind::Host.into());
            return end;
        }
        let mut work = None;
        loop {
            let event = tokio::select! {
                biased;
                event = events.recv() => event,
                () = sleep_until(deadline) => {
                    // The worker did not end the run in time.
                    let _ = self.kill.try_send(Gone::Overdue { run });
                    while let Some(event) = events.recv().await {
                        drop(event);
                    }
                    None
                }
                outcome = pending_or(&mut work) => {
                    work = None;
                    self.shared.lock().ledger.answered(run);
                    let call = end.calls;
                    if self.send(&ToWorker::Answer { run, call, outcome }, deadline).await.is_err() {
                        let outcome = Outcome::Failed(VerbError::TooLarge);
                        let _ = self.send(&ToWorker::Answer { run, call, outcome }, deadline).await;
                    }
                    continue;
                }
            };
            match event {
                Some(Event::Call(call)) => {
                    end.calls = call.number;
                    work = Some(Box::pin(answer(call)));
                }
                Some(Event::Log(line)) => end.logs.push(line),
                Some(Event::Ended { end: ended, fuel_used, logs_dropped }) => {
                    end.ending = ended;
                    end.fuel_used = fuel_used;
                    end.logs_dropped = logs_dropped;
                    break;
                }
                None => {
                    end.ending = self.gone(run);
                    break;
                }
            }
        }
        end.elapsed = begun.elapsed();
        end
    }

    /// How the process ended, if the component caused that: not by a signal with which a person or a system ends programs,
    /// and not at the end of its sweep. A kill from outside cannot be distinguished from a kill by the kernel for lack of memory,
    /// and counts. So does a run that did not end in time, whose worker the broker killed.
    #[must_use]
    pub fn death(&self) -> Option<String> {
        match self.shared.lock().gone? {
            Gone::Died(end) => end.is_its_own().then(|| end.to_string()),
            Gone::Breach(breach) => Some(format!("{breach}: it was killed")),
            Gone::Overdue { .. } => Some("it did not end a run in time: it was killed".to_owned()),
            Gone::Closed => None,
        }
    }

    /// Kills the process and waits for its end. Runs in progress are interrupted.
    pub async fn close(self) {
        let _ = self.kill.try_send(Gone::Closed);
        self.kill.closed().await;
    }

    fn open(&self, run: u32, phase: Phase, targets: usize) -> mpsc::Receiver<Event> {
        // Everything that the ledger admits before the run reads it: every note, one call, the end.
        let events_max = usize::try_from(self.limits.logs).unwrap_or(usize::MAX).saturating_add(2);
        let (sender, events) = mpsc::channel(events_max.min(1 << 16));
        let mut state = self.shared.lock();
        if state.gone.is_none() {
            state.ledger.open(run, phase, targets);
            state.open.insert(run, sender);
        }
        events
    }

    /// Queues a message. If the worker has ended or does not read, the run that waits for its reply notices.
    async fn send(&self, message: &ToWorker, deadline: Instant) -> Result<(), WireError> {
        let frame = wire::encode(message, TO_WORKER_FRAME_BYTES)?;
        let _ = timeout_at(deadline, self.frames.send(frame)).await;
        Ok(())
    }

    fn gone(&self, run: u32) -> Ending {
        match self.shared.lock().gone {
            Some(Gone::Died(end)) => Ending::Fault(FaultKind::WorkerDied(end).into()),
            Some(Gone::Breach(breach)) => Ending::Fault(FaultKind::Protocol(breach).into()),
            Some(Gone::Overdue { run: overdue }) if overdue == run => {
                Ending::Fault(FaultKind::Wall(self.limits.wall_ms).into())
            }
            Some(Gone::Overdue { .. } | Gone::Closed) | None => Ending::Interrupted,
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.supervisor.abort();
        self.shared.close(Gone::Closed);
    }
}

/// The outcome of the current call. Without a call, it never returns.
async fn pending_or<A: Future<Output = Outcome> + Unpin>(work: &mut Option<A>) -> Outcome {
    match work {
        Some(work) => work.await,
        None => std::future::pending().await,
    }
}

/// Owns the process until it ends.
async fn supervise(
    process: Process,
    mut outgoing: mpsc::Receiver<Vec<u8>>,
    shared: Arc<Shared>,
    mut killed: mpsc::Receiver<Gone>,
) {
    let Process { mut child, mut reader, mut writer } = process;
    let listen = async {
        loop {
            match read(&mut reader, FROM_WORKER_FRAME_BYTES).await {
                Ok(Some(message)) => {
                    if let Err(breach) = shared.deliver(message) {
                        return Some(Gone::Breach(breach));
                    }
                }
                Ok(None) | Err(WireError::Io(_)) => return None,
                Err(_) => return Some(Gone::Breach(Breach::Malformed)),
            }
        }
    };
    // Frames are written whole, one after the other, even if the future that sent them is dropped.
    let speak = async {
        while let Some(frame) = outgoing.recv().await {
            if writer.write_all(&frame).await.is_err() {
                break;
            }
        }
        std::future::pending::<()>().await;
    };
    let cause = tokio::select! {
        cause = listen => cause,
        cause = killed.recv() => Some(cause.unwrap_or(Gone::Closed)),
        () = speak => None,
    };
    let gone = match cause {
        Some(gone) => {
            let _ = child.kill().await;
            gone
        }
        None => Gone::Died(reap(&mut child).await),
    };
    shared.close(gone);
}
