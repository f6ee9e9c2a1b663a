//! Who is logged in, from where, and how long the longest login has lasted.

use bailiwick_guest::{
    Failure, Finding, Probe, Report, Severity, Target, Unit, clock,
    system::{self, Login},
    text,
};

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

struct Logins;

impl Probe for Logins {
    fn examine(target: &Target) -> Result<Report, Failure> {
        let max = target.params().number("max")?;

        let logins = system::logins(target)?;
        let now = (clock::now_ms() / 1_000) as i64;
        let longest = logins
            .iter()
            .filter_map(|login| Some(((now - began(&login.since, now)?).max(0), login)))
            .max_by_key(|it| it.0);

        let severity = if max >= 0.0 && logins.len() as f64 > max { Severity::Warning } else { Severity::Ok };
        let mut title = match logins.len() {
            0 => "no user is logged in".to_owned(),
            some => text::count(some, "login"),
        };
        if severity == Severity::Warning {
            title = format!("{title} (maximum {})", text::number(max, 0));
        }
        if let Some((seconds, login)) = longest {
            let span = text::duration(seconds as f64);
            title = format!("{title}, the longest {} for {span}", login.user);
        }
        if !logins.is_empty() {
            title = format!("{title}: {}", text::list(logins.iter().map(who), 5));
        }
        let remote = logins.iter().filter(|login| !login.origin.is_empty());
        let mut finding = Finding::new(severity, "logins", "", title)
            .metric("logins", logins.len(), Unit::Count)
            .metric("remote", remote.count(), Unit::Count)
            .because(&logins);
        if let Some((seconds, _)) = longest {
            finding = finding.metric("longest-seconds", seconds, Unit::Seconds);
        }
        Ok(finding.into())
    }
}

/// `alice from 192.0.2.17`, or `root on tty1` for a local login.
fn who(login: &Login) -> String {
    if login.origin.is_empty() {
        format!("{} on {}", login.user, login.terminal)
    } else {
        format!("{} from {}", login.user, login.origin)
    }
}

/// The seconds since 1970 of a login time as `who` prints it: `2026-11-21 12:00`, or in the C locale `Nov 21 12:00`,
/// which lacks the year: the last such day that is not in the future, with one day of tolerance for clock skew.
fn began(since: &str, now: i64) -> Option<i64> {
    let words: Vec<&str> = since.split_ascii_whitespace().collect();
    match words.as_slice() {
        [date, time] => {
            let mut parts = date.splitn(3, '-').map(str::parse::<i64>);
            let (year, month, day) = (parts.next()?.ok()?, parts.next()?.ok()?, parts.next()?.ok()?);
            Some(days_since_1970(year, month, day)? * 86_400 + seconds_of(time)?)
        }
        [month, day, time] => {
            let month = MONTHS.iter().position(|name| name == month)? as i64 + 1;
            let (day, time) = (day.parse().ok()?, seconds_of(time)?);
            let this_year = 1970 + now / 31_556_952;
            // Leap days can be eight years apart around a century.
            let began = |year| Some(days_since_1970(year, month, day)? * 86_400 + time);
            (this_year - 8..=this_year + 1).rev().filter_map(began).find(|began| *began <= now + 86_400)
        }
        _ => None,
    }
}

fn seconds_of(time: &str) -> Option<i64> {
    let (hours, minutes) = time.split_once(':')?;
    let (hours, minutes): (i64, i64) = (hours.parse().ok()?, minutes.parse().ok()?);
    ((0..24).contains(&hours) && (0..60).contains(&minutes)).then_some(hours * 3_600 + minutes * 60)
}

/// None for a day that does not exist, and outside the years 1970 to 9999.
fn days_since_1970(year: i64, month: i64, day: i64) -> Option<i64> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let month_days = match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if !(1970..=9999).contains(&year) || !(1..=month_days).contains(&day) {
        return None;
    }
    // Years begin in March, so that the leap day comes last.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    Some(year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day - 719_469)
}

bailiwick_guest::export!(Logins);
