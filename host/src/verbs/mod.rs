//! The one table: for every verb its effect, object, argv template, output limit, timeout and a sentence for people.
//!
//! Knows: how a verb is said to a target. Must not know: who may say it (`grant`), how bytes travel (`transport`), what
//! the answer means (`sandbox`). Attack answered: an argument that is read as an option, a pattern or a command
//! (AR01–AR15): a template is fixed words, with at most one hole that takes a whole literal.

mod files;
mod network;
mod services;
mod system;

use std::time::Duration;

pub(crate) use files::READ_BYTES;

use crate::model::{Action, ActionId, Effect, Literal, Object, Verb, Wire};

/// Everything that is to be known of a verb outside the sandbox.
#[derive(Debug)]
pub struct Spec {
    /// What it does to the target.
    pub effect: Effect,
    /// What it needs besides the target.
    pub object: Object,
    /// How it is said.
    pub template: &'static [Part],
    /// Largest answer, stdout and stderr together, in bytes.
    pub bytes_max: u64,
    /// Longest wait for an answer.
    pub timeout: Duration,
    /// What it reads, for `review`.
    pub reads: &'static str,
}

/// One word of a template.
#[derive(Debug)]
pub enum Part {
    /// A fixed word.
    Word(&'static str),
    /// The literal, as a word of its own.
    Object,
    /// The literal at the end of an option word, such as `--unit=`.
    Option(&'static str),
}

/// Every program runs with this environment and no other: a fixed search path, the C locale (parsers read English),
/// UTC. `env` is named absolutely; POSIX has had it in `/usr/bin` on every system this was tried on.
pub const PREFIX: &[&str] = &["/usr/bin/env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", "TZ=UTC"];

/// The row of a verb.
#[must_use]
pub fn spec(verb: Verb) -> &'static Spec {
    match verb {
        Verb::SystemIdentity => &system::IDENTITY,
        Verb::SystemUptime => &system::UPTIME,
        Verb::SystemLoad => &system::LOAD,
        Verb::SystemMemory => &system::MEMORY,
        Verb::SystemFilesystems => &system::FILESYSTEMS,
        Verb::SystemTimeSync => &system::TIME_SYNC,
        Verb::SystemLogins => &system::LOGINS,
        Verb::FilesRead => &files::READ,
        Verb::FilesStat => &files::STAT,
        Verb::ServicesStatus => &services::STATUS,
        Verb::ServicesFailed => &services::FAILED,
        Verb::ServicesLogs => &services::LOGS,
        Verb::NetworkListeners => &network::LISTENERS,
    }
}

/// How a target is reached, as far as the wire form depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tier {
    /// This machine: programs without a shell, files without a program.
    Local,
    /// SSH with nothing installed on the target.
    Plain,
}

/// The literal action for a verb on an object.
///
/// # Panics
/// Never: whether a verb takes an object was settled when the literal was parsed, and a missing one leaves the word out.
#[must_use]
pub fn action(verb: Verb, literal: Option<Literal>, tier: Tier) -> Action {
    let wire = match (tier, verb, &literal) {
        (Tier::Local, Verb::FilesRead, Some(Literal::Path(path))) => Wire::Read(path.clone()),
        _ => Wire::Exec(argv(spec(verb), literal.as_ref())),
    };
    Action { id: ActionId::new(verb, literal.as_ref()), verb, literal, wire }
}

fn argv(spec: &Spec, literal: Option<&Literal>) -> Vec<String> {
    let fixed = PREFIX.iter().map(|word| (*word).to_owned());
    let own = spec.template.iter().filter_map(|part| match part {
        Part::Word(word) => Some((*word).to_owned()),
        Part::Object => literal.map(ToString::to_string),
        Part::Option(option) => literal.map(|literal| format!("{option}{literal}")),
    });
    fixed.chain(own).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A word that every shell passes on as it stands: sh, bash, zsh, fish, tcsh.
    fn is_plain(word: &str) -> bool {
        let mut bytes = word.bytes();
        let first = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'/' | b'.' | b'-');
        bytes.next().is_some_and(first)
            && bytes.all(|b| first(b) || matches!(b, b'@' | b'%' | b'+' | b'=' | b':' | b','))
    }

    #[test]
    fn every_template_is_made_of_plain_words() {
        for &verb in Verb::ALL {
            let spec = spec(verb);
            let literal = match spec.object {
                Object::None => None,
                object @ Object::Unit => Some(Literal::parse(object, "a@b.service").unwrap()),
                object @ Object::Path => Some(Literal::parse(object, "/a/b@c").unwrap()),
            };
            let holes = spec.template.iter().filter(|part| !matches!(part, Part::Word(_))).count();
            assert_eq!(holes, usize::from(literal.is_some()), "{verb}: one hole if it takes an object");
            let Wire::Exec(words) = action(verb, literal, Tier::Plain).wire else {
                panic!("{verb}: the plain tier has programs only")
            };
            assert!(words.iter().all(|word| is_plain(word)), "{verb}: {words:?}");
        }
    }
}
