//! The rows of the table of verbs: effect, object, argv template, output limit, timeout and a sentence for people.
//!
//! Knows: what is sent to a target for a verb. Must not know: who may call it (`grant`), how bytes travel (`transport`), what
//! the answer means (`sandbox`). Attack answered: an argument that is read as an option, a pattern or a command
//! (AR01–AR15): a template is fixed words, with at most one hole that takes a whole literal.

mod change;
mod commands;
mod containers;
mod certificates;
mod files;
mod logs;
mod http;
mod network;
mod packages;
mod postgres;
mod query;
mod services;
mod system;

use std::time::Duration;

pub use change::{COMPUTED_BYTES_MAX, needs_content};

use crate::model::each_verb;
use crate::model::{Action, ActionId, Changing, Effect, Field, Inverse, Literal, Object, Url, Verb, Wire};
use crate::nearest::did_you_mean;
pub use files::READ_BYTES;

/// Everything about a verb outside the sandbox.
#[derive(Debug)]
pub struct Spec {
    /// What it does to the target.
    pub effect: Effect,
    /// The object that it takes besides the target.
    pub object: Object,
    /// What is sent to the target.
    pub invocation: Invocation,
    /// Largest answer, stdout and stderr together, in bytes.
    pub bytes_max: u64,
    /// Longest wait for an answer.
    pub timeout: Duration,
    /// What it reads, or changes, for `review`.
    pub reads: &'static str,
}

impl Spec {
    /// The words of the program that it starts, after [`PREFIX`]. Empty if it starts none, or the operator's own.
    #[must_use]
    pub const fn template(&self) -> &'static [Part] {
        match self.invocation {
            Invocation::Program(template) | Invocation::Fed(template, _) => template,
            Invocation::Query(_) => query::PSQL,
            Invocation::Literal | Invocation::Get | Invocation::Gate(_) => &[],
        }
    }
}

/// What is sent to a target for a verb.
#[derive(Debug, Clone, Copy)]
pub enum Invocation {
    /// A program without input.
    Program(&'static [Part]),
    /// A program, and its input.
    Fed(&'static [Part], &'static str),
    /// `psql`, and a query: this one, or the literal's own.
    Query(Option<&'static str>),
    /// The literal's own words.
    Literal,
    /// One HTTP GET of the literal.
    Get,
    /// Nothing: the target's gate has the action in its list. This is the action's inverse.
    Gate(Inverse),
}

/// One word of a template.
#[derive(Debug, Clone, Copy)]
pub enum Part {
    /// A fixed word.
    Word(&'static str),
    /// The literal, as a word of its own.
    Object,
    /// The literal at the end of an option word, such as `--unit=`.
    Option(&'static str),
    /// A part of the literal, as a word of its own; no word if it has no such part.
    Field(Field),
    /// A part of the literal at the end of an option word; no word if it has no such part.
    OptionField(&'static str, Field),
}

/// Every program runs with this environment and no other: a fixed search path, the C locale (parsers read English),
/// UTC. `env` is named absolutely; POSIX has had it in `/usr/bin` on every system that was tested.
pub const PREFIX: &[&str] = &["/usr/bin/env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", "TZ=UTC"];

macro_rules! specs {
    ($($verb:ident = $file:ident::$spec:ident;)*) => {
        /// The row of a verb.
        #[must_use]
        pub fn spec(verb: Verb) -> &'static Spec {
            match verb { $(Verb::$verb => &$file::$spec,)* }
        }
    };
}
each_verb!(specs);

/// The verbs with this effect.
pub fn with(effect: Effect) -> impl Iterator<Item = Verb> {
    Verb::ALL.iter().copied().filter(move |verb| spec(*verb).effect == effect)
}

/// How a target is reached, as far as the wire form depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tier {
    /// This machine: programs without a shell, files without a program.
    Local,
    /// SSH with nothing installed on the target.
    Plain,
    /// SSH to a target with a gate: the client sends action ids, and the gate runs the actions of its list. Connections to
    /// servers go through sshd, as on the plain tier.
    Gated,
}

/// The literal action for a verb that observes, on an object.
///
/// # Panics
/// Never: the parser of literals has checked whether the verb takes an object, and without one the word is left out.
#[must_use]
pub fn action(verb: Verb, literal: Option<Literal>, tier: Tier) -> Action {
    let wire = match (tier, verb, &literal) {
        (Tier::Local, Verb::FilesRead, Some(Literal::Path(path))) => Wire::Read(path.clone()),
        (Tier::Gated, ..) => match wire(spec(verb).invocation, literal.as_ref()) {
            connect @ Wire::Connect { .. } => connect,
            program => Wire::Gated(Box::new(program)),
        },
        _ => wire(spec(verb).invocation, literal.as_ref()),
    };
    Action { id: ActionId::new(verb, literal.as_ref()), verb, literal, wire }
}

/// The literal action for a verb that changes something.
#[must_use]
pub fn change_action(verb: Verb, changing: Changing) -> Action {
    let wire = Wire::Change(changing.change().clone());
    let literal = Literal::Change(changing.into());
    Action { id: ActionId::new(verb, Some(&literal)), verb, literal: Some(literal), wire }
}

fn wire(invocation: Invocation, literal: Option<&Literal>) -> Wire {
    match invocation {
        Invocation::Program(template) => Wire::Exec(argv(template, literal)),
        Invocation::Fed(template, stdin) => Wire::Fed { words: argv(template, literal), stdin: stdin.to_owned() },
        Invocation::Query(sql) => {
            let stdin = match (sql, literal) {
                (None, Some(Literal::Statement(statement))) => query::given(statement.sql()),
                (sql, _) => query::own(sql.unwrap_or_default()),
            };
            Wire::Fed { words: argv(query::PSQL, literal), stdin }
        }
        Invocation::Literal => {
            let own = match literal {
                Some(Literal::Command(command)) => command.argv(),
                _ => &[],
            };
            Wire::Exec(prefix().chain(own.iter().cloned()).collect())
        }
        Invocation::Get => match literal {
            Some(Literal::Url(url)) => Wire::Connect { address: url.address(), request: get(url) },
            _ => Wire::Exec(Vec::new()),
        },
        // An empty program: a change cannot be asked for in this way.
        Invocation::Gate(_) => Wire::Exec(Vec::new()),
    }
}

fn prefix() -> impl Iterator<Item = String> {
    PREFIX.iter().map(|word| (*word).to_owned())
}

fn argv(template: &[Part], literal: Option<&Literal>) -> Vec<String> {
    let own = template.iter().filter_map(|part| match *part {
        Part::Word(word) => Some(word.to_owned()),
        Part::Object => literal.map(ToString::to_string),
        Part::Option(option) => literal.map(|literal| format!("{option}{literal}")),
        Part::Field(field) => literal?.field(field),
        Part::OptionField(option, field) => Some(format!("{option}{}", literal?.field(field)?)),
    });
    prefix().chain(own).collect()
}

/// A whole request. HTTP/1.0: the answer ends with the connection, and comes in one piece.
fn get(url: &Url) -> String {
    format!(
        "GET {} HTTP/1.0\r\nHost: {}\r\nUser-Agent: bailiwick\r\nAccept: */*\r\nConnection: close\r\n\r\n",
        url.target(),
        url.address()
    )
}

/// A hint with similar verbs.
#[must_use]
pub fn nearest(name: &str) -> String {
    let near = did_you_mean(name, Verb::ALL.iter().map(|verb| verb.name()));
    if !near.is_empty() {
        return near.trim_end().to_owned();
    }
    let interface = name.split('.').next().unwrap_or(name);
    let same: Vec<_> = Verb::ALL.iter().filter(|verb| verb.interface() == interface).map(|verb| verb.name()).collect();
    if same.is_empty() {
        let mut all: Vec<_> = Verb::ALL.iter().map(|verb| verb.interface()).collect();
        all.dedup();
        format!("there are verbs in: {}", all.join(", "))
    } else {
        format!("there are: {}", same.join(", "))
    }
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
            let holes = spec.template().iter().any(|part| !matches!(part, Part::Word(_)));
            let takes = spec.object != Object::None && !spec.template().is_empty();
            assert_eq!(holes, takes, "{verb}: a hole if it takes an object");
            assert_eq!(spec.effect == Effect::Change, matches!(spec.invocation, Invocation::Gate(_)), "{verb}");
            match action(verb, Literal::example(spec.object), Tier::Plain).wire {
                Wire::Exec(words) | Wire::Fed { words, .. } => {
                    assert!(words.iter().all(|word| is_plain(word)), "{verb}: {words:?}");
                }
                Wire::Connect { request, .. } => assert_eq!(request.matches("\r\n\r\n").count(), 1, "{request:?}"),
                Wire::Read(_) | Wire::Gated(_) | Wire::Change(_) => panic!("{verb}: the plain tier has no such thing"),
            }
        }
    }
}
