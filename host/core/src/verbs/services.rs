//! systemd units. Every property is named: what `systemctl` adds in a later version cannot leak in.

use std::time::Duration;

use super::{
    Invocation,
    Part::{Object as Hole, Option, Word},
    Spec,
};
use crate::model::{Effect, Object};

pub(super) const STATUS: Spec = Spec {
    effect: Effect::Observe,
    object: Object::Unit,
    invocation: Invocation::Program(&[
        Word("systemctl"),
        Word("show"),
        Word("--no-pager"),
        Word(concat!(
            "--property=Id,LoadState,ActiveState,SubState,Result,UnitFileState,NRestarts,ExecMainStatus,",
            "ExecMainExitTimestampMonotonic,StateChangeTimestampMonotonic,MemoryCurrent"
        )),
        Hole,
    ]),
    bytes_max: 64 << 10,
    timeout: Duration::from_secs(10),
    reads: "state, restarts and memory of the unit",
};

pub(super) const FAILED: Spec = Spec {
    effect: Effect::Observe,
    object: Object::None,
    invocation: Invocation::Program(&[
        Word("systemctl"),
        Word("list-units"),
        Word("--no-pager"),
        Word("--no-legend"),
        Word("--plain"),
        Word("--full"),
        Word("--state=failed"),
    ]),
    bytes_max: 256 << 10,
    timeout: Duration::from_secs(10),
    reads: "units in state failed",
};

pub(super) const LOGS: Spec = Spec {
    effect: Effect::Observe,
    object: Object::Unit,
    invocation: Invocation::Program(&[
        Word("journalctl"),
        Word("--no-pager"),
        Word("--output=json"),
        Word("--output-fields=MESSAGE,PRIORITY"),
        Word("--priority=warning"),
        Word("--since=-24h"),
        Word("--lines=1000"),
        Option("--unit="),
    ]),
    bytes_max: 1 << 20,
    timeout: Duration::from_secs(20),
    reads: "the unit's warnings and errors of the last 24 h, 1,000 lines at most",
};

pub(super) const USAGE: Spec = Spec {
    effect: Effect::Observe,
    object: Object::Unit,
    invocation: Invocation::Program(&[
        Word("systemctl"),
        Word("show"),
        Word("--no-pager"),
        Word(concat!(
            "--property=Id,LoadState,ActiveState,ActiveEnterTimestampMonotonic,CPUUsageNSec,MemoryCurrent,MemoryPeak,",
            "IOReadBytes,IOWriteBytes,TasksCurrent"
        )),
        Hole,
    ]),
    bytes_max: 64 << 10,
    timeout: Duration::from_secs(10),
    reads: "processor time, memory, disk traffic and tasks of the unit",
};
