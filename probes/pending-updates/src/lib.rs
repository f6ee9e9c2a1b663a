//! Pending package upgrades: how many, and how many of them are security fixes.

use bailiwick_guest::{
    Failure, Finding, Probe, Report, Severity, Target, Unit, clock,
    packages::{self, ListsInfo, Upgrade},
    text,
};

struct PendingUpdates;

impl Probe for PendingUpdates {
    fn examine(target: &Target) -> Result<Report, Failure> {
        let params = target.params();
        let (warn_security, critical_security) = (params.number("warn-security")?, params.number("critical-security")?);
        let warn_pending = params.number("warn-pending")?;
        let max_age = params.number("lists-max-days")? * 86_400.0;
        let ignored = params.texts("ignore")?;

        let all = packages::pending(target)?;
        let lists = packages::lists(target)?;
        let doubt = doubt(&lists, max_age);
        // A new package comes with an upgrade; it is not itself pending.
        let waiting: Vec<_> = all.iter().filter(|it| it.installed.is_some() && !ignored.contains(&it.name)).collect();
        let security: Vec<&Upgrade> = waiting.iter().copied().filter(|it| it.security).collect();

        let finding = |code, severity: Severity, one: &str, several: &str, found: &[&Upgrade]| {
            let names = text::list(found.iter().map(|it| &it.name), 5);
            let mut title = match found.len() {
                0 => format!("no {one} is pending"),
                1 => format!("1 {one} is pending: {names}"),
                many => format!("{many} {several} are pending: {names}"),
            };
            // Old lists turn ok into unknown, and change nothing else.
            let severity = match &doubt {
                Some(doubt) if severity == Severity::Ok => {
                    title = format!("{title}, but {doubt}");
                    Severity::Unknown
                }
                _ => severity,
            };
            Finding::new(severity, code, "", title).metric(code, found.len(), Unit::Count).because(&all).because(&lists)
        };
        let by_security = Severity::rising(security.len() as f64, warn_security, critical_security);
        let by_number = Severity::rising(waiting.len() as f64, warn_pending, f64::INFINITY);
        Ok([
            finding("security-updates", by_security, "security fix", "security fixes", &security),
            finding("updates", by_number, "upgrade", "upgrades", &waiting),
        ]
        .into_iter()
        .collect())
    }
}

/// Why the lists are too old to rely on, if they are.
fn doubt(lists: &ListsInfo, max_age: f64) -> Option<String> {
    let Some(seconds) = lists.succeeded.or(lists.tried).or(lists.changed) else {
        return Some("the age of the package lists is not known".to_owned());
    };
    let age = clock::now_ms() as f64 / 1e3 - seconds as f64;
    (age > max_age).then(|| format!("the package lists are {} old", text::duration(age)))
}

bailiwick_guest::export!(PendingUpdates);
