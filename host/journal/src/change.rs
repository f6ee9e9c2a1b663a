//! The events of changes, as the journal records them.
//!
//! Knows: the words of the format, which never change. Must not know: which event may follow which (`change` knows that). An event
//! is on the disk before the action that it announces. An outcome is written only when it is known: a missing outcome is unknown,
//! and is reported as unknown.

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use bailiwick_core::model::{ActionId, ChangeId, ComponentId, Severity, State, Tainted, TargetName, Way};

/// One event of a change, of a plan, or of the kill switch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// A fix made a plan, which is stored.
    Planned {
        /// Its digest.
        plan: String,
        /// The fix.
        fix: ComponentId,
        /// The target.
        target: TargetName,
        /// The run that planned it.
        run: u64,
        /// The account that asked for it.
        who: String,
    },
    /// A fix ran and made no plan.
    NotPlanned {
        /// The fix.
        fix: ComponentId,
        /// The target.
        target: TargetName,
        /// The run, if there was one.
        run: Option<u64>,
        /// Why not.
        why: NotPlanned,
    },
    /// A plan was not applied. Nothing that changes the target was sent.
    Denied {
        /// The plan's digest.
        plan: String,
        /// The target.
        target: TargetName,
        /// The rule.
        code: Denial,
        /// The reason.
        why: String,
        /// The account that asked.
        who: String,
    },
    /// A plan was not applied because the target already has the planned state.
    NoOp {
        /// The plan's digest.
        plan: String,
        /// The target.
        target: TargetName,
        /// The account that asked.
        who: String,
    },
    /// A change takes its place in the day's budget, before anything else is done for it.
    Budget {
        /// The change.
        change: ChangeId,
        /// Its plan.
        plan: String,
        /// The target.
        target: TargetName,
        /// The day in the fleet's budget. None for a rehearsal, which uses no budget.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        day: Option<Date>,
        /// The clock at that time.
        clock: Reading,
    },
    /// A change begins.
    Begun {
        /// The change.
        change: ChangeId,
        /// Its fix.
        fix: ComponentId,
        /// SHA-256 of the fix's bytes.
        component: String,
        /// The objects that other changes must not touch while this one is open.
        objects: Vec<String>,
        /// The number of steps.
        steps: u32,
        /// Who approved it.
        consent: Consent,
        /// The time after which the target rolls the change back by itself, unless it is confirmed.
        dead_man_seconds: u32,
        /// The number of times that the kill switch was used.
        stop_epoch: u64,
        /// The findings of the related probes before the change.
        baseline: Vec<Observed>,
    },
    /// The target's gate opened the change, and counts the seconds.
    Opened {
        /// The change.
        change: ChangeId,
        /// The controller's clock: the target counts from here on.
        clock: Reading,
    },
    /// A step is about to be sent.
    StepIntent {
        /// The change.
        change: ChangeId,
        /// The number of the step, from 1.
        step: u32,
        /// Apply or undo.
        way: Way,
        /// The action.
        action: ActionId,
    },
    /// The outcome of a step.
    StepOutcome {
        /// The change.
        change: ChangeId,
        /// The number of the step, from 1.
        step: u32,
        /// Apply or undo.
        way: Way,
        /// The outcome.
        outcome: StepEnd,
    },
    /// The change is paused: it neither continues nor rolls back.
    #[serde(rename = "held")] // The word of the format.
    Paused {
        /// The change.
        change: ChangeId,
        /// The reason.
        why: String,
    },
    /// The expected state was compared with the observed state, on a new connection.
    Proved {
        /// The change.
        change: ChangeId,
        /// True if every proof holds.
        holds: bool,
        /// The proofs.
        proofs: Vec<ProofResult>,
    },
    /// The gate is about to be asked to keep the change, or to close it after a rollback.
    Closing {
        /// The change.
        change: ChangeId,
        /// True: keep it. False: it was rolled back.
        keep: bool,
    },
    /// The rollback of the change begins.
    #[serde(rename = "undoing")] // The word of the format.
    RollingBack {
        /// The change.
        change: ChangeId,
        /// The reason.
        why: String,
        /// The person who asked for it. None: the host decided.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        who: Option<String>,
    },
    /// The change ended.
    Ended {
        /// The change.
        change: ChangeId,
        /// How it ended.
        end: End,
        /// The reason, if it is not obvious.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        why: Option<String>,
    },
    /// Recovery inspected a change whose end was unknown. Nothing was changed by that.
    #[serde(rename = "found")] // The word of the format.
    Inspected {
        /// The change.
        change: ChangeId,
        /// What the gate reports, and the states of the objects.
        #[serde(rename = "said")] // The word of the format.
        proofs: Vec<ProofResult>,
    },
    /// A person allows changes again on a target with a stuck change.
    #[serde(rename = "released")] // The word of the format.
    Unblocked {
        /// The change.
        change: ChangeId,
        /// The person.
        who: String,
        /// The reason.
        why: String,
    },
    /// The kill switch is on.
    Stopped {
        /// The number of times that it was used.
        epoch: u64,
        /// The person.
        who: String,
        /// The reason.
        why: String,
    },
    /// A person switched the kill switch off.
    Resumed {
        /// The number of times that it was used.
        epoch: u64,
        /// The person.
        who: String,
        /// The reason.
        why: String,
    },
    /// A person confirmed that the clock is right.
    ClockConfirmed {
        /// The clock.
        clock: Reading,
        /// The person.
        who: String,
        /// The reason.
        why: String,
    },
    /// A fix was applied, rolled back, compared and applied again on a staging target.
    Rehearsed {
        /// The fix.
        fix: ComponentId,
        /// SHA-256 of its bytes.
        component: String,
        /// The staging target.
        target: TargetName,
        /// The gate's script, by its digest.
        gate: String,
        /// The two changes of the rehearsal.
        changes: Vec<ChangeId>,
        /// True if everything was rolled back byte for byte, and works.
        holds: bool,
    },
    /// The daily round: everything was checked again. Nothing was changed.
    Round {
        /// The day, in policy's time zone.
        day: Date,
        /// The sweep that checked everything.
        sweep: u64,
        /// The results for earlier changes whose objects and proofs were checked again.
        verified: Vec<ProofResult>,
        /// True if everything is as those changes left it.
        holds: bool,
        /// The clock at that time.
        clock: Reading,
    },
}

/// Why a fix has no plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NotPlanned {
    /// The fix refuses, and names who has to act.
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
    /// The proposal is not allowed here.
    Rejected {
        /// In the host's words.
        why: Vec<String>,
    },
    /// The fix could not check, or broke.
    Failed {
        /// In the host's words.
        why: String,
    },
}

/// The rule by which a plan was not applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Denial {
    /// The kill switch is on.
    #[serde(rename = "E-KILL")]
    Kill,
    /// The program was asked to stop.
    #[serde(rename = "E-INTERRUPTED")]
    Interrupted,
    /// The system clock looks wrong.
    #[serde(rename = "E-CLOCK")]
    Clock,
    /// No change window is open.
    #[serde(rename = "E-WINDOW")]
    Window,
    /// The budget of the day is used, or the last change was too recent.
    #[serde(rename = "E-BUDGET")]
    Budget,
    /// There is no approval of the plan.
    #[serde(rename = "E-APPROVAL")]
    Approval,
    /// It was not rehearsed.
    #[serde(rename = "E-REHEARSAL")]
    Rehearsal,
    /// Another change is open, or the target is blocked.
    #[serde(rename = "E-OPEN-CHANGE")]
    OpenChange,
    /// The gate differs from what is expected, is missing, or is closed.
    #[serde(rename = "E-GATE")]
    Gate,
    /// A person is working on the target.
    #[serde(rename = "E-PEOPLE")]
    People,
    /// The objects or the rules differ from those of the plan.
    #[serde(rename = "E-CONFLICT")]
    Conflict,
    /// Policy does not allow the plan.
    #[serde(rename = "E-POLICY")]
    Policy,
    /// The target could not be reached or checked.
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

/// Who approved a change.
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
    /// A rehearsal on a staging target needs no approval.
    Rehearsal {
        /// The account.
        who: String,
    },
}

/// The outcome of a step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepEnd {
    /// The step was done.
    Done {
        /// The state of the object, as the gate reports it.
        state: State,
    },
    /// The gate did not do it, and the object is as it was.
    NotDone {
        /// Its words.
        why: Tainted,
    },
    /// The outcome is unknown: the answer did not come.
    Unknown {
        /// In the host's words.
        why: String,
    },
}

/// How a change ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum End {
    /// The change was applied and proved.
    Applied,
    /// The change was rolled back.
    RolledBack,
    /// The change never began.
    NotBegun,
    /// The rollback failed; a person has to act.
    Stuck,
}

/// A finding of a probe, as far as findings before and after a change are compared.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Observed {
    /// The probe.
    pub probe: ComponentId,
    /// The severity. None: the probe could not check.
    pub severity: Option<Severity>,
    /// The finding's code. Empty if the probe could not check.
    pub code: String,
    /// The subject of the finding, or why the probe could not check.
    pub subject: Tainted,
}

/// The result of one proof.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProofResult {
    /// What was proved: `state of file /etc/x`, `probe postgres-exporter`.
    pub what: String,
    /// True if it is as expected.
    pub holds: bool,
    /// What was observed.
    #[serde(rename = "said")] // The word of the format, and of receipts.
    pub detail: Tainted,
}

/// A reading of the controller's clocks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reading {
    /// The time of day.
    pub wall: Timestamp,
    /// The boot of this machine, and the time since then, including sleep. None if the system does not report it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot: Option<Boot>,
}

/// The time since boot, which cannot be set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Boot {
    /// The boot's id.
    pub id: String,
    /// Milliseconds since boot.
    pub up_ms: u64,
}

impl Event {
    /// The change of this event.
    #[must_use]
    pub const fn change(&self) -> Option<&ChangeId> {
        match self {
            Self::Budget { change, .. }
            | Self::Begun { change, .. }
            | Self::Opened { change, .. }
            | Self::StepIntent { change, .. }
            | Self::StepOutcome { change, .. }
            | Self::Paused { change, .. }
            | Self::Proved { change, .. }
            | Self::Closing { change, .. }
            | Self::RollingBack { change, .. }
            | Self::Ended { change, .. }
            | Self::Inspected { change, .. }
            | Self::Unblocked { change, .. } => Some(change),
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

    /// The reading of the clocks, if the event has one.
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
