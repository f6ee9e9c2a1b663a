//! When certificates expire, and whether their keys are long enough.

use bailiwick_guest::certificates::{Certificate, KeyKind};
use bailiwick_guest::{Failure, Finding, Params, Severity, Unit, text};

const DAY: f64 = 86_400.0;

/// The operator's thresholds.
pub struct Rules {
    warn_days: f64,
    critical_days: f64,
    min_rsa_bits: f64,
}

impl Rules {
    /// Reads `warn-days`, `critical-days` and `min-rsa-bits`.
    ///
    /// # Errors
    /// If the manifest does not declare one of them.
    pub fn new(params: Params<'_>) -> Result<Self, Failure> {
        Ok(Self {
            warn_days: params.number("warn-days")?,
            critical_days: params.number("critical-days")?,
            min_rsa_bits: params.number("min-rsa-bits")?,
        })
    }

    /// Two findings about one certificate: `expiry` and `key`.
    pub fn judge(&self, subject: &str, certificate: &Certificate, now_ms: u64) -> [Finding; 2] {
        let now = now_ms as f64 / 1_000.0;
        let (left, since) = (certificate.not_after as f64 - now, now - certificate.not_before as f64);
        let name = text::shorten(certificate.title(), 80);
        let (severity, title) = if since < 0.0 {
            let title = format!("the certificate of {name} is not valid for another {}", text::duration(-since));
            (Severity::Critical, title)
        } else if left < 0.0 {
            (Severity::Critical, format!("the certificate of {name} expired {} ago", text::duration(-left)))
        } else {
            let severity = Severity::falling(left / DAY, self.warn_days, self.critical_days);
            (severity, format!("the certificate of {name} expires in {}", text::duration(left)))
        };
        let expiry = Finding::new(severity, "expiry", subject, title).metric("left-seconds", left, Unit::Seconds);

        let bits = certificate.key_bits.map(f64::from);
        let weak = certificate.key == KeyKind::Rsa && bits.is_some_and(|bits| bits < self.min_rsa_bits);
        let kind = match certificate.key {
            KeyKind::Rsa => "RSA",
            KeyKind::Ec => "EC",
            KeyKind::Ed25519 => "Ed25519",
            KeyKind::Other => "of an unknown type",
        };
        let bits_text = certificate.key_bits.map_or_else(String::new, |bits| format!(", {bits} bits"));
        let severity = match certificate.key {
            KeyKind::Other => Severity::Unknown,
            _ if weak => Severity::Warning,
            _ => Severity::Ok,
        };
        let mut key = Finding::new(severity, "key", subject, format!("the key of {name} is {kind}{bits_text}"));
        if let Some(bits) = bits {
            key = key.metric("key-bits", bits, Unit::Count);
        }
        [expiry, key]
    }
}
