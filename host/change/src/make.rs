//! From the changes that a fix requests to a plan: the gate reports each object's state, and states are chained where a step follows
//! another on the same object.
//!
//! Knows: the requested changes, the gate's previews. Must not know: why the fix requests them. Attack answered: a plan that has for
//! an object what the fix believes (PH05): the states are the target's, and the component's words are in one field of the contract.

use super::check::required_proofs;
use super::gate_client::{GateClient, GateClientError};
use super::plan::{Contract, FORMAT, Plan, Raised, Step};
use bailiwick_core::encode;
use bailiwick_core::gate_protocol::Preview;
use bailiwick_core::model::{ActionId, Change, ComponentId, Severity, State, TargetName, UnitAct};
use bailiwick_journal::Observed;
use jiff::Timestamp;

/// One change that a fix requests.
#[derive(Debug, Clone)]
pub struct RequestedChange {
    /// The action, from the grant.
    pub action: ActionId,
    /// The change.
    pub change: Change,
    /// SHA-256 of the bytes that the fix computed for it.
    pub computed: Option<String>,
}

/// All parts of a plan except its steps.
#[derive(Debug, Clone)]
pub struct PlanBasis {
    /// When the plan is made.
    pub made: Timestamp,
    /// The fix.
    pub fix: ComponentId,
    /// Its version.
    pub version: String,
    /// SHA-256 of its bytes.
    pub component: String,
    /// The target.
    pub target: TargetName,
    /// The target's pinned key.
    pub host_key: String,
    /// Digest of its grant.
    pub grant: String,
    /// Digest over the ops directory.
    pub policy: String,
    /// The run that planned it.
    pub run: u64,
    /// The reasons.
    pub contract: Contract,
    /// The findings that it answers.
    pub raised: Vec<Raised>,
}

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub enum MakeError {
    /// The gate does not report its state.
    #[error("the gate of the target does not answer: {0}")]
    RemoteGate(GateClientError),
    /// The change is not possible on the target.
    #[error("{object}: {why}")]
    Object {
        /// The object.
        object: String,
        /// The gate's words.
        why: String,
    },
}

/// Makes a plan. Nothing is changed.
///
/// # Errors
/// When the gate does not report the state that an object has, or would have.
pub async fn make<H: GateClient>(
    client: &mut H,
    basis: PlanBasis,
    requested: Vec<RequestedChange>,
) -> Result<Plan, MakeError> {
    let gate = client.gate().await.map_err(MakeError::RemoteGate)?.list;
    let mut steps: Vec<Step> = Vec::new();
    for RequestedChange { action, change, computed } in requested {
        let inverse = change.inverse();
        let mut step = Step {
            action,
            inverse,
            before: State::Absent,
            after: State::Absent,
            computed,
            shown: bailiwick_core::model::Tainted::new(""),
            change,
        };
        let Preview { before, after, shown } = client.preview(&step).await.map_err(|error| match error {
            GateClientError::Refused { word, detail } => MakeError::Object {
                object: step.change.object(),
                why: format!("{word} {}", encode::terminal(&detail, 300)).trim_end().to_owned(),
            },
            lost @ GateClientError::Lost(_) => MakeError::RemoteGate(lost),
        })?;
        let earlier = steps.iter().rev().find(|earlier| earlier.change.object() == step.change.object());
        (step.before, step.after) = match earlier {
            None => (before, after),
            Some(earlier) => (earlier.after.clone(), chained(&earlier.after, &step.change, after)),
        };
        step.shown = shown;
        steps.push(step);
    }
    let PlanBasis { made, fix, version, component, target, host_key, grant, policy, run, contract, raised } = basis;
    let proof = required_proofs(&steps);
    let format = FORMAT.to_owned();
    Ok(Plan {
        format,
        made,
        fix,
        version,
        component,
        target,
        host_key,
        grant,
        gate,
        policy,
        run,
        contract,
        raised,
        steps,
        proof,
    })
}

/// The findings that exist now, of those that a fix answers. A probe that could not check has found nothing.
#[must_use]
pub fn raised(mut answers: Vec<Raised>, seen: &[Observed]) -> Vec<Raised> {
    answers.retain(|answer| {
        let bad = |seen: &&Observed| matches!(seen.severity, Some(Severity::Warning | Severity::Critical));
        seen.iter().filter(bad).any(|seen| seen.probe == answer.probe && seen.code == answer.code)
    });
    answers
}

/// The state of a unit after a step that follows another on it: each act changes one half of its state.
fn chained(earlier: &State, change: &Change, previewed: State) -> State {
    match (earlier, change, &previewed) {
        (State::Unit { active: was, enabled: had }, Change::Unit { act, .. }, State::Unit { active, enabled }) => {
            match act {
                UnitAct::Enable => State::Unit { active: was.clone(), enabled: enabled.clone() },
                UnitAct::Start | UnitAct::Restart | UnitAct::Reload => {
                    State::Unit { active: active.clone(), enabled: had.clone() }
                }
            }
        }
        _ => previewed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bailiwick_core::model::Tainted;

    #[test]
    fn a_fix_answers_only_what_a_probe_has_found() {
        let probe = ComponentId::new("memory").unwrap();
        let answers = vec![Raised { probe: probe.clone(), code: "low".to_owned() }];
        let says = |severity, code: &str| {
            let seen = Observed { probe: probe.clone(), severity, code: code.to_owned(), subject: Tainted::new("") };
            !raised(answers.clone(), &[seen]).is_empty()
        };
        assert!(says(Some(Severity::Critical), "low") && says(Some(Severity::Warning), "low"));
        for severity in [None, Some(Severity::Unknown), Some(Severity::Ok)] {
            assert!(!says(severity, "low"), "{severity:?}");
        }
        assert!(!says(Some(Severity::Critical), "high"));
    }
}
