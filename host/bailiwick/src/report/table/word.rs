//! The first column: the host's verdict in one word.
//!
//! Knows: words, their order and colours. The order is the order of the page.

use bailiwick_core::model::Severity;

use super::Colour;

/// What a line is about, worst first. That something could not be seen stands above a warning: it may hide worse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::report) enum Word {
    /// A critical finding.
    Critical,
    /// A target that was not reached.
    Unreachable,
    /// A target or component that the host would not touch or run.
    Refused,
    /// A component that broke.
    Fault,
    /// A component that could not check, or a target where none ran.
    Unseen,
    /// A warning.
    Warning,
    /// A finding that is none: the probe could not tell.
    Unknown,
    /// A finding that is as it should be.
    Ok,
    /// A component that has nothing to look at there.
    NotApplicable,
    /// A run, and what it took.
    Run,
    /// Everything on a target besides the lines above.
    Rest,
}

impl Word {
    pub(in crate::report) const fn of(severity: Severity) -> Self {
        match severity {
            Severity::Critical => Self::Critical,
            Severity::Warning => Self::Warning,
            Severity::Unknown => Self::Unknown,
            Severity::Ok => Self::Ok,
        }
    }

    pub(in crate::report) const fn text(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::Unreachable => "unreachable",
            Self::Refused => "refused",
            Self::Fault => "fault",
            Self::Unseen => "unseen",
            Self::Warning => "warning",
            Self::Unknown => "unknown",
            Self::Ok => "ok",
            Self::NotApplicable => "n/a",
            Self::Run => "run",
            // Not `ok`: `grep ^ok` lists the healthy targets.
            Self::Rest => "rest ok",
        }
    }

    /// True if nobody has to do anything about it.
    pub(in crate::report) fn calm(self) -> bool {
        self >= Self::Ok
    }

    const fn sgr(self) -> &'static str {
        match self {
            Self::Critical => "1;31",
            Self::Unreachable | Self::Refused | Self::Fault | Self::Unseen => "1;35",
            Self::Warning => "33",
            Self::Unknown => "36",
            Self::Ok | Self::Rest => "32",
            Self::NotApplicable | Self::Run => "2",
        }
    }
}

impl Colour {
    pub(in crate::report) fn paint(self, word: Word) -> String {
        self.with(word.sgr(), word.text())
    }

    pub(in crate::report) fn dim(self, label: &str) -> String {
        self.with("2", label)
    }

    /// Only the host's own words come here: a guest's text has no colour of its own.
    fn with(self, sgr: &str, text: &str) -> String {
        match self {
            Self::Never => text.to_owned(),
            Self::Always => format!("\x1b[{sgr}m{text}\x1b[0m"),
        }
    }
}
