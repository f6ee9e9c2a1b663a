//! Compares what a component asks for with what was accepted. Pure. This alone decides whether it asks for more.

use std::collections::{BTreeMap, BTreeSet};

use super::{Actions, Component, Facts};
use bailiwick_core::model::TargetName;

/// The differences from what was accepted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Difference {
    /// Imports that were not accepted.
    pub imports_more: Vec<String>,
    /// Accepted imports that the component no longer has.
    pub imports_less: Vec<String>,
    /// Limits that policy raises above the accepted value: name, accepted value if there was one, current value.
    pub limits_more: Vec<(String, Option<u64>, u64)>,
    /// The signer, if it changed: accepted, current.
    pub signer: Option<(Option<String>, Option<String>)>,
    /// Targets on which nothing was accepted yet.
    pub targets_more: BTreeSet<TargetName>,
    /// Actions that were not accepted, by target.
    pub actions_more: BTreeMap<TargetName, Actions>,
    /// Accepted actions that the grant no longer has, by target.
    pub actions_less: BTreeMap<TargetName, Actions>,
}

impl Difference {
    /// True if a person has to agree to it.
    #[must_use]
    pub fn asks_for_more(&self) -> bool {
        let Self { imports_more, imports_less: _, limits_more, signer, targets_more, actions_more, actions_less: _ } =
            self;
        !imports_more.is_empty()
            || !limits_more.is_empty()
            || signer.is_some()
            || !targets_more.is_empty()
            || !actions_more.is_empty()
    }
}

/// Compares a component and its grants with what was accepted.
#[must_use]
pub fn compare(accepted: &Component, facts: &Facts, grants: &BTreeMap<TargetName, Actions>) -> Difference {
    let old = &accepted.facts;
    let mut difference = Difference {
        imports_more: facts.imports.difference(&old.imports).cloned().collect(),
        imports_less: old.imports.difference(&facts.imports).cloned().collect(),
        signer: (old.signer != facts.signer).then(|| (old.signer.clone(), facts.signer.clone())),
        ..Difference::default()
    };
    for (name, &value) in &facts.limits {
        let before = old.limits.get(name).copied();
        if before.is_none_or(|before| value > before) {
            difference.limits_more.push((name.clone(), before, value));
        }
    }
    for (target, now) in grants {
        let before = accepted.grants.get(target).map(|accepted| &accepted.actions);
        if before.is_none() {
            difference.targets_more.insert(target.clone());
        }
        let none = Actions::new();
        let more: Actions = now.difference(before.unwrap_or(&none)).cloned().collect();
        if !more.is_empty() {
            difference.actions_more.insert(target.clone(), more);
        }
    }
    for (target, before) in &accepted.grants {
        let none = Actions::new();
        let less: Actions = before.actions.difference(grants.get(target).unwrap_or(&none)).cloned().collect();
        if !less.is_empty() {
            difference.actions_less.insert(target.clone(), less);
        }
    }
    difference
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{Accepted, Record, Version};
    use super::*;

    fn facts(imports: &[u8], limit: Option<u64>) -> Facts {
        Facts {
            version: Version::new("1.0.0").unwrap(),
            digest: "0".repeat(64),
            manifest: None,
            signer: None,
            imports: imports.iter().map(|n| format!("i{n}")).collect(),
            limits: limit.map(|value| ("memory".to_owned(), value)).into_iter().collect(),
        }
    }

    fn grants(lists: &BTreeMap<u8, BTreeSet<u8>>) -> BTreeMap<TargetName, Actions> {
        let list = |list: &BTreeSet<u8>| list.iter().map(|n| format!("a{n}")).collect();
        lists.iter().map(|(t, l)| (TargetName::new(&format!("t{t}")).unwrap(), list(l))).collect()
    }

    fn component(facts: Facts, grants: BTreeMap<TargetName, Actions>) -> Component {
        let record = Record { who: "a".to_owned(), when: jiff::Timestamp::UNIX_EPOCH, why: "b".to_owned() };
        let accept = |(target, actions)| (target, Accepted { actions, record: record.clone() });
        Component {
            facts,
            grant_digest: "0".repeat(64),
            grants: grants.into_iter().map(accept).collect(),
            record: record.clone(),
        }
    }

    type Lists = BTreeMap<u8, BTreeSet<u8>>;

    fn lists() -> impl Strategy<Value = Lists> {
        prop::collection::btree_map(0..4_u8, prop::collection::btree_set(0..5_u8, 0..4), 0..4)
    }

    proptest! {
        /// "More" means that some set is not a subset of the accepted one.
        #[test]
        fn lk14_it_asks_for_more_exactly_if_something_is_no_subset(
            old in lists(), new in lists(),
            had in prop::collection::btree_set(0..4_u8, 0..4), has in prop::collection::btree_set(0..4_u8, 0..4),
            was in prop::option::of(0..3_u64), is in prop::option::of(0..3_u64),
        ) {
            let had: Vec<_> = had.into_iter().collect();
            let has: Vec<_> = has.into_iter().collect();
            let accepted = component(facts(&had, was), grants(&old));
            let difference = compare(&accepted, &facts(&has, is), &grants(&new));
            let subset = new.iter().all(|(t, list)| old.get(t).is_some_and(|accepted| list.is_subset(accepted)))
                && has.iter().all(|import| had.contains(import))
                && is.is_none_or(|is| was.is_some_and(|was| is <= was));
            prop_assert_eq!(difference.asks_for_more(), !subset);
        }
    }

    #[test]
    fn lk18_another_publisher_is_a_difference() {
        let mut other = facts(&[1], None);
        other.signer = Some("mallory@example.org".to_owned());
        let difference = compare(&component(facts(&[1], None), BTreeMap::new()), &other, &BTreeMap::new());
        assert!(difference.asks_for_more());
        assert_eq!(difference.signer, Some((None, Some("mallory@example.org".to_owned()))));
    }
}
