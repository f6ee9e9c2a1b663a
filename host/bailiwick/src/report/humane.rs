//! Formats numbers for people.
//!
//! Knows: units. Must not know: what is measured. JSON has the exact numbers; these are rounded.

use bailiwick_core::model::{Metric, Unit};

use bailiwick_core::encode;
use bailiwick_core::wrap::TIE;

/// Maximum columns of a metric's name. Its grammar allows 64 characters.
const NAME_WIDTH: usize = 64;

/// `free 3.1 GiB`, without a line break inside.
pub(super) fn metric(metric: &Metric) -> String {
    tied(&format!("{} {}", encode::harmless(&metric.name, NAME_WIDTH), value(metric.value, metric.unit)))
}

/// A value in its unit.
pub(super) fn value(value: f64, unit: Unit) -> String {
    match unit {
        Unit::Count | Unit::Ratio => number(value),
        Unit::Bytes => bytes(value),
        Unit::Seconds => seconds(value),
        Unit::Percent => format!("{} %", number(value)),
        Unit::PerSecond => format!("{}/s", number(value)),
        Unit::PerHour => format!("{}/h", number(value)),
    }
}

/// At most three digits after the point, without trailing zeros.
fn number(value: f64) -> String {
    let size = value.abs();
    if value == 0.0 {
        return "0".to_owned();
    }
    // A guest may send 1e300, which must not become three hundred digits.
    if !(1e-3..1e12).contains(&size) {
        return format!("{value:.2e}");
    }
    if value.fract() == 0.0 {
        return format!("{value:.0}");
    }
    let text = match size {
        100.0.. => format!("{value:.1}"),
        1.0.. => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    };
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn bytes(value: f64) -> String {
    const UNITS: [(&str, f64); 5] = [
        ("PiB", 1_125_899_906_842_624.0),
        ("TiB", 1_099_511_627_776.0),
        ("GiB", 1_073_741_824.0),
        ("MiB", 1_048_576.0),
        ("KiB", 1024.0),
    ];
    let unit = UNITS.iter().find(|(_, size)| value.abs() >= *size);
    let Some((name, size)) = unit else { return format!("{} B", number(value)) };
    let scaled = value / size;
    match scaled.abs() {
        1e6.. => format!("{scaled:.2e} {name}"),
        100.0.. => format!("{scaled:.0} {name}"),
        _ => format!("{scaled:.1} {name}"),
    }
}

/// The two largest units: `3 d 4 h`, `12 min 5 s`, `0.25 s`.
fn seconds(value: f64) -> String {
    const UNITS: [(&str, f64); 4] = [("d", 86_400.0), ("h", 3600.0), ("min", 60.0), ("s", 1.0)];
    let size = value.abs();
    if !(60.0..1e12).contains(&size) {
        return format!("{} s", number(value));
    }
    let sign = if value < 0.0 { "-" } else { "" };
    let mut left = size.round();
    let mut parts = Vec::new();
    for (name, length) in UNITS {
        let whole = (left / length).floor();
        left -= whole * length;
        if whole > 0.0 {
            parts.push(format!("{whole:.0} {name}"));
        } else if !parts.is_empty() {
            break;
        }
        if parts.len() == 2 {
            break;
        }
    }
    format!("{sign}{}", parts.join(" "))
}

/// How long something took: `0.4 s`, `12.4 s`, `3 min 5 s`.
#[expect(clippy::cast_precision_loss, reason = "a duration of 2^53 ms is 285 000 years")]
pub(super) fn elapsed(ms: u64) -> String {
    let s = ms as f64 / 1000.0;
    tied(&if s < 60.0 { format!("{s:.1} s") } else { seconds(s) })
}

/// `1 probe`, `2 probes`.
pub(super) fn count(n: usize, one: &str) -> String {
    tied(&bailiwick_core::encode::counted(n, one))
}

/// A text that is not broken into lines.
pub(super) fn tied(text: &str) -> String {
    text.replace(' ', &TIE.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_people_say_them() {
        let cases = [
            (0.0, Unit::Bytes, "0 B"),
            (512.0, Unit::Bytes, "512 B"),
            (3_328_599_655.0, Unit::Bytes, "3.1 GiB"),
            (150_323_855_360.0, Unit::Bytes, "140 GiB"),
            (-2048.0, Unit::Bytes, "-2.0 KiB"),
            (1e300, Unit::Bytes, "8.88e284 PiB"),
            (0.25, Unit::Seconds, "0.25 s"),
            (59.5, Unit::Seconds, "59.5 s"),
            (725.0, Unit::Seconds, "12 min 5 s"),
            (273_600.0, Unit::Seconds, "3 d 4 h"),
            (259_259.0, Unit::Seconds, "3 d"),
            (-7200.0, Unit::Seconds, "-2 h"),
            (1e18, Unit::Seconds, "1.00e18 s"),
            (97.8, Unit::Percent, "97.8 %"),
            (100.0, Unit::Percent, "100 %"),
            (0.934, Unit::Ratio, "0.934"),
            (1234.0, Unit::Count, "1234"),
            (12.5, Unit::PerSecond, "12.5/s"),
            (3.0, Unit::PerHour, "3/h"),
            (f64::MIN_POSITIVE, Unit::Count, "2.23e-308"),
            (f64::NAN, Unit::Count, "NaN"),
        ];
        for (number, unit, text) in cases {
            assert_eq!(value(number, unit), text);
        }
        assert_eq!(elapsed(1234), tied("1.2 s"));
        assert_eq!(elapsed(185_000), tied("3 min 5 s"));
    }
}
