//! `fleet.toml` for machines that tests have started.

use std::fmt::Write;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context, Result, anyhow};
use bailiwick_core::fleet::{Fleet, Target, parse};
use bailiwick_core::source::Source;

use crate::sshd::{Sshd, user};

/// One target as it is written down. Fields are TOML lines, so that a test can leave any of them out.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The target's name.
    pub name: String,
    /// Its keys and values, as in `("port", "22")`; values are TOML.
    pub fields: Vec<(&'static str, String)>,
}

impl Entry {
    /// A server with its pinned ed25519 key and its own user key.
    ///
    /// # Errors
    /// When the server has no such key.
    pub fn for_sshd(name: &str, sshd: &Sshd) -> Result<Self> {
        let entry = Self::at(name, sshd.address(), &sshd.user_key())?;
        Ok(entry.with("host-key", &text(sshd.host_key("ed25519")?)))
    }

    /// An address, without a pinned key.
    ///
    /// # Errors
    /// When this process's account has no name.
    pub fn at(name: &str, address: SocketAddr, identity: &Path) -> Result<Self> {
        let fields = vec![
            ("address", text(&address.ip().to_string())),
            ("port", address.port().to_string()),
            ("user", text(&user()?)),
            ("identity", text(&identity.display().to_string())),
        ];
        Ok(Self { name: name.to_owned(), fields })
    }

    /// The same with a field set to this TOML value.
    #[must_use]
    pub fn with(mut self, key: &'static str, value: &str) -> Self {
        self = self.without(key);
        self.fields.push((key, value.to_owned()));
        self
    }

    /// The same with a text field.
    #[must_use]
    pub fn text(self, key: &'static str, value: &str) -> Self {
        self.with(key, &text(value))
    }

    /// The same without a field.
    #[must_use]
    pub fn without(mut self, key: &str) -> Self {
        self.fields.retain(|(name, _)| *name != key);
        self
    }
}

/// A never-host; its fields are TOML.
#[must_use]
pub fn never(name: &str, fields: &[(&str, &str)]) -> String {
    let mut all = format!("[never.{name}]\nwhy = \"a test says so\"\n");
    for (key, value) in fields {
        let _ = writeln!(all, "{key} = {value}");
    }
    all
}

/// The file.
#[must_use]
pub fn fleet_toml(targets: &[Entry], never: &[String]) -> String {
    let mut all = String::new();
    for target in targets {
        let _ = writeln!(all, "[targets.{}]", text(&target.name));
        for (key, value) in &target.fields {
            let _ = writeln!(all, "{key} = {value}");
        }
    }
    never.iter().for_each(|never| all += never);
    all
}

/// The file, read.
///
/// # Errors
/// When it has mistakes.
pub fn fleet(targets: &[Entry], never: &[String]) -> Result<Fleet> {
    read(&fleet_toml(targets, never))
}

/// Reads a `fleet.toml`.
///
/// # Errors
/// When it has mistakes.
pub fn read(toml: &str) -> Result<Fleet> {
    let source = Source::embedded("fleet.toml", toml);
    parse(&source, Path::new("/"), None).map_err(|problems| {
        let all: Vec<String> = problems.0.iter().map(|problem| problem.render(false)).collect();
        anyhow!("{}", all.join("\n"))
    })
}

/// A target of a fleet.
///
/// # Errors
/// When it is not there.
pub fn target<'a>(fleet: &'a Fleet, name: &str) -> Result<&'a Target> {
    fleet.targets.values().find(|target| target.name.as_str() == name).context("no such target")
}

/// A text as a TOML value.
#[must_use]
pub fn text(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}
