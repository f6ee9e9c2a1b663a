//! The traits of probes, and how the results for several targets become one report.

use crate::{Failure, Finding, Report, Target};

/// A probe that checks one target at a time. This is the usual kind.
///
/// A run with several targets checks each in turn and concatenates the findings. Each subject then starts with the target's
/// name (`db01: /var`; `db01` alone for an empty subject). A target that could not be checked becomes a finding of severity
/// unknown with the code `could-not-look`. If no target could be checked, the run fails with the failure of the first one.
pub trait Probe {
    /// Checks the target and returns the findings.
    ///
    /// # Errors
    /// If the target could not be checked. That is the result of the whole run. If only one subject cannot be decided, return a
    /// finding of severity unknown for it.
    fn examine(target: &Target) -> Result<Report, Failure>;
}

/// A probe that checks all targets of a run together, for example to compare them. Implement this *instead of* [`Probe`].
/// Subjects should name the target.
pub trait FleetProbe {
    /// Checks the targets and returns the findings. `targets` is in the operator's order and is never empty.
    ///
    /// # Errors
    /// If the targets could not be checked.
    fn examine_all(targets: &[Target]) -> Result<Report, Failure>;
}

impl<P: Probe> FleetProbe for P {
    fn examine_all(targets: &[Target]) -> Result<Report, Failure> {
        if let [target] = targets {
            return P::examine(target);
        }
        let mut merged = Report::default();
        let mut first_failure = None;
        let mut checked = false;
        for target in targets {
            let name = target.name();
            match P::examine(target) {
                Ok(report) => {
                    checked = true;
                    merged.extend(report.findings.into_iter().map(|mut finding| {
                        finding.subject = match finding.subject.as_str() {
                            "" => name.clone(),
                            subject => [name.as_str(), ": ", subject].concat(),
                        };
                        finding
                    }));
                }
                Err(failure) => {
                    let mut finding = Finding::unknown("could-not-look", &name, &failure.reason); // A stable code.
                    finding.evidence.extend(failure.call);
                    merged.push(finding);
                    first_failure.get_or_insert(failure);
                }
            }
        }
        match first_failure {
            Some(failure) if !checked => Err(failure),
            _ => Ok(merged),
        }
    }
}

/// Runs the probe and cuts its result to the contract's limits.
pub(crate) fn examine_all<P: FleetProbe>(targets: &[Target]) -> Result<Report, Failure> {
    if targets.is_empty() {
        return Err(Failure::new("the run has no target"));
    }
    match P::examine_all(targets) {
        Ok(report) => Ok(report.fit()),
        Err(failure) => Err(failure.fit()),
    }
}

/// The component's export.
#[cfg(target_arch = "wasm32")]
pub fn examine<P: FleetProbe>(targets: Vec<crate::bindings::bailiwick::ops::types::Target>) -> Result<Report, Failure> {
    let targets: Vec<Target> = targets.into_iter().map(Target::new).collect();
    examine_all::<P>(&targets)
}
