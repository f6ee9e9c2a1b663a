//! What an entry can say. Fields are written in this order; a new field is optional, a changed one is a new format.
//! A new kind of entry is a new format too.

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
    /// From 1, without gaps.
    pub seq: u64,
    /// The controller's clock.
    pub time: Timestamp,
    /// What happened.
    pub entry: Entry,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Entry {
    /// The journal begins; further on: an older one goes on in this format.
    Journal {
        /// [`super::FORMAT`].
        format: String,
    },
    /// The writer before this one did not finish: what it left.
    Recovered {
        /// Bytes after the last whole entry, kept in a file beside the journal.
        torn_bytes: u64,
        /// That file.
        torn_file: Option<String>,
        /// Entries that `head` names and that are gone.
        missing: u64,
        /// `head` itself was gone or unreadable, so that nobody knows what was cut.
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
    #[serde(rename = "not-looked")]
    NotChecked {
        /// The sweep.
        sweep: u64,
        /// The target.
        target: TargetName,
        /// True: no grant can reach it. False: it could not be reached.
        refused: bool,
        /// Why.
        cause: String,
    },
    /// The host would not run a component.
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
    /// Compiled code in the cache was not what it must be. It was thrown away, and the component compiled again.
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
    /// A call that the grant does not hold. Nothing was sent.
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
        /// What the guest said to name an object.
        slot: Option<Tainted>,
    },
    /// A fix has put a change on its list. Nothing was sent, and nothing is changed by it.
    Staged {
        /// The run.
        run: u64,
        /// From 1 in each run, with its other calls.
        call: u32,
        /// The change.
        action: ActionId,
        /// Bytes that the fix made for it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        computed: Option<Blob>,
    },
    /// A change that did not get onto the list.
    StageRefused {
        /// The run.
        run: u64,
        /// From 1 in each run, with its other calls.
        call: u32,
        /// The verb.
        verb: Verb,
        /// What the guest said to name an object.
        slot: Option<Tainted>,
        /// What the guest said to name a content.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        content: Option<Tainted>,
        /// What it was told.
        error: StageError,
        /// What the operator is told.
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
    /// What came of an intent.
    Outcome {
        /// The intent's number.
        intent: u64,
        /// The target's answer, or why there is none.
        outcome: Outcome,
        /// How long it took.
        elapsed_ms: u64,
        /// When it was asked, to the microsecond, where the answer means nothing without that.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        timing: Option<Timing>,
        /// Secrets that were taken out of the answer before anybody saw it, by rule. Neither what nor how long they were.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        redacted: BTreeMap<RuleName, u32>,
    },
    /// A call answered with what another run of the sweep was told.
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
        /// The intent that was answered.
        intent: u64,
    },
    /// A line from a component, for whoever debugs it.
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
    /// Retention lets evidence go. It is removed after this entry is on the disk: what is missing and named here is pruned,
    /// unless a later entry names it again.
    Pruned {
        /// What goes, by digest.
        evidence: Vec<Sha>,
        /// The rules of policy that say so.
        rule: String,
    },
    /// The head of the journal, which covers this entry, is about to be copied.
    Anchoring {
        /// To which anchors.
        to: Vec<String>,
    },
    /// What came of it.
    Anchored {
        /// The head that was copied.
        head: u64,
        /// Its hash.
        hash: String,
        /// Why it failed, if it did, by anchor.
        results: BTreeMap<String, Option<String>>,
    },
    /// A person or a program stopped the sweep. What was under way has no end.
    Interrupted {
        /// `SIGINT` or `SIGTERM`.
        signal: String,
    },
    /// A sweep ended.
    SweepEnded {
        /// The sweep.
        sweep: u64,
        /// What has held in every worker of it; none: no worker was started, or an older program wrote this.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        lockdown: Option<Lockdown>,
    },
    /// Something happened to a change, a plan, or what holds them.
    Change(Event),
}

/// What a target said.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It answered.
    Answer {
        /// Raw.
        stdout: Blob,
        /// Raw.
        stderr: Blob,
        /// How the program ended.
        exit: Exit,
    },
    /// It did not.
    Failed {
        /// What the guest was told.
        error: VerbError,
        /// In the host's words.
        cause: String,
    },
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunEnd {
    /// It looked.
    Report(Report),
    /// A fix has planned.
    Decided(Decision),
    /// It could not.
    #[serde(rename = "could-not-look")]
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
    /// They stand here.
    Here(Vec<u8>),
    /// They are kept as evidence.
    Kept {
        /// Their digest.
        sha256: Sha,
        /// How many there are.
        bytes: u64,
    },
}

impl Default for Blob {
    fn default() -> Self {
        Self::Here(Vec::new())
    }
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum BlobText {
    Text(String),
    Base64 { base64: Base64 },
    Kept { sha256: Sha, bytes: u64 },
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
            BlobText::Text(text) => Self::Here(text.into_bytes()),
            BlobText::Base64 { base64 } => Self::Here(base64.0),
            BlobText::Kept { sha256, bytes } => Self::Kept { sha256, bytes },
        }
    }
}

impl From<Blob> for BlobText {
    fn from(blob: Blob) -> Self {
        match blob {
            Blob::Here(bytes) => match String::from_utf8(bytes) {
                Ok(text) => Self::Text(text),
                Err(error) => Self::Base64 { base64: Base64(error.into_bytes()) },
            },
            Blob::Kept { sha256, bytes } => Self::Kept { sha256, bytes },
        }
    }
}
