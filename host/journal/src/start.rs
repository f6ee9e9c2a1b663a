//! How a run starts: the component, its targets, and what the run is given on each target.
//!
//! Knows: how an entry writes that. Must not know: where a grant comes from, or who reads the entry.
//!
//! An entry has the first target's fields beside the run's own, and a list of the other targets, because the first programs
//! knew one target alone. This is the one place that knows it: elsewhere all targets of a run are alike.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use bailiwick_core::model::{ActionId, ComponentId, ParamValue, Phase, SlotKey, TargetName};

/// The start of a run. The run's number is the number of its entry.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(from = "Written", into = "Written")]
pub struct RunStart {
    /// The sweep.
    pub sweep: u64,
    /// The component.
    pub component: ComponentId,
    /// Its version, from its manifest.
    pub version: String,
    /// SHA-256 of its bytes.
    pub digest: String,
    /// The first target in the run's order.
    pub first: RunTarget,
    /// The other targets, in the run's order. Most runs have none.
    pub others: Vec<RunTarget>,
    /// The time that the component's clock shows, in milliseconds since 1970.
    pub now_ms: u64,
    /// Limits that differ from the defaults, by name.
    pub limits: BTreeMap<String, u64>,
    /// The number of the component's bytes, if they are kept beside the journal. Older programs kept none.
    pub kept_bytes: Option<u64>,
    /// The part of a fix's work. A probe has none.
    pub phase: Option<Phase>,
}

/// What a run is given on one of its targets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunTarget {
    /// The target.
    pub target: TargetName,
    /// Digest of the grant.
    pub grant: String,
    /// Every action that the run may ask for there.
    pub actions: Vec<Granted>,
    /// The component's parameters there.
    pub params: BTreeMap<String, ParamValue>,
    /// Actions that never-rules withhold from it there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub withheld: Vec<Withheld>,
    /// When the component's latest run there that could check began, as the component gets it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_ms: Option<u64>,
    /// The component's earlier numbers there, as it gets them. None if it gets none; older programs gave none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub earlier: Option<Past>,
}

/// One action of a run's grant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Granted {
    /// How the guest names the object.
    pub key: Option<SlotKey>,
    /// The action.
    pub action: ActionId,
    /// Its exact wire form.
    pub wire: String,
}

/// Which earlier numbers a run is given: those of these runs. The numbers themselves are in the ends of those runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Past {
    /// The runs, oldest first.
    pub runs: Vec<u64>,
    /// SHA-256 over the numbers, as `history` computes it.
    pub digest: String,
}

/// One action that a never-rule withholds from a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Withheld {
    /// How the guest would name the object.
    pub key: Option<SlotKey>,
    /// The action.
    pub action: ActionId,
    /// The rule's place: `policy.toml:31`.
    pub rule: String,
    /// The rule's reason.
    pub why: String,
}

impl RunStart {
    /// The targets, in the run's order.
    pub fn targets(&self) -> impl Iterator<Item = &RunTarget> {
        std::iter::once(&self.first).chain(&self.others)
    }

    /// The targets, in the run's order.
    pub fn into_targets(self) -> impl Iterator<Item = RunTarget> {
        std::iter::once(self.first).chain(self.others)
    }
}

/// A start as its entry writes it, in the order of its fields there.
#[derive(Serialize, Deserialize)]
struct Written {
    sweep: u64,
    component: ComponentId,
    version: String,
    digest: String,
    target: TargetName,
    grant: String,
    actions: Vec<Granted>,
    params: BTreeMap<String, ParamValue>,
    now_ms: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    previous_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    earlier: Option<Past>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    others: Vec<RunTarget>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    withheld: Vec<Withheld>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    limits: BTreeMap<String, u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kept_bytes: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    phase: Option<Phase>,
}

impl From<Written> for RunStart {
    fn from(written: Written) -> Self {
        let Written { sweep, component, version, digest, target, grant, actions, params, now_ms, .. } = written;
        let Written { previous_ms, earlier, others, withheld, limits, kept_bytes, phase, .. } = written;
        let first = RunTarget { target, grant, actions, params, withheld, previous_ms, earlier };
        Self { sweep, component, version, digest, first, others, now_ms, limits, kept_bytes, phase }
    }
}

impl From<RunStart> for Written {
    fn from(start: RunStart) -> Self {
        let RunStart { sweep, component, version, digest, first, others, now_ms, limits, kept_bytes, phase } = start;
        let RunTarget { target, grant, actions, params, withheld, previous_ms, earlier } = first;
        Self {
            sweep,
            component,
            version,
            digest,
            target,
            grant,
            actions,
            params,
            now_ms,
            previous_ms,
            earlier,
            others,
            withheld,
            limits,
            kept_bytes,
            phase,
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::Entry;

    /// Every program that wrote this format wrote this line.
    #[test]
    fn an_entry_has_the_first_target_beside_the_fields_of_the_run() {
        let line = concat!(
            r#"{"kind":"run-started","sweep":1,"component":"clock-skew","version":"1.0.0","digest":"aa","target":"db","#,
            r#""grant":"bb","actions":[],"params":{},"now_ms":5,"previous_ms":4,"others":[{"target":"web","grant":"cc","#,
            r#""actions":[],"params":{}}],"limits":{"calls":7},"phase":"plan"}"#
        );
        let entry: Entry = serde_json::from_str(line).unwrap();
        let Entry::RunStarted(start) = &entry else { panic!("{entry:?}") };
        assert_eq!(start.targets().map(|on| on.target.as_str()).collect::<Vec<_>>(), ["db", "web"]);
        assert_eq!(start.targets().map(|on| on.previous_ms).collect::<Vec<_>>(), [Some(4), None]);
        assert_eq!(serde_json::to_string(&entry).unwrap(), line);
    }
}
