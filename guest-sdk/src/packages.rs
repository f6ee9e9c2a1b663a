//! Packages, according to apt: `packages.*`. The error is `Unsupported` if the target has no apt.

pub use crate::bindings::bailiwick::ops::packages::{ListsInfo, Upgrade};
use crate::observed::verb;

verb! {
    /// `packages.pending`: what an upgrade would install, according to the machine's package lists. At most 1 MiB, 60 s.
    "packages.pending" packages::pending(target) -> Vec<Upgrade>
}
verb! {
    /// `packages.lists`: when the package lists were fetched. At most 4 KiB, 10 s.
    "packages.lists" packages::lists(target) -> ListsInfo
}
