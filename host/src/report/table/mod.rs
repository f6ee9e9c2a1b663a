//! A sweep for people, worst first: one line per statement, made to be read at 3 am and to be grepped.
//!
//! ```text
//! critical  db01  disk-space  /var/lib/postgresql: 97.8 % used, 3.1 GiB left
//! ok        db02  11 probes, 34 findings, 1.2 s
//! ```
//!
//! Knows: columns, order, words. Must not know: whether there is a terminal (the caller does). Attack answered: TX07,
//! guest text that passes itself off as the host's. The first column is always one of the host's words, the second the
//! operator's name for the target, the third who says so; text of guests begins right of all three on every line, and it
//! is the last thing on its line, so that not even right-to-left letters can move the host's words.
//!
//! Known limit: on a terminal narrower than the width asked for, the terminal itself breaks lines, at column 0.

mod entry;
mod summary;
mod word;

#[cfg(test)]
mod tests;

use crate::model::TargetName;
use crate::sweep::outcome::Sweep;

use super::wrap::wrap;
use super::{encode, humane};
use entry::{Entry, Group, Said};
use word::Word;

/// The narrowest page; less is taken for this.
pub const WIDTH_MIN: usize = 60;

/// Space between columns.
const GAP: usize = 2;

/// The column of a detail's label: `evidence` is the longest.
const LABEL: usize = 8;

/// Whether there may be escape sequences. The caller knows about the terminal and `NO_COLOR`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colour {
    /// Plain text.
    Never,
    /// The first column in colour. It is a word all the same.
    Always,
}

/// How much is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// What needs a person, and one line for what does not.
    Brief,
    /// Every finding with its numbers and evidence, and every run.
    Full,
}

/// How a table looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Columns of the page; 80 where nobody knows.
    pub width: usize,
    /// Colour or not.
    pub colour: Colour,
    /// How much.
    pub detail: Detail,
}

impl Default for Options {
    fn default() -> Self {
        Self { width: 80, colour: Colour::Never, detail: Detail::Brief }
    }
}

/// Renders a sweep. Ends in a newline; the last line sums up.
#[must_use]
pub fn render(sweep: &Sweep, options: &Options) -> String {
    let groups = entry::groups(sweep, options.detail);
    let page = Page::new(&groups, options);
    let mut out = String::new();
    for (index, group) in groups.iter().enumerate() {
        // Air around a target that needs several lines; those with one line each stand as a list.
        let before = index.checked_sub(1).and_then(|index| groups.get(index));
        if before.is_some_and(|before| page.lines(before) > 1 || page.lines(group) > 1 || before.calm() != group.calm())
        {
            out.push('\n');
        }
        for entry in &group.entries {
            page.push_entry(&mut out, group.target, entry);
        }
    }
    if !groups.is_empty() {
        out.push('\n');
    }
    push_wrapped(&mut out, &summary::line(sweep, options.detail), 0, page.width, GAP);
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
        let width = options.width.max(WIDTH_MIN);
        let entries = || groups.iter().flat_map(|group| &group.entries);
        let word = entries().map(|entry| entry.word.text().len()).max().unwrap_or(0);
        let target = groups.iter().map(|group| group.target.as_str().len()).max().unwrap_or(0);
        let component = entries().filter_map(|entry| entry.component).map(|id| id.as_str().len()).max().unwrap_or(0);
        // Nearly half of the page is for what is said; names that do not fit stand on a line of their own.
        let text_min = (width * 9 / 20).max(30);
        let room = width - text_min - word - 3 * GAP;
        let half = room / 2;
        let (target, component) = match (target, component) {
            (t, c) if t + c <= room => (t, c),
            (t, c) if t <= half => (t, c.min(room - t)),
            (t, c) if c <= half => (t.min(room - c), c),
            _ => (half, half),
        };
        Self { width, colour: options.colour, word, target, component }
    }

    /// Where targets stand, and the labels of details below them.
    fn target_column(&self) -> usize {
        self.word + GAP
    }

    /// Where components stand, and what the host says of a whole target.
    fn component_column(&self) -> usize {
        self.target_column() + self.target + GAP
    }

    /// Where text stands that a component said. Right of all labels, whatever the names are.
    fn text_column(&self) -> usize {
        (self.component_column() + self.component + GAP).max(self.target_column() + LABEL + GAP)
    }

    fn lines(&self, group: &Group<'_>) -> usize {
        let mut out = String::new();
        for entry in &group.entries {
            self.push_entry(&mut out, group.target, entry);
        }
        out.lines().count()
    }

    fn push_entry(&self, out: &mut String, target: &TargetName, entry: &Entry<'_>) {
        let word = entry.word;
        self.push_word(out, word);
        out.push_str(target.as_str());
        let mut at = self.target_column() + target.as_str().len();
        let mut column = self.component_column();
        if let Some(component) = entry.component {
            at += pad(out, at, column.max(at + GAP));
            out.push_str(component.as_str());
            at += component.as_str().len();
            column = self.text_column();
        }
        let (Said::Host(text) | Said::Guest(text)) = &entry.said;
        if at + GAP > column {
            // The names are too long for their columns.
            out.push('\n');
            at = 0;
        }
        push_wrapped(out, text, at, self.width, column);
        for (label, text) in &entry.details {
            let start = self.target_column();
            pad(out, 0, start);
            out.push_str(&self.colour.dim(label));
            push_wrapped(out, text, start + label.len(), self.width, start + LABEL + GAP);
        }
    }

    fn push_word(&self, out: &mut String, word: Word) {
        let text = word.text();
        out.push_str(&self.colour.paint(word));
        pad(out, text.len(), self.target_column());
    }
}

/// Spaces from one column to another; says how many.
fn pad(out: &mut String, from: usize, to: usize) -> usize {
    let spaces = to.saturating_sub(from);
    out.extend(std::iter::repeat_n(' ', spaces));
    spaces
}

/// Writes a text in lines that all begin at `column`, the first of them on a line that has come to `at`.
fn push_wrapped(out: &mut String, text: &str, at: usize, width: usize, column: usize) {
    let mut at = at;
    for line in wrap(text, width.saturating_sub(column)) {
        pad(out, at, column);
        out.push_str(&line);
        out.push('\n');
        at = 0;
    }
}
