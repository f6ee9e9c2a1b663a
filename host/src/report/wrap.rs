//! Breaks text into lines of a width.
//!
//! Knows: columns. Must not know: what the text says. The text is an encoder's or the host's own: it holds no control
//! characters, so that the only line breaks are the ones made here.

use super::encode;

/// Breaks at spaces; a word that is longer than a line is broken where the line ends, a mark staying with its letter.
/// Runs of spaces count as one, so that nobody can paint columns with them. At least one line, perhaps empty.
pub(super) fn wrap(text: &str, width: usize) -> Vec<String> {
    // Two columns are the widest character; narrower is no page.
    let width = width.max(2);
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let needed = encode::width(word);
        let gap = usize::from(!line.is_empty());
        if encode::width(&line) + gap + needed <= width {
            line.extend(std::iter::repeat_n(' ', gap));
            line.push_str(word);
            continue;
        }
        if !line.is_empty() {
            lines.push(std::mem::take(&mut line));
        }
        for c in word.chars() {
            if encode::width(&line) + encode::width(c.encode_utf8(&mut [0; 4])) > width {
                lines.push(std::mem::take(&mut line));
            }
            line.push(c);
        }
    }
    if !line.is_empty() || lines.is_empty() {
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_spaces_or_where_the_line_ends() {
        assert_eq!(wrap("", 10), [""]);
        assert_eq!(wrap("one two  three", 8), ["one two", "three"]);
        assert_eq!(wrap("a /var/lib/postgresql is full", 10), ["a", "/var/lib/p", "ostgresql", "is full"]);
        assert_eq!(wrap("日本語日本語", 5), ["日本", "語日", "本語"]);
        assert_eq!(wrap("abe\u{301}c", 3), ["abe\u{301}", "c"]);
    }

    #[test]
    fn no_line_is_wider() {
        let text = "é…א日 ✔✔✔✔✔✔✔✔ \\u{202e}x wwwwwwwwwwwwwwwwwwwwwwwwwww 日本語日本語日本語";
        for width in 2..40 {
            assert!(wrap(text, width).iter().all(|line| encode::width(line) <= width), "{width}");
        }
    }
}
