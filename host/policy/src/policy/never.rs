//! Never-rules. They are subtracted last, and no grant overrides them.

use std::collections::BTreeSet;

use super::words;
use bailiwick_core::model::{AbsolutePath, Action, Change, Literal, Object, Verb};
use bailiwick_core::source::Place;
use bailiwick_core::verbs;

/// Actions that no component may ever run.
#[derive(Debug, Clone)]
pub struct NeverRule {
    /// Only these verbs. If empty, all verbs.
    pub(super) verbs: BTreeSet<Verb>,
    /// Units, by pattern.
    pub(super) units: Vec<String>,
    /// Files, by pattern.
    pub(super) files: Vec<String>,
    /// Everything else that is bound to slots, by pattern.
    pub(super) objects: Vec<String>,
    /// The operator's reason.
    pub why: String,
    /// The place in policy.
    pub place: Place,
}

/// A rule that no action could match. It would look like protection without being any.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum NeverRuleError {
    /// The rule names nothing.
    #[error("a never-rule must name verbs, units, files or objects")]
    Empty,
    /// The verbs take other objects than the rule names.
    #[error("no verb of this rule takes {0}")]
    Mismatch(&'static str),
    /// Not a pattern that a unit name can match.
    #[error("no unit name can match `{pattern}`{}", suffix(pattern))]
    Unit { pattern: String },
    /// Not a pattern that a path can match.
    #[error("no path can match `{0}`")]
    File(String),
    /// Not a pattern that anything else can match.
    #[error("no object can match `{0}`")]
    Object(String),
}

/// What a unit's name without a dot lacks.
fn suffix(pattern: &str) -> &'static str {
    if pattern.contains('.') { "" } else { ": the suffix is missing, such as `.service`" }
}

impl NeverRule {
    /// True if the rule forbids the action.
    #[must_use]
    pub fn forbids(&self, action: &Action) -> bool {
        let verb = self.verbs.is_empty() || self.verbs.contains(&action.verb);
        let any_object = self.units.is_empty() && self.files.is_empty() && self.objects.is_empty();
        let object = any_object
            || match &action.literal {
                None => false,
                Some(Literal::Unit(unit)) => any(&self.units, unit.as_str()),
                Some(Literal::Path(path)) => any(&self.files, path.as_str()),
                Some(literal @ Literal::Command(command)) => self.names(literal) || self.names_word(command.argv()),
                // A change counts as an action on the object that it changes.
                Some(literal @ Literal::Change(changing)) => match changing.change() {
                    Change::Unit { unit, .. } => any(&self.units, unit.as_str()),
                    Change::RestartContainer { container } => any(&self.objects, container.as_str()),
                    Change::Command { does, undoes, checks, .. } => {
                        self.names(literal) || [does, undoes, checks].iter().any(|argv| self.names_word(argv))
                    }
                    change => change.path().is_some_and(|path| any(&self.files, path.as_str())),
                },
                Some(literal) => self.names(literal),
            };
        verb && object
    }

    /// True if a pattern for objects matches the literal, with or without the digest of its definition.
    fn names(&self, literal: &Literal) -> bool {
        any(&self.objects, literal.as_str()) || any(&self.objects, bare(literal.as_str()))
    }

    /// True if a pattern matches one of a command's words, which are the only place that shows what it touches.
    fn names_word(&self, argv: &[String]) -> bool {
        let patterns = [&self.units, &self.files, &self.objects];
        words::names_in(argv).iter().any(|text| patterns.iter().any(|patterns| any(patterns, text)))
    }

    /// True if the rule names a file, for any verb. An anchor is never written there.
    #[must_use]
    pub fn names_file(&self, file: &AbsolutePath) -> bool {
        self.files.iter().any(|pattern| matches(pattern, file.as_str()))
    }

    /// Refuses a rule that could never apply.
    pub(super) fn check(&self) -> Result<(), NeverRuleError> {
        if self.verbs.is_empty() && self.units.is_empty() && self.files.is_empty() && self.objects.is_empty() {
            return Err(NeverRuleError::Empty);
        }
        let takes = |object| {
            let all = Verb::ALL.iter().copied();
            all.filter(|verb| self.verbs.is_empty() || self.verbs.contains(verb))
                // A command can name any object.
                .any(|verb| [object, Object::Command, Object::ChangeCommand].contains(&verbs::spec(verb).object))
        };
        if !self.units.is_empty() && !takes(Object::Unit) {
            return Err(NeverRuleError::Mismatch("a unit"));
        }
        if !self.files.is_empty() && !takes(Object::Path) {
            return Err(NeverRuleError::Mismatch("a file"));
        }
        let others = Verb::ALL.iter().filter(|verb| self.verbs.is_empty() || self.verbs.contains(verb));
        let other = |object| !matches!(object, Object::None | Object::Unit | Object::Path);
        if !self.objects.is_empty() && !others.into_iter().any(|&verb| other(verbs::spec(verb).object)) {
            return Err(NeverRuleError::Mismatch("such an object"));
        }
        let idle = |pattern: &&String, object| {
            let all = !pattern.contains(['*', '?']) && Literal::parse(object, pattern).is_err();
            let strange = |c: char| !(c.is_ascii_alphanumeric() || "_@%+=:,./-*?".contains(c));
            all || pattern.is_empty() || pattern.contains(strange)
        };
        // A rule may name a path that no policy can open anyway, such as /etc/shadow.
        let idle_file = |pattern: &&String| {
            !pattern.starts_with(['/', '*'])
                || (idle(pattern, Object::Path)
                    && !matches!(
                        Literal::parse(Object::Path, pattern),
                        Err(bailiwick_core::model::LiteralError::Forbidden { .. })
                    ))
        };
        if let Some(pattern) = self.units.iter().find(|p| idle(p, Object::Unit) || p.contains('/')) {
            return Err(NeverRuleError::Unit { pattern: pattern.clone() });
        }
        if let Some(pattern) = self.files.iter().find(idle_file) {
            return Err(NeverRuleError::File(pattern.clone()));
        }
        let idle_object =
            |pattern: &&String| pattern.is_empty() || !pattern.bytes().all(|b| b.is_ascii_graphic() && b != b'"');
        if let Some(pattern) = self.objects.iter().find(idle_object) {
            return Err(NeverRuleError::Object(pattern.clone()));
        }
        Ok(())
    }
}

fn any(patterns: &[String], text: &str) -> bool {
    patterns.iter().any(|pattern| matches(pattern, text))
}

/// The name of a statement or a command without the digest of its definition.
fn bare(literal: &str) -> &str {
    literal.split('#').next().unwrap_or(literal)
}

/// `*` matches any text, including `/`; `?` matches one byte. A rule that forbids is read widely. The time is linear in pattern
/// and text.
fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(&c) if c == b'?' || text.get(t) == Some(&c) => {
                p += 1;
                t += 1;
            }
            _ => match star {
                Some((at, from)) => {
                    star = Some((at, from + 1));
                    p = at + 1;
                    t = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern.get(p..).unwrap_or_default().iter().all(|&c| c == b'*')
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn patterns() {
        for (pattern, text, expected) in [
            ("postgresql*", "postgresql@15-main.service", true),
            ("postgresql*", "postgres.service", false),
            ("*.timer", "a.timer", true),
            ("/etc/ssh/*", "/etc/ssh/sshd_config.d/a", true),
            ("/etc/ssh/*", "/etc/ssh", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("*a*b*", "xxaxxbxx", true),
            ("*a*b", "xxaxxbxx", false),
            ("", "", true),
            ("*", "", true),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }
}
