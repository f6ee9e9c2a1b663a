//! The contract as wit-bindgen makes it, with nothing cut, checked or counted: what the SDK would not let a probe say.
//! And a table of all verbs, for guests that call every one.

#[expect(missing_docs, reason = "generated; the contract itself says what each item is")]
mod bindings {
    wit_bindgen::generate!({
        path: "../../../wit",
        world: "probe",
        pub_export_macro: true,
        export_macro_name: "export_component",
    });
}

/// For [`export_component!`].
pub use bindings::*;
pub use bindings::{
    Guest,
    bailiwick::ops::{
        calls, clock, files, log, params,
        reports::{Failure, Finding, Metric, Report, Severity, Unit},
        slots,
        types::{Target, VerbError},
    },
    export_component,
};

use bindings::bailiwick::ops::{
    certificates, commands, containers, http, logs, network, packages, postgres, services, system,
};

/// What a run ends with.
pub type Outcome = Result<Report, Failure>;

/// What a verb takes besides the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Object {
    /// Nothing.
    None,
    /// A slot with a unit.
    Unit,
    /// A slot with a file.
    Path,
    /// A slot with a program that runs containers.
    Runtime,
    /// A slot with a container.
    Container,
    /// A slot with a program of the operator's.
    Command,
    /// A slot with a database.
    Database,
    /// A slot with a query of the operator's.
    Statement,
    /// A slot with a page of a server.
    Url,
    /// A slot with a server.
    Endpoint,
}

/// One verb.
#[derive(Debug, Clone, Copy)]
pub struct Verb {
    /// As the manifest names it.
    pub name: &'static str,
    /// What it takes besides the target.
    pub object: Object,
    ask: fn(&Target, &str) -> Result<(), VerbError>,
}

impl Verb {
    /// Calls it. `key` is not sent for a verb that takes no object.
    ///
    /// # Errors
    /// The host's.
    pub fn ask(&self, target: &Target, key: &str) -> Result<(), VerbError> {
        (self.ask)(target, key)
    }
}

macro_rules! verbs {
    ($($name:literal $object:ident $interface:ident::$function:ident ($($key:ident)?);)*) => {
        /// Every verb there is. A guest that uses this table imports them all.
        pub const VERBS: &[Verb] = &[$(Verb {
            name: $name,
            object: Object::$object,
            ask: |target, verbs!(@name $($key)?)| $interface::$function(target, $($key)?).map(drop),
        },)*];
    };
    (@name $key:ident) => { $key };
    (@name) => { _ };
}

verbs! {
    "system.identity" None system::identity();
    "system.uptime" None system::uptime();
    "system.load" None system::load();
    "system.memory" None system::memory();
    "system.filesystems" None system::filesystems();
    "system.time-sync" None system::time_sync();
    "system.logins" None system::logins();
    "system.clock" None system::clock();
    "files.read" Path files::read(key);
    "files.stat" Path files::stat(key);
    "services.status" Unit services::status(key);
    "services.failed" None services::failed();
    "services.logs" Unit services::logs(key);
    "services.usage" Unit services::usage(key);
    "network.listeners" None network::listeners();
    "containers.list" Runtime containers::list(key);
    "containers.status" Container containers::status(key);
    "containers.logs" Container containers::logs(key);
    "commands.run" Command commands::run(key);
    "packages.pending" None packages::pending();
    "packages.lists" None packages::lists();
    "postgres.databases" Database postgres::databases(key);
    "postgres.activity" Database postgres::activity(key);
    "postgres.settings" Database postgres::settings(key);
    "postgres.replication" Database postgres::replication(key);
    "postgres.locks" Database postgres::locks(key);
    "postgres.query" Statement postgres::query(key);
    "logs.since-last-run" Unit logs::since_last_run(key);
    "http.get" Url http::get(key);
    "certificates.file" Path certificates::file(key);
    "certificates.server" Endpoint certificates::server(key);
}

/// `system.load` and nothing else.
///
/// # Errors
/// The host's.
pub fn load(target: &Target) -> Result<(), VerbError> {
    system::load(target).map(drop)
}

/// `files.read`: what the host gives of the file.
///
/// # Errors
/// The host's.
pub fn read(target: &Target, key: &str) -> Result<Vec<u8>, VerbError> {
    files::read(target, key).map(|content| content.bytes)
}

/// A verb error as the contract spells it.
pub fn error_name(error: VerbError) -> &'static str {
    match error {
        VerbError::Refused => "refused",
        VerbError::NotFound => "not-found",
        VerbError::NotPermitted => "not-permitted",
        VerbError::Unsupported => "unsupported",
        VerbError::Unreachable => "unreachable",
        VerbError::TimedOut => "timed-out",
        VerbError::TooLarge => "too-large",
        VerbError::Garbled => "garbled",
        VerbError::Exhausted => "exhausted",
    }
}

/// A finding without metrics or evidence.
pub fn finding(severity: Severity, code: &str, subject: &str, title: &str) -> Finding {
    Finding {
        code: code.to_owned(),
        severity,
        subject: subject.to_owned(),
        title: title.to_owned(),
        metrics: Vec::new(),
        evidence: Vec::new(),
    }
}

/// A plain number.
pub fn count(name: &str, value: f64) -> Metric {
    Metric { name: name.to_owned(), value, unit: Unit::Count }
}

/// A run that could not check, for a reason of its own.
pub fn failure(reason: String) -> Failure {
    Failure { reason, error: None, call: None }
}

/// A parameter that is a number.
pub fn number(target: &Target, name: &str) -> Result<f64, Failure> {
    match params::get(target, name) {
        Some(params::Value::Number(number)) => Ok(number),
        _ => Err(failure(["parameter ", name, " is not a number"].concat())),
    }
}

/// A parameter that is a text.
pub fn text(target: &Target, name: &str) -> Result<String, Failure> {
    match params::get(target, name) {
        Some(params::Value::Text(text)) => Ok(text),
        _ => Err(failure(["parameter ", name, " is not a text"].concat())),
    }
}
