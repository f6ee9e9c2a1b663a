//! Packages, as apt knows them without a network. `--simulate` changes nothing and, with `NoLocking`, takes no lock that
//! an upgrade would have to wait for; without caches it writes none, not even where the account could.

use std::time::Duration;

use super::{Invocation, Part::Word, Spec};
use crate::model::{Effect, Object};

pub(super) const PENDING: Spec = Spec {
    effect: Effect::Observe,
    object: Object::None,
    invocation: Invocation::Program(&[
        Word("apt-get"),
        Word("--simulate"),
        Word("-qq"),
        Word("--option=Debug::NoLocking=1"),
        Word("--option=APT::Get::Show-User-Simulation-Note=0"),
        Word("--option=Dir::Cache::pkgcache="),
        Word("--option=Dir::Cache::srcpkgcache="),
        Word("dist-upgrade"),
    ]),
    bytes_max: 1 << 20,
    timeout: Duration::from_secs(60),
    reads: "packages that an upgrade would install, according to the package lists",
};

pub(super) const LISTS: Spec = Spec {
    effect: Effect::Observe,
    object: Object::None,
    invocation: Invocation::Program(&[
        Word("stat"),
        Word("--format=%Y,%n"),
        Word("/var/lib/apt/lists"),
        Word("/var/lib/apt/lists/partial"),
        Word("/var/lib/apt/periodic/update-success-stamp"),
    ]),
    bytes_max: 4 << 10,
    timeout: Duration::from_secs(10),
    reads: "when the lists of packages were last fetched",
};
