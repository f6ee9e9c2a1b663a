//! Certificates as servers present them. They differ from the file until the server is reloaded.

use bailiwick_guest::certificates::ServerInfo;
use bailiwick_guest::{
    Failure, Finding, Observed, Probe, Report, Severity, Target, Unit, VerbError, certificates, clock,
};
use shared::certificates::Rules;

/// OpenSSL's verify code for a trusted chain.
const TRUSTED: u32 = 0;

struct CertificateServer;

impl Probe for CertificateServer {
    fn examine(target: &Target) -> Result<Report, Failure> {
        let rules = Rules::new(target.params())?;
        let trusted = target.params().flag("trusted")?;
        let servers = target.slots("servers");
        if servers.is_empty() {
            return Err(Failure::new("nothing is bound to slot servers"));
        }
        let now = clock::now_ms();
        let mut report = Report::default();
        for server in &servers {
            let subject = server.literal.as_str();
            let presented = match certificates::server(target, server) {
                Ok(presented) => presented,
                Err(failed) => {
                    let title = match failed.error() {
                        VerbError::NotFound => "nothing listens on this address",
                        VerbError::TimedOut => "no handshake within 10 s",
                        VerbError::Garbled => "the server shows no readable certificate: does it speak TLS?",
                        _ => return Err(failed.into()),
                    };
                    report.push(Finding::critical("expiry", subject, title).because(&failed));
                    continue;
                }
            };
            for (index, certificate) in presented.chain.iter().enumerate() {
                let subject = if index == 0 { subject.to_owned() } else { format!("{subject}: {}", index + 1) };
                report.extend(rules.judge(&subject, certificate, now).map(|finding| finding.because(&presented)));
            }
            report.push(trust(subject, &presented, trusted));
        }
        Ok(report)
    }
}

fn trust(subject: &str, presented: &Observed<ServerInfo>, must: bool) -> Finding {
    let severity = if must && presented.verify_code != TRUSTED { Severity::Critical } else { Severity::Ok };
    let title = match presented.verify_code {
        TRUSTED => format!("the target trusts the certificate ({})", presented.protocol),
        code => format!("the target does not trust the certificate: {} ({code})", presented.verify_text),
    };
    Finding::new(severity, "trust", subject, title)
        .metric("verify-code", presented.verify_code, Unit::Count)
        .metric("chain", presented.chain.len(), Unit::Count)
        .because(presented)
}

bailiwick_guest::export!(CertificateServer);
