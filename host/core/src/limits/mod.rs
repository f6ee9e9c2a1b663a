//! All limits in one table: what each bounds, its value, and who may change it.
//!
//! Knows: numbers and words. Must not know: which component a limit applies to. Attacks answered: a guest that exhausts a
//! resource (GR), a component that exhausts its reader or the compiler (LK01, LK02, LK05), and a limit that is raised without
//! naming the component.
//!
//! A *default* applies to every component. `[limits]` of a policy lowers it for all, `[[raise]]` sets it for the components
//! that it names, up to `max`, which is never exceeded. `bailiwick limits` prints the table.

mod effective;
mod table;

use std::time::Duration;

use serde::Serialize;

use crate::nearest::did_you_mean;

pub use effective::{Budget, Budgets, Origin};
pub use table::{FIXED, Limits, SETTABLE};

/// The maximum size of any component's file, in bytes. `component-bytes` is the limit of each component.
pub const COMPONENT_BYTES_MAX: u64 = 64 << 20;
/// The maximum memory of any worker, in bytes. `worker-bytes` is the limit of each worker.
pub const WORKER_BYTES_MAX: u64 = 16 << 30;
/// Stack for wasm frames, in bytes. Part of the engine's configuration, the same for every run.
pub const STACK_BYTES: u64 = 512 << 10;
/// Calls beyond the last allowed one that are still answered with `exhausted`.
pub const EXHAUSTED_TRIES: u64 = 16;
/// The maximum answer of any verb, in bytes. Each verb has its own in `verbs`.
pub const ANSWER_BYTES: u64 = 1 << 20;
/// The maximum wait of any verb, in seconds. Each verb has its own in `verbs`.
pub const ANSWER_S: u64 = 20;
/// Maximum message of a worker: a report of 256 KiB of text, its numbers, and a margin.
pub const WORKER_MESSAGE_BYTES: u64 = 512 << 10;
/// Open files of a worker: the socket, its copy, the two null devices, and a margin.
pub const WORKER_FILES: u64 = 8;
/// Deaths of a component's worker after which it is not started again.
pub const DEATHS: u64 = 2;
/// Components compiled at once.
pub const COMPILING: u64 = 4;
/// Targets checked concurrently, unless `--jobs` sets another number.
pub const JOBS: u64 = 64;
/// The maximum of `--jobs`.
pub const JOBS_MAX: u64 = 1_000;
/// Channels open at once on one connection.
pub const CHANNELS: u64 = 8;

/// Maximum bytes that are read from one anchor: half a million heads.
pub const ANCHOR_BYTES: u64 = 64 << 20;
/// Maximum seconds for one anchor, once it is connected.
pub const ANCHOR_S: u64 = 30;

/// The unit of a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    /// Things.
    Count,
    /// Bytes.
    Bytes,
    /// Milliseconds.
    Milliseconds,
    /// Seconds.
    Seconds,
}

/// Who may change a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SetBy {
    /// Policy: `[limits]` lowers it, `[[raise]]` raises it.
    Policy,
    /// An option of the command line.
    Option(&'static str),
    /// It is fixed, for this reason.
    #[serde(rename = "nobody")] // This value is part of the format `bailiwick.limits/1`.
    Fixed(&'static str),
}

/// One limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// Its key in a policy.
    pub name: &'static str,
    /// The value if policy sets none.
    pub default: u64,
    /// The hard maximum.
    pub max: u64,
    /// Its unit.
    pub unit: Unit,
    /// What it bounds.
    pub bounds: &'static str,
    /// What happens when it is reached.
    pub reached: &'static str,
    /// Who may change it.
    pub set_by: SetBy,
}

/// A limit that a component's author asks for. Asking grants nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitRequest {
    /// The limit.
    pub row: &'static Row,
    /// The value.
    pub value: u64,
    /// The author's reason.
    pub why: String,
}

/// All limits. Those that policy may set come first.
pub fn all() -> impl Iterator<Item = &'static Row> {
    SETTABLE.iter().chain(FIXED)
}

/// Why a name or a value is not valid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LimitError {
    /// There is no limit of this name.
    #[error("there is no limit `{name}`")]
    Unknown {
        /// The name.
        name: String,
    },
    /// The limit is fixed.
    #[error("the limit `{name}` cannot be set here: {why}")]
    Fixed {
        /// Its name.
        name: &'static str,
        /// The reason.
        why: String,
    },
    /// Not a whole number.
    #[error("a limit is a whole number{0}, from 1")]
    NotANumber(&'static str),
    /// Above the hard maximum.
    #[error("`{name}` is at most {max} for any component")]
    Beyond {
        /// Its name.
        name: &'static str,
        /// The hard maximum, as printed.
        max: String,
    },
}

impl LimitError {
    /// The hint.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::Unknown { name } => {
                did_you_mean(name, SETTABLE.iter().map(|row| row.name)) + "`bailiwick limits` lists all limits"
            }
            Self::Fixed { .. } => "`bailiwick limits` lists the limits that policy can set".to_owned(),
            Self::NotANumber(_) => "to keep a component from running, remove it from its [[grant]]".to_owned(),
            Self::Beyond { .. } => "no policy can raise it further; make the component need less".to_owned(),
        }
    }
}

/// The limit of this name that policy may set.
///
/// # Errors
/// When the limit does not exist, or policy cannot set it.
pub fn row(name: &str) -> Result<&'static Row, LimitError> {
    match all().find(|row| row.name == name) {
        Some(row) if row.set_by == SetBy::Policy => Ok(row),
        Some(row) => Err(LimitError::Fixed {
            name: row.name,
            why: match row.set_by {
                SetBy::Option(option) => format!("{option} sets it"),
                SetBy::Fixed(why) => why.to_owned(),
                SetBy::Policy => String::new(),
            },
        }),
        None => Err(LimitError::Unknown { name: name.to_owned() }),
    }
}

impl Row {
    /// Checks a value for this limit.
    ///
    /// # Errors
    /// When it is not a whole number from 1 to the hard maximum.
    pub fn value(&self, value: &toml::Value) -> Result<u64, LimitError> {
        let number = value.as_integer().and_then(|number| u64::try_from(number).ok()).filter(|number| *number > 0);
        let number = number.ok_or(LimitError::NotANumber(self.unit.noun_suffix()))?;
        if number > self.max {
            Err(LimitError::Beyond { name: self.name, max: self.shown(self.max) })
        } else {
            Ok(number)
        }
    }

    /// A value with its unit, as printed.
    #[must_use]
    pub fn shown(&self, value: u64) -> String {
        self.unit.shown(value)
    }
}

impl Unit {
    /// The words after "a whole number".
    const fn noun_suffix(self) -> &'static str {
        match self {
            Self::Count => "",
            Self::Bytes => " of bytes",
            Self::Milliseconds => " of milliseconds",
            Self::Seconds => " of seconds",
        }
    }

    /// A number with its unit: exact, and with a round size beside it if there is one.
    #[must_use]
    pub fn shown(self, value: u64) -> String {
        match self {
            Self::Count => value.to_string(),
            Self::Milliseconds => format!("{value} ms"),
            Self::Seconds => format!("{value} s"),
            Self::Bytes => {
                let sizes = [(30, "GiB"), (20, "MiB"), (10, "KiB")];
                match sizes.iter().find(|(shift, _)| value >= 1 << shift && value.trailing_zeros() >= shift - 1) {
                    Some((shift, name)) if value.trailing_zeros() >= *shift => {
                        format!("{value} bytes ({} {name})", value >> shift)
                    }
                    Some((shift, name)) => format!("{value} bytes ({}.5 {name})", value >> shift),
                    None => format!("{value} bytes"),
                }
            }
        }
    }
}

impl Limits {
    /// The wall time of a run.
    #[must_use]
    pub const fn wall(&self) -> Duration {
        Duration::from_millis(self.wall_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_order() {
        let mut names: Vec<_> = all().map(|row| row.name).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count, "a name is there once");
        for row in all() {
            assert!((1..=row.max).contains(&row.default), "{row:?}");
            assert!(row.name.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'), "{row:?}");
            assert!(!row.bounds.is_empty() && !row.reached.is_empty(), "{row:?}");
        }
        assert!(SETTABLE.iter().all(|row| row.set_by == SetBy::Policy));
        assert!(FIXED.iter().all(|row| row.set_by != SetBy::Policy));
    }

    #[test]
    fn a_row_and_its_field_are_one() {
        for row in SETTABLE {
            let mut limits = Limits::default();
            assert_eq!(limits.get(row.name), Some(row.default), "{}", row.name);
            limits.set(row, 7);
            assert_eq!(limits.get(row.name), Some(7), "{}", row.name);
            let others = SETTABLE.iter().filter(|other| other.name != row.name);
            assert!(others.clone().all(|other| limits.get(other.name) == Some(other.default)), "{}", row.name);
        }
    }

    #[test]
    fn a_slip_of_the_finger_is_recognised() {
        let hint = |name: &str| LimitError::Unknown { name: name.to_owned() }.hint();
        for (typed, meant) in
            [("memory-byte", "memory-bytes"), ("feul", "fuel"), ("wall", "wall-ms"), ("local", "locals")]
        {
            assert!(hint(typed).starts_with(&format!("did you mean `{meant}`")), "{}", hint(typed));
        }
        assert_eq!(hint("cpu-shares"), "`bailiwick limits` lists all limits");
    }

    #[test]
    fn sizes_read_well() {
        for (value, shown) in [
            (8 << 20, "8388608 bytes (8 MiB)"),
            (1536 << 20, "1610612736 bytes (1.5 GiB)"),
            (512 << 10, "524288 bytes (512 KiB)"),
            (200, "200 bytes"),
            (7_654_321, "7654321 bytes"),
        ] {
            assert_eq!(Unit::Bytes.shown(value), shown);
        }
    }
}
