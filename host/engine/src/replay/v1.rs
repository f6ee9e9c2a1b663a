//! The sentences that older programs hashed into the digest of a report (`bailiwick-report-v1`).
//!
//! Knows: how those programs worded that a never-rule withholds an action. Must not know: how today's program words it. A
//! transport's sentences are in the journal, as recorded; these two are not, and are made from the rule that the run's
//! start records. Never change them: every replay of an older journal would differ.

use std::sync::Arc;

use bailiwick_core::model::{SlotKey, Tainted, Verb};
use bailiwick_core::outcome::Call;
use bailiwick_policy::grant::Grant;

/// Words the causes of refused calls as older programs did. `asked` is the number of calls that the component made; the host
/// adds a call after them to explain an empty slot.
pub(super) fn reword(calls: &mut [Call], asked: usize, grants: &[Arc<Grant>]) {
    for (index, call) in calls.iter_mut().enumerate() {
        if call.action.is_some() || call.cause.is_none() {
            continue;
        }
        let on = grants.iter().filter(|grant| call.target.as_ref().is_none_or(|target| *target == grant.target));
        let withheld = on.flat_map(|grant| &grant.withheld);
        let cause = withheld.filter_map(|withheld| {
            let (granted, rule, why) = (&withheld.granted, &withheld.rule, &withheld.why);
            let id = &granted.action.id;
            if index >= asked {
                return (call.asked.for_encoder() == id.as_str()).then(|| format!("{id} is withheld by {rule}: {why}"));
            }
            let named = asked_for(granted.action.verb, granted.key.as_ref().map(SlotKey::as_str));
            (call.asked == named).then(|| format!("never-rule {rule}: {why}"))
        });
        if let Some(cause) = { cause }.next() {
            call.cause = Some(cause);
        }
    }
}

/// What a call asked for: `services.status(unit)`.
pub(super) fn asked_for(verb: Verb, key: Option<&str>) -> Tainted {
    Tainted::new(key.map_or_else(|| verb.name().to_owned(), |key| format!("{verb}({key})")))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use bailiwick_core::model::{Action, ActionId, ComponentId, SlotName, TargetName, VerbError, Wire};
    use bailiwick_core::source::Source;
    use bailiwick_policy::grant::{Granted, Withheld};

    fn withheld(verb: Verb, slot: Option<&str>, literal: Option<&str>, rule: &str) -> Withheld {
        let slot = slot.map(|slot| SlotName::new(slot).unwrap());
        let action =
            Action { id: ActionId::recorded(verb, literal), verb, literal: None, wire: Wire::Exec(Vec::new()) };
        let granted = Granted {
            action: Arc::new(action),
            key: slot.as_ref().map(SlotKey::single),
            slot,
            content: None,
            why: String::new(),
            place: Source::embedded("the journal", "").at(0..0),
            default: None,
        };
        Withheld { granted, rule: rule.to_owned(), why: "a reason".to_owned() }
    }

    fn grant(target: &str, withheld: Vec<Withheld>) -> Arc<Grant> {
        let (component, target) = (ComponentId::new("probe").unwrap(), TargetName::new(target).unwrap());
        Arc::new(Grant::recorded(component, target, Vec::new(), withheld, BTreeMap::new()))
    }

    fn call(target: Option<&str>, asked: &str, cause: Option<&str>) -> Call {
        Call {
            target: target.map(|target| TargetName::new(target).unwrap()),
            action: None,
            asked: Tainted::new(asked),
            error: Some(VerbError::Refused),
            cause: cause.map(str::to_owned),
            redacted: BTreeMap::new(),
        }
    }

    #[test]
    fn a_withheld_action_is_worded_as_older_programs_worded_it() {
        let memory = || withheld(Verb::SystemMemory, None, None, "policy.toml:3");
        let unit = || withheld(Verb::ServicesStatus, Some("unit"), Some("a.service"), "policy.toml:9");
        let grants = [grant("db", vec![unit()]), grant("web", vec![memory()])];
        let mut calls = vec![
            call(Some("db"), "services.status(unit)", Some("today's words")),
            call(Some("web"), "system.memory", Some("today's words")),
            // It is in no grant, and nothing withholds it.
            call(Some("db"), "system.memory", None),
            call(None, "services.status:a.service", Some("today's words")),
        ];
        reword(&mut calls, 3, &grants);
        let causes: Vec<_> = calls.iter().map(|call| call.cause.as_deref()).collect();
        assert_eq!(
            causes,
            [
                Some("never-rule policy.toml:9: a reason"),
                Some("never-rule policy.toml:3: a reason"),
                None,
                Some("services.status:a.service is withheld by policy.toml:9: a reason"),
            ]
        );
        // A verb without a slot: the same name, asked for by the component and explained by the host.
        let mut calls = vec![call(None, "system.memory", Some("x")), call(None, "system.memory", Some("x"))];
        reword(&mut calls, 1, &[grant("web", vec![memory()])]);
        assert_eq!(calls[0].cause.as_deref(), Some("never-rule policy.toml:3: a reason"));
        assert_eq!(calls[1].cause.as_deref(), Some("system.memory is withheld by policy.toml:3: a reason"));
    }

    /// What a target answered is in the journal as it was worded then.
    #[test]
    fn a_recorded_cause_is_left_alone() {
        let mut failed = call(None, "system.memory", Some("no answer within 10 s"));
        failed.action = Some(ActionId::recorded(Verb::SystemMemory, None));
        let before = failed.clone();
        let mut calls = vec![failed];
        reword(&mut calls, 1, &[grant("web", vec![withheld(Verb::SystemMemory, None, None, "policy.toml:3")])]);
        assert_eq!(calls, [before]);
    }
}
