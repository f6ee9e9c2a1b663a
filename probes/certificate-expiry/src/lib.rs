//! Certificates in files: when does each expire?

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
                    report.push(Finding::critical("expiry", path, "the file does not exist").because(&gone));
                    continue;
                }
                // An unreadable file must not hide an expired certificate in another.
                Err(failed) if files.len() > 1 && failed.error() != VerbError::Unreachable => {
                    report.push(Finding::unknown("expiry", path, failed.to_string()).because(&failed));
                    continue;
                }
                answer => answer?,
            };
            if found.is_empty() {
                report.push(Finding::unknown("expiry", path, "the file contains no PEM certificate").because(&found));
            }
            for (index, certificate) in found.iter().enumerate() {
                // The first is the file's own certificate; the following ones lead from it to a root.
                let subject = if index == 0 { path.to_owned() } else { format!("{path}: {}", index + 1) };
                report.extend(rules.judge(&subject, certificate, now).map(|finding| finding.because(&found)));
            }
        }
        Ok(report)
    }
}

bailiwick_guest::export!(CertificateExpiry);
