//! What happens to changes, as the journal says it. `change` knows what may follow what; here are only the words.
//!
//! Each is on the disk before what it announces is done. A word about an outcome is written when the outcome is known, and not
//! before: what is missing is unknown, and is told as that.

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use bailiwick_core::model::{ActionId, ChangeId, ComponentId, Severity, State, Tainted, TargetName, Way};

/// One thing that happened to a change, to a plan, or to what holds all of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// A fix has planned, and the plan is kept.
    Planned {
        /// Its digest.
        plan: String,
        /// The fix.
        fix: ComponentId,
        /// Where.
        target: TargetName,
        /// The run that planned it.
        run: u64,
        /// Who asked for it: the account.
        who: String,
    },
    /// A fix was asked and there is no plan.
    NotPlanned {
        /// The fix.
        fix: ComponentId,
        /// Where.
        target: TargetName,
        /// The run, if there was one.
        run: Option<u64>,
        /// Why not.
        why: NotPlanned,
    },
    /// A plan was not carried out. Nothing was sent that changes anything.
    Denied {
        /// The plan's digest.
        plan: String,
        /// Where.
        target: TargetName,
        /// Which rule.
        code: Denial,
        /// In the host's words.
        why: String,
        /// Who asked: the account.
        who: String,
    },
    /// A plan was not carried out because everything is already as it says.
    NoOp {
        /// The plan's digest.
        plan: String,
        /// Where.
        target: TargetName,
        /// Who asked: the account.
        who: String,
    },
    /// A change takes its place in the day's budget, before anything else is done for it.
    Budget {
        /// The change.
        change: ChangeId,
        /// Its plan.
        plan: String,
        /// Where.
        target: TargetName,
        /// Whose budget: the fleet's; none for a rehearsal, which has none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        day: Option<Date>,
        /// When.
        clock: Reading,
    },
    /// It begins.
    Begun {
        /// The change.
        change: ChangeId,
        /// Its fix.
        fix: ComponentId,
        /// SHA-256 of the fix's bytes.
        component: String,
        /// What others must leave alone meanwhile.
        objects: Vec<String>,
        /// How many steps there are.
        steps: u32,
        /// Who said yes.
        consent: Consent,
        /// When the target undoes it by itself, if nobody says otherwise.
        dead_man_seconds: u32,
        /// How often the kill switch has been used.
        stop_epoch: u64,
        /// What the probes of everything that it touches said before.
        baseline: Vec<Seen>,
    },
    /// The target's gate has opened it, and counts the seconds.
    Opened {
        /// The change.
        change: ChangeId,
        /// When, by the controller's clock: from here on the target counts.
        clock: Reading,
    },
    /// A step is about to be sent.
    StepIntent {
        /// The change.
        change: ChangeId,
        /// Which, from 1.
        step: u32,
        /// Which way.
        way: Way,
        /// The action.
        action: ActionId,
    },
    /// What came of it.
    StepOutcome {
        /// The change.
        change: ChangeId,
        /// Which, from 1.
        step: u32,
        /// Which way.
        way: Way,
        /// What.
        outcome: StepEnd,
    },
    /// It stays where it is: neither forwards nor back.
    Held {
        /// The change.
        change: ChangeId,
        /// Why.
        why: String,
    },
    /// What it was to show, held against what is to be seen, on a new connection.
    Proved {
        /// The change.
        change: ChangeId,
        /// Every proof holds.
        holds: bool,
        /// Each.
        proofs: Vec<Shown>,
    },
    /// The gate is about to be told to keep it (true), or that it is undone (false).
    Closing {
        /// The change.
        change: ChangeId,
        /// To keep it.
        keep: bool,
    },
    /// From here on it goes back.
    Undoing {
        /// The change.
        change: ChangeId,
        /// Why.
        why: String,
        /// Who asked, if a person did.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        who: Option<String>,
    },
    /// It is over.
    Ended {
        /// The change.
        change: ChangeId,
        /// How.
        end: End,
        /// Why, where that is not plain.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        why: Option<String>,
    },
    /// What was found out of a change that nobody knew the end of. Nothing was changed for it.
    Found {
        /// The change.
        change: ChangeId,
        /// What the gate says, and what the objects are.
        said: Vec<Shown>,
    },
    /// A person lets changes go on where one was stuck.
    Released {
        /// The change.
        change: ChangeId,
        /// Who.
        who: String,
        /// Why.
        why: String,
    },
    /// The kill switch is on.
    Stopped {
        /// How often it has been used.
        epoch: u64,
        /// Who.
        who: String,
        /// Why.
        why: String,
    },
    /// A person has put the kill switch off.
    Resumed {
        /// How often it has been used.
        epoch: u64,
        /// Who.
        who: String,
        /// Why.
        why: String,
    },
    /// A person says that the clock is right, whatever it said before.
    ClockConfirmed {
        /// What it says.
        clock: Reading,
        /// Who.
        who: String,
        /// Why.
        why: String,
    },
    /// A fix was carried out, taken back, compared and carried out again on a stand-in.
    Rehearsed {
        /// The fix.
        fix: ComponentId,
        /// SHA-256 of its bytes.
        component: String,
        /// The stand-in.
        target: TargetName,
        /// The program of the gate.
        gate: String,
        /// The two changes that it was.
        changes: Vec<ChangeId>,
        /// Everything came back byte for byte, and works.
        holds: bool,
    },
    /// The day's round: all was looked at again, and nothing changed.
    Round {
        /// Day, in policy's zone.
        day: Date,
        /// The sweep that looked at everything.
        sweep: u64,
        /// Earlier changes whose objects and proofs were looked at again.
        verified: Vec<Shown>,
        /// All is as it was left.
        holds: bool,
        /// When.
        clock: Reading,
    },
}

/// Why a fix has no plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NotPlanned {
    /// It refuses, and says whose fix it is.
    Refused {
        /// Its words.
        reason: Tainted,
        /// Its words.
        owner: Tainted,
    },
    /// There is nothing to do.
    Nothing {
        /// Its words.
        why: Tainted,
    },
    /// What it wants is not done here.
    Rejected {
        /// In the host's words.
        why: Vec<String>,
    },
    /// It could not look, or broke.
    Failed {
        /// In the host's words.
        why: String,
    },
}

/// Which rule a plan was not carried out by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Denial {
    /// The kill switch is on.
    #[serde(rename = "E-KILL")]
    Kill,
    /// Whoever started the program wants it to end.
    #[serde(rename = "E-INTERRUPTED")]
    Interrupted,
    /// The clock cannot be right.
    #[serde(rename = "E-CLOCK")]
    Clock,
    /// Not now.
    #[serde(rename = "E-WINDOW")]
    Window,
    /// The day's changes are used up, or the last was too short a time ago.
    #[serde(rename = "E-BUDGET")]
    Budget,
    /// Nobody has said yes to this.
    #[serde(rename = "E-APPROVAL")]
    Approval,
    /// It was not rehearsed.
    #[serde(rename = "E-REHEARSAL")]
    Rehearsal,
    /// Another change is open, or the target is frozen.
    #[serde(rename = "E-OPEN-CHANGE")]
    OpenChange,
    /// The gate is another, or not there, or closed.
    #[serde(rename = "E-GATE")]
    Gate,
    /// Somebody is at work.
    #[serde(rename = "E-PEOPLE")]
    People,
    /// The objects are not what the plan says, or the rules it was made under are others now.
    #[serde(rename = "E-CONFLICT")]
    Conflict,
    /// The plan is none that is carried out.
    #[serde(rename = "E-POLICY")]
    Policy,
    /// The target could not be reached or looked at.
    #[serde(rename = "E-TARGET")]
    Target,
}

impl Denial {
    /// As people and programs know it: `E-WINDOW`.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Kill => "E-KILL",
            Self::Interrupted => "E-INTERRUPTED",
            Self::Clock => "E-CLOCK",
            Self::Window => "E-WINDOW",
            Self::Budget => "E-BUDGET",
            Self::Approval => "E-APPROVAL",
            Self::Rehearsal => "E-REHEARSAL",
            Self::OpenChange => "E-OPEN-CHANGE",
            Self::Gate => "E-GATE",
            Self::People => "E-PEOPLE",
            Self::Conflict => "E-CONFLICT",
            Self::Policy => "E-POLICY",
            Self::Target => "E-TARGET",
        }
    }
}

/// Who said yes to a change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "kebab-case")]
pub enum Consent {
    /// A person at a terminal, who typed the plan's digest.
    Terminal {
        /// The account.
        who: String,
    },
    /// An approver's signature.
    Signature {
        /// Whose.
        principal: String,
        /// The key's.
        fingerprint: String,
        /// SHA-256 of the statement that was signed: it counts once.
        statement: String,
    },
    /// Policy, for a plan of declared actions that was rehearsed.
    Unattended {
        /// The rehearsal's entry in the journal.
        rehearsal: u64,
    },
    /// It is a rehearsal, on a stand-in.
    Rehearsal {
        /// The account.
        who: String,
    },
}

/// What came of a step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepEnd {
    /// The object is now this.
    Done {
        /// What the gate says that it is.
        state: State,
    },
    /// The gate did not do it, and the object is as it was.
    NotDone {
        /// Its words.
        why: Tainted,
    },
    /// Nobody knows: the answer did not come.
    Unknown {
        /// In the host's words.
        why: String,
    },
}

/// How a change ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum End {
    /// It is done, and was proved.
    Applied,
    /// Everything is as it was.
    RolledBack,
    /// Nothing was ever done.
    NotBegun,
    /// Neither; a person has to look.
    Stuck,
}

/// What a probe said of something, as far as two such words are compared.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Seen {
    /// The probe.
    pub probe: ComponentId,
    /// How bad it is; none: it could not look.
    pub severity: Option<Severity>,
    /// The finding's code; empty if it could not look.
    pub code: String,
    /// What the finding is about, or why it could not look.
    pub subject: Tainted,
}

/// One proof, and what was seen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Shown {
    /// Of what: `state of file /etc/x`, `probe postgres-exporter`.
    pub what: String,
    /// It is as it must be.
    pub holds: bool,
    /// What was seen.
    pub said: Tainted,
}

/// What the controller's clocks say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reading {
    /// The time of day.
    pub wall: Timestamp,
    /// Which boot of this machine it is, and how long it has run, asleep or not, in milliseconds; none where the system does
    /// not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot: Option<Boot>,
}

/// A clock that nobody sets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Boot {
    /// The boot's id.
    pub id: String,
    /// Milliseconds since.
    pub up_ms: u64,
}

impl Event {
    /// The change that it is about.
    #[must_use]
    pub const fn change(&self) -> Option<&ChangeId> {
        match self {
            Self::Budget { change, .. }
            | Self::Begun { change, .. }
            | Self::Opened { change, .. }
            | Self::StepIntent { change, .. }
            | Self::StepOutcome { change, .. }
            | Self::Held { change, .. }
            | Self::Proved { change, .. }
            | Self::Closing { change, .. }
            | Self::Undoing { change, .. }
            | Self::Ended { change, .. }
            | Self::Found { change, .. }
            | Self::Released { change, .. } => Some(change),
            Self::Planned { .. }
            | Self::NotPlanned { .. }
            | Self::Denied { .. }
            | Self::NoOp { .. }
            | Self::Stopped { .. }
            | Self::Resumed { .. }
            | Self::ClockConfirmed { .. }
            | Self::Rehearsed { .. }
            | Self::Round { .. } => None,
        }
    }

    /// What the clocks said, where that was written down.
    #[must_use]
    pub const fn clock(&self) -> Option<&Reading> {
        match self {
            Self::Budget { clock, .. }
            | Self::Opened { clock, .. }
            | Self::ClockConfirmed { clock, .. }
            | Self::Round { clock, .. } => Some(clock),
            _ => None,
        }
    }
}
