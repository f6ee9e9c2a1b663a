//! Reads the lock. A lock that this version would not have written in exactly this form is refused, and accepts nothing.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::Deserialize;
use toml::Spanned;

use super::write::CHECKSUM;
use super::{Accepted, Component, FILE, FORMAT, Facts, Lock, Record, Revoked, Version};
use crate::library::digest;
use bailiwick_core::model::{ComponentId, TargetName};
use bailiwick_core::read_toml::read_toml;
use bailiwick_core::source::{Problem, Problems, Source};

/// Why a lock accepts nothing.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LockError {
    /// The file has conflict markers of a merge.
    #[error(
        "{FILE}:{line} has an unresolved git conflict (`{marker}`)\n\nhint: take one side (`git checkout --ours {FILE}`), then run `bailiwick approve ID` for what it lacks"
    )]
    Conflict {
        /// The line, from 1.
        line: usize,
        /// How the line begins.
        marker: &'static str,
    },
    /// The file has another format.
    #[error(
        "{FILE} has the format `{found}`; this version reads `{FORMAT}`\n\nhint: use the version of bailiwick that wrote it"
    )]
    Format {
        /// The format that it names, escaped.
        found: String,
    },
    /// The checksum does not match.
    #[error(
        "{FILE} was edited: its checksum does not match\n\nhint: restore it from version control; or move it away and run `bailiwick add DIR/components` to accept each component again. `bailiwick lock verify` shows details"
    )]
    Edited,
    /// The file is not a lock.
    #[error(
        "{FILE} cannot be read as a lock\n\nhint: `bailiwick lock verify` shows where; restore it from version control"
    )]
    Invalid(Vec<Problem>),
}

#[derive(Deserialize)]
struct RawFormat {
    format: Spanned<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLock {
    #[expect(dead_code, reason = "was checked before the rest")]
    format: String,
    #[serde(default, rename = "component")]
    components: Vec<RawComponent>,
    #[serde(default)]
    revoked: Vec<RawRevoked>,
    checksum: RawChecksum,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawChecksum {
    sha256: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct RawComponent {
    id: Spanned<String>,
    version: Spanned<String>,
    digest: Spanned<String>,
    manifest: Option<Spanned<String>>,
    signer: Option<String>,
    imports: BTreeSet<String>,
    #[serde(default)]
    limits: BTreeMap<String, u64>,
    grant_digest: Spanned<String>,
    who: String,
    when: Spanned<String>,
    why: String,
    #[serde(default, rename = "grant")]
    grants: Vec<RawGrant>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawGrant {
    targets: Vec<Spanned<String>>,
    actions: BTreeSet<String>,
    who: String,
    when: Spanned<String>,
    why: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRevoked {
    digest: Spanned<String>,
    component: Option<Spanned<String>>,
    version: Option<Spanned<String>>,
    who: String,
    when: Spanned<String>,
    why: String,
}

/// Reads a lock.
///
/// # Errors
/// When it is not exactly what this version would write.
pub fn parse(source: &Source) -> Result<Lock, LockError> {
    for (at, line) in source.text().lines().enumerate() {
        // No line that this program writes begins like this.
        if let Some(marker) = ["<<<<<<<", "=======", ">>>>>>>", "|||||||"].into_iter().find(|m| line.starts_with(m)) {
            return Err(LockError::Conflict { line: at + 1, marker });
        }
    }
    let one = |problem| LockError::Invalid(vec![problem]);
    let format: RawFormat = read_toml(source, None).map_err(one)?;
    if format.format.get_ref() != FORMAT {
        return Err(LockError::Format { found: format.format.get_ref().escape_default().take(60).collect() });
    }
    let raw: RawLock = read_toml(source, None).map_err(one)?;
    let mut reader = Reader { source, problems: Problems::default() };
    let lock = reader.lock(&raw);
    let lock = reader.problems.or(lock).map_err(|Problems(problems)| LockError::Invalid(problems))?;
    let end = source.text().rfind(CHECKSUM).unwrap_or(0);
    let covered = source.text().get(..end).unwrap_or_default();
    // The checksum must match, and nothing may follow it.
    let whole = format!("{covered}{CHECKSUM}sha256 = \"{}\"\n", digest(covered.as_bytes()));
    if whole == source.text() && raw.checksum.sha256 == digest(covered.as_bytes()) {
        Ok(lock)
    } else {
        Err(LockError::Edited)
    }
}

struct Reader<'a> {
    source: &'a Source,
    problems: Problems,
}

impl Reader<'_> {
    fn take<T, E: std::fmt::Display>(
        &mut self,
        text: &Spanned<String>,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        self.problems.take(self.source, text, parse)
    }

    fn wrong(&mut self, text: &Spanned<String>, message: &str) {
        self.problems.push(Problem::at(self.source.at(text.span()), message));
    }

    fn lock(&mut self, raw: &RawLock) -> Lock {
        let mut lock = Lock::default();
        for raw in &raw.components {
            let Some((id, component)) = self.component(raw) else { continue };
            if lock.components.insert(id, component).is_some() {
                self.wrong(&raw.id, "this component is listed twice");
            }
        }
        for raw in &raw.revoked {
            let digest = self.take(&raw.digest, hex);
            let id = raw.component.as_ref().map(|id| self.take(id, ComponentId::new));
            let version = raw.version.as_ref().map(|version| self.take(version, Version::new));
            let record = self.record(&raw.who, &raw.when, &raw.why);
            let (Some(digest), Some(record)) = (digest, record) else { continue };
            let component = id.flatten().zip(version.flatten());
            if lock.revoked.insert(digest, Revoked { component, record }).is_some() {
                self.wrong(&raw.digest, "this digest is listed twice");
            }
        }
        lock
    }

    fn component(&mut self, raw: &RawComponent) -> Option<(ComponentId, Component)> {
        let id = self.take(&raw.id, ComponentId::new);
        let version = self.take(&raw.version, Version::new);
        let digest = self.take(&raw.digest, hex);
        let manifest = match &raw.manifest {
            Some(text) => Some(self.take(text, hex)?),
            None => None,
        };
        let grant_digest = self.take(&raw.grant_digest, hex);
        let record = self.record(&raw.who, &raw.when, &raw.why);
        let mut grants = BTreeMap::new();
        for raw in &raw.grants {
            let Some(record) = self.record(&raw.who, &raw.when, &raw.why) else { continue };
            for name in &raw.targets {
                let Some(target) = self.take(name, TargetName::new) else { continue };
                let accepted = Accepted { actions: raw.actions.clone(), record: record.clone() };
                if grants.insert(target, accepted).is_some() {
                    self.wrong(name, "this target is listed twice for one component");
                }
            }
        }
        let facts = Facts {
            version: version?,
            digest: digest?,
            manifest,
            signer: raw.signer.clone(),
            imports: raw.imports.clone(),
            limits: raw.limits.clone(),
        };
        Some((id?, Component { facts, grant_digest: grant_digest?, record: record?, grants }))
    }

    fn record(&mut self, who: &str, when: &Spanned<String>, why: &str) -> Option<Record> {
        let when = self.take(when, str::parse::<Timestamp>)?;
        Some(Record { who: who.to_owned(), when, why: why.to_owned() })
    }
}

#[derive(Debug, thiserror::Error)]
#[error("a digest must be 64 lower-case hexadecimal digits")]
struct DigestError;

fn hex(text: &str) -> Result<String, DigestError> {
    let plain = text.len() == 64 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    if plain { Ok(text.to_owned()) } else { Err(DigestError) }
}
