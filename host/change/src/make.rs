//! From what a fix has put on its list to a plan: each object's state is asked of the gate, and chained where a step follows another
//! on the same object.
//!
//! Knows: the list, the gate's previews. Must not know: how the fix came to it. Attack answered: a plan that says of an object what
//! the fix believes (PH05): the states in it are the target's, and the component's words are in one field of the contract.

use super::check::demanded;
use super::gate_client::{GateClient, GateClientError};
use super::plan::{Contract, FORMAT, Plan, Raised, Step};
use bailiwick_core::encode;
use bailiwick_core::gate_protocol::Preview;
use bailiwick_core::model::{ActionId, Change, ComponentId, Severity, State, TargetName, UnitAct};
use bailiwick_journal::Observed;
use jiff::Timestamp;

/// One change that a fix asks for.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// The action, out of the grant.
    pub action: ActionId,
    /// What it does.
    pub change: Change,
    /// SHA-256 of the bytes that the fix made for it.
    pub computed: Option<String>,
}

/// All of a plan but its steps.
#[derive(Debug, Clone)]
pub struct Base {
    /// When.
    pub made: Timestamp,
    /// The fix.
    pub fix: ComponentId,
    /// Its version.
    pub version: String,
    /// SHA-256 of its bytes.
    pub component: String,
    /// Where.
    pub target: TargetName,
    /// The target's pinned key.
    pub host_key: String,
    /// Digest of its grant.
    pub grant: String,
    /// Digest over the ops directory.
    pub policy: String,
    /// The run.
    pub run: u64,
    /// Why.
    pub contract: Contract,
    /// What it answers.
    pub raised: Vec<Raised>,
}

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub enum MakeError {
    /// The gate does not say what the objects are.
    #[error("the gate of the target does not answer: {0}")]
    RemoteGate(GateClientError),
    /// It cannot be done there.
    #[error("{object}: {why}")]
    Object {
        /// Which.
        object: String,
        /// The gate's words.
        why: String,
    },
}

/// Makes a plan. Nothing is changed.
///
/// # Errors
/// When the gate does not say what an object is, or would be.
pub async fn make<H: GateClient>(hands: &mut H, base: Base, wanted: Vec<Wanted>) -> Result<Plan, MakeError> {
    let gate = hands.gate().await.map_err(MakeError::RemoteGate)?.list;
    let mut steps: Vec<Step> = Vec::new();
    for Wanted { action, change, computed } in wanted {
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
        let Preview { before, after, shown } = hands.preview(&step).await.map_err(|error| match error {
            GateClientError::Refused { word, said } => MakeError::Object {
                object: step.change.object(),
                why: format!("{word} {}", encode::terminal(&said, 300)).trim_end().to_owned(),
            },
            lost @ GateClientError::Lost(_) => MakeError::RemoteGate(lost),
        })?;
        let earlier = steps.iter().rev().find(|earlier| earlier.change.object() == step.change.object());
        (step.before, step.after) = match earlier {
            None => (before, after),
            Some(earlier) => (earlier.after.clone(), behind(&earlier.after, &step.change, after)),
        };
        step.shown = shown;
        steps.push(step);
    }
    let Base { made, fix, version, component, target, host_key, grant, policy, run, contract, raised } = base;
    let proof = demanded(&steps);
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

/// The findings that are there now, of those that a fix answers. A probe that could not tell has found nothing.
#[must_use]
pub fn raised(mut answers: Vec<Raised>, seen: &[Observed]) -> Vec<Raised> {
    answers.retain(|answer| {
        let ill = |seen: &&Observed| matches!(seen.severity, Some(Severity::Warning | Severity::Critical));
        seen.iter().filter(ill).any(|seen| seen.probe == answer.probe && seen.code == answer.code)
    });
    answers
}

/// What a unit is after a step that follows another on it: each act says one half of its state.
fn behind(earlier: &State, change: &Change, previewed: State) -> State {
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
    fn only_what_a_probe_has_found_is_answered() {
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
