//! Readers of the `files` verbs' answers. On this machine the transport reads the file itself and reports a failure as
//! `head` would: status 1, and the system's words on standard error.

use super::text::{ended, failure, number, whole};
use bailiwick_bindings::ops::files::{Content, Kind, StatInfo};
use bailiwick_core::model::Answer;
use bailiwick_core::model::VerbError;
use bailiwick_core::verbs::READ_BYTES;

pub(super) fn read(answer: &Answer) -> Result<Content, VerbError> {
    if !ended(answer, &[0]) {
        return Err(failure(answer));
    }
    // One byte more was asked for than a guest gets.
    let bytes = answer.stdout.get(..READ_BYTES).unwrap_or(&answer.stdout).to_vec();
    Ok(Content { truncated: bytes.len() < answer.stdout.len(), bytes })
}

pub(super) fn stat(answer: &Answer) -> Result<StatInfo, VerbError> {
    if !ended(answer, &[0]) {
        return Err(failure(answer));
    }
    let text = whole(answer)?;
    let line = text.strip_suffix('\n').filter(|line| !line.contains('\n')).ok_or(VerbError::Garbled)?;
    let columns: Vec<&str> = line.split(',').collect();
    let [mode, size, modified, owner, group] = columns[..] else { return Err(VerbError::Garbled) };
    let mode = u32::from_str_radix(mode, 16).map_err(|_| VerbError::Garbled)?;
    Ok(StatInfo {
        kind: match mode & 0o170_000 {
            0o100_000 => Kind::Regular,
            0o040_000 => Kind::Directory,
            0o120_000 => Kind::Symlink,
            _ => Kind::Other,
        },
        size: number(size)?,
        modified: match modified.strip_prefix('-') {
            Some(before) => -number::<i64>(before)?,
            None => number(modified)?,
        },
        mode: mode & 0o7777,
        owner: owner.to_owned(),
        group: group.to_owned(),
    })
}
