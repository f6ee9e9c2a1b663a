//! The first column: the host's verdict in one word.
//!
//! Knows: words, their order and colours. The order is the order of the page.

use bailiwick_core::model::Severity;

use super::Colour;

/// The kind of a line, worst first. A check that was not possible is above a warning, because it may hide something worse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::report) enum Word {
    /// A critical finding.
    Critical,
    /// A target that was not reached.
    Unreachable,
    /// A target or component that the host refused to check or run.
    Refused,
    /// A component that broke.
    Fault,
    /// A component that could not check, or a target where none ran.
    Unseen,
    /// A warning.
    Warning,
    /// A finding that the probe could not decide.
    Unknown,
    /// A finding that is as it should be.
    Ok,
    /// A component that does not apply to the target.
    NotApplicable,
    /// A run, with its cost.
    Run,
    /// Everything on a target besides the lines above.
    Rest,
}

impl Word {
    pub(in crate::report) const fn new(severity: Severity) -> Self {
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
            Self::Unseen => "unchecked",
            Self::Warning => "warning",
            Self::Unknown => "unknown",
            Self::Ok => "ok",
            Self::NotApplicable => "n/a",
            Self::Run => "run",
            // Not `ok`: `grep ^ok` lists the healthy targets.
            Self::Rest => "other ok",
        }
    }

    /// True if no person has to act.
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

    /// Colours a text of the host. Text of a guest is never coloured.
    fn with(self, sgr: &str, text: &str) -> String {
        match self {
            Self::Never => text.to_owned(),
            Self::Always => format!("\x1b[{sgr}m{text}\x1b[0m"),
        }
    }
}
