//! One check for each bound container.

use bailiwick_guest::{
    Failure, Finding, Report, Target, VerbError,
    containers::{self, StatusInfo},
};

/// Calls `judge` for the status of each container in the slot `containers`. A container that does not exist is critical, with
/// the probe's own code.
///
/// # Errors
/// If nothing is bound, or the status of a container cannot be read.
pub fn each(target: &Target, code: &str, judge: impl Fn(&str, &StatusInfo) -> Vec<Finding>) -> Result<Report, Failure> {
    let bound = target.slots("containers");
    if bound.is_empty() {
        return Err(Failure::new("nothing is bound to slot containers"));
    }
    let mut report = Report::default();
    for container in &bound {
        let name = container.literal.as_str();
        let status = match containers::status(target, container) {
            Err(gone) if gone.error() == VerbError::NotFound => {
                report.push(Finding::critical(code, name, format!("{name} does not exist")).because(&gone));
                continue;
            }
            answer => answer?,
        };
        report.extend(judge(name, &status).into_iter().map(|finding| finding.because(&status)));
    }
    Ok(report)
}
