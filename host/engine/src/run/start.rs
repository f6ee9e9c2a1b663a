//! What a run is given on a target: as the component sees it, as the journal records it, and read back from there.
//!
//! Knows: grants, both ways. Must not know: how a run ends. Attack answered: a journal from a third party (JR11): a grant
//! that is read back has no wire form, so that nothing in it can be sent.

use std::sync::Arc;

use bailiwick_core::model::{Action, ActionId, ComponentId, ParamName, SlotKey, SlotName, Wire};
use bailiwick_core::source::Source;
use bailiwick_journal::history::Earlier;
use bailiwick_journal::{Granted, Past, RunTarget, Withheld};
use bailiwick_policy::grant;
use bailiwick_policy::grant::Grant;
use bailiwick_sandbox::{SlotEntry, TargetView};

use super::OnTarget;

/// What the component is given of a target: name, parameters, slots, its own earlier numbers. No address, user or key.
pub(super) fn view(on: &OnTarget) -> TargetView {
    let OnTarget { grant, earlier, session: _ } = on;
    let entries = |entries: Vec<(SlotKey, String)>| {
        let entry = |(key, literal): (SlotKey, String)| SlotEntry { key: key.as_str().to_owned(), literal };
        entries.into_iter().map(entry).collect::<Vec<_>>()
    };
    TargetView {
        name: grant.target.clone(),
        params: grant.params.iter().map(|(name, value)| (name.as_str().to_owned(), value.clone())).collect(),
        slots: grant.slots().into_iter().map(|(slot, list)| (slot, entries(list))).collect(),
        previous_ms: earlier.previous_ms,
        earlier: earlier.points.clone(),
    }
}

/// The same, as the run's start records it.
pub(super) fn run_target(on: &OnTarget) -> RunTarget {
    let OnTarget { grant, earlier, session: _ } = on;
    let granted = |granted: &grant::Granted| Granted {
        key: granted.key.clone(),
        action: granted.action.id.clone(),
        wire: granted.action.wire.text(),
    };
    let withheld = |withheld: &grant::Withheld| Withheld {
        key: withheld.granted.key.clone(),
        action: withheld.granted.action.id.clone(),
        rule: withheld.rule.clone(),
        why: withheld.why.clone(),
    };
    RunTarget {
        target: grant.target.clone(),
        grant: grant.digest(),
        actions: grant.entries().map(granted).collect(),
        params: grant.params.iter().map(|(name, value)| (name.as_str().to_owned(), value.clone())).collect(),
        withheld: grant.withheld.iter().map(withheld).collect(),
        previous_ms: earlier.previous_ms,
        earlier: past(earlier),
    }
}

/// Which earlier numbers a component is given, as the journal records it.
fn past(earlier: &Earlier) -> Option<Past> {
    let digest = || Earlier::digest(&earlier.points);
    (!earlier.points.is_empty()).then(|| Past { runs: earlier.runs.clone(), digest: digest() })
}

/// The grant that a run's start records. Nothing in it can be sent: its wire forms are empty.
pub(crate) fn recorded_grant(component: &ComponentId, on: &RunTarget) -> Grant {
    let place = Source::embedded("the journal", "").at(0..0);
    let granted = |key: &Option<SlotKey>, action: &ActionId| {
        let slot = key.as_ref().map(|key| key.as_str().split('/').next().unwrap_or_default());
        Some(grant::Granted {
            action: Arc::new(Action {
                id: action.clone(),
                verb: action.verb()?,
                literal: None,
                wire: Wire::Exec(Vec::new()),
            }),
            key: key.clone(),
            slot: slot.and_then(|slot| SlotName::new(slot).ok()),
            content: None,
            why: String::new(),
            place: place.clone(),
            default: None,
        })
    };
    let withheld = on.withheld.iter().filter_map(|withheld| {
        let Withheld { key, action, rule, why } = withheld;
        Some(grant::Withheld { granted: granted(key, action)?, why: why.clone(), rule: rule.clone() })
    });
    Grant::recorded(
        component.clone(),
        on.target.clone(),
        on.actions.iter().filter_map(|entry| granted(&entry.key, &entry.action)),
        withheld.collect(),
        on.params.iter().filter_map(|(name, value)| Some((ParamName::new(name).ok()?, value.clone()))).collect(),
    )
}
