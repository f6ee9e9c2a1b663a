//! A change and its literal: the word that names it in grant, lock and gate.
//!
//! Attack answered: other bytes under a name that the operator approved. The digest of the content is part of the word, and so
//! of the action's id: another content is another action. An untrusted author chooses the contents and could search for two
//! texts with the same short digest; 128 bits rule that out.

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

use super::named::{check_name, inline};
use super::{LiteralError, writable};
use crate::model::{At, Change, ContentName};

/// Maximum words of each program of a change-command.
const WORDS_MAX: usize = 32;
/// Maximum length of a word.
const WORD_BYTES_MAX: usize = 2 << 10;

/// A change, and its word: `/etc/x=base-rules#…`, `/etc/x=computed`, `/etc/x`, `nginx.service`, `podman/web`,
/// `exporter-role#…`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Changing {
    text: String,
    change: Change,
}

/// An operator's change-command: a program that changes something, one that undoes it, and one that checks which is in effect.
/// Absolute programs and whole words, which are in the gate's script and are never sent.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChangeCommand {
    text: String,
    name: String,
    does: Vec<String>,
    undoes: Vec<String>,
    checks: Vec<String>,
}

impl Changing {
    /// Wraps a change. `content` is the name of the declared content that it writes.
    ///
    /// # Errors
    /// When no change may ever touch the object.
    pub fn new(change: Change, content: Option<&ContentName>) -> Result<Self, LiteralError> {
        if let Some(path) = change.path() {
            writable::path(path)?;
        }
        if let Some(unit) = change.unit() {
            writable::unit(unit)?;
        }
        let named = |path: &str, parts: &[&str]| {
            let content = content.map_or("", ContentName::as_str);
            format!("{path}={content}#{}", digest(parts, 32))
        };
        let text = match &change {
            Change::Write { path, text } => named(path.as_str(), &["text", text]),
            Change::EnsureLine { path, line, at: At::Start } => named(path.as_str(), &["start", line]),
            Change::EnsureLine { path, line, at: At::End } => named(path.as_str(), &["end", line]),
            Change::RemoveLine { path, line } => named(path.as_str(), &["line", line]),
            Change::WriteComputed { path, .. } => format!("{}=computed", path.as_str()),
            Change::SetAside { path } => path.as_str().to_owned(),
            Change::Unit { unit, .. } => unit.as_str().to_owned(),
            Change::RestartContainer { container } => container.as_str().to_owned(),
            Change::Command { name, does, undoes, checks } => tagged(name, [does, undoes, checks]),
        };
        Ok(Self { text, change })
    }

    /// The word.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The change.
    #[must_use]
    pub const fn change(&self) -> &Change {
        &self.change
    }

    /// The object, as policy bound it.
    #[must_use]
    pub fn subject(&self) -> &str {
        match &self.change {
            Change::Unit { unit, .. } => unit.as_str(),
            Change::RestartContainer { container } => container.as_str(),
            Change::Command { name, .. } => name,
            change => change.path().map_or("", |path| path.as_str()),
        }
    }
}

impl ChangeCommand {
    /// Defines three programs under a name.
    ///
    /// # Errors
    /// When the name is not valid, a program is not absolute, a word is not printable ASCII or holds a `'`, or one is code for
    /// an interpreter.
    pub fn new(name: &str, does: Vec<String>, undoes: Vec<String>, checks: Vec<String>) -> Result<Self, LiteralError> {
        check_name(name)?;
        for argv in [&does, &undoes, &checks] {
            check_argv(argv)?;
        }
        let text = tagged(name, [&does, &undoes, &checks]);
        Ok(Self { text, name: name.to_owned(), does, undoes, checks })
    }

    /// `NAME#DIGEST`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The change that it makes.
    #[must_use]
    pub fn change(&self) -> Change {
        let Self { name, does, undoes, checks, .. } = self.clone();
        Change::Command { name, does, undoes, checks }
    }
}

fn check_argv(argv: &[String]) -> Result<(), LiteralError> {
    let printable = |word: &String| word.bytes().all(|b| (b' '..=b'~').contains(&b) && b != b'\'');
    let sized = |word: &String| !word.is_empty() && word.len() <= WORD_BYTES_MAX;
    let program = argv.first().filter(|program| program.starts_with('/') && !program.contains([' ', '=']));
    let fits = argv.len() <= WORDS_MAX && argv.iter().all(|word| sized(word) && printable(word));
    if program.is_none() || !fits {
        return Err(LiteralError::ChangeArgv);
    }
    match inline(argv) {
        Some(program) => Err(LiteralError::Inline { program: program.to_owned() }),
        None => Ok(()),
    }
}

fn tagged(name: &str, programs: [&Vec<String>; 3]) -> String {
    let mut parts = Vec::new();
    for argv in programs {
        // The number of words is hashed too, so that no word can move from one program to the next.
        parts.push(argv.len().to_string());
        parts.extend(argv.iter().cloned());
    }
    let parts: Vec<_> = parts.iter().map(String::as_str).collect();
    // A short digest is enough: the operator writes the text, so no attacker can choose it.
    format!("{name}#{}", digest(&parts, 12))
}

/// The first hex digits of the SHA-256 over parts, each with its length before it.
fn digest(parts: &[&str], digits: usize) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let mut digest = HEXLOWER.encode(&hash.finalize());
    digest.truncate(digits);
    digest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{AbsolutePath, UnitAct, UnitName};

    fn write(path: &str, text: &str) -> Result<Changing, LiteralError> {
        let path = AbsolutePath::new(path).unwrap();
        let content = ContentName::new("base-rules").unwrap();
        Changing::new(Change::Write { path, text: text.to_owned() }, Some(&content))
    }

    #[test]
    fn another_content_is_another_word() {
        let one = write("/etc/prometheus/base.yml", "groups: []\n").unwrap();
        let two = write("/etc/prometheus/base.yml", "groups: [x]\n").unwrap();
        assert!(one.as_str().starts_with("/etc/prometheus/base.yml=base-rules#"), "{}", one.as_str());
        assert_ne!(one.as_str(), two.as_str());
        assert_eq!(one.subject(), "/etc/prometheus/base.yml");
    }

    #[test]
    fn fs14_there_is_no_word_for_what_must_not_change() {
        assert!(matches!(write("/etc/ssh/sshd_config", ""), Err(LiteralError::Unchangeable { .. })));
        let unit = UnitName::new("ssh.service").unwrap();
        let reload = Changing::new(Change::Unit { unit, act: UnitAct::Reload }, None);
        assert!(matches!(reload, Err(LiteralError::Unchangeable { .. })));
    }

    #[test]
    fn ar17_a_change_command_is_whole_words_and_no_code() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let ok = || words("/usr/bin/true");
        let with = |does: Vec<String>| ChangeCommand::new("role", does, ok(), ok());
        let mut psql = words("/usr/sbin/runuser -u postgres -- /usr/bin/psql -XAtqc");
        psql.push("CREATE ROLE exporter LOGIN".to_owned());
        assert!(with(psql).is_ok());
        for bad in [
            "true",
            "bin/true",
            "/bin/sh -c reboot",
            "/usr/sbin/runuser -u postgres -c id",
            "/bin/su postgres -c id",
            "/usr/bin/env -S id",
            "/usr/bin/python3 -c pass",
            "/bin/echo it's",
        ] {
            assert!(with(words(bad)).is_err(), "{bad}");
        }
        assert!(with(Vec::new()).is_err());
        assert!(with(vec!["/bin/echo".to_owned(), "a\nb".to_owned()]).is_err());
        assert!(ChangeCommand::new("role", ok(), ok(), Vec::new()).is_err(), "all three are needed");
    }
}
