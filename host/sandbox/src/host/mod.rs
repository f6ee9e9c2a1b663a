//! The functions that a component can call: one file for each WIT interface, one row for each verb.
//!
//! Knows: the WIT's types, and how a target's answer becomes one of them. Must not know: how answers are fetched.
//! Attacks answered: a function that exists although the manifest did not ask for it (LK10): each is linked by name, from the
//! list in `Load`; and target output that is crafted to break its reader (TG05): readers are pure, strict and bounded by their
//! input.

pub(super) mod change;
mod clock;
mod commands;
mod container_logs;
mod containers;
mod csv;
mod certificates;
mod files;
mod history;
mod http;
mod journal;
mod network;
mod packages;
mod postgres;
mod psql;
pub(super) mod report;
mod rules;
mod run;
mod services;
mod system;
mod text;
mod wasi;

use serde::Serialize;
use wasmtime::component::{InstancePre, Linker, Lower, Resource};

use super::fault::FaultKind;
use super::imports::{Links, interface_name};
use super::run::RunState;
use bailiwick_bindings::ops::types::VerbError as WitVerbError;
use bailiwick_bindings::{FixPre, ProbePre, Target};
use bailiwick_core::model::Answer;
use bailiwick_core::model::{Object, Tainted, Verb, VerbError, World};
use bailiwick_core::verbs::spec;

/// A linked component, which may be instantiated any number of times.
pub(super) enum Pre {
    /// A probe.
    Probe(ProbePre<RunState>),
    /// A fix.
    Fix(FixPre<RunState>),
}

impl Pre {
    /// Checks that it exports the functions of its world.
    ///
    /// # Errors
    /// When it does not.
    pub(super) fn new(pre: InstancePre<RunState>, world: World) -> wasmtime::Result<Self> {
        match world {
            World::Probe => ProbePre::new(pre).map(Self::Probe),
            World::Fix => FixPre::new(pre).map(Self::Fix),
        }
    }

    /// The engine that compiled it.
    pub(super) fn engine(&self) -> &wasmtime::Engine {
        match self {
            Self::Probe(pre) => pre.engine(),
            Self::Fix(pre) => pre.engine(),
        }
    }
}

/// When a component checks a target, in milliseconds since 1970-01-01T00:00Z.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Times {
    /// When this run began.
    pub(super) now_ms: u64,
    /// When the previous run began, if there was one.
    pub(super) previous_ms: Option<u64>,
}

/// What a reader knows besides the answer.
#[derive(Debug, Clone, Copy, Default)]
struct Context<'a> {
    times: Times,
    /// The literal that is bound to the slot. `None` if the answer is read without a slot, as [`parse`] does.
    literal: Option<&'a str>,
}

/// Links the functions that every component may import, and those that this component asked for.
///
/// # Errors
/// When a name is defined twice, or a function does not exist.
pub(super) fn link(linker: &mut Linker<RunState>, links: &Links) -> wasmtime::Result<()> {
    run::link(linker)?;
    wasi::link(linker, &links.wasi)?;
    if let Some(rules) = &links.rules {
        // The interpreter imports no verb: it names a check by its number.
        return rules::link(linker, rules);
    }
    history::link(linker, &links.history)?;
    links.verbs.iter().try_for_each(|verb| link_verb(linker, *verb))
}

/// Reads an answer with its verb's reader and returns the result as text. For cases, fuzzing and people who debug a target.
///
/// # Errors
/// The error that the guest would get.
pub fn parse(verb: Verb, answer: &Answer) -> Result<Tainted, VerbError> {
    read_as(verb, answer, Context::default())
}

/// A form into which an answer of any type can be converted.
trait Form: Sized {
    fn from_answer<R: std::fmt::Debug + Serialize>(value: &R) -> Result<Self, VerbError>;
}

impl Form for Tainted {
    fn from_answer<R: std::fmt::Debug + Serialize>(value: &R) -> Result<Self, VerbError> {
        Ok(Self::new(format!("{value:?}")))
    }
}

impl Form for serde_json::Value {
    fn from_answer<R: std::fmt::Debug + Serialize>(value: &R) -> Result<Self, VerbError> {
        serde_json::to_value(value).map_err(|_| VerbError::Garbled)
    }
}

/// A row's reader as a function of answer and context. Most readers need the answer alone.
macro_rules! reader {
    ($read:path) => {
        |answer: &Answer, _: Context<'_>| $read(answer)
    };
    ($read:path, in context) => {
        $read
    };
}

macro_rules! readers {
    (
        observe { $($verb:ident => $read:path $(, in $context:ident)?;)* }
        change { $($change:ident => $stage:path;)* }
    ) => {
        /// Links one verb.
        fn link_verb(linker: &mut Linker<RunState>, verb: Verb) -> wasmtime::Result<()> {
            match verb {
                $(Verb::$verb => link_reader(linker, verb, reader!($read $(, in $context)?)),)*
                $(Verb::$change => $stage(linker, verb),)*
            }
        }

        /// Reads an answer with its verb's reader. The interpreter's answers come from here alone, so this does all that a
        /// linked verb does.
        fn read_as<F: Form>(verb: Verb, answer: &Answer, context: Context<'_>) -> Result<F, VerbError> {
            match verb {
                $(Verb::$verb => F::from_answer(&(reader!($read $(, in $context)?))(answer, context)?),)*
                // A changing verb is not sent to a target, and has no answer.
                $(Verb::$change)|* => Err(VerbError::Unsupported),
            }
        }

        /// The name of the function that serves a verb.
        #[cfg(test)]
        fn served_by(verb: Verb) -> &'static str {
            match verb {
                $(Verb::$verb => concat!(stringify!($read) $(, ", in ", stringify!($context))?),)*
                $(Verb::$change => stringify!($stage),)*
            }
        }
    };
}

// One row for each verb: the reader of its answer, or how its change is staged.
readers! {
    observe {
        SystemIdentity => system::identity;
        SystemUptime => system::uptime;
        SystemLoad => system::load;
        SystemMemory => system::memory;
        SystemFilesystems => system::filesystems;
        SystemTimeSync => system::time_sync;
        SystemLogins => system::logins;
        SystemClock => clock::clock;
        FilesRead => files::read;
        FilesStat => files::stat;
        ServicesStatus => services::status;
        ServicesFailed => services::failed;
        ServicesLogs => journal::logs;
        ServicesUsage => services::usage;
        NetworkListeners => network::listeners;
        ContainersList => containers::list;
        ContainersStatus => containers::status, in context;
        ContainersLogs => container_logs::logs;
        CommandsRun => commands::run;
        PackagesPending => packages::pending;
        PackagesLists => packages::lists;
        PostgresDatabases => postgres::databases;
        PostgresActivity => postgres::activity;
        PostgresSettings => postgres::settings;
        PostgresReplication => postgres::replication;
        PostgresLocks => postgres::locks;
        PostgresQuery => postgres::query;
        LogsSinceLastRun => journal::since_last_run, in context;
        HttpGet => http::get;
        CertificatesFile => certificates::file;
        CertificatesServer => certificates::server;
    }
    change {
        FilesChangeWrite => change::with_content;
        FilesChangeWriteComputed => change::with_bytes;
        FilesChangeEnsureLine => change::with_content;
        FilesChangeRemoveLine => change::with_content;
        FilesChangeSetAside => change::on_slot;
        ServicesChangeReload => change::on_slot;
        ServicesChangeRestart => change::on_slot;
        ServicesChangeEnable => change::on_slot;
        ServicesChangeStart => change::on_slot;
        ContainersChangeRestart => change::on_slot;
        CommandsChangeRun => change::on_slot;
    }
}

/// Links a verb that observes. It takes the target, and a slot where it has an object.
fn link_reader<R: Lower + 'static>(
    linker: &mut Linker<RunState>,
    verb: Verb,
    read: impl Fn(&Answer, Context<'_>) -> Result<R, VerbError> + Send + Sync + 'static,
) -> wasmtime::Result<()> {
    let mut interface = linker.instance(&interface_name(verb.interface()))?;
    if spec(verb).object == Object::None {
        interface.func_wrap(verb.function(), move |mut store, (target,): (Resource<Target>,)| {
            Ok((observe(store.data_mut(), &target, verb, None, &read)?.map_err(wit_verb_error),))
        })
    } else {
        interface.func_wrap(verb.function(), move |mut store, (target, slot): (Resource<Target>, String)| {
            Ok((observe(store.data_mut(), &target, verb, Some(&slot), &read)?.map_err(wit_verb_error),))
        })
    }
}

/// Calls a verb and reads its answer.
///
/// # Errors
/// The outer error ends the run, the inner one is the guest's.
fn observe<R>(
    run: &mut RunState,
    target: &Resource<Target>,
    verb: Verb,
    slot: Option<&str>,
    read: impl Fn(&Answer, Context<'_>) -> Result<R, VerbError>,
) -> Result<Result<R, VerbError>, FaultKind> {
    let answer = run.observe(target, verb, slot)?;
    let literal = slot.map(|slot| run.literal(target, slot).unwrap_or_default());
    let context = Context { times: run.times(target), literal };
    Ok(answer.and_then(|answer| read(&answer, context)))
}

/// The contract's word for a failed check.
fn wit_verb_error(error: VerbError) -> WitVerbError {
    match error {
        VerbError::Refused => WitVerbError::Refused,
        VerbError::NotFound => WitVerbError::NotFound,
        VerbError::NotPermitted => WitVerbError::NotPermitted,
        VerbError::Unsupported => WitVerbError::Unsupported,
        VerbError::Unreachable => WitVerbError::Unreachable,
        VerbError::TimedOut => WitVerbError::TimedOut,
        VerbError::TooLarge => WitVerbError::TooLarge,
        VerbError::Garbled => WitVerbError::Garbled,
        VerbError::Exhausted => WitVerbError::Exhausted,
    }
}

/// The host's word for a failed check.
fn verb_error(error: WitVerbError) -> VerbError {
    match error {
        WitVerbError::Refused => VerbError::Refused,
        WitVerbError::NotFound => VerbError::NotFound,
        WitVerbError::NotPermitted => VerbError::NotPermitted,
        WitVerbError::Unsupported => VerbError::Unsupported,
        WitVerbError::Unreachable => VerbError::Unreachable,
        WitVerbError::TimedOut => VerbError::TimedOut,
        WitVerbError::TooLarge => VerbError::TooLarge,
        WitVerbError::Garbled => VerbError::Garbled,
        WitVerbError::Exhausted => VerbError::Exhausted,
    }
}

#[cfg(test)]
mod tests;
