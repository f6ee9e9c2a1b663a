//! The journal, over a fixed window. The worker selects the new entries in it, by the time of the last run.
//!
//! Attack answered: a time that becomes a word of a command. The window is fixed, so that the action is literal.

use std::time::Duration;

use super::{
    Invocation,
    Part::{Option, Word},
    Spec,
};
use crate::model::{Effect, Object};

pub(super) const SINCE_LAST_RUN: Spec = Spec {
    effect: Effect::Observe,
    object: Object::Unit,
    invocation: Invocation::Program(&[
        Word("journalctl"),
        Word("--no-pager"),
        Word("--output=json"),
        Word("--output-fields=MESSAGE,PRIORITY"),
        Word("--priority=warning"),
        Word("--since=-8d"),
        // The newest. One more than is returned, so that a cut can be recognised.
        Word("--lines=1001"),
        Option("--unit="),
    ]),
    bytes_max: 1 << 20,
    timeout: Duration::from_secs(20),
    reads: "the unit's warnings and errors of the last 8 days, the newest 1,001; the component gets those since its last run",
};
