//! What time it is, and whether the system clock looks right.
//!
//! Knows: two clocks of this machine, and their earlier readings. Must not know: windows, budgets. Attacks answered: a clock that is
//! set back, or forward, by a person, a dead battery or a forged answer, and that opens a window, frees a budget or keeps an approval
//! valid (CH12, CH13, D26).

use jiff::{SignedDuration, Timestamp};

use bailiwick_journal::{Boot, Reading};

/// The source of time. Tests bring their own; the program has [`System`].
pub trait Clock {
    /// Reads the clocks.
    fn read(&self) -> Reading;
    /// Waits.
    fn sleep(&self, time: std::time::Duration) -> impl Future<Output = ()>;
}

/// This machine's clocks.
#[derive(Debug, Clone, Copy, Default)]
pub struct System;

impl Clock for System {
    fn read(&self) -> Reading {
        Reading { wall: Timestamp::now(), boot: boot() }
    }

    async fn sleep(&self, time: std::time::Duration) {
        tokio::time::sleep(time).await;
    }
}

/// The uptime on Linux includes time asleep. Elsewhere there are only the system clock and the target's clock.
fn boot() -> Option<Boot> {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let up = std::fs::read_to_string("/proc/uptime").ok()?;
    let (seconds, hundredths) = up.split(' ').next()?.split_once('.')?;
    let up_ms = seconds.parse::<u64>().ok()?.checked_mul(1000)? + hundredths.parse::<u64>().ok()?.checked_mul(10)?;
    Some(Boot { id: id.trim().to_owned(), up_ms })
}

/// How far the clock may be behind the newest entry of the journal: room for two processes, and a step of NTP.
const BACK: SignedDuration = SignedDuration::from_mins(2);
/// How far it may be from the uptime, or from the target's clock.
const ASTRAY: SignedDuration = SignedDuration::from_mins(10);

/// Why the system clock looks wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClockError {
    /// It went back.
    #[error("the system clock is at {now}, but the journal has an entry of {high}")]
    Back {
        /// Now.
        now: Timestamp,
        /// The latest time of the journal.
        high: Timestamp,
    },
    /// It jumped, since this machine started.
    #[error("since {since} the system clock has advanced {by} s {way} than this machine's uptime")]
    Jumped {
        /// The reading before the jump.
        since: Timestamp,
        /// How far.
        by: u64,
        /// `more` or `less`.
        way: &'static str,
    },
    /// The target's clock differs.
    #[error("the system clock is at {now}, and the target's clock at {target}: they differ by {by} s")]
    Witness {
        /// This machine's time.
        now: Timestamp,
        /// The target's time.
        target: Timestamp,
        /// How far.
        by: u64,
    },
}

/// The readings of the clocks so far, from the journal.
#[derive(Debug, Clone, Default)]
pub struct Watch {
    high: Option<Timestamp>,
    last: Option<Reading>,
    jumped: Option<ClockError>,
}

impl Watch {
    /// An entry was written at this time.
    pub fn entry(&mut self, time: Timestamp) {
        self.high = self.high.max(Some(time));
    }

    /// An entry has a reading of both clocks.
    pub fn reading(&mut self, reading: &Reading) {
        self.entry(reading.wall);
        // After a jump only a person can confirm the clock: the entries after the jump agree with one another.
        if self.jumped.is_none() {
            self.jumped = self.jump(reading);
        }
        self.last = Some(reading.clone());
    }

    /// A person has confirmed the clock.
    pub fn confirmed(&mut self, reading: &Reading) {
        *self = Self { high: Some(reading.wall), last: Some(reading.clone()), jumped: None };
    }

    fn jump(&self, now: &Reading) -> Option<ClockError> {
        let last = self.last.as_ref()?;
        let (then, boot) = (last.boot.as_ref()?, now.boot.as_ref()?);
        if then.id != boot.id {
            // Another boot: this machine has no clock that reports how long it was off.
            return None;
        }
        let millis = |ms: u64| SignedDuration::from_millis(i64::try_from(ms).unwrap_or(i64::MAX));
        let passed = millis(boot.up_ms) - millis(then.up_ms);
        let more = now.wall.duration_since(last.wall) - passed;
        let way = if more.is_negative() { "less" } else { "more" };
        (more.abs() > ASTRAY).then(|| ClockError::Jumped { since: last.wall, by: more.unsigned_abs().as_secs(), way })
    }

    /// Checks that the system clock does not look wrong.
    ///
    /// # Errors
    /// When the clock went back, or jumped, and no person has confirmed it since.
    pub fn judge(&self, now: &Reading) -> Result<(), ClockError> {
        if let Some(high) = self.high.filter(|high| now.wall < *high - BACK) {
            return Err(ClockError::Back { now: now.wall, high });
        }
        match self.jumped.clone().or_else(|| self.jump(now)) {
            Some(jumped) => Err(jumped),
            None => Ok(()),
        }
    }
}

/// Compares with the target's clock, which can only deny a change.
///
/// # Errors
/// When the two clocks differ too much.
pub fn compare_with_target(now: &Reading, target_seconds: i64) -> Result<(), ClockError> {
    let target = Timestamp::from_second(target_seconds).unwrap_or(Timestamp::MIN);
    let apart = now.wall.duration_since(target);
    if apart.abs() > ASTRAY {
        return Err(ClockError::Witness { now: now.wall, target, by: apart.unsigned_abs().as_secs() });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(wall: &str, id: &str, up_s: u64) -> Reading {
        Reading { wall: wall.parse().unwrap(), boot: Some(Boot { id: id.to_owned(), up_ms: up_s * 1000 }) }
    }

    #[test]
    fn ch12_a_clock_that_goes_back_looks_wrong_until_a_person_confirms_it() {
        let mut watch = Watch::default();
        watch.reading(&at("2030-01-02T00:05:00Z", "a", 1000));
        assert_eq!(watch.judge(&at("2030-01-02T00:04:00Z", "b", 1)), Ok(()), "two processes may differ a little");
        for back in ["2030-01-01T23:59:00Z", "2030-01-01T00:05:00Z", "1970-01-01T00:00:10Z"] {
            let now = at(back, "b", 1);
            assert!(matches!(watch.judge(&now), Err(ClockError::Back { .. })), "{back}");
            let mut confirmed = watch.clone();
            confirmed.confirmed(&now);
            assert_eq!(confirmed.judge(&now), Ok(()), "{back}");
        }
    }

    #[test]
    fn ch13_a_jump_forward_shows_against_the_uptime_and_stays_in_the_journal() {
        let mut watch = Watch::default();
        watch.reading(&at("2030-01-01T00:00:00Z", "a", 1000));
        assert_eq!(watch.judge(&at("2030-01-01T01:00:00Z", "a", 4600)), Ok(()));
        assert_eq!(watch.judge(&at("2030-01-01T01:09:59Z", "a", 4600)), Ok(()));
        let year = at("2031-01-01T01:00:00Z", "a", 4600);
        assert!(matches!(watch.judge(&year), Err(ClockError::Jumped { way: "more", .. })));
        // A sweep that wrote its entries meanwhile does not make it the right time.
        watch.reading(&year);
        assert!(watch.judge(&at("2031-01-01T01:01:00Z", "a", 4660)).is_err());
    }

    #[test]
    fn ch13_the_target_s_clock_can_only_deny() {
        let now = at("2030-01-01T00:00:00Z", "a", 1000);
        let second = now.wall.as_second();
        assert_eq!(compare_with_target(&now, second + 599), Ok(()));
        assert_eq!(compare_with_target(&now, second - 599), Ok(()));
        for astray in [second + 601, second - 601, i64::MIN, i64::MAX, 0] {
            assert!(compare_with_target(&now, astray).is_err(), "{astray}");
        }
    }

    #[test]
    fn ch12_sleep_is_no_jump() {
        // The uptime includes sleep, so that both clocks have advanced by the same.
        let mut watch = Watch::default();
        watch.reading(&at("2030-01-01T00:00:00Z", "a", 1000));
        assert_eq!(watch.judge(&at("2030-01-02T00:00:00Z", "a", 1000 + 86_400)), Ok(()));
    }
}
