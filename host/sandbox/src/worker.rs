//! The main function of a worker: one component, many runs, one socket.
//!
//! Knows: threads and frames. Must not know: files, keys, networks; it has none. Attack answered: a guest that escapes
//! the engine finds a process with an empty environment and one socket, on which it can send only what any run can send.

use std::collections::HashMap;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use wasmtime::Engine;
use wasmtime::component::Component;

use super::attempt;
use super::engine::{self, TICK};
use super::fault::FaultKind;
use super::host::Pre;
use super::imports::Links;
use super::lockdown;
use super::run::{self, RunState, Socket};
use super::wire::{
    self, Code, Ending, FromWorker, HELLO_FRAME_BYTES, LOAD_FRAME_BYTES, Outcome, Ready, Start, TO_WORKER_FRAME_BYTES,
    ToWorker, VERSION, WireError, artefact_bytes_max,
};
use bailiwick_core::limits::{Limits, STACK_BYTES};
use bailiwick_core::model::{Lockdown, Tainted};

/// The first argument of a worker process.
pub const ARGUMENT: &str = "worker";

/// Stack of a run's thread: the part for wasm, and a margin for host functions, none of which recurses.
const THREAD_STACK_BYTES: usize = STACK_BYTES as usize + (2 << 20);

/// Why a worker stopped.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// The socket failed, or a message was not valid.
    #[error("the broker's messages")]
    Wire(#[from] WireError),
    /// The operating system reported an error.
    #[error("the worker's process")]
    Io(#[from] io::Error),
    /// A message is not allowed at this point.
    #[error("an unexpected message from the broker")]
    Unexpected,
}

/// The worker process: standard input is the socket to the broker.
#[must_use]
pub fn main() -> ExitCode {
    // After a panic in one run, the others cannot be trusted either: the process ends, and the broker notices.
    std::panic::set_hook(Box::new(|_| std::process::abort()));
    match enter().and_then(|entered| entered.map_or(Ok(()), serve)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::from(70),
    }
}

/// Becomes a worker: locks the process down, reports that to the broker, and returns the socket. `None`: the broker has
/// already ended.
///
/// Call this first, while the process has one thread. Until the last measure applies, only the broker's first message is read;
/// a component comes later.
///
/// # Errors
/// When standard input is not a socket to a broker.
pub fn enter() -> Result<Option<UnixStream>, WorkerError> {
    super::audited::close();
    let measures = lockdown::apply();
    let mut stream = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    match wire::read(&mut stream, HELLO_FRAME_BYTES)? {
        None => return Ok(None),
        Some(ToWorker::Hello { version: VERSION }) => {}
        Some(_) => return Err(WorkerError::Unexpected),
    }
    let measures: Lockdown = lockdown::seal(measures);
    wire::write(&mut stream, &FromWorker::Locked(measures), HELLO_FRAME_BYTES)?;
    Ok(Some(stream))
}

/// Serves one broker on the socket from [`enter`], until the broker hangs up.
///
/// # Errors
/// When the broker sends something that is not a message, or a message out of order.
pub fn serve(mut stream: UnixStream) -> Result<(), WorkerError> {
    let socket = Arc::new(Mutex::new(stream.try_clone()?));
    let refuse = |reason: String| {
        run::send(&socket, &FromWorker::NotLoaded { reason: Tainted::new(reason) }).map_err(WorkerError::from)
    };
    let load = match wire::read(&mut stream, LOAD_FRAME_BYTES)? {
        None => return Ok(()),
        Some(ToWorker::Load(load)) => load,
        Some(ToWorker::Attempt { what, on }) => {
            let gave = attempt::attempt(what, on).err().map(|error| error.raw_os_error().unwrap_or(0));
            return Ok(run::send(&socket, &FromWorker::Attempted(gave))?);
        }
        Some(_) => return Err(WorkerError::Unexpected),
    };
    let begun = Instant::now();
    let (engine, pre, artefact) = match compiled(load.code, &load.links) {
        Ok(loaded) => loaded,
        Err(error) => return refuse(format!("{error:#}").chars().take(1000).collect()),
    };
    let compile_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    if let Some(artefact) = artefact {
        let message = FromWorker::Artefact(artefact);
        wire::write(&mut stream, &message, wire::ARTEFACT_BYTES_MAX)?;
    }
    run::send(&socket, &FromWorker::Ready(Ready { compile_ms }))?;
    tick(&engine)?;
    let runs = Runs { pre: Arc::new(pre), digest: load.digest, limits: *load.limits, socket, open: Arc::default() };
    while let Some(message) = wire::read(&mut stream, TO_WORKER_FRAME_BYTES)? {
        match message {
            ToWorker::Start(start) => runs.start(start)?,
            ToWorker::Answer { run, call, outcome } => runs.answer(run, call, outcome),
            ToWorker::Hello { .. } | ToWorker::Load(_) | ToWorker::Attempt { .. } => {
                return Err(WorkerError::Unexpected);
            }
        }
    }
    Ok(())
}

/// An engine, the component linked in it, and its compiled form if the broker wants it. The form is made before any code of the
/// component runs, and code that was loaded in that form is never returned as one.
fn compiled(code: Code, links: &Links) -> wasmtime::Result<(Engine, Pre, Option<Vec<u8>>)> {
    let engine = engine::engine()?;
    let (component, artefact) = match code {
        Code::Compiled(artefact) => (super::audited::compiled(&engine, &artefact)?, None),
        Code::Component { bytes, keep } => {
            let component = Component::from_binary(&engine, &bytes)?;
            let artefact = if keep { Some(component.serialize()?) } else { None };
            // A compiled form that is unusually large is not kept.
            (component, artefact.filter(|artefact| artefact.len() <= artefact_bytes_max(bytes.len())))
        }
    };
    let pre = engine::link(&component, links)?;
    Ok((engine, pre, artefact))
}

/// Advances the engine's epoch for as long as the engine exists.
fn tick(engine: &Engine) -> io::Result<()> {
    let engine = engine.weak();
    std::thread::Builder::new().name("epoch".to_owned()).stack_size(64 << 10).spawn(move || {
        while let Some(engine) = engine.upgrade() {
            engine.increment_epoch();
            drop(engine);
            std::thread::sleep(TICK);
        }
    })?;
    Ok(())
}

/// The channels on which runs wait for their answers.
type Answers = HashMap<u32, Sender<(u32, Outcome)>>;

/// The runs in progress.
struct Runs {
    pre: Arc<Pre>,
    digest: [u8; 32],
    limits: Limits,
    socket: Socket,
    open: Arc<Mutex<Answers>>,
}

impl Runs {
    fn start(&self, start: Start) -> Result<(), WorkerError> {
        let run = start.run;
        let (answer, answers) = mpsc::channel();
        self.open.lock().unwrap_or_else(PoisonError::into_inner).insert(run, answer);
        let state = RunState::new(start, &self.digest, self.limits.clone(), Arc::clone(&self.socket), answers);
        let (pre, socket, open) = (Arc::clone(&self.pre), Arc::clone(&self.socket), Arc::clone(&self.open));
        let thread = std::thread::Builder::new().stack_size(THREAD_STACK_BYTES).spawn(move || {
            let ended = run::run(&pre, state);
            open.lock().unwrap_or_else(PoisonError::into_inner).remove(&run);
            // If the broker has ended, the thread that reads notices.
            let _ = run::send(&socket, &ended);
        });
        if thread.is_err() {
            let end = Ending::Fault(FaultKind::Host.into());
            run::send(&self.socket, &FromWorker::Ended { run, end, fuel_used: 0, logs_dropped: 0 })?;
        }
        Ok(())
    }

    fn answer(&self, run: u32, call: u32, outcome: Outcome) {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        // The run may have ended meanwhile.
        if let Some(answer) = open.get(&run) {
            let _ = answer.send((call, outcome));
        }
    }
}
