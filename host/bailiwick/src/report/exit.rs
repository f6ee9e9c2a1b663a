//! The program's exit codes. `--help` and `bailiwick help exit-codes` are made from this list.
//!
//! Knows: the result of a sweep. Must not know: how anything is printed.

use bailiwick_core::model::Severity;
use bailiwick_core::outcome::Sweep;
use bailiwick_core::wrap;

use super::tally::Tally;

/// All exit codes. If several apply, the highest wins: what prevents a check is worse than what a check found. A broken pipe is
/// 0, because the reader did not want more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum ExitCode {
    /// Everything was checked, and nothing reaches the threshold.
    Fine = 0,
    /// There are findings at or over the threshold.
    Findings = 1,
    /// The command line or a file is wrong, or `doctor` or `journal verify` found a problem.
    Usage = 2,
    /// A target or a component was refused.
    Refused = 3,
    /// A target could not be checked, or a probe could not check or failed.
    NotChecked = 4,
    /// A change did not verify and was rolled back.
    RolledBack = 5,
    /// A rollback failed. A person has to act now.
    Stuck = 6,
    /// A replay, or a case, gave a report that differs from the recorded one.
    ReplayDiffers = 7,
    /// A component waits for a person, who has to accept it or what is new in it.
    Waiting = 8,
    /// A bug in this program.
    Bug = 70,
}

impl ExitCode {
    /// Every code, ascending.
    pub const ALL: &'static [Self] = &[
        Self::Fine,
        Self::Findings,
        Self::Usage,
        Self::Refused,
        Self::NotChecked,
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

    /// What it means, for `--help`.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Fine => "everything is ok",
            Self::Findings => "findings at or above the threshold",
            Self::Usage => "wrong usage, an invalid file, or a problem found",
            Self::Refused => "a target or component was refused",
            Self::NotChecked => "a target could not be checked, or a probe failed",
            Self::RolledBack => "a change did not verify and was rolled back",
            Self::Stuck => "rollback failed, or change unfinished: act by hand",
            Self::ReplayDiffers => "a case or replay gives another result than recorded",
            Self::Waiting => "a component waits to be accepted or approved",
            Self::Bug => "a bug in bailiwick",
        }
    }

    /// What to do next.
    const fn next(self) -> &'static str {
        match self {
            Self::Fine => "Nothing.",
            Self::Findings => "Read the findings. `check --fail-on critical` raises the threshold.",
            Self::Usage => {
                "Read the hint below the error, or the problems in the output: `doctor` and `journal verify` also return 2 for a \
                 problem. `bailiwick help COMMAND` prints the options."
            }
            Self::Refused => {
                "Read the rule that is printed after the refusal. `bailiwick review` prints what is granted."
            }
            Self::NotChecked => {
                "Read the cause that is printed after the target or probe. `bailiwick check --target NAME --verbose` shows more."
            }
            Self::RolledBack => "Nothing is changed on the target. `bailiwick changes` shows the reason.",
            Self::Stuck => {
                "Repair the target by hand. `bailiwick changes` shows which one; `bailiwick recover` shows the actual state."
            }
            Self::ReplayDiffers => {
                "Read the difference. A component that differs for the same answers is not deterministic, or was rebuilt."
            }
            Self::Waiting => {
                "Run the command again at a terminal, or with the `--accept DIGEST` that it prints. If no grant names the \
                 component, first add the printed [[grant]] to policy.toml."
            }
            Self::Bug => "Report it, with the output of the command.",
        }
    }

    /// Commands that can end with it.
    const fn example(self) -> &'static str {
        match self {
            Self::Fine | Self::Usage | Self::Bug => "every command",
            Self::Findings => {
                "`bailiwick check`, `bailiwick rounds`, `bailiwick doctor`, `bailiwick gate verify TARGET`"
            }
            Self::Refused => {
                "`bailiwick check`, `bailiwick apply PLAN`, `bailiwick rollback CHANGE`, `bailiwick add FILE`, \
                 `bailiwick lock verify`, `bailiwick pack FILE`, `bailiwick test DIR`"
            }
            Self::NotChecked => {
                "`bailiwick check`, `bailiwick rounds`, `bailiwick replay --last`, `bailiwick plan FIX --target NAME`, \
                 `bailiwick journal verify`"
            }
            Self::RolledBack => "`bailiwick apply PLAN`, `bailiwick rehearse FIX --staging NAME`",
            Self::Stuck => {
                "`bailiwick apply PLAN`, `bailiwick rehearse FIX --staging NAME`, `bailiwick rollback CHANGE`, \
                 `bailiwick changes`, `bailiwick recover`"
            }
            Self::ReplayDiffers => "`bailiwick replay --last`, `bailiwick test DIR`",
            Self::Waiting => "`bailiwick add FILE`, `bailiwick approve COMPONENT`",
        }
    }

    /// The code for a sweep: the highest that applies. Without a threshold findings do not count.
    ///
    /// A probe that does not apply to a target (`unsupported`) is not a failure. A target on which nothing ran is one: it was
    /// requested, and was not checked.
    #[must_use]
    pub fn for_sweep(sweep: &Sweep, threshold: Option<Severity>) -> Self {
        let tally = Tally::new(sweep);
        if tally.targets_unseen + tally.runs_unseen + tally.runs_broken > 0 {
            Self::NotChecked
        } else if tally.targets_refused + tally.runs_refused > 0 {
            Self::Refused
        } else if threshold.is_some_and(|least| tally.findings_from(least) > 0) {
            Self::Findings
        } else {
            Self::Fine
        }
    }
}

/// What the codes are, for the page of reference.
const ABOUT: &str = "If several apply, the highest wins. A code never gets another meaning. With `check --format nagios` the exit codes are those of \
                     a Nagios plugin: 0 ok, 1 warning, 2 critical, 3 unknown. If the reader closes the pipe (SIGPIPE), the exit code is 0.";

/// What the codes of refusals are, for the page of reference.
const ABOUT_REFUSALS: &str = "Most refusals of a component, and every change that is not applied, begin with one of these \
                              words. If a command helps, it follows.";

/// The words of refusals, each with its meaning. A test compares those of changes with the list of the journal.
const REFUSALS: &[(&str, &str)] = &[
    ("E-LOAD-DIGEST", "the file of the component was never accepted, or was changed since"),
    ("E-LOAD-REVOKED", "the component was revoked"),
    ("E-LOAD-VERSION", "the version is older than the accepted one, or has other bytes"),
    ("E-LOAD-IMPORT", "the component imports other functions than were accepted"),
    ("E-LOAD-SIG", "the signature is missing or wrong, or its signer is not allowed"),
    ("E-LOAD-LIMIT", "policy.toml raises a limit above the accepted value"),
    ("E-APPROVAL", "new actions were not approved, or a change has no valid approval"),
    ("E-KILL", "`bailiwick stop` stopped all changes"),
    ("E-INTERRUPTED", "a signal stopped the command"),
    ("E-CLOCK", "the system clock looks wrong"),
    ("E-WINDOW", "no window is open now, or a job of the calendar would overlap"),
    ("E-BUDGET", "the changes of today are used up, or the last one was too recent"),
    ("E-REHEARSAL", "the plan has no recent rehearsal"),
    ("E-OPEN-CHANGE", "another change is unfinished, or the target is blocked"),
    ("E-GATE", "the gate does not match policy.toml, is missing, or is closed"),
    ("E-PEOPLE", "a person is working on the target"),
    ("E-CONFLICT", "the objects or the rules differ from those of the plan"),
    ("E-POLICY", "policy.toml does not allow the plan"),
    ("E-TARGET", "the target could not be reached or checked"),
];

/// The page of reference, as Markdown.
#[must_use]
pub fn page() -> String {
    let mut text = format!("# Exit codes\n\n{ABOUT}\n");
    for code in ExitCode::ALL {
        text += &format!("\n## {}: {}\n\n", code.code(), code.meaning());
        text += &format!("From: {}.\n\n{}\n", code.example(), code.next());
    }
    text += &format!("\n## Codes of refusals\n\n{ABOUT_REFUSALS}\n\n");
    for (word, meaning) in REFUSALS {
        text += &format!("- `{word}`: {meaning}\n");
    }
    wrap::page(&text, wrap::COLUMNS)
}

/// The same page for a terminal.
#[must_use]
pub fn plain(width: usize) -> String {
    let mut text = format!("Exit codes\n\n{ABOUT}\n");
    for code in ExitCode::ALL {
        text +=
            &format!("\n{:>2}  {}\n    From: {}.\n    {}\n", code.code(), code.meaning(), code.example(), code.next());
    }
    text += &format!("\nCodes of refusals\n\n{ABOUT_REFUSALS}\n\n");
    for (word, meaning) in REFUSALS {
        text += &format!("  {word:<14}  {meaning}\n");
    }
    wrap::page(&text, width)
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
    use crate::report::samples::{checked, could_not_check, fault, finding, refused_run, report, sweep};
    use bailiwick_core::model::VerbError;

    #[test]
    fn every_code_is_listed_once_in_order() {
        assert!(ExitCode::ALL.is_sorted_by(|a, b| a.code() < b.code()));
        let lines: Vec<String> = ExitCode::ALL.iter().map(|c| format!("{:>2} {}", c.code(), c.meaning())).collect();
        insta::assert_snapshot!(lines.join("\n"), @r"
 0 everything is ok
 1 findings at or above the threshold
 2 wrong usage, an invalid file, or a problem found
 3 a target or component was refused
 4 a target could not be checked, or a probe failed
 5 a change did not verify and was rolled back
 6 rollback failed, or change unfinished: act by hand
 7 a case or replay gives another result than recorded
 8 a component waits to be accepted or approved
70 a bug in bailiwick
");
    }

    #[test]
    fn highest_that_applies_wins() {
        use Severity::{Critical, Ok, Unknown, Warning};
        let ok = report("a", vec![finding(Ok, "", "fine")]);
        let warns = report("b", vec![finding(Warning, "", "hm")]);
        let unsure = report("c", vec![finding(Unknown, "", "who knows")]);
        let na = could_not_check("d", "no systemd", Some(VerbError::Unsupported));
        let unseen = could_not_check("e", "no permission", Some(VerbError::NotPermitted));
        let unsaid = could_not_check("e", "no idea", None);
        let cases = [
            (checked("t", vec![ok.clone()]), Some(Warning), 0),
            (checked("t", vec![ok.clone(), warns.clone()]), Some(Warning), 1),
            (checked("t", vec![warns.clone()]), Some(Critical), 0),
            (checked("t", vec![warns.clone()]), None, 0),
            (checked("t", vec![unsure.clone()]), Some(Warning), 0),
            (checked("t", vec![unsure]), Some(Unknown), 1),
            (checked("t", vec![ok.clone(), na.clone()]), Some(Warning), 0),
            (checked("t", vec![na]), Some(Warning), 0),
            (checked("t", vec![warns.clone(), unseen]), Some(Warning), 4),
            (checked("t", vec![unsaid]), Some(Warning), 4),
            (checked("t", vec![warns.clone(), fault("f", "trap")]), Some(Warning), 4),
            (checked("t", vec![warns.clone(), refused_run("g", "digest")]), Some(Warning), 3),
            (checked("t", vec![fault("f", "trap"), refused_run("g", "digest")]), None, 4),
            (checked("t", vec![]), Some(Warning), 4),
            (samples::unreachable("t", "refused", None), None, 4),
            (samples::refused("t", "never-host"), Some(Warning), 3),
        ];
        for (target, threshold, code) in cases {
            let shown = format!("{threshold:?} {target:?}");
            assert_eq!(ExitCode::for_sweep(&sweep(vec![target]), threshold).code(), code, "{shown}");
        }
        let both = sweep(vec![samples::refused("a", "never-host"), samples::unreachable("b", "refused", None)]);
        assert_eq!(ExitCode::for_sweep(&both, Some(Warning)), ExitCode::NotChecked);
        assert_eq!(ExitCode::for_sweep(&sweep(vec![]), Some(Warning)), ExitCode::Fine);
    }
}
