//! When each local filesystem will be full at its present growth rate: a line through earlier values of this probe.

use bailiwick_guest::{
    Failure, Finding, Probe, Report, Severity, Target, Unit, clock,
    history::{self, Earlier},
    percent_of,
    system::{self, Filesystem},
    text,
};
use shared::filesystems::{is_judged, none_judged};

const DAY_MS: f64 = 86_400_000.0;

struct DiskGrowth;

struct Settings {
    full_percent: f64,
    warn_days: f64,
    critical_days: f64,
    window_ms: u64,
    least_ms: u64,
}

impl Probe for DiskGrowth {
    fn examine(target: &Target) -> Result<Report, Failure> {
        let params = target.params();
        let settings = Settings {
            full_percent: params.number("full-percent")?,
            warn_days: params.number("warn-days")?,
            critical_days: params.number("critical-days")?,
            window_ms: (params.number("window-days")? * DAY_MS) as u64,
            least_ms: (params.number("least-hours")? * DAY_MS / 24.0) as u64,
        };
        let ignored = params.texts("ignore")?;
        let all = system::filesystems(target)?;
        let earlier = history::earlier(target);
        let judged = all.iter().filter(|it| is_judged(it, &all) && !ignored.contains(&it.mount_point));
        let mut report: Report = judged.map(|it| judge(it, &earlier, &settings).because(&all)).collect();
        if report.findings.is_empty() {
            report.push(none_judged(&all, "growth"));
        }
        Ok(report)
    }
}

fn judge(it: &Filesystem, earlier: &Earlier, settings: &Settings) -> Finding {
    let mount = &it.mount_point;
    // The space available to programs: blocks reserved for root are in neither part.
    let usable = it.used.checked_add(it.available).filter(|_| it.used <= it.size && it.available <= it.size);
    let Some((usable, percent)) = usable.and_then(|usable| Some((usable, percent_of(it.used, usable)?))) else {
        return Finding::unknown("growth", mount, format!("{mount} reports inconsistent sizes"));
    };
    let numbers = |finding: Finding| {
        finding.metric("used-bytes", it.used, Unit::Bytes).metric("used-percent", percent, Unit::Percent)
    };
    let now = clock::now_ms();
    let past = earlier.series("growth", mount, "used-bytes").since(now.saturating_sub(settings.window_ms));
    let series = past.and(now, it.used as f64);
    let share = text::percent(percent);
    if percent >= settings.full_percent {
        return numbers(Finding::critical("growth", mount, format!("{mount} is {share} full already")));
    }
    let line = series.line().filter(|_| series.span_ms() >= settings.least_ms);
    let Some(line) = line else {
        let seen = text::duration(series.span_ms() as f64 / 1e3);
        let title = format!("{mount} is {share} full; its growth rate is not known yet (observed for {seen})");
        return numbers(Finding::unknown("growth", mount, title));
    };
    let per_day = line.per_day();
    let pace = text::bytes(per_day.abs() as u64);
    let full_at = usable as f64 * settings.full_percent / 100.0;
    let (severity, title, left) = match line.from(it.used as f64, full_at, now) {
        Some(when) => {
            let left = (when - now) as f64;
            let days = left / DAY_MS;
            let severity = Severity::falling(days, settings.warn_days, settings.critical_days);
            let full = text::percent(settings.full_percent);
            let in_so_long = text::duration(left / 1e3);
            let title = format!(
                "{mount} is {share} full, grows by {pace} a day: {full} on {} (in {in_so_long})",
                text::date(when)
            );
            (severity, title, Some(left / 1e3))
        }
        None if per_day < 0.0 => (Severity::Ok, format!("{mount} is {share} full, shrinks by {pace} a day"), None),
        None => (Severity::Ok, format!("{mount} is {share} full and does not grow"), None),
    };
    let finding = numbers(Finding::new(severity, "growth", mount, title));
    let finding = finding.metric("growth-per-day", per_day, Unit::Bytes).metric("fit", line.fit(), Unit::Ratio);
    match left {
        Some(seconds) => finding.metric("time-left", seconds, Unit::Seconds),
        None => finding,
    }
}

bailiwick_guest::export!(DiskGrowth);
