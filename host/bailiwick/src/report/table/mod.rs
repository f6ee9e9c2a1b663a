//! A sweep for people, worst first: one line per statement, easy to read and to grep.
//!
//! ```text
//! critical  db01  disk-space  /var/lib/postgresql: 97.8 % used, 3.1 GiB left
//! ok        db02  11 probes, 34 findings, 1.2 s
//! ```
//!
//! Knows: columns, order, words. Must not know: whether there is a terminal (the caller does). Attack answered: TX07, guest
//! text that imitates the host's. The first column is always one of the host's words, the second the operator's name for the
//! target, the third the component. Text of guests begins right of all three on every line, and is the last on its line, so
//! that not even right-to-left letters can move the host's words.
//!
//! Known limit: a terminal that is narrower than the page breaks lines itself, at column 0.

pub(super) mod entry;
pub(super) mod summary;
mod word;

#[cfg(test)]
mod tests;

use bailiwick_core::outcome::Sweep;
use bailiwick_core::wrap::wrap;

use super::humane;
use entry::{Entry, EntryText, Group};
use word::Word;

/// The minimum width of a page. Smaller values are raised to it.
pub const WIDTH_MIN: usize = 60;

/// The maximum width of a page.
const WIDTH_MAX: usize = 1000;

/// Space between columns.
const GAP: usize = 2;

/// The additional indentation of the second line of a detail or of the summary.
const HANG: usize = 2;

/// The minimum space left on a line to begin a text there, after names that are too long for their columns.
const FIRST_MIN: usize = 24;

/// Whether the table may use colour. The caller checks the terminal and `NO_COLOR`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colour {
    /// Plain text.
    Never,
    /// The first column in colour. Its words are the same without colour.
    Always,
}

/// The level of detail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Detail {
    /// The statements that need a person, and one line for the others.
    Brief,
    /// Every finding on a line: for one target, where there is space for healthy findings too.
    Each,
    /// Every finding with its numbers and evidence, and every run.
    Full,
}

/// Options of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Columns of the page. 80 if the width is unknown.
    pub width: usize,
    /// Whether to use colour.
    pub colour: Colour,
    /// The level of detail.
    pub detail: Detail,
}

impl Default for Options {
    fn default() -> Self {
        Self { width: 80, colour: Colour::Never, detail: Detail::Brief }
    }
}

/// Renders a sweep. Ends in a newline. The last line is the summary.
#[must_use]
pub fn render(sweep: &Sweep, options: &Options) -> String {
    let groups = entry::groups(sweep, options.detail);
    let page = Page::new(&groups, options);
    let mut out = String::new();
    for (index, group) in groups.iter().enumerate() {
        // Empty lines around a target with several statements. Targets with one statement form a list.
        let before = index.checked_sub(1).and_then(|index| groups.get(index));
        let apart =
            |before: &Group<'_>| before.entries.len() > 1 || group.entries.len() > 1 || before.calm() != group.calm();
        if before.is_some_and(apart) {
            out.push('\n');
        }
        for entry in &group.entries {
            page.push_entry(&mut out, &group.target, entry);
        }
    }
    if !groups.is_empty() {
        out.push('\n');
    }
    push_wrapped(&mut out, &summary::line(sweep, options.detail), (0, 0), HANG, page.width);
    out
}

/// The columns of a page.
struct Page {
    width: usize,
    colour: Colour,
    word: usize,
    target: usize,
    component: usize,
}

impl Page {
    fn new(groups: &[Group<'_>], options: &Options) -> Self {
        let width = options.width.clamp(WIDTH_MIN, WIDTH_MAX);
        let entries = || groups.iter().flat_map(|group| &group.entries);
        let word = entries().map(|entry| entry.word.text().len()).max().unwrap_or(0);
        let target = groups.iter().map(|group| group.target.len()).max().unwrap_or(0);
        let component = entries().filter_map(|entry| entry.component).map(|id| id.as_str().len()).max().unwrap_or(0);
        // Most of the page is for the text: names that are longer than their columns push it to the right, or to a separate
        // line. The target's column comes first, because it is on every line.
        let text = (width / 2).min(72);
        let room = width - text - word - 3 * GAP;
        let target = target.min(room * 2 / 3);
        let component = component.min(room - target);
        Self { width, colour: options.colour, word, target, component }
    }

    /// The column of targets, and of the labels of details below them.
    fn target_column(&self) -> usize {
        self.word + GAP
    }

    /// The column of components, and of statements about a whole target.
    fn component_column(&self) -> usize {
        self.target_column() + self.target + GAP
    }

    /// The first column of guests' text.
    fn text_column(&self) -> usize {
        self.component_column() + self.component + GAP
    }

    fn push_entry(&self, out: &mut String, target: &str, entry: &Entry<'_>) {
        self.push_word(out, entry.word);
        out.push_str(target);
        let mut at = self.target_column() + target.len();
        let mut column = self.component_column();
        if let Some(component) = entry.component {
            at += pad(out, at, column.max(at + GAP));
            out.push_str(component.as_str());
            at += component.as_str().len();
            column = self.text_column();
        }
        let mut start = column.max(at + GAP);
        if start > column && start + FIRST_MIN > self.width {
            out.push('\n');
            (at, start) = (0, column);
        }
        let (EntryText::Host(text) | EntryText::Guest(text)) = &entry.text;
        push_wrapped(out, text, (at, start), column, self.width);
        for (label, text) in &entry.details {
            let start = self.target_column();
            pad(out, 0, start);
            out.push_str(&self.colour.dim(&format!("{label}:")));
            let at = start + label.len() + 1;
            push_wrapped(out, text, (at, at + 1), start + HANG, self.width);
        }
    }

    fn push_word(&self, out: &mut String, word: Word) {
        let text = word.text();
        out.push_str(&self.colour.paint(word));
        pad(out, text.len(), self.target_column());
    }
}

/// Writes spaces from one column to another, and returns their number.
fn pad(out: &mut String, from: usize, to: usize) -> usize {
    let spaces = to.saturating_sub(from);
    out.extend(std::iter::repeat_n(' ', spaces));
    spaces
}

/// Writes a text on a line that is filled up to column `at`. The text begins at column `start`, its other lines at `column`.
fn push_wrapped(out: &mut String, text: &str, (at, start): (usize, usize), column: usize, width: usize) {
    let lines = wrap(text, width.saturating_sub(start), width.saturating_sub(column));
    for (index, line) in lines.iter().enumerate() {
        if index == 0 {
            pad(out, at, start);
        } else {
            pad(out, 0, column);
        }
        out.push_str(line);
        out.push('\n');
    }
}
