//! Calls `system.load` alone, though its manifest asks for `system.memory` too.

use bailiwick_guest::{Failure, Finding, Probe, Report, Target, system};

struct Idle;

impl Probe for Idle {
    fn examine(target: &Target) -> Result<Report, Failure> {
        let load = system::load(target)?;
        Ok(Finding::ok("idle", "", "the load was read").because(&load).into())
    }
}

bailiwick_guest::export!(Idle);
