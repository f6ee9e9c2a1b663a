//! Answers for unit tests, not available on wasm: a [`Fixture`] is one target with the answers of its verbs.
//!
//! A verb without an answer returns `Refused`, like a verb outside the grant in a real run.

use std::{
    any::Any,
    cell::{Cell, RefCell},
    collections::BTreeMap,
    fmt,
    rc::Rc,
};

use crate::{
    Decision, Failure, Fix, FleetProbe, Report, StageError, Target, Unit, VerbError, certificates, commands,
    containers, files,
    history::Point,
    http,
    log::Level,
    logs, network, packages, postgres,
    probe::examine_all,
    services, system,
    target::{Entry, Value},
};

/// 2026-11-21T12:00:00Z: the default of [`clock::now_ms`](crate::clock::now_ms) in a fixture.
pub const NOW_MS: u64 = 1_795_262_400_000;

thread_local! {
    static NOW: Cell<u64> = const { Cell::new(NOW_MS) };
    static CALLS: Cell<u32> = const { Cell::new(0) };
    static STAGED: RefCell<Vec<Staged>> = const { RefCell::new(Vec::new()) };
    static NOTES: RefCell<Vec<(Level, String)>> = const { RefCell::new(Vec::new()) };
}

/// One target: its name, parameters, bindings and answers.
#[derive(Clone)]
pub struct Fixture {
    name: String,
    now_ms: u64,
    params: BTreeMap<String, Value>,
    slots: BTreeMap<String, Vec<Entry>>,
    /// By verb and slot key; each a `Result<T, VerbError>`.
    answers: BTreeMap<(&'static str, String), Rc<dyn Any>>,
    earlier: Vec<Point>,
    /// By verb and slot key: the error of the changing verb.
    refused: BTreeMap<(&'static str, String), StageError>,
    /// True while `plan` is running.
    plans: bool,
}

/// A change that a fix has added to the plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Staged {
    /// The verb, such as `files-change.write`.
    pub verb: &'static str,
    /// The slot: its name, or `name/0`, `name/1`, … for one declared `many`.
    pub key: String,
    /// The name of the declared content, if the verb takes one.
    pub content: Option<String>,
    /// The bytes of `files-change.write-computed`.
    pub bytes: Option<Vec<u8>>,
}

impl Staged {
    pub(crate) fn new(verb: &'static str, key: &str) -> Self {
        Staged { verb, key: key.to_owned(), content: None, bytes: None }
    }
}

impl fmt::Display for Staged {
    /// `files-change.write rules base-rules`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.verb, self.key)?;
        match (&self.content, &self.bytes) {
            (Some(content), _) => write!(f, " {content}"),
            (None, Some(bytes)) => write!(f, " ({} bytes)", bytes.len()),
            (None, None) => Ok(()),
        }
    }
}

/// The argument of a changing verb besides its slot.
pub(crate) trait Given {
    fn put(self, staged: Staged) -> Staged;
}

impl Given for &str {
    fn put(self, staged: Staged) -> Staged {
        Staged { content: Some(self.to_owned()), ..staged }
    }
}

impl Given for &[u8] {
    fn put(self, staged: Staged) -> Staged {
        Staged { bytes: Some(self.to_vec()), ..staged }
    }
}

/// The result of `plan`.
#[derive(Debug, Clone, PartialEq)]
pub struct Planned {
    /// The return value.
    pub decision: Result<Decision, Failure>,
    /// The changes in the plan, in the order of the calls.
    pub staged: Vec<Staged>,
}

impl Planned {
    /// The changes in the plan, one line each.
    pub fn list(&self) -> Vec<String> {
        self.staged.iter().map(Staged::to_string).collect()
    }
}

impl fmt::Debug for Fixture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fixture").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Default for Fixture {
    fn default() -> Self {
        Self::new()
    }
}

macro_rules! answers {
    ($($verb:literal $name:ident -> $answer:ty;)*) => {$(
        #[doc = concat!("Sets the answer of `", $verb, "`.")]
        #[must_use]
        pub fn $name(self, answer: Result<$answer, VerbError>) -> Self {
            self.with_answer($verb, "", answer)
        }
    )*};
}

macro_rules! entry_answers {
    ($($verb:literal $name:ident -> $answer:ty;)*) => {$(
        #[doc = concat!("Sets the answer of `", $verb, "` for a slot: its name, or `name/0`, `name/1`, … for one declared `many`.")]
        #[must_use]
        pub fn $name(self, key: &str, answer: Result<$answer, VerbError>) -> Self {
            self.with_answer($verb, key, answer)
        }
    )*};
}

impl Fixture {
    /// A target named `fixture`, without answers.
    pub fn new() -> Self {
        Fixture {
            name: "fixture".to_owned(),
            now_ms: NOW_MS,
            params: BTreeMap::new(),
            slots: BTreeMap::new(),
            answers: BTreeMap::new(),
            earlier: Vec::new(),
            refused: BTreeMap::new(),
            plans: false,
        }
    }

    /// Makes a changing verb fail for a slot. By default, a change succeeds if its slot is bound.
    #[must_use]
    pub fn not_staged(mut self, verb: &'static str, key: &str, error: StageError) -> Self {
        self.refused.insert((verb, key.to_owned()), error);
        self
    }

    /// Runs `plan` of a fix on this target, as the host would.
    pub fn plan<F: Fix>(mut self) -> Planned {
        self.plans = true;
        let target = begun(self);
        let decision = F::plan(&target).map(Decision::fit).map_err(Failure::fit);
        Planned { decision, staged: STAGED.take() }
    }

    /// Runs `verify` of a fix on this target, as the host would.
    ///
    /// # Errors
    /// The failure that the fix returns.
    pub fn verify<F: Fix>(self) -> Result<Report, Failure> {
        F::verify(&begun(self)).map(Report::fit).map_err(Failure::fit)
    }

    pub(crate) fn stage(&self, staged: Staged) -> Result<(), StageError> {
        count_call();
        if !self.plans {
            return Err(StageError::WrongPhase);
        }
        if let Some(error) = self.refused.get(&(staged.verb, staged.key.clone())) {
            return Err(*error);
        }
        let bound = self.slots.values().flatten().any(|entry| entry.key == staged.key);
        if !bound {
            return Err(StageError::Refused);
        }
        STAGED.with_borrow_mut(|list| list.push(staged));
        Ok(())
    }

    /// Sets the name of the target.
    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        self.name = name.to_owned();
        self
    }

    /// Sets the start of the run, in milliseconds since 1970-01-01T00:00Z. With several targets, that of the first one counts.
    #[must_use]
    pub fn now_ms(mut self, now_ms: u64) -> Self {
        self.now_ms = now_ms;
        self
    }

    /// Sets the value of a parameter: a number, a text, a flag or a list of texts.
    #[must_use]
    pub fn param(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.params.insert(name.to_owned(), value.into());
        self
    }

    /// Binds a literal to a slot.
    #[must_use]
    pub fn bind(mut self, slot: &str, literal: &str) -> Self {
        let entry = Entry { key: slot.to_owned(), literal: literal.to_owned() };
        self.slots.insert(slot.to_owned(), vec![entry]);
        self
    }

    /// Binds a list to a slot declared `many`.
    #[must_use]
    pub fn bind_many(mut self, slot: &str, literals: &[&str]) -> Self {
        let entries = literals.iter().enumerate();
        let entries = entries.map(|(n, literal)| Entry { key: format!("{slot}/{n}"), literal: (*literal).to_owned() });
        self.slots.insert(slot.to_owned(), entries.collect());
        self
    }

    /// Adds earlier values of one metric of one subject; times are in milliseconds since 1970-01-01T00:00Z.
    #[must_use]
    pub fn earlier(mut self, code: &str, subject: &str, metric: &str, unit: Unit, points: &[(u64, f64)]) -> Self {
        let (code, subject, metric) = (code.to_owned(), subject.to_owned(), metric.to_owned());
        self.earlier.extend(points.iter().map(|&(time_ms, value)| Point {
            time_ms,
            code: code.clone(),
            subject: subject.clone(),
            metric: metric.clone(),
            unit,
            value,
        }));
        self.earlier.sort_by_key(|point| point.time_ms);
        self
    }

    answers! {
        "system.identity" identity -> system::IdentityInfo;
        "system.uptime" uptime -> system::UptimeInfo;
        "system.load" load -> system::LoadInfo;
        "system.memory" memory -> system::MemoryInfo;
        "system.filesystems" filesystems -> Vec<system::Filesystem>;
        "system.time-sync" time_sync -> system::TimeSyncInfo;
        "system.logins" logins -> Vec<system::Login>;
        "system.clock" clock -> system::ClockInfo;
        "services.failed" failed -> Vec<services::FailedUnit>;
        "network.listeners" listeners -> Vec<network::Listener>;
        "packages.pending" pending -> Vec<packages::Upgrade>;
        "packages.lists" package_lists -> packages::ListsInfo;
    }

    entry_answers! {
        "services.status" status -> services::StatusInfo;
        "services.logs" logs -> Vec<services::LogEntry>;
        "services.usage" usage -> services::UsageInfo;
        "files.read" read -> files::Content;
        "files.stat" stat -> files::StatInfo;
        "containers.list" containers -> Vec<containers::Container>;
        "containers.status" container -> containers::StatusInfo;
        "containers.logs" container_logs -> Vec<containers::LogLine>;
        "commands.run" run -> commands::Output;
        "postgres.databases" databases -> Vec<postgres::Database>;
        "postgres.activity" activity -> postgres::ActivityInfo;
        "postgres.settings" settings -> Vec<postgres::Setting>;
        "postgres.replication" replication -> postgres::ReplicationInfo;
        "postgres.locks" locks -> Vec<postgres::Blocked>;
        "postgres.query" query -> postgres::Table;
        "logs.since-last-run" since_last_run -> logs::NewEntries;
        "http.get" get -> http::Response;
        "certificates.file" certificates -> Vec<certificates::Certificate>;
        "certificates.server" server -> certificates::ServerInfo;
    }

    /// Runs the probe on this target, as the host would.
    ///
    /// # Errors
    /// The failure that the probe returns.
    pub fn examine<P: FleetProbe>(self) -> Result<Report, Failure> {
        examine_together::<P>([self])
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn points(&self) -> Vec<Point> {
        self.earlier.clone()
    }

    pub(crate) fn entries(&self, slot: &str) -> Vec<Entry> {
        self.slots.get(slot).cloned().unwrap_or_default()
    }

    pub(crate) fn value(&self, name: &str) -> Option<Value> {
        self.params.get(name).cloned()
    }

    pub(crate) fn answer<T: Clone + 'static>(&self, verb: &'static str, key: &str) -> Result<T, VerbError> {
        self.answers
            .get(&(verb, key.to_owned()))
            .and_then(|answer| answer.downcast_ref::<Result<T, VerbError>>())
            .cloned()
            .unwrap_or(Err(VerbError::Refused))
    }

    fn with_answer<T: 'static>(mut self, verb: &'static str, key: &str, answer: Result<T, VerbError>) -> Self {
        self.answers.insert((verb, key.to_owned()), Rc::new(answer));
        self
    }
}

/// Runs the probe once on several targets, as the host would.
///
/// # Errors
/// The failure that the probe returns.
pub fn examine_together<P: FleetProbe>(fixtures: impl IntoIterator<Item = Fixture>) -> Result<Report, Failure> {
    let targets: Vec<Target> = fixtures.into_iter().map(Target::new).collect();
    begin(targets.first().map_or(NOW_MS, |target| target.fixture().now_ms));
    examine_all::<P>(&targets)
}

fn begin(now_ms: u64) {
    NOW.set(now_ms);
    CALLS.set(0);
    NOTES.with_borrow_mut(Vec::clear);
    STAGED.with_borrow_mut(Vec::clear);
}

/// Starts a run on the target.
fn begun(fixture: Fixture) -> Target {
    begin(fixture.now_ms);
    Target::new(fixture)
}

/// The notes that the last run on this thread wrote with [`log`](crate::log).
pub fn notes() -> Vec<(Level, String)> {
    NOTES.with_borrow(Clone::clone)
}

pub(crate) fn now_ms() -> u64 {
    NOW.get()
}

pub(crate) fn count_call() -> u32 {
    CALLS.set(CALLS.get() + 1);
    CALLS.get()
}

pub(crate) fn note(level: Level, message: &str) {
    NOTES.with_borrow_mut(|notes| notes.push((level, message.to_owned())));
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Value::Number(number)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Value::Text(text.to_owned())
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Value::Flag(flag)
    }
}

impl From<&[&str]> for Value {
    fn from(texts: &[&str]) -> Self {
        Value::Texts(texts.iter().map(|text| (*text).to_owned()).collect())
    }
}

impl<const N: usize> From<[&str; N]> for Value {
    fn from(texts: [&str; N]) -> Self {
        Value::from(texts.as_slice())
    }
}

impl From<Vec<String>> for Value {
    fn from(texts: Vec<String>) -> Self {
        Value::Texts(texts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Finding, Probe, Severity};

    struct Cores;

    impl Probe for Cores {
        fn examine(target: &Target) -> Result<Report, Failure> {
            crate::log::info("checking");
            let load = system::load(target)?;
            let title = crate::text::count(load.cpus as usize, "core");
            Ok(Finding::ok("cores", "", title).because(&load).into())
        }
    }

    fn with_cores(name: &str, cpus: u32) -> Fixture {
        let load = system::LoadInfo { one: 0.0, five: 0.0, fifteen: 0.0, runnable: 1, entities: 1, cpus };
        Fixture::new().named(name).load(Ok(load))
    }

    #[test]
    fn one_target_is_passed_through() {
        let report = with_cores("a", 2).examine::<Cores>().unwrap();
        assert_eq!(report.findings, [Finding { evidence: vec![1], ..Finding::ok("cores", "", "2 cores") }]);
        assert_eq!(notes(), [(Level::Info, "checking".to_owned())]);
    }

    #[test]
    fn a_verb_without_answer_is_refused_and_says_so() {
        let failure = Fixture::new().examine::<Cores>().unwrap_err();
        assert_eq!(failure.reason, "system.load: refused, not in this component's bailiwick");
        assert_eq!((failure.error, failure.call), (Some(VerbError::Refused), Some(1)));
    }

    #[test]
    fn several_targets_are_distinguished_and_one_failure_does_not_hide_the_others() {
        let targets =
            [with_cores("a", 1), Fixture::new().named("b").load(Err(VerbError::TimedOut)), with_cores("c", 3)];
        let report = examine_together::<Cores>(targets).unwrap();
        let statements: Vec<_> =
            report.findings.iter().map(|f| (f.severity, f.subject.as_str(), f.title.as_str())).collect();
        assert_eq!(
            statements,
            [
                (Severity::Ok, "a", "1 core"),
                (Severity::Unknown, "b", "system.load: the target did not answer in time"),
                (Severity::Ok, "c", "3 cores"),
            ]
        );
        assert_eq!(report.findings[1].evidence, [2]);
    }

    #[test]
    fn when_no_target_could_be_checked_the_run_fails() {
        let targets = [Fixture::new().load(Err(VerbError::Unreachable)), Fixture::new()];
        assert_eq!(examine_together::<Cores>(targets).unwrap_err().error, Some(VerbError::Unreachable));
        assert_eq!(examine_together::<Cores>([]).unwrap_err().reason, "the run has no target");
    }

    #[test]
    fn a_wrong_or_missing_parameter_names_itself() {
        struct Wants;
        impl Probe for Wants {
            fn examine(target: &Target) -> Result<Report, Failure> {
                let percent = target.params().number("warn-percent")?;
                Ok(Finding::ok("x", "", percent.to_string()).into())
            }
        }
        let missing = Fixture::new().examine::<Wants>().unwrap_err();
        assert_eq!(missing.reason, "parameter warn-percent is not declared in the manifest");
        let wrong = Fixture::new().param("warn-percent", true).examine::<Wants>().unwrap_err();
        assert_eq!(wrong.reason, "parameter warn-percent is not declared as a number in the manifest");
    }

    #[test]
    fn entries_carry_the_key_and_the_literal() {
        let target = Target::new(Fixture::new().bind_many("units", &["a.service", "b.service"]));
        let entries = target.slots("units");
        assert_eq!(entries[1], Entry { key: "units/1".to_owned(), literal: "b.service".to_owned() });
        assert_eq!(target.slot("file").unwrap_err().reason, "nothing is bound to slot file");
    }
}
