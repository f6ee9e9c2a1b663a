//! Parses points in time.

/// Parses an RFC 3339 time, such as `2026-11-22T04:00:00.5+01:00`, to milliseconds since 1970-01-01T00:00Z; none for any
/// other text, and for a time before 1970.
///
/// ```
/// # use bailiwick_guest::time;
/// assert_eq!(time::rfc3339("1970-01-02T00:00:00Z"), Some(86_400_000));
/// assert_eq!(time::rfc3339("2026-11-22T04:00:00.25+01:00"), Some(1_795_316_400_250));
/// assert_eq!(time::rfc3339("yesterday"), None);
/// ```
pub fn rfc3339(text: &str) -> Option<u64> {
    let (date, rest) = text.split_at_checked(10)?;
    let [year, month, day] = fields(date, '-', [4, 2, 2])?;
    let rest = rest.strip_prefix(['T', 't', ' '])?;
    let (clock, rest) = rest.split_at_checked(8)?;
    let [hour, minute, second] = fields(clock, ':', [2, 2, 2])?;
    let in_range = (1..=12).contains(&month)
        && (1..=days_in(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        // A leap second counts as the second after it.
        && second <= 60;
    if !in_range {
        return None;
    }
    let (millis, zone) = match rest.strip_prefix('.') {
        Some(rest) => {
            let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
            let (digits, zone) = rest.split_at_checked(end).filter(|(digits, _)| !digits.is_empty())?;
            let padded: String = digits.chars().chain("00".chars()).take(3).collect();
            (padded.parse::<i64>().ok()?, zone)
        }
        None => (0, rest),
    };
    let east_minutes = match zone {
        "Z" | "z" => 0,
        _ => {
            let sign = if zone.starts_with('-') { -1 } else { 1 };
            let [hours, minutes] = fields(zone.strip_prefix(['+', '-'])?, ':', [2, 2])?;
            if hours > 23 || minutes > 59 {
                return None;
            }
            sign * (hours * 60 + minutes)
        }
    };
    let minutes = (days_before(year, month, day) * 24 + hour) * 60 + minute - east_minutes;
    u64::try_from((minutes * 60 + second) * 1_000 + millis).ok()
}

/// Numbers with the given numbers of digits, with a separator between them and nothing else.
fn fields<const N: usize>(text: &str, separator: char, digits: [usize; N]) -> Option<[i64; N]> {
    let mut numbers = [0; N];
    let mut parts = text.split(separator);
    for (number, digits) in numbers.iter_mut().zip(digits) {
        let part = parts.next().filter(|part| part.len() == digits && part.bytes().all(|b| b.is_ascii_digit()))?;
        *number = part.parse().ok()?;
    }
    parts.next().is_none().then_some(numbers)
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 => 28 + i64::from(is_leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01, negative before it.
fn days_before(year: i64, month: i64, day: i64) -> i64 {
    let leaps = |year: i64| year / 4 - year / 100 + year / 400;
    let months: i64 = (1..month).map(|month| days_in(year, month)).sum();
    (year - 1970) * 365 + leaps(year - 1) - leaps(1969) + months + day - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_that_are_and_are_not() {
        let table = [
            ("1970-01-01T00:00:00Z", Some(0)),
            ("1999-12-31T23:59:59.999999999Z", Some(946_684_799_999)),
            ("2000-02-29T12:00:00+00:00", Some(951_825_600_000)),
            ("2024-12-31T23:59:60Z", Some(1_735_689_600_000)),
            ("2026-11-22 04:19:44.5-05:30", Some(1_795_340_984_500)),
            ("1969-12-31T23:59:59Z", None),
            // What Go writes for "never".
            ("0001-01-01T00:00:00Z", None),
            ("2023-02-29T00:00:00Z", None),
            ("2100-02-29T00:00:00Z", None),
            ("2026-13-01T00:00:00Z", None),
            ("2026-00-01T00:00:00Z", None),
            ("2026-11-22T24:00:00Z", None),
            ("2026-11-22T04:00:00", None),
            ("2026-11-22T04:00:00.Z", None),
            ("2026-11-22T04:00:00+1:00", None),
            ("2026-11-22T04:00:00Zx", None),
            ("2026-1-22T04:00:00Z", None),
            ("+026-11-22T04:00:00Z", None),
            ("２０２６-11-22T04:00:00Z", None),
            ("", None),
        ];
        for (text, expected) in table {
            assert_eq!(rfc3339(text), expected, "{text}");
        }
    }
}
