//! The reference of a file that people write: every table, every key, with its type, default, range and an example.
//!
//! Knows: the shape of an entry and how a page is printed. Must not know: which keys exist. The table of each file is beside
//! its parser, and a test compares both.

use std::fmt::Write as _;
use std::ops::RangeInclusive;

/// One file.
#[derive(Debug)]
pub struct Page {
    /// Its name, such as `policy.toml`.
    pub file: &'static str,
    /// What the file is, and what applies to all of it.
    pub about: &'static str,
    /// Its tables, in the order of reading.
    pub tables: Vec<Table>,
}

/// One table of a file.
#[derive(Debug)]
pub struct Table {
    /// The header as written: `[[grant]]`. A word in capitals is a name that the writer chooses. Empty for the top of the file.
    pub header: &'static str,
    /// What it is for.
    pub about: &'static str,
    /// Its keys.
    pub keys: Vec<Key>,
}

/// One key of a table.
#[derive(Debug)]
pub struct Key {
    /// Its name, in capitals if the writer chooses it.
    pub name: &'static str,
    /// Its type, in words.
    pub kind: &'static str,
    /// The default. None if the key is required.
    pub default: Option<String>,
    /// The allowed values, if the type does not already say them.
    pub range: Option<String>,
    /// A line that is valid.
    pub example: String,
    /// What it does.
    pub about: &'static str,
}

impl Key {
    /// A key that is required.
    #[must_use]
    pub fn required(name: &'static str, kind: &'static str, example: &str, about: &'static str) -> Self {
        Self { name, kind, default: None, range: None, example: example.to_owned(), about }
    }

    /// A key that is optional.
    #[must_use]
    pub fn optional(
        name: &'static str,
        kind: &'static str,
        default: impl ToString,
        example: &str,
        about: &'static str,
    ) -> Self {
        Self { default: Some(default.to_string()), ..Self::required(name, kind, example, about) }
    }

    /// The same key, with its allowed values.
    #[must_use]
    pub fn allowed(mut self, range: impl Into<String>) -> Self {
        self.range = Some(range.into());
        self
    }

    /// The same key, for a number in a range.
    #[must_use]
    pub fn between(self, bounds: &RangeInclusive<u32>) -> Self {
        self.allowed(format!("{} to {}", bounds.start(), bounds.end()))
    }
}

impl Page {
    /// The page as Markdown that also reads well on a terminal.
    #[must_use]
    pub fn markdown(&self) -> String {
        let mut text = format!("# {}\n\n{}\n", self.file, wrapped(self.about, ""));
        for table in &self.tables {
            let title =
                if table.header.is_empty() { "Top of the file".to_owned() } else { format!("`{}`", table.header) };
            let _ = writeln!(text, "\n## {title}\n\n{}\n", wrapped(table.about, ""));
            for key in &table.keys {
                key.write(&mut text);
            }
        }
        text
    }
}

impl Key {
    fn write(&self, text: &mut String) {
        let need = self.default.as_ref().map_or_else(|| "required".to_owned(), |default| format!("default: {default}"));
        let range = self.range.as_ref().map(|range| format!("; allowed: {range}")).unwrap_or_default();
        let _ = writeln!(text, "- `{}`: {}", self.name, wrapped(self.about, "  "));
        let _ = writeln!(text, "  {}", wrapped(&format!("Type: {}; {need}{range}.", self.kind), "  "));
        let _ = writeln!(text, "  Example: `{}`", self.example);
    }
}

/// Columns of a page.
const WIDTH: usize = 100;

/// Wraps a text. Each line except the first begins with `indent`.
fn wrapped(text: &str, indent: &str) -> String {
    let mut out = String::new();
    // The first line of a key follows its name.
    let mut at = indent.len() * 12;
    for (index, word) in text.split_whitespace().enumerate() {
        let width = word.chars().count();
        if index > 0 && at + 1 + width > WIDTH {
            out.push('\n');
            out.push_str(indent);
            at = indent.len();
        } else if index > 0 {
            out.push(' ');
            at += 1;
        }
        out.push_str(word);
        at += width;
    }
    out
}
