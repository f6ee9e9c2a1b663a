//! Consent: what a component could do here, what of that is new, and what a person's answer does to the lock.
//!
//! Knows: ops directory, lock, a component's bytes and imports. Must not know: terminals. Attacks answered: an update that
//! asks for more, has an older version, or comes from another author (LK14, LK18); an answer to a different question.
//!
//! **Invariant:** a person accepts exactly what was shown. The digest of a [`Question`] covers the component's bytes, imports,
//! limits, signer and each grant in full. An answer names the digest, and is void if any of these has changed.

mod acts;
pub mod lookalike;
mod read;
pub mod verify;

use std::collections::BTreeMap;
use std::path::Path;

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use bailiwick_core::model::{ComponentId, TargetName};
use bailiwick_policy::lock::{
    Actions, Component, Difference, Facts, Lock, LockState, Revoked, Version, VersionError, actions, compare,
};
use bailiwick_policy::ops::Ops;
use bailiwick_policy::signature;
use bailiwick_sandbox::imports::on_one_line;
use bailiwick_sandbox::{ImportError, InspectError, Inspected, Links, check_component, inspect};

pub use acts::{ActError, Actor, Revocation, accept, keep_pending, revoke, unrevoke};
pub use read::{OfferError, Offered, pending, read, waiting};

/// What a person is asked to accept.
#[derive(Debug, Clone)]
pub struct Question {
    /// The component.
    pub id: ComponentId,
    /// Its version, digests, signer, imports and limits.
    pub facts: Facts,
    /// What policy lets it do, by target.
    pub grants: BTreeMap<TargetName, Actions>,
    /// What was accepted before.
    pub before: Option<Component>,
    /// Its versions that were revoked before.
    pub revoked: BTreeMap<String, Revoked>,
    /// What is new since then.
    pub difference: Difference,
    /// SHA-256 over all of it and over what it is compared with: 64 hexadecimal digits.
    pub digest: String,
}

/// The answer of the lock to a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// No grant names it: there is nothing to accept.
    NotGranted,
    /// Nothing was accepted before: a person is asked about all of it.
    First,
    /// It is the accepted version, and gets no more than before.
    Same,
    /// It is the accepted version; policy or fleet gives it more.
    Grown,
    /// A new version that asks for no more: it is accepted.
    NoMore,
    /// A new version that asks for more: it waits for approval.
    More,
}

/// Why this host refuses a component.
#[derive(Debug, thiserror::Error)]
pub enum ComponentError {
    /// It is not a component, or is too large.
    #[error(transparent)]
    Inspect(#[from] InspectError),
    /// Policy rejects its signature, or requires one.
    #[error("E-LOAD-SIG: {0}")]
    Signature(#[from] signature::Refusal),
    /// Its imports do not match its manifest.
    #[error(transparent)]
    Imports(#[from] ImportError),
    /// Its version cannot be compared.
    #[error(transparent)]
    Version(#[from] VersionError),
    /// It does not exist.
    #[error("there is no component `{0}`")]
    Gone(ComponentId),
}

/// Why a component is rejected without a question.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// Its digest was revoked.
    #[error(
        "E-LOAD-REVOKED: {} revoked it on {}: {}\n\nhint: `bailiwick revoke --undo {digest}`, if that was a mistake", revoked.record.who, revoked.record.when, revoked.record.why
    )]
    Revoked {
        /// Of its bytes.
        digest: String,
        /// Who, when, why.
        revoked: Box<Revoked>,
    },
    /// A version below the accepted one.
    #[error(
        "E-LOAD-VERSION: version {offered} is older than {accepted}, which is accepted; an old version may have known vulnerabilities\n\nhint: to install it anyway, run `bailiwick revoke {id}` first, and add it again"
    )]
    Older {
        /// The component.
        id: ComponentId,
        /// Its version.
        offered: Version,
        /// The version in the lock.
        accepted: Version,
    },
    /// Different bytes with the version of the accepted ones.
    #[error(
        "E-LOAD-VERSION: version {version} is accepted with the digest sha256:{accepted}, this file has sha256:{offered}\n\nhint: a version must name one file; ask the author for a new version, or run `bailiwick revoke {id}` first"
    )]
    OtherBytes {
        /// The component.
        id: ComponentId,
        /// The version of both.
        version: Version,
        /// In the lock.
        accepted: String,
        /// Of the file, or of its manifest if only that differs.
        offered: String,
    },
    /// A new id that looks like another.
    #[error(
        "the id `{id}` looks like `{other}`, which already exists\n\nhint: if they are different components, add --not-a-look-alike {other}"
    )]
    LookAlike {
        /// The new id.
        id: ComponentId,
        /// The existing id.
        other: String,
    },
}

/// A component's facts today, its structure, and what it is linked with.
///
/// # Errors
/// When it exceeds its limits or does not match its manifest.
pub fn facts(ops: &Ops, id: &ComponentId, now: Timestamp) -> Result<(Facts, Inspected, Links), ComponentError> {
    let (Some(manifest), Some(binary)) = (ops.library.manifest(id.as_str()), ops.library.binary(id)) else {
        return Err(ComponentError::Gone(id.clone()));
    };
    let signer = ops.signer(id, now)?.map(|signer| format!("{} ({})", signer.principal, signer.fingerprint));
    let inspected = inspect(&binary.bytes, ops.limits(id))?;
    let (history, rules) = (manifest.history.is_some(), manifest.rules.as_ref());
    let links = check_component(&inspected, manifest.world, &manifest.verbs(), &manifest.wasi(), history, rules)?;
    let facts = Facts {
        version: Version::new(&manifest.version)?,
        digest: binary.digest.clone(),
        manifest: ops.library.manifest_digest(id),
        signer,
        imports: links.names(&inspected),
        limits: ops.budget(id).raised().map(|(row, value, _)| (row.name.to_owned(), value)).collect(),
    };
    Ok((facts, inspected, links))
}

/// Every check before a component is compiled: first the acceptance, by digest, before the bytes are parsed; then the bytes.
/// Returns what the component is linked with.
///
/// # Errors
/// Why it is not compiled: on one line, with the next step.
pub fn admit(ops: &Ops, lock_state: &LockState, id: &ComponentId, now: Timestamp) -> Result<Links, String> {
    if ops.library.binary(id).is_none() {
        return Err(format!("its file is gone; restore it, or run `bailiwick revoke {id}`"));
    }
    lock_state.admit(&ops.library, id).map_err(|error| on_one_line(&error))?;
    let (facts, _, links) = facts(ops, id, now).map_err(|error| on_one_line(&error))?;
    lock_state.fits(id, &facts).map_err(|error| on_one_line(&error))?;
    Ok(links)
}

/// The question for a component of `ops`.
#[must_use]
pub fn question(ops: &Ops, lock: &Lock, id: &ComponentId, facts: Facts) -> Question {
    let mut grants = BTreeMap::new();
    let mut literal = Vec::new();
    for (name, target) in &ops.fleet.targets {
        // No grant reaches a never-host. If it stops being one, its grant is new.
        if ops.fleet.forbidden(target).is_none()
            && let Some(grant) = ops.grant(id, name)
        {
            literal.push(grant.digest());
            grants.insert(name.clone(), actions(&grant));
        }
    }
    let before = lock.components.get(id).cloned();
    let difference = before.as_ref().map(|before| compare(before, &facts, &grants)).unwrap_or_default();
    let revoked = lock.revoked.iter().filter(|(_, gone)| gone.component.as_ref().is_some_and(|(gone, _)| gone == id));
    let revoked: BTreeMap<_, _> = revoked.map(|(digest, revoked)| (digest.clone(), revoked.clone())).collect();
    let digest = digest(id, &facts, &literal, before.as_ref(), &revoked);
    Question { id: id.clone(), facts, grants, before, revoked, difference, digest }
}

/// The answer of the lock. `distinct` are ids that the person says are different components.
///
/// # Errors
/// When the component is rejected without a question.
pub fn judge(question: &Question, ops: &Ops, lock: &Lock, distinct: &[ComponentId]) -> Result<Verdict, Rejection> {
    let (id, facts) = (&question.id, &question.facts);
    if let Some(revoked) = lock.revoked.get(&facts.digest) {
        return Err(Rejection::Revoked { digest: facts.digest.clone(), revoked: Box::new(revoked.clone()) });
    }
    let Some(before) = &question.before else {
        let known = ops.library.components().keys().chain(lock.components.keys());
        let gone = lock.revoked.values().filter_map(|revoked| Some(&revoked.component.as_ref()?.0));
        let others = known.chain(gone).filter(|other| !distinct.contains(other)).map(ComponentId::as_str);
        if let Some(other) = lookalike::resembles(id.as_str(), others) {
            return Err(Rejection::LookAlike { id: id.clone(), other: other.to_owned() });
        }
        return Ok(if question.grants.is_empty() { Verdict::NotGranted } else { Verdict::First });
    };
    let accepted = before.facts.version;
    if facts.version < accepted {
        return Err(Rejection::Older { id: id.clone(), offered: facts.version, accepted });
    }
    let more = question.difference.asks_for_more();
    if facts.version > accepted {
        return Ok(if more { Verdict::More } else { Verdict::NoMore });
    }
    let other_bytes = |accepted: &str, offered: &str| Rejection::OtherBytes {
        id: id.clone(),
        version: facts.version,
        accepted: accepted.to_owned(),
        offered: offered.to_owned(),
    };
    if facts.digest != before.facts.digest {
        return Err(other_bytes(&before.facts.digest, &facts.digest));
    }
    if facts.manifest != before.facts.manifest {
        let shown = |digest: &Option<String>| digest.clone().unwrap_or_default();
        return Err(other_bytes(&shown(&before.facts.manifest), &shown(&facts.manifest)));
    }
    Ok(if more { Verdict::Grown } else { Verdict::Same })
}

/// SHA-256 over all parts of a question, each with its length before it.
fn digest(
    id: &ComponentId,
    facts: &Facts,
    grants: &[String],
    before: Option<&Component>,
    revoked: &BTreeMap<String, Revoked>,
) -> String {
    let mut hash = Sha256::new();
    let mut put = |text: &str| {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text);
    };
    put("bailiwick-question-v1");
    put(id.as_str());
    put(&facts.version.to_string());
    put(&facts.digest);
    let Facts { version: _, digest: _, manifest, signer, imports, limits } = facts;
    for optional in [manifest, signer] {
        put(if optional.is_some() { "some" } else { "none" });
        put(optional.as_deref().unwrap_or_default());
    }
    put(&imports.len().to_string());
    imports.iter().for_each(|import| put(import));
    put(&limits.len().to_string());
    for (name, value) in limits {
        put(name);
        put(&value.to_string());
    }
    put(&grants.len().to_string());
    grants.iter().for_each(|grant| put(grant));
    // The earlier answer is part of the question, because the differences depend on it.
    put(before.map_or("", |before| &before.grant_digest));
    // So that an answer from before a revocation is void after it.
    revoked.keys().for_each(|digest| put(digest));
    data_encoding::HEXLOWER.encode(&hash.finalize())
}

/// A digest as a person writes it, without the `sha256:` that may be in front.
#[must_use]
pub fn plain_digest(text: &str) -> &str {
    text.strip_prefix("sha256:").unwrap_or(text)
}

/// The path of a component's file.
#[must_use]
pub fn place(dir: &Path, id: &ComponentId) -> std::path::PathBuf {
    dir.join(bailiwick_policy::lock::store::COMPONENTS).join(format!("{id}.wasm"))
}
