//! Certificates in files: when does each end?

use bailiwick_guest::{Failure, Finding, Probe, Report, Target, VerbError, certificates, clock};
use shared::certificates::Rules;

struct CertificateExpiry;

impl Probe for CertificateExpiry {
    fn examine(target: &Target) -> Result<Report, Failure> {
        let rules = Rules::new(target.params())?;
        let files = target.slots("files");
        if files.is_empty() {
            return Err(Failure::new("nothing is bound to slot files"));
        }
        let now = clock::now_ms();
        let mut report = Report::default();
        for file in &files {
            let path = file.literal.as_str();
            let found = match certificates::file(target, file) {
                Err(gone) if gone.error() == VerbError::NotFound => {
                    report.push(Finding::critical("expiry", path, "there is no such file").because(&gone));
                    continue;
                }
                // One file that cannot be read must not hide the end of another.
                Err(failed) if files.len() > 1 && failed.error() != VerbError::Unreachable => {
                    report.push(Finding::unknown("expiry", path, failed.to_string()).because(&failed));
                    continue;
                }
                answer => answer?,
            };
            if found.is_empty() {
                report.push(Finding::unknown("expiry", path, "no PEM certificate stands in it").because(&found));
            }
            for (index, certificate) in found.iter().enumerate() {
                // The first is the file's own; those behind it lead from it to a root.
                let subject = if index == 0 { path.to_owned() } else { format!("{path}: {}", index + 1) };
                report.extend(rules.judge(&subject, certificate, now).map(|finding| finding.because(&found)));
            }
        }
        Ok(report)
    }
}

bailiwick_guest::export!(CertificateExpiry);
