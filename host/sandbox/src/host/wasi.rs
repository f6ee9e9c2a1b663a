//! Inert WASI: clocks, random, cli and io for components whose language cannot be built without them. Every function
//! answers, and none has an effect: none uses a file, socket, environment, clock or source of randomness.
//!
//! Knows: WASI 0.2's types. Must not know: this machine. Attacks answered: a second way in (LK15), and calls that cost the host
//! something (GR10, GR13): a handle is only a number, nothing is stored, nothing waits, there is no runtime, and bytes that go
//! to the guest are charged. Linked function by function, under the name in the binary.

use std::collections::{BTreeMap, BTreeSet};

use wasmtime::StoreContextMut;
use wasmtime::component::{ComponentType, Lift, Linker, LinkerInstance, Lower, Resource, ResourceType, WasmList};

use crate::fault::FaultKind;
use crate::run::RunState;

/// `wasi:io/error.error`. There is never one.
struct IoError;
/// `wasi:io/poll.pollable`: [`READY`] or [`NEVER`].
struct Pollable;
/// `wasi:io/streams.input-stream`: at its end.
struct Input;
/// `wasi:io/streams.output-stream`: accepts everything and discards it.
struct Output;
/// `wasi:cli/terminal-input.terminal-input`. There is never one.
struct TerminalInput;
/// `wasi:cli/terminal-output.terminal-output`. There is never one.
struct TerminalOutput;

/// The number behind a pollable whose time has come, and behind every stream.
const READY: u32 = 0;
/// The number behind a pollable of a later time: the clock is fixed.
const NEVER: u32 = 1;

/// Bytes that an output stream reports as free.
const ROOM: u64 = 64 << 10;

/// Nanoseconds of a millisecond, which is the grain of both clocks.
const MILLISECOND: u64 = 1_000_000;

#[derive(ComponentType, Lower, Lift)]
#[component(variant)]
enum StreamError {
    #[component(name = "last-operation-failed")]
    LastOperationFailed(Resource<IoError>),
    #[component(name = "closed")]
    Closed,
}

#[derive(ComponentType, Lower, Lift)]
#[component(record)]
struct Datetime {
    seconds: u64,
    nanoseconds: u32,
}

/// The result of a function of a stream.
type Streamed<T> = (Result<T, StreamError>,);

/// The store, as a function sees it.
type Caller<'a> = StoreContextMut<'a, RunState>;

/// Links the interfaces that a component imports, each with the functions that it imports.
///
/// # Errors
/// When there is no such function: the list comes from the broker, which has checked it.
pub(super) fn link(
    linker: &mut Linker<RunState>,
    interfaces: &BTreeMap<String, BTreeSet<String>>,
) -> wasmtime::Result<()> {
    for (interface, functions) in interfaces {
        let mut instance = linker.instance(interface)?;
        let path = interface.split('@').next().unwrap_or_default();
        resources(&mut instance, path)?;
        for function in functions {
            let to = &mut instance;
            match path {
                "wasi:cli/environment" => environment(to, function)?,
                "wasi:cli/exit" => exit(to, function)?,
                "wasi:clocks/monotonic-clock" => monotonic_clock(to, function)?,
                "wasi:clocks/wall-clock" => wall_clock(to, function)?,
                "wasi:io/poll" => poll(to, function)?,
                "wasi:io/streams" if function.starts_with("[method]input-stream.") => input(to, function)?,
                "wasi:io/streams" => output(to, function)?,
                "wasi:random/random" | "wasi:random/insecure" | "wasi:random/insecure-seed" => random(to, function)?,
                _ => handles(to, function)?,
            }
        }
    }
    Ok(())
}

fn no_such(function: &str) -> wasmtime::Result<()> {
    Err(wasmtime::Error::msg(format!("there is no inert `{function}`")))
}

fn resources(to: &mut LinkerInstance<'_, RunState>, path: &str) -> wasmtime::Result<()> {
    match path {
        "wasi:io/error" => to.resource("error", ResourceType::host::<IoError>(), |_, _| Ok(())),
        "wasi:io/poll" => to.resource("pollable", ResourceType::host::<Pollable>(), |_, _| Ok(())),
        "wasi:io/streams" => {
            to.resource("input-stream", ResourceType::host::<Input>(), |_, _| Ok(()))?;
            to.resource("output-stream", ResourceType::host::<Output>(), |_, _| Ok(()))
        }
        "wasi:cli/terminal-input" => {
            to.resource("terminal-input", ResourceType::host::<TerminalInput>(), |_, _| Ok(()))
        }
        "wasi:cli/terminal-output" => {
            to.resource("terminal-output", ResourceType::host::<TerminalOutput>(), |_, _| Ok(()))
        }
        _ => Ok(()),
    }
}

fn environment(to: &mut LinkerInstance<'_, RunState>, function: &str) -> wasmtime::Result<()> {
    match function {
        "get-environment" => to.func_wrap(function, |mut store: Caller<'_>, (): ()| {
            store.data_mut().inert()?;
            Ok((Vec::<(String, String)>::new(),))
        }),
        "get-arguments" => to.func_wrap(function, |mut store: Caller<'_>, (): ()| {
            store.data_mut().inert()?;
            Ok((Vec::<String>::new(),))
        }),
        "initial-cwd" => to.func_wrap(function, |mut store: Caller<'_>, (): ()| {
            store.data_mut().inert()?;
            Ok((None::<String>,))
        }),
        _ => no_such(function),
    }
}

fn exit(to: &mut LinkerInstance<'_, RunState>, function: &str) -> wasmtime::Result<()> {
    match function {
        "exit" => to.func_wrap(function, |_: Caller<'_>, (_,): (Result<(), ()>,)| -> wasmtime::Result<()> {
            Err(FaultKind::Exited.into())
        }),
        "exit-with-code" => to.func_wrap(function, |_: Caller<'_>, (_,): (u8,)| -> wasmtime::Result<()> {
            Err(FaultKind::Exited.into())
        }),
        _ => no_such(function),
    }
}

/// `get-stdin` and similar functions, and the terminals, which do not exist.
fn handles(to: &mut LinkerInstance<'_, RunState>, function: &str) -> wasmtime::Result<()> {
    match function {
        "get-stdin" => to.func_wrap(function, |mut store: Caller<'_>, (): ()| {
            store.data_mut().inert()?;
            Ok((Resource::<Input>::new_own(READY),))
        }),
        "get-stdout" | "get-stderr" => to.func_wrap(function, |mut store: Caller<'_>, (): ()| {
            store.data_mut().inert()?;
            Ok((Resource::<Output>::new_own(READY),))
        }),
        "get-terminal-stdin" => to.func_wrap(function, |mut store: Caller<'_>, (): ()| {
            store.data_mut().inert()?;
            Ok((None::<Resource<TerminalInput>>,))
        }),
        "get-terminal-stdout" | "get-terminal-stderr" => to.func_wrap(function, |mut store: Caller<'_>, (): ()| {
            store.data_mut().inert()?;
            Ok((None::<Resource<TerminalOutput>>,))
        }),
        // No function hands out an error.
        "[method]error.to-debug-string" => {
            to.func_wrap(function, |mut store: Caller<'_>, (_,): (Resource<IoError>,)| {
                store.data_mut().inert()?;
                Ok((String::new(),))
            })
        }
        _ => no_such(function),
    }
}

/// The monotonic clock: the run's start, in nanoseconds.
fn now(store: &Caller<'_>) -> u64 {
    store.data().now_ms().saturating_mul(MILLISECOND)
}

/// The pollable of a time.
fn at(store: &Caller<'_>, when: u64) -> (Resource<Pollable>,) {
    (Resource::new_own(if when <= now(store) { READY } else { NEVER }),)
}

fn monotonic_clock(to: &mut LinkerInstance<'_, RunState>, function: &str) -> wasmtime::Result<()> {
    match function {
        "now" => to.func_wrap(function, |mut store: Caller<'_>, (): ()| {
            store.data_mut().inert()?;
            Ok((now(&store),))
        }),
        "resolution" => to.func_wrap(function, |mut store: Caller<'_>, (): ()| {
            store.data_mut().inert()?;
            Ok((MILLISECOND,))
        }),
        "subscribe-instant" => to.func_wrap(function, |mut store: Caller<'_>, (when,): (u64,)| {
            store.data_mut().inert()?;
            Ok(at(&store, when))
        }),
        "subscribe-duration" => to.func_wrap(function, |mut store: Caller<'_>, (wait,): (u64,)| {
            store.data_mut().inert()?;
            let when = now(&store).saturating_add(wait);
            Ok(at(&store, when))
        }),
        _ => no_such(function),
    }
}

fn wall_clock(to: &mut LinkerInstance<'_, RunState>, function: &str) -> wasmtime::Result<()> {
    let moment = |ms: u64| Datetime {
        seconds: ms / 1000,
        nanoseconds: u32::try_from(ms % 1000 * MILLISECOND).unwrap_or_default(),
    };
    match function {
        "now" => to.func_wrap(function, move |mut store: Caller<'_>, (): ()| {
            store.data_mut().inert()?;
            Ok((moment(store.data().now_ms()),))
        }),
        "resolution" => to.func_wrap(function, move |mut store: Caller<'_>, (): ()| {
            store.data_mut().inert()?;
            Ok((moment(1),))
        }),
        _ => no_such(function),
    }
}

fn poll(to: &mut LinkerInstance<'_, RunState>, function: &str) -> wasmtime::Result<()> {
    match function {
        "[method]pollable.ready" => to.func_wrap(function, |mut store: Caller<'_>, (one,): (Resource<Pollable>,)| {
            store.data_mut().inert()?;
            Ok((one.rep() == READY,))
        }),
        "[method]pollable.block" => to.func_wrap(function, |mut store: Caller<'_>, (one,): (Resource<Pollable>,)| {
            store.data_mut().inert()?;
            // Waiting would occupy a thread until the wall time ends the run. The end is the same.
            if one.rep() == READY { Ok(()) } else { Err(FaultKind::Waits.into()) }
        }),
        "poll" => to.func_wrap(function, |mut store: Caller<'_>, (all,): (Vec<Resource<Pollable>>,)| {
            store.data_mut().inert()?;
            let ready = all.iter().zip(0u32..).filter(|(one, _)| one.rep() == READY);
            let ready: Vec<u32> = ready.map(|(_, index)| index).collect();
            store.data_mut().charge(ready.len().saturating_mul(4))?;
            if ready.is_empty() { Err(FaultKind::Waits.into()) } else { Ok((ready,)) }
        }),
        _ => no_such(function),
    }
}

fn input(to: &mut LinkerInstance<'_, RunState>, function: &str) -> wasmtime::Result<()> {
    match function.strip_prefix("[method]input-stream.").unwrap_or_default() {
        "read" | "blocking-read" => {
            to.func_wrap(function, |mut store: Caller<'_>, (_, _): (Resource<Input>, u64)| -> wasmtime::Result<_> {
                store.data_mut().inert()?;
                let end: Streamed<Vec<u8>> = (Err(StreamError::Closed),);
                Ok(end)
            })
        }
        "skip" | "blocking-skip" => {
            to.func_wrap(function, |mut store: Caller<'_>, (_, _): (Resource<Input>, u64)| -> wasmtime::Result<_> {
                store.data_mut().inert()?;
                let end: Streamed<u64> = (Err(StreamError::Closed),);
                Ok(end)
            })
        }
        "subscribe" => to.func_wrap(function, |mut store: Caller<'_>, (_,): (Resource<Input>,)| {
            store.data_mut().inert()?;
            Ok((Resource::<Pollable>::new_own(READY),))
        }),
        _ => no_such(function),
    }
}

fn output(to: &mut LinkerInstance<'_, RunState>, function: &str) -> wasmtime::Result<()> {
    match function.strip_prefix("[method]output-stream.").unwrap_or_default() {
        "check-write" => to.func_wrap(function, |mut store: Caller<'_>, (_,): (Resource<Output>,)| {
            store.data_mut().inert()?;
            let room: Streamed<u64> = (Ok(ROOM),);
            Ok(room)
        }),
        // A list that is not read is not copied either.
        "write" | "blocking-write-and-flush" => {
            to.func_wrap(function, |mut store: Caller<'_>, (_, _): (Resource<Output>, WasmList<u8>)| {
                store.data_mut().inert()?;
                Ok(gone())
            })
        }
        "write-zeroes" | "blocking-write-zeroes-and-flush" => {
            to.func_wrap(function, |mut store: Caller<'_>, (_, _): (Resource<Output>, u64)| {
                store.data_mut().inert()?;
                Ok(gone())
            })
        }
        "flush" | "blocking-flush" => to.func_wrap(function, |mut store: Caller<'_>, (_,): (Resource<Output>,)| {
            store.data_mut().inert()?;
            Ok(gone())
        }),
        "subscribe" => to.func_wrap(function, |mut store: Caller<'_>, (_,): (Resource<Output>,)| {
            store.data_mut().inert()?;
            Ok((Resource::<Pollable>::new_own(READY),))
        }),
        "splice" | "blocking-splice" => {
            to.func_wrap(function, |mut store: Caller<'_>, (_, _, _): (Resource<Output>, Resource<Input>, u64)| {
                store.data_mut().inert()?;
                let end: Streamed<u64> = (Err(StreamError::Closed),);
                Ok(end)
            })
        }
        _ => no_such(function),
    }
}

/// The result of a write, which is discarded.
const fn gone() -> Streamed<()> {
    (Ok(()),)
}

fn random(to: &mut LinkerInstance<'_, RunState>, function: &str) -> wasmtime::Result<()> {
    fn number(state: &mut RunState) -> Result<u64, FaultKind> {
        let bytes = state.random(8)?;
        Ok(bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }
    match function {
        "get-random-bytes" | "get-insecure-random-bytes" => {
            to.func_wrap(function, |mut store: Caller<'_>, (bytes,): (u64,)| {
                store.data_mut().inert()?;
                Ok((store.data_mut().random(bytes)?,))
            })
        }
        "get-random-u64" | "get-insecure-random-u64" => to.func_wrap(function, |mut store: Caller<'_>, (): ()| {
            store.data_mut().inert()?;
            Ok((number(store.data_mut())?,))
        }),
        "insecure-seed" => to.func_wrap(function, |mut store: Caller<'_>, (): ()| {
            store.data_mut().inert()?;
            let seed = (number(store.data_mut())?, number(store.data_mut())?);
            Ok((seed,))
        }),
        _ => no_such(function),
    }
}
