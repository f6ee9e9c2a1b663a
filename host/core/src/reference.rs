//! The reference of a file that people write: every table, every key, with its type, default, range and an example.
//!
//! Knows: the shape of an entry and how a page is printed. Must not know: which keys there are; the table of each file stands
//! beside its parser, and a test compares both.

use std::fmt::Write as _;
use std::ops::RangeInclusive;

/// One file.
#[derive(Debug)]
pub struct Page {
    /// Its name, such as `policy.toml`.
    pub file: &'static str,
    /// What it is, and what a reader has to know about all of it.
    pub about: &'static str,
    /// Its tables, in the order of reading.
    pub tables: Vec<Table>,
}

/// One table of a file.
#[derive(Debug)]
pub struct Table {
    /// As it is written: `[[grant]]`. A word in capitals is a name that the writer chooses. Empty: the top of the file.
    pub header: &'static str,
    /// What it is for.
    pub about: &'static str,
    /// Its keys.
    pub keys: Vec<Key>,
}

/// One key of a table.
#[derive(Debug)]
pub struct Key {
    /// Its name. In capitals: the writer chooses it.
    pub name: &'static str,
    /// Its type, in words.
    pub kind: &'static str,
    /// What holds without it; none: it is required.
    pub default: Option<String>,
    /// Which values are allowed, if the type does not say it.
    pub range: Option<String>,
    /// A line that works.
    pub example: String,
    /// What it does.
    pub about: &'static str,
}

impl Key {
    /// A key that has to be there.
    #[must_use]
    pub fn required(name: &'static str, kind: &'static str, example: &str, about: &'static str) -> Self {
        Self { name, kind, default: None, range: None, example: example.to_owned(), about }
    }

    /// A key that may be left out.
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

    /// The same, with the values that are allowed.
    #[must_use]
    pub fn allowed(mut self, range: impl Into<String>) -> Self {
        self.range = Some(range.into());
        self
    }

    /// The same, for a number between two others.
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

/// Text in lines, each but the first behind `indent`.
fn wrapped(text: &str, indent: &str) -> String {
    let mut out = String::new();
    // The first line of a key stands behind its name.
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
