//! The table of verbs: each is one function of one WIT interface. A verb that is not in the table does not exist.

use serde::{Deserialize, Serialize};

/// What a verb does to its target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// Reads, and changes nothing.
    Observe,
    /// Changes one object, and can be rolled back. A component only adds it to a plan.
    Change,
}

/// The kind of object that a verb takes besides the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Object {
    /// Nothing.
    None,
    /// A systemd unit, through a slot.
    Unit,
    /// A file, through a slot.
    Path,
    /// A program that runs containers, through a slot.
    Runtime,
    /// A container, through a slot.
    Container,
    /// A page of a server, through a slot.
    Url,
    /// A server, through a slot.
    Endpoint,
    /// A PostgreSQL database, through a slot.
    Database,
    /// A query that the operator wrote, through a slot.
    Statement,
    /// A program that policy names, through a slot.
    Command,
    /// A program of the operator that changes something, with one that undoes it and one that checks, through a slot.
    ChangeCommand,
}

impl Object {
    /// Its noun in a sentence.
    #[must_use]
    pub const fn noun(self) -> &'static str {
        match self {
            Self::None => "target",
            Self::Unit => "unit",
            Self::Path => "path",
            Self::Runtime => "runtime",
            Self::Container => "container",
            Self::Url => "url",
            Self::Endpoint => "endpoint",
            Self::Database => "database",
            Self::Statement => "statement",
            Self::Command => "command",
            Self::ChangeCommand => "change-command",
        }
    }

    /// An example, as policy writes it.
    #[must_use]
    pub const fn example(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Unit => "nginx.service",
            Self::Path => "/etc/hostname",
            Self::Runtime => "podman",
            Self::Container => "podman/web",
            Self::Url => "http://127.0.0.1:9090/api/v1/rules",
            Self::Endpoint => "127.0.0.1:443/www.example.org",
            Self::Database => "postgres",
            Self::Statement => "failed-jobs",
            Self::Command => "zpool-status",
            Self::ChangeCommand => "exporter-role",
        }
    }
}

macro_rules! verbs {
    ($(#[doc = $about:literal] $variant:ident = $interface:literal, $function:literal, $file:ident::$spec:ident;)*) => {
        /// A verb.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub enum Verb {
            $(#[doc = $about] $variant,)*
        }

        impl Verb {
            /// All verbs, in the order of the WIT files.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The WIT interface, such as `system`.
            #[must_use]
            pub const fn interface(self) -> &'static str {
                match self { $(Self::$variant => $interface,)* }
            }

            /// The WIT function, such as `time-sync`.
            #[must_use]
            pub const fn function(self) -> &'static str {
                match self { $(Self::$variant => $function,)* }
            }

            /// The full name, such as `system.time-sync`.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => concat!($interface, ".", $function),)* }
            }

            /// What it answers or changes, in a line, such as `Load averages, processors.`
            #[must_use]
            pub const fn about(self) -> &'static str {
                match self { $(Self::$variant => $about.trim_ascii(),)* }
            }
        }

        /// Calls a macro with every verb and the constant that holds its [`Spec`](crate::verbs::Spec).
        macro_rules! each_verb {
            ($then:ident) => { $then! { $($variant = $file::$spec;)* } };
        }
        pub(crate) use each_verb;
    };
}

// One row for each verb: what it answers, its WIT interface and function, and its row in `verbs/`.
verbs! {
    /// Host name, kernel, distribution.
    SystemIdentity = "system", "identity", system::IDENTITY;
    /// Seconds since boot, reboot due.
    SystemUptime = "system", "uptime", system::UPTIME;
    /// Load averages, processors.
    SystemLoad = "system", "load", system::LOAD;
    /// Memory and swap.
    SystemMemory = "system", "memory", system::MEMORY;
    /// Space and inodes of local filesystems.
    SystemFilesystems = "system", "filesystems", system::FILESYSTEMS;
    /// Whether the clock is synchronised.
    SystemTimeSync = "system", "time-sync", system::TIME_SYNC;
    /// People logged in.
    SystemLogins = "system", "logins", system::LOGINS;
    /// The clock, and when it was asked.
    SystemClock = "system", "clock", system::CLOCK;
    /// A file's first 256 KiB.
    FilesRead = "files", "read", files::READ;
    /// Size, age, owner, mode.
    FilesStat = "files", "stat", files::STAT;
    /// A unit's state.
    ServicesStatus = "services", "status", services::STATUS;
    /// Units in state failed.
    ServicesFailed = "services", "failed", services::FAILED;
    /// A unit's warnings of the last day.
    ServicesLogs = "services", "logs", services::LOGS;
    /// Processor, memory, disks and tasks of a unit.
    ServicesUsage = "services", "usage", services::USAGE;
    /// Listening sockets.
    NetworkListeners = "network", "listeners", network::LISTENERS;
    /// All containers of a runtime.
    ContainersList = "containers", "list", containers::LIST;
    /// A container's state, health, restarts.
    ContainersStatus = "containers", "status", containers::STATUS;
    /// The output of a container in the last day.
    ContainersLogs = "containers", "logs", containers::LOGS;
    /// The output of an operator's program.
    CommandsRun = "commands", "run", commands::RUN;
    /// What an upgrade would install.
    PackagesPending = "packages", "pending", packages::PENDING;
    /// When the lists of packages were fetched.
    PackagesLists = "packages", "lists", packages::LISTS;
    /// A PostgreSQL server's databases, sizes.
    PostgresDatabases = "postgres", "databases", postgres::DATABASES;
    /// Connections, and since when.
    PostgresActivity = "postgres", "activity", postgres::ACTIVITY;
    /// A server's settings.
    PostgresSettings = "postgres", "settings", postgres::SETTINGS;
    /// How far standbys are behind.
    PostgresReplication = "postgres", "replication", postgres::REPLICATION;
    /// Sessions that wait for a lock, and its holder.
    PostgresLocks = "postgres", "locks", postgres::LOCKS;
    /// What the operator's statement returns.
    PostgresQuery = "postgres", "query", postgres::QUERY;
    /// A unit's warnings since the last run.
    LogsSinceLastRun = "logs", "since-last-run", logs::SINCE_LAST_RUN;
    /// A page: status, content type, body.
    HttpGet = "http", "get", http::GET;
    /// The certificates in a file.
    CertificatesFile = "certificates", "file", certificates::FILE;
    /// The certificates that a TLS server presents.
    CertificatesServer = "certificates", "server", certificates::SERVER;
    /// Writes a declared text as the whole content of a file.
    FilesChangeWrite = "files-change", "write", change::WRITE;
    /// Writes bytes that the component computes as the whole content of a file.
    FilesChangeWriteComputed = "files-change", "write-computed", change::WRITE_COMPUTED;
    /// Adds a declared line to a file.
    FilesChangeEnsureLine = "files-change", "ensure-line", change::ENSURE_LINE;
    /// Removes a declared line from a file.
    FilesChangeRemoveLine = "files-change", "remove-line", change::REMOVE_LINE;
    /// Moves a file out of its place.
    FilesChangeSetAside = "files-change", "set-aside", change::SET_ASIDE;
    /// Reloads the configuration of a unit.
    ServicesChangeReload = "services-change", "reload", change::RELOAD;
    /// Restarts a unit.
    ServicesChangeRestart = "services-change", "restart", change::RESTART;
    /// Enables a unit, so that it starts at boot.
    ServicesChangeEnable = "services-change", "enable", change::ENABLE;
    /// Starts a unit.
    ServicesChangeStart = "services-change", "start", change::START;
    /// Restarts a container.
    ContainersChangeRestart = "containers-change", "restart", change::RESTART_CONTAINER;
    /// Runs an operator's program that changes something.
    CommandsChangeRun = "commands-change", "run", change::RUN;
}

impl Verb {
    /// The verb with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|verb| verb.name() == name)
    }
}

impl std::fmt::Display for Verb {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

/// The text is not the name of a verb.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no such verb")]
pub struct NoSuchVerb;

impl TryFrom<String> for Verb {
    type Error = NoSuchVerb;
    fn try_from(text: String) -> Result<Self, NoSuchVerb> {
        Self::from_name(&text).ok_or(NoSuchVerb)
    }
}

impl From<Verb> for String {
    fn from(verb: Verb) -> Self {
        verb.name().to_owned()
    }
}
