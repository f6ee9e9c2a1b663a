//! Which database fills the disk: compares the growth line of each database with that of the filesystem.

use std::path::Path;

use bailiwick_guest::{
    Failure, Finding, Probe, Report, Severity, Target, Unit, clock,
    history::{self, Earlier, Line, Series},
    percent_of,
    postgres::{self, Database},
    system::{self, Filesystem},
    text,
};

const DAY_MS: f64 = 86_400_000.0;

struct DatabaseGrowth;

struct Settings {
    full_percent: f64,
    warn_days: f64,
    critical_days: f64,
    least_ms: u64,
    /// The start of the window for growth.
    since_ms: u64,
    now_ms: u64,
}

/// A database and its growth, if known.
struct Grown<'a> {
    database: &'a Database,
    line: Option<Line>,
}

impl Probe for DatabaseGrowth {
    fn examine(target: &Target) -> Result<Report, Failure> {
        let params = target.params();
        let now_ms = clock::now_ms();
        let window_ms = (params.number("window-days")? * DAY_MS) as u64;
        let settings = Settings {
            full_percent: params.number("full-percent")?,
            warn_days: params.number("warn-days")?,
            critical_days: params.number("critical-days")?,
            least_ms: (params.number("least-hours")? * DAY_MS / 24.0) as u64,
            since_ms: now_ms.saturating_sub(window_ms),
            now_ms,
        };
        let place = params.text("disk")?;
        let databases = postgres::databases(target, &target.slot("database")?)?;
        let all = system::filesystems(target)?;
        let earlier = history::earlier(target);

        let mut report = Report::default();
        let mut grown = Vec::new();
        // Templates do not grow, because clients do not connect to them.
        for database in databases.iter().filter(|database| !database.template) {
            let (finding, line) = of_database(database, &earlier, &settings);
            report.push(finding.because(&databases));
            grown.push(Grown { database, line });
        }
        let finding = match holding(&place, &all) {
            Some(disk) => attribution(disk, &grown, &earlier, &settings).because(&databases),
            None => Finding::unknown("attribution", &place, format!("no filesystem holds {place}")),
        };
        report.push(finding.because(&all));
        Ok(report)
    }
}

/// The filesystem that a path is on: the deepest mount point above it; of two at one place, the later one covers the other.
fn holding<'a>(place: &str, all: &'a [Filesystem]) -> Option<&'a Filesystem> {
    let above = all.iter().filter(|it| Path::new(place).starts_with(&it.mount_point));
    above.max_by_key(|it| it.mount_point.len())
}

/// The growth line, if the observed time is long enough, and that time in milliseconds.
fn line_of(past: Series, present: u64, settings: &Settings) -> (Option<Line>, u64) {
    let series = past.since(settings.since_ms).and(settings.now_ms, present as f64);
    let span_ms = series.span_ms();
    (series.line().filter(|_| span_ms >= settings.least_ms), span_ms)
}

fn of_database(database: &Database, earlier: &Earlier, settings: &Settings) -> (Finding, Option<Line>) {
    let name = &database.name;
    let Some(bytes) = database.bytes else {
        let title = format!("this role cannot see the size of {name}: it lacks pg_monitor");
        return (Finding::unknown("growth", name, title), None);
    };
    let (line, span_ms) = line_of(earlier.series("growth", name, "size-bytes"), bytes, settings);
    let size = text::bytes(bytes);
    let Some(line) = line else {
        let seen = text::duration(span_ms as f64 / 1e3);
        let title = format!("{name} is {size}; its growth rate is not known yet (observed for {seen})");
        return (Finding::unknown("growth", name, title).metric("size-bytes", bytes, Unit::Bytes), None);
    };
    let finding = Finding::ok("growth", name, format!("{name} is {size} and {}", pace(&line)));
    let finding = finding
        .metric("size-bytes", bytes, Unit::Bytes)
        .metric("growth-per-day", line.per_day(), Unit::Bytes)
        .metric("fit", line.fit(), Unit::Ratio);
    (finding, Some(line))
}

fn pace(line: &Line) -> String {
    let per_day = line.per_day();
    let bytes = text::bytes(per_day.abs() as u64);
    match per_day {
        up if up >= 1.0 => format!("grows by {bytes} a day"),
        down if down <= -1.0 => format!("shrinks by {bytes} a day"),
        _ => "does not grow".to_owned(),
    }
}

fn attribution(disk: &Filesystem, grown: &[Grown], earlier: &Earlier, settings: &Settings) -> Finding {
    let mount = &disk.mount_point;
    // The space available to programs: blocks reserved for root are in neither part.
    let usable = disk.used.checked_add(disk.available).filter(|_| disk.used.max(disk.available) <= disk.size);
    let Some((usable, percent)) = usable.and_then(|usable| Some((usable, percent_of(disk.used, usable)?))) else {
        return Finding::unknown("attribution", mount, format!("{mount} reports inconsistent sizes"));
    };
    let numbers = |finding: Finding| {
        finding.metric("used-bytes", disk.used, Unit::Bytes).metric("used-percent", percent, Unit::Percent)
    };
    let share = text::percent(percent);
    let (line, span_ms) = line_of(earlier.series("attribution", mount, "used-bytes"), disk.used, settings);
    let full_already = percent >= settings.full_percent;
    let Some(line) = line else {
        let seen = text::duration(span_ms as f64 / 1e3);
        let title = format!("{mount} is {share} full; which database fills it is not known yet (observed for {seen})");
        let severity = if full_already { Severity::Critical } else { Severity::Unknown };
        return numbers(Finding::new(severity, "attribution", mount, title));
    };

    let lines = grown.iter().filter_map(|it| Some((it.database, it.line?)));
    let most = lines.filter(|(_, line)| line.per_day() >= 1.0).max_by(|a, b| a.1.per_day().total_cmp(&b.1.per_day()));
    let part = most.and_then(|(_, most)| (line.per_day() >= 1.0).then(|| most.per_day() / line.per_day() * 100.0));
    let hidden = grown.iter().filter(|it| it.line.is_none()).count();
    let who = match (most, part) {
        (None, _) if hidden > 0 => {
            format!("no database is known to grow ({} with unknown growth)", text::count(hidden, "database"))
        }
        (None, _) => "no database grows".to_owned(),
        (Some((database, most)), None) => format!("database {} {}", database.name, pace(&most)),
        (Some((database, most)), Some(part)) => {
            format!("database {} {}, which is {} of the growth", database.name, pace(&most), text::percent(part))
        }
    };
    let full_at = usable as f64 * settings.full_percent / 100.0;
    let left_ms = line.from(disk.used as f64, full_at, settings.now_ms).map(|when| (when, when - settings.now_ms));
    let left_ms = left_ms.filter(|_| !full_already);
    let severity = match left_ms {
        _ if full_already => Severity::Critical,
        Some((_, left)) => Severity::falling(left as f64 / DAY_MS, settings.warn_days, settings.critical_days),
        None => Severity::Ok,
    };
    let until = left_ms.map(|(when, left)| {
        let full = text::percent(settings.full_percent);
        format!(": {full} on {} (in {})", text::date(when), text::duration(left as f64 / 1e3))
    });
    let already = if full_already { " already" } else { "" };
    let title = format!("{mount} is {share} full{already}, {}{}; {who}", pace(&line), until.unwrap_or_default());
    let finding = numbers(Finding::new(severity, "attribution", mount, title))
        .metric("growth-per-day", line.per_day(), Unit::Bytes)
        .metric("fit", line.fit(), Unit::Ratio);
    let finding = part.into_iter().fold(finding, |it, part| it.metric("share-percent", part, Unit::Percent));
    left_ms.into_iter().fold(finding, |it, (_, left)| it.metric("time-left", left as f64 / 1e3, Unit::Seconds))
}

bailiwick_guest::export!(DatabaseGrowth);
