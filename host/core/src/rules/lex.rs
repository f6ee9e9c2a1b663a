//! The tokens of an expression.
//!
//! Knows: characters. Must not know: what a token means.

use std::ops::Range;

use super::Mistake;

/// Maximum bytes of one expression or line.
pub const EXPRESSION_BYTES_MAX: usize = 1000;

/// A token of an expression.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token<'t> {
    /// `42`, `0.5`.
    Number(f64),
    /// Between single quotation marks.
    Text(&'t str),
    /// `swap-total`, `inodes.used`, `and`.
    Word(&'t str),
    /// `+`, `<=`, `(`.
    Sign(&'static str),
}

const SIGNS: &[&str] = &["==", "!=", "<=", ">=", "<", ">", "+", "-", "*", "/", "(", ")", "[", "]", ","];

/// A token and its range.
pub(super) type Placed<'t> = (Token<'t>, Range<usize>);

/// Splits a text into tokens.
///
/// # Errors
/// The first part that is not a token.
pub(super) fn tokens(text: &str) -> Result<Vec<Placed<'_>>, Mistake> {
    if text.len() > EXPRESSION_BYTES_MAX {
        let message = format!("{} bytes long; at most {EXPRESSION_BYTES_MAX}", text.len());
        return Err(Mistake::new(0..text.len(), message, "name a part of it under `[check.let]`"));
    }
    let mut placed = Vec::new();
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let first = rest.chars().next().unwrap_or_default();
        let length = if first.is_ascii_whitespace() {
            first.len_utf8()
        } else {
            let (token, length) = token(rest, at)?;
            placed.push((token, at..at + length));
            length
        };
        at += length;
    }
    Ok(placed)
}

fn token(rest: &str, at: usize) -> Result<(Token<'_>, usize), Mistake> {
    let first = rest.chars().next().unwrap_or_default();
    if let Some(inside) = rest.strip_prefix('\'') {
        let Some((text, _)) = inside.split_once('\'') else {
            return Err(Mistake::new(at..at + rest.len(), "a text without its end", "write it as 'text'"));
        };
        return Ok((Token::Text(text), text.len() + 2));
    }
    let until = |fits: fn(char) -> bool| rest.find(|c| !fits(c)).unwrap_or(rest.len());
    if first.is_ascii_digit() {
        let length = until(|c| c.is_ascii_digit() || c == '.');
        let text = rest.get(..length).unwrap_or_default();
        let number = text.parse().ok().filter(|number: &f64| number.is_finite() && !text.ends_with('.'));
        let wrong = || Mistake::new(at..at + length, "no number", "write it as 80 or 0.5");
        return Ok((Token::Number(number.ok_or_else(wrong)?), length));
    }
    if first.is_ascii_lowercase() || first.is_ascii_uppercase() {
        let mut length = until(|c| c.is_ascii_alphanumeric() || c == '-' || c == '.');
        // A name does not end in one of these: `a- b` is a subtraction.
        let text = rest.get(..length).unwrap_or_default();
        length = text.trim_end_matches(['-', '.']).len();
        return Ok((Token::Word(rest.get(..length).unwrap_or_default()), length));
    }
    if let Some(sign) = SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
        return Ok((Token::Sign(sign), sign.len()));
    }
    let hint = match first {
        '"' => "write a text in single quotation marks: 'text'",
        '=' => "to compare, write ==",
        '&' => "write and",
        '|' => "write or",
        '!' => "write not",
        '%' => "a share of 80 % is written 80",
        _ => "",
    };
    let message = format!("`{}` means nothing here", first.escape_default());
    Err(Mistake::new(at..at + first.len_utf8(), message, hint))
}
