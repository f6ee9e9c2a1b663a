//! Resource usage of units: memory and tasks now, processor and disks since the run before.

use bailiwick_guest::{
    Failure, Finding, Probe, Report, Severity, Target, Unit, VerbError, clock,
    history::{self, Earlier},
    services::{self, UsageInfo},
    text,
};

struct UnitUsage;

struct Limits {
    cpu: f64,
    memory: f64,
    tasks: f64,
}

impl Probe for UnitUsage {
    fn examine(target: &Target) -> Result<Report, Failure> {
        let params = target.params();
        let limits = Limits {
            cpu: params.number("cpu-warn")?,
            memory: params.number("memory-warn-bytes")?,
            tasks: params.number("tasks-warn")?,
        };
        let units = target.slots("units");
        if units.is_empty() {
            return Err(Failure::new("nothing is bound to slot units"));
        }
        let earlier = history::earlier(target);
        let mut report = Report::default();
        for unit in &units {
            report.push(match services::usage(target, unit) {
                Ok(usage) => judge(&unit.literal, &usage, &earlier, &limits).because(&usage),
                Err(gone) if gone.error() == VerbError::NotFound => {
                    let title = format!("{} does not exist", unit.literal);
                    Finding::unknown("usage", &unit.literal, title).because(&gone)
                }
                Err(failure) => return Err(failure.into()),
            });
        }
        Ok(report)
    }
}

fn judge(unit: &str, usage: &UsageInfo, earlier: &Earlier, limits: &Limits) -> Finding {
    if !usage.active {
        return Finding::unknown("usage", unit, format!("{unit} is not running, so there is no usage to check"));
    }
    if (usage.cpu_ns, usage.memory, usage.tasks) == (None, None, None) {
        return Finding::unknown("usage", unit, format!("the target does not account for {unit}"));
    }
    let mut parts = Vec::new();
    let mut severity = Severity::Ok;
    let mut judge = |value: f64, warn: f64| {
        if warn > 0.0 && value >= warn {
            severity = severity.worse(Severity::Warning);
        }
    };
    let cpu_s = usage.cpu_ns.map(|ns| ns as f64 / 1e9);
    // A counter that has decreased was reset: the unit was restarted.
    let rate = |name: &str, value: Option<f64>| rate(earlier, unit, name, value?);
    let busy = rate("cpu-seconds", cpu_s);
    if let Some(busy) = busy {
        parts.push(format!("{} of a processor", text::percent(busy * 100.0)));
        judge(busy, limits.cpu);
    }
    if let Some(memory) = usage.memory {
        parts.push(text::bytes(memory));
        judge(memory as f64, limits.memory);
    }
    if let Some(tasks) = usage.tasks {
        parts.push(text::count(tasks as usize, "task"));
        judge(tasks as f64, limits.tasks);
    }
    let io = [("read-bytes", usage.io_read), ("written-bytes", usage.io_written)];
    let rates: Vec<_> =
        io.iter().filter_map(|(name, bytes)| Some((*name, rate(name, bytes.map(|b| b as f64))?))).collect();
    for (name, rate) in &rates {
        let what = if *name == "read-bytes" { "read" } else { "written" };
        parts.push(format!("{} {what} a second", text::bytes(*rate as u64)));
    }
    let mut finding = Finding::new(severity, "usage", unit, format!("{unit} uses {}", text::list(&parts, 8)));
    if let Some(seconds) = cpu_s {
        finding = finding.metric("cpu-seconds", seconds, Unit::Seconds);
    }
    if let Some(busy) = busy {
        finding = finding.metric("processors", busy, Unit::Ratio);
    }
    if let Some(memory) = usage.memory {
        finding = finding.metric("memory-bytes", memory, Unit::Bytes);
    }
    if let Some(peak) = usage.memory_peak {
        finding = finding.metric("memory-peak-bytes", peak, Unit::Bytes);
    }
    if let Some(tasks) = usage.tasks {
        finding = finding.metric("tasks", tasks, Unit::Count);
    }
    for (name, bytes) in io {
        if let Some(bytes) = bytes {
            finding = finding.metric(name, bytes, Unit::Bytes);
        }
    }
    finding
}

/// The growth of a counter per second since the run before; none on the first run, and after a restart.
fn rate(earlier: &Earlier, unit: &str, name: &str, value: f64) -> Option<f64> {
    let (then, before) = earlier.series("usage", unit, name).last()?;
    let seconds = clock::now_ms().checked_sub(then)? as f64 / 1e3;
    (value >= before && seconds > 0.0).then(|| (value - before) / seconds)
}

bailiwick_guest::export!(UnitUsage);
