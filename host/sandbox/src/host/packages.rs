//! Readers of what apt would do, and of the age of its package lists.
//!
//! Attack answered: a repository chooses names, versions and labels. A line that is not apt's makes the answer garbled,
//! so that a greeting or a cut is never read as "nothing to do" (TG05); a label can only make an upgrade more urgent.

use super::text::{ended, failure, known_message, number, whole};
use bailiwick_bindings::ops::packages::{ListsInfo, Upgrade};
use bailiwick_core::model::Answer;
use bailiwick_core::model::VerbError;

use VerbError::Garbled;

const LISTS: &str = "/var/lib/apt/lists";
const PARTIAL: &str = "/var/lib/apt/lists/partial";
const SUCCESS: &str = "/var/lib/apt/periodic/update-success-stamp";

pub(super) fn pending(answer: &Answer) -> Result<Vec<Upgrade>, VerbError> {
    if !ended(answer, &[0]) {
        return Err(failure(answer));
    }
    let text = whole(answer)?;
    let mut upgrades = Vec::new();
    for line in text.lines() {
        match line.split_once(' ') {
            Some(("Inst", rest)) => upgrades.push(upgrade(rest).ok_or(Garbled)?),
            // apt also plans to configure and to remove packages; only installations count.
            Some(("Conf" | "Remv" | "Purg", _)) => {}
            _ => return Err(Garbled),
        }
    }
    Ok(upgrades)
}

/// `NAME [INSTALLED] (CANDIDATE ORIGIN, ORIGIN [ARCH]) [what it waits for]`; without brackets if it is new.
fn upgrade(line: &str) -> Option<Upgrade> {
    let (name, rest) = line.split_once(' ')?;
    let (installed, rest) = match rest.strip_prefix('[') {
        Some(rest) => rest.split_once("] ").map(|(version, rest)| (Some(version.to_owned()), rest))?,
        None => (None, rest),
    };
    let (inner, _) = rest.strip_prefix('(')?.split_once("])")?;
    let (versions, _arch) = inner.rsplit_once(" [")?;
    let (candidate, origin) = versions.split_once(' ')?;
    let is_word = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic());
    let fits = is_word(name) && is_word(candidate) && installed.as_deref().is_none_or(is_word);
    fits.then(|| Upgrade {
        name: name.to_owned(),
        installed,
        candidate: candidate.to_owned(),
        origin: origin.to_owned(),
        security: origin.split(", ").any(is_security),
    })
}

/// `Debian-Security:12/stable-security`, `Ubuntu:22.04/jammy-security`.
fn is_security(origin: &str) -> bool {
    origin.ends_with("-security") || origin.starts_with("Debian-Security:")
}

/// `seconds,path`, one a line. A missing file has no line.
pub(super) fn lists(answer: &Answer) -> Result<ListsInfo, VerbError> {
    if !ended(answer, &[0, 1]) {
        return Err(failure(answer));
    }
    let mut info = ListsInfo { changed: None, tried: None, succeeded: None };
    let text = whole(answer)?;
    for line in text.lines() {
        let (seconds, path) = line.split_once(',').ok_or(Garbled)?;
        let place = match path {
            LISTS => &mut info.changed,
            PARTIAL => &mut info.tried,
            SUCCESS => &mut info.succeeded,
            _ => return Err(Garbled),
        };
        if place.replace(number(seconds)?).is_some() {
            return Err(Garbled);
        }
    }
    match info {
        // There is no apt, or `stat` has other options.
        ListsInfo { changed: None, tried: None, succeeded: None } => Err(match known_message(answer) {
            Some(VerbError::NotFound) | None => VerbError::Unsupported,
            Some(error) => error,
        }),
        info => Ok(info),
    }
}
