//! Containers, by the runtime's own program. Podman and docker accept the same words.
//!
//! Attack answered: AR11. No option names another machine, a socket or a plugin; a name from policy is the last word, and begins
//! with a letter or digit. `inspect` prints everything, also the environment: a template that selects fields would need
//! characters that a shell interprets. What is not needed is removed in two steps: the values of the environment before
//! anything is recorded (`redact`), and the rest in the worker, whose reader returns only what the contract names.

use std::time::Duration;

use super::{
    Invocation,
    Part::{Field, Object as Hole, Word},
    Spec,
};
use crate::model;
use crate::model::{Effect, Object};

pub(super) const LIST: Spec = Spec {
    effect: Effect::Observe,
    object: Object::Runtime,
    invocation: Invocation::Program(&[
        Hole,
        Word("ps"),
        Word("--all"),
        Word("--no-trunc"),
        Word("--format"),
        Word("json"),
    ]),
    bytes_max: 1 << 20,
    timeout: Duration::from_secs(20),
    reads: "all containers that the account can see: name, image, state, health",
};

pub(super) const STATUS: Spec = Spec {
    effect: Effect::Observe,
    object: Object::Container,
    invocation: Invocation::Program(&[
        Field(model::Field::Runtime),
        Word("container"),
        Word("inspect"),
        Field(model::Field::Name),
    ]),
    bytes_max: 1 << 20,
    timeout: Duration::from_secs(20),
    reads: "state, health, restarts and last exit of the container",
};

pub(super) const LOGS: Spec = Spec {
    effect: Effect::Observe,
    object: Object::Container,
    invocation: Invocation::Program(&[
        Field(model::Field::Runtime),
        Word("container"),
        Word("logs"),
        Word("--timestamps"),
        Word("--since=24h"),
        Word("--tail=1000"),
        Field(model::Field::Name),
    ]),
    bytes_max: 1 << 20,
    timeout: Duration::from_secs(20),
    reads: "what the container wrote in the last 24 h, 1,000 lines at most",
};
