//! Breaks text into lines of a width.
//!
//! Knows: columns. Must not know: what the text means. The text comes from an encoder or the host: it holds no control
//! characters, so the only line breaks are the ones made here.

use crate::encode;

/// Columns where there is no terminal.
pub const COLUMNS: usize = 80;

/// A non-breaking space, between a number and its unit. Guests cannot use it, because the encoder escapes it.
pub const TIE: char = '\u{a0}';

/// Breaks at spaces. A word that is longer than a line is broken at one of its joints or at the end of the line, and a
/// combining mark stays with its letter. Runs of spaces count as one, so that a guest cannot align text in columns. The first
/// line is `first` columns wide, the others `width`. Returns at least one line, which may be empty.
#[must_use]
pub fn wrap(text: &str, first: usize, width: usize) -> Vec<String> {
    broken(text, first, width, true)
}

/// A page whose lines are at most `width` columns wide. A line that goes on is indented like its text: behind its last column, or
/// behind its `- `. What people copy stays whole: a word of any length, and what stands between backticks or is a line of its own
/// that begins with a program's name.
#[must_use]
pub fn page(text: &str, width: usize) -> String {
    let mut out = String::new();
    for line in text.lines() {
        if encode::width(line) <= width || is_command(line) {
            out.push_str(&line.replace(TIE, " "));
        } else {
            let hang = hang(line, width);
            let (head, rest) = line.split_at(hang);
            let room = width.saturating_sub(encode::width(head));
            let lines = broken(&tied(rest), room, room, false);
            let indent = " ".repeat(encode::width(head));
            out.push_str(head);
            out.push_str(&lines.join(&format!("\n{indent}")));
        }
        out.push('\n');
    }
    out
}

/// A command line, which is copied.
fn is_command(line: &str) -> bool {
    ["bailiwick ", "sudo ", "ssh-keygen ", "/"].iter().any(|program| line.trim_start().starts_with(program))
}

/// Where the text of a line begins: behind its columns, its bullet or its indentation.
fn hang(line: &str, width: usize) -> usize {
    let indent = line.len() - line.trim_start_matches(' ').len();
    let mut end = width / 2;
    while !line.is_char_boundary(end) {
        end -= 1;
    }
    let gap = line.get(indent..end).and_then(|left| left.rfind("  ")).map(|at| indent + at + 2);
    let bullet = line.get(indent..).is_some_and(|rest| rest.starts_with("- "));
    gap.unwrap_or(if bullet { indent + 2 } else { indent })
}

/// With no place to break between backticks.
fn tied(text: &str) -> String {
    let part = |(index, part): (usize, &str)| {
        if index % 2 == 1 { part.replace(' ', TIE.encode_utf8(&mut [0; 4])) } else { part.to_owned() }
    };
    text.split('`').enumerate().map(part).collect::<Vec<_>>().join("`")
}

fn broken(text: &str, first: usize, width: usize, words_too: bool) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut line = String::new();
    // The widest character has three columns, so a line needs at least three.
    let room = |lines: &[String]| if lines.is_empty() { first } else { width }.max(3);
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let gap = usize::from(!line.is_empty());
        if encode::width(&line) + gap + encode::width(word) <= room(&lines) {
            line.extend(std::iter::repeat_n(' ', gap));
            line.push_str(word);
            continue;
        }
        if !line.is_empty() {
            lines.push(std::mem::take(&mut line));
        }
        for c in word.chars() {
            if words_too && encode::width(&line) + encode::width(c.encode_utf8(&mut [0; 4])) > room(&lines) {
                let rest = line.split_off(joint(&line));
                lines.push(std::mem::replace(&mut line, rest));
            }
            line.push(c);
        }
    }
    if !line.is_empty() || lines.is_empty() {
        lines.push(line);
    }
    lines.iter().map(|line| line.replace(TIE, " ")).collect()
}

/// The position at which to break a word in a full line: after a joint of a path, a unit's name or an escape, if that leaves
/// the line more than half full; else at its end.
fn joint(line: &str) -> usize {
    let behind = line.rfind(['/', '-', '_', '.', ':', ',', '=', '@', '}']).map_or(0, |at| at + 1);
    // A combining mark must not begin a line: it would be drawn onto the space before it.
    let next = line.get(behind..).and_then(|rest| rest.chars().next());
    let marked = next.is_some_and(|c| encode::width(c.encode_utf8(&mut [0; 4])) == 0);
    if behind * 2 > line.len() && !marked { behind } else { line.len() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_spaces_or_where_the_line_ends() {
        assert_eq!(wrap("", 10, 10), [""]);
        assert_eq!(wrap("one two  three", 8, 8), ["one two", "three"]);
        assert_eq!(wrap("a /var/lib/postgresql is full", 10, 10), ["a", "/var/lib/", "postgresql", "is full"]);
        assert_eq!(wrap("日本語日本語", 5, 5), ["日本", "語日", "本語"]);
        assert_eq!(wrap("abe\u{301}c", 3, 3), ["abe\u{301}", "c"]);
        assert_eq!(wrap("prometheus-postgres-exporter.service", 32, 32), ["prometheus-postgres-exporter.", "service"]);
        assert_eq!(wrap("ab-\u{301}cde", 5, 5), ["ab-\u{301}cd", "e"]);
        assert_eq!(wrap("one two three", 4, 9), ["one", "two three"]);
        assert_eq!(wrap("12.4\u{a0}s and 3\u{a0}d", 6, 6), ["12.4 s", "and", "3 d"]);
    }

    #[test]
    fn a_page_keeps_its_columns_and_what_people_copy() {
        let digest = "0".repeat(64);
        let text = format!(
            "ok       ops      12 targets, 70 components\nwarning  pins     web01 has no pinned host key\n\
             - one two `a b c d` three\n  bailiwick gate install-script web01 > gate.sh\nsee sha256:{digest} there\n"
        );
        let expected = format!(
            "ok       ops      12 targets, 70\n                  components\nwarning  pins     web01 has no\n                  pinned host key\n\
             - one two `a b c d` three\n  bailiwick gate install-script web01 > gate.sh\nsee\nsha256:{digest}\nthere\n"
        );
        assert_eq!(page(&text, 36), expected);
        assert_eq!(page("é é é é", 4), "é é\né é\n");
        assert_eq!(page("a\u{a0}b", 4), "a b\n");
    }

    #[test]
    fn no_line_is_wider() {
        let text = "é…א日 ✔✔✔✔✔✔✔✔ \\u{202e}x wwwwwwwwwwwwwwwwwwwwwwwwwww 日本語日本語日本語";
        for width in 3..40 {
            assert!(wrap(text, width, width).iter().all(|line| encode::width(line) <= width), "{width}");
        }
    }
}
