//! The objects that policy may bind to a slot: a unit, a file, a container, an address on the target, …
//!
//! Attack answered: anything that a shell, a glob, an option parser or a path walk would read as more than a name (AR01–AR05,
//! FS02–FS04). The grammars are positive: nothing is quoted, escaped or normalised, and a text that does not match is refused
//! when the policy loads.

mod changing;
mod container;
mod database;
mod named;
mod path;
mod unit;
mod web;
pub mod writable;

use std::fmt;
use std::sync::Arc;

pub use changing::{ChangeCommand, Changing};
pub use container::{Container, Runtime};
pub use database::Database;
use named::{COMMAND_WORDS_MAX, SQL_BYTES_MAX};
pub use named::{Command, Statement};
pub use path::AbsolutePath;
pub use unit::UnitName;
pub use web::{Endpoint, Url};

use super::Object;

/// Why a text cannot be bound to a slot.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LiteralError {
    /// A character outside `[A-Za-z0-9_@%+=:,./-]`, or a first one outside `[A-Za-z0-9_/.]`.
    #[error("`{found}` cannot be sent to a target: allowed are letters, digits and `_@%+=:,./-`")]
    Character {
        /// The offending character, escaped.
        found: String,
    },
    /// Empty, or longer than 256 bytes.
    #[error("the literal is {length} bytes long; it must have 1 to 256 bytes")]
    Length {
        /// Its length in bytes.
        length: usize,
    },
    /// Not a full unit name.
    #[error("a unit must be written in full, such as `nginx.service`")]
    Unit,
    /// Not a plain absolute path.
    #[error("a path must be absolute, without `.` or `..` and without doubled or trailing `/`")]
    Path,
    /// A path that no probe may ever read.
    #[error("no probe may read below `{root}`: {why}")]
    Forbidden {
        /// The root that covers the path.
        root: &'static str,
        /// Why it is on the list.
        why: &'static str,
    },
    /// An object that no change may ever touch.
    #[error("no change may touch `{what}`: {why}")]
    Unchangeable {
        /// The path, name or kind that covers it.
        what: &'static str,
        /// Why it is on the list.
        why: &'static str,
    },
    /// Not a container.
    #[error("a container must be written `podman/NAME` or `docker/NAME`")]
    Container,
    /// Not a program that runs containers.
    #[error("the runtime must be `podman` or `docker`")]
    Runtime,
    /// Not a plain URL.
    #[error(
        "an address must be written `http://IP:PORT/PATH`: an IP address as short as it can be written, no name, no user, no fragment"
    )]
    Url,
    /// Not an address and port.
    #[error("an endpoint must be written `IP:PORT`, or `IP:PORT/NAME` to ask for a server name")]
    Endpoint,
    /// An address of no machine, of more than one machine, or of a metadata service.
    #[error("`{address}` is not the address of a service: {why}")]
    Address {
        /// The address.
        address: std::net::IpAddr,
        /// The reason.
        why: &'static str,
    },
    /// Not a database.
    #[error("a database must be written `NAME`, or `NAME:PORT` if the server does not listen on port 5432")]
    Database,
    /// Not a valid name for a statement or a command.
    #[error("a name must consist of `a-z`, `0-9` and `-`, begin with a letter and have at most 64 characters")]
    Name,
    /// More than one statement, or characters that `psql` itself interprets.
    #[error("a statement must be one query: no `;`, no `\\`, no control characters, 1 to {SQL_BYTES_MAX} bytes")]
    Sql,
    /// Not an argv.
    #[error("a command must have 1 to {COMMAND_WORDS_MAX} words: a program, and arguments without shell characters")]
    Argv,
    /// Not the argv of a change-command.
    #[error(
        "a program of a change-command is an absolute path and up to 31 words of printable ASCII without `'`, 2,048 bytes each at most"
    )]
    ChangeArgv,
    /// A program that reads its code from a word.
    #[error(
        "`{program}` would run code from its command line: put the code into a file on the target and name that file"
    )]
    Inline {
        /// The interpreter.
        program: String,
    },
    /// Policy has no definition of this name.
    #[error("there is no {what} `{name}`")]
    Undefined {
        /// `statement`, `command` or `change-command`.
        what: &'static str,
        /// The name.
        name: String,
    },
    /// The verb takes no object.
    #[error("this verb takes no object")]
    NoObject,
}

/// The object that policy binds to a slot.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Literal {
    /// A systemd unit.
    Unit(UnitName),
    /// A file.
    Path(AbsolutePath),
    /// A program that runs containers.
    Runtime(Runtime),
    /// A container.
    Container(Container),
    /// A page of a server that the target can reach.
    Url(Url),
    /// A server that the target can reach.
    Endpoint(Endpoint),
    /// A PostgreSQL database of the target.
    Database(Database),
    /// A query that the operator wrote.
    Statement(Arc<Statement>),
    /// A program and arguments that the operator wrote.
    Command(Arc<Command>),
    /// Three programs: one changes something, one undoes it, one checks.
    ChangeCommand(Arc<ChangeCommand>),
    /// A change to one of the other literals. A grant makes it; policy cannot bind it to a slot.
    Change(Arc<Changing>),
}

/// A part of a literal, where a template needs one by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// The program that runs a container.
    Runtime,
    /// The name of a container or a database.
    Name,
    /// The port of a database or a server.
    Port,
    /// The address of a server, without a port and without brackets.
    Ip,
    /// The server name for TLS (SNI).
    ServerName,
}

/// Checks a word of a command. As [`check_wire`], but it may also begin with `-`.
fn check_word(text: &str) -> Result<(), LiteralError> {
    check_wire(text.trim_start_matches('-'))
        .or_else(|error| if text == "--" || text == "-" { Ok(()) } else { Err(error) })
}

/// The wire grammar of the plain tier: `[A-Za-z0-9_/.][A-Za-z0-9_@%+=:,./-]*`, 1 to 256 bytes.
fn check_wire(text: &str) -> Result<(), LiteralError> {
    if text.is_empty() || text.len() > 256 {
        return Err(LiteralError::Length { length: text.len() });
    }
    for (index, c) in text.chars().enumerate() {
        let first = c.is_ascii_alphanumeric() || matches!(c, '_' | '/' | '.');
        let later = matches!(c, '@' | '%' | '+' | '=' | ':' | ',' | '-');
        if !(first || (index > 0 && later)) {
            return Err(LiteralError::Character { found: c.escape_default().to_string() });
        }
    }
    Ok(())
}

impl Literal {
    /// Parses a text as a verb's kind of object. Statements and commands are not parsed: policy defines their names.
    ///
    /// # Errors
    /// When the text is not valid, or the verb takes no object.
    pub fn parse(object: Object, text: &str) -> Result<Self, LiteralError> {
        match object {
            Object::None => Err(LiteralError::NoObject),
            Object::Unit => UnitName::new(text).map(Self::Unit),
            Object::Path => AbsolutePath::new(text).map(Self::Path),
            Object::Runtime => Runtime::new(text).map(Self::Runtime),
            Object::Container => Container::new(text).map(Self::Container),
            Object::Url => Url::new(text).map(Self::Url),
            Object::Endpoint => Endpoint::new(text).map(Self::Endpoint),
            Object::Database => Database::new(text).map(Self::Database),
            Object::Statement => {
                Err(LiteralError::Undefined { what: "statement", name: text.escape_debug().to_string() })
            }
            Object::Command => Err(LiteralError::Undefined { what: "command", name: text.escape_debug().to_string() }),
            Object::ChangeCommand => {
                Err(LiteralError::Undefined { what: "change-command", name: text.escape_debug().to_string() })
            }
        }
    }

    /// An example of each kind, for tests. None for a verb that takes no object.
    #[must_use]
    pub fn example(object: Object) -> Option<Self> {
        let name = object.example();
        match object {
            Object::None => None,
            Object::Statement => {
                let database = Database::new("market:5433").ok()?;
                Some(Self::Statement(Statement::new(name, database, "select 1").ok()?.into()))
            }
            Object::Command => {
                let argv = ["/usr/sbin/zpool", "status", "-x"].map(str::to_owned);
                Some(Self::Command(Command::new(name, argv.to_vec()).ok()?.into()))
            }
            Object::ChangeCommand => {
                let psql = |sql: &str| ["/usr/bin/psql", "-c", sql].map(str::to_owned).to_vec();
                let (does, undoes) = (psql("create role exporter"), psql("drop role exporter"));
                Some(Self::ChangeCommand(ChangeCommand::new(name, does, undoes, psql("table roles")).ok()?.into()))
            }
            object => Self::parse(object, name).ok(),
        }
    }

    /// The literal as one word, as printed and as in an action's id.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Unit(unit) => unit.as_str(),
            Self::Path(path) => path.as_str(),
            Self::Runtime(runtime) => runtime.as_str(),
            Self::Container(container) => container.as_str(),
            Self::Url(url) => url.as_str(),
            Self::Endpoint(endpoint) => endpoint.as_str(),
            Self::Database(database) => database.as_str(),
            Self::Statement(statement) => statement.as_str(),
            Self::Command(command) => command.as_str(),
            Self::ChangeCommand(command) => command.as_str(),
            Self::Change(change) => change.as_str(),
        }
    }

    /// A part of it. None if it has no such part.
    #[must_use]
    pub fn field(&self, field: Field) -> Option<String> {
        match (self, field) {
            (Self::Container(container), Field::Runtime) => Some(container.runtime().as_str().to_owned()),
            (Self::Container(container), Field::Name) => Some(container.name().to_owned()),
            (Self::Database(database), Field::Name) => Some(database.name().to_owned()),
            (Self::Database(database), Field::Port) => Some(database.port().to_string()),
            (Self::Statement(statement), field) => Self::Database(statement.database().clone()).field(field),
            (Self::Endpoint(endpoint), Field::Ip) => Some(endpoint.address().ip().to_string()),
            (Self::Endpoint(endpoint), Field::Port) => Some(endpoint.address().port().to_string()),
            (Self::Endpoint(endpoint), Field::ServerName) => endpoint.server_name().map(str::to_owned),
            _ => None,
        }
    }

    /// The address that it connects to, if it connects to one.
    #[must_use]
    pub fn address(&self) -> Option<std::net::SocketAddr> {
        match self {
            Self::Url(url) => Some(url.address()),
            Self::Endpoint(endpoint) => Some(endpoint.address()),
            _ => None,
        }
    }
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
