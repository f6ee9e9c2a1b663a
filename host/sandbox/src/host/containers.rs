//! Readers of the output of podman and docker about containers, as JSON: `ps` and `container inspect`.
//!
//! Podman lists one array, docker one object a line. Their words for states differ, and both are read as one. Attacks answered:
//! an image's author chooses labels, commands and names, and a container what its check prints (TG05): fields are read by name,
//! a duplicate field or one of another type makes the answer garbled, and nested values are skipped. Environment, command,
//! labels and mounts are not returned: no field here could hold them.

use jiff::Timestamp;
use serde::Deserialize;

use super::Context;
use super::text::{ended, failure, number, whole};
use bailiwick_bindings::ops::containers::{Container, Health, State, StatusInfo};
use bailiwick_core::model::Answer;
use bailiwick_core::model::Exit;
use bailiwick_core::model::VerbError;

use VerbError::Garbled;

/// Messages of the two programs, and their meaning. Docker's client prints the same for a daemon that is not installed and for
/// one that is not running.
const MESSAGES: &[(&str, VerbError)] = &[
    ("no such container", VerbError::NotFound),
    ("No such container", VerbError::NotFound),
    ("permission denied while trying to connect", VerbError::NotPermitted),
    ("permission denied", VerbError::NotPermitted),
    ("Cannot connect to the Docker daemon", VerbError::Unsupported),
    ("unable to connect to Podman", VerbError::Unsupported),
    ("failed to connect to the docker API", VerbError::Unsupported),
    ("unknown flag", VerbError::Unsupported),
    ("cannot read logs", VerbError::Unsupported),
    ("does not support reading", VerbError::Unsupported),
];

/// Why there is no answer, by the messages of the programs.
pub(super) fn failure_of(answer: &Answer) -> VerbError {
    let text = String::from_utf8_lossy(&answer.stderr);
    // 126 and 127 come from `env`, and also from podman, which returns the status of a container.
    let known = matches!(answer.exit, Exit::Status(status) if !matches!(status, 126 | 127));
    let own = MESSAGES.iter().find(|(message, _)| known && text.contains(message));
    own.map_or_else(|| failure(answer), |(_, error)| *error)
}

/// One container of `ps`, of either program. Other fields are skipped.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Listed {
    names: Names,
    image: String,
    state: String,
    status: String,
    restarts: Option<u32>,
    /// Only podman has it; docker has both in `status`.
    exited: Option<bool>,
    exit_code: Option<i32>,
    started_at: Option<i64>,
}

/// Podman has a list, docker a text with commas.
#[derive(Deserialize)]
#[serde(untagged)]
enum Names {
    List(Vec<String>),
    Text(String),
}

impl Names {
    /// The container's own name. Docker also lists the names that other containers use for it, as `OTHER/NAME`.
    fn own(self) -> Option<String> {
        let names = match self {
            Self::List(names) => names,
            Self::Text(text) => text.split(',').map(str::to_owned).collect(),
        };
        names.into_iter().find(|name| !name.is_empty() && !name.contains('/'))
    }
}

pub(super) fn list(answer: &Answer) -> Result<Vec<Container>, VerbError> {
    if !ended(answer, &[0]) {
        return Err(failure_of(answer));
    }
    let text = whole(answer)?;
    let listed: Vec<Listed> = if text.starts_with('[') {
        serde_json::from_str(&text).map_err(|_| Garbled)?
    } else if !text.is_empty() && text.lines().all(|line| line == "json") {
        // An older docker reads the word as a template, and prints it for each container.
        return Err(VerbError::Unsupported);
    } else {
        text.lines().map(serde_json::from_str).collect::<Result<_, _>>().map_err(|_| Garbled)?
    };
    listed.into_iter().map(container).collect()
}

fn container(raw: Listed) -> Result<Container, VerbError> {
    let state = state(&raw.state)?;
    let has_ended = raw.exited.unwrap_or(matches!(state, State::Exited | State::Restarting));
    let exit_code = match (has_ended, raw.exit_code) {
        (false, _) => None,
        (true, Some(code)) => Some(code),
        (true, None) => Some(code_in(&raw.status).ok_or(Garbled)?),
    };
    Ok(Container {
        name: raw.names.own().ok_or(Garbled)?,
        image: raw.image,
        state,
        health: if state == State::Running { health_in(&raw.status) } else { Health::None },
        restarts: raw.restarts,
        exit_code,
        // Before 1970 means never.
        started_ms: raw.started_at.and_then(|seconds| u64::try_from(seconds).ok()?.checked_mul(1000)),
    })
}

/// The words of both programs.
fn state(word: &str) -> Result<State, VerbError> {
    Ok(match word {
        "created" | "configured" | "initialized" => State::Created,
        "running" => State::Running,
        "paused" => State::Paused,
        "restarting" => State::Restarting,
        "stopping" => State::Stopping,
        "exited" | "stopped" => State::Exited,
        "removing" => State::Removing,
        "dead" => State::Dead,
        "" => return Err(Garbled),
        _ => State::Other,
    })
}

/// `Up 17 seconds ago (healthy)`, `Up 2 minutes (health: starting)`, `Up 3 hours`.
fn health_in(status: &str) -> Health {
    match status.rsplit_once('(').map(|(_, word)| word.trim_end_matches(')')) {
        None => Health::None,
        Some(word) => health(word.trim_start_matches("health: ")),
    }
}

fn health(word: &str) -> Health {
    match word {
        // An older podman prints an empty word.
        "" | "none" => Health::None,
        "starting" => Health::Starting,
        "healthy" => Health::Healthy,
        "unhealthy" => Health::Unhealthy,
        _ => Health::Other,
    }
}

/// `Exited (137) 4 seconds ago`, `Restarting (1) 3 seconds ago`.
fn code_in(status: &str) -> Option<i32> {
    let (_, rest) = status.split_once('(')?;
    number(rest.split_once(')')?.0).ok()
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Inspected {
    name: String,
    /// Podman has it here; docker has it in `Config`.
    image_name: Option<String>,
    config: Option<Config>,
    restart_count: u32,
    state: InspectedState,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Config {
    image: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct InspectedState {
    status: String,
    exit_code: i32,
    #[serde(rename = "OOMKilled")]
    oom_killed: bool,
    #[serde(default)]
    error: String,
    started_at: String,
    finished_at: String,
    /// Podman before 4 uses another name. A container without a check has none, or an empty one.
    #[serde(alias = "Healthcheck")]
    health: Option<InspectedHealth>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct InspectedHealth {
    status: String,
    failing_streak: u32,
    log: Option<Vec<Checked>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Checked {
    output: String,
}

/// The container of the slot. A container that was matched by its id is `not-found`: both programs accept the beginning of an
/// id as a name.
pub(super) fn status(answer: &Answer, context: Context<'_>) -> Result<StatusInfo, VerbError> {
    let container = inspected(answer)?;
    let is_named = |literal: &str| literal.split_once('/').is_some_and(|(_, name)| name == container.name);
    if context.literal.is_none_or(is_named) { Ok(container) } else { Err(VerbError::NotFound) }
}

fn inspected(answer: &Answer) -> Result<StatusInfo, VerbError> {
    if !ended(answer, &[0]) {
        return Err(failure_of(answer));
    }
    let mut all: Vec<Inspected> = serde_json::from_str(&whole(answer)?).map_err(|_| Garbled)?;
    let (Some(one), true) = (all.pop(), all.is_empty()) else { return Err(Garbled) };
    let (state, raw) = (state(&one.state.status)?, one.state);
    let (health, failing_streak, checked) = match raw.health {
        Some(check) => (health(&check.status), check.failing_streak, check.log.unwrap_or_default().pop()),
        None => (Health::None, 0, None),
    };
    Ok(StatusInfo {
        // Docker's name begins with a slash.
        name: one.name.strip_prefix('/').unwrap_or(&one.name).to_owned(),
        image: one.image_name.or(one.config.and_then(|config| config.image)).ok_or(Garbled)?,
        state,
        health: if state == State::Running { health } else { Health::None },
        failing_streak,
        health_output: checked.map(|checked| checked.output.trim().to_owned()).unwrap_or_default(),
        restarts: one.restart_count,
        exit_code: raw.exit_code,
        oom_killed: raw.oom_killed,
        error: raw.error,
        started_ms: time(&raw.started_at)?,
        finished_ms: time(&raw.finished_at)?,
    })
}

/// RFC 3339 with any offset. The year 1 means never.
fn time(text: &str) -> Result<Option<u64>, VerbError> {
    let time: Timestamp = text.parse().map_err(|_| Garbled)?;
    Ok(u64::try_from(time.as_millisecond()).ok())
}
