//! Sets an old temporary file aside if its program is not running.

use bailiwick_guest::{
    Decision, Failure, Finding, Fix, Report, Target, VerbError, clock,
    files::{self, Kind},
    files_change,
    services::{self, ActiveState},
    text,
};

struct StaleFile;

impl Fix for StaleFile {
    fn plan(target: &Target) -> Result<Decision, Failure> {
        let old = target.params().number("min-age-hours")? * 3_600.0;
        let (file, unit) = (target.slot("file")?, target.slot("unit")?);
        let path = file.literal.as_str();
        let stat = match files::stat(target, &file) {
            Err(gone) if gone.error() == VerbError::NotFound => {
                return Ok(Decision::nothing(format!("{path} does not exist")));
            }
            answer => answer?,
        };
        if stat.kind != Kind::Regular {
            let reason = format!("{path} is not a regular file: it is unlikely to be a leftover");
            return Ok(Decision::refuse(reason, "the owner of this file").because(&stat));
        }
        let age = clock::now_ms() as f64 / 1_000.0 - stat.modified as f64;
        if age < old {
            return Ok(Decision::nothing(format!("{path} was changed {} ago", text::duration(age.max(0.0)))));
        }
        match services::status(target, &unit) {
            Ok(status) if !matches!(status.active, ActiveState::Inactive | ActiveState::Failed) => {
                let reason = format!("{} is running ({}): the file may be in use", unit.literal, status.sub_state);
                return Ok(Decision::refuse(reason, "the owner of this unit").because(&stat).because(&status));
            }
            Err(failed) if failed.error() != VerbError::NotFound => return Err(failed.into()),
            // The unit is not installed any more, or is not running.
            _ => {}
        }
        files_change::set_aside(target, &file)?;
        let context =
            format!("{path} has not been changed for {}, and {} is not running", text::duration(age), unit.literal);
        Ok(Decision::propose(context).because(&stat))
    }

    fn verify(target: &Target) -> Result<Report, Failure> {
        let file = target.slot("file")?;
        let path = file.literal.as_str();
        let finding = match files::stat(target, &file) {
            Err(gone) if gone.error() == VerbError::NotFound => {
                Finding::ok("file", path, format!("{path} was set aside")).because(&gone)
            }
            // Its program has created a new file.
            answer => {
                let stat = answer?;
                let age = clock::now_ms() as f64 / 1_000.0 - stat.modified as f64;
                if age < target.params().number("min-age-hours")? * 3_600.0 {
                    Finding::ok("file", path, format!("{path} is a new file")).because(&stat)
                } else {
                    Finding::critical("file", path, format!("{path} is still there")).because(&stat)
                }
            }
        };
        Ok(finding.into())
    }
}

bailiwick_guest::export_fix!(StaleFile);
