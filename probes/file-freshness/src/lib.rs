//! One file: was it changed recently, and is it large enough? For backups, exports and stamp files.

use bailiwick_guest::{
    Failure, Finding, Probe, Report, Severity, Target, Unit, VerbError, clock,
    files::{self, Kind},
    text,
};

/// A modification time further in the future than this means that a clock is wrong.
const CLOCK_SKEW_SECONDS: f64 = 300.0;

struct FileFreshness;

impl Probe for FileFreshness {
    fn examine(target: &Target) -> Result<Report, Failure> {
        let params = target.params();
        let max_age = params.number("max-age-hours")? * 3_600.0;
        let min_bytes = params.number("min-bytes")?;
        let file = target.slot("file")?;
        let path = file.literal.as_str();

        let stat = match files::stat(target, &file) {
            Err(gone) if gone.error() == VerbError::NotFound => {
                return Ok(Finding::critical("age", path, format!("{path} does not exist")).because(&gone).into());
            }
            answer => answer?,
        };
        let other = match stat.kind {
            Kind::Regular => None,
            Kind::Directory => Some("a directory"),
            Kind::Symlink => Some("a symbolic link: bind the file that it points to"),
            Kind::Other => Some("neither a file nor a directory"),
        };
        if let Some(other) = other {
            return Ok(Finding::unknown("age", path, format!("{path} is {other}")).because(&stat).into());
        }

        let age = clock::now_ms() as f64 / 1_000.0 - stat.modified as f64;
        let (severity, title) = if age < -CLOCK_SKEW_SECONDS {
            let ahead = text::duration(-age);
            (Severity::Unknown, format!("{path} was changed {ahead} in the future: a clock is wrong"))
        } else {
            let ago = text::duration(age.max(0.0));
            if age > max_age {
                (Severity::Critical, format!("{path} was last changed {ago} ago (limit {})", text::duration(max_age)))
            } else {
                (Severity::Ok, format!("{path} was last changed {ago} ago"))
            }
        };
        let age = Finding::new(severity, "age", path, title).metric("age-seconds", age, Unit::Seconds);

        let (severity, title) = if (stat.size as f64) < min_bytes {
            let least = text::bytes(min_bytes as u64);
            (Severity::Critical, format!("{path} is only {} (minimum {least})", text::bytes(stat.size)))
        } else {
            (Severity::Ok, format!("{path} is {}", text::bytes(stat.size)))
        };
        let size = Finding::new(severity, "size", path, title).metric("size-bytes", stat.size, Unit::Bytes);

        Ok([age, size].map(|finding| finding.because(&stat)).into_iter().collect())
    }
}

bailiwick_guest::export!(FileFreshness);
