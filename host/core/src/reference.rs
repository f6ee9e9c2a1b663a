//! The reference of a file that people write: every table, every key, with its type, default, range and an example.
//!
//! Knows: the shape of an entry and how a page is printed. Must not know: which keys exist. The table of each file is beside
//! its parser, and a test compares both.

use std::fmt::Write as _;
use std::ops::RangeInclusive;

use crate::wrap;

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
    /// The header as written: `[[grant]]`. A word in capitals is a name that the writer chooses.
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
    /// The word of `bailiwick help` that prints the page.
    #[must_use]
    pub fn topic(&self) -> &'static str {
        self.file.trim_end_matches(".toml")
    }

    /// The table at a path of names, such as `targets`, `web01`, `gate`.
    #[must_use]
    pub fn table(&self, path: &[String]) -> Option<&Table> {
        self.tables.iter().find(|table| table.is_at(path))
    }

    /// The key at a path of names, and its table. What is inside the key's value belongs to the key.
    #[must_use]
    pub fn key(&self, path: &[String]) -> Option<(&Table, &Key)> {
        (0..path.len()).rev().find_map(|end| {
            let (above, rest) = path.split_at(end);
            let (table, name) = (self.table(above)?, rest.first()?);
            table.keys.iter().find(|key| key.name == name).map(|key| (table, key))
        })
    }

    /// The page as Markdown, for `docs/reference`.
    #[must_use]
    pub fn markdown(&self) -> String {
        let mut text = format!("# {}\n\n{}\n", self.file, self.about);
        for table in &self.tables {
            // Writing to a String does not fail.
            let _ = writeln!(text, "\n## `{}`\n\n{}\n", table.header, table.about);
            for key in &table.keys {
                let _ = writeln!(text, "- `{}`: {}", key.name, key.about);
                let _ = writeln!(text, "  {}\n  Example: `{}`", key.rule(), key.example);
            }
        }
        wrap::page(&text, wrap::COLUMNS)
    }

    /// The page for a terminal: all of it, or the tables with this name, such as `grant` or `targets`.
    #[must_use]
    pub fn plain(&self, only: Option<&str>, width: usize) -> String {
        let mut text = String::new();
        if only.is_none() {
            let _ = writeln!(text, "{}\n\n{}", self.file, self.about);
        }
        for table in self.tables.iter().filter(|table| only.is_none_or(|name| table.name() == name)) {
            let _ = writeln!(text, "{}{}\n  {}", if text.is_empty() { "" } else { "\n" }, table.header, table.about);
            for key in &table.keys {
                let _ = writeln!(text, "\n  {}\n    {}\n    {}", key.name, key.about, key.rule());
                let _ = writeln!(text, "    Example: {}", key.example.replace(' ', "\u{a0}"));
            }
        }
        wrap::page(&text, width)
    }
}

impl Table {
    /// The names of its header: `targets`, `NAME`, `gate`.
    fn names(&self) -> impl Iterator<Item = &'static str> {
        self.header.trim_matches(['[', ']']).split('.')
    }

    /// The first of them, by which `bailiwick help` selects it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.names().next().unwrap_or_default()
    }

    fn is_at(&self, path: &[String]) -> bool {
        // A word in capitals is any name.
        let fits = |(name, at): (&str, &String)| name == at || name.chars().all(|c| c.is_ascii_uppercase());
        self.names().count() == path.len() && self.names().zip(path).all(fits)
    }
}

impl Key {
    /// Its type, whether it is required, and which values are allowed.
    fn rule(&self) -> String {
        let need = self.default.as_ref().map_or_else(|| "required".to_owned(), |default| format!("default: {default}"));
        let range = self.range.as_ref().map(|range| format!("; allowed: {range}")).unwrap_or_default();
        format!("Type: {}; {need}{range}.", self.kind)
    }

    /// What its value must be, for an error: `a list of strings`, `an integer, 1 to 65535`.
    #[must_use]
    pub fn allowed_values(&self) -> String {
        let kind = match self.kind {
            "boolean" => "true or false".to_owned(),
            "line" => "a string of one line".to_owned(),
            "expression" => "a string with an expression".to_owned(),
            kind if kind.starts_with(['a', 'e', 'i', 'o', 'u']) => format!("an {kind}"),
            kind => format!("a {kind}"),
        };
        self.range.as_ref().map_or(kind.clone(), |range| format!("{kind} ({range})"))
    }
}
