//! Space and inodes on every local filesystem.

use bailiwick_guest::{
    Failure, Finding, Probe, Report, Severity, Target, Unit, percent_of,
    system::{self, Filesystem},
    text,
};
use shared::filesystems::{is_judged, none_judged};

struct Filesystems;

impl Probe for Filesystems {
    fn examine(target: &Target) -> Result<Report, Failure> {
        let params = target.params();
        let space = (params.number("warn-percent")?, params.number("critical-percent")?);
        let inodes = (params.number("inodes-warn-percent")?, params.number("inodes-critical-percent")?);
        let ignored = params.texts("ignore")?;

        let all = system::filesystems(target)?;
        let mut report = Report::default();
        for filesystem in all.iter().filter(|it| is_judged(it, &all) && !ignored.contains(&it.mount_point)) {
            report.push(judge_space(filesystem, space).because(&all));
            report.extend(judge_inodes(filesystem, inodes).map(|finding| finding.because(&all)));
        }
        if report.findings.is_empty() {
            report.push(none_judged(&all, "space"));
        }
        Ok(report)
    }
}

/// The share is of the space available to programs, as `df` shows it: blocks reserved for root are in neither part.
fn judge_space(it: &Filesystem, (warn, critical): (f64, f64)) -> Finding {
    let mount = &it.mount_point;
    let usable = it.used.checked_add(it.available);
    let Some(usable) = usable.filter(|_| it.used <= it.size && it.available <= it.size) else {
        let title = format!("{mount} reports more used or free space than its size");
        return Finding::unknown("space", mount, title);
    };
    let Some(percent) = percent_of(it.used, usable) else {
        let title = format!("{mount} reports neither used nor free space");
        return Finding::unknown("space", mount, title);
    };
    let title = format!("{mount} is {} full ({} left)", text::percent(percent), text::bytes(it.available));
    Finding::new(Severity::rising(percent, warn, critical), "space", mount, title)
        .metric("used-percent", percent, Unit::Percent)
        .metric("available-bytes", it.available, Unit::Bytes)
        .metric("size-bytes", it.size, Unit::Bytes)
}

/// None for a filesystem without a fixed number of inodes.
fn judge_inodes(it: &Filesystem, (warn, critical): (f64, f64)) -> Option<Finding> {
    let inodes = it.inodes?;
    let percent = percent_of(inodes.used, inodes.total)?;
    if percent > 100.0 {
        let title = format!("{} reports more used inodes than it has", it.mount_point);
        return Some(Finding::unknown("inodes", &it.mount_point, title));
    }
    let title =
        format!("{} of the inodes of {} are used ({} left)", text::percent(percent), it.mount_point, inodes.free);
    let finding = Finding::new(Severity::rising(percent, warn, critical), "inodes", &it.mount_point, title)
        .metric("used-percent", percent, Unit::Percent)
        .metric("free", inodes.free, Unit::Count);
    Some(finding)
}

bailiwick_guest::export!(Filesystems);
