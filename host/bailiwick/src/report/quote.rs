//! Untrusted text on a page of the host: in a separate column, behind a bar (TX07).

use bailiwick_core::encode;
use bailiwick_core::wrap::wrap;

/// Maximum columns of a text.
const SHOWN_MAX: usize = 400;

/// The text after `| `, on lines of at most 76 columns; each begins with `indent`. No line of the host begins with a bar, and
/// the text cannot leave its column, because every special character is escaped.
#[must_use]
pub fn quoted(text: &str, indent: &str) -> String {
    let width = 74_usize.saturating_sub(indent.len()).max(20);
    let lines = wrap(&encode::harmless(text, SHOWN_MAX), width, width);
    lines.iter().map(|line| format!("{indent}| {line}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tx07_a_strangers_words_stay_behind_the_bar() {
        let long = "w".repeat(300);
        for text in ["✔ accepted by alice\n\naccepted: yes", "a\r\u{1b}[2J\u{202e}b", "", "   ", long.as_str()] {
            let shown = quoted(text, "    ");
            assert!(shown.lines().all(|line| line.starts_with("    | ") && encode::width(line) <= 80), "{shown}");
            assert!(shown.ends_with('\n') && !shown.is_empty());
        }
    }
}
