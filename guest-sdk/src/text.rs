//! Numbers for people, and lines within the contract's length. Formatting does not use `{:.1}`: the standard
//! library's float formatting would be half of a small component.

/// The maximum length of a title, subject or reason, in bytes.
const LINE_MAX: usize = 200;

/// `value` with a fixed number of decimals (at most 6), rounded half up: `12.3`. NaN is `?`, and values
/// beyond 10^12 have no decimals.
///
/// ```
/// # use bailiwick_guest::text;
/// assert_eq!(text::number(2.345, 2), "2.35");
/// assert_eq!(text::number(-0.04, 1), "0.0");
/// ```
pub fn number(value: f64, decimals: u32) -> String {
    if value.is_nan() {
        return "?".to_owned();
    }
    let magnitude = value.abs();
    let decimals = if magnitude < 1e12 { decimals.min(6) } else { 0 };
    let scale = 10_u64.pow(decimals);
    // A cast from float saturates, so infinity becomes the largest number.
    let scaled = (magnitude * scale as f64 + 0.5) as u64;
    let mut line = String::new();
    if value < 0.0 && scaled > 0 {
        line.push('-');
    }
    line.push_str(&(scaled / scale).to_string());
    if decimals > 0 {
        let fraction = (scaled % scale).to_string();
        line.push('.');
        for _ in fraction.len()..decimals as usize {
            line.push('0');
        }
        line.push_str(&fraction);
    }
    line
}

/// A share in percent, with one decimal: `91.2 %`.
///
/// ```
/// # use bailiwick_guest::text;
/// assert_eq!(text::percent(91.25), "91.3 %");
/// ```
pub fn percent(value: f64) -> String {
    number(value, 1) + " %"
}

/// An amount of bytes in binary units, with one decimal: `12.3 GiB`, `512 B`.
///
/// ```
/// # use bailiwick_guest::text;
/// assert_eq!(text::bytes(1_536), "1.5 KiB");
/// assert_eq!(text::bytes(1_048_575), "1.0 MiB");
/// ```
pub fn bytes(bytes: u64) -> String {
    if bytes < 1024 {
        return bytes.to_string() + " B";
    }
    let mut value = bytes as f64;
    let mut name = " B";
    for unit in [" KiB", " MiB", " GiB", " TiB", " PiB", " EiB"] {
        // 1023.95 would be printed as 1024.0; use the next unit instead.
        if value < 1023.95 {
            break;
        }
        value /= 1024.0;
        name = unit;
    }
    number(value, 1) + name
}

/// A duration in its two largest units: `3 d 4 h`, `5 min 6 s`, `12 s`. NaN is `?`; a negative duration
/// has a minus sign.
///
/// ```
/// # use bailiwick_guest::text;
/// assert_eq!(text::duration(3.0 * 86_400.0 + 4.5 * 3_600.0), "3 d 4 h");
/// assert_eq!(text::duration(0.4), "0 s");
/// ```
pub fn duration(seconds: f64) -> String {
    if seconds.is_nan() {
        return "?".to_owned();
    }
    let whole = seconds.abs() as u64;
    let (days, hours, minutes) = (whole / 86_400, whole / 3_600 % 24, whole / 60 % 60);
    let (large, large_unit, small, small_unit) = if days > 0 {
        (days, " d", hours, " h")
    } else if hours > 0 {
        (hours, " h", minutes, " min")
    } else if minutes > 0 {
        (minutes, " min", whole % 60, " s")
    } else {
        (whole, " s", 0, "")
    };
    let mut line = String::new();
    if seconds < 0.0 && whole > 0 {
        line.push('-');
    }
    line.push_str(&large.to_string());
    line.push_str(large_unit);
    if small > 0 {
        line.push(' ');
        line.push_str(&small.to_string());
        line.push_str(small_unit);
    }
    line
}

/// The day of a time in milliseconds since 1970-01-01T00:00Z, in UTC: `2026-11-21`.
///
/// ```
/// # use bailiwick_guest::text;
/// assert_eq!(text::date(1_795_262_400_000), "2026-11-21");
/// assert_eq!(text::date(951_782_400_000), "2000-02-29");
/// ```
pub fn date(time_ms: u64) -> String {
    // Years start in March here, so that the leap day is the last day of the year; the calendar repeats every 400 years.
    let days = time_ms / 86_400_000 + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let two = |number: u64| if number < 10 { "-0" } else { "-" }.to_owned() + &number.to_string();
    year.to_string() + &two(month) + &two(day)
}

/// A count with its noun: `1 unit`, `3 units`. For nouns with a plural in `s`.
///
/// ```
/// # use bailiwick_guest::text;
/// assert_eq!(text::count(1, "unit"), "1 unit");
/// assert_eq!(text::count(0, "unit"), "0 units");
/// ```
pub fn count(count: usize, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    [count.to_string().as_str(), " ", noun, plural].concat()
}

/// The first `max` items, and the number of the others: `a, b and 3 more`.
///
/// ```
/// # use bailiwick_guest::text;
/// assert_eq!(text::list(["a", "b", "c"], 2), "a, b and 1 more");
/// ```
pub fn list<T: AsRef<str>>(items: impl IntoIterator<Item = T>, max: usize) -> String {
    let mut line = String::new();
    let mut more = 0_usize;
    for (index, item) in items.into_iter().enumerate() {
        if index >= max {
            more += 1;
            continue;
        }
        if index > 0 {
            line.push_str(", ");
        }
        line.push_str(item.as_ref());
    }
    if more > 0 {
        line.push_str(" and ");
        line.push_str(&more.to_string());
        line.push_str(" more");
    }
    line
}

/// The text with `#` for each number and a space for control characters, so that messages that differ only in a process id or
/// an address become equal.
///
/// ```
/// # use bailiwick_guest::text;
/// assert_eq!(text::pattern("connection 4711 to 10.0.0.5 refused"), "connection # to #.#.#.# refused");
/// ```
pub fn pattern(message: &str) -> String {
    let mut pattern = String::with_capacity(message.len());
    for character in message.chars() {
        let character = match character {
            '0'..='9' => '#',
            other if other.is_control() => ' ',
            other => other,
        };
        if !(matches!(character, '#' | ' ') && pattern.ends_with(character)) {
            pattern.push(character);
        }
    }
    pattern
}

/// The text as one line of at most 200 bytes: control characters become spaces, and a longer text is cut at a
/// character boundary and ends with `…`.
///
/// ```
/// # use bailiwick_guest::text;
/// assert_eq!(text::one_line("two\nlines"), "two lines");
/// assert_eq!(text::one_line(&"é".repeat(150)), "é".repeat(98) + "…");
/// ```
pub fn one_line(text: &str) -> String {
    shorten(text, LINE_MAX)
}

/// Like [`one_line`], with at most `bytes_max` bytes.
pub fn shorten(text: &str, bytes_max: usize) -> String {
    const CUT: &str = "…";
    let mut line = String::with_capacity(text.len().min(bytes_max));
    let keep = if text.len() > bytes_max { bytes_max.saturating_sub(CUT.len()) } else { bytes_max };
    for character in text.chars() {
        if line.len() + character.len_utf8() > keep {
            break;
        }
        line.push(if character.is_control() { ' ' } else { character });
    }
    if text.len() > bytes_max && bytes_max >= CUT.len() {
        line.push_str(CUT);
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_at_the_edges() {
        assert_eq!(number(0.0, 1), "0.0");
        assert_eq!(number(99.96, 1), "100.0");
        assert_eq!(number(0.05, 2), "0.05");
        assert_eq!(number(-2.5, 0), "-3");
        assert_eq!(number(f64::NAN, 1), "?");
        assert_eq!(number(f64::INFINITY, 1), "18446744073709551615");
    }

    #[test]
    fn bytes_at_the_edges() {
        assert_eq!(bytes(0), "0 B");
        assert_eq!(bytes(1023), "1023 B");
        assert_eq!(bytes(1024), "1.0 KiB");
        assert_eq!(bytes(u64::MAX), "16.0 EiB");
    }

    #[test]
    fn durations_at_the_edges() {
        assert_eq!(duration(59.9), "59 s");
        assert_eq!(duration(60.0), "1 min");
        assert_eq!(duration(86_400.0 + 60.0), "1 d");
        assert_eq!(duration(-7_260.0), "-2 h 1 min");
        assert_eq!(duration(f64::NAN), "?");
    }

    #[test]
    fn shortening_never_splits_a_character() {
        for max in 0..12 {
            assert!(shorten("añb€c😀d", max).len() <= max);
        }
    }
}
