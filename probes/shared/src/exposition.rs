//! Prometheus's text format: the samples of one metric.

/// One sample: its labels as written, and its value.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample<'t> {
    /// The text between the braces; empty if there are none.
    pub labels: &'t str,
    /// The value.
    pub value: f64,
}

/// The samples of a metric, in order, and the number of the metric's lines that are not valid samples.
pub fn samples<'t>(text: &'t str, name: &str) -> (Vec<Sample<'t>>, usize) {
    let mut found = Vec::new();
    let mut invalid = 0;
    for line in text.lines() {
        let Some(rest) = line.trim_start().strip_prefix(name) else { continue };
        // Another metric whose name starts with this name.
        if !rest.starts_with(['{', ' ', '\t']) {
            continue;
        }
        match sample(rest) {
            Some(sample) => found.push(sample),
            None => invalid += 1,
        }
    }
    (found, invalid)
}

fn sample(rest: &str) -> Option<Sample<'_>> {
    let (labels, rest) = match rest.trim_start().strip_prefix('{') {
        Some(inside) => inside.split_at_checked(end_of_labels(inside)?)?,
        None => ("", rest),
    };
    let mut words = rest.trim_start_matches('}').split_ascii_whitespace();
    let value = match words.next()? {
        "+Inf" => f64::INFINITY,
        "-Inf" => f64::NEG_INFINITY,
        "NaN" => f64::NAN,
        number => number.parse().ok()?,
    };
    // Only a time in milliseconds may follow.
    let time = words.next().is_none_or(|time| time.parse::<i64>().is_ok());
    (time && words.next().is_none()).then_some(Sample { labels, value })
}

/// The position of the closing brace, ignoring braces within quotes.
fn end_of_labels(inside: &str) -> Option<usize> {
    let (mut quoted, mut escaped) = (false, false);
    for (at, c) in inside.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '}' if !quoted => return Some(at),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_of_one_metric() {
        let text = "# HELP pg_up Whether it is up.\n# TYPE pg_up gauge\npg_up 0\npg_up_total 5\n pg_up{server=\"a b:1\"} 1 1795321687746\n\
            pg_up{a=\"}\\\" {\",b=\"é\"} +Inf\npg_up {x=\"y\"} 2e+00\npg_up{open=\"\npg_up\npg_up x\npg_up 1 2 3\npg_up 1 x\n";
        let (found, invalid) = samples(text, "pg_up");
        let pairs: Vec<_> = found.iter().map(|sample| (sample.labels, sample.value)).collect();
        let expected =
            [("", 0.0), ("server=\"a b:1\"", 1.0), ("a=\"}\\\" {\",b=\"é\"", f64::INFINITY), ("x=\"y\"", 2.0)];
        assert_eq!(pairs, expected);
        assert_eq!(invalid, 4);
        assert_eq!(samples("", "pg_up"), (Vec::new(), 0));
    }
}
