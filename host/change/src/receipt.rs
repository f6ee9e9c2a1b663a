//! A receipt: what was done, who approved it, what was verified, and the exact command that rolls it back.
//!
//! Knows: a change, its plan, the journal's head. Must not know: how it is printed. It is a copy for people: what counts is the journal,
//! whose entry and hash it names.

use jiff::Timestamp;
use serde::Serialize;

use super::log::Log;
use super::plan::{Contract, Plan, Raised};
use bailiwick_core::model::{ActionId, ChangeId, ComponentId, Inverse, State, TargetName};
use bailiwick_journal::{Consent, End, ProofResult};
use bailiwick_policy::gate::Paths;

/// The format of a receipt's file.
pub const FORMAT: &str = "bailiwick.receipt/1";

/// The record of one change that has ended.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Receipt {
    format: &'static str,
    change: ChangeId,
    plan: String,
    fix: ComponentId,
    version: String,
    component: String,
    target: TargetName,
    end: End,
    why: Option<String>,
    ended: Timestamp,
    consent: Option<Consent>,
    contract: Contract,
    answers: Vec<Raised>,
    steps: Vec<ReceiptStep>,
    proofs: Vec<ProofResult>,
    /// The command that rolls it back from here.
    rollback: String,
    /// The command that rolls it back on the target, without Bailiwick.
    rollback_at_target: String,
    /// The journal's newest entry when the change ended, which covers all of it.
    journal: Head,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
struct ReceiptStep {
    action: ActionId,
    before: State,
    after: State,
    inverse: Inverse,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
struct Head {
    entry: u64,
    hash: String,
}

impl Receipt {
    /// The receipt of a change whose end is the newest entry of the journal.
    pub(super) fn new(
        log: &Log,
        plan: &Plan,
        change: &ChangeId,
        end: End,
        why: Option<&str>,
        proofs: &[ProofResult],
        now: Timestamp,
    ) -> Self {
        let last = log.journal().last();
        let state = log.change(change);
        let steps = plan.steps.iter().map(|step| ReceiptStep {
            action: step.action.clone(),
            before: step.before.clone(),
            after: step.after.clone(),
            inverse: step.inverse,
        });
        Self {
            format: FORMAT,
            change: change.clone(),
            plan: state.map(|state| state.plan.clone()).unwrap_or_default(),
            fix: plan.fix.clone(),
            version: plan.version.clone(),
            component: plan.component.clone(),
            target: plan.target.clone(),
            end,
            why: why.map(str::to_owned),
            ended: now,
            consent: state.and_then(|state| state.consent.clone()),
            contract: plan.contract.clone(),
            answers: plan.raised.clone(),
            steps: steps.collect(),
            proofs: proofs.to_vec(),
            rollback: format!("bailiwick rollback {change}"),
            rollback_at_target: rollback_at_target(change),
            journal: Head { entry: last.seq, hash: last.hash },
        }
    }
}

/// The command that rolls a change back on the target, typed as root, without Bailiwick.
#[must_use]
pub fn rollback_at_target(change: &ChangeId) -> String {
    format!("{} rollback {change}", Paths::default().gate)
}
