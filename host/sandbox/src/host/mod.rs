//! What a component can call: one file per WIT interface, one row per verb.
//!
//! Knows: the WIT's types, and how a target's answer becomes one of them. Must not know: how answers are fetched.
//! Attacks answered: a function that is there though nobody asked for it (LK10): each is linked by name, from the list in
//! `Load`; and target output made to break its reader (TG05): readers are pure, strict and bounded by their input.

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

use super::imports::{Links, interface_name};
use super::run::RunState;
use bailiwick_bindings::ops::types::VerbError;
use bailiwick_bindings::{FixPre, ProbePre, Target};
use bailiwick_core::model::Answer;
use bailiwick_core::model::{LookError, Tainted, Verb, World};

/// A component that is linked, and may be instantiated any number of times.
pub(super) enum Pre {
    /// A probe.
    Probe(ProbePre<RunState>),
    /// A fix.
    Fix(FixPre<RunState>),
}

impl Pre {
    /// Checks that it exports what its world does.
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

/// How an answer is read.
type Reader<R> = fn(&Answer) -> Result<R, LookError>;

/// How an answer is read whose meaning depends on when the component looked.
type TimedReader<R> = fn(&Answer, Times) -> Result<R, LookError>;

/// When a component looks at a target, in milliseconds since 1970-01-01T00:00Z.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Times {
    /// When this run began.
    pub(super) now_ms: u64,
    /// When the one before it began, if anybody remembers.
    pub(super) previous_ms: Option<u64>,
}

/// Links what every component may import, and what this one asked for.
///
/// # Errors
/// When a name is defined twice, or there is no such function.
pub(super) fn link(linker: &mut Linker<RunState>, links: &Links) -> wasmtime::Result<()> {
    run::link(linker)?;
    wasi::link(linker, &links.wasi)?;
    if let Some(rules) = &links.rules {
        // It imports no verb: it asks by the number of a check.
        return rules::link(linker, rules);
    }
    history::link(linker, &links.history)?;
    for &verb in &links.verbs {
        match verb {
            Verb::SystemIdentity => on_target(linker, verb, system::identity),
            Verb::SystemUptime => on_target(linker, verb, system::uptime),
            Verb::SystemLoad => on_target(linker, verb, system::load),
            Verb::SystemMemory => on_target(linker, verb, system::memory),
            Verb::SystemFilesystems => on_target(linker, verb, system::filesystems),
            Verb::SystemTimeSync => on_target(linker, verb, system::time_sync),
            Verb::SystemLogins => on_target(linker, verb, system::logins),
            Verb::SystemClock => on_target(linker, verb, clock::clock),
            Verb::FilesRead => on_slot(linker, verb, files::read),
            Verb::FilesStat => on_slot(linker, verb, files::stat),
            Verb::ServicesStatus => on_slot(linker, verb, services::status),
            Verb::ServicesFailed => on_target(linker, verb, services::failed),
            Verb::ServicesLogs => on_slot(linker, verb, journal::logs),
            Verb::ServicesUsage => on_slot(linker, verb, services::usage),
            Verb::NetworkListeners => on_target(linker, verb, network::listeners),
            Verb::ContainersList => on_slot(linker, verb, containers::list),
            Verb::ContainersStatus => on_named(linker, verb, containers::status, containers::is_named),
            Verb::ContainersLogs => on_slot(linker, verb, container_logs::logs),
            Verb::CommandsRun => on_slot(linker, verb, commands::run),
            Verb::PackagesPending => on_target(linker, verb, packages::pending),
            Verb::PackagesLists => on_target(linker, verb, packages::lists),
            Verb::PostgresDatabases => on_slot(linker, verb, postgres::databases),
            Verb::PostgresActivity => on_slot(linker, verb, postgres::activity),
            Verb::PostgresSettings => on_slot(linker, verb, postgres::settings),
            Verb::PostgresReplication => on_slot(linker, verb, postgres::replication),
            Verb::PostgresLocks => on_slot(linker, verb, postgres::locks),
            Verb::PostgresQuery => on_slot(linker, verb, postgres::query),
            Verb::LogsSinceLastRun => on_slot_timed(linker, verb, journal::since_last_run),
            Verb::HttpGet => on_slot(linker, verb, http::get),
            Verb::CertificatesFile => on_slot(linker, verb, certificates::file),
            Verb::CertificatesServer => on_slot(linker, verb, certificates::server),
            Verb::FilesChangeWrite | Verb::FilesChangeEnsureLine | Verb::FilesChangeRemoveLine => {
                change::with_content(linker, verb)
            }
            Verb::FilesChangeWriteComputed => change::with_bytes(linker, verb),
            Verb::FilesChangeSetAside
            | Verb::ServicesChangeReload
            | Verb::ServicesChangeRestart
            | Verb::ServicesChangeEnable
            | Verb::ServicesChangeStart
            | Verb::ContainersChangeRestart
            | Verb::CommandsChangeRun => change::on_slot(linker, verb),
        }?;
    }
    Ok(())
}

/// Reads an answer as its verb does, and says what was understood. For cases, fuzzing and people who debug a target.
///
/// # Errors
/// What the guest would be told.
pub fn parse(verb: Verb, answer: &Answer) -> Result<Tainted, LookError> {
    read_as(verb, answer, Told::default())
}

/// What a run knows beside an answer.
#[derive(Clone, Copy, Default)]
struct Told<'a> {
    times: Times,
    /// What is bound to the slot; none if nobody holds the answer against it.
    literal: Option<&'a str>,
}

/// What an answer's own type is turned into.
trait Said: Sized {
    fn of<R: std::fmt::Debug + Serialize>(value: &R) -> Result<Self, LookError>;
}

impl Said for Tainted {
    fn of<R: std::fmt::Debug + Serialize>(value: &R) -> Result<Self, LookError> {
        Ok(Self::new(format!("{value:?}")))
    }
}

impl Said for serde_json::Value {
    fn of<R: std::fmt::Debug + Serialize>(value: &R) -> Result<Self, LookError> {
        serde_json::to_value(value).map_err(|_| LookError::Garbled)
    }
}

/// Reads an answer as its verb does. What [`link`] links by another way than `on_target` and `on_slot` is more than its
/// reader here, too: the interpreter's answers come from nowhere else.
fn read_as<S: Said>(verb: Verb, answer: &Answer, told: Told<'_>) -> Result<S, LookError> {
    fn said<S: Said, R: std::fmt::Debug + Serialize>(
        read: impl Fn(&Answer) -> Result<R, LookError>,
        answer: &Answer,
    ) -> Result<S, LookError> {
        S::of(&read(answer)?)
    }
    match verb {
        Verb::SystemIdentity => said(system::identity, answer),
        Verb::SystemUptime => said(system::uptime, answer),
        Verb::SystemLoad => said(system::load, answer),
        Verb::SystemMemory => said(system::memory, answer),
        Verb::SystemFilesystems => said(system::filesystems, answer),
        Verb::SystemTimeSync => said(system::time_sync, answer),
        Verb::SystemLogins => said(system::logins, answer),
        Verb::SystemClock => said(clock::clock, answer),
        Verb::FilesRead => said(files::read, answer),
        Verb::FilesStat => said(files::stat, answer),
        Verb::ServicesStatus => said(services::status, answer),
        Verb::ServicesFailed => said(services::failed, answer),
        Verb::ServicesLogs => said(journal::logs, answer),
        Verb::ServicesUsage => said(services::usage, answer),
        Verb::NetworkListeners => said(network::listeners, answer),
        Verb::ContainersList => said(containers::list, answer),
        Verb::ContainersStatus => {
            let own =
                |found| named(found, |found| told.literal.is_none_or(|literal| containers::is_named(found, literal)));
            said(|answer| containers::status(answer).and_then(own), answer)
        }
        Verb::ContainersLogs => said(container_logs::logs, answer),
        Verb::CommandsRun => said(commands::run, answer),
        Verb::PackagesPending => said(packages::pending, answer),
        Verb::PackagesLists => said(packages::lists, answer),
        Verb::PostgresDatabases => said(postgres::databases, answer),
        Verb::PostgresActivity => said(postgres::activity, answer),
        Verb::PostgresSettings => said(postgres::settings, answer),
        Verb::PostgresReplication => said(postgres::replication, answer),
        Verb::PostgresLocks => said(postgres::locks, answer),
        Verb::PostgresQuery => said(postgres::query, answer),
        Verb::LogsSinceLastRun => said(|answer| journal::since_last_run(answer, told.times), answer),
        Verb::HttpGet => said(http::get, answer),
        Verb::CertificatesFile => said(certificates::file, answer),
        Verb::CertificatesServer => said(certificates::server, answer),
        // They are not asked of a target, and have no answer.
        Verb::FilesChangeWrite
        | Verb::FilesChangeWriteComputed
        | Verb::FilesChangeEnsureLine
        | Verb::FilesChangeRemoveLine
        | Verb::FilesChangeSetAside
        | Verb::ServicesChangeReload
        | Verb::ServicesChangeRestart
        | Verb::ServicesChangeEnable
        | Verb::ServicesChangeStart
        | Verb::ContainersChangeRestart
        | Verb::CommandsChangeRun => Err(LookError::Unsupported),
    }
}

/// A verb that is told the target only.
fn on_target<R: Lower + 'static>(linker: &mut Linker<RunState>, verb: Verb, read: Reader<R>) -> wasmtime::Result<()> {
    linker.instance(&interface_name(verb.interface()))?.func_wrap(
        verb.function(),
        move |mut store, (target,): (Resource<Target>,)| {
            let answer = store.data_mut().look(&target, verb, None)?;
            Ok((answer.and_then(|answer| read(&answer)).map_err(verb_error),))
        },
    )
}

/// A verb that is told the target and a slot.
fn on_slot<R: Lower + 'static>(linker: &mut Linker<RunState>, verb: Verb, read: Reader<R>) -> wasmtime::Result<()> {
    linker.instance(&interface_name(verb.interface()))?.func_wrap(
        verb.function(),
        move |mut store, (target, slot): (Resource<Target>, String)| {
            let answer = store.data_mut().look(&target, verb, Some(&slot))?;
            Ok((answer.and_then(|answer| read(&answer)).map_err(verb_error),))
        },
    )
}

/// A verb whose answer says what it is about: another object than the slot's is none.
fn on_named<R: Lower + 'static>(
    linker: &mut Linker<RunState>,
    verb: Verb,
    read: Reader<R>,
    is_named: fn(&R, &str) -> bool,
) -> wasmtime::Result<()> {
    linker.instance(&interface_name(verb.interface()))?.func_wrap(
        verb.function(),
        move |mut store, (target, slot): (Resource<Target>, String)| {
            let answer = store.data_mut().look(&target, verb, Some(&slot))?;
            let literal = store.data().literal(&target, &slot).unwrap_or_default();
            let read = answer.and_then(|answer| read(&answer));
            let own = read.and_then(|found| named(found, |found| is_named(found, literal)));
            Ok((own.map_err(verb_error),))
        },
    )
}

/// What is about another object than the slot's is none.
fn named<R>(found: R, own: impl Fn(&R) -> bool) -> Result<R, LookError> {
    if own(&found) { Ok(found) } else { Err(LookError::NotFound) }
}

/// A verb that is told the target and a slot; the run's times stay on this side.
fn on_slot_timed<R: Lower + 'static>(
    linker: &mut Linker<RunState>,
    verb: Verb,
    read: TimedReader<R>,
) -> wasmtime::Result<()> {
    linker.instance(&interface_name(verb.interface()))?.func_wrap(
        verb.function(),
        move |mut store, (target, slot): (Resource<Target>, String)| {
            let answer = store.data_mut().look(&target, verb, Some(&slot))?;
            let times = store.data().times(&target);
            Ok((answer.and_then(|answer| read(&answer, times)).map_err(verb_error),))
        },
    )
}

/// The contract's word for a failed check.
fn verb_error(error: LookError) -> VerbError {
    match error {
        LookError::Refused => VerbError::Refused,
        LookError::NotFound => VerbError::NotFound,
        LookError::NotPermitted => VerbError::NotPermitted,
        LookError::Unsupported => VerbError::Unsupported,
        LookError::Unreachable => VerbError::Unreachable,
        LookError::TimedOut => VerbError::TimedOut,
        LookError::TooLarge => VerbError::TooLarge,
        LookError::Garbled => VerbError::Garbled,
        LookError::Exhausted => VerbError::Exhausted,
    }
}

/// The host's word for a failed check.
fn check_error(error: VerbError) -> LookError {
    match error {
        VerbError::Refused => LookError::Refused,
        VerbError::NotFound => LookError::NotFound,
        VerbError::NotPermitted => LookError::NotPermitted,
        VerbError::Unsupported => LookError::Unsupported,
        VerbError::Unreachable => LookError::Unreachable,
        VerbError::TimedOut => LookError::TimedOut,
        VerbError::TooLarge => LookError::TooLarge,
        VerbError::Garbled => LookError::Garbled,
        VerbError::Exhausted => LookError::Exhausted,
    }
}

#[cfg(test)]
mod tests;
