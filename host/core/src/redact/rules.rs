//! The built-in rules, which recognise a secret by its form or by the name before it.
//!
//! A missed secret is preferred to removing ordinary text: a probe must still be able to read `password authentication failed`.
//! No rule matches half an escape, or a double quote that could end a string, so that text inside JSON stays JSON.
//!
//! No pattern scans ahead without a bound, so that many matches in one answer do not each cost its whole length.

use super::{Rule, compiled};
use crate::model::RuleName;

/// Words that name a secret, also at the end of a longer name.
macro_rules! words {
    () => {
        r"(?:password|passwd|passphrase|[_.-]pass|mysql_pwd|token|secret(?:[_-]?access)?(?:[_-]?key)?(?:[_-]?base)?|(?:api|access|account|auth|encryption|master|private|shared|signing|storage)[_-]?key|credentials?)[0-9]?"
    };
}

/// A value: quoted in one of three ways, or up to the next space. The NUL ends a word of `/proc/PID/cmdline`.
macro_rules! value {
    () => {
        r#"(?:"((?:[^"\\\r\n]|\\[^\r\n])+)|\\"([^"\\\r\n]+)|'([^'"\\\r\n]+)|((?:[^\s"'\\\x00]|\\[^\s"\x00])(?:[^\s"\\\x00]|\\[^\s"\x00]|"[A-Za-z0-9!#$%&*+@^_~-])*))"#
    };
}

/// The key of a JSON object whose value is a secret.
pub(super) const KEY: &str = concat!(r"(?i-u)", words!(), r"\z");

/// An argument whose next argument is a secret.
pub(super) const OPTION: &str = concat!(r"(?i-u)\A--?[a-z0-9-]*?(?:pass|", words!(), r")\z");

/// The two ends of a private key.
macro_rules! begin {
    () => {
        r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
    };
}
macro_rules! end {
    () => {
        r"-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
    };
}
pub(super) const BEGIN: &str = begin!();
pub(super) const END: &str = end!();

/// Name and pattern. If two match the same text, the first gives the name.
const TABLE: &[(&str, &str)] = &[
    // The part of a key on the line of its BEGIN, with escaped line ends. `keys` finds the lines after it.
    (
        "private-key",
        concat!(
            r"(?-u)",
            begin!(),
            r"(?:(?:[ \t]|\\[nrt])*(?:(?:Proc-Type|DEK-Info|Version|Comment|Hash|Charset): [^\r\n\\\x22]*|[A-Za-z0-9+/=]{16,}))*",
            r"(?:(?:(?:[ \t]|\\[nrt])*[A-Za-z0-9+/=]{1,15})?(?:[ \t]|\\[nrt])*",
            end!(),
            r")?"
        ),
    ),
    // The end of a key whose beginning was cut off.
    (
        "private-key",
        concat!(
            r"(?-u)(?:[A-Za-z0-9+/=]{16,80}(?:\r?\n|(?:\\r)?\\n))+(?:[A-Za-z0-9+/=]{1,80}(?:\r?\n|(?:\\r)?\\n))?",
            end!()
        ),
    ),
    // OpenSSH's own format and age's, without their BEGIN and END lines.
    ("private-key", r"(?-u)b3BlbnNzaC1rZXktdjEA[A-Za-z0-9+/=]*|AGE-SECRET-KEY-1[A-Z0-9]{50,}"),
    ("url-password", r#"(?-u)[A-Za-z][A-Za-z0-9+.-]*://[^\s/:@"'\\<>\x00]*:([^\s/"'\\<>\x00]+)@"#),
    ("authorization", r#"(?i-u)\b(?:proxy-)?authorization["']?[ \t]*[:=][ \t]*["']?(?:[a-z]+[ \t]+)?([^\s"'\\\x00]+)"#),
    ("authorization", r"(?i-u)\bbearer[ \t]+([a-z0-9._~+/-]{16,}=*)|\bbasic[ \t]+([a-z0-9+/]{12,}={1,2})"),
    ("authorization", r#"(?i-u)\bx-(?:api|auth|access)-(?:key|token)["']?[ \t]*:[ \t]*["']?([^\s"'\\\x00]+)"#),
    ("cookie", r#"(?i-u)\b(?:set-)?cookie["']?:[ \t]*["']?([^\r\n"'\\\x00]+)"#),
    ("aws-key", r"(?-u)\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}\b"),
    ("jwt", r"(?-u)\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)?"),
    (
        "token",
        r"(?-u)\b(?:gh[pousr]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{22,}|gl(?:pat|dt|rt|cbt|ptt|ft|soat|agent|imt)-[A-Za-z0-9_=.-]{20,}|xox[abeoprs]-[A-Za-z0-9-]{10,}|xapp-[A-Za-z0-9-]{20,}|hooks\.slack\.com/services/[A-Za-z0-9/]{20,}|[prs]k_(?:live|test)_[A-Za-z0-9]{16,}|AIza[A-Za-z0-9_-]{35}|ya29\.[A-Za-z0-9_-]{20,}|npm_[A-Za-z0-9]{36}|pypi-[A-Za-z0-9_-]{50,}|SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}|sk-[A-Za-z0-9_-]{32,}|hv[bs]\.[A-Za-z0-9_-]{20,}|dop_v1_[a-f0-9]{64}|hf_[A-Za-z0-9]{30,})",
    ),
    (
        "password-hash",
        r"(?-u)\$(?:1|5|6|7|y|gy|2[abxy]|argon2(?:id|i|d))\$[A-Za-z0-9./$,=+-]{20,}|SCRAM-SHA-256\$[0-9]+:[A-Za-z0-9+/=$:]{20,}",
    ),
    // PASSWORD=x, secret_key = "x", ?token=x&…
    ("assignment", concat!(r"(?i-u)", words!(), r#"\\?["']?[ \t]*:?=[ \t]*"#, value!())),
    // "password": "x" anywhere, password: x at the beginning of a line.
    ("assignment", concat!(r"(?i-u)", words!(), r#"\\?["'][ \t]*:\s*"#, value!())),
    (
        "assignment",
        concat!(r"(?i-u)^[ \t]*(?:- )?[a-z0-9_.-]*?", words!(), r#"[ \t]*:[ \t]+["']?([^\s"'\\][^\r\n"\\\x00]*)"#),
    ),
    // --password x, -token=x, ["--password", "x"]
    (
        "argument",
        concat!(
            r"(?i-u)(?:^|[\s\x00'\x22])--?(?:[a-z0-9]+-)*(?:pass|",
            words!(),
            r#")(?:[ \t\x00]+|=|["'],\s*["'])"#,
            r#"(?:"((?:[^"\\\r\n]|\\[^\r\n])+)|'([^'"\\\r\n]+)|([^\s"'\\\x00-][^\s"'\\\x00]*))"#
        ),
    ),
    (
        "argument",
        r#"(?-u)\bsshpass[ \t\x00]+-p[ \t\x00]*([^\s"\\\x00]+)|\b(?:mysql|mysqldump|mysqladmin|mariadb)\b[^\r\n"\\]*?[ \t\x00]-p([^\s"\\\x00]+)|\bcurl\b[^\r\n"\\]*?[ \t\x00](?:-u|--user)[ \t\x00=]*'?[^\s:'"\\\x00]+:([^\s'"\\\x00]+)"#,
    ),
    // A line of indented JSON with only a variable, in a document that was cut. `json` handles complete documents.
    ("environment", r#"(?-u)^[ \t]+"(?:--env=|-e)?[A-Za-z_][A-Za-z0-9_.-]*=((?:[^"\\\r\n]|\\[^\r\n])+)",?\r?$"#),
    // SQL, and netrc.
    (
        "password",
        r"(?i-u)\b(?:password|identified[ \t]+by)[ \t]+'([^'\r\n\\\x22]+)|\blogin[ \t]+[^\s]+[ \t]+password[ \t]+([^\s\\\x22]+)",
    ),
];

/// True for a name that is reserved for a built-in rule.
pub(super) fn is_built_in(name: &str) -> bool {
    TABLE.iter().any(|(built_in, ..)| *built_in == name)
}

/// The table, compiled.
///
/// # Errors
/// Never; a test compiles all rules.
pub(super) fn built_in() -> Result<Vec<Rule>, regex::Error> {
    let rule = |&(name, pattern): &(&str, &str)| {
        let name = RuleName::new(name).map_err(|error| regex::Error::Syntax(error.to_string()))?;
        Ok(Rule { name, regex: compiled(pattern)? })
    };
    TABLE.iter().map(rule).collect()
}
