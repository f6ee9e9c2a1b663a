//! Private functions that the fuzz targets need. Nothing else uses them.

use std::collections::BTreeSet;

use super::protocol::{Event, Ledger};
use super::wire::{FromWorker, VerbCall};
use bailiwick_core::limits::Limits;
use bailiwick_core::model::{Phase, Verb};

/// The calls that the broker's checks accept, in a run with one target, up to the first breach.
#[must_use]
pub fn admitted(verbs: &BTreeSet<Verb>, limits: Limits, messages: Vec<FromWorker>) -> Vec<VerbCall> {
    let mut ledger = Ledger::new(verbs.clone(), limits);
    ledger.open(1, Phase::Examine, 1);
    let mut calls = Vec::new();
    for message in messages {
        match ledger.admit(message) {
            Ok((run, Event::Call(call))) => {
                ledger.answered(run);
                calls.push(call);
            }
            Ok(_) => {}
            Err(_) => break,
        }
    }
    calls
}
