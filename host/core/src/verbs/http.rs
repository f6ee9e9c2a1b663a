//! One page of one server, requested through a channel that the target opens: no program runs there.
//!
//! Over SSH the account's key needs `restrict,port-forwarding,permitopen="IP:PORT"` and no more. Attack answered: a request
//! with more in it than the page (AR05): only the literal varies, and its grammar allows no line end.

use std::time::Duration;

use super::{Invocation, Spec};
use crate::model::{Effect, Object};

pub(super) const GET: Spec = Spec {
    effect: Effect::Observe,
    object: Object::Url,
    invocation: Invocation::Get,
    bytes_max: 1 << 20,
    timeout: Duration::from_secs(10),
    reads: "the page of that address, as the target reaches it",
};
