//! The verbs that change something. Their bytes are never sent: the target's gate has each action in its list, and runs it by
//! its id when a plan is applied. A component only adds them to a plan.
//!
//! **Invariant:** every changing verb has an inverse; one without would not fit [`Invocation::Gate`].

use std::time::Duration;

use super::{Invocation, Spec};
use crate::model::{Effect, Inverse, Object, Verb};

/// Maximum bytes that a component may compute for a file.
pub const COMPUTED_BYTES_MAX: u64 = 64 << 10;

/// True for a verb that writes a declared content into a file, or removes it.
#[must_use]
pub const fn needs_content(verb: Verb) -> bool {
    matches!(verb, Verb::FilesChangeWrite | Verb::FilesChangeEnsureLine | Verb::FilesChangeRemoveLine)
}

const fn change(object: Object, inverse: Inverse, timeout_s: u64, reads: &'static str) -> Spec {
    let timeout = Duration::from_secs(timeout_s);
    Spec { effect: Effect::Change, object, invocation: Invocation::Gate(inverse), bytes_max: 64 << 10, timeout, reads }
}

pub(super) const WRITE: Spec =
    change(Object::Path, Inverse::Restore, 30, "writes a declared text, and nothing else, as the whole file");

pub(super) const WRITE_COMPUTED: Spec = change(
    Object::Path,
    Inverse::Restore,
    30,
    "writes bytes that the fix computes as the whole file; a person must sign these bytes",
);

pub(super) const ENSURE_LINE: Spec =
    change(Object::Path, Inverse::Restore, 30, "adds a declared line to the file, unless it has that line");

pub(super) const REMOVE_LINE: Spec =
    change(Object::Path, Inverse::Restore, 30, "removes every line that equals the declared one");

pub(super) const SET_ASIDE: Spec =
    change(Object::Path, Inverse::Restore, 30, "moves the file into a folder of root's, from which it can be restored");

pub(super) const RELOAD: Spec = change(Object::Unit, Inverse::Again, 90, "reloads the configuration of the unit");

pub(super) const RESTART: Spec = change(Object::Unit, Inverse::Again, 120, "stops and starts the unit");

pub(super) const ENABLE: Spec =
    change(Object::Unit, Inverse::Revert, 60, "enables the unit, so that it starts at boot");

pub(super) const START: Spec = change(Object::Unit, Inverse::Revert, 120, "starts the unit");

pub(super) const RESTART_CONTAINER: Spec =
    change(Object::Container, Inverse::Again, 120, "stops and starts the container");

pub(super) const RUN: Spec =
    change(Object::ChangeCommand, Inverse::Undo, 60, "runs the operator's program; another program undoes it");
