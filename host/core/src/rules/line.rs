//! Lines with values: `{used as bytes} of {size as bytes} is used`.
//!
//! Knows: braces. Must not know: the grammar of expressions.

use super::expression::{self, Names, noun};
use super::{Format, Line, Mistake, Part};
use crate::nearest::choices;
use crate::wit::Kind;

const FORMATS: &[(&str, Format)] =
    &[("whole", Format::Whole), ("percent", Format::Percent), ("bytes", Format::Bytes), ("duration", Format::Duration)];

/// Parses a line. `{{` and `}}` stand for single braces.
///
/// # Errors
/// The first mistake in it.
pub(super) fn read(text: &str, names: &Names<'_>) -> Result<Line, Mistake> {
    if text.len() > super::EXPRESSION_BYTES_MAX {
        let message = format!("{} bytes long; at most {}", text.len(), super::EXPRESSION_BYTES_MAX);
        return Err(Mistake::new(0..text.len(), message, ""));
    }
    let mut line = Line::new();
    let mut literal = String::new();
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        if let Some(brace) = ["{{", "}}"].into_iter().find(|brace| rest.starts_with(brace)) {
            literal.push_str(brace.get(1..).unwrap_or_default());
            at += 2;
        } else if rest.starts_with('}') {
            return Err(Mistake::new(at..at + 1, "a brace that closes nothing", "a brace itself is written }}"));
        } else if let Some(inside) = rest.strip_prefix('{') {
            let Some((inside, _)) = inside.split_once('}') else {
                let hint = "a brace itself is written {{";
                return Err(Mistake::new(at..text.len(), "a brace that nothing closes", hint));
            };
            if !literal.is_empty() {
                line.push(Part::Literal(std::mem::take(&mut literal)));
            }
            line.push(
                value(inside, names)
                    .map_err(|mistake| Mistake { at: mistake.at.start + at + 1..mistake.at.end + at + 1, ..mistake })?,
            );
            at += inside.len() + 2;
        } else {
            let length = rest.find(['{', '}']).unwrap_or(rest.len());
            literal.push_str(rest.get(..length).unwrap_or_default());
            at += length;
        }
    }
    if !literal.is_empty() {
        line.push(Part::Literal(literal));
    }
    Ok(line)
}

fn value(text: &str, names: &Names<'_>) -> Result<Part, Mistake> {
    let Some((expression, word)) = text.rsplit_once(" as ") else {
        return Ok(Part::Value(expression::read(text, names)?.0, Format::Plain));
    };
    let (steps, kind) = super::expression::read(expression, names)?;
    let Some((_, format)) = FORMATS.iter().find(|(name, _)| *name == word.trim()) else {
        let message = format!("there is no format `{}`", word.trim().escape_default());
        let hint = choices(word.trim(), FORMATS.iter().map(|(name, _)| *name), "formats");
        return Err(Mistake::new(expression.len() + 4..text.len(), message, hint));
    };
    if kind != Kind::Number {
        let message = format!("this is {}, and only a number is written as {}", noun(&kind), word.trim());
        return Err(Mistake::new(0..expression.len(), message, ""));
    }
    Ok(Part::Value(steps, *format))
}
