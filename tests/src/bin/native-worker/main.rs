//! A worker that its guest has taken over. It becomes a worker by the product's own code, and then runs native code instead of a
//! component. Its order comes in the place of the component's bytes: the first word is the kind, the rest the argument.
//!
//! `call NAME ARGUMENT`: makes a system call on a thread of its own, and reports the result. `say NAME`: sends a message
//! that an honest worker would not send.

mod calls;
mod say;

use std::os::unix::net::UnixStream;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use bailiwick_core::model::{Finding, Report, Severity, Tainted};
use bailiwick_sandbox::wire;
use bailiwick_sandbox::wire::{Code, Ending, FROM_WORKER_FRAME_BYTES, FromWorker, LOAD_FRAME_BYTES, Ready, ToWorker};
use bailiwick_sandbox::worker;

fn main() -> ExitCode {
    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::from(70),
    }
}

fn serve() -> Result<()> {
    let Some(mut socket) = worker::enter()? else { return Ok(()) };
    let Some(ToWorker::Load(load)) = wire::read(&mut socket, LOAD_FRAME_BYTES)? else { bail!("no component") };
    let Code::Component { bytes, .. } = load.code else { bail!("a compiled component is not an order") };
    let order = String::from_utf8(bytes)?;
    say(&mut socket, &FromWorker::Ready(Ready { compile_ms: 0 }))?;
    while let Some(message) = wire::read(&mut socket, LOAD_FRAME_BYTES)? {
        let ToWorker::Start(start) = message else { continue };
        let (how, what) = order.split_once(' ').context("an order of two words")?;
        let title = match how {
            "call" => {
                let what = what.to_owned();
                std::thread::spawn(move || calls::call(&what)).join().ok().context("the thread panicked")??
            }
            "say" => say::say(&mut socket, start.run, what)?,
            _ => bail!("what is {how}?"),
        };
        say(&mut socket, &ended(start.run, title))?;
    }
    Ok(())
}

fn say(socket: &mut UnixStream, message: &FromWorker) -> Result<()> {
    Ok(wire::write(socket, message, FROM_WORKER_FRAME_BYTES)?)
}

/// A report of one finding.
fn ended(run: u32, title: String) -> FromWorker {
    let finding = Finding {
        code: "native".to_owned(),
        severity: Severity::Ok,
        subject: Tainted::new(""),
        title: Tainted::new(title),
        metrics: Vec::new(),
        evidence: Vec::new(),
    };
    FromWorker::Ended { run, end: Ending::Report(Report { findings: vec![finding] }), fuel_used: 0, logs_dropped: 0 }
}
