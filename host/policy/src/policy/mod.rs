//! The operator's rules: which component checks which target, what fills its slots, and what no component may ever touch.
//!
//! Knows: `policy.toml`. Must not know: components' bytes, connections. Attacks answered: a typo that grants more than was
//! meant (AG09–AG11, LK19). Every name must exist, every key must be known, empty means none, and a never-rule that can never
//! apply is refused.

mod anchor;
mod change;
mod keys;
mod limits;
mod named;
mod never;
mod parse;
mod resolve;
mod retention;
mod signatures;
mod stateless;
mod words;

pub use anchor::{Anchor, AnchorDestination, HEAD_LINE, Login, check_anchors, resolve_anchor_keys};
pub use change::{ChangeRules, Job, OnStop, Window, Zone, check_windows, includes_target};
pub use keys::reference;
pub use limits::{Raise, Value, budgets};
pub use named::{Named, RawChangeCommand, RawCommand, RawStatement};
pub use never::NeverRule;
pub use parse::{Grant, Policy, Setting, parse};
pub use resolve::{Assignment, Assignments, Binding, ReplacedContent, resolve, unknown_component};
pub use retention::Retention;
pub use signatures::Signatures;
pub use stateless::{RawStateless, Stateless};
