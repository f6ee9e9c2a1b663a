//! `allowed_signers` in the format of `ssh-keygen(1)`: who may sign with which key, for what, and when.
//!
//! Knows: the file's grammar, as OpenSSH reads it. Must not know: what is signed. Attacks answered: a line that OpenSSH skips
//! silently and that an operator relies on. Here every line must be valid, or the file is refused.

use data_encoding::BASE64;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::NAMESPACE;
use super::pattern::list_matches;
use super::time;
use bailiwick_core::source::{Place, Problem, Problems, Source};

/// The allowed signers.
#[derive(Debug, Clone, Default)]
pub struct AllowedSigners {
    lines: Vec<Line>,
}

/// One line: a key and its principals.
#[derive(Debug, Clone)]
pub(super) struct Line {
    /// The pattern list.
    pub(super) principals: String,
    /// None for a key of another type, which cannot sign components.
    key: Option<[u8; 32]>,
    namespaces: Option<String>,
    valid_after: Option<i64>,
    valid_before: Option<i64>,
    pub(super) place: Place,
}

/// The principals of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyListing {
    /// The pattern list before it.
    Principals(String),
    /// The key has no valid line, for this reason.
    NotListed(String),
}

/// Why a line does not apply here and now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum NotHere {
    #[error("is for the namespaces `{0}` only")]
    Namespace(String),
    #[error("is not valid before {0}")]
    Early(Timestamp),
    #[error("was valid until {0}")]
    Late(Timestamp),
}

/// Key types of which only the name is read. They match no signature that is accepted here.
const OTHER_TYPES: &[&str] = &[
    "ssh-rsa",
    "ssh-dss",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ecdsa-sha2-nistp256@openssh.com",
    "sk-ssh-ed25519@openssh.com",
    "ssh-rsa-cert-v01@openssh.com",
    "ssh-dss-cert-v01@openssh.com",
    "ssh-ed25519-cert-v01@openssh.com",
    "ecdsa-sha2-nistp256-cert-v01@openssh.com",
    "ecdsa-sha2-nistp384-cert-v01@openssh.com",
    "ecdsa-sha2-nistp521-cert-v01@openssh.com",
    "sk-ecdsa-sha2-nistp256-cert-v01@openssh.com",
    "sk-ssh-ed25519-cert-v01@openssh.com",
];

const ED25519: &str = "ssh-ed25519";
/// The first bytes of an Ed25519 key: its type, and the length of the rest.
const ED25519_START: &[u8] = b"\0\0\0\x0bssh-ed25519\0\0\0\x20";

/// What is wrong with a line, and the hint.
type Wrong = (String, &'static str);

impl AllowedSigners {
    /// Reads the file. Times without `Z` are in `zone`.
    ///
    /// # Errors
    /// Every invalid line, with its place.
    pub fn parse(source: &Source, zone: &TimeZone) -> Result<Self, Problems> {
        let mut problems = Problems::default();
        let mut lines = Vec::new();
        let mut start = 0;
        for text in source.text().split('\n') {
            let shown = text.trim();
            let from = start + text.find(shown).unwrap_or(0);
            let place = source.at(from..from + shown.len());
            match line(text, zone, &place) {
                Ok(listed) => lines.extend(listed),
                Err((message, hint)) => problems.push(Problem::at(place, message).hint(hint)),
            }
            start += text.len() + 1;
        }
        problems.or(Self { lines })
    }

    /// The lines that list a key.
    pub(super) fn of_key(&self, key: &[u8; 32]) -> impl Iterator<Item = &Line> {
        self.lines.iter().filter(move |line| line.key.as_ref() == Some(key))
    }

    /// The principals of a key, for a namespace, now.
    #[must_use]
    pub fn principals_for(&self, key: &[u8; 32], namespace: &str, now: Timestamp) -> KeyListing {
        let mut why = Vec::new();
        for line in self.of_key(key) {
            match line.holds_for(namespace, now) {
                Ok(()) => return KeyListing::Principals(line.principals.clone()),
                Err(error) => why.push(format!("{} lists it, but it {error}", line.place)),
            }
        }
        KeyListing::NotListed(if why.is_empty() { "no line lists its key".to_owned() } else { why.join("; ") })
    }

    /// True if any line lists a signer.
    #[must_use]
    pub fn knows(&self, principal: &str) -> bool {
        self.lines.iter().any(|line| line.key.is_some() && line.speaks_for(principal))
    }
}

impl Line {
    pub(super) fn speaks_for(&self, principal: &str) -> bool {
        list_matches(&self.principals, principal)
    }

    /// Checks that the line applies to components, now.
    pub(super) fn holds(&self, now: Timestamp) -> Result<(), NotHere> {
        self.holds_for(NAMESPACE, now)
    }

    fn holds_for(&self, namespace: &str, now: Timestamp) -> Result<(), NotHere> {
        let shown = |seconds| Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX);
        match (&self.namespaces, self.valid_after, self.valid_before) {
            (Some(list), ..) if !list_matches(list, namespace) => Err(NotHere::Namespace(list.clone())),
            (_, Some(after), _) if now.as_second() < after => Err(NotHere::Early(shown(after))),
            (_, _, Some(before)) if now.as_second() > before => Err(NotHere::Late(shown(before))),
            _ => Ok(()),
        }
    }
}

fn wrong<T>(message: impl Into<String>, hint: &'static str) -> Result<T, Wrong> {
    Err((message.into(), hint))
}

const FORM: &str = "a line is: PRINCIPAL[,…] [namespaces=\"…\",valid-after=\"…\",valid-before=\"…\"] KEYTYPE BASE64";

fn line(text: &str, zone: &TimeZone, place: &Place) -> Result<Option<Line>, Wrong> {
    let text = text.trim_start_matches([' ', '\t', '\r']);
    if text.is_empty() || text.starts_with('#') {
        return Ok(None);
    }
    if text.contains('\0') {
        return wrong("the line contains a zero byte", "write plain text");
    }
    let Some((principals, rest)) = word(text) else { return wrong("this line does not list an allowed signer", FORM) };
    if principals.is_empty() {
        return wrong("this line names no principal", FORM);
    }
    let mut listed =
        Line { principals, key: None, namespaces: None, valid_after: None, valid_before: None, place: place.clone() };
    let type_of = |rest: &str| rest.split([' ', '\t']).next().unwrap_or_default().to_owned();
    let known = |name: &str| name == ED25519 || OTHER_TYPES.contains(&name);
    let mut key = rest;
    if !known(&type_of(rest)) {
        let end = options_end(rest).ok_or_else(|| ("a quote is not closed".to_owned(), FORM))?;
        listed.options(rest, zone)?;
        key = rest.get(end..).unwrap_or_default().trim_start_matches([' ', '\t']);
    }
    let name = type_of(key);
    if !known(&name) {
        return wrong(format!("`{}` is not a type of key", name.trim_end().escape_debug()), FORM);
    }
    if name == ED25519 {
        let base64 = key.get(name.len()..).unwrap_or_default().trim_start_matches([' ', '\t']);
        listed.key = Some(ed25519(base64).ok_or_else(|| ("this is not an ssh-ed25519 key".to_owned(), FORM))?);
    }
    Ok(Some(listed))
}

/// The first word and the rest. One pair of quotes in the word may hold spaces. `None` if there is no rest.
fn word(text: &str) -> Option<(String, &str)> {
    const SPACE: [char; 4] = [' ', '\t', '\r', '\n'];
    let end = text.find([' ', '\t', '\r', '\n', '"'])?;
    let (before, rest) = text.split_at_checked(end)?;
    match rest.strip_prefix('"') {
        Some(quoted) => {
            let (inside, rest) = quoted.split_once('"')?;
            Some((format!("{before}{inside}"), rest.trim_start_matches(SPACE)))
        }
        None => Some((before.to_owned(), rest.trim_start_matches(SPACE))),
    }
}

/// The end of the options: the first space outside quotes.
fn options_end(text: &str) -> Option<usize> {
    let mut quoted = false;
    let mut bytes = text.bytes().enumerate().peekable();
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b' ' | b'\t' if !quoted => return Some(at),
            b'\\' if bytes.peek().is_some_and(|(_, next)| *next == b'"') => drop(bytes.next()),
            b'"' => quoted = !quoted,
            _ => {}
        }
    }
    (!quoted).then_some(text.len())
}

impl Line {
    fn options(&mut self, mut rest: &str, zone: &TimeZone) -> Result<(), Wrong> {
        while !rest.is_empty() && !rest.starts_with([' ', '\t']) {
            if strip_name(rest, "cert-authority").is_some() {
                return wrong(
                    "certificates are not supported here: cert-authority",
                    "list the keys that sign components themselves",
                );
            } else if let Some(after) = strip_name(rest, "namespaces=") {
                let (value, after) = dequote(after)?;
                once(self.namespaces.replace(value), "namespaces")?;
                rest = after;
            } else if let Some(after) = strip_name(rest, "valid-after=") {
                let (value, after) = dequote(after)?;
                once(self.valid_after.replace(seconds(&value, zone)?), "valid-after")?;
                rest = after;
            } else if let Some(after) = strip_name(rest, "valid-before=") {
                let (value, after) = dequote(after)?;
                once(self.valid_before.replace(seconds(&value, zone)?), "valid-before")?;
                rest = after;
            }
            if rest.is_empty() || rest.starts_with([' ', '\t']) {
                break;
            }
            let Some(after) = rest.strip_prefix(',') else {
                let option = rest.split([' ', '\t', ',', '=']).next().unwrap_or_default();
                return wrong(format!("`{}` is neither an option nor a type of key", option.escape_debug()), FORM);
            };
            if after.is_empty() || after.starts_with([' ', '\t']) {
                return wrong("the options end in a comma", FORM);
            }
            rest = after;
        }
        match (self.valid_after, self.valid_before) {
            (Some(after), Some(before)) if before <= after => {
                wrong("this is never valid: valid-before is not after valid-after", "swap the two")
            }
            _ => Ok(()),
        }
    }
}

/// Removes an option's name, in any case, and returns the rest.
fn strip_name<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    let start = text.get(..name.len())?;
    start.eq_ignore_ascii_case(name).then(|| text.get(name.len()..)).flatten()
}

fn once<T>(earlier: Option<T>, name: &str) -> Result<(), Wrong> {
    if earlier.is_some() { wrong(format!("`{name}` is given twice"), "remove one of them") } else { Ok(()) }
}

fn seconds(text: &str, zone: &TimeZone) -> Result<i64, Wrong> {
    time::seconds(text, zone).ok_or_else(|| {
        (
            format!("`{}` is not a time", text.escape_debug()),
            "write YYYYMMDD, YYYYMMDDHHMM or YYYYMMDDHHMMSS; with Z behind it in UTC",
        )
    })
}

/// Reads a text in quotes, in which `\"` is a quote.
fn dequote(text: &str) -> Result<(String, &str), Wrong> {
    let mut rest = text.strip_prefix('"').ok_or_else(|| ("an option's value must be in quotes".to_owned(), FORM))?;
    let mut value = String::new();
    loop {
        let at = rest.find('"').ok_or_else(|| ("a quote is not closed".to_owned(), FORM))?;
        let (before, after) = rest.split_at_checked(at).unwrap_or((rest, ""));
        rest = after.strip_prefix('"').unwrap_or(after);
        match before.strip_suffix('\\') {
            Some(before) => value.extend([before, "\""]),
            None => {
                value.push_str(before);
                return Ok((value, rest));
            }
        }
    }
}

/// The 32 bytes of a key, from the base64 before the comment.
fn ed25519(text: &str) -> Option<[u8; 32]> {
    let base64 = text.split([' ', '\t']).next()?;
    let base64: String = base64.chars().filter(|c| !matches!(c, '\r' | '\x0b' | '\x0c')).collect();
    let blob = BASE64.decode(base64.as_bytes()).ok()?;
    blob.strip_prefix(ED25519_START)?.try_into().ok()
}
