//! `[[anchor]]`: where the journal's head is copied to after each sweep, so that a rewrite of the journal is detected even if
//! the attacker can write all of it.
//!
//! ```toml
//! [[anchor]]
//! target   = "nas01"
//! user     = "bw-store"                  # default: the target's own
//! identity = "keys/bw-store"             # default: the target's own
//! file     = "/srv/journals/controller.heads"
//! why      = "a copy that this machine cannot remove"
//!
//! [[anchor]]
//! git = "/var/lib/bailiwick/heads.git"
//! why = "pushed away by another job"
//! ```
//!
//! An anchor is a write to a target outside a change, and the only one. It is the operator's own: no component can ask for it,
//! name it or see it. The line holds a number, a hash and a time. Never-rules and never-hosts apply to it too.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::Spanned;

use super::NeverRule;
use bailiwick_core::fleet::{Access, Fleet, UserName, key_file};
use bailiwick_core::model::{AbsolutePath, TargetName};
use bailiwick_core::source::{Place, Problem, Problems, Source};

/// The line for a head. Words in capitals stand for a number, a hash and a time.
pub const HEAD_LINE: &str = "bailiwick.head/1 SEQ HASH TIME\n";

/// One `[[anchor]]`.
#[derive(Debug, Clone)]
pub struct Anchor {
    /// The destination.
    pub to: AnchorDestination,
    /// The operator's reason.
    pub why: String,
    /// The place in policy.
    pub place: Place,
}

/// The destination of heads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AnchorDestination {
    /// To the end of a file on a target, over SFTP.
    File {
        /// The target.
        target: TargetName,
        /// The file there.
        file: AbsolutePath,
        /// The account for the anchor, if it is not the one that checks.
        login: Login,
    },
    /// To a branch of a git repository on this machine.
    Git(AbsolutePath),
}

/// An account for the anchor alone. The defaults are the target's own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Login {
    /// The account.
    pub user: Option<UserName>,
    /// Its key file, as written in policy until [`resolve_anchor_keys`] resolves it.
    pub identity: Option<PathBuf>,
}

/// The name in the journal and in messages: `nas01:/srv/journals/controller.heads`, `git:/var/lib/bailiwick/heads.git`.
impl std::fmt::Display for AnchorDestination {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File { target, file, .. } => write!(f, "{target}:{}", file.as_str()),
            Self::Git(repository) => write!(f, "git:{}", repository.as_str()),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawAnchor {
    target: Option<Spanned<String>>,
    file: Option<Spanned<String>>,
    user: Option<Spanned<String>>,
    identity: Option<Spanned<String>>,
    git: Option<Spanned<String>>,
    why: Spanned<String>,
}

pub(super) fn anchors(source: &Source, raw: &[Spanned<RawAnchor>], problems: &mut Problems) -> Vec<Anchor> {
    let mut anchors: Vec<Anchor> = Vec::new();
    for raw in raw {
        let place = source.at(super::parse::first_line(source, raw.span()));
        let raw = raw.get_ref();
        if raw.why.get_ref().trim().is_empty() {
            let problem = Problem::at(source.at(raw.why.span()), "an anchor needs a reason");
            problems.push(problem.hint("add why = \"…\""));
        }
        let to = match (&raw.target, &raw.file, &raw.git) {
            (Some(target), Some(file), None) => {
                let target = problems.take(source, target, TargetName::new);
                let file = problems.take(source, file, AbsolutePath::new);
                let user = raw.user.as_ref().and_then(|user| problems.take(source, user, UserName::new));
                let identity = raw.identity.as_ref().map(|path| PathBuf::from(path.get_ref()));
                let login = Login { user, identity };
                target.zip(file).map(|(target, file)| AnchorDestination::File { target, file, login })
            }
            (None, None, Some(git)) if raw.user.is_none() && raw.identity.is_none() => {
                problems.take(source, git, AbsolutePath::new).map(AnchorDestination::Git)
            }
            _ => {
                let problem = Problem::at(
                    place.clone(),
                    "an anchor must be a file on a target or a git repository on this machine",
                );
                problems.push(problem.hint("write target = \"…\" and file = \"/…\", or git = \"/…\""));
                None
            }
        };
        let Some(to) = to else { continue };
        if let Some(other) = anchors.iter().find(|other| other.to.to_string() == to.to_string()) {
            let problem = Problem::at(place, format!("{to} is already an anchor, at {}", other.place));
            problems.push(problem.hint("remove one of the two"));
            continue;
        }
        anchors.push(Anchor { to, why: raw.why.get_ref().clone(), place });
    }
    anchors
}

/// Checks anchors against the fleet and the never-rules.
///
/// # Errors
/// Every anchor that is not possible, with its place.
pub fn check_anchors(anchors: &[Anchor], fleet: &Fleet, never: &[NeverRule]) -> Result<(), Problems> {
    let mut problems = Problems::default();
    for Anchor { to, place, .. } in anchors {
        let AnchorDestination::File { target, file, .. } = to else { continue };
        let wrong = |message: String, hint: &str| Problem::at(place.clone(), message).hint(hint);
        if let Some(never) = fleet.never.get(target) {
            let message = format!("{target} is a never-host ({}: {})", never.place, never.why);
            problems.push(wrong(message, "choose another machine"));
            continue;
        }
        match fleet.targets.get(target) {
            None => {
                let (message, hint) = fleet.unknown(target.as_str());
                problems.push(wrong(message, &hint));
            }
            Some(known) => {
                if let Some(hit) = fleet.forbidden(known) {
                    problems.push(wrong(format!("{hit}"), "choose another machine"));
                } else if matches!(known.access, Access::Local) {
                    let message = format!("{target} is this machine; an anchor must be on another one");
                    problems.push(wrong(
                        message,
                        "name a target over SSH, or git = \"/…\" whose commits leave this machine",
                    ));
                }
            }
        }
        if let Some(rule) = never.iter().find(|rule| rule.names_file(file)) {
            let message = format!("never-rule {} forbids {}: {}", rule.place, file.as_str(), rule.why);
            problems.push(wrong(message, "nothing overrides a never-rule; choose another file"));
        }
    }
    problems.or(())
}

/// Resolves the paths of the key files that anchors name.
///
/// # Errors
/// When a path begins with `~` and there is no home directory.
pub fn resolve_anchor_keys(anchors: &mut [Anchor], base: &Path, home: Option<&Path>) -> Result<(), Problems> {
    let mut problems = Problems::default();
    for Anchor { to, place, .. } in anchors {
        let AnchorDestination::File { login: Login { identity: Some(identity), .. }, .. } = to else { continue };
        match identity.to_str().and_then(|text| key_file(text, base, home)) {
            Some(path) => *identity = path,
            None => {
                let problem = Problem::at(place.clone(), "cannot expand `~`: HOME is not set");
                problems.push(problem.hint("write the full path in `identity`"));
            }
        }
    }
    problems.or(())
}
