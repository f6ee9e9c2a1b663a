//! Reader of `podman logs --timestamps` and `docker logs --timestamps`: a time, a space, and the line.
//!
//! Attack answered: the container chooses every line (TG05). The runtime puts a time before each, so none can be forged: a
//! line of standard output without one is garbled. On standard error the runtime and a login shell print their own messages: a
//! line without a time there is not from the container.

use jiff::Timestamp;

use super::containers::failure_of;
use super::text::{ended, whole};
use bailiwick_bindings::ops::containers::{Channel, LogLine};
use bailiwick_core::model::Answer;
use bailiwick_core::model::VerbError;

use VerbError::Garbled;

/// The value of `--tail`.
const LINES: usize = 1_000;

pub(super) fn logs(answer: &Answer) -> Result<Vec<LogLine>, VerbError> {
    if !ended(answer, &[0]) {
        return Err(failure_of(answer));
    }
    let output = whole(answer)?;
    let mut lines: Vec<LogLine> =
        output.lines().map(|text| line(text, Channel::Output).ok_or(Garbled)).collect::<Result<_, _>>()?;
    let errors = String::from_utf8_lossy(&answer.stderr);
    lines.extend(errors.lines().filter_map(|text| line(text, Channel::Error)));
    if lines.len() > LINES {
        return Err(Garbled);
    }
    // A stable sort: lines of the same millisecond keep their order.
    lines.sort_by_key(|line| line.time_ms);
    Ok(lines)
}

fn line(text: &str, channel: Channel) -> Option<LogLine> {
    let (time, text) = text.split_once(' ').unwrap_or((text, ""));
    let time: Timestamp = time.parse().ok()?;
    let time_ms = u64::try_from(time.as_millisecond()).ok()?;
    Some(LogLine { time_ms, channel, text: text.strip_suffix('\r').unwrap_or(text).to_owned() })
}
