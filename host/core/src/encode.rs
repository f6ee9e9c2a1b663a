//! Encodes tainted text for output. Nothing else prints it.
//!
//! Knows: which characters are harmless in which medium. Must not know: what the text says. Attacks answered: TX01
//! (escape sequences, C1, carriage returns), TX02 (bidi, zero width, tag characters, combining floods), TX03 (links and
//! pictures that a page or a chat would load), TX05 (forged lines), and the lines' share of TX07 (text that a terminal draws
//! wider than it was measured).
//!
//! One function per medium, here and nowhere else: first every character is made harmless to eyes by its [`fate`], then the
//! medium's own syntax is escaped. There is none for XML, CSV or a spreadsheet: tainted text does not reach those (TX06).
//!
//! Not answered: homoglyphs. A Cyrillic `а` in a title is shown as it is. Nothing is decided by how a title looks; the
//! names that decide (targets, components, verbs) are ASCII by grammar.

use std::io;
use std::path::Path;

use serde::Serialize;
use serde_json::ser::{Formatter, PrettyFormatter, Serializer};
use unicode_width::UnicodeWidthChar as _;

use crate::model::Tainted;

/// Marks that may stand on one character. Two are enough for every orthography in use on a server (Vietnamese, Hebrew
/// with points); more is a flood that paints over the lines above.
const MARKS_MAX: usize = 2;

/// Escapes of one character in a row that are written out.
const REPEATS_MAX: usize = 4;

/// Characters that draw nothing, or select how another is drawn, though Unicode calls them letters, marks or symbols.
/// What it calls control, format, private, unassigned, surrogate or a space other than U+0020 is known to std.
const INVISIBLE: &[(char, char)] = &[
    ('\u{034f}', '\u{034f}'),   // combining grapheme joiner
    ('\u{115f}', '\u{1160}'),   // Hangul fillers
    ('\u{17b4}', '\u{17b5}'),   // Khmer inherent vowels
    ('\u{180b}', '\u{180f}'),   // Mongolian variation selectors
    ('\u{2800}', '\u{2800}'),   // blank Braille
    ('\u{3164}', '\u{3164}'),   // Hangul filler
    ('\u{fe00}', '\u{fe0f}'),   // variation selectors: they can carry a hidden message, a byte each
    ('\u{ffa0}', '\u{ffa0}'),   // half-width Hangul filler
    ('\u{fffc}', '\u{fffc}'),   // object replacement
    ('\u{16fe4}', '\u{16fe4}'), // Khitan filler
    ('\u{1d159}', '\u{1d159}'), // null notehead
    ('\u{e0100}', '\u{e01ef}'), // variation selectors supplement
];

/// How a character is shown in every medium that a person reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CharClass {
    /// As it is, this many columns wide.
    Printable(usize),
    /// Combined with the character before it.
    Combining,
    /// As an escape.
    Escaped,
}

fn char_class(c: char) -> CharClass {
    if matches!(c, ' '..='~') {
        return CharClass::Printable(1);
    }
    if INVISIBLE.iter().any(|&(first, last)| (first..=last).contains(&c)) {
        return CharClass::Escaped;
    }
    // std's own table of printable characters, as `escape_debug` applies it. A combining mark on its own is escaped too; after
    // another character it is not.
    let printable = ['x', c].iter().collect::<String>().escape_debug().count() == 2;
    match columns(c) {
        _ if !printable => CharClass::Escaped,
        0 => CharClass::Combining,
        width => CharClass::Printable(width),
    }
}

/// The maximum number of columns that a terminal may give a character. East Asian terminals draw many symbols two columns wide
/// that others draw in one. If one were measured as one column, a line would overflow, and its rest would be at column 0, where
/// only the host writes.
fn columns(c: char) -> usize {
    c.width_cjk().unwrap_or(0)
}

/// A number of things: `1 finding`, `2 findings`. `what` is the singular of a regular noun.
#[must_use]
pub fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// The maximum number of columns of a text that an encoder or the host made.
#[must_use]
pub fn width(text: &str) -> usize {
    text.chars().map(columns).sum()
}

/// True if every character is shown as it is: nothing in it would be escaped.
#[must_use]
pub fn is_plain(text: &str) -> bool {
    text.chars().all(|c| matches!(char_class(c), CharClass::Printable(_)))
}

/// Checks that a person sees all of a text when it is printed unchanged: lines of plain characters, and tabs. Else the error is
/// the number of the first line, from 1, that shows something else than it holds.
///
/// # Errors
/// With that number.
pub fn seen_whole(text: &str) -> Result<(), usize> {
    let hides = |line: &str| !is_plain(&line.replace('\t', " "));
    text.split('\n').position(hides).map_or(Ok(()), |at| Err(at + 1))
}

/// Untrusted text on one line, harmless to a terminal. An invisible or special character becomes `\n`, `\x1b` or `\u{202e}`. At
/// most `max_width` columns, the last of them `…` if the text was cut.
///
/// For people, not for parsers: a backslash stays a backslash (systemd's names are full of them), so `\x1b` may also be what
/// the text contains. [`to_json`] is exact.
#[must_use]
pub fn terminal(text: &Tainted, max_width: usize) -> String {
    harmless(text.for_encoder(), max_width)
}

/// The same for text of the host, which may quote a target or the operating system.
#[must_use]
pub fn harmless(text: &str, max_width: usize) -> String {
    let mut out = String::new();
    let mut used = 0;
    // The position of a cut that leaves space for `…`.
    let mut room = 0;
    let mut marks = MARKS_MAX;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let start = out.len();
        match char_class(c) {
            CharClass::Printable(width) => {
                out.push(c);
                used += width;
                // A mark on a space would be drawn onto whatever the host put beside it.
                marks = if c == ' ' { MARKS_MAX } else { 0 };
            }
            CharClass::Combining if marks < MARKS_MAX => {
                out.push(c);
                marks += 1;
            }
            CharClass::Combining | CharClass::Escaped => {
                let mut times = 1;
                while chars.next_if_eq(&c).is_some() {
                    times += 1;
                }
                push_escapes(&mut out, c, times);
                used += out.len() - start;
                marks = MARKS_MAX;
            }
        }
        if used > max_width {
            out.truncate(room.min(start));
            if max_width > 0 {
                out.push('…');
            }
            return out;
        }
        // `…` is ambiguous itself: two columns on an East Asian terminal.
        if used + columns('…') <= max_width {
            room = out.len();
        }
    }
    out
}

/// A message of the host, which may quote untrusted text. Its line breaks and tabs stay; every other special character is
/// escaped. A text that it quotes must already be on one line: a path by [`ShownPath::shown`].
#[must_use]
pub fn lines(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for (at, line) in text.split('\n').enumerate() {
        if at > 0 {
            out.push('\n');
        }
        // A tab separates columns for programs, and cannot forge anything.
        for (at, cell) in line.split('\t').enumerate() {
            if at > 0 {
                out.push('\t');
            }
            out.push_str(&harmless(cell, usize::MAX));
        }
    }
    out
}

/// Untrusted text of several lines, such as a difference. Each line is harmless to a terminal, with at most `width` columns and
/// `lines_max` lines. Also returns how many lines were left out.
#[must_use]
pub fn block(text: &Tainted, lines_max: usize, width: usize) -> (Vec<String>, usize) {
    let mut lines = text.for_encoder().lines();
    // A tab is shown as four spaces.
    let shown = lines.by_ref().take(lines_max).map(|line| harmless(&line.replace('\t', "    "), width)).collect();
    (shown, lines.count())
}

/// Shows a path. Another user may have named a file in a folder (TX01, TX07).
pub trait ShownPath {
    /// The path on one line, harmless to a terminal. For people: an escaped path is not the name of a file.
    fn shown(&self) -> String;
}

impl ShownPath for Path {
    fn shown(&self) -> String {
        harmless(&self.display().to_string(), usize::MAX)
    }
}

/// Writes one character's escape as often as it came, or how often that was if it is a flood.
fn push_escapes(out: &mut String, c: char, times: usize) {
    let escape = match c {
        '\n' => "\\n".to_owned(),
        '\r' => "\\r".to_owned(),
        '\t' => "\\t".to_owned(),
        c if u32::from(c) < 0x100 => format!("\\x{:02x}", u32::from(c)),
        c => format!("\\u{{{:x}}}", u32::from(c)),
    };
    if times <= REPEATS_MAX {
        out.push_str(&escape.repeat(times));
    } else {
        out.push_str(&format!("{escape}({times} times)"));
    }
}

/// Text as Markdown that can be nothing but text: a code span, whose fence is longer than any run of backticks in it. A code
/// span has no links, images, mentions or entities, in any dialect. Escapes would leave a bare mail address, which GitHub makes
/// a link of after it has read them.
#[must_use]
pub fn markdown(text: &str) -> String {
    let text = harmless(text, usize::MAX);
    if text.is_empty() {
        return text;
    }
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    // A span loses one space at each end if it has one at both.
    let edge = |c: Option<char>| matches!(c, Some('`' | ' '));
    let pad = edge(text.chars().next()) || edge(text.chars().next_back());
    let pad = if pad && text.chars().any(|c| c != ' ') { " " } else { "" };
    format!("{fence}{pad}{text}{pad}{fence}")
}

/// Text as HTML, within an element: no tag, and no entity except the five below.
#[must_use]
pub fn html(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in harmless(text, usize::MAX).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// JSON with every string in it harmless to a terminal, so that `cat` of a report is as safe as the table: a character that
/// [`terminal`] would escape is written as `\uXXXX`. Lossless. Ends in a newline.
///
/// # Errors
/// When the value cannot be JSON, such as a map whose keys are not strings.
pub fn to_json(value: &impl Serialize) -> Result<String, serde_json::Error> {
    let mut bytes = Vec::new();
    value.serialize(&mut Serializer::with_formatter(&mut bytes, Harmless(PrettyFormatter::new())))?;
    bytes.push(b'\n');
    String::from_utf8(bytes).map_err(|error| serde_json::Error::io(io::Error::other(error)))
}

/// serde_json's own layout, with more escapes.
struct Harmless(PrettyFormatter<'static>);

/// A method that uses serde_json's layout unchanged.
macro_rules! as_pretty {
    ($($name:ident($($arg:ident: $type:ty),*);)*) => {
        $(fn $name<W: ?Sized + io::Write>(&mut self, writer: &mut W $(, $arg: $type)*) -> io::Result<()> {
            self.0.$name(writer $(, $arg)*)
        })*
    };
}

impl Formatter for Harmless {
    as_pretty! {
        begin_array();
        end_array();
        begin_array_value(first: bool);
        end_array_value();
        begin_object();
        end_object();
        begin_object_key(first: bool);
        begin_object_value();
        end_object_value();
    }

    fn write_string_fragment<W: ?Sized + io::Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        for c in fragment.chars() {
            if matches!(char_class(c), CharClass::Printable(_)) {
                writer.write_all(c.encode_utf8(&mut [0; 4]).as_bytes())?;
            } else {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    write!(writer, "\\u{unit:04x}")?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        terminal(&Tainted::new(text), 400)
    }

    #[test]
    fn tx01_nothing_drives_the_terminal() {
        let cases = [
            ("\x1b[2J\x1b[1A", r"\x1b[2J\x1b[1A"),
            ("\x1b]8;;http://evil\x1b\\here\x1b]8;;\x07", r"\x1b]8;;http://evil\x1b\here\x1b]8;;\x07"),
            ("\x1b]52;c;ZXZpbA==\x07", r"\x1b]52;c;ZXZpbA==\x07"),
            ("\x1b]0;title\x07\x1bP$q\"p\x1b\\", r#"\x1b]0;title\x07\x1bP$q"p\x1b\"#),
            ("\u{9b}2J\u{85}\u{7f}", r"\x9b2J\x85\x7f"),
            ("disk full\rall fine ", r"disk full\rall fine "),
            ("bad\x08\x08\x08ok\0\x0b\x0c", r"bad\x08\x08\x08ok\x00\x0b\x0c"),
        ];
        for (attack, harmless) in cases {
            assert_eq!(shown(attack), harmless);
        }
    }

    #[test]
    fn tx02_nothing_is_hidden_or_turned_around() {
        let cases = [
            ("a\u{202e}b\u{2066}c\u{2069}\u{61c}\u{200f}", r"a\u{202e}b\u{2066}c\u{2069}\u{61c}\u{200f}"),
            ("a\u{200b}\u{200d}\u{feff}\u{2060}\u{ad}b", r"a\u{200b}\u{200d}\u{feff}\u{2060}\xadb"),
            ("x\u{e0041}\u{e007f}\u{e0100}\u{fe0f}", r"x\u{e0041}\u{e007f}\u{e0100}\u{fe0f}"),
            ("\u{e000}\u{f0000}\u{fffe}\u{378}\u{2028}\u{2029}", r"\u{e000}\u{f0000}\u{fffe}\u{378}\u{2028}\u{2029}"),
            ("a\u{a0}b\u{3000}c\u{3164}\u{2800}\u{115f}", r"a\xa0b\u{3000}c\u{3164}\u{2800}\u{115f}"),
            ("e\u{301}\u{323}\u{302}\u{303}x", "e\u{301}\u{323}\\u{302}\\u{303}x"),
            ("\u{301}a \u{301}b", r"\u{301}a \u{301}b"),
            ("a\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}b", "a\u{301}\u{301}\\u{301}(5 times)b"),
            ("\u{200b}\u{200b}\u{200b}\u{200b}x", r"\u{200b}\u{200b}\u{200b}\u{200b}x"),
        ];
        for (attack, harmless) in cases {
            assert_eq!(shown(attack), harmless);
        }
    }

    #[test]
    fn tx05_one_text_is_one_line() {
        let forged = "slow\n2026-11-21T03:00:00Z level=INFO run.end ok\r\n";
        assert_eq!(shown(forged), r"slow\n2026-11-21T03:00:00Z level=INFO run.end ok\r\n");
        assert_eq!(to_json(&Tainted::new(forged)).unwrap().lines().count(), 1);
    }

    /// Attacks on Markdown or HTML, each on its own and all together.
    const SYNTAX: &[&str] = &[
        "# heading",
        "```\nfence",
        "``` ~~~ `` ` ```` end`",
        "`",
        " ` ",
        "  ",
        "[x](http://evil?d=1) ![](http://evil/q) [x][r] [r]: http://evil [^1]",
        "<http://evil> http://evil.example www.evil.example a@evil.example @someone #12 :smile:",
        "<img src=http://evil onerror=alert(1)> <script>alert(1)</script> <!-- --> <![CDATA[ ]]> <?x?>",
        "&lt;b&gt; &#60;b&#62; &amp;amp; &nbsp;",
        "| a | b |\n|---|---|\n| c | d |",
        "$x^2$ $$y$$ ~~gone~~ **bold** _it_ \\* {{7*7}} ${x} {% raw %}",
        "- [ ] task\n1. one\n> quote\n---\nterm\n: definition\n    code",
        "' onmouseover='x\" style=\"x",
    ];

    /// The events of CommonMark with every extension.
    fn read_markdown(text: &str) -> Vec<pulldown_cmark::Event<'_>> {
        pulldown_cmark::Parser::new_ext(text, pulldown_cmark::Options::all()).collect()
    }

    fn assert_only_text(text: &str) {
        use pulldown_cmark::{Event, Tag, TagEnd};
        let seen = harmless(text, usize::MAX);
        let marked = markdown(text);
        let expected = match seen.as_str() {
            "" => Vec::new(),
            seen => vec![Event::Start(Tag::Paragraph), Event::Code(seen.into()), Event::End(TagEnd::Paragraph)],
        };
        assert_eq!(read_markdown(&marked), expected, "{marked}");
        // The same within a list item, behind the host's words.
        let item = format!("- **ok** x: {marked}\n");
        let code = |event: &&Event<'_>| matches!(event, Event::Code(code) if code.as_ref() == seen);
        let events = read_markdown(&item);
        assert_eq!(events.iter().filter(code).count(), usize::from(!seen.is_empty()), "{item}");
        assert_eq!(events.len(), 8 + usize::from(!seen.is_empty()), "{events:?}");
        assert!(bare_of_html(&html(text)) == seen, "{text:?}");
    }

    /// The text that a reader of HTML sees, if it contains only text and our entities.
    fn bare_of_html(html: &str) -> String {
        assert!(!html.contains(['<', '>', '"', '\'']), "{html}");
        let mut pieces = html.split('&');
        let mut text = pieces.next().unwrap().to_owned();
        for piece in pieces {
            let (entity, rest) = piece.split_once(';').expect("an entity has an end");
            let ours = [("amp", '&'), ("lt", '<'), ("gt", '>'), ("quot", '"'), ("#39", '\'')];
            text.push(ours.iter().find(|(name, _)| *name == entity).expect("one of ours").1);
            text.push_str(rest);
        }
        text
    }

    #[test]
    fn tx03_markdown_and_html_show_syntax_and_do_not_read_it() {
        SYNTAX.iter().for_each(|text| assert_only_text(text));
        assert_only_text(&SYNTAX.concat());
        assert_eq!(markdown("a`b"), "``a`b``");
        assert_eq!(markdown("`"), "`` ` ``");
        assert_eq!(html("<b>&'\""), "&lt;b&gt;&amp;&#39;&quot;");
    }

    proptest::proptest! {
        #[test]
        fn tx03_no_text_is_more_than_text(text in "[`~<>&'\"a-c |\\\\\n#*_!\\[\\]()@:/.w-]{0,40}|\\PC{0,40}|[\\x00-\\u{ffff}]{0,20}") {
            assert_only_text(&text);
        }
    }

    #[test]
    fn tx01_tx02_no_medium_lets_through_what_cannot_be_seen() {
        let all: String = ('\0'..=char::MAX)
            .filter(|c| !matches!(char_class(*c), CharClass::Printable(_) | CharClass::Combining))
            .collect();
        for out in [markdown(&all), html(&all)] {
            assert!(out.is_ascii() && !out.contains(|c: char| c.is_control()));
        }
    }

    #[test]
    fn what_people_write_stays_as_it_is() {
        for text in ["97.8 % full: /srv/größe", "日本語 ✔ → 👍", "dev-disk\\x2duuid.swap", "שלום", "'\"\\"]
        {
            assert_eq!(shown(text), text);
        }
    }

    #[test]
    fn every_character_is_harmless_in_every_place() {
        for c in '\0'..=char::MAX {
            let out = shown(&format!("a{c}b"));
            assert!(!out.chars().any(|c| c.is_control()), "{c:?}");
            assert!(
                matches!(char_class(c), CharClass::Printable(1..=3) | CharClass::Combining) || out.is_ascii(),
                "{c:?}"
            );
        }
        let all: String = ('\0'..=char::MAX).collect();
        let json = to_json(&Tainted::new(all.clone())).unwrap();
        assert!(json.trim_end_matches('\n').chars().all(|c| matches!(char_class(c), CharClass::Printable(_))));
        assert_eq!(serde_json::from_str::<String>(&json).unwrap(), all);
    }

    #[test]
    fn tx01_tx07_a_path_and_a_message_are_harmless_and_only_our_lines_are_lines() {
        let path = Path::new("a\n  signer alice\x1b[8m\r\u{202e}b");
        assert_eq!(path.shown(), "a\\n  signer alice\\x1b[8m\\r\\u{202e}b");
        let message = format!("one {}\ntwo \x1b[2J\n", path.shown());
        assert_eq!(lines(&message), format!("one {}\ntwo \\x1b[2J\n", path.shown()));
        assert_eq!(lines(""), "");
    }

    #[test]
    fn cut_by_width_never_inside_an_escape() {
        let cut = |text: &str, width| terminal(&Tainted::new(text), width);
        assert_eq!(cut("abcdef", 6), "abcdef");
        assert_eq!(cut("abcdefg", 6), "abcd…");
        assert_eq!(cut("日本語", 6), "日本語");
        assert_eq!(cut("日本語語", 6), "日本…");
        assert_eq!(cut("ab\x1b[2J", 6), "ab…");
        assert_eq!(cut("abc", 1), "…");
        assert_eq!(cut("abc", 0), "");
        for width in 2..20 {
            assert!(super::width(&cut("é…א\u{301}\u{1b}日\u{202e}x✔✔✔✔✔✔✔✔", width)) <= width);
        }
    }
}
