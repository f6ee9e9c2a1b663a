//! The script: a head, this target's list, and then the same eight pieces for every target.
//!
//! Deterministic: the same list gives the same bytes, so that `gate verify` can compare by digest.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use super::{Entry, EntryError, EntryKind, Limits, Paths};
use bailiwick_core::model::{At, Change, Wire, writable};
use bailiwick_core::verbs::PREFIX;

/// The version of the protocol between controller and gate, and of the files that a gate keeps.
pub const VERSION: u32 = 1;

/// The first line of each piece says what it does.
const PIECES: &[&str] = &[
    include_str!("script/1-clean.sh"),
    include_str!("script/2-session.sh"),
    include_str!("script/3-read.sh"),
    include_str!("script/4-state.sh"),
    include_str!("script/5-look.sh"),
    include_str!("script/6-files.sh"),
    include_str!("script/7-change.sh"),
    include_str!("script/8-main.sh"),
];

/// Maximum run time of an operator's command, in seconds.
const COMMAND_SECONDS: u64 = 120;

/// A gate's script, ready to be installed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    /// The whole script.
    pub text: String,
    /// SHA-256 over its list. A plan names it.
    pub list: String,
}

impl Script {
    /// SHA-256 of the file.
    #[must_use]
    pub fn digest(&self) -> String {
        hex(self.text.as_bytes())
    }
}

fn hex(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(&Sha256::digest(bytes))
}

/// Generates the gate's script of a target.
///
/// # Errors
/// When an entry cannot be in a list. Then no script is made.
pub fn script(
    target: &str,
    users: [&str; 2],
    entries: &[Entry],
    paths: &Paths,
    limits: &Limits,
) -> Result<Script, EntryError> {
    let mut by_id = BTreeMap::new();
    for entry in entries {
        entry.check()?;
        if by_id.insert(entry.id.as_str(), entry).is_some_and(|other| other != entry) {
            return Err(EntryError::Twice(entry.id.clone()));
        }
    }
    let list = list(&by_id)?;
    let digest = hex(list.as_bytes());
    let mut text = head(target, users, &digest, paths, limits)?;
    text += &list;
    text += &never();
    PIECES.iter().for_each(|piece| text += piece);
    Ok(Script { text, list: digest })
}

/// A word in single quotes: the only way in which a literal gets into a line of the script.
fn quoted(id: &str, word: &str) -> Result<String, EntryError> {
    match word.chars().find(|c| !matches!(c, ' '..='~') || *c == '\'') {
        Some(character) => Err(EntryError::Word { id: id.to_owned(), character }),
        None => Ok(format!("'{word}'")),
    }
}

fn all_quoted<'w>(id: &str, words: impl IntoIterator<Item = &'w str>) -> Result<String, EntryError> {
    let words: Result<Vec<_>, _> = words.into_iter().map(|word| quoted(id, word)).collect();
    Ok(words?.join(" "))
}

fn head(target: &str, users: [&str; 2], list: &str, paths: &Paths, limits: &Limits) -> Result<String, EntryError> {
    let q = |word: &str| quoted("a path of the gate", word);
    // Built word by word, so that nothing can be left unquoted by accident.
    let mut head = format!(
        "#!/bin/sh\n\
         # bailiwick-gate {VERSION} for {target}, list {list}\n\
         #\n\
         # Written by `bailiwick gate install-script` and installed by a person. sshd runs it for two keys, for any request;\n\
         # sudo runs it as root for two exact command lines. It does what its list contains, and nothing else.\n\
         # A person may call, as root: bailiwick-gate status | bailiwick-gate rollback CHANGE\n\
         #\n\
         # Do not edit it: `bailiwick gate verify` compares it with the grant.\n\n"
    );
    let constants = [
        ("VERSION", VERSION.to_string()),
        ("LIST", q(list)?),
        ("TARGET", q(target)?),
        ("READ_USER", q(users[0])?),
        ("CHANGE_USER", q(users[1])?),
        ("SSHD_SAYS", q(&super::verify::SSHD.map(|(name, ..)| name).join("|"))?),
        ("GATE", q(&paths.gate)?),
        ("CONFIG", q(&paths.config)?),
        ("STATE", q(&paths.state)?),
        ("RUN", q(&paths.run)?),
        ("TMP", q(&paths.tmp)?),
        ("KEYS", q(&paths.keys)?),
        ("SSHD_CONFIG", q(&paths.sshd_config)?),
        ("SUDOERS", q(&paths.sudoers)?),
        ("LOGGER", q(&paths.logger)?),
        ("SUDO", q(&paths.sudo)?),
        ("SSHD", q(&paths.sshd)?),
        ("SYSTEMCTL", q(&paths.systemctl)?),
        ("SYSTEMD_RUN", q(&paths.systemd_run)?),
        ("BOOT_UNIT", q(&paths.boot_unit)?),
        ("SYSTEMD", q(&paths.systemd)?),
        ("LOCKS", q(&paths.locks.join(" "))?),
        ("PER_DAY", limits.per_day.to_string()),
        ("SECONDS_BETWEEN", limits.between_s.to_string()),
        ("DEAD_MAN_MAX", limits.dead_man_max_s.to_string()),
        ("FREE_KIB", limits.free_kib.to_string()),
    ];
    for (name, value) in constants {
        let _ = writeln!(head, "{name}={value}");
    }
    let shell = all_quoted("the shell of the gate", paths.shell.iter().map(String::as_str))?;
    let prefix = all_quoted("the prefix", PREFIX.iter().copied())?;
    let _ = write!(
        head,
        "\n# Starts this file again with an environment of its own.\n\
         start_clean() {{ # ROLE FROM ASKED WORD…\n    exec {prefix} 'HOME=/' {shell} \"$GATE\" \"$@\"\n}}\n\n"
    );
    Ok(head)
}

/// The shell functions that hold this target's list. Each of its words is in single quotes.
fn list(entries: &BTreeMap<&str, &Entry>) -> Result<String, EntryError> {
    let mut lists = Lists::default();
    for (number, (id, entry)) in (1_u32..).zip(entries) {
        match &entry.kind {
            EntryKind::Read(wire) => lists.read(number, id, entry, wire)?,
            EntryKind::Change(change) => lists.change(number, id, entry, change)?,
        }
    }
    Ok(lists.text())
}

/// What no change may touch, as shell patterns. The script checks again on the target, where links and aliases are resolved.
fn never() -> String {
    let quote = |text: &str| match text.strip_suffix('*') {
        Some(start) => format!("'{start}'*"),
        None => format!("'{text}'"),
    };
    let mut paths = Vec::new();
    for (root, _) in writable::PATHS {
        paths.push(quote(root));
        if !root.ends_with('*') {
            paths.push(format!("'{root}/'*"));
        }
    }
    for (name, _) in writable::NAMES {
        paths.push(format!("*'/{name}'"));
        paths.push(format!("*'/{name}/'*"));
    }
    let stems = writable::UNIT_STEMS
        .iter()
        .map(|(stem, _)| if stem.ends_with('*') { quote(stem) } else { format!("'{stem}.'*") });
    let kinds = writable::UNIT_SUFFIXES.iter().map(|suffix| format!("*'.{suffix}'"));
    let units: Vec<_> = stems.chain(kinds).collect();
    let lines = |patterns: &[String]| {
        let rows: Vec<_> = patterns.chunks(6).map(|row| row.join(" | ")).collect();
        rows.join(" | \\\n            ")
    };
    format!(
        "# Files and units that can never be changed, even if a list contains them.\n\
         is_never() {{\n    case $kind in\n    unit)\n        case $object in\n        '{time}') ;;\n        \
         {units}) return 0 ;;\n        esac\n        ;;\n    container | command) ;;\n    *)\n        case $object in\n        \
         {paths}) return 0 ;;\n        esac\n        ;;\n    esac\n    return 1\n}}\n\n",
        time = writable::TIME_SYNC,
        units = lines(&units),
        paths = lines(&paths),
    )
}

#[derive(Default)]
struct Lists {
    read_names: String,
    read_words: String,
    change_names: String,
    command_words: String,
    texts: String,
}

impl Lists {
    fn read(&mut self, number: u32, id: &str, entry: &Entry, wire: &Wire) -> Result<(), EntryError> {
        let words = match wire {
            Wire::Exec(words) => words,
            Wire::Fed { words, stdin } => {
                self.content(number, stdin);
                words
            }
            _ => return Err(EntryError::NoGate(id.to_owned())),
        };
        let (name, seconds, bytes) = (quoted(id, id)?, entry.seconds, entry.bytes_max);
        let words = all_quoted(id, words.iter().map(String::as_str))?;
        let _ = writeln!(self.read_names, "    {name}) entry={number} seconds={seconds} bytes_max={bytes} ;;");
        let _ = writeln!(self.read_words, "    {number}) bounded {seconds} {words} ;;");
        Ok(())
    }

    fn change(&mut self, number: u32, id: &str, entry: &Entry, change: &Change) -> Result<(), EntryError> {
        let name = quoted(id, id)?;
        let object = |word: &str| quoted(id, word);
        let sets = match change {
            Change::Write { path, text } => {
                self.content(number, text);
                format!("kind=write entry={number} object={}", object(path.as_str())?)
            }
            Change::WriteComputed { path, bytes_max } => {
                let most = (*bytes_max).min(entry.bytes_max);
                format!("kind=computed bytes_max={most} object={}", object(path.as_str())?)
            }
            Change::EnsureLine { path, line, at } => {
                self.content(number, &format!("{line}\n"));
                let at = match at {
                    At::Start => "start",
                    At::End => "end",
                };
                format!("kind=ensure-line at={at} entry={number} object={}", object(path.as_str())?)
            }
            Change::RemoveLine { path, line } => {
                self.content(number, &format!("{line}\n"));
                format!("kind=remove-line entry={number} object={}", object(path.as_str())?)
            }
            Change::SetAside { path } => format!("kind=set-aside object={}", object(path.as_str())?),
            Change::Unit { unit, act } => format!("kind=unit act={} object={}", act.word(), object(unit.as_str())?),
            Change::RestartContainer { container } => {
                let runtime = object(&format!("/usr/bin/{}", container.runtime().as_str()))?;
                format!("kind=container act=restart runtime={runtime} object={}", object(container.name())?)
            }
            Change::Command { name, does, undoes, checks } => {
                for (way, words) in [("does", does), ("undoes", undoes), ("checks", checks)] {
                    let words = PREFIX.iter().copied().chain(words.iter().map(String::as_str));
                    let words = all_quoted(id, words)?;
                    let _ = writeln!(self.command_words, "    {number}:{way}) bounded {COMMAND_SECONDS} {words} ;;");
                }
                format!("kind=command entry={number} object={}", object(name)?)
            }
        };
        let _ = writeln!(self.change_names, "    {name}) {sets} ;;");
        Ok(())
    }

    /// Bytes between two marker lines that they do not contain: the second holds their own digest. `head` removes the line end
    /// before the second line if it is not part of the bytes.
    fn content(&mut self, number: u32, text: &str) {
        let (mark, bytes) = (format!("END-OF-{}", hex(text.as_bytes())), text.len());
        let end = if text.ends_with('\n') || text.is_empty() { "" } else { "\n" };
        let _ = write!(
            self.texts,
            "    {number})\n        /usr/bin/head -c {bytes} <<'{mark}'\n{text}{end}{mark}\n        ;;\n"
        );
    }

    fn text(&self) -> String {
        let Self { read_names, read_words, change_names, command_words, texts } = self;
        format!(
            "# --- The list of this target {line}\n\
             #\n\
             # What may be read, by name: the entry, its timeout, the maximum size of its output.\n\
             list_read() {{\n    case $1 in\n{read_names}    *) return 1 ;;\n    esac\n}}\n\n\
             # The words of each entry. `bounded` never returns.\n\
             run_read() {{\n    case $1 in\n{read_words}    *) exit 126 ;;\n    esac\n}}\n\n\
             # What may be changed, by name: the kind of object and the action.\n\
             list_change() {{\n    kind='' act='' runtime='' object='' entry=0 at=end bytes_max=0\n    \
             case $1 in\n{change_names}    *) return 1 ;;\n    esac\n}}\n\n\
             # The operator's own commands: does, undoes and checks.\n\
             run_command() {{\n    case $1 in\n{command_words}    *) exit 126 ;;\n    esac\n}}\n\n\
             # Contents and lines, byte for byte, and the standard input of programs.\n\
             text() {{\n    case $1 in\n{texts}    *) ;;\n    esac\n}}\n\n",
            line = "-".repeat(91)
        )
    }
}
