//! A receipt: what was done, by whose word, what was shown, and the exact command that takes it back.
//!
//! Knows: a change, its plan, the journal's head. Must not know: how it is printed. It is a copy for people: what counts is the journal,
//! whose entry and hash it names.

use jiff::Timestamp;
use serde::Serialize;

use super::apply::ApplyOutcome;
use super::log::Log;
use super::plan::{Contract, Plan, Raised};
use bailiwick_core::model::{ActionId, ChangeId, ComponentId, Inverse, State, TargetName};
use bailiwick_journal::{Consent, End, ProofResult};

/// The format of a receipt's file.
pub const FORMAT: &str = "bailiwick.receipt/1";

/// What came of one change.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Receipt<'a> {
    format: &'static str,
    change: &'a ChangeId,
    plan: &'a str,
    fix: &'a ComponentId,
    version: &'a str,
    component: &'a str,
    target: &'a TargetName,
    end: End,
    why: Option<&'a str>,
    ended: Timestamp,
    consent: Option<&'a Consent>,
    contract: &'a Contract,
    answers: &'a [Raised],
    steps: Vec<Done<'a>>,
    proofs: &'a [ProofResult],
    /// How it is taken back from here.
    rollback: String,
    /// How it is taken back on the target, by a person who has nothing else.
    rollback_at_target: String,
    /// The journal's newest entry when it ended, which covers all of it.
    journal: Head,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Done<'a> {
    action: &'a ActionId,
    before: &'a State,
    after: &'a State,
    inverse: Inverse,
}

#[derive(Debug, Serialize)]
struct Head {
    entry: u64,
    hash: String,
}

impl<'a> Receipt<'a> {
    /// That of a change that has ended; none for one that has not.
    #[must_use]
    pub fn of(
        log: &'a Log,
        plan: &'a Plan,
        digest: &'a str,
        came: &'a ApplyOutcome,
        now: Timestamp,
        at_target: String,
    ) -> Option<Self> {
        let ApplyOutcome::Ended { change, end, why, proofs } = came else { return None };
        let last = log.journal().last();
        let steps = plan.steps.iter().map(|step| Done {
            action: &step.action,
            before: &step.before,
            after: &step.after,
            inverse: step.inverse,
        });
        Some(Self {
            format: FORMAT,
            change,
            plan: digest,
            fix: &plan.fix,
            version: &plan.version,
            component: &plan.component,
            target: &plan.target,
            end: *end,
            why: why.as_deref(),
            ended: now,
            consent: log.course(change).and_then(|course| course.consent.as_ref()),
            contract: &plan.contract,
            answers: &plan.raised,
            steps: steps.collect(),
            proofs,
            rollback: format!("bailiwick rollback {change}"),
            rollback_at_target: at_target,
            journal: Head { entry: last.seq, hash: last.hash },
        })
    }
}
