//! The commands that change something, and those that stop, show and find out.
//!
//! **Invariant:** no flag makes a change (AG13): `plan` only looks, and `apply` wants a yes that is about one plan's digest.

mod apply;
mod desk;
mod list;
mod plan;
mod recover;
mod rehearse;
mod rounds;
mod show;
mod stop;

pub(super) use apply::{apply, rollback};
pub(super) use plan::plan;
pub(super) use recover::recover;
pub(super) use rehearse::rehearse;
pub(super) use rounds::rounds;
pub(super) use show::changes;
pub(super) use stop::{resume, stop, unblock};
