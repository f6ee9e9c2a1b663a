//! `[retention]`: how long evidence is kept. Without it, for ever.
//!
//! ```toml
//! [retention]
//! days  = 400
//! bytes = 20_000_000_000
//! ```

use serde::Deserialize;
use toml::Spanned;

use super::Setting;
use super::parse::setting;
use bailiwick_core::source::{Problem, Problems, Source};

/// `[retention]`. At least one of the two is set.
#[derive(Debug, Clone)]
pub struct Retention {
    /// Days after the last entry that names the evidence.
    pub days: Option<Setting<u32>>,
    /// Maximum bytes on the disk.
    pub bytes: Option<Setting<u64>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawRetention {
    days: Option<Spanned<u32>>,
    bytes: Option<Spanned<u64>>,
}

impl Retention {
    /// Both rules as text, with their places.
    #[must_use]
    pub fn shown(&self) -> String {
        let days = self.days.as_ref().map(|days| format!("days = {} ({})", days.value, days.place));
        let bytes = self.bytes.as_ref().map(|bytes| format!("bytes = {} ({})", bytes.value, bytes.place));
        days.into_iter().chain(bytes).collect::<Vec<_>>().join(", ")
    }
}

pub(super) fn retention(
    source: &Source,
    raw: Option<&Spanned<RawRetention>>,
    problems: &mut Problems,
) -> Option<Retention> {
    let at = super::parse::first_line(source, raw?.span());
    let raw = raw?.get_ref();
    let hint = "0 would keep no evidence of the last run; without [retention] all evidence is kept";
    if let Some(days) = raw.days.as_ref().filter(|days| *days.get_ref() == 0) {
        problems.push(Problem::at(source.at(days.span()), "`days` must be at least 1").hint(hint));
    }
    if let Some(bytes) = raw.bytes.as_ref().filter(|bytes| *bytes.get_ref() == 0) {
        problems.push(Problem::at(source.at(bytes.span()), "`bytes` must be at least 1").hint(hint));
    }
    if raw.days.is_none() && raw.bytes.is_none() {
        let problem = Problem::at(source.at(at), "[retention] must set `days` or `bytes`");
        problems.push(problem.hint("add days = 400, or bytes = 20_000_000_000, or both"));
        return None;
    }
    let days = raw.days.as_ref().map(|days| setting(source, days));
    Some(Retention { days, bytes: raw.bytes.as_ref().map(|bytes| setting(source, bytes)) })
}
