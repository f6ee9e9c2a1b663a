//! Reads a file that a person wrote, and reports a mistake in it in the words of its reference: the key, the value, what is allowed,
//! and the command that prints more.
//!
//! Knows: TOML, references. Must not know: what a file means. The mistakes that only the meaning shows are found by each parser.

use std::ops::Range;

use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::nearest::did_you_mean;
use crate::reference::{Page, Table};
use crate::source::{Problem, Source};

/// Longest value that a message repeats, in characters.
const VALUE_MAX: usize = 40;

/// Reads the text of a file as TOML of a given shape. `reference` is the page of its keys, if it has one.
///
/// # Errors
/// When it is not TOML, or a key or value does not fit.
pub fn read_toml<T: DeserializeOwned>(source: &Source, reference: Option<fn() -> Page>) -> Result<T, Problem> {
    toml::from_str(source.text()).map_err(|error| {
        let page = reference.map(|page| page());
        Mistake::new(source, page.as_ref(), &error).problem(error.message())
    })
}

/// A mistake that the TOML parser found.
struct Mistake<'a> {
    source: &'a Source,
    page: Option<&'a Page>,
    span: Option<Range<usize>>,
    /// The names of the tables and of the key that lead to it.
    path: Vec<String>,
}

impl<'a> Mistake<'a> {
    fn new(source: &'a Source, page: Option<&'a Page>, error: &toml::de::Error) -> Self {
        let span = error.span();
        let tree = DeTable::parse(source.text()).ok();
        let path = tree.zip(span.clone()).and_then(|(tree, span)| path(tree.get_ref(), &span));
        Self { source, page, span, path: path.unwrap_or_default() }
    }

    fn problem(&self, parser_message: &str) -> Problem {
        // The name before `expected` is one of the file, and may hold anything; those after it are the program's.
        let (given, expected) = parser_message.rsplit_once(", expected ").unwrap_or((parser_message, ""));
        let name = given.split_once('`').and_then(|(_, rest)| rest.rsplit_once('`')).map_or("", |(name, _)| name);
        let (message, hint) = if parser_message.starts_with("unknown field") {
            self.unknown(name, &expected.split('`').skip(1).step_by(2).collect::<Vec<_>>())
        } else if parser_message.starts_with("missing field") {
            self.missing(name)
        } else if ["invalid ", "unknown variant"].iter().any(|start| parser_message.starts_with(start)) {
            self.unfit(parser_message)
        } else if parser_message == "duplicate key" {
            (format!("the key `{}` is a duplicate", self.value()), Some("keep one of the two".to_owned()))
        } else {
            let hint = "a line must be KEY = VALUE, [TABLE] or [[TABLE]]".to_owned();
            (parser_message.to_owned(), Some(self.and_help(hint, None)))
        };
        let place = self.span.clone().map(|span| self.source.at(self.first_line(span)));
        Problem { place, message, hint: hint.filter(|hint| !hint.is_empty()) }
    }

    fn unknown(&self, name: &str, known: &[&str]) -> (String, Option<String>) {
        let above = self.path.get(..self.path.len().saturating_sub(1)).unwrap_or_default();
        let table = self.page.and_then(|page| page.table(above));
        let place = table.map(|table| format!(" in {}", table.header)).unwrap_or_default();
        let what = if table.is_none() && self.page.is_some() && above.is_empty() { "table" } else { "key" };
        let allowed = match known {
            [] => format!("no {what} is allowed here"),
            known => format!("the {what}s{place} are: {}", known.join(", ")),
        };
        let hint = did_you_mean(name, known.iter().copied()) + &allowed;
        let hint = self.and_help(hint, table).replace("describes the keys", "describes them");
        (format!("unknown {what} `{name}`{place}"), Some(hint))
    }

    fn missing(&self, name: &str) -> (String, Option<String>) {
        let whole = [self.path.as_slice(), &[name.to_owned()]].concat();
        let Some(page) = self.page else { return (format!("the key `{name}` is missing"), None) };
        if let Some((table, key)) = page.key(&whole) {
            let hint = format!("add {}", key.example);
            return (format!("{} has no `{name}`", table.header), Some(self.and_help(hint, Some(table))));
        }
        let table = page.table(&whole);
        let message = format!("the table {} is missing", table.map_or(name, |table| table.header));
        (message, Some(self.and_help(String::new(), table)))
    }

    fn unfit(&self, parser_message: &str) -> (String, Option<String>) {
        let Some(page) = self.page else { return (parser_message.to_owned(), None) };
        if let Some((table, key)) = page.key(&self.path) {
            let message = format!("`{}` must be {}, not {}", key.name, key.allowed_values(), self.value());
            let hint = format!("write {}", key.example);
            return (message, Some(self.and_help(hint, Some(table))));
        }
        let first = |table: &&Table| self.path.first().is_some_and(|name| name == table.name());
        let table = page.table(&self.path).or_else(|| page.tables.iter().find(first));
        let message = match table {
            Some(table) => format!("`{}` must be a table, written as {}", table.name(), table.header),
            None => parser_message.to_owned(),
        };
        (message, Some(self.and_help(String::new(), table)))
    }

    /// A hint, and the command that prints the keys.
    fn and_help(&self, hint: String, table: Option<&Table>) -> String {
        let Some(page) = self.page else { return hint };
        let table = table.map(|table| format!(" {}", table.name())).unwrap_or_default();
        let help = format!("`bailiwick help {}{table}` describes the keys", page.topic());
        if hint.is_empty() { help } else { format!("{hint}; {help}") }
    }

    /// The beginning of what is written at the place, on one line.
    fn value(&self) -> String {
        let text = self.span.clone().and_then(|span| self.source.text().get(self.first_line(span)));
        let text = text.unwrap_or_default();
        let short: String = text.chars().take(VALUE_MAX).collect();
        if short.len() < text.len() { short + "…" } else { short }
    }

    /// The first line of a span, so that an error does not underline a whole table.
    fn first_line(&self, span: Range<usize>) -> Range<usize> {
        let text = self.source.text().get(span.clone()).unwrap_or_default();
        let length = text.find('\n').unwrap_or(text.len());
        span.start..span.start + length
    }
}

/// The names that lead to a key or value of this span; else to the innermost value that the span is in.
fn path(tree: &DeTable<'_>, span: &Range<usize>) -> Option<Vec<String>> {
    let exact = |at: &Range<usize>| at == span;
    let around = |at: &Range<usize>| at.start <= span.start && span.end <= at.end;
    find(tree, &exact).or_else(|| find(tree, &around))
}

fn find(table: &DeTable<'_>, is_it: &dyn Fn(&Range<usize>) -> bool) -> Option<Vec<String>> {
    table.iter().find_map(|(key, value)| {
        let inner = inside(value, is_it).map(|inner| [vec![key.get_ref().to_string()], inner].concat());
        inner.or_else(|| is_it(&key.span()).then(|| vec![key.get_ref().to_string()]))
    })
}

/// The names below a value; empty if it is the value itself, or an entry of its list.
fn inside(value: &Spanned<DeValue<'_>>, is_it: &dyn Fn(&Range<usize>) -> bool) -> Option<Vec<String>> {
    let below = match value.get_ref() {
        DeValue::Table(table) => find(table, is_it),
        DeValue::Array(entries) => entries.iter().find_map(|entry| inside(entry, is_it)),
        _ => None,
    };
    below.or_else(|| is_it(&value.span()).then(Vec::new))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet;

    /// Message and hint of a fleet with this text.
    fn first_mistake(text: &str) -> String {
        let problems = fleet::parse(&Source::embedded("fleet.toml", text), "/ops".as_ref(), None).unwrap_err();
        let problem = problems.0.first().unwrap();
        format!("{} | {}", problem.message, problem.hint.as_deref().unwrap_or_default())
    }

    #[test]
    fn a_mistake_is_told_in_the_words_of_the_reference() {
        let help = "`bailiwick help fleet targets` describes the keys";
        for (line, expected) in [
            ("port = 99999", format!("`port` must be an integer (1 to 65535), not 99999 | write port = 2222; {help}")),
            ("port = \"x\"", format!("`port` must be an integer (1 to 65535), not \"x\" | write port = 2222; {help}")),
            ("local = 1", format!("`local` must be true or false, not 1 | write local = true; {help}")),
            (
                "tags = \"db\"",
                format!("`tags` must be a list of strings, not \"db\" | write tags = [\"linux\", \"db\"]; {help}"),
            ),
            (
                "tags = [1]",
                format!("`tags` must be a list of strings, not 1 | write tags = [\"linux\", \"db\"]; {help}"),
            ),
            (
                "gate.user = \"x\"",
                format!("[targets.NAME.gate] has no `identity` | add identity = \"keys/bw-change\"; {help}"),
            ),
        ] {
            assert_eq!(first_mistake(&format!("[targets.a]\n{line}\n")), expected);
        }
        assert_eq!(
            first_mistake("[target.a]\n"),
            "unknown table `target` | did you mean `targets`? the tables are: targets, never; `bailiwick help fleet` describes them"
        );
        assert!(first_mistake("targets = 5\n").starts_with("`targets` must be a table, written as [targets.NAME] | "));
        assert!(first_mistake("[targets.a]\n\"x`, expected `y\" = 1\n").contains("are: local, address, "));
        assert!(
            first_mistake("[targets.a]\naddres = \"x\"\n")
                .starts_with("unknown key `addres` in [targets.NAME] | did you mean `address`? ")
        );
        assert!(first_mistake("[targets.a\n").ends_with("`bailiwick help fleet` describes the keys"));
    }
}
