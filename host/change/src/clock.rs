//! What time it is, and whether that can be believed.
//!
//! Knows: two clocks of this machine, and what they said before. Must not know: windows, budgets. Attacks answered: a clock that is
//! set back, or forward, by a person, a dead battery or a forged answer, and that opens a window, frees a budget or lets an approval
//! live (CH12, CH13, D26).

use jiff::{SignedDuration, Timestamp};

use bailiwick_journal::{Boot, Reading};

/// Where time comes from. Tests bring their own; a program has [`System`].
pub trait Clock {
    /// What the clocks say.
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

/// Linux counts through sleep; elsewhere there is only the wall's clock, and the target's as a witness.
fn boot() -> Option<Boot> {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let up = std::fs::read_to_string("/proc/uptime").ok()?;
    let (seconds, hundredths) = up.split(' ').next()?.split_once('.')?;
    let up_ms = seconds.parse::<u64>().ok()?.checked_mul(1000)? + hundredths.parse::<u64>().ok()?.checked_mul(10)?;
    Some(Boot { id: id.trim().to_owned(), up_ms })
}

/// How far a clock may be behind the newest entry of the journal: two processes' clocks, and a step of NTP.
const BACK: SignedDuration = SignedDuration::from_mins(2);
/// How far it may be from what a clock says that nobody sets.
const ASTRAY: SignedDuration = SignedDuration::from_mins(10);

/// Why the time is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClockError {
    /// It goes back.
    #[error("the clock says {now}, and the journal has an entry of {high}")]
    Back {
        /// Now.
        now: Timestamp,
        /// The latest time of the journal.
        high: Timestamp,
    },
    /// It jumped, since this machine started.
    #[error("since {since} the clock has gone {by} s {way} than time itself (this machine's uptime)")]
    Jumped {
        /// The reading before the jump.
        since: Timestamp,
        /// How far.
        by: u64,
        /// `more` or `less`.
        way: &'static str,
    },
    /// The target's clock says something else.
    #[error("the clock says {now}, and the target's says {target}: one of them is {by} s wrong")]
    Witness {
        /// Ours.
        now: Timestamp,
        /// Theirs.
        target: Timestamp,
        /// How far.
        by: u64,
    },
}

/// What the clocks have said so far, as the journal has it.
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

    /// An entry says what both clocks said.
    pub fn reading(&mut self, reading: &Reading) {
        self.entry(reading.wall);
        // Once it has jumped a person has to say so: the entries after the jump agree with one another.
        if self.jumped.is_none() {
            self.jumped = self.jump(reading);
        }
        self.last = Some(reading.clone());
    }

    /// A person says that this is the time.
    pub fn confirmed(&mut self, reading: &Reading) {
        *self = Self { high: Some(reading.wall), last: Some(reading.clone()), jumped: None };
    }

    fn jump(&self, now: &Reading) -> Option<ClockError> {
        let last = self.last.as_ref()?;
        let (then, boot) = (last.boot.as_ref()?, now.boot.as_ref()?);
        if then.id != boot.id {
            // Another boot: nothing of this machine's says how long it was off.
            return None;
        }
        let millis = |ms: u64| SignedDuration::from_millis(i64::try_from(ms).unwrap_or(i64::MAX));
        let passed = millis(boot.up_ms) - millis(then.up_ms);
        let more = now.wall.duration_since(last.wall) - passed;
        let way = if more.is_negative() { "less" } else { "more" };
        (more.abs() > ASTRAY).then(|| ClockError::Jumped { since: last.wall, by: more.unsigned_abs().as_secs(), way })
    }

    /// Whether a change may believe the time.
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

/// What the target's clock has to say: it can only make things worse.
///
/// # Errors
/// When the two are apart.
pub fn witness(now: &Reading, target_seconds: i64) -> Result<(), ClockError> {
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
    fn ch12_a_clock_that_goes_back_is_not_believed_until_a_person_says_so() {
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
        assert_eq!(witness(&now, second + 599), Ok(()));
        assert_eq!(witness(&now, second - 599), Ok(()));
        for astray in [second + 601, second - 601, i64::MIN, i64::MAX, 0] {
            assert!(witness(&now, astray).is_err(), "{astray}");
        }
    }

    #[test]
    fn ch12_sleep_is_no_jump() {
        // The uptime goes on counting in it, so that both have gone on by the same.
        let mut watch = Watch::default();
        watch.reading(&at("2030-01-01T00:00:00Z", "a", 1000));
        assert_eq!(watch.judge(&at("2030-01-02T00:00:00Z", "a", 1000 + 86_400)), Ok(()));
    }
}
