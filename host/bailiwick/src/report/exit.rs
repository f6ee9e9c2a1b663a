//! What the program's exit code says. `--help` repeats those that there are commands for; a test holds it against this list.
//!
//! Knows: what a sweep's result amounts to. Must not know: how anything is printed.

use bailiwick_core::model::Severity;
use bailiwick_core::outcome::Sweep;

use super::tally::Tally;

/// Every exit code there is. Where several apply, the highest wins: what keeps one from seeing is worse news than what was
/// seen. A broken pipe is 0: the reader had enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum ExitCode {
    /// Everything was looked at and nothing reaches the threshold.
    Fine = 0,
    /// There are findings at or over the threshold.
    Findings = 1,
    /// The command line or a file is wrong; nothing was done.
    Usage = 2,
    /// A target or a component was refused.
    Refused = 3,
    /// A target could not be looked at, or a probe could not look or broke.
    NotLooked = 4,
    /// A change did not verify and was rolled back.
    RolledBack = 5,
    /// A rollback failed. A person has to look now.
    Stuck = 6,
    /// A replay, or a case, gave another report than the one that was recorded.
    ReplayDiffers = 7,
    /// A component waits for a person: nobody has accepted it, or what is new of it.
    Waiting = 8,
    /// A mistake of this program's own.
    Bug = 70,
}

impl ExitCode {
    /// Every code, ascending.
    pub const ALL: &'static [Self] = &[
        Self::Fine,
        Self::Findings,
        Self::Usage,
        Self::Refused,
        Self::NotLooked,
        Self::RolledBack,
        Self::Stuck,
        Self::ReplayDiffers,
        Self::Waiting,
        Self::Bug,
    ];

    /// The number.
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// What it says, for `--help`.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Fine => "fine",
            Self::Findings => "findings at or over the threshold",
            Self::Usage => "usage, or an invalid file",
            Self::Refused => "a target or component was refused",
            Self::NotLooked => "a target could not be looked at, or a probe broke",
            Self::RolledBack => "verify failed, rolled back",
            Self::Stuck => "stuck: rollback failed, a person is needed",
            Self::ReplayDiffers => "a case or a replay does not come out as recorded",
            Self::Waiting => "a component waits for a person: accept or approve it",
            Self::Bug => "a bug in bailiwick",
        }
    }

    /// The code for a sweep: the highest that applies. Without a threshold findings do not count.
    ///
    /// A probe that does not apply to a target (`unsupported`) is no failure. A target on which nothing ran is one: it was
    /// asked for, and nobody looked.
    #[must_use]
    pub fn for_sweep(sweep: &Sweep, threshold: Option<Severity>) -> Self {
        let tally = Tally::of(sweep);
        if tally.targets_unseen + tally.runs_unseen + tally.runs_broken > 0 {
            Self::NotLooked
        } else if tally.targets_refused + tally.runs_refused > 0 {
            Self::Refused
        } else if threshold.is_some_and(|least| tally.findings_from(least) > 0) {
            Self::Findings
        } else {
            Self::Fine
        }
    }
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        Self::from(code.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples;
    use crate::report::samples::{could_not_look, fault, finding, looked, refused_run, report, sweep};
    use bailiwick_core::model::LookError;

    #[test]
    fn every_code_is_listed_once_in_order() {
        assert!(ExitCode::ALL.is_sorted_by(|a, b| a.code() < b.code()));
        let lines: Vec<String> = ExitCode::ALL.iter().map(|c| format!("{:>2} {}", c.code(), c.meaning())).collect();
        insta::assert_snapshot!(lines.join("\n"), @r"
 0 fine
 1 findings at or over the threshold
 2 usage, or an invalid file
 3 a target or component was refused
 4 a target could not be looked at, or a probe broke
 5 verify failed, rolled back
 6 stuck: rollback failed, a person is needed
 7 a case or a replay does not come out as recorded
 8 a component waits for a person: accept or approve it
70 a bug in bailiwick
");
    }

    #[test]
    fn highest_that_applies_wins() {
        use Severity::{Critical, Ok, Unknown, Warning};
        let ok = report("a", vec![finding(Ok, "", "fine")]);
        let warns = report("b", vec![finding(Warning, "", "hm")]);
        let unsure = report("c", vec![finding(Unknown, "", "who knows")]);
        let na = could_not_look("d", "no systemd", Some(LookError::Unsupported));
        let unseen = could_not_look("e", "no permission", Some(LookError::NotPermitted));
        let unsaid = could_not_look("e", "no idea", None);
        let cases = [
            (looked("t", vec![ok.clone()]), Some(Warning), 0),
            (looked("t", vec![ok.clone(), warns.clone()]), Some(Warning), 1),
            (looked("t", vec![warns.clone()]), Some(Critical), 0),
            (looked("t", vec![warns.clone()]), None, 0),
            (looked("t", vec![unsure.clone()]), Some(Warning), 0),
            (looked("t", vec![unsure]), Some(Unknown), 1),
            (looked("t", vec![ok.clone(), na.clone()]), Some(Warning), 0),
            (looked("t", vec![na]), Some(Warning), 0),
            (looked("t", vec![warns.clone(), unseen]), Some(Warning), 4),
            (looked("t", vec![unsaid]), Some(Warning), 4),
            (looked("t", vec![warns.clone(), fault("f", "trap")]), Some(Warning), 4),
            (looked("t", vec![warns.clone(), refused_run("g", "digest")]), Some(Warning), 3),
            (looked("t", vec![fault("f", "trap"), refused_run("g", "digest")]), None, 4),
            (looked("t", vec![]), Some(Warning), 4),
            (samples::unreachable("t", "refused", None), None, 4),
            (samples::refused("t", "never-host"), Some(Warning), 3),
        ];
        for (target, threshold, code) in cases {
            let shown = format!("{threshold:?} {target:?}");
            assert_eq!(ExitCode::for_sweep(&sweep(vec![target]), threshold).code(), code, "{shown}");
        }
        let both = sweep(vec![samples::refused("a", "never-host"), samples::unreachable("b", "refused", None)]);
        assert_eq!(ExitCode::for_sweep(&both, Some(Warning)), ExitCode::NotLooked);
        assert_eq!(ExitCode::for_sweep(&sweep(vec![]), Some(Warning)), ExitCode::Fine);
    }
}
