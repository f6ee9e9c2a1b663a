//! `files-change`, `services-change`, `containers-change`, `commands-change`: the broker adds the
//! changes that a fix asks for to a list, and they have no other effect.

use wasmtime::component::{Linker, Resource};

use crate::imports::interface_name;
use crate::report::{OutputError, check_decision};
use crate::run::RunState;
use crate::wire::{Ending, Given, SLOT_KEY_BYTES};
use bailiwick_bindings::Target;
use bailiwick_bindings::ops::{changes, reports as wit};
use bailiwick_core::model::{Decision, StageError, Tainted, Verb};

/// Links a changing verb that takes the target and a slot.
pub(super) fn on_slot(linker: &mut Linker<RunState>, verb: Verb) -> wasmtime::Result<()> {
    linker.instance(&interface_name(verb.interface()))?.func_wrap(
        verb.function(),
        move |mut store, (target, slot): (Resource<Target>, String)| {
            let staged = store.data_mut().stage(&target, verb, &slot, Given::default())?;
            Ok((staged.map_err(stage_error),))
        },
    )
}

/// Links one that also takes a declared content.
pub(super) fn with_content(linker: &mut Linker<RunState>, verb: Verb) -> wasmtime::Result<()> {
    linker.instance(&interface_name(verb.interface()))?.func_wrap(
        verb.function(),
        move |mut store, (target, slot, content): (Resource<Target>, String, String)| {
            let content = Some(Tainted::new(crate::run::cut(&content, SLOT_KEY_BYTES)));
            let staged = store.data_mut().stage(&target, verb, &slot, Given { content, bytes: None })?;
            Ok((staged.map_err(stage_error),))
        },
    )
}

/// Links one that also takes bytes.
pub(super) fn with_bytes(linker: &mut Linker<RunState>, verb: Verb) -> wasmtime::Result<()> {
    linker.instance(&interface_name(verb.interface()))?.func_wrap(
        verb.function(),
        move |mut store, (target, slot, bytes): (Resource<Target>, String, Vec<u8>)| {
            let staged = store.data_mut().stage(&target, verb, &slot, Given { content: None, bytes: Some(bytes) })?;
            Ok((staged.map_err(stage_error),))
        },
    )
}

/// Converts what `plan` returned in a run that made `calls` calls.
///
/// # Errors
/// The rule that it breaks.
pub(crate) fn decided(decision: wit::Decision, calls: u32) -> Result<Ending, OutputError> {
    let decision = match decision {
        wit::Decision::Propose(wit::Proposal { context, evidence }) => {
            Decision::Propose { context: Tainted::new(context), evidence }
        }
        wit::Decision::NothingToDo(why) => Decision::NothingToDo { why: Tainted::new(why) },
        wit::Decision::Refuse(wit::RefusalToFix { reason, owner, evidence }) => {
            Decision::Refuse { reason: Tainted::new(reason), owner: Tainted::new(owner), evidence }
        }
    };
    check_decision(&decision, calls)?;
    Ok(Ending::Decision(decision))
}

/// The contract's word for a change that was not staged.
fn stage_error(error: StageError) -> changes::StageError {
    match error {
        StageError::Refused => changes::StageError::Refused,
        StageError::WrongPhase => changes::StageError::WrongPhase,
        StageError::Exhausted => changes::StageError::Exhausted,
    }
}
