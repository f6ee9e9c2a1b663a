//! Messages that claim more than the run has.

use std::io::Write;
use std::os::unix::net::UnixStream;

use anyhow::{Result, bail};
use bailiwick_core::model::{Lockdown, Tainted, Verb};
use bailiwick_sandbox::wire;
use bailiwick_sandbox::wire::{
    FROM_WORKER_FRAME_BYTES, FromWorker, Given, LOAD_FRAME_BYTES, Outcome, Ready, ToWorker, VerbCall,
};

/// Sends one, and gives the answer of the broker to a call.
pub(crate) fn say(socket: &mut UnixStream, run: u32, what: &str) -> Result<String> {
    let mut call = |run, number, target, verb, slot: Option<&str>| {
        let call = VerbCall { number, target, verb, slot: slot.map(Tainted::new), given: Given::default() };
        wire::write(socket, &FromWorker::Call { run, call }, FROM_WORKER_FRAME_BYTES)
    };
    match what {
        "what-was-granted" => call(run, 1, 0, Verb::FilesStat, Some("file"))?,
        "a-slot-key-not-granted" => call(run, 1, 0, Verb::FilesStat, Some("other"))?,
        "another-targets-path-for-a-key" => call(run, 1, 0, Verb::FilesStat, Some("/etc/os-release"))?,
        "a-verb-not-in-the-manifest" => call(run, 1, 0, Verb::SystemLoad, None)?,
        "a-verb-of-the-same-slot" => call(run, 1, 0, Verb::FilesRead, Some("file"))?,
        "another-runs-id" => call(run + 1, 1, 0, Verb::FilesStat, Some("file"))?,
        "another-target" => call(run, 1, 1, Verb::FilesStat, Some("file"))?,
        "a-call-out-of-order" => call(run, 7, 0, Verb::FilesStat, Some("file"))?,
        "two-calls-at-once" => {
            call(run, 1, 0, Verb::FilesStat, Some("file"))?;
            call(run, 2, 0, Verb::FilesStat, Some("file"))?;
        }
        "a-key-without-end" => call(run, 1, 0, Verb::FilesStat, Some(&"x".repeat(100_000)))?,
        "another-lockdown" => {
            wire::write(socket, &FromWorker::Locked(Lockdown::default()), FROM_WORKER_FRAME_BYTES)?;
        }
        "ready-again" => {
            wire::write(socket, &FromWorker::Ready(Ready { compile_ms: 0 }), FROM_WORKER_FRAME_BYTES)?;
        }
        "an-oversize-frame" => socket.write_all(&u32::MAX.to_le_bytes())?,
        "no-message-at-all" => socket.write_all(&[4, 0, 0, 0, 0xff, 0xff, 0xff, 0xff])?,
        _ => bail!("what is {what}?"),
    }
    loop {
        match wire::read(socket, LOAD_FRAME_BYTES)? {
            Some(ToWorker::Answer { outcome: Outcome::Answered(_), .. }) => return Ok("answered".to_owned()),
            Some(ToWorker::Answer { outcome: Outcome::Failed(error), .. }) => return Ok(format!("{error}")),
            Some(ToWorker::Answer { outcome: Outcome::NotStaged(error), .. }) => return Ok(format!("{error}")),
            Some(_) => {}
            None => bail!("the broker hung up"),
        }
    }
}
