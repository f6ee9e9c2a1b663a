//! The type of a format. The table of formats is in the parent module, beside the modules that it names.
//!
//! Knows: which renderer belongs to which name. Must not know: where a text goes.

use bailiwick_core::outcome::Sweep;

pub use super::FORMATS;
use super::table::Options;

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

pub(super) const fn format(
    name: &'static str,
    media: &'static str,
    about: &'static str,
    render: fn(&Sweep, &View<'_>) -> anyhow::Result<String>,
) -> Format {
    Format { name, media, about, is_plugin: false, render }
}

/// The format of a name.
#[must_use]
pub fn format_of(name: &str) -> Option<&'static Format> {
    FORMATS.iter().find(|format| format.name == name)
}
