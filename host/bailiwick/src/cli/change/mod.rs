//! The commands that change a target, and those that stop, list and recover changes.
//!
//! **Invariant:** no flag makes a change (AG13): `plan` changes nothing, and `apply` needs an approval of one plan's digest.

mod apply;
mod executor;
mod list;
mod plan;
mod recover;
mod rehearse;
mod rounds;
mod session;
mod show;
mod stop;

pub(super) use apply::{apply, rollback};
pub(super) use plan::plan;
pub(super) use recover::recover;
pub(super) use rehearse::rehearse;
pub(super) use rounds::rounds;
pub(super) use show::changes;
pub(super) use stop::{resume, stop, unblock};
