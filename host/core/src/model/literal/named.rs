//! Definitions that an operator binds by name: a query, or a program with its arguments.
//!
//! Attack answered: a definition that changes under a name that the operator approved. The digest of the definition is part of
//! the literal, and so of the action's id: another text is another action.

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

use super::{Database, LiteralError, check_word};

/// Maximum length of a query, in bytes.
pub(super) const SQL_BYTES_MAX: usize = 4 << 10;
/// Maximum words of a command, including the program.
pub(super) const COMMAND_WORDS_MAX: usize = 32;

/// Programs that run code from a word, and the letters of the options for that.
const INTERPRETERS: &[(&str, &str)] = &[
    ("sh", "c"),
    ("ash", "c"),
    ("bash", "c"),
    ("csh", "c"),
    ("dash", "c"),
    ("env", "S"),
    ("fish", "c"),
    ("ksh", "c"),
    ("lua", "e"),
    ("mksh", "c"),
    ("node", "ep"),
    ("nodejs", "ep"),
    ("perl", "eE"),
    ("php", "rBRE"),
    ("python", "c"),
    ("rbash", "c"),
    ("ruby", "e"),
    ("runuser", "c"),
    ("su", "c"),
    ("tcsh", "c"),
    ("zsh", "c"),
];

/// A query that the operator wrote. It runs in a read-only transaction.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Statement {
    text: String,
    database: Database,
    sql: String,
}

/// A program and its arguments, as the operator wrote them. The operator declares that it only observes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Command {
    text: String,
    argv: Vec<String>,
}

impl Statement {
    /// Defines a query under a name.
    ///
    /// # Errors
    /// When the name is not valid, or the text could be more than one query, or holds characters that `psql` interprets.
    pub fn new(name: &str, database: Database, sql: &str) -> Result<Self, LiteralError> {
        check_name(name)?;
        let strange = |c: char| c == ';' || c == '\\' || (c.is_control() && c != '\n');
        if sql.trim().is_empty() || sql.len() > SQL_BYTES_MAX || sql.contains(strange) {
            return Err(LiteralError::Sql);
        }
        // The digest covers the text that is sent, not its spacing in the file.
        let sql = sql.trim().to_owned();
        Ok(Self { text: tagged(name, &[database.as_str(), &sql]), database, sql })
    }

    /// `NAME#DIGEST`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The database.
    #[must_use]
    pub const fn database(&self) -> &Database {
        &self.database
    }

    /// The query.
    #[must_use]
    pub fn sql(&self) -> &str {
        &self.sql
    }
}

impl Command {
    /// Defines an argv under a name.
    ///
    /// # Errors
    /// When the name is not valid, or a word is not plain. The program begins with a letter, `/` or `.`; an argument may also
    /// begin with `-`.
    pub fn new(name: &str, argv: Vec<String>) -> Result<Self, LiteralError> {
        check_name(name)?;
        let (program, arguments) = argv.split_first().ok_or(LiteralError::Argv)?;
        if argv.len() > COMMAND_WORDS_MAX || program.contains('=') {
            // `env` would read `NAME=VALUE` as a variable.
            return Err(LiteralError::Argv);
        }
        super::check_wire(program)?;
        arguments.iter().try_for_each(|word| check_word(word))?;
        if let Some(program) = inline(&argv) {
            return Err(LiteralError::Inline { program: program.to_owned() });
        }
        let words: Vec<_> = argv.iter().map(String::as_str).collect();
        Ok(Self { text: tagged(name, &words), argv })
    }

    /// `NAME#DIGEST`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The words.
    #[must_use]
    pub fn argv(&self) -> &[String] {
        &self.argv
    }
}

/// The interpreter among the words, also behind `sudo` or `timeout`, that runs code from one of the words. Words after the path
/// of a script belong to the script.
///
/// A word can hold little code, but `sh -c reboot` is possible, and never-rules and reviewers read words as names.
pub(super) fn inline(argv: &[String]) -> Option<&str> {
    argv.iter().enumerate().find_map(|(at, word)| {
        let name = word.rsplit('/').next()?.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
        let (_, letters) = INTERPRETERS.iter().find(|(program, _)| *program == name)?;
        let is_code = |option: &str| match option.strip_prefix("--") {
            Some(long) => ["eval", "command", "init-command", "print", "run", "session-command", "split-string"]
                .iter()
                .any(|code| long.starts_with(code)),
            None => option.strip_prefix('-').is_some_and(|short| short.contains(|c| letters.contains(c))),
        };
        let mut options = argv.get(at + 1..)?.iter().take_while(|word| !word.starts_with(['/', '.']));
        options.any(|option| is_code(option)).then_some(word.as_str())
    })
}

pub(super) fn check_name(name: &str) -> Result<(), LiteralError> {
    let fits = (1..=64).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if fits { Ok(()) } else { Err(LiteralError::Name) }
}

/// The name, and 48 bits of the digest of its definition. That is enough against accidents, and a page that shows it stays
/// readable. An attacker would have to write the policy.
fn tagged(name: &str, parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let digest = HEXLOWER.encode(&hash.finalize());
    format!("{name}#{}", digest.get(..12).unwrap_or(&digest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_is_one_query() {
        let market = || Database::new("market").unwrap();
        let jobs = Statement::new("failed-jobs", market(), "select count(*)\nfrom jobs where failed\n").unwrap();
        assert!(jobs.as_str().starts_with("failed-jobs#"), "{}", jobs.as_str());
        assert_ne!(
            jobs,
            Statement::new("failed-jobs", market(), "select 1").unwrap(),
            "another text is another literal"
        );
        for bad in ["", "select 1; drop table x", "\\! id", "select 1\0", " \n "] {
            assert_eq!(Statement::new("a", market(), bad), Err(LiteralError::Sql), "{bad:?}");
        }
        assert_eq!(Statement::new("A b", market(), "select 1"), Err(LiteralError::Name));
    }

    #[test]
    fn a_command_is_plain_words() {
        let command = |words: &[&str]| Command::new("a", words.iter().map(|&word| word.to_owned()).collect());
        assert!(command(&["/usr/sbin/zpool", "status", "-x"]).is_ok());
        assert!(command(&["smartctl", "-H", "--json=c", "/dev/sda"]).is_ok());
        for bad in
            [&[][..], &["-x"], &["PATH=/tmp"], &["sh", "-c", "id; id"], &["a", ""], &["a", "$(id)"], &["a", "b c"]]
        {
            assert!(command(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn ar17_code_is_no_word_of_a_command() {
        let command = |words: &str| Command::new("a", words.split(' ').map(str::to_owned).collect());
        for bad in [
            "sh -c reboot",
            "/bin/bash -lc reboot",
            "/bin/bash -o pipefail -c reboot",
            "sudo -n sh -c reboot",
            "timeout 5 dash -ec reboot",
            "busybox sh -c reboot",
            "python3.11 -c exit",
            "perl -we exit",
            "node --eval=1",
        ] {
            assert!(matches!(command(bad), Err(LiteralError::Inline { .. })), "{bad}");
        }
        for good in [
            "sudo -n /usr/sbin/smartctl -H /dev/sda",
            "bash -e /usr/local/bin/check.sh -c /etc/check.conf",
            "python3 ./check.py -c x",
            "/usr/lib/nagios/plugins/check_load -w 5 -c 10",
        ] {
            assert!(command(good).is_ok(), "{good}");
        }
    }
}
