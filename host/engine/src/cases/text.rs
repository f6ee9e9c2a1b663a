//! Writes the parts of a case as TOML that a person can read and copy.
//!
//! Knows: TOML's strings. Must not know: what they mean. Attack answered: a target's text that moves the cursor or reorders
//! a line in the reader's terminal (TX01, TX02): characters that a terminal does not show as they are become escapes.

use std::collections::BTreeMap;
use std::fmt::Write;

use jiff::Timestamp;

use super::case::{Expected, RawFinding, RawPlan};
use bailiwick_core::encode;
use bailiwick_core::model::{ParamValue, Point, Tainted, TargetName};

/// What a case expects.
pub(super) fn expected(expected: &Expected) -> String {
    let mut out = String::new();
    // Writing to a String does not fail.
    let _ = match expected {
        Expected::Findings(findings) if findings.is_empty() => writeln!(out, "# no findings"),
        Expected::Findings(findings) => findings.iter().enumerate().try_for_each(|(at, raw)| {
            let gap = if at == 0 { "" } else { "\n" };
            write!(out, "{gap}{}", finding(raw))
        }),
        Expected::Plan(plan) => write!(out, "{}", planned(plan)),
        Expected::Failure(failure) => {
            let error = failure.error.and_then(|error| serde_json::to_value(error).ok());
            let error = error.as_ref().and_then(|value| value.as_str());
            let line = |name: &str, value: Option<&str>| {
                value.map(|value| format!("{name} = {}\n", string(value))).unwrap_or_default()
            };
            write!(out, "[failure]\n{}{}", line("error", error), line("reason", failure.reason.as_deref()))
        }
    };
    out
}

fn planned(plan: &RawPlan) -> String {
    let RawPlan { propose, nothing, refuse, owner, stages, computed } = plan;
    let mut out = "[plan]\n".to_owned();
    for (name, text) in [("propose", propose), ("nothing", nothing), ("refuse", refuse), ("owner", owner)] {
        if let Some(text) = text {
            out += &format!("{name} = {}\n", string(text));
        }
    }
    for (name, texts) in [("stages", stages), ("computed", computed)] {
        if !texts.is_empty() {
            // One per line, so that one difference is one line.
            let lines: String = texts.iter().map(|text| format!("    {},\n", string(text))).collect();
            out += &format!("{name} = [\n{lines}]\n");
        }
    }
    out
}

fn finding(finding: &RawFinding) -> String {
    let mut out =
        format!("[[finding]]\ncode = {}\nseverity = \"{}\"\n", string(&finding.code), finding.severity.name());
    if !finding.subject.is_empty() {
        out += &format!("subject = {}\n", string(&finding.subject));
    }
    out += &format!("title = {}\n", string(&finding.title));
    if !finding.metrics.is_empty() {
        let metrics: Vec<_> = finding
            .metrics
            .iter()
            .map(|(name, number)| {
                let number = ParamValue::from_toml(number).map(|number| value(&number)).unwrap_or_default();
                format!("{name} = {number}")
            })
            .collect();
        out += &format!("metrics = {{ {} }}\n", metrics.join(", "));
    }
    out
}

/// A component's earlier numbers on a target: one table for each metric of each subject.
pub(super) fn earlier(on: Option<&TargetName>, points: &[Point]) -> String {
    type Key<'p> = (&'p str, &'p Tainted, &'p str, &'static str);
    let mut series: BTreeMap<Key<'_>, Vec<&Point>> = BTreeMap::new();
    for point in points {
        let key = (point.code.as_str(), &point.subject, point.metric.as_str(), point.unit.name());
        series.entry(key).or_default().push(point);
    }
    let mut out = String::new();
    for ((code, subject, metric, unit), points) in series {
        out += "\n[[earlier]]\n";
        if let Some(on) = on {
            out += &format!("on = {}\n", string(on.as_str()));
        }
        out += &format!("code = {}\n", string(code));
        if !subject.is_empty() {
            out += &format!("subject = {}\n", string(subject.for_encoder()));
        }
        out += &format!("metric = {}\nunit = \"{unit}\"\npoints = [\n", string(metric));
        for point in points {
            let time = i64::try_from(point.time_ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
            let value = value(&ParamValue::Number(point.value));
            out += &format!("    [\"{}\", {value}],\n", time.unwrap_or(Timestamp::MAX));
        }
        out += "]\n";
    }
    out
}

/// The value of a parameter.
pub(super) fn value(value: &ParamValue) -> String {
    match value {
        // Whole numbers without a point, as people write them; with an exponent if they do not fit an integer of TOML.
        ParamValue::Number(number) if number.abs() < 9e15 => format!("{number}"),
        ParamValue::Number(number) => format!("{number:e}"),
        ParamValue::Flag(flag) => flag.to_string(),
        ParamValue::Text(text) => string(text),
        ParamValue::Texts(texts) => list(texts),
    }
}

/// A list of texts.
pub(super) fn list(texts: &[String]) -> String {
    format!("[{}]", texts.iter().map(|text| string(text)).collect::<Vec<_>>().join(", "))
}

/// A text: as whole lines if a terminal shows all of it as it is, otherwise with escapes.
pub(super) fn string(text: &str) -> String {
    let plain = |line: &str| encode::is_plain(line) && !line.contains("'''");
    if text.ends_with('\n') && text.split('\n').all(plain) {
        return format!("'''\n{text}'''");
    }
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out += "\\n",
            '\t' => out += "\\t",
            c if encode::is_plain(c.encode_utf8(&mut [0; 4])) => out.push(c),
            c if u32::from(c) <= 0xffff => {
                let _ = write!(out, "\\u{:04X}", u32::from(c));
            }
            c => {
                let _ = write!(out, "\\U{:08X}", u32::from(c));
            }
        }
    }
    out + "\""
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(toml: &str) -> toml::Value {
        toml::from_str::<toml::Table>(&format!("x = {toml}\n")).unwrap()["x"].clone()
    }

    #[test]
    fn texts_stay_readable_where_they_can() {
        assert_eq!(string("up 3 days"), "\"up 3 days\"");
        assert_eq!(string("a\nb\n"), "'''\na\nb\n'''");
        assert_eq!(string("\n"), "'''\n\n'''");
        assert_eq!(string("a\u{1b}[2J\u{202e}\n"), "\"a\\u001B[2J\\u202E\\n\"");
        assert_eq!(string("'''\n"), "\"'''\\n\"");
        assert_eq!(value(&ParamValue::Number(3.0)), "3");
        assert_eq!(value(&ParamValue::Number(1e300)), "1e300");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(text in any::<String>(), lines in "[ -~\n']{0,30}\n") {
            for text in [text, lines] {
                prop_assert_eq!(read(&string(&text)), toml::Value::String(text));
            }
        }

        #[test]
        fn numbers_too(number in any::<f64>().prop_filter("finite", |number| number.is_finite())) {
            let read = ParamValue::from_toml(&read(&value(&ParamValue::Number(number))));
            prop_assert_eq!(read, Some(ParamValue::Number(number)));
        }
    }
}
