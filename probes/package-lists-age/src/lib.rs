//! The age of the package lists. A machine that does not fetch them has no pending updates and looks healthy.

use bailiwick_guest::{
    Failure, Finding, Observed, Probe, Report, Severity, Target, Unit, clock,
    packages::{self, ListsInfo},
    text,
};

const DAY: f64 = 86_400.0;
/// A time further in the future than this means that a clock is wrong.
const CLOCK_SKEW_SECONDS: f64 = 300.0;

struct PackageListsAge;

impl Probe for PackageListsAge {
    fn examine(target: &Target) -> Result<Report, Failure> {
        let params = target.params();
        let (warn, critical) = (params.number("warn-days")? * DAY, params.number("critical-days")? * DAY);
        let unchanged = params.number("unchanged-days")? * DAY;
        let lists = packages::lists(target)?;
        Ok([fetched(&lists, warn, critical), changed(&lists, unchanged)].into_iter().flatten().collect())
    }
}

/// The last success counts if the machine records it, else the last try.
fn fetched(lists: &Observed<ListsInfo>, warn: f64, critical: f64) -> Option<Finding> {
    let (seconds, how) = match (lists.succeeded, lists.tried) {
        (Some(seconds), _) => (seconds, "fetched"),
        (None, Some(seconds)) => (seconds, "requested"),
        (None, None) => {
            let title = "it is not known when the package lists were fetched";
            return Some(Finding::unknown("fetched", "", title).because(lists));
        }
    };
    let age = age(seconds);
    let (severity, title) = if age < -CLOCK_SKEW_SECONDS {
        (
            Severity::Unknown,
            format!("the package lists were {how} {} in the future: a clock is wrong", text::duration(-age)),
        )
    } else {
        let severity = Severity::rising(age, warn, critical);
        (severity, format!("the package lists were {how} {} ago", text::duration(age.max(0.0))))
    };
    Some(Finding::new(severity, "fetched", "", title).metric("age-seconds", age.max(0.0), Unit::Seconds).because(lists))
}

fn changed(lists: &Observed<ListsInfo>, unchanged: f64) -> Option<Finding> {
    let age = age(lists.changed?).max(0.0);
    let ago = text::duration(age);
    let (severity, title) = if age > unchanged {
        (Severity::Warning, format!("no package list has changed for {ago}: does fetching fail?"))
    } else {
        (Severity::Ok, format!("a package list changed {ago} ago"))
    };
    Some(Finding::new(severity, "changed", "", title).metric("unchanged-seconds", age, Unit::Seconds).because(lists))
}

fn age(seconds: u64) -> f64 {
    clock::now_ms() as f64 / 1e3 - seconds as f64
}

bailiwick_guest::export!(PackageListsAge);
