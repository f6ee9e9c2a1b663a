//! Packages, as apt knows them: `packages.*`. The error is `Unsupported` where there is no apt.

pub use crate::bindings::bailiwick::ops::packages::{ListsInfo, Upgrade};
use crate::observed::verb;

verb! {
    /// `packages.pending`: what an upgrade would install, by the lists that the machine has. At most 1 MiB, 60 s.
    "packages.pending" packages::pending(target) -> Vec<Upgrade>
}
verb! {
    /// `packages.lists`: when these lists were fetched. At most 4 KiB, 10 s.
    "packages.lists" packages::lists(target) -> ListsInfo
}
