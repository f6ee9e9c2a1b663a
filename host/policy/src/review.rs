//! Everything that could happen, per target: the grants in the order of targets and actions, for a person to read before
//! anything runs, and the anchors, which are the operator's own writes. Pure.
//!
//! **Invariant:** every byte string that a sweep can send to a target is in [`Review::wire`], and each is rendered from the
//! same [`bailiwick_core::model::Action`] that the broker looks up.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::grant::Granted;
use crate::lock::LockState;
use crate::ops::Ops;
use crate::policy;
use crate::policy::HEAD_LINE;
use crate::unbound::{Unbound, unbound};
use bailiwick_core::fleet::Access;
use bailiwick_core::manifest::Scope;
use bailiwick_core::model::{ActionId, ComponentId, Effect, TargetName, WasiGroup, Wire};
use bailiwick_core::verbs;

/// The finite lists, by target.
#[derive(Debug, Serialize)]
pub struct Review {
    /// `bailiwick.review/1`.
    pub format: &'static str,
    /// In name order.
    pub targets: Vec<Target>,
    /// Where the journal's head is copied to after each sweep.
    pub anchors: Vec<Anchor>,
    /// Components that get inert WASI. This sends nothing to a target.
    pub inert_wasi: Vec<InertWasi>,
    /// Components that get their own earlier results. This sends nothing to a target.
    pub own_past: Vec<GivenHistory>,
    /// Components that see the answers of several targets in one run. They send only the actions in `targets`.
    pub together: Vec<FleetWide>,
    /// Limits of these components that policy sets to another value than the default.
    pub limits: Vec<SetLimit>,
    /// Limits that these components ask for and do not have.
    pub unmet: Vec<Unmet>,
    /// Slots that no line of policy fills.
    pub unbound: Vec<Unbound>,
}

/// An anchor: the operator's own write, which no component can ask for.
#[derive(Debug, Serialize)]
pub struct Anchor {
    /// The target. None for a repository on this machine.
    pub target: Option<TargetName>,
    /// The account there, if it is not the one that checks.
    pub user: Option<String>,
    /// What is written to.
    pub to: String,
    /// The line that is written. Words in capitals stand for a number, a hash and a time.
    pub line: &'static str,
    /// The line of policy.
    pub policy: String,
    /// The operator's reason.
    pub why: String,
}

/// A component that gets inert WASI, and why.
#[derive(Debug, Serialize)]
pub struct InertWasi {
    /// The component.
    pub component: ComponentId,
    /// Which packages.
    pub interfaces: BTreeSet<WasiGroup>,
    /// The author's reason.
    pub why: String,
}

/// A component that gets its own earlier results, and why.
#[derive(Debug, Serialize)]
pub struct GivenHistory {
    /// The component.
    pub component: ComponentId,
    /// The author's reason.
    pub why: String,
}

/// A component that checks all its targets in one run.
#[derive(Debug, Serialize)]
pub struct FleetWide {
    /// The component.
    pub component: ComponentId,
    /// All targets that policy assigns to it, in name order.
    pub targets: Vec<TargetName>,
}

/// A limit that policy sets.
#[derive(Debug, Serialize)]
pub struct SetLimit {
    /// The component.
    pub component: ComponentId,
    /// The name of the limit.
    pub name: &'static str,
    /// The value that policy sets.
    pub value: u64,
    /// The value for other components.
    pub default: u64,
    /// The line of policy.
    pub policy: String,
    /// The operator's reason. A lower limit needs none.
    pub why: Option<String>,
}

/// A limit that a component asks for and does not have.
#[derive(Debug, Serialize)]
pub struct Unmet {
    /// The component.
    pub component: ComponentId,
    /// The name of the limit.
    pub name: &'static str,
    /// The value that it asks for.
    pub asked: u64,
    /// The value that it has.
    pub has: u64,
    /// The author's reason.
    pub why: String,
}

/// Everything that could happen on one target.
#[derive(Debug, Serialize)]
pub struct Target {
    /// Its name.
    pub target: TargetName,
    /// `this machine`, or `bw-read@10.77.0.11:22 through jump01`.
    pub access: String,
    /// The never-host with this name or address, if there is one. Then none of the actions below can happen.
    pub refused: Option<String>,
    /// In id order.
    pub actions: Vec<Action>,
    /// Actions that a never-rule removed.
    pub withheld: Vec<Withheld>,
}

/// One action.
#[derive(Debug, Serialize)]
pub struct Action {
    /// Its id.
    pub id: ActionId,
    /// Whether it observes or changes.
    pub effect: Effect,
    /// What is sent to the target.
    pub wire: Wire,
    /// What it reads, in words.
    pub reads: &'static str,
    /// Largest answer, in bytes.
    pub bytes_max: u64,
    /// Longest wait, in seconds.
    pub timeout_s: u64,
    /// The components that may do it.
    pub for_components: Vec<Requester>,
}

/// A component that may do it, and why.
#[derive(Debug, Serialize)]
pub struct Requester {
    /// The component.
    pub component: ComponentId,
    /// The slot that names the object, if the verb takes one.
    pub slot: Option<String>,
    /// The author's reason.
    pub why: String,
    /// The line of policy that allows it.
    pub policy: String,
    /// Why it does not run there yet: it is not accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_accepted: Option<String>,
}

/// An action that a never-rule removed.
#[derive(Debug, Serialize)]
pub struct Withheld {
    /// Its id.
    pub id: ActionId,
    /// The component that asked for it.
    #[serde(flatten)]
    pub asked: Requester,
    /// The line of the rule.
    pub rule: String,
    /// The reason of the rule.
    pub rule_why: String,
}

/// Reviews all targets, or one target, or one component on all its targets.
#[must_use]
pub fn review(ops: &Ops, target: Option<&TargetName>, component: Option<&ComponentId>) -> Review {
    let mut granted = BTreeSet::new();
    let targets = ops.fleet.targets.values().filter(|on| target.is_none_or(|name| *name == on.name));
    let targets = targets.map(|on| {
        let mut actions: BTreeMap<ActionId, Action> = BTreeMap::new();
        let mut withheld = Vec::new();
        let assigned = ops.assignments.get(&on.name).into_iter().flat_map(BTreeMap::keys);
        for id in assigned.filter(|id| component.is_none_or(|only| only == *id)) {
            let Some(grant) = ops.grant(id, &on.name) else {
                continue;
            };
            granted.insert(id);
            for granted in grant.entries() {
                let action = actions.entry(granted.action.id.clone()).or_insert_with(|| Action::new(granted));
                action.for_components.push(Requester::new(id, granted));
            }
            withheld.extend(grant.withheld.iter().map(|withheld| Withheld {
                id: withheld.granted.action.id.clone(),
                asked: Requester::new(id, &withheld.granted),
                rule: withheld.rule.to_string(),
                rule_why: withheld.why.clone(),
            }));
        }
        Target {
            target: on.name.clone(),
            access: access(&on.access),
            refused: ops.fleet.forbidden(on).map(|hit| hit.to_string()),
            actions: actions.into_values().collect(),
            withheld,
        }
    });
    let targets: Vec<_> = targets.collect();
    let mut shown: BTreeSet<&ComponentId> = component.into_iter().collect();
    if component.is_none() {
        shown.extend(targets.iter().filter_map(|on| ops.assignments.get(&on.target)).flat_map(BTreeMap::keys));
    }
    let own_past = granted.iter().filter_map(|id| {
        let why = ops.library.manifest(id.as_str())?.history.clone()?;
        Some(GivenHistory { component: (*id).clone(), why })
    });
    let own_past = own_past.collect();
    let fleet_wide =
        |id: &&ComponentId| ops.library.manifest(id.as_str()).is_some_and(|manifest| manifest.scope == Scope::Fleet);
    let together = granted
        .iter()
        .copied()
        .filter(fleet_wide)
        .map(|id| FleetWide { component: id.clone(), targets: ops.targets_of(id).cloned().collect() });
    let together = together.collect();
    let inert_wasi = granted.into_iter().filter_map(|id| {
        let wasi = ops.library.manifest(id.as_str())?.wasi.as_ref()?;
        Some(InertWasi { component: id.clone(), interfaces: wasi.interfaces.clone(), why: wasi.why.clone() })
    });
    let inert_wasi = inert_wasi.collect();
    let set = shown.iter().flat_map(|id| set_limits(ops, id)).collect();
    let unmet = shown.iter().flat_map(|id| unmet(ops, id)).collect();
    let anchors = ops.policy.anchors.iter().filter_map(|rule| anchor(rule, target)).collect();
    let anchors = if component.is_some() { Vec::new() } else { anchors };
    let unbound =
        unbound(ops, |found| target.is_none_or(|only| only == found), |id| component.is_none_or(|only| only == id));
    Review {
        format: "bailiwick.review/1",
        targets,
        anchors,
        inert_wasi,
        own_past,
        together,
        limits: set,
        unmet,
        unbound,
    }
}

/// An anchor, unless the review is of another target.
fn anchor(anchor: &policy::Anchor, only: Option<&TargetName>) -> Option<Anchor> {
    let (target, user) = match &anchor.to {
        policy::AnchorDestination::File { target, login, .. } => (Some(target.clone()), login.user.as_ref()),
        policy::AnchorDestination::Git(_) => (None, None),
    };
    let user = user.map(|user| user.as_str().to_owned());
    let (to, policy, why) = (anchor.to.to_string(), anchor.place.to_string(), anchor.why.clone());
    (only.is_none() || only == target.as_ref()).then_some(Anchor { target, user, to, line: HEAD_LINE, policy, why })
}

/// The parts of inert WASI that a component gets, in words: `clocks (fixed at the run's begin), io (…)`.
#[must_use]
pub fn inert(interfaces: &BTreeSet<WasiGroup>) -> String {
    interfaces.iter().map(|group| format!("{group} ({})", group.about())).collect::<Vec<_>>().join("; ")
}

fn set_limits(ops: &Ops, id: &ComponentId) -> Vec<SetLimit> {
    let changed = ops.budget(id).changed().filter(|(row, value, _)| *value != row.default);
    changed
        .map(|(row, value, origin)| SetLimit {
            component: id.clone(),
            name: row.name,
            value,
            default: row.default,
            policy: origin.place.to_string(),
            why: origin.why.clone(),
        })
        .collect()
}

/// The limits that a component asks for and does not have.
#[must_use]
pub fn unmet(ops: &Ops, id: &ComponentId) -> Vec<Unmet> {
    let asks = ops.library.manifest(id.as_str()).map(|manifest| manifest.limits.as_slice()).unwrap_or_default();
    let budget = ops.budget(id);
    budget
        .unmet(asks)
        .map(|ask| Unmet {
            component: id.clone(),
            name: ask.row.name,
            asked: ask.value,
            has: budget.value(ask.row),
            why: ask.why.clone(),
        })
        .collect()
}

/// The lines of policy that would give components the limits that they ask for, one table for each component. They are not
/// valid until the operator writes a reason.
#[must_use]
pub fn to_raise(unmet: &[Unmet]) -> String {
    let mut tables: BTreeMap<&ComponentId, String> = BTreeMap::new();
    for ask in unmet {
        let table =
            tables.entry(&ask.component).or_insert_with(|| format!("[[raise]]\ncomponent = \"{}\"\n", ask.component));
        // The author's reason goes into a comment. The operator has to give their own.
        table.push_str(&format!("{} = {}  # has {}; asked for: {}\n", ask.name, ask.asked, ask.has, ask.why));
    }
    tables.into_values().map(|table| table + "why = \"\"\n").collect::<Vec<_>>().join("\n")
}

impl Review {
    /// Marks each component that is not accepted, with the reason.
    pub fn mark(&mut self, ops: &Ops, lock_state: &LockState) {
        for target in &mut self.targets {
            let mut refusals: BTreeMap<ComponentId, Option<String>> = BTreeMap::new();
            for asked in target.actions.iter_mut().flat_map(|action| &mut action.for_components) {
                let refused = refusals.entry(asked.component.clone()).or_insert_with_key(|id| {
                    let grant = ops.grant(id, &target.target)?;
                    lock_state.allows(&ops.library, &grant).err().map(|refusal| refusal.on_one_line())
                });
                asked.not_accepted.clone_from(refused);
            }
        }
    }

    /// Every byte string that can reach a target, by target name. Never-hosts are left out.
    pub fn wire(&self) -> impl Iterator<Item = (&TargetName, String)> {
        let open = self.targets.iter().filter(|target| target.refused.is_none());
        let actions = open.flat_map(|target| target.actions.iter().map(|action| (&target.target, action.wire.text())));
        let anchors = self.anchors.iter().filter_map(|anchor| {
            let (_, file) = anchor.to.split_once(':')?;
            Some((anchor.target.as_ref()?, format!("sftp append {file} < {:?}", anchor.line)))
        });
        actions.chain(anchors)
    }
}

impl Action {
    fn new(granted: &Granted) -> Self {
        let spec = verbs::spec(granted.action.verb);
        Self {
            id: granted.action.id.clone(),
            effect: spec.effect,
            wire: granted.action.wire.clone(),
            reads: spec.reads,
            bytes_max: spec.bytes_max,
            timeout_s: spec.timeout.as_secs(),
            for_components: Vec::new(),
        }
    }
}

impl Requester {
    fn new(component: &ComponentId, granted: &Granted) -> Self {
        Self {
            component: component.clone(),
            slot: granted.key.as_ref().map(|key| key.as_str().to_owned()),
            why: granted.why.clone(),
            policy: match &granted.default {
                None => granted.place.to_string(),
                Some(default) => format!("{}, with the author's default of {default}", granted.place),
            },
            not_accepted: None,
        }
    }
}

fn access(access: &Access) -> String {
    match access {
        Access::Local => "this machine".to_owned(),
        Access::Ssh(ssh) => {
            let through = ssh.jump.as_ref().map(|jump| format!(" through {jump}")).unwrap_or_default();
            format!("{}@{}:{}{through}", ssh.user.as_str(), ssh.address, ssh.port)
        }
    }
}
