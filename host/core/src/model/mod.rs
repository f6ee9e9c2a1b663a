//! The terms of the system: names, verbs, literals, actions, findings.
//!
//! Knows: grammar and shape. Must not know: files, policy, processes, the network. Nothing here does I/O.
//! Attack answered: a string from a file, a guest or a target that is used as something it is not. Every word has a
//! positive grammar and is parsed once, at the edge.

mod action;
mod answer;
mod change;
mod decision;
mod earlier;
mod fault;
mod finding;
mod literal;
mod lockdown;
mod name;
mod param;
mod tainted;
mod verb;
mod wasi;
mod world;

pub use action::{Action, ActionId, Wire};
pub use answer::{Answer, Exit, Timing};
pub use change::{At, Change, Inverse, NoState, State, UnitAct, Way};
pub use decision::{Decision, Phase, StageError};
pub use earlier::{Point, filed_under};
pub use fault::RunFault;
pub use finding::{Finding, Metric, Report, Severity, Unit, VerbError, limits as report_limits};
pub use literal::{
    AbsolutePath, ChangeCommand, Changing, Command, Container, Database, Endpoint, Field, Literal, LiteralError,
    Runtime, Statement, UnitName, Url, writable,
};
pub use lockdown::Lockdown;
pub use name::{
    CaseName, ChangeId, ComponentId, ContentName, NameError, ParamName, RuleName, SlotKey, SlotName, Tag, TargetName,
};
pub use param::ParamValue;
pub use tainted::Tainted;
pub(crate) use verb::each_verb;
pub use verb::{Effect, Object, Verb};
pub use wasi::WasiGroup;
pub use world::World;
