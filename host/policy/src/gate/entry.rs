//! One entry of a gate's list, and the checks that keep an entry out of it.
//!
//! Attacks answered: a literal that is more than one word (AR01, AR17), and a list that would let a key reach what no policy
//! can grant (FS14, AR09). The policy's reader has checked these already; the generator checks them again.

use bailiwick_core::model::{Change, Wire, writable};

/// An action of a target's grant, as its gate knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name, which is all that a request contains.
    pub id: String,
    /// What the gate runs.
    pub kind: EntryKind,
    /// Longest time, in seconds.
    pub seconds: u64,
    /// Largest answer, in bytes.
    pub bytes_max: u64,
}

/// What the gate runs for an action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EntryKind {
    /// A program that reads.
    Read(Wire),
    /// A change to one object.
    Change(Change),
}

/// Why an action cannot be in a gate's list.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// The name is not a single word.
    #[error("`{}` is not a valid name for an action of a gate", .0.escape_debug())]
    Id(String),
    /// Two entries have the same name.
    #[error("`{0}` is in the list twice, with different content")]
    Twice(String),
    /// A word cannot be quoted.
    #[error("`{id}`: a word contains {}, which cannot be quoted", .character.escape_debug())]
    Word {
        /// The action.
        id: String,
        /// The offending character.
        character: char,
    },
    /// There is no program, or its path is not absolute, so that the shell would search for it.
    #[error("`{0}` does not name its program by its full path")]
    Program(String),
    /// The content holds a character that a reader of the script would not see.
    #[error("`{id}`: its text contains {}, which a reader of the script would not see", .character.escape_debug())]
    Text {
        /// The action.
        id: String,
        /// The offending character.
        character: char,
    },
    /// The content is too large.
    #[error("`{id}`: its text has {bytes} bytes (maximum {TEXT_BYTES})")]
    Large {
        /// The action.
        id: String,
        /// Its size in bytes.
        bytes: usize,
    },
    /// The line is empty or holds a line end.
    #[error("`{0}`: a line must have at least one character and no line end")]
    Line(String),
    /// No change may touch the object.
    #[error("`{id}`: {object} can never be changed, whatever policy says")]
    Never {
        /// The action.
        id: String,
        /// The object.
        object: String,
    },
    /// A gate does not run this kind of action.
    #[error("a gate cannot run `{0}`")]
    NoGate(String),
}

/// Maximum size of a declared text.
const TEXT_BYTES: usize = 64 << 10;
/// Maximum length of a name. A line of a request has 4 KiB and also holds two states.
const ID_BYTES: usize = 1024;

impl Entry {
    /// Checks that it may be in a list.
    ///
    /// # Errors
    /// Why not.
    pub fn check(&self) -> Result<(), EntryError> {
        let fits = |b: u8| (b'!'..=b'~').contains(&b) && b != b'\'';
        if !(1..=ID_BYTES).contains(&self.id.len()) || !self.id.bytes().all(fits) {
            return Err(EntryError::Id(self.id.clone()));
        }
        match &self.kind {
            EntryKind::Read(Wire::Exec(words)) => self.words(words),
            EntryKind::Read(Wire::Fed { words, stdin }) => self.words(words).and_then(|()| self.text(stdin)),
            EntryKind::Read(_) => Err(EntryError::NoGate(self.id.clone())),
            EntryKind::Change(change) => self.change(change),
        }
    }

    fn change(&self, change: &Change) -> Result<(), EntryError> {
        if let Some(path) = change.path()
            && writable::path(path).is_err()
        {
            return Err(self.never(path.as_str()));
        }
        match change {
            Change::Write { text, .. } => self.text(text),
            Change::EnsureLine { line, .. } | Change::RemoveLine { line, .. } => {
                if line.is_empty() || line.contains('\n') {
                    return Err(EntryError::Line(self.id.clone()));
                }
                self.text(line)
            }
            Change::Unit { unit, .. } => {
                if writable::unit(unit).is_err() {
                    Err(self.never(unit.as_str()))
                } else {
                    self.word(unit.as_str())
                }
            }
            Change::RestartContainer { container } => self.word(container.name()),
            Change::Command { name, does, undoes, checks } => {
                let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
                if name.is_empty() || !name.bytes().all(plain) {
                    return Err(EntryError::Id(name.clone()));
                }
                [does, undoes, checks].into_iter().try_for_each(|words| self.words(words))
            }
            Change::WriteComputed { .. } | Change::SetAside { .. } => Ok(()),
        }
    }

    fn never(&self, object: &str) -> EntryError {
        EntryError::Never { id: self.id.clone(), object: object.to_owned() }
    }

    fn words(&self, words: &[String]) -> Result<(), EntryError> {
        if !words.first().is_some_and(|program| program.starts_with('/')) {
            return Err(EntryError::Program(self.id.clone()));
        }
        words.iter().try_for_each(|word| self.word(word))
    }

    fn word(&self, word: &str) -> Result<(), EntryError> {
        let odd = word.chars().find(|c| !matches!(c, ' '..='~') || *c == '\'');
        odd.map_or(Ok(()), |character| Err(EntryError::Word { id: self.id.clone(), character }))
    }

    fn text(&self, text: &str) -> Result<(), EntryError> {
        if text.len() > TEXT_BYTES {
            return Err(EntryError::Large { id: self.id.clone(), bytes: text.len() });
        }
        // A person who reads the script sees every byte that is written. The only invisible character allowed is a tab.
        let harmless =
            |c: char| matches!(c, '\n' | '\t') || bailiwick_core::encode::is_plain(c.encode_utf8(&mut [0; 4]));
        let odd = text.chars().find(|&c| !harmless(c));
        odd.map_or(Ok(()), |character| Err(EntryError::Text { id: self.id.clone(), character }))
    }
}
