//! Removes secrets from targets' answers, before any other code sees them.
//!
//! Knows: the patterns of secrets, built in and from policy. Must not know: verbs, who asked. Attack answered: TX09, a secret
//! in a log line, a file or a program's arguments that ends up in the journal, a report, a component or a core dump. The broker
//! calls this on whole answers, before the journal and the worker, so no secret is split over two reads, and the worker gets
//! what is stored: replay is exact (D28).
//! A secret is replaced by `[redacted:RULE]`, without a hash or a length of it, because a short secret could be guessed from
//! either (JR08).
//!
//! **Invariant:** answers stay parseable: a line stays a line, valid JSON stays valid, UTF-8 stays UTF-8.
//!
//! An answer that was cut at its limit loses its last line before it comes here ([`drop_cut_line`]): half a secret may not
//! match its pattern, and half a line of JSON cannot be parsed.
//!
//! Known limit: a secret in another encoding (base64, hex, reversed, one character a line) is not recognised, and neither is
//! one without a typical form. Policy can add patterns for those: `[[redact]]`.

mod json;
mod keys;
mod rules;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use regex::bytes::{Regex, RegexBuilder, RegexSet, RegexSetBuilder};

use self::keys::Carried;
use crate::model::{NameError, RuleName};

/// The number of matches of each rule.
pub type Counts = BTreeMap<RuleName, u32>;

/// Maximum length of a pattern in policy, in bytes.
pub const PATTERN_BYTES: usize = 1 << 10;
/// Maximum number of rules in policy.
pub const RULES_MAX: usize = 64;
/// Maximum size of a compiled pattern, in bytes. A repetition of a repetition is refused when the policy loads.
const COMPILED_BYTES: usize = 1 << 20;

/// The pattern of one kind of secret.
#[derive(Debug, Clone)]
pub struct Rule {
    name: RuleName,
    regex: Regex,
}

/// Why a rule of policy is not valid.
#[derive(Debug, thiserror::Error)]
pub enum RuleError {
    /// Its name is not valid.
    #[error(transparent)]
    Name(#[from] NameError),
    /// Its name already exists.
    #[error("the rule `{name}` already exists{}", if rules::is_built_in(name.as_str()) { " (built in)" } else { "" })]
    Taken {
        /// The name.
        name: RuleName,
    },
    /// Its pattern cannot be parsed.
    #[error("not a valid pattern: {0}")]
    Syntax(String),
    /// Its pattern needs too much memory.
    #[error("this pattern is too large: {0}")]
    TooLarge(String),
    /// Its pattern matches in every text.
    #[error("the pattern matches an empty text, so it would match everywhere")]
    Empty,
}

/// All rules. They are compiled on first use, which takes some milliseconds.
#[derive(Debug, Default)]
pub struct Redactor {
    custom: Vec<Rule>,
    ready: OnceLock<Ready>,
}

#[derive(Debug)]
struct Ready {
    rules: Vec<Rule>,
    /// All patterns in one set, to find in one pass which of them match at all.
    set: RegexSet,
    /// Names before a secret, as the key of a JSON object.
    keys: Regex,
    /// The same as an argument of a program.
    options: Regex,
    ends: keys::Ends,
}

/// A piece of a text that is replaced.
#[derive(Debug, Clone, Copy)]
struct Span {
    start: usize,
    end: usize,
    /// The index of its rule.
    rule: usize,
}

impl Rule {
    /// A rule of policy. If the pattern has groups, the first group that matches is the secret; else the whole match is.
    ///
    /// # Errors
    /// When name or pattern are not valid.
    pub fn new(name: &str, pattern: &str) -> Result<Self, RuleError> {
        let name = RuleName::new(name)?;
        if rules::is_built_in(name.as_str()) {
            return Err(RuleError::Taken { name });
        }
        if pattern.len() > PATTERN_BYTES {
            return Err(RuleError::TooLarge(format!("{} bytes, {PATTERN_BYTES} at most", pattern.len())));
        }
        let regex = compiled(pattern).map_err(|error| match error {
            regex::Error::CompiledTooBig(_) => {
                RuleError::TooLarge(format!("the compiled pattern takes more than {COMPILED_BYTES} bytes"))
            }
            // The library prints the pattern and a caret. Its last line says what is wrong.
            other => RuleError::Syntax(
                other.to_string().lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned(),
            ),
        })?;
        let empty = |text: &str| regex.find_iter(text.as_bytes()).any(|hit| hit.is_empty());
        if ["", "a b", "a\nb", "1.\"-"].into_iter().any(empty) {
            return Err(RuleError::Empty);
        }
        Ok(Self { name, regex })
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &RuleName {
        &self.name
    }
}

/// `^` and `$` match at lines, because answers are lines.
fn compiled(pattern: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(pattern).multi_line(true).size_limit(COMPILED_BYTES).build()
}

impl Redactor {
    /// The built-in rules, and policy's.
    ///
    /// # Errors
    /// When two have the same name.
    pub fn new(custom: Vec<Rule>) -> Result<Self, RuleError> {
        let mut names = BTreeSet::new();
        match custom.iter().find(|rule| !names.insert(&rule.name)) {
            Some(rule) => Err(RuleError::Taken { name: rule.name.clone() }),
            None => Ok(Self { custom, ready: OnceLock::new() }),
        }
    }

    /// Compiles the rules, if they are not compiled yet.
    #[expect(clippy::expect_used, reason = "constants, and patterns that were compiled one by one; every test is here")]
    pub fn prepare(&self) {
        self.ready.get_or_init(|| Ready::new(&self.custom).expect("rules that were compiled before"));
    }

    fn ready(&self) -> Option<&Ready> {
        self.prepare();
        self.ready.get()
    }
    /// A text without its secrets. Counts the matches.
    #[must_use]
    pub fn bytes(&self, text: Vec<u8>, counts: &mut Counts) -> Vec<u8> {
        // If the rules cannot be compiled, nothing is returned.
        self.ready().map(|ready| ready.bytes(text, counts)).unwrap_or_default()
    }

    /// The same for a text of the host that may quote a target.
    #[must_use]
    pub fn text(&self, text: String, counts: &mut Counts) -> String {
        let Some(ready) = self.ready() else { return String::new() };
        match ready.plain(text.as_bytes(), counts, &mut Carried::default()) {
            Some(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            None => text,
        }
    }
}

impl Ready {
    fn new(custom: &[Rule]) -> Result<Self, regex::Error> {
        let mut rules = rules::built_in()?;
        rules.extend_from_slice(custom);
        let patterns = rules.iter().map(|rule| rule.regex.as_str());
        let set = RegexSetBuilder::new(patterns).multi_line(true).size_limit(256 * COMPILED_BYTES).build()?;
        Ok(Self {
            rules,
            set,
            keys: compiled(rules::KEY)?,
            options: compiled(rules::OPTION)?,
            ends: keys::Ends::new()?,
        })
    }

    fn bytes(&self, text: Vec<u8>, counts: &mut Counts) -> Vec<u8> {
        let mut out = Vec::new();
        if json::is_document(&text) {
            self.push_json(&mut out, &text, counts, &mut Carried::default());
            return out;
        }
        // The start of the lines since the last line of JSON.
        let (mut from, mut at) = (0, 0);
        let mut any_json = false;
        let mut carried = Carried::default();
        for line in text.split_inclusive(|byte| *byte == b'\n') {
            let end = at + line.len();
            if json::is_object(line) {
                any_json = true;
                self.push_plain(&mut out, text.get(from..at).unwrap_or_default(), counts, &mut carried);
                self.push_json(&mut out, line, counts, &mut carried);
                from = end;
            }
            at = end;
        }
        if !any_json {
            return self.plain(&text, counts, &mut carried).unwrap_or(text);
        }
        self.push_plain(&mut out, text.get(from..).unwrap_or_default(), counts, &mut carried);
        out
    }

    fn push_plain(&self, out: &mut Vec<u8>, text: &[u8], counts: &mut Counts, carried: &mut Carried) {
        if text.is_empty() {
            return;
        }
        carried.at.clear();
        match self.plain(text, counts, carried) {
            Some(replaced) => out.extend(replaced),
            None => out.extend_from_slice(text),
        }
    }

    /// Text without its secrets; `None` if there are none.
    fn plain(&self, text: &[u8], counts: &mut Counts, carried: &mut Carried) -> Option<Vec<u8>> {
        let spans = self.spans(text, carried);
        if spans.is_empty() {
            return None;
        }
        let mut out = Vec::with_capacity(text.len());
        let mut at = 0;
        for span in spans {
            out.extend_from_slice(text.get(at..span.start).unwrap_or_default());
            self.push_marker(&mut out, span.rule, counts);
            at = span.end;
        }
        out.extend_from_slice(text.get(at..).unwrap_or_default());
        Some(out)
    }

    fn push_marker(&self, out: &mut Vec<u8>, rule: usize, counts: &mut Counts) {
        let Some(rule) = self.rules.get(rule) else { return };
        out.extend_from_slice(format!("{MARK}{}]", rule.name).as_bytes());
        let count = counts.entry(rule.name.clone()).or_default();
        *count = count.saturating_add(1);
    }

    /// The ranges to replace, in order and without overlap.
    fn spans(&self, text: &[u8], carried: &mut Carried) -> Vec<Span> {
        let mut spans = Vec::new();
        let matches = self.set.matches(text);
        // The first rule is for private keys.
        if carried.concerns() || matches.matched(0) {
            self.ends.find(text, carried, |range| spans.push(Span { start: range.start, end: range.end, rule: 0 }));
        }
        for index in matches {
            let Some(rule) = self.rules.get(index) else { continue };
            if rule.regex.captures_len() == 1 {
                rule.regex.find_iter(text).for_each(|whole| rule.push(&mut spans, index, text, whole.range()));
            } else {
                let groups = |captures: regex::bytes::Captures<'_>| {
                    (1..captures.len()).find_map(|group| captures.get(group)).map(|group| group.range())
                };
                rule.regex
                    .captures_iter(text)
                    .filter_map(groups)
                    .for_each(|range| rule.push(&mut spans, index, text, range));
            }
        }
        spans.sort_by_key(|span| (span.start, span.rule));
        spans.dedup_by(|next, kept| {
            let over = next.start < kept.end;
            if over {
                // The first of two overlapping rules gives the name.
                (kept.end, kept.rule) = (kept.end.max(next.end), kept.rule.min(next.rule));
            }
            over
        });
        spans
    }

    /// True for a key of a JSON object whose value is a secret.
    fn is_key(&self, text: &[u8]) -> bool {
        self.keys.is_match(text)
    }

    /// True for an argument of a program before one that is a secret.
    fn is_option(&self, text: &[u8]) -> bool {
        self.options.is_match(text)
    }
}

/// The start of every replacement.
pub const MARK: &str = "[redacted:";

impl Rule {
    /// Adds a match. A match over line ends becomes one on each line.
    fn push(&self, spans: &mut Vec<Span>, rule: usize, text: &[u8], range: std::ops::Range<usize>) {
        let mut start = range.start;
        for line in text.get(range).unwrap_or_default().split(|byte| *byte == b'\n') {
            let end = start + line.len();
            let bare = line.strip_suffix(b"\r").unwrap_or(line);
            if !bare.is_empty() && !is_mark(bare) {
                spans.push(Span { start, end: start + bare.len(), rule });
            }
            start = end + 1;
        }
    }
}

/// Removes the last line, which is incomplete, from an answer that was cut at its limit.
pub fn drop_cut_line(text: &mut Vec<u8>) {
    text.truncate(text.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1));
}

/// True for a replacement, which is not redacted again.
fn is_mark(text: &[u8]) -> bool {
    let name = text.strip_prefix(MARK.as_bytes()).and_then(|rest| rest.strip_suffix(b"]"));
    name.and_then(|name| std::str::from_utf8(name).ok()).is_some_and(|name| RuleName::new(name).is_ok())
}

#[cfg(test)]
mod tests;
