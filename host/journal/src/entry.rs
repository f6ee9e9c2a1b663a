//! The content of entries. Fields are written in this order. A new field is optional; a changed field or a new kind of entry is
//! a new format.
//!
//! Knows: the words of the format. Must not know: who writes or reads them. Words of the format never change: a renamed variant or
//! field keeps its old word with `#[serde(rename)]`.

use std::collections::BTreeMap;

use data_encoding::BASE64;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::change::Event;
use super::evidence::Sha;
use super::start::RunStart;
use bailiwick_core::model::{
    ActionId, ComponentId, Decision, Lockdown, Report, RuleName, RunFault, StageError, Tainted, TargetName, Verb,
    VerbError,
};
use bailiwick_core::model::{Exit, Timing};

/// One entry: number, time, content.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The number, from 1, without gaps.
    pub seq: u64,
    /// The time, by the controller's clock.
    pub time: Timestamp,
    /// What happened.
    pub entry: Entry,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Entry {
    /// The journal begins. A later entry of this kind: an older journal continues in this format.
    Journal {
        /// [`super::FORMAT`].
        format: String,
    },
    /// The writer before this one did not finish.
    Recovered {
        /// Number of bytes after the last whole entry. They are kept in a file beside the journal.
        torn_bytes: u64,
        /// That file.
        torn_file: Option<String>,
        /// Number of entries that `head` counts and that are missing.
        missing: u64,
        /// True if `head` itself was missing or unreadable, so that a cut cannot be detected.
        head_lost: bool,
        /// Runs that began and did not end.
        open_runs: Vec<u64>,
    },
    /// A sweep begins. Its number is this entry's.
    SweepStarted {
        /// The program's version.
        bailiwick: String,
        /// SHA-256 of each policy file that was read, by name.
        files: BTreeMap<String, String>,
        /// Targets asked for.
        targets: Vec<TargetName>,
    },
    /// A target was not checked.
    #[serde(rename = "not-looked")] // The word of the format.
    NotChecked {
        /// The sweep.
        sweep: u64,
        /// The target.
        target: TargetName,
        /// True: a never-rule refuses it. False: it could not be reached.
        refused: bool,
        /// Why.
        cause: String,
    },
    /// The host refused to run a component.
    LoadRefused {
        /// The sweep.
        sweep: u64,
        /// The component.
        component: ComponentId,
        /// SHA-256 of its bytes.
        digest: String,
        /// Why.
        reason: String,
    },
    /// Compiled code in the cache was not valid. It was deleted, and the component was compiled again.
    CacheRejected {
        /// The sweep.
        sweep: u64,
        /// The component.
        component: ComponentId,
        /// SHA-256 of its bytes.
        digest: String,
        /// Why.
        reason: String,
    },
    /// A run begins. Its number is this entry's.
    RunStarted(RunStart),
    /// A call that the grant does not contain. Nothing was sent.
    CallRefused {
        /// The run.
        run: u64,
        /// From 1 in each run.
        call: u32,
        /// The target, in a run on several.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        on: Option<TargetName>,
        /// The verb.
        verb: Verb,
        /// The guest's name of the object.
        slot: Option<Tainted>,
    },
    /// A fix added a change to its list. Nothing was sent, and nothing is changed by it.
    Staged {
        /// The run.
        run: u64,
        /// From 1 in each run, with its other calls.
        call: u32,
        /// The change.
        action: ActionId,
        /// Bytes that the fix computed for it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        computed: Option<Blob>,
    },
    /// A change that was not added to the list.
    StageRefused {
        /// The run.
        run: u64,
        /// From 1 in each run, with its other calls.
        call: u32,
        /// The verb.
        verb: Verb,
        /// The guest's name of the object.
        slot: Option<Tainted>,
        /// The guest's name of the content.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        content: Option<Tainted>,
        /// The error that the guest got.
        error: StageError,
        /// The cause, for the operator.
        cause: String,
    },
    /// An action is about to be sent.
    Intent {
        /// The run.
        run: u64,
        /// From 1 in each run.
        call: u32,
        /// The target, in a run on several.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        on: Option<TargetName>,
        /// The action.
        action: ActionId,
    },
    /// The outcome of an intent.
    Outcome {
        /// The number of the intent's entry.
        intent: u64,
        /// The target's answer, or why there is none.
        outcome: Outcome,
        /// How long it took.
        elapsed_ms: u64,
        /// When the action was sent, to the microsecond, if the answer has no meaning without it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        timing: Option<Timing>,
        /// The number of secrets that were removed from the answer before it was used, by rule. Neither their text nor their length.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        redacted: BTreeMap<RuleName, u32>,
    },
    /// A call that got the answer of another run of the sweep.
    Shared {
        /// The run.
        run: u64,
        /// From 1 in each run.
        call: u32,
        /// The target, in a run on several.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        on: Option<TargetName>,
        /// The action.
        action: ActionId,
        /// The intent that has the answer.
        intent: u64,
    },
    /// A line of a component's log.
    Note {
        /// The run.
        run: u64,
        /// Its line.
        text: Tainted,
    },
    /// A run ended.
    RunEnded {
        /// The run.
        run: u64,
        /// How.
        end: RunEnd,
        /// Instructions that the guest spent.
        fuel: u64,
        /// SHA-256 of the report, as `bailiwick-report-v1` computes it. Only older programs wrote it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        report: Option<Sha>,
        /// SHA-256 of the report, as `bailiwick-report-v2` computes it. If an entry has neither digest, the run has no report or an
        /// older program wrote it. An older program ignores this field, and compares the report itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        report_v2: Option<Sha>,
    },
    /// Retention removes evidence, after this entry is on the disk. Evidence that is named here and missing is pruned, unless a later
    /// entry names it again.
    Pruned {
        /// The digests of the evidence.
        evidence: Vec<Sha>,
        /// The limits in policy.
        rule: String,
    },
    /// The head of the journal, which covers this entry, is about to be copied.
    Anchoring {
        /// The anchors.
        to: Vec<String>,
    },
    /// The results of copying the head.
    Anchored {
        /// The number of the entry that was copied as the head.
        head: u64,
        /// Its hash.
        hash: String,
        /// For each anchor, why it failed. None: it did not fail.
        results: BTreeMap<String, Option<String>>,
    },
    /// A person or a program stopped the sweep. Runs that had not ended have no end.
    Interrupted {
        /// `SIGINT` or `SIGTERM`.
        signal: String,
    },
    /// A sweep ended.
    SweepEnded {
        /// The sweep.
        sweep: u64,
        /// The lockdown that every worker of it had. None: no worker was started, or an older program wrote this.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        lockdown: Option<Lockdown>,
    },
    /// An event of a change, of a plan, or of the kill switch.
    Change(Event),
}

/// The outcome of an action.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The target answered.
    Answer {
        /// Raw standard output.
        stdout: Blob,
        /// Raw standard error.
        stderr: Blob,
        /// How the program ended.
        exit: Exit,
    },
    /// There is no answer.
    Failed {
        /// The error that the guest got.
        error: VerbError,
        /// The cause, in the host's words.
        cause: String,
    },
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunEnd {
    /// The component reported findings.
    Report(Report),
    /// A fix decided.
    Decided(Decision),
    /// The component could not check.
    #[serde(rename = "could-not-look")] // The word of the format.
    CouldNotCheck {
        /// The component's words.
        reason: Tainted,
        /// The verb error behind it.
        error: Option<VerbError>,
    },
    /// The component broke.
    Fault(RunFault),
}

/// Raw bytes: in the entry, as text where they are UTF-8, else in base64; or beside the journal, by their digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "BlobText", into = "BlobText")]
pub enum Blob {
    /// The bytes are in the entry.
    Inline(Vec<u8>),
    /// The bytes are beside the journal, as evidence.
    Evidence {
        /// Their digest.
        sha256: Sha,
        /// Their number.
        bytes: u64,
    },
}

impl Default for Blob {
    fn default() -> Self {
        Self::Inline(Vec::new())
    }
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum BlobText {
    Text(String),
    Base64 { base64: Base64 },
    Evidence { sha256: Sha, bytes: u64 },
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
struct Base64(Vec<u8>);

impl TryFrom<String> for Base64 {
    type Error = data_encoding::DecodeError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        BASE64.decode(text.as_bytes()).map(Self)
    }
}

impl From<Base64> for String {
    fn from(bytes: Base64) -> Self {
        BASE64.encode(&bytes.0)
    }
}

impl From<BlobText> for Blob {
    fn from(text: BlobText) -> Self {
        match text {
            BlobText::Text(text) => Self::Inline(text.into_bytes()),
            BlobText::Base64 { base64 } => Self::Inline(base64.0),
            BlobText::Evidence { sha256, bytes } => Self::Evidence { sha256, bytes },
        }
    }
}

impl From<Blob> for BlobText {
    fn from(blob: Blob) -> Self {
        match blob {
            Blob::Inline(bytes) => match String::from_utf8(bytes) {
                Ok(text) => Self::Text(text),
                Err(error) => Self::Base64 { base64: Base64(error.into_bytes()) },
            },
            Blob::Evidence { sha256, bytes } => Self::Evidence { sha256, bytes },
        }
    }
}
