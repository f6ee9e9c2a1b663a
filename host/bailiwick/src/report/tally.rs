//! The counts of a sweep: for the last line of the table, the head of the JSON document, the exit code.
//!
//! Knows: what counts as healthy, and what as not checked. Every report uses these counts, so that no two disagree.

use bailiwick_core::model::{Severity, TargetName, VerbError};
use bailiwick_core::outcome::{CheckedTarget, Run, RunOutcome, Sweep, TargetResult};

/// The standing of one target. Every target has exactly one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It was checked, and every finding is `ok`.
    Healthy,
    /// There are findings that are not `ok`.
    Findings,
    /// Every finding is `ok`, but not every probe could check.
    InPart,
    /// No probe that ran applies to it.
    NotApplicable,
    /// It was not reached, or nothing ran there.
    Unseen,
    /// No grant can reach it.
    Refused,
}

/// The standing of one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RunStanding {
    /// It checked: the worst severity of its findings.
    Checked(Severity),
    /// The target lacks what the probe checks, such as systemd.
    NotApplicable,
    /// It could not check.
    Unseen,
    /// The component broke.
    Broken,
    /// The host refused to run it.
    Refused,
}

impl RunStanding {
    pub(super) fn new(run: &Run) -> Self {
        match &run.outcome {
            RunOutcome::Report(_) => Self::Checked(run.severity().unwrap_or(Severity::Ok)),
            RunOutcome::CouldNotCheck { error: Some(VerbError::Unsupported), .. } => Self::NotApplicable,
            RunOutcome::CouldNotCheck { .. } => Self::Unseen,
            RunOutcome::Fault(_) => Self::Broken,
            RunOutcome::Refused { .. } => Self::Refused,
        }
    }

    /// The standing of a run on several targets for one of them: the worst of its findings about that one.
    fn on(run: &Run, target: &TargetName) -> Self {
        match &run.outcome {
            RunOutcome::Report(report) => {
                let of_it = report.findings.iter().filter(|finding| finding.subject.is_about(target.as_str()));
                Self::Checked(of_it.map(|finding| finding.severity).max().unwrap_or(Severity::Ok))
            }
            _ => Self::new(run),
        }
    }
}

impl Standing {
    /// The standing of a target. A run on several targets counts for each: by its findings about that target, or, without
    /// findings about it, as checked.
    #[must_use]
    pub fn new(sweep: &Sweep, target: &CheckedTarget) -> Self {
        let runs = match &target.result {
            TargetResult::Unreachable { .. } => return Self::Unseen,
            TargetResult::Refused { .. } => return Self::Refused,
            TargetResult::Runs(runs) => runs,
        };
        let mut standings: Vec<RunStanding> = runs.iter().map(RunStanding::new).collect();
        for together in &sweep.together {
            if together.targets.contains(&target.target) {
                standings.push(RunStanding::on(&together.run, &target.target));
            } else if together.left_out.iter().any(|left| left.target == target.target) {
                standings.push(RunStanding::Refused);
            }
        }
        let any = |test: fn(RunStanding) -> bool| standings.iter().copied().any(test);
        if standings.is_empty() {
            Self::Unseen
        } else if any(|run| matches!(run, RunStanding::Checked(worst) if worst > Severity::Ok)) {
            Self::Findings
        } else if any(|run| matches!(run, RunStanding::Unseen | RunStanding::Broken | RunStanding::Refused)) {
            Self::InPart
        } else if any(|run| matches!(run, RunStanding::Checked(_))) {
            Self::Healthy
        } else {
            Self::NotApplicable
        }
    }
}

/// The counts. The six counts of targets add up to `targets`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// All requested targets.
    pub targets: usize,
    /// See [`Standing::Healthy`].
    pub targets_healthy: usize,
    /// See [`Standing::Findings`].
    pub targets_with_findings: usize,
    /// See [`Standing::InPart`].
    pub targets_in_part: usize,
    /// See [`Standing::NotApplicable`].
    pub targets_not_applicable: usize,
    /// See [`Standing::Unseen`].
    pub targets_unseen: usize,
    /// See [`Standing::Refused`].
    pub targets_refused: usize,
    /// Runs on all targets.
    pub runs: usize,
    /// Runs that could not check, except those that do not apply.
    pub runs_unseen: usize,
    /// Runs whose probe does not apply to the target.
    pub runs_not_applicable: usize,
    /// Runs whose component broke.
    pub runs_broken: usize,
    /// Runs that the host refused to start.
    pub runs_refused: usize,
    /// Findings that need a person now.
    pub critical: usize,
    /// Findings that need a person soon.
    pub warning: usize,
    /// Findings that the probe could not decide.
    pub unknown: usize,
    /// Findings that are as they should be.
    pub ok: usize,
}

impl Tally {
    /// Counts a sweep.
    #[must_use]
    pub fn new(sweep: &Sweep) -> Self {
        let mut tally = Self::default();
        for target in &sweep.targets {
            tally.add(sweep, target);
        }
        for together in &sweep.together {
            tally.add_run(&together.run);
            // A target that was left out counts as a refusal, as for a run on one target.
            tally.runs_refused += together.left_out.len();
        }
        tally
    }

    fn add(&mut self, sweep: &Sweep, target: &CheckedTarget) {
        self.targets += 1;
        *match Standing::new(sweep, target) {
            Standing::Healthy => &mut self.targets_healthy,
            Standing::Findings => &mut self.targets_with_findings,
            Standing::InPart => &mut self.targets_in_part,
            Standing::NotApplicable => &mut self.targets_not_applicable,
            Standing::Unseen => &mut self.targets_unseen,
            Standing::Refused => &mut self.targets_refused,
        } += 1;
        if let TargetResult::Runs(runs) = &target.result {
            runs.iter().for_each(|run| self.add_run(run));
        }
    }

    fn add_run(&mut self, run: &Run) {
        self.runs += 1;
        match RunStanding::new(run) {
            RunStanding::Checked(_) => {}
            RunStanding::NotApplicable => self.runs_not_applicable += 1,
            RunStanding::Unseen => self.runs_unseen += 1,
            RunStanding::Broken => self.runs_broken += 1,
            RunStanding::Refused => self.runs_refused += 1,
        }
        let RunOutcome::Report(report) = &run.outcome else { return };
        for finding in &report.findings {
            *match finding.severity {
                Severity::Critical => &mut self.critical,
                Severity::Warning => &mut self.warning,
                Severity::Unknown => &mut self.unknown,
                Severity::Ok => &mut self.ok,
            } += 1;
        }
    }

    /// Findings at or over a severity.
    #[must_use]
    pub fn findings_from(&self, least: Severity) -> usize {
        [
            (Severity::Critical, self.critical),
            (Severity::Warning, self.warning),
            (Severity::Unknown, self.unknown),
            (Severity::Ok, self.ok),
        ]
        .iter()
        .filter(|(severity, _)| *severity >= least)
        .map(|(_, count)| count)
        .sum()
    }
}
