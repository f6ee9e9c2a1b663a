//! The gate: a script that a person installs on a target, so that the target itself enforces the grant.
//!
//! Knows: the list of actions, and how it becomes a POSIX shell script. Must not know: components, connections, files of this
//! machine. Attacks answered: a stolen key, and a controller that has been taken over (A6a-A6c, NW19-NW21). Neither can do what
//! the script does not list.
//!
//! **Invariant:** a literal gets into the script as a word in single quotes, or between two marker lines that it does not
//! contain, and in no other way. A literal that fits neither is refused here (AR01, AR17).

mod entry;
mod install;
mod keys;
mod list;
mod paths;
mod script;
mod verify;

pub use entry::{Entry, EntryError, EntryKind};
pub use install::{Install, install_script};
pub use keys::{Access, Account, Accounts, Credential, KeyError};
pub use list::{GateList, current_script, limits, listed, of_grants};
pub use paths::{Limits, Paths};
pub use script::{Script, VERSION, script};
pub use verify::{Difference, Expected, compare};
