//! The literal effect of a changing action on one object, and the states before and after it.
//!
//! Knows: kinds of changes and of states. Must not know: how a gate applies one, who may ask for it. Attack answered: a change
//! with a wider effect than its name (CH19, D20). Every change has exactly one object and an inverse.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::literal::{AbsolutePath, Container, UnitName};

/// A change to one object. `review`, the plan and the gate render this one value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
pub enum Change {
    /// Makes these bytes the whole content of a file. The previous content is kept and can be restored.
    Write {
        /// The file.
        path: AbsolutePath,
        /// The bytes.
        text: String,
    },
    /// The same with bytes that a component computes: always attended, and always with an approver's signature.
    WriteComputed {
        /// The file.
        path: AbsolutePath,
        /// The maximum size.
        bytes_max: u64,
    },
    /// Adds a line unless the file already has it.
    EnsureLine {
        /// The file.
        path: AbsolutePath,
        /// The line, without its end.
        line: String,
        /// The position of a missing line.
        at: At,
    },
    /// Removes every line that equals this one.
    RemoveLine {
        /// The file.
        path: AbsolutePath,
        /// The line, without its end.
        line: String,
    },
    /// Moves a file to the gate's own folder. Nothing is deleted.
    SetAside {
        /// The file.
        path: AbsolutePath,
    },
    /// Acts on a systemd unit.
    Unit {
        /// The unit.
        unit: UnitName,
        /// The act.
        act: UnitAct,
    },
    /// Restarts a container.
    RestartContainer {
        /// The container.
        container: Container,
    },
    /// Runs an operator's program, which has an inverse and a third program that checks which of the two is in effect.
    Command {
        /// The operator's name for it.
        name: String,
        /// Absolute program and arguments of the change.
        does: Vec<String>,
        /// Program and arguments of the undo.
        undoes: Vec<String>,
        /// Program and arguments of the check, which changes nothing: status 0 if the change is in effect, 1 if it is not.
        checks: Vec<String>,
    },
}

/// The position of a line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum At {
    /// Before all others.
    Start,
    /// After all others.
    #[default]
    End,
}

/// An act on a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UnitAct {
    /// Reloads its configuration.
    Reload,
    /// Stops and starts it. Only for units that policy calls stateless.
    Restart,
    /// Enables it at boot.
    Enable,
    /// Starts it.
    Start,
}

impl UnitAct {
    /// `systemctl`'s word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Reload => "reload",
            Self::Restart => "restart",
            Self::Enable => "enable",
            Self::Start => "start",
        }
    }
}

/// How a step is undone. Every kind of change has an inverse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Inverse {
    /// Restores the object from its snapshot: bytes, owner, mode; or removes it again.
    Restore,
    /// Returns a unit to its previous state: stopped, or disabled at boot.
    Revert,
    /// The operator's `undo`.
    Undo,
    /// Repeats the act after all other steps are undone, so that a program reads the restored files.
    Again,
}

impl Change {
    /// Its inverse.
    #[must_use]
    pub const fn inverse(&self) -> Inverse {
        match self {
            Self::Write { .. }
            | Self::WriteComputed { .. }
            | Self::EnsureLine { .. }
            | Self::RemoveLine { .. }
            | Self::SetAside { .. } => Inverse::Restore,
            Self::Unit { act: UnitAct::Enable | UnitAct::Start, .. } => Inverse::Revert,
            Self::Unit { act: UnitAct::Reload | UnitAct::Restart, .. } | Self::RestartContainer { .. } => {
                Inverse::Again
            }
            Self::Command { .. } => Inverse::Undo,
        }
    }

    /// The file that it changes.
    #[must_use]
    pub const fn path(&self) -> Option<&AbsolutePath> {
        match self {
            Self::Write { path, .. }
            | Self::WriteComputed { path, .. }
            | Self::EnsureLine { path, .. }
            | Self::RemoveLine { path, .. }
            | Self::SetAside { path } => Some(path),
            Self::Unit { .. } | Self::RestartContainer { .. } | Self::Command { .. } => None,
        }
    }

    /// The unit that it acts on.
    #[must_use]
    pub const fn unit(&self) -> Option<&UnitName> {
        if let Self::Unit { unit, .. } = self { Some(unit) } else { None }
    }

    /// The object, as changes are serialised on it: `file /etc/x`, `unit x.service`, `container podman/x`, `command x`.
    #[must_use]
    pub fn object(&self) -> String {
        match self {
            Self::Unit { unit, .. } => format!("unit {}", unit.as_str()),
            Self::RestartContainer { container } => format!("container {}", container.as_str()),
            Self::Command { name, .. } => format!("command {name}"),
            Self::Write { path, .. }
            | Self::WriteComputed { path, .. }
            | Self::EnsureLine { path, .. }
            | Self::RemoveLine { path, .. }
            | Self::SetAside { path } => format!("file {}", path.as_str()),
        }
    }

    /// The whole change on one line, with quoted texts and words. It is hashed into a grant and shown in a review.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::Write { path, text } => format!("write {} < {text:?}", path.as_str()),
            Self::WriteComputed { path, bytes_max } => {
                format!("write {} < up to {bytes_max} bytes that a person has signed", path.as_str())
            }
            Self::EnsureLine { path, line, at: At::Start } => format!("ensure line {} start < {line:?}", path.as_str()),
            Self::EnsureLine { path, line, at: At::End } => format!("ensure line {} end < {line:?}", path.as_str()),
            Self::RemoveLine { path, line } => format!("remove line {} < {line:?}", path.as_str()),
            Self::SetAside { path } => format!("set aside {}", path.as_str()),
            Self::Unit { unit, act } => format!("systemctl {} {}", act.word(), unit.as_str()),
            Self::RestartContainer { container } => format!("restart container {}", container.as_str()),
            Self::Command { name, does, undoes, checks } => {
                format!("command {name}: does {does:?}, undoes {undoes:?}, checks {checks:?}")
            }
        }
    }

    /// Whether every byte of it was reviewed before a component ran.
    #[must_use]
    pub const fn is_declared(&self) -> bool {
        !matches!(self, Self::WriteComputed { .. })
    }
}

/// The direction of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Way {
    /// Apply.
    Do,
    /// Undo.
    Undo,
    /// Repeat, after the other steps are undone.
    Again,
}

impl Way {
    /// The gate's word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Do => "do",
            Self::Undo => "undo",
            Self::Again => "again",
        }
    }
}

/// The state of an object, as far as a change depends on it: one word with a single spelling.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum State {
    /// The file does not exist: `absent`.
    Absent,
    /// A regular file: `file:SHA256:BYTES:MODE:UID:GID`, the mode in octal.
    File {
        /// SHA-256 of its bytes, 64 lower-case hex digits.
        sha256: String,
        /// Its size in bytes.
        bytes: u64,
        /// Permission bits.
        mode: u32,
        /// Its owner.
        uid: u32,
        /// Its group.
        gid: u32,
    },
    /// A unit: `unit:ACTIVE:ENABLED`, both in systemd's words, such as `unit:active:enabled`.
    Unit {
        /// `ActiveState`.
        active: String,
        /// `UnitFileState`; `-` if it has none.
        enabled: String,
    },
    /// A container: `container:STATUS`, in its runtime's word.
    Container {
        /// `.State.Status`.
        status: String,
    },
    /// The result of an operator's check: `command:done` or `command:undone`.
    Command {
        /// True if the check ended with 0, false if it ended with 1.
        done: bool,
    },
}

/// The word is not a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a state of an object")]
pub struct NoState;

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => f.write_str("absent"),
            Self::File { sha256, bytes, mode, uid, gid } => write!(f, "file:{sha256}:{bytes}:{mode:o}:{uid}:{gid}"),
            Self::Unit { active, enabled } => write!(f, "unit:{active}:{enabled}"),
            Self::Container { status } => write!(f, "container:{status}"),
            Self::Command { done } => f.write_str(if *done { "command:done" } else { "command:undone" }),
        }
    }
}

impl FromStr for State {
    type Err = NoState;
    fn from_str(text: &str) -> Result<Self, NoState> {
        let word = |text: &str| {
            let fits = (1..=32).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
            fits.then(|| text.to_owned()).ok_or(NoState)
        };
        let parts: Vec<_> = text.split(':').collect();
        let state = match parts.as_slice() {
            ["absent"] => Self::Absent,
            ["file", sha256, bytes, mode, uid, gid] => {
                let hex = sha256.len() == 64 && sha256.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
                Self::File {
                    sha256: hex.then(|| (*sha256).to_owned()).ok_or(NoState)?,
                    bytes: bytes.parse().map_err(|_| NoState)?,
                    mode: u32::from_str_radix(mode, 8).map_err(|_| NoState)?,
                    uid: uid.parse().map_err(|_| NoState)?,
                    gid: gid.parse().map_err(|_| NoState)?,
                }
            }
            ["unit", active, enabled] => Self::Unit { active: word(active)?, enabled: word(enabled)? },
            ["container", status] => Self::Container { status: word(status)? },
            ["command", "done"] => Self::Command { done: true },
            ["command", "undone"] => Self::Command { done: false },
            _ => return Err(NoState),
        };
        // Only one spelling is accepted, because words are hashed and compared.
        if state.to_string() == text { Ok(state) } else { Err(NoState) }
    }
}

impl TryFrom<String> for State {
    type Error = NoState;
    fn try_from(text: String) -> Result<Self, NoState> {
        text.parse()
    }
}

impl From<State> for String {
    fn from(state: State) -> Self {
        state.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_has_one_spelling() {
        let sha = "0".repeat(63) + "a";
        for good in [
            "absent",
            &format!("file:{sha}:12:644:0:0"),
            "unit:active:enabled",
            "unit:failed:-",
            "container:running",
            "command:done",
            "command:undone",
        ] {
            assert_eq!(good.parse::<State>().map(|state| state.to_string()).as_deref(), Ok(good));
        }
        for bad in [
            "",
            "Absent",
            "file",
            &format!("file:{sha}:012:644:0:0"),
            &format!("file:{sha}:12:0644:0:0"),
            &format!("file:{}:12:644:0:0", sha.to_uppercase()),
            "unit:active",
            "unit:active:enabled:x",
            "unit:a b:enabled",
            "command:maybe",
        ] {
            assert_eq!(bad.parse::<State>(), Err(NoState), "{bad}");
        }
    }
}
