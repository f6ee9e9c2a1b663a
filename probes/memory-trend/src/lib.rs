//! Whether available memory shrinks steadily: a line through the earlier values.

use bailiwick_guest::{
    Failure, Finding, Probe, Report, Severity, Target, Unit, clock, history, percent_of, system, text,
};

const DAY_MS: f64 = 86_400_000.0;

struct MemoryTrend;

impl Probe for MemoryTrend {
    fn examine(target: &Target) -> Result<Report, Failure> {
        let params = target.params();
        let least_percent = params.number("least-percent")?;
        let (warn, critical) = (params.number("warn-days")?, params.number("critical-days")?);
        let window_ms = (params.number("window-days")? * DAY_MS) as u64;
        let least_ms = (params.number("least-hours")? * DAY_MS / 24.0) as u64;
        let least_fit = params.number("least-fit")?;

        let memory = system::memory(target)?;
        let Some(percent) = percent_of(memory.available, memory.total) else {
            return Ok(Finding::unknown("available", "", "the target reports no memory").because(&memory).into());
        };
        let now = clock::now_ms();
        let past = history::earlier(target).series("available", "", "available-bytes");
        let series = past.since(now.saturating_sub(window_ms)).and(now, memory.available as f64);
        let share = format!("{} of memory is available", text::percent(percent));
        let numbers = |finding: Finding| {
            finding
                .metric("available-bytes", memory.available, Unit::Bytes)
                .metric("available-percent", percent, Unit::Percent)
                .because(&memory)
        };
        if percent <= least_percent {
            return Ok(numbers(Finding::critical("available", "", share)).into());
        }
        let Some(line) = series.line().filter(|_| series.span_ms() >= least_ms) else {
            let seen = text::duration(series.span_ms() as f64 / 1e3);
            let title = format!("{share}; the trend is not known yet (observed for {seen})");
            return Ok(numbers(Finding::unknown("available", "", title)).into());
        };
        let used_up = memory.total as f64 * least_percent / 100.0;
        let ends = line.from(memory.available as f64, used_up, now).filter(|_| line.fit() >= least_fit);
        let pace = text::bytes(line.per_day().abs() as u64);
        let finding = match ends {
            Some(when) => {
                let left = (when - now) as f64;
                let severity = Severity::falling(left / DAY_MS, warn, critical);
                let date = text::date(when);
                let title =
                    format!("{share}, {pace} less each day: used up on {date} (in {})", text::duration(left / 1e3));
                numbers(Finding::new(severity, "available", "", title)).metric("time-left", left / 1e3, Unit::Seconds)
            }
            None => numbers(Finding::ok("available", "", format!("{share}, with no downward trend"))),
        };
        let finding = finding.metric("change-per-day", line.per_day(), Unit::Bytes);
        Ok(finding.metric("fit", line.fit(), Unit::Ratio).into())
    }
}

bailiwick_guest::export!(MemoryTrend);
