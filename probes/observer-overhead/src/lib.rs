//! What checking this machine costs it: processor time of the unit in which Bailiwick's programs run, since the run before.

use bailiwick_guest::{
    Failure, Finding, Probe, Report, Severity, Target, Unit, VerbError, clock, history, services, text,
};

struct ObserverOverhead;

impl Probe for ObserverOverhead {
    fn examine(target: &Target) -> Result<Report, Failure> {
        let params = target.params();
        let (warn, critical) = (params.number("warn-seconds-per-hour")?, params.number("critical-seconds-per-hour")?);
        let unit = target.slot("unit")?;
        let usage = match services::usage(target, &unit) {
            Err(gone) if gone.error() == VerbError::NotFound => {
                let title = format!("{} does not exist: bind the unit that logins run in", unit.literal);
                return Ok(Finding::unknown("cost", &unit.literal, title).because(&gone).into());
            }
            answer => answer?,
        };
        let name = &unit.literal;
        let Some(cpu_ns) = usage.cpu_ns else {
            let title = format!("the target does not account for the processor time of {name}");
            return Ok(Finding::unknown("cost", name, title).because(&usage).into());
        };
        let cpu_s = cpu_ns as f64 / 1e9;
        let numbers = |finding: Finding| {
            let finding = finding.metric("cpu-seconds", cpu_s, Unit::Seconds).because(&usage);
            match usage.memory {
                Some(memory) => finding.metric("memory-bytes", memory, Unit::Bytes),
                None => finding,
            }
        };
        let before = history::earlier(target).series("cost", name, "cpu-seconds").last();
        let Some((then, before)) = before else {
            let title = format!("the cost of {name} is not known before the second check");
            return Ok(numbers(Finding::unknown("cost", name, title)).into());
        };
        let hours = clock::now_ms().saturating_sub(then) as f64 / 3.6e6;
        if cpu_s < before || hours <= 0.0 {
            let title = format!("{name} was restarted since the last check, which reset its counter");
            return Ok(numbers(Finding::unknown("cost", name, title)).into());
        }
        let spent = cpu_s - before;
        let per_hour = spent / hours;
        let title = format!(
            "{name} used {} s of processor time in {}: {} s per hour",
            text::number(spent, 1),
            text::duration(hours * 3600.0),
            text::number(per_hour, 1)
        );
        let finding = numbers(Finding::new(Severity::rising(per_hour, warn, critical), "cost", name, title));
        Ok(finding
            .metric("since-last-look-seconds", spent, Unit::Seconds)
            .metric("cpu-seconds-per-hour", per_hour, Unit::PerHour)
            .into())
    }
}

bailiwick_guest::export!(ObserverOverhead);
