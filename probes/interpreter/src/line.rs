//! Lines for people, with values.

use bailiwick_guest::text;

use crate::bindings::bailiwick::rules::rules::{Format, Part, Value};
use crate::value::{Scope, evaluate};

/// The line; a value that is not known becomes `?`.
pub fn write(parts: &[Part], scope: &Scope<'_>) -> String {
    let mut line = String::new();
    for part in parts {
        match part {
            Part::Literal(text) => line.push_str(text),
            Part::Value((steps, format)) => line.push_str(&shown(&evaluate(steps, scope), *format)),
        }
    }
    line
}

fn shown(value: &Value, format: Format) -> String {
    match (value, format) {
        (Value::Absent, _) => "?".to_owned(),
        (Value::Text(text), _) => text.clone(),
        (Value::Flag(flag), _) => if *flag { "yes" } else { "no" }.to_owned(),
        (Value::Texts(texts), _) => text::list(texts, 5),
        (Value::Number(number), Format::Plain) => plain(*number),
        (Value::Number(number), Format::Whole) => text::number(*number, 0),
        (Value::Number(number), Format::Percent) => text::percent(*number),
        // A cast from float saturates.
        (Value::Number(number), Format::Bytes) if *number < 0.0 => "-".to_owned() + &text::bytes(-*number as u64),
        (Value::Number(number), Format::Bytes) => text::bytes(*number as u64),
        (Value::Number(number), Format::Duration) => text::duration(*number),
    }
}

/// At most two decimals, without trailing zeros.
fn plain(number: f64) -> String {
    let text = text::number(number, 2);
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_as_people_write_them() {
        assert_eq!([0.0, 3.0, 2.5, 1.234, 100.0, -0.001].map(plain), ["0", "3", "2.5", "1.23", "100", "0"]);
        assert_eq!(shown(&Value::Number(-2048.0), Format::Bytes), "-2.0 KiB");
        assert_eq!(shown(&Value::Absent, Format::Percent), "?");
    }
}
