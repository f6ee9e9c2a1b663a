//! Load per processor, over 5 and 15 minutes.

use bailiwick_guest::{Failure, Finding, Probe, Report, Severity, Target, Unit, system, text};

struct Load;

impl Probe for Load {
    fn examine(target: &Target) -> Result<Report, Failure> {
        let params = target.params();
        let five_limits = (params.number("warn-5min")?, params.number("critical-5min")?);
        let fifteen_limits = (params.number("warn-15min")?, params.number("critical-15min")?);

        let load = system::load(target)?;
        if load.cpus == 0 {
            return Ok(Finding::unknown("load", "", "the target reports no online processor").because(&load).into());
        }
        let five = load.five / f64::from(load.cpus);
        let fifteen = load.fifteen / f64::from(load.cpus);

        let over_five = Severity::rising(five, five_limits.0, five_limits.1);
        let over_fifteen = Severity::rising(fifteen, fifteen_limits.0, fifteen_limits.1);
        let severity = over_five.worse(over_fifteen);
        // The title shows the time span that decided the severity.
        let (per_cpu, minutes) = if severity == over_five { (five, "5") } else { (fifteen, "15") };
        let title = format!(
            "load is {} per processor over {minutes} min ({})",
            text::number(per_cpu, 2),
            text::count(load.cpus as usize, "processor"),
        );
        Ok(Finding::new(severity, "load", "", title)
            .metric("per-cpu-5min", five, Unit::Ratio)
            .metric("per-cpu-15min", fifteen, Unit::Ratio)
            .metric("load-1min", load.one, Unit::Count)
            .metric("runnable", load.runnable, Unit::Count)
            .metric("cpus", load.cpus, Unit::Count)
            .because(&load)
            .into())
    }
}

bailiwick_guest::export!(Load);
