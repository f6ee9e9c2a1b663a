//! What a probe is, and how its answer for several targets becomes one.

use crate::{Failure, Finding, Report, Target};

/// A probe that looks at one target at a time: the usual kind.
///
/// A run with several targets examines each in turn. Findings are concatenated, and so that they can be told apart
/// the target's name is put before each subject (`db01: /var`; `db01` alone for an empty subject). A target that could
/// not be looked at becomes a finding of severity unknown, code `could-not-look`; if that goes for all of them, the
/// run fails with the first one's failure.
pub trait Probe {
    /// Looks at the target and says what it found.
    ///
    /// # Errors
    /// When it could not look. That is the answer for this run, not for a part of it: a subject that cannot be judged
    /// is a finding of severity unknown.
    fn examine(target: &Target) -> Result<Report, Failure>;
}

/// A probe that looks at all targets of a run together, to compare them, say. Implement this *instead of* [`Probe`].
/// Subjects should name the target.
pub trait FleetProbe {
    /// Looks at the targets and says what it found. Targets come in the operator's order; never none.
    ///
    /// # Errors
    /// When it could not look.
    fn examine_all(targets: &[Target]) -> Result<Report, Failure>;
}

impl<P: Probe> FleetProbe for P {
    fn examine_all(targets: &[Target]) -> Result<Report, Failure> {
        if let [target] = targets {
            return P::examine(target);
        }
        let mut merged = Report::default();
        let mut first_failure = None;
        let mut looked = false;
        for target in targets {
            let name = target.name();
            match P::examine(target) {
                Ok(report) => {
                    looked = true;
                    merged.extend(report.findings.into_iter().map(|mut finding| {
                        finding.subject = match finding.subject.as_str() {
                            "" => name.clone(),
                            subject => [name.as_str(), ": ", subject].concat(),
                        };
                        finding
                    }));
                }
                Err(failure) => {
                    let mut finding = Finding::unknown("could-not-look", &name, &failure.reason);
                    finding.evidence.extend(failure.call);
                    merged.push(finding);
                    first_failure.get_or_insert(failure);
                }
            }
        }
        match first_failure {
            Some(failure) if !looked => Err(failure),
            _ => Ok(merged),
        }
    }
}

/// Runs the probe and makes its answer fit the contract's limits.
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
