//! Room for more copies of a file on its filesystem: will the next backups fit?

use bailiwick_guest::{
    Failure, Finding, Probe, Report, Severity, Target, Unit, VerbError,
    files::{self, Kind},
    system,
};

struct Room;

impl Probe for Room {
    fn examine(target: &Target) -> Result<Report, Failure> {
        let warn = target.params().number("warn-copies")?;
        let critical = target.params().number("critical-copies")?;
        let file = target.slot("file")?;
        let path = file.literal.as_str();

        let stat = match files::stat(target, &file) {
            Err(gone) if gone.error() == VerbError::NotFound => {
                return Ok(Finding::critical("file", path, format!("{path} does not exist")).because(&gone).into());
            }
            answer => answer?,
        };
        if stat.kind != Kind::Regular {
            return Ok(Finding::unknown("file", path, format!("{path} is not a regular file")).because(&stat).into());
        }
        if stat.size == 0 {
            return Ok(Finding::warning("file", path, format!("{path} is empty")).because(&stat).into());
        }

        let mounted = match system::filesystems(target) {
            Err(cannot) if cannot.error() == VerbError::Unsupported => {
                let title = "the target cannot list its filesystems";
                return Ok(Finding::unknown("room", path, title).because(&cannot).into());
            }
            answer => answer?,
        };
        // The deepest mount point above the file; of two at one place, the upper one.
        let holding = mounted.iter().filter(|it| is_below(&it.mount_point, path));
        let Some(home) = holding.max_by_key(|it| it.mount_point.len()) else {
            let title = format!("no mounted filesystem holds {path}");
            return Ok(Finding::unknown("room", path, title).because(&mounted).into());
        };

        let copies = home.available / stat.size;
        let title = format!("{} has room for {copies} more copies of {path}", home.mount_point);
        Ok(Finding::new(severity(copies as f64, warn, critical), "room", path, title)
            .metric("copies", copies, Unit::Count)
            .metric("available-bytes", home.available, Unit::Bytes)
            .metric("file-bytes", stat.size, Unit::Bytes)
            .because(&stat)
            .because(&mounted)
            .into())
    }
}

fn severity(copies: f64, warn: f64, critical: f64) -> Severity {
    if copies < critical {
        Severity::Critical
    } else if copies < warn {
        Severity::Warning
    } else {
        Severity::Ok
    }
}

/// True if a path lies on or below a mount point.
fn is_below(mount: &str, path: &str) -> bool {
    mount == "/" || path.strip_prefix(mount).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

bailiwick_guest::export!(Room);

#[cfg(test)]
mod tests {
    use super::is_below;

    #[test]
    fn a_longer_name_is_another_directory() {
        assert!(is_below("/srv", "/srv/a") && is_below("/", "/srv/a") && is_below("/srv/a", "/srv/a"));
        assert!(!is_below("/srv", "/srv2/a"));
    }
}
