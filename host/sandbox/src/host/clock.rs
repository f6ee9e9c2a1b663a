//! Reader of the answer of `system.clock`: what `date -Ins` prints in UTC.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::text::{ended, failure, number, whole};
use bailiwick_bindings::ops::system::ClockInfo;
use bailiwick_core::model::Answer;
use bailiwick_core::model::VerbError;

use VerbError::Garbled;

/// `2026-11-22T04:39:55,419268365+00:00` of GNU, `…+0000` of BusyBox; always nine digits, always UTC.
pub(super) fn clock(answer: &Answer) -> Result<ClockInfo, VerbError> {
    if !ended(answer, &[0]) {
        return Err(failure(answer));
    }
    let text = whole(answer)?;
    let line = text.strip_suffix('\n').ok_or(Garbled)?;
    let line = line.strip_suffix("+00:00").or_else(|| line.strip_suffix("+0000")).ok_or(Garbled)?;
    let (second, nanos) = line.split_once(',').ok_or(Garbled)?;
    if second.len() != "2026-11-22T04:39:55".len() || nanos.len() != 9 {
        return Err(Garbled);
    }
    let time: DateTime = second.parse().map_err(|_| Garbled)?;
    let time = time.to_zoned(TimeZone::UTC).map_err(|_| Garbled)?.timestamp().as_microsecond();
    let time = u64::try_from(time).map_err(|_| Garbled)?.saturating_add(number::<u64>(nanos)? / 1_000);
    // Without the timing, the difference of the clocks is unknown.
    let timing = answer.timing.ok_or(Garbled)?;
    Ok(ClockInfo { time_us: time, asked_us: timing.asked_us, elapsed_us: timing.elapsed_us })
}
