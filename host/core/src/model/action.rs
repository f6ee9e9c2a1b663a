//! An action: one verb on one literal, with its wire form known before anything runs.

use std::fmt;

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use super::{AbsolutePath, Change, Literal, Verb};

/// The stable, readable name of an action on a target: `system.load`, `services.status:nginx.service`.
///
/// Two components that ask a target the same question name the same action, and share the answer.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ActionId(String);

impl ActionId {
    /// The id of a verb on a literal.
    #[must_use]
    pub fn new(verb: Verb, literal: Option<&Literal>) -> Self {
        Self(match literal {
            None => verb.name().to_owned(),
            Some(literal) => format!("{verb}:{literal}"),
        })
    }

    /// The id of a verb on a literal from a journal. For replay, which sends nothing.
    #[must_use]
    pub fn recorded(verb: Verb, object: Option<&str>) -> Self {
        Self(object.map_or_else(|| verb.name().to_owned(), |object| format!("{verb}:{object}")))
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The verb, if this program knows it. An id may come from an older or a foreign journal.
    #[must_use]
    pub fn verb(&self) -> Option<Verb> {
        Verb::from_name(self.0.split_once(':').map_or(self.0.as_str(), |(verb, _)| verb))
    }

    /// The literal of the action, as text.
    #[must_use]
    pub fn object(&self) -> Option<&str> {
        self.0.split_once(':').map(|(_, object)| object)
    }
}

impl fmt::Display for ActionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl std::borrow::Borrow<str> for ActionId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// What is sent to the target.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Wire {
    /// A program and its arguments. Over SSH the words are joined by single spaces. No word holds a character that a shell
    /// interprets.
    Exec(Vec<String>),
    /// A program, its arguments, and all of its standard input.
    Fed {
        /// As for [`Wire::Exec`].
        words: Vec<String>,
        /// Sent as it is, then the end of input.
        stdin: String,
    },
    /// A connection that the target opens, and all that is sent on it. Over SSH a `direct-tcpip` channel.
    Connect {
        /// The address to connect to.
        address: SocketAddr,
        /// Sent as it is.
        request: String,
    },
    /// The start of a file on this machine, read without a program.
    Read(AbsolutePath),
    /// Any of the above, requested from the target's gate by the action's id. The gate's list holds the words, and they are not
    /// sent.
    Gated(Box<Wire>),
    /// A change, requested only from the target's gate, by the action's id.
    Change(Change),
}

impl Wire {
    /// The exact text of an SSH `exec` request. Input follows after ` < `, quoted. After `gate` comes what the target's gate
    /// runs for the action's id.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::Exec(words) => words.join(" "),
            Self::Fed { words, stdin } => format!("{} < {stdin:?}", words.join(" ")),
            Self::Connect { address, request } => format!("connect {address} < {request:?}"),
            Self::Read(path) => format!("read {}", path.as_str()),
            Self::Gated(inner) => format!("gate {}", inner.text()),
            Self::Change(change) => format!("gate {}", change.text()),
        }
    }
}

/// One entry of the finite list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Action {
    /// Its name.
    pub id: ActionId,
    /// Its verb.
    pub verb: Verb,
    /// Its literal, if the verb takes an object.
    pub literal: Option<Literal>,
    /// What is sent to the target.
    pub wire: Wire,
}
