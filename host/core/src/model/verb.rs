//! Verbs: one function of one WIT interface each. What does not stand here does not exist.

use serde::{Deserialize, Serialize};

/// What a verb does to its target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// Reads, and leaves everything as it was.
    Observe,
    /// Changes one object, and can be taken back. A component only puts it on a list.
    Change,
}

/// What a verb needs to be told, besides the target.
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
    /// A program that the operator wrote down, through a slot.
    Command,
    /// A program of the operator's that changes something, with one that undoes it and one that checks, through a slot.
    ChangeCommand,
}

impl Object {
    /// What it is called in a sentence.
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

    /// How one is written in policy.
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
    ($($(#[$doc:meta])* $variant:ident = $interface:literal, $function:literal;)*) => {
        /// Every verb there is.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub enum Verb {
            $($(#[$doc])* $variant,)*
        }

        impl Verb {
            /// Every verb there is, in the order of the WIT files.
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

            /// The name people write, such as `system.time-sync`.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => concat!($interface, ".", $function),)* }
            }
        }
    };
}

verbs! {
    /// Host name, kernel, distribution.
    SystemIdentity = "system", "identity";
    /// Seconds since boot, and whether a reboot is due.
    SystemUptime = "system", "uptime";
    /// Load averages and processors.
    SystemLoad = "system", "load";
    /// Memory and swap.
    SystemMemory = "system", "memory";
    /// Space and inodes of local filesystems.
    SystemFilesystems = "system", "filesystems";
    /// State of time synchronisation.
    SystemTimeSync = "system", "time-sync";
    /// People who are logged in.
    SystemLogins = "system", "logins";
    /// The clock, and when it was asked for.
    SystemClock = "system", "clock";
    /// The first 256 KiB of a file.
    FilesRead = "files", "read";
    /// What a directory says about a file.
    FilesStat = "files", "stat";
    /// State of a unit.
    ServicesStatus = "services", "status";
    /// Units in state `failed`.
    ServicesFailed = "services", "failed";
    /// A unit's warnings and errors of the last day.
    ServicesLogs = "services", "logs";
    /// What a unit has used: processor, memory, disks, tasks.
    ServicesUsage = "services", "usage";
    /// Sockets that accept.
    NetworkListeners = "network", "listeners";
    /// All containers of a runtime.
    ContainersList = "containers", "list";
    /// State, health and restarts of a container.
    ContainersStatus = "containers", "status";
    /// What a container wrote in the last day.
    ContainersLogs = "containers", "logs";
    /// What a program of the operator's says.
    CommandsRun = "commands", "run";
    /// Packages that an upgrade would install.
    PackagesPending = "packages", "pending";
    /// Age of the lists of packages.
    PackagesLists = "packages", "lists";
    /// A server's databases and their sizes.
    PostgresDatabases = "postgres", "databases";
    /// Who is connected to a server.
    PostgresActivity = "postgres", "activity";
    /// A server's settings.
    PostgresSettings = "postgres", "settings";
    /// How far a server, or its standbys, are behind.
    PostgresReplication = "postgres", "replication";
    /// Who waits for whose lock.
    PostgresLocks = "postgres", "locks";
    /// What an operator's statement returns.
    PostgresQuery = "postgres", "query";
    /// A unit's warnings and errors since the component's last run on the target.
    LogsSinceLastRun = "logs", "since-last-run";
    /// A page of a server.
    HttpGet = "http", "get";
    /// The certificates in a file.
    CertificatesFile = "certificates", "file";
    /// The certificates that a server shows.
    CertificatesServer = "certificates", "server";
    /// Makes a declared text the content of a file.
    FilesChangeWrite = "files-change", "write";
    /// Makes bytes of the component's the content of a file.
    FilesChangeWriteComputed = "files-change", "write-computed";
    /// Adds a declared line to a file.
    FilesChangeEnsureLine = "files-change", "ensure-line";
    /// Takes a declared line out of a file.
    FilesChangeRemoveLine = "files-change", "remove-line";
    /// Moves a file out of its place.
    FilesChangeSetAside = "files-change", "set-aside";
    /// Has a unit read its configuration again.
    ServicesChangeReload = "services-change", "reload";
    /// Stops and starts a unit.
    ServicesChangeRestart = "services-change", "restart";
    /// Has a unit start at boot.
    ServicesChangeEnable = "services-change", "enable";
    /// Starts a unit.
    ServicesChangeStart = "services-change", "start";
    /// Restarts a container.
    ContainersChangeRestart = "containers-change", "restart";
    /// Has a program of the operator's change something.
    CommandsChangeRun = "commands-change", "run";
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
