//! Makes the change from a verb and a literal, and applies the exclusions that only changes have.
//!
//! Knows: verbs, contents, gates, what is stateless. Must not know: never-rules, which exclude every kind of action. Attacks
//! answered: a change that cannot be applied or cannot be rolled back; a restart of something that holds state.

use super::Exclusions;
use crate::policy::Assignment;
use bailiwick_core::fleet::Target;
use bailiwick_core::manifest::{Body, Manifest, Slot};
use bailiwick_core::model::{Change, Changing, ContentName, Literal, LiteralError, UnitAct, Verb};
use bailiwick_core::verbs;
use bailiwick_core::verbs::{Tier, needs_content};

/// The contents that a verb may write into a slot's file, by name. A single `None` for a verb that writes no declared content.
pub(super) fn bodies<'m>(
    manifest: &'m Manifest,
    slot: &'m Slot,
    assignment: &'m Assignment,
    verb: Verb,
) -> Vec<(Option<&'m ContentName>, Option<&'m Body>)> {
    if !needs_content(verb) {
        return vec![(None, None)];
    }
    let declared = slot.content.iter().filter_map(|name| {
        let replaced = assignment.contents.get(name).map(|replaced| &replaced.body);
        let body = replaced.or_else(|| manifest.contents.get(name).map(|content| &content.body))?;
        body.fits(verb).then_some((Some(name), Some(body)))
    });
    declared.collect()
}

/// The change that a verb makes to a literal.
pub(super) fn changing(
    verb: Verb,
    literal: &Literal,
    content: Option<&ContentName>,
    body: Option<&Body>,
) -> Result<Changing, LiteralError> {
    let unit = |act| match literal {
        Literal::Unit(unit) => Some(Change::Unit { unit: unit.clone(), act }),
        _ => None,
    };
    let path = || match literal {
        Literal::Path(path) => Some(path.clone()),
        _ => None,
    };
    let change = match (verb, body) {
        (Verb::FilesChangeWrite, Some(Body::Text(text))) => {
            path().map(|path| Change::Write { path, text: text.clone() })
        }
        (Verb::FilesChangeEnsureLine, Some(Body::Line { line, at })) => {
            path().map(|path| Change::EnsureLine { path, line: line.clone(), at: *at })
        }
        (Verb::FilesChangeRemoveLine, Some(Body::Line { line, .. })) => {
            path().map(|path| Change::RemoveLine { path, line: line.clone() })
        }
        (Verb::FilesChangeWriteComputed, _) => {
            path().map(|path| Change::WriteComputed { path, bytes_max: verbs::COMPUTED_BYTES_MAX })
        }
        (Verb::FilesChangeSetAside, _) => path().map(|path| Change::SetAside { path }),
        (Verb::ServicesChangeReload, _) => unit(UnitAct::Reload),
        (Verb::ServicesChangeRestart, _) => unit(UnitAct::Restart),
        (Verb::ServicesChangeEnable, _) => unit(UnitAct::Enable),
        (Verb::ServicesChangeStart, _) => unit(UnitAct::Start),
        (Verb::ContainersChangeRestart, _) => match literal {
            Literal::Container(container) => Some(Change::RestartContainer { container: container.clone() }),
            _ => None,
        },
        (Verb::CommandsChangeRun, _) => match literal {
            Literal::ChangeCommand(command) => Some(command.change()),
            _ => None,
        },
        _ => None,
    };
    // The manifest's reader refuses a verb with an object that it does not take.
    Changing::new(change.ok_or(LiteralError::NoObject)?, content)
}

/// The exclusion of a change, other than a never-rule: its place and its reason.
pub(super) fn exclusion(
    change: &Change,
    target: &Target,
    assignment: &Assignment,
    exclusions: Exclusions<'_>,
) -> Option<(String, String)> {
    if target.tier() != Tier::Gated {
        let why = "the target has no gate, and changes need one".to_owned();
        return Some((target.place.to_string(), why));
    }
    if exclusions.stateless.is_some_and(|stateless| stateless.allows(change)) || !is_restart(change) {
        return None;
    }
    let place = exclusions.stateless.and_then(|stateless| stateless.place.as_ref()).unwrap_or(&assignment.place);
    let why = "a restart loses the state of a program, and policy does not list this one in [stateless]".to_owned();
    Some((place.to_string(), why))
}

const fn is_restart(change: &Change) -> bool {
    matches!(change, Change::Unit { act: UnitAct::Restart, .. } | Change::RestartContainer { .. })
}
