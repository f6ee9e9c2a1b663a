//! A rotation of backup files: the newest must be fresh, and about as large as the others.
//!
//! It checks neither the content nor a restore: a backup of normal size can still be worthless.

use bailiwick_guest::{
    Failure, Finding, Observed, Probe, Report, Severity, Target, Unit, VerbError, clock,
    files::{self, Kind, StatInfo},
    text,
};

/// A modification time further in the future than this means that a clock is wrong.
const CLOCK_SKEW_SECONDS: f64 = 300.0;

struct BackupFreshness;

impl Probe for BackupFreshness {
    fn examine(target: &Target) -> Result<Report, Failure> {
        let params = target.params();
        let max_age = params.number("max-age-hours")? * 3_600.0;
        let min_bytes = params.number("min-bytes")?;
        let drift = (params.number("warn-drift-percent")?, params.number("critical-drift-percent")?);
        let missing_is_ok = params.flag("missing-is-ok")?;
        let slots = target.slots("files");
        if slots.is_empty() {
            return Err(Failure::new("nothing is bound to slot files"));
        }

        let (mut found, mut report, mut missing) = (Vec::new(), Report::default(), Vec::new());
        for entry in &slots {
            let path = entry.literal.as_str();
            match files::stat(target, entry) {
                Ok(stat) if stat.kind == Kind::Regular => found.push((path, stat)),
                Ok(stat) => {
                    let title = format!("{path} is not a regular file: bind the file that is written");
                    report.push(Finding::unknown("file", path, title).because(&stat));
                }
                Err(gone) if gone.error() == VerbError::NotFound => missing.push((path, gone)),
                // A file that cannot be checked could be the newest.
                Err(error) => return Err(error.into()),
            }
        }
        if !missing_is_ok || found.is_empty() {
            for (path, gone) in &missing {
                report.push(Finding::critical("file", path, format!("{path} does not exist")).because(gone));
            }
        }
        found.sort_by_key(|(_, stat)| std::cmp::Reverse(stat.modified));
        if let Some(((path, newest), others)) = found.split_first() {
            report.push(age(path, newest, max_age));
            report.push(size(path, newest, others, min_bytes, drift));
        }
        Ok(report)
    }
}

fn age(path: &str, stat: &Observed<StatInfo>, max_age: f64) -> Finding {
    let age = clock::now_ms() as f64 / 1_000.0 - stat.modified as f64;
    let ago = text::duration(age.max(0.0));
    let (severity, title) = if age < -CLOCK_SKEW_SECONDS {
        let ahead = text::duration(-age);
        (Severity::Unknown, format!("{path} was changed {ahead} in the future: a clock is wrong"))
    } else if age > max_age {
        (Severity::Critical, format!("the newest file, {path}, is {ago} old (limit {})", text::duration(max_age)))
    } else {
        (Severity::Ok, format!("the newest file, {path}, is {ago} old"))
    };
    // The subject is the whole rotation, because the newest file changes every day.
    Finding::new(severity, "age", "", title).metric("age-seconds", age, Unit::Seconds).because(stat)
}

fn size(
    path: &str,
    stat: &Observed<StatInfo>,
    others: &[(&str, Observed<StatInfo>)],
    min_bytes: f64,
    (warn, critical): (f64, f64),
) -> Finding {
    let size = text::bytes(stat.size);
    let middle = middle(others);
    let percent = middle.filter(|middle| *middle > 0.0).map(|middle| (stat.size as f64 - middle) / middle * 100.0);
    let (severity, title) = if (stat.size as f64) < min_bytes {
        let least = text::bytes(min_bytes as u64);
        (Severity::Critical, format!("{path} is only {size} (minimum {least})"))
    } else {
        match percent {
            None => (Severity::Ok, format!("{path} is {size}; there is no other file to compare it with")),
            Some(percent) => {
                // Growth has many harmless causes; a truncated backup has none.
                let severity = if percent < 0.0 {
                    Severity::rising(-percent, warn, critical)
                } else {
                    Severity::rising(percent, warn, f64::INFINITY)
                };
                let direction = if percent < 0.0 { "smaller" } else { "larger" };
                let drift = text::percent(percent.abs());
                (severity, format!("{path} is {size}, {drift} {direction} than the others"))
            }
        }
    };
    let finding = Finding::new(severity, "size", "", title).metric("size-bytes", stat.size, Unit::Bytes);
    let finding =
        percent.into_iter().fold(finding, |finding, percent| finding.metric("drift-percent", percent, Unit::Percent));
    others.iter().fold(finding.because(stat), |finding, (_, stat)| finding.because(stat))
}

/// The median of the others' sizes.
fn middle(others: &[(&str, Observed<StatInfo>)]) -> Option<f64> {
    let mut sizes: Vec<u64> = others.iter().map(|(_, stat)| stat.size).collect();
    sizes.sort_unstable();
    let upper = *sizes.get(sizes.len() / 2)?;
    let lower = *sizes.get((sizes.len() - 1) / 2)?;
    Some((lower as f64 + upper as f64) / 2.0)
}

bailiwick_guest::export!(BackupFreshness);
