//! Asking a person: what a component could ever do here, what of that is new, and what an answer means.
//!
//! Knows: ops directory, lock, what a component is made of. Must not know: terminals. Attacks answered: an update that
//! asks for more, goes back, or is somebody else's (LK14, LK18); an answer to another question than was shown.
//!
//! **Invariant:** what is accepted is what was shown. The digest of a [`Question`] covers the component's bytes, imports,
//! limits, signer and every grant literally; an answer names it, and is void if anything of that component has changed.

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

pub use acts::{ActError, Actor, Undone, accept, hold_back, revoke, unrevoke};
pub use read::{OfferError, Offered, held, read, waiting};

/// What a person is asked.
#[derive(Debug, Clone)]
pub struct Question {
    /// The component.
    pub id: ComponentId,
    /// What it is.
    pub facts: Facts,
    /// What policy would let it do, by target.
    pub grants: BTreeMap<TargetName, Actions>,
    /// What was accepted of it before.
    pub before: Option<Component>,
    /// What was revoked of it before.
    pub revoked: BTreeMap<String, Revoked>,
    /// What is new, if something was accepted before.
    pub difference: Difference,
    /// Covers all of it, literally, and what it is compared with: 64 hexadecimal digits.
    pub digest: String,
}

/// What the lock says to a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// No grant names it: nothing to agree to.
    NotGranted,
    /// Nothing was accepted before: all of it is asked.
    First,
    /// It is what was accepted, and asks for no more.
    Same,
    /// It is what was accepted; policy or fleet give it more.
    Grown,
    /// A new version that asks for no more: passes.
    NoMore,
    /// A new version that asks for more: held.
    More,
}

/// Why a component is none for this host.
#[derive(Debug, thiserror::Error)]
pub enum ComponentError {
    /// It is no component, or too much of one.
    #[error(transparent)]
    Inspect(#[from] InspectError),
    /// Policy does not take its signature, or wants one.
    #[error("E-LOAD-SIG: {0}")]
    Signature(#[from] signature::Refusal),
    /// It does not ask for what its manifest says.
    #[error(transparent)]
    Imports(#[from] ImportError),
    /// Its version cannot be compared.
    #[error(transparent)]
    Version(#[from] VersionError),
    /// It is not there.
    #[error("there is no component `{0}`")]
    Gone(ComponentId),
}

/// Why a component is not even asked about.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// These bytes must not come back.
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
        "E-LOAD-VERSION: version {offered} is older than {accepted}, which is accepted; an old version may have old holes\n\nhint: to go back all the same, `bailiwick revoke {id}` first, and add this one again"
    )]
    Older {
        /// The component.
        id: ComponentId,
        /// Its version.
        offered: Version,
        /// The one in the lock.
        accepted: Version,
    },
    /// The accepted version's number on other bytes.
    #[error(
        "E-LOAD-VERSION: version {version} is accepted with the digest sha256:{accepted}, this file has sha256:{offered}\n\nhint: two files with one version are not one version; ask its author for a new one, or `bailiwick revoke {id}` first"
    )]
    OtherBytes {
        /// The component.
        id: ComponentId,
        /// Both have it.
        version: Version,
        /// In the lock.
        accepted: String,
        /// Of the file, or of its manifest if only that differs.
        offered: String,
    },
    /// A new id that may be taken for another.
    #[error(
        "the id `{id}` may be taken for `{other}`, which is here\n\nhint: if it really is another one, say so: --not-a-look-alike {other}"
    )]
    LookAlike {
        /// The new one.
        id: ComponentId,
        /// The one that is there.
        other: String,
    },
}

/// What a component is today, apart from what policy lets it do; what it is made of; what it is linked with.
///
/// # Errors
/// When it is no component for this host, within its limits and as its manifest says.
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

/// All that is checked before a component is compiled: what was accepted, by digest and before anything reads the bytes;
/// then what they are made of. Gives what it is linked with; the refusal is on one line, with the next step.
///
/// # Errors
/// Why it is not compiled.
pub fn admit(ops: &Ops, lock_state: &LockState, id: &ComponentId, now: Timestamp) -> Result<Links, String> {
    if ops.library.binary(id).is_none() {
        return Err(format!("its file is gone; put it back, or `bailiwick revoke {id}`"));
    }
    lock_state.admit(&ops.library, id).map_err(|error| on_one_line(&error))?;
    let (facts, _, links) = facts(ops, id, now).map_err(|error| on_one_line(&error))?;
    lock_state.fits(id, &facts).map_err(|error| on_one_line(&error))?;
    Ok(links)
}

/// Puts the question for a component of `ops`.
#[must_use]
pub fn question(ops: &Ops, lock: &Lock, id: &ComponentId, facts: Facts) -> Question {
    let mut grants = BTreeMap::new();
    let mut literal = Vec::new();
    for (name, target) in &ops.fleet.targets {
        // Nothing reaches a never-host; if it ceases to be one, it is new.
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

/// What the lock says to it. `distinct` are ids that the person has told apart from this one.
///
/// # Errors
/// When it is not even asked about.
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

/// SHA-256 over all that is asked, each part with its length before it.
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
    // Each answer names the one before it: what was a difference then is one now.
    put(before.map_or("", |before| &before.grant_digest));
    // So that a yes from before a revocation is none after it.
    revoked.keys().for_each(|digest| put(digest));
    data_encoding::HEXLOWER.encode(&hash.finalize())
}

/// The digest that a person gave, with or without the name of its function before it.
#[must_use]
pub fn plain_digest(text: &str) -> &str {
    text.strip_prefix("sha256:").unwrap_or(text)
}

/// Where a component's file is, or would be.
#[must_use]
pub fn place(dir: &Path, id: &ComponentId) -> std::path::PathBuf {
    dir.join(bailiwick_policy::lock::store::COMPONENTS).join(format!("{id}.wasm"))
}
