//! The formats of a sweep, in one table: `--format`, `--write`, the help and the tests read it.
//!
//! Knows: which renderer belongs to which name. Must not know: where a text goes.

use bailiwick_core::outcome::Sweep;

use super::table::Options;
use super::{html, json, junit, markdown, nagios, sarif, table, textfile};

/// One format. docs/outputs.md has a row for each; a test compares them.
pub struct Format {
    /// The word for `--format` and `--write`.
    pub name: &'static str,
    /// The media type of a document.
    pub media: &'static str,
    /// What it is for: the help of the word.
    pub about: &'static str,
    /// The exit code is that of a Nagios plugin.
    pub is_plugin: bool,
    /// Makes the document.
    pub render: fn(&Sweep, &View<'_>) -> anyhow::Result<String>,
}

impl std::fmt::Debug for Format {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// What a renderer may use besides the sweep.
pub struct View<'a> {
    /// Width, colour and detail.
    pub options: Options,
    /// The text of the file that the document replaces; none: it is not written to a file, or there was no file.
    pub earlier: Option<&'a str>,
}

const fn format(
    name: &'static str,
    media: &'static str,
    about: &'static str,
    render: fn(&Sweep, &View<'_>) -> anyhow::Result<String>,
) -> Format {
    Format { name, media, about, is_plugin: false, render }
}

/// Every format. The first is the default.
pub const FORMATS: &[Format] = &[
    format("table", "text/plain", "For people, at a terminal", |sweep, view| Ok(table::render(sweep, &view.options))),
    format("json", "application/json", "For programs; `bailiwick schema` prints its schema", |sweep, _| {
        Ok(json::render(sweep)?)
    }),
    format("markdown", "text/markdown", "For a ticket or a chat", |sweep, view| {
        Ok(markdown::render(sweep, view.options.detail))
    }),
    format("html", "text/html", "A page that loads nothing", |sweep, view| {
        Ok(html::render(sweep, view.options.detail))
    }),
    format("junit", "application/xml", "JUnit XML, for CI", |sweep, _| Ok(junit::render(sweep)?)),
    Format {
        is_plugin: true,
        ..format(
            "nagios",
            "text/plain",
            "A Nagios plugin's output; exit code 0 ok, 1 warning, 2 critical, 3 unknown",
            |sweep, _| Ok(nagios::render(sweep)),
        )
    },
    format("sarif", "application/sarif+json", "SARIF 2.1.0, for CI", |sweep, _| Ok(sarif::render(sweep)?)),
    format(
        "textfile",
        "text/plain; version=0.0.4",
        "Metrics for the textfile collector of Prometheus' node exporter",
        |sweep, view| Ok(textfile::render(sweep, &textfile::successes(view.earlier.unwrap_or_default()))),
    ),
];

/// The format of a name.
#[must_use]
pub fn format_of(name: &str) -> Option<&'static Format> {
    FORMATS.iter().find(|format| format.name == name)
}
