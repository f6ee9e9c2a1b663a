//! Decides whether a component may run, by comparing it with the lock. Pure, once the lock is read.
//!
//! **Invariant:** a component that the lock does not show as accepted is refused. Built-in components are part of the program
//! and need no lock.

use std::path::{Path, PathBuf};

use super::{Actions, Component, FILE, Facts, Lock, LockError, Record, Version, actions, parse};
use crate::grant::Grant;
use crate::library::Library;
use bailiwick_core::encode::ShownPath as _;
use bailiwick_core::model::{ComponentId, TargetName};
use bailiwick_core::source::{ReadError, Source};

/// The state of an ops directory's lock.
#[derive(Debug, Clone, Default)]
pub enum LockState {
    /// There is no lock, so nothing is accepted.
    #[default]
    Missing,
    /// There is a valid lock.
    Valid(Box<Lock>),
    /// The lock is invalid, and accepts nothing.
    Invalid(LockError),
}

/// Why a component does not run. Each text names the next step.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The lock is invalid.
    #[error("E-LOAD-DIGEST: {0}")]
    Lock(String),
    /// It is not accepted.
    #[error("E-LOAD-DIGEST: it is not accepted\n\nhint: `bailiwick add {}` shows what it could do, and asks", path.shown())]
    Unknown {
        /// Its file.
        path: PathBuf,
    },
    /// These bytes are revoked.
    #[error("E-LOAD-REVOKED: {} revoked sha256:{digest} on {}: {}\n\nhint: `bailiwick revoke --undo {id}` if that was a mistake; otherwise remove the grant of `{id}` from policy.toml", record.who, day(record), record.why)]
    Revoked {
        /// The component.
        id: ComponentId,
        /// The digest of the bytes.
        digest: String,
        /// Who revoked them, when and why.
        record: Record,
    },
    /// The bytes differ from the accepted ones.
    #[error(
        "E-LOAD-DIGEST: {what} has the digest sha256:{found}, but sha256:{accepted} ({version}) was accepted\n\nhint: restore the accepted file; for a new version, run `bailiwick add {}`", path.shown()
    )]
    Digest {
        /// `its file` or `its manifest`.
        what: &'static str,
        /// The current digest.
        found: String,
        /// The accepted digest.
        accepted: String,
        /// The accepted version.
        version: Version,
        /// Its file.
        path: PathBuf,
    },
    /// It has an import, a signer or a limit that was not accepted.
    #[error("E-LOAD-{code}: {what}\n\nhint: `bailiwick approve {id}` shows the difference, and asks")]
    More {
        /// `IMPORT`, `SIG` or `LIMIT`.
        code: &'static str,
        /// What was not accepted.
        what: String,
        /// The component.
        id: ComponentId,
    },
    /// Policy and fleet grant more on this target than was accepted.
    #[error("E-APPROVAL: {}\n\nhint: `bailiwick approve {id}` shows the difference, and asks", grew(target, actions.as_ref()))]
    Grant {
        /// The component.
        id: ComponentId,
        /// The target.
        target: TargetName,
        /// The actions that were not accepted. None if nothing is accepted on this target.
        actions: Option<Actions>,
    },
}

impl Refusal {
    /// The reason and the next step, for a cell of a table.
    #[must_use]
    pub fn on_one_line(&self) -> String {
        self.to_string().replace("\n\nhint: ", "; ")
    }
}

fn day(record: &Record) -> String {
    record.when.strftime("%Y-%m-%d").to_string()
}

fn grew(target: &TargetName, more: Option<&Actions>) -> String {
    match more {
        None => format!("it is not accepted on `{target}`"),
        Some(more) => {
            let mut names: Vec<_> = more.iter().take(3).map(|action| format!("`{action}`")).collect();
            if more.len() > 3 {
                names.push(format!("and {} more", more.len() - 3));
            }
            format!("its acceptance on `{target}` does not cover {}", names.join(", "))
        }
    }
}

impl LockState {
    /// Reads the lock of a directory. Without a directory there are only built-in components, and no lock.
    ///
    /// # Errors
    /// When it cannot be read at all, or others could have written it.
    pub fn load(dir: Option<&Path>) -> Result<Self, ReadError> {
        let Some(path) = dir.map(|dir| dir.join(FILE)) else { return Ok(Self::Missing) };
        if !path.try_exists().map_err(|source| ReadError::Io { path: path.clone(), source })? {
            return Ok(Self::Missing);
        }
        Ok(match parse(&Source::read(&path)?) {
            Ok(lock) => Self::Valid(Box::new(lock)),
            Err(error) => Self::Invalid(error),
        })
    }

    /// The accepted entry of a component, if there is one.
    #[must_use]
    pub fn accepted(&self, id: &ComponentId) -> Option<&Component> {
        match self {
            Self::Valid(lock) => lock.components.get(id),
            Self::Missing | Self::Invalid(_) => None,
        }
    }

    /// Checks by digest that these bytes and this manifest were accepted, before anything reads them.
    ///
    /// # Errors
    /// When they were not.
    pub fn admit(&self, library: &Library, id: &ComponentId) -> Result<(), Refusal> {
        let Some(binary) = library.binary(id) else {
            return Err(Refusal::Lock(format!("there is no component `{id}`; `bailiwick add FILE` adds a component")));
        };
        // Built in: part of the program.
        let Some(path) = &binary.path else { return Ok(()) };
        let lock = match self {
            Self::Missing => return Err(Refusal::Unknown { path: path.clone() }),
            Self::Invalid(error) => return Err(Refusal::Lock(error.to_string())),
            Self::Valid(lock) => lock,
        };
        if let Some(revoked) = lock.revoked.get(&binary.digest) {
            let (id, digest, record) = (id.clone(), binary.digest.clone(), revoked.record.clone());
            return Err(Refusal::Revoked { id, digest, record });
        }
        let Some(accepted) = lock.components.get(id) else {
            return Err(Refusal::Unknown { path: path.clone() });
        };
        let differs = |what, found: &str, locked: &str| Refusal::Digest {
            what,
            found: found.to_owned(),
            accepted: locked.to_owned(),
            version: accepted.facts.version,
            path: path.clone(),
        };
        if binary.digest != accepted.facts.digest {
            return Err(differs("its file", &binary.digest, &accepted.facts.digest));
        }
        let (current, locked) = (library.manifest_digest(id), accepted.facts.manifest.as_deref());
        let current = current.as_deref();
        if current != locked {
            return Err(differs("its manifest", current.unwrap_or("none"), locked.unwrap_or("none")));
        }
        Ok(())
    }

    /// Checks that the facts of a component match the accepted ones. The same bytes always have the same imports, so a lock
    /// that says otherwise was edited.
    ///
    /// # Errors
    /// When it is not.
    pub fn fits(&self, id: &ComponentId, facts: &Facts) -> Result<(), Refusal> {
        let Some(accepted) = self.accepted(id).map(|accepted| &accepted.facts) else { return Ok(()) };
        let more = |code, what| Err(Refusal::More { code, what, id: id.clone() });
        if accepted.imports != facts.imports {
            let changed: Vec<_> = facts.imports.symmetric_difference(&accepted.imports).map(String::as_str).collect();
            return more("IMPORT", format!("its imports differ from those in the lock: {}", changed.join(", ")));
        }
        if accepted.signer != facts.signer {
            let name = |signer: &Option<String>| signer.clone().unwrap_or_else(|| "no allowed signer".to_owned());
            let what = format!("it is signed by {}, but {} was accepted", name(&facts.signer), name(&accepted.signer));
            return more("SIG", what);
        }
        for (name, value) in &facts.limits {
            if accepted.limits.get(name).is_none_or(|accepted| value > accepted) {
                return more("LIMIT", format!("`{name} = {value}` is not accepted for it"));
            }
        }
        Ok(())
    }

    /// Checks that a grant is a subset of what was accepted on its target.
    ///
    /// # Errors
    /// When it is not.
    pub fn allows(&self, library: &Library, grant: &Grant) -> Result<(), Refusal> {
        let (id, target) = (&grant.component, &grant.target);
        self.admit(library, id)?;
        if library.is_built_in(id.as_str()) {
            return Ok(());
        }
        let accepted = self.accepted(id).and_then(|accepted| accepted.grants.get(target));
        let refused = |actions| Err(Refusal::Grant { id: id.clone(), target: target.clone(), actions });
        let Some(accepted) = accepted else { return refused(None) };
        let more: Actions = actions(grant).difference(&accepted.actions).cloned().collect();
        if more.is_empty() { Ok(()) } else { refused(Some(more)) }
    }
}
