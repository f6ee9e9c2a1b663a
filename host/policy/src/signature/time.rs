//! OpenSSH's absolute times: `YYYYMMDD`, `YYYYMMDDHHMM`, `YYYYMMDDHHMMSS`; in UTC with `Z` or `UTC` at the end, else in the
//! machine's zone.
//!
//! Knows: calendars. Must not know: the current time. OpenSSH accepts days that do not exist (30 February); this does not.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// Seconds since 1970 of a time in `valid-after` or `valid-before`. `None` if it is not a time after the start of 1970.
pub(super) fn seconds(text: &str, zone: &TimeZone) -> Option<i64> {
    let suffixed = |suffix: &str| {
        let at = text.len().checked_sub(suffix.len()).filter(|at| *at > 0)?;
        let end = text.get(at..)?;
        end.eq_ignore_ascii_case(suffix).then(|| text.get(..at)).flatten()
    };
    let utc = suffixed("Z").or_else(|| suffixed("UTC"));
    let digits = utc.unwrap_or(text);
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number = |from: usize, to: usize| digits.get(from..to)?.parse::<i16>().ok();
    let small = |from: usize| number(from, from + 2).and_then(|number| i8::try_from(number).ok());
    let (hour, minute, second) = match digits.len() {
        8 => (0, 0, 0),
        12 => (small(8)?, small(10)?, 0),
        14 => (small(8)?, small(10)?, small(12)?),
        _ => return None,
    };
    let time = DateTime::new(number(0, 4)?, small(4)?, small(6)?, hour, minute, second, 0).ok()?;
    let seconds = match utc {
        Some(_) => TimeZone::UTC.to_timestamp(time).ok()?.as_second(),
        None => local(time, zone)?,
    };
    (seconds > 0).then_some(seconds)
}

/// OpenSSH reads the time without daylight saving.
fn local(time: DateTime, zone: &TimeZone) -> Option<i64> {
    let there = zone.to_timestamp(time).ok()?;
    let offset = zone.to_offset_info(there);
    if !offset.dst().is_dst() {
        return Some(there.as_second());
    }
    let winter = zone
        .preceding(there)
        .take(4)
        .map(|transition| zone.to_offset_info(transition.timestamp() - jiff::SignedDuration::from_secs(1)))
        .find(|info| !info.dst().is_dst())?
        .offset();
    Some(winter.to_timestamp(time).ok()?.as_second())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        let noon = 1_767_268_800;
        for (text, expected) in [
            ("20260101", Some(noon - 12 * 3600)),
            ("202601011200", Some(noon)),
            ("20260101120000", Some(noon)),
            ("20260101120001z", Some(noon + 1)),
            ("20260101Z", Some(noon - 12 * 3600)),
            ("202601011200utc", Some(noon)),
            ("2026010", None),
            ("2026010112", None),
            ("20261301", None),
            ("20260230", None),
            ("202601012500", None),
            ("2026 101", None),
            ("２０２６", None),
            ("19700101", None),
            ("Z", None),
            ("UTC", None),
            ("", None),
        ] {
            assert_eq!(seconds(text, &TimeZone::UTC), expected, "{text}");
        }
        let fixed = TimeZone::fixed(jiff::tz::offset(2));
        assert_eq!(seconds("202601011200", &fixed), Some(noon - 2 * 3600));
        assert_eq!(seconds("202601011200Z", &fixed), Some(noon));
    }
}
