//! Calls `services.status`, which its manifest does not ask for.

use bailiwick_guest::{Failure, Finding, Probe, Report, Target, services, system, target::Entry};

struct Overreach;

impl Probe for Overreach {
    fn examine(target: &Target) -> Result<Report, Failure> {
        let load = system::load(target)?;
        let unit = Entry { key: "unit".to_owned(), literal: "cron.service".to_owned() };
        let status = services::status(target, &unit)?;
        Ok(Finding::critical("overreach", &unit.literal, &status.sub_state).because(&load).because(&status).into())
    }
}

bailiwick_guest::export!(Overreach);
