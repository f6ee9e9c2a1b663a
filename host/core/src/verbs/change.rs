//! What changes something. None of these is ever said on a wire: the target's gate has each in its list, by the action's id,
//! and is asked for it when a plan is carried out. A component only puts them on a list.
//!
//! **Invariant:** every changing verb has an inverse; one without would not fit [`Say::Gate`].

use std::time::Duration;

use super::{Say, Spec};
use crate::model::{Effect, Inverse, Object, Verb};

/// Most bytes that a component may compute for a file.
pub const COMPUTED_BYTES_MAX: u64 = 64 << 10;

/// True for a verb that puts something declared into a file, or takes it out.
#[must_use]
pub const fn needs_content(verb: Verb) -> bool {
    matches!(verb, Verb::FilesChangeWrite | Verb::FilesChangeEnsureLine | Verb::FilesChangeRemoveLine)
}

const fn change(object: Object, inverse: Inverse, timeout_s: u64, reads: &'static str) -> Spec {
    let timeout = Duration::from_secs(timeout_s);
    Spec { effect: Effect::Change, object, say: Say::Gate(inverse), bytes_max: 64 << 10, timeout, reads }
}

pub(super) const WRITE: Spec =
    change(Object::Path, Inverse::Restore, 30, "writes a declared text, and nothing else, as the whole file");

pub(super) const WRITE_COMPUTED: Spec = change(
    Object::Path,
    Inverse::Restore,
    30,
    "writes what the fix computed as the whole file; a person has to sign these very bytes",
);

pub(super) const ENSURE_LINE: Spec =
    change(Object::Path, Inverse::Restore, 30, "adds a declared line to the file, if there is none like it");

pub(super) const REMOVE_LINE: Spec =
    change(Object::Path, Inverse::Restore, 30, "takes every line out of the file that is the declared one");

pub(super) const SET_ASIDE: Spec =
    change(Object::Path, Inverse::Restore, 30, "moves the file into a folder of root's, from where it comes back");

pub(super) const RELOAD: Spec = change(Object::Unit, Inverse::Again, 90, "has the unit read its configuration again");

pub(super) const RESTART: Spec = change(Object::Unit, Inverse::Again, 120, "stops and starts the unit");

pub(super) const ENABLE: Spec = change(Object::Unit, Inverse::Revert, 60, "has the unit start at boot");

pub(super) const START: Spec = change(Object::Unit, Inverse::Revert, 120, "starts the unit");

pub(super) const RESTART_CONTAINER: Spec =
    change(Object::Container, Inverse::Again, 120, "stops and starts the container");

pub(super) const RUN: Spec =
    change(Object::ChangeCommand, Inverse::Undo, 60, "runs the operator's program, which has one that undoes it");
