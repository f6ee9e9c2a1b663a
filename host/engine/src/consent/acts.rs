//! Changes the lock as a person's answer says.
//!
//! Knows: questions, the lock and its file. Must not know: how a person is asked. Attack answered: an answer that comes after
//! the lock has changed: it is refused.

use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;

use super::{Question, Verdict};
use bailiwick_core::model::ComponentId;
use bailiwick_policy::lock::store;
use bailiwick_policy::lock::store::{Files, StoreError};
use bailiwick_policy::lock::{Accepted, Component, Lock, Record, Revoked};

/// How long a command waits for another one that changes the same directory.
const PATIENCE: Duration = Duration::from_secs(30);

/// The person who answers.
#[derive(Debug, Clone)]
pub struct Actor {
    /// `alice (uid 1000)`.
    pub who: String,
    /// When.
    pub now: Timestamp,
    /// Why, if given.
    pub why: Option<String>,
}

/// Why an answer has no effect.
#[derive(Debug, thiserror::Error)]
pub enum ActError {
    /// The lock could not be written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The name is not a component of the lock.
    #[error("the lock has no component `{0}`, and it is not a digest\n\nhint: `bailiwick lock` lists what is accepted")]
    Unknown(String),
    /// It is not revoked.
    #[error("`{0}` is not revoked\n\nhint: `bailiwick lock` lists the revoked digests")]
    NotRevoked(String),
    /// Several versions of it are revoked.
    #[error("several versions of `{name}` are revoked\n\nhint: name one of these digests: {digests}")]
    Several {
        /// The component.
        name: String,
        /// Their digests.
        digests: String,
    },
}

/// A revocation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revocation {
    /// The digest that stays blocked.
    pub digest: String,
    /// The components that it was accepted for: several, if the manifests are not sealed in.
    pub components: Vec<ComponentId>,
}

impl Actor {
    fn record(&self, otherwise: &str) -> Record {
        let why = self.why.clone().unwrap_or_else(|| otherwise.to_owned());
        Record { who: self.who.clone(), when: self.now, why }
    }
}

/// Writes an acceptance, and puts the component's files in place.
///
/// # Errors
/// When the lock has changed for this component since the question was made, or a file cannot be written.
pub fn accept(
    dir: &Path,
    question: &Question,
    verdict: Verdict,
    files: Option<&Files>,
    actor: &Actor,
    gate: store::StepHook<'_>,
) -> Result<(), StoreError> {
    let (hold, mut lock) = store::begin(dir, PATIENCE)?;
    let id = &question.id;
    if lock.components.get(id) != question.before.as_ref() || lock.revoked.contains_key(&question.facts.digest) {
        return Err(StoreError::Changed(id.clone()));
    }
    lock.components.insert(id.clone(), component(question, verdict, actor));
    store::commit(dir, &hold, &lock, files.map(|files| (id, files)), gate)?;
    if verdict == Verdict::More {
        store::remove_held(dir, &hold, id)?;
    }
    Ok(())
}

fn component(question: &Question, verdict: Verdict, actor: &Actor) -> Component {
    let before = question.before.as_ref();
    let record = actor.record(&match (verdict, before) {
        (Verdict::NoMore, Some(before)) => format!("asks for no more than {}", before.facts.version),
        _ => "accepted as shown".to_owned(),
    });
    // A list of actions that did not need a new answer keeps its earlier record.
    let kept = |target, actions: &_| {
        let old = before?.grants.get(target)?;
        (verdict != Verdict::More && old.actions == *actions).then(|| old.record.clone())
    };
    let grants = question.grants.iter().map(|(target, actions)| {
        let record = kept(target, actions).unwrap_or_else(|| record.clone());
        (target.clone(), Accepted { actions: actions.clone(), record })
    });
    Component {
        facts: question.facts.clone(),
        grant_digest: question.digest.clone(),
        grants: grants.collect(),
        record: match (verdict, before) {
            (Verdict::Grown | Verdict::Same, Some(before)) => before.record.clone(),
            _ => record,
        },
    }
}

/// Keeps a version until a person approves it. The accepted version stays.
///
/// # Errors
/// When it cannot be written.
pub fn keep_pending(dir: &Path, id: &ComponentId, files: &Files) -> Result<(), StoreError> {
    let (hold, _) = store::begin(dir, PATIENCE)?;
    store::store_held(dir, &hold, id, files)
}

/// Revokes a component, by id or digest. The digest stays blocked; the files stay in place, and are refused.
///
/// # Errors
/// When the lock has no such component, or cannot be written.
pub fn revoke(dir: &Path, name: &str, actor: &Actor) -> Result<Revocation, ActError> {
    let (hold, mut lock) = store::begin(dir, PATIENCE)?;
    let digest = match lock.components.get(name) {
        Some(component) => component.facts.digest.clone(),
        None if is_digest(name) => super::plain_digest(name).to_owned(),
        None => return Err(ActError::Unknown(name.escape_default().take(80).collect())),
    };
    // The component that was named comes first: the revocation records it.
    let mut accepted: Vec<_> =
        lock.components.iter().filter(|(_, component)| component.facts.digest == digest).collect();
    accepted.sort_by_key(|(id, _)| id.as_str() != name);
    let accepted: Vec<_> = accepted.into_iter().map(|(id, component)| (id.clone(), component.facts.version)).collect();
    lock.components.retain(|_, there| there.facts.digest != digest);
    let revocation =
        Revocation { digest: digest.clone(), components: accepted.iter().map(|(id, _)| id.clone()).collect() };
    let component = accepted.into_iter().next().or_else(|| lock.revoked.get(&digest)?.component.clone());
    lock.revoked.insert(digest, Revoked { component, record: actor.record("no reason given") });
    store::commit(dir, &hold, &lock, None, &mut store::proceed)?;
    Ok(revocation)
}

/// Undoes a revocation. The component is not accepted by that, but can be added again.
///
/// # Errors
/// When it is not revoked, or the lock cannot be written.
pub fn unrevoke(dir: &Path, name: &str) -> Result<(), ActError> {
    let (hold, mut lock): (_, Lock) = store::begin(dir, PATIENCE)?;
    let is_named = |revoked: &Revoked| revoked.component.as_ref().is_some_and(|(id, _)| id.as_str() == name);
    let mut named = lock.revoked.iter().filter(|(_, revoked)| is_named(revoked)).map(|(digest, _)| digest.clone());
    let digest = match (named.next(), named.next()) {
        (Some(one), None) => one,
        (Some(one), Some(other)) => {
            let all: Vec<_> = [one, other].into_iter().chain(named).map(|digest| format!("sha256:{digest}")).collect();
            return Err(ActError::Several { name: name.to_owned(), digests: all.join(", ") });
        }
        _ => super::plain_digest(name).to_owned(),
    };
    if lock.revoked.remove(&digest).is_none() {
        return Err(ActError::NotRevoked(name.escape_default().take(80).collect()));
    }
    // Undoing a revocation accepts nothing.
    lock.components.retain(|_, there| there.facts.digest != digest);
    Ok(store::commit(dir, &hold, &lock, None, &mut store::proceed)?)
}

fn is_digest(text: &str) -> bool {
    let plain = super::plain_digest(text);
    plain.len() == 64 && plain.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}
