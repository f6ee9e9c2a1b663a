//! Never-rules: subtracted last, and no grant overrides them.

use std::collections::BTreeSet;

use crate::model::{Action, Literal, Object, Verb};
use crate::source::Place;
use crate::verbs;

/// Actions that nothing may ever take.
#[derive(Debug, Clone)]
pub struct NeverRule {
    /// Only these verbs; empty: all.
    pub(super) verbs: BTreeSet<Verb>,
    /// Units, by pattern.
    pub(super) units: Vec<String>,
    /// Files, by pattern.
    pub(super) files: Vec<String>,
    /// The operator's reason.
    pub why: String,
    /// Where it is written.
    pub place: Place,
}

/// A rule that no action could ever meet: it would look like protection and be none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Idle {
    /// Nothing is named.
    #[error("a never-rule names verbs, units or files")]
    Empty,
    /// The verbs take other objects than the rule names.
    #[error("no verb of this rule takes {0}")]
    Mismatch(&'static str),
    /// Not a pattern that a unit name can match.
    #[error("no unit name can match `{0}`")]
    Unit(String),
    /// Not a pattern that a path can match.
    #[error("no path can match `{0}`")]
    File(String),
}

impl NeverRule {
    /// True if the rule forbids the action.
    #[must_use]
    pub fn forbids(&self, action: &Action) -> bool {
        let verb = self.verbs.is_empty() || self.verbs.contains(&action.verb);
        let any_object = self.units.is_empty() && self.files.is_empty();
        let object = match &action.literal {
            None => any_object,
            Some(Literal::Unit(unit)) => any_object || self.units.iter().any(|p| matches(p, unit.as_str())),
            Some(Literal::Path(path)) => any_object || self.files.iter().any(|p| matches(p, path.as_str())),
        };
        verb && object
    }

    /// Refuses a rule that could never apply.
    pub(super) fn check(&self) -> Result<(), Idle> {
        if self.verbs.is_empty() && self.units.is_empty() && self.files.is_empty() {
            return Err(Idle::Empty);
        }
        let takes = |object| {
            let all = Verb::ALL.iter().copied();
            all.filter(|verb| self.verbs.is_empty() || self.verbs.contains(verb))
                .any(|verb| verbs::spec(verb).object == object)
        };
        if !self.units.is_empty() && !takes(Object::Unit) {
            return Err(Idle::Mismatch("a unit"));
        }
        if !self.files.is_empty() && !takes(Object::Path) {
            return Err(Idle::Mismatch("a file"));
        }
        let idle = |pattern: &&String, object| {
            let all = !pattern.contains(['*', '?']) && Literal::parse(object, pattern).is_err();
            let strange = |c: char| !(c.is_ascii_alphanumeric() || "_@%+=:,./-*?".contains(c));
            all || pattern.is_empty() || pattern.contains(strange)
        };
        // A rule may name a place that no policy can open anyway, such as /etc/shadow.
        let idle_file = |pattern: &&String| {
            !pattern.starts_with(['/', '*'])
                || (idle(pattern, Object::Path)
                    && !matches!(
                        Literal::parse(Object::Path, pattern),
                        Err(crate::model::LiteralError::Forbidden { .. })
                    ))
        };
        if let Some(pattern) = self.units.iter().find(|p| idle(p, Object::Unit) || p.contains('/')) {
            return Err(Idle::Unit(pattern.clone()));
        }
        if let Some(pattern) = self.files.iter().find(idle_file) {
            return Err(Idle::File(pattern.clone()));
        }
        Ok(())
    }
}

/// `*` stands for any text, `/` included, `?` for one byte: a rule that forbids reads widely. Linear in both.
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
