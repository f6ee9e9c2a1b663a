//! Applies plans and rolls changes back, for `apply`, `rollback` and `rehearse`.
//!
//! Knows: how admission, gate client and verifier are set up, what a signal does, where a receipt is kept. Must not know: why a change is
//! made. Attack answered: a change that is cut off half-way and reported as done (CH07): what was abandoned is reported as such.

use std::sync::atomic::Ordering;

use crate::report::change as report;
use crate::report::exit::ExitCode as Exit;
use bailiwick_change::clock::System;
use bailiwick_change::log::{Log, LogError};
use bailiwick_change::{ApplyOutcome, ApplyRequest, Approval, Plan, apply, rollback};
use bailiwick_core::encode;
use bailiwick_core::model::ChangeId;
use bailiwick_journal::{Denial, End};

use super::session::{self, Session};
use crate::cli::args::Format;
use crate::cli::{Context, check};

/// An approver's statement, and the signature under it.
pub(super) type SignedStatement = (Vec<u8>, Vec<u8>);

/// One plan on its target.
pub(super) struct Executor<'a> {
    pub(super) context: &'a Context,
    pub(super) session: &'a Session,
    pub(super) plan: &'a Plan,
    pub(super) digest: &'a str,
    /// For a plan with computed bytes.
    pub(super) signed: Option<SignedStatement>,
}

impl Executor<'_> {
    /// Applies the plan. None: it was abandoned, which has been reported; the exit code is then [`Exit::Stuck`].
    pub(super) fn apply(&self, log: &mut Log, approval: Approval) -> anyhow::Result<Option<ApplyOutcome>> {
        self.execute(log, approval, None)
    }

    /// Rolls a change of the plan back. None: as above.
    pub(super) fn roll_back(
        &self,
        log: &mut Log,
        change: &ChangeId,
        approval: Approval,
    ) -> anyhow::Result<Option<ApplyOutcome>> {
        self.execute(log, approval, Some(change))
    }

    fn execute(
        &self,
        log: &mut Log,
        approval: Approval,
        change: Option<&ChangeId>,
    ) -> anyhow::Result<Option<ApplyOutcome>> {
        let Self { context, session, plan, digest, signed } = self;
        let request = ApplyRequest { who: session::who(context), approval };
        let admission = session.admission(&System, log.ledger(), plan)?;
        let mut verifier = session.verifier(log);
        let mut gate = session.gate(admission.target);
        if let Some((statement, signature)) = signed {
            gate = gate.signed(statement.clone(), signature.clone());
        }
        let outcome = self.until_signalled(async {
            let outcome = match change {
                None => apply(&admission, log, &mut gate, &mut verifier, plan, digest, &request).await,
                Some(change) => rollback(&admission, log, &mut gate, &mut verifier, plan, change, &request).await,
            };
            gate.transport.close().await;
            outcome
        })?;
        match outcome {
            Some(Ok(outcome)) => {
                self.keep_receipt(&outcome);
                Ok(Some(outcome))
            }
            Some(Err(error)) => {
                self.report_unwritable(error);
                Ok(None)
            }
            None => {
                context.out.say("error: the change was abandoned half-way");
                context.out.say(RECOVER);
                Ok(None)
            }
        }
    }

    /// Runs a change to its end. At the first SIGINT or SIGTERM the change is rolled back; the second one abandons it: none.
    fn until_signalled<T>(&self, work: impl Future<Output = T>) -> anyhow::Result<Option<T>> {
        Ok(session::runtime()?.block_on(async {
            let mut work = std::pin::pin!(work);
            let mut stopped = std::pin::pin!(check::stopped());
            tokio::select! {
                result = &mut work => return Some(result),
                signal = &mut stopped => {
                    self.session.interrupted.store(true, Ordering::Relaxed);
                    self.context.out.say(&format!(
                        "{signal}: the change is rolled back; a second signal abandons it"
                    ));
                }
            }
            stopped.set(check::stopped());
            tokio::select! {
                result = work => Some(result),
                _ = stopped => None,
            }
        }))
    }

    /// The change has happened, whether or not a copy of the journal's record can be kept.
    fn keep_receipt(&self, outcome: &ApplyOutcome) {
        let ApplyOutcome::Ended { change, receipt, .. } = outcome else { return };
        let kept = encode::to_json(receipt)
            .map_err(anyhow::Error::new)
            .and_then(|json| self.session.store.keep_receipt(change, json.as_bytes()).map_err(anyhow::Error::new));
        if let Err(error) = kept {
            self.context.out.say(&format!("warning: the receipt was not written: {error:#}"));
        }
    }

    /// The journal failed during the change: nothing was done that it would have announced, but the state of the target is unknown.
    fn report_unwritable(&self, error: LogError) {
        self.context.out.say(&format!("error: {:#}", anyhow::Error::new(error)));
        self.context
            .out
            .say("hint: fix the disk, then run `bailiwick recover`. The target rolls an open change back by itself");
    }

    /// Prints the outcome.
    pub(super) fn print(&self, outcome: &ApplyOutcome, format: Format) -> anyhow::Result<Exit> {
        let text = match (format, outcome) {
            (Format::Json, ApplyOutcome::Ended { receipt, .. }) => encode::to_json(receipt)?,
            (Format::Json, outcome) => encode::to_json(&NoChange::new(self.plan, self.digest, outcome))?,
            (Format::Table, outcome) => report::outcome(outcome, self.plan),
        };
        self.context.out.text(&text)?;
        Ok(exit_code(outcome))
    }
}

/// What the operator does after a change was abandoned.
const RECOVER: &str = "hint: `bailiwick recover` finds out its state. The target rolls an open change back by itself";

const fn exit_code(outcome: &ApplyOutcome) -> Exit {
    match outcome {
        ApplyOutcome::NoOp | ApplyOutcome::Ended { end: End::Applied, .. } => Exit::Fine,
        ApplyOutcome::Denied { .. } | ApplyOutcome::Ended { end: End::NotBegun, .. } => Exit::Refused,
        ApplyOutcome::Ended { end: End::RolledBack, .. } => Exit::RolledBack,
        ApplyOutcome::Ended { end: End::Stuck, .. } | ApplyOutcome::Open { .. } => Exit::Stuck,
    }
}

/// What programs read where there is no receipt.
#[derive(serde::Serialize)]
#[serde(rename_all = "kebab-case")]
struct NoChange<'a> {
    format: &'static str,
    plan: &'a str,
    target: &'a str,
    outcome: &'static str,
    code: Option<&'static str>,
    why: Option<&'a str>,
    change: Option<&'a ChangeId>,
}

impl<'a> NoChange<'a> {
    fn new(plan: &'a Plan, digest: &'a str, outcome: &'a ApplyOutcome) -> Self {
        let (outcome, code, why, change) = match outcome {
            ApplyOutcome::Denied { code, why, .. } => ("denied", Some(Denial::code(*code)), Some(why.as_str()), None),
            ApplyOutcome::NoOp => ("no-op", None, None, None),
            ApplyOutcome::Open { change, why } => ("open", None, Some(why.as_str()), Some(change)),
            ApplyOutcome::Ended { change, .. } => ("ended", None, None, Some(change)),
        };
        Self { format: "bailiwick.no-change/1", plan: digest, target: plan.target.as_str(), outcome, code, why, change }
    }
}
