//! Programs of the operator. The words in policy are sent as they are, and nothing else.

use std::time::Duration;

use super::{Invocation, Spec};
use crate::model::{Effect, Object};

pub(super) const RUN: Spec = Spec {
    effect: Effect::Observe,
    object: Object::Command,
    invocation: Invocation::Literal,
    bytes_max: 256 << 10,
    timeout: Duration::from_secs(30),
    reads: "exit status and output of the operator's program",
};
