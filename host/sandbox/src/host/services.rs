//! Readers of the `services` verbs' answers, except the journal.

use super::text::{ended, failure, number, properties, whole};
use bailiwick_bindings::ops::services::{ActiveState, FailedUnit, StatusInfo, UsageInfo};
use bailiwick_core::model::Answer;
use bailiwick_core::model::VerbError;

use VerbError::Garbled;

pub(super) fn status(answer: &Answer) -> Result<StatusInfo, VerbError> {
    if !ended(answer, &[0]) {
        return Err(failure(answer));
    }
    let text = whole(answer)?;
    let values = properties(&text)?;
    let word = |key| values.get(key).copied().ok_or(Garbled);
    if word("LoadState")? == "not-found" {
        return Err(VerbError::NotFound);
    }
    // Microseconds since boot; 0 means "never". Kinds of units without a process lack the properties of one.
    let exited = values.get("ExecMainExitTimestampMonotonic").copied().unwrap_or("0");
    let exit_status = match number::<u64>(exited)? {
        0 => None,
        _ => Some(word("ExecMainStatus")?.parse().map_err(|_| Garbled)?),
    };
    #[expect(clippy::cast_precision_loss, reason = "2^53 µs are 285 years of uptime")]
    let since_boot = match number::<u64>(word("StateChangeTimestampMonotonic")?)? {
        0 => None,
        micros => Some(micros as f64 / 1e6),
    };
    // Not accounted for, or not accounted for by an older systemd.
    let memory = match values.get("MemoryCurrent").copied() {
        None | Some("[not set]" | "18446744073709551615" | "infinity") => None,
        Some(bytes) => Some(number(bytes)?),
    };
    Ok(StatusInfo {
        unit: word("Id")?.to_owned(),
        active: match word("ActiveState")? {
            "active" => ActiveState::Active,
            "reloading" => ActiveState::Reloading,
            "inactive" => ActiveState::Inactive,
            "failed" => ActiveState::Failed,
            "activating" => ActiveState::Activating,
            "deactivating" => ActiveState::Deactivating,
            "maintenance" => ActiveState::Maintenance,
            "" => return Err(Garbled),
            _ => ActiveState::Other,
        },
        sub_state: word("SubState")?.to_owned(),
        outcome: values.get("Result").copied().unwrap_or_default().to_owned(),
        enablement: word("UnitFileState")?.to_owned(),
        restarts: values.get("NRestarts").map_or(Ok(0), |count| number(count))?,
        exit_status,
        since_boot,
        memory,
    })
}

pub(super) fn usage(answer: &Answer) -> Result<UsageInfo, VerbError> {
    if !ended(answer, &[0]) {
        return Err(failure(answer));
    }
    let text = whole(answer)?;
    let values = properties(&text)?;
    let word = |key| values.get(key).copied().ok_or(Garbled);
    if word("LoadState")? == "not-found" {
        return Err(VerbError::NotFound);
    }
    // A value without accounting is missing, or is the largest number.
    let counted = |key: &str| match values.get(key).copied() {
        None | Some("[not set]" | "[no data]" | "18446744073709551615" | "infinity" | "") => Ok(None),
        Some(text) => number(text).map(Some),
    };
    #[expect(clippy::cast_precision_loss, reason = "2^53 µs are 285 years of uptime")]
    let started = match number::<u64>(word("ActiveEnterTimestampMonotonic")?)? {
        0 => None,
        micros => Some(micros as f64 / 1e6),
    };
    Ok(UsageInfo {
        unit: word("Id")?.to_owned(),
        active: word("ActiveState")? == "active",
        started_since_boot: started,
        cpu_ns: counted("CPUUsageNSec")?,
        memory: counted("MemoryCurrent")?,
        memory_peak: counted("MemoryPeak")?,
        io_read: counted("IOReadBytes")?,
        io_written: counted("IOWriteBytes")?,
        tasks: counted("TasksCurrent")?,
    })
}

/// `unit load active sub description`, one a line.
pub(super) fn failed(answer: &Answer) -> Result<Vec<FailedUnit>, VerbError> {
    if !ended(answer, &[0]) {
        return Err(failure(answer));
    }
    let unit = |line: &str| {
        let mut rest = line;
        let mut word = || {
            let (word, after) = rest.trim_start().split_once(' ').unwrap_or((rest.trim_start(), ""));
            rest = after;
            if word.is_empty() { Err(Garbled) } else { Ok(word.to_owned()) }
        };
        let (unit, _load, active, sub_state) = (word()?, word()?, word()?, word()?);
        // A unit has a suffix; a bullet, a header or a legend has none.
        if active != "failed" || !unit.contains('.') {
            return Err(Garbled);
        }
        Ok(FailedUnit { unit, sub_state, description: rest.trim().to_owned() })
    };
    whole(answer)?.lines().map(unit).collect()
}
