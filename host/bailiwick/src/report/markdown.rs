//! A sweep as Markdown, for a ticket or a chat: the table's statements as a list.
//!
//! Knows: Markdown. Must not know: which outcome becomes which statement (`table::entry`). Attacks answered: TX03 and TX07, a
//! guest's text that becomes a link, an image or the host's words: everything except fixed words of this module is a code span.

use std::fmt::Write;

use super::table::Detail;
use super::table::entry::{self, EntryText};
use super::table::summary;
use bailiwick_core::encode;
use bailiwick_core::outcome::Sweep;

/// Renders a sweep. Ends in a newline.
#[must_use]
pub fn render(sweep: &Sweep, detail: Detail) -> String {
    let mut out = format!("bailiwick check: {}\n", encode::markdown(&super::untied(&summary::line(sweep, detail))));
    for group in entry::groups(sweep, detail) {
        out.push('\n');
        for entry in &group.entries {
            let target = encode::markdown(&group.target);
            let component = entry.component.map(|id| format!(" {}", encode::markdown(id.as_str()))).unwrap_or_default();
            let (EntryText::Host(text) | EntryText::Guest(text)) = &entry.text;
            let text = encode::markdown(&super::untied(text));
            // Writing to a text does not fail.
            let _ = writeln!(out, "- **{}** {target}{component}: {text}", entry.word.text());
            for (label, text) in &entry.details {
                let _ = writeln!(out, "  - {label}: {}", encode::markdown(&super::untied(text)));
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples;

    #[test]
    fn a_night() {
        insta::assert_snapshot!(render(&samples::night(), Detail::Brief));
    }

    /// No link, image, tag or heading, and the host's words are where only the host writes.
    #[test]
    fn tx03_tx07_hostile_text_is_text() {
        use pulldown_cmark::{Event, Tag, TagEnd};
        let text = render(&samples::hostile(), Detail::Full);
        for event in pulldown_cmark::Parser::new_ext(&text, pulldown_cmark::Options::all()) {
            match event {
                Event::Start(Tag::Paragraph | Tag::List(None) | Tag::Item | Tag::Strong)
                | Event::End(TagEnd::Paragraph | TagEnd::List(false) | TagEnd::Item | TagEnd::Strong)
                | Event::Code(_)
                | Event::SoftBreak => {}
                Event::Text(text) => {
                    assert!(text.chars().all(|c| c.is_ascii_lowercase() || " :/".contains(c)), "{text:?}");
                }
                other => panic!("{other:?}"),
            }
        }
        insta::assert_snapshot!(text);
    }
}
