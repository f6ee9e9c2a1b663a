//! A sweep as one HTML page that loads nothing, to be kept or mailed.
//!
//! Knows: HTML. Must not know: which outcome becomes which statement (`table::entry`). Attacks answered: TX03, a guest's text
//! that becomes markup; TX07, text that imitates the host's: it has a cell of its own, which also bounds right-to-left letters.
//! As a second defence, the page forbids scripts, images and connections.

use std::fmt::Write;

use super::table::Detail;
use super::table::entry::{self, Entry, EntryText};
use super::table::summary;
use bailiwick_core::encode::html;
use bailiwick_core::outcome::Sweep;

const HEAD: &str = r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'sha256-W0idssmNdXxZ6+LnULPB+KilUgsa9sBpnjucEO/KbGw='">
<title>bailiwick check</title>
<style>
body { font: 15px/1.4 system-ui, sans-serif; margin: 2em; }
table { border-collapse: collapse; }
td { padding: .2em 1em .2em 0; vertical-align: top; border-top: 1px solid #ddd; }
dl { margin: 0; font-size: 85%; color: #555; }
dt, dd { display: inline; margin: 0; }
dd::after { content: "\A"; white-space: pre; }
.critical, .unreachable, .refused, .fault, .unchecked { color: #b00; font-weight: bold; }
.warning, .unknown { color: #850; font-weight: bold; }
</style>
</head>
<body>
"#;

/// Renders a sweep. Ends in a newline.
#[must_use]
pub fn render(sweep: &Sweep, detail: Detail) -> String {
    let mut out = HEAD.to_owned();
    // Writing to a text does not fail.
    let _ = writeln!(out, "<p>{}</p>\n<table>", html(&super::untied(&summary::line(sweep, detail))));
    for group in entry::groups(sweep, detail) {
        group.entries.iter().for_each(|entry| push_row(&mut out, &group.target, entry));
    }
    out.push_str("</table>\n</body>\n</html>\n");
    out
}

fn push_row(out: &mut String, target: &str, entry: &Entry<'_>) {
    let word = entry.word.text();
    // A class is one word.
    let class = word.split(' ').next().unwrap_or_default().replace('/', "");
    let component = entry.component.map(|id| html(id.as_str())).unwrap_or_default();
    let (EntryText::Host(text) | EntryText::Guest(text)) = &entry.text;
    let (word, target, text) = (html(word), html(target), html(&super::untied(text)));
    let _ = write!(out, "<tr><td class=\"{class}\">{word}<td>{target}<td>{component}<td><bdi>{text}</bdi>");
    if !entry.details.is_empty() {
        out.push_str("<dl>");
        for (label, text) in &entry.details {
            let _ = write!(out, "<dt>{label}: <dd><bdi>{}</bdi>", html(&super::untied(text)));
        }
        out.push_str("</dl>");
    }
    out.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples;

    #[test]
    fn the_page_allows_itself_its_own_style_and_nothing_else() {
        use sha2::Digest;
        let (_, rest) = HEAD.split_once("<style>").unwrap();
        let (style, _) = rest.split_once("</style>").unwrap();
        let hash = data_encoding::BASE64.encode(&sha2::Sha256::digest(style.as_bytes()));
        assert!(HEAD.contains(&format!("content=\"default-src 'none'; style-src 'sha256-{hash}'\"")), "{hash}");
    }

    #[test]
    fn a_night() {
        insta::assert_snapshot!(render(&samples::night(), Detail::Brief));
    }

    /// Every tag and entity comes from this module.
    #[test]
    fn tx03_tx07_hostile_text_is_text() {
        let text = render(&samples::hostile(), Detail::Full);
        let body = text.strip_prefix(HEAD).unwrap();
        let tag = |tag: &str| {
            let class = tag.strip_prefix("td class=\"").and_then(|rest| rest.strip_suffix('"'));
            class.is_some_and(|class| class.chars().all(|c| c.is_ascii_lowercase()))
                || ["p", "table", "tr", "td", "bdi", "dl", "dt", "dd", "body", "html"]
                    .contains(&tag.trim_start_matches('/'))
        };
        for piece in body.split('<').skip(1) {
            let (name, _) = piece.split_once('>').unwrap();
            assert!(tag(name), "<{name}>");
        }
        for piece in body.split('&').skip(1) {
            assert!(["amp;", "lt;", "gt;", "quot;", "#39;"].iter().any(|ours| piece.starts_with(ours)), "&{piece}");
        }
        insta::assert_snapshot!(text);
    }
}
