//! The history: exactly what a reading of the journal gives, whatever has happened to the database.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bailiwick_core::model::{
    ComponentId, Finding, Metric, Point, Report, RunFault, Severity, Tainted, TargetName, Unit,
};
use bailiwick_journal::history::{Filter, History, HistoryError, Imported, Progress, Series, past_numbers};
use bailiwick_journal::{Entry, Journal, Past, RunEnd, RunStart, RunTarget};

const HOUR_MS: u64 = 3_600_000;
/// 2026-11-21T12:00:00Z.
const NOW_MS: u64 = 1_795_262_400_000;

/// A state folder with a journal in it.
struct State(tempfile::TempDir);

#[derive(Default)]
struct Heard(Vec<String>);

impl Progress for Heard {
    fn warn(&mut self, line: &str) {
        self.0.push(line.to_owned());
    }
    fn progress(&mut self, bytes: u64, total: u64) {
        assert!(bytes <= total);
    }
}

fn component(name: &str) -> ComponentId {
    ComponentId::new(name).unwrap()
}

fn target(name: &str) -> TargetName {
    TargetName::new(name).unwrap()
}

fn report(subject: &str, value: f64) -> Report {
    let metric = |name: &str, value| Metric { name: name.to_owned(), value, unit: Unit::Percent };
    let finding = Finding {
        code: "space".to_owned(),
        severity: Severity::Warning,
        subject: Tainted::new(subject),
        title: Tainted::new("t"),
        metrics: vec![metric("used-percent", value), metric("inodes-percent", 1.0)],
        evidence: Vec::new(),
    };
    Report { findings: vec![finding] }
}

impl State {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn folder(&self) -> &Path {
        self.0.path()
    }

    fn journal_folder(&self) -> PathBuf {
        self.folder().join("journal")
    }

    fn database(&self) -> PathBuf {
        self.folder().join("history/history.sqlite")
    }

    fn journal(&self) -> Journal {
        Journal::open(&self.journal_folder(), Duration::from_secs(5)).unwrap().0
    }

    /// Runs of a component, each an hour after the other, the last an hour before now.
    fn runs(&self, id: &str, on: &str, values: &[f64]) -> Vec<u64> {
        let journal = self.journal();
        let mut numbers = Vec::new();
        for (at, value) in values.iter().enumerate() {
            let hours = (values.len() - at) as u64;
            let run = journal.append(start(id, on, NOW_MS - hours * HOUR_MS, None)).unwrap();
            end(&journal, run, RunEnd::Report(report("/var", *value)));
            numbers.push(run);
        }
        numbers
    }

    fn open(&self) -> (History, Vec<String>) {
        let mut heard = Heard::default();
        let history = History::open(self.folder(), &self.journal_folder(), &mut heard).unwrap();
        (history, heard.0)
    }

    fn series(&self) -> (Vec<Series>, Vec<String>) {
        let (history, heard) = self.open();
        (history.series(&target("db01"), &Filter::default()).unwrap(), heard)
    }
}

fn start(id: &str, on: &str, now_ms: u64, earlier: Option<Past>) -> Entry {
    let first = RunTarget {
        target: target(on),
        grant: String::new(),
        actions: Vec::new(),
        params: Default::default(),
        withheld: Vec::new(),
        previous_ms: None,
        earlier,
    };
    Entry::RunStarted(RunStart {
        sweep: 1,
        component: component(id),
        version: "1.0.0".to_owned(),
        digest: String::new(),
        first,
        others: Vec::new(),
        now_ms,
        limits: Default::default(),
        kept_bytes: None,
        phase: None,
    })
}

fn end(journal: &Journal, run: u64, end: RunEnd) {
    journal.append(Entry::RunEnded { run, end, fuel: 0, report: None, report_v2: None }).unwrap();
}

#[test]
fn the_reports_of_runs_are_there_and_only_those_that_are_requested() {
    let state = State::new();
    state.runs("filesystems", "db01", &[70.0, 71.5]);
    state.runs("memory", "db01", &[5.0]);
    state.runs("filesystems", "db02", &[9.0]);
    let (history, heard) = state.open();
    assert_eq!(heard, [""; 0]);
    assert_eq!(history.targets().unwrap(), ["db01", "db02"]);
    let filter = Filter { metric: Some("used-percent".to_owned()), ..Filter::default() };
    let all = history.series(&target("db01"), &filter).unwrap();
    let results: Vec<_> = all.iter().map(|s| (s.component.as_str(), s.points.clone(), s.severity.as_str())).collect();
    assert_eq!(
        results,
        [
            ("filesystems", vec![(NOW_MS - 2 * HOUR_MS, 70.0), (NOW_MS - HOUR_MS, 71.5)], "warning"),
            ("memory", vec![(NOW_MS - HOUR_MS, 5.0)], "warning"),
        ]
    );
    let earlier = history.earlier(&component("filesystems"), &target("db02"), NOW_MS, 1).unwrap();
    assert_eq!(earlier.points.iter().map(|point| point.value).collect::<Vec<_>>(), [9.0, 1.0]);
    assert_eq!(earlier.previous_ms, Some(NOW_MS - HOUR_MS));
    let none = history.earlier(&component("memory"), &target("db02"), NOW_MS, 1).unwrap();
    assert_eq!((none.previous_ms, none.points), (None, Vec::<Point>::new()));
}

#[test]
fn a_run_that_could_not_check_is_not_a_previous_one() {
    let state = State::new();
    state.runs("filesystems", "db01", &[70.0]);
    let journal = state.journal();
    for how in [
        RunEnd::CouldNotCheck { reason: Tainted::new("no"), error: None },
        RunEnd::Fault(RunFault::new("fuel", "broke")),
    ] {
        let run = journal.append(start("filesystems", "db01", NOW_MS - 60_000, None)).unwrap();
        end(&journal, run, how);
    }
    journal.append(start("filesystems", "db01", NOW_MS - 1, None)).unwrap();
    let (history, _) = state.open();
    let (who, on) = (component("filesystems"), target("db01"));
    assert_eq!(history.previous_ms(&who, &on, NOW_MS).unwrap(), Some(NOW_MS - HOUR_MS));
    assert_eq!(history.previous_ms(&who, &on, NOW_MS - HOUR_MS).unwrap(), None, "nothing from the run's own future");
}

#[test]
fn a_run_that_ends_after_the_journal_was_read_is_not_lost_and_nothing_is_twice() {
    let state = State::new();
    let journal = state.journal();
    let run = journal.append(start("filesystems", "db01", NOW_MS - HOUR_MS, None)).unwrap();
    let (mut history, _) = state.open();
    assert_eq!(history.series(&target("db01"), &Filter::default()).unwrap(), []);
    end(&journal, run, RunEnd::Report(report("/var", 3.0)));
    assert_eq!(history.update(&mut ()).unwrap(), Imported { entries: 1, runs: 1, numbers: 2 });
    assert_eq!(history.update(&mut ()).unwrap(), Imported::default());
    let (mut another, _) = state.open();
    assert_eq!(another.update(&mut ()).unwrap(), Imported::default());
    let (series, _) = state.series();
    assert_eq!(series.iter().map(|s| s.points.len()).collect::<Vec<_>>(), [1, 1]);
}

#[test]
fn whatever_becomes_of_the_database_it_matches_the_journal() {
    let state = State::new();
    state.runs("filesystems", "db01", &[70.0, 71.5, 73.0]);
    let (truth, _) = state.series();
    let database = state.database();
    let whole = fs::read(&database).unwrap();
    let sql = |text: &str| {
        let out = std::process::Command::new("python3")
            .args([
                "-c",
                "import sqlite3,sys; c=sqlite3.connect(sys.argv[1]); c.executescript(sys.argv[2]); c.commit()",
            ])
            .arg(&database)
            .arg(text)
            .output()
            .unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    };
    type Spoil<'a> = &'a dyn Fn();
    let table: &[(&str, Spoil<'_>, bool)] = &[
        ("lost", &|| fs::remove_file(&database).unwrap(), false),
        ("cut", &|| fs::write(&database, &whole[..whole.len() / 2]).unwrap(), true),
        (
            "half written",
            &|| fs::write(&database, [&whole[..8192], &vec![0; whole.len() - 8192]].concat()).unwrap(),
            true,
        ),
        ("no database", &|| fs::write(&database, "not a database at all, but long enough to be one").unwrap(), true),
        ("old schema", &|| sql("PRAGMA user_version = 0; PRAGMA user_version = 99;"), true),
        ("another program's", &|| sql("PRAGMA application_id = 7;"), true),
        ("another journal's", &|| sql("UPDATE mark SET hash = replace(hash, substr(hash, 1, 1), 'x');"), true),
        ("ahead of the journal", &|| sql("UPDATE mark SET at = at + 100000, seq = seq + 9;"), true),
    ];
    for (what, spoil, is_told) in table {
        spoil();
        let (found, heard) = state.series();
        assert_eq!(found, truth, "{what}");
        assert_eq!(heard.len(), usize::from(*is_told), "{what}: {heard:?}");
        assert!(heard.iter().all(|line| line.contains("was renamed to") && !line.contains('\n')), "{what}: {heard:?}");
        assert_eq!(state.series(), (truth.clone(), Vec::new()), "{what}: mended for good");
    }
    let (done, mut heard) =
        (History::rebuild(state.folder(), &state.journal_folder(), &mut ()).unwrap(), Heard::default());
    assert_eq!((done.runs, done.numbers), (3, 6));
    drop(History::open(state.folder(), &state.journal_folder(), &mut heard).unwrap());
    assert_eq!((state.series().0, heard.0), (truth, Vec::new()));
}

#[test]
fn a_number_that_was_changed_in_the_database_is_not_what_a_replay_gets() {
    let state = State::new();
    let runs = state.runs("disk-growth", "db01", &[70.0, 71.0]);
    let (history, _) = state.open();
    let earlier = history.earlier(&component("disk-growth"), &target("db01"), NOW_MS, 1).unwrap();
    assert_eq!(earlier.runs, runs);
    let past = Past { runs, digest: bailiwick_journal::history::Earlier::digest(&earlier.points) };
    let journal = state.journal();
    let good = journal.append(start("disk-growth", "db01", NOW_MS, Some(past.clone()))).unwrap();
    let bad = Past { digest: past.digest.replace(['0', '1'], "2"), ..past };
    let bad = journal.append(start("disk-growth", "db01", NOW_MS, Some(bad))).unwrap();
    let first = journal.append(start("disk-growth", "db01", NOW_MS, None)).unwrap();
    let mut numbers = past_numbers(&state.journal_folder(), &[first, good, bad, 9_999].into()).unwrap();
    assert_eq!(numbers.remove(&good).unwrap().unwrap(), [earlier.points]);
    assert_eq!(numbers.remove(&first).unwrap().unwrap(), [Vec::<Point>::new()]);
    let error = numbers.remove(&bad).unwrap().unwrap_err().to_string();
    assert!(error.contains("got for db01 do not match"), "{error}");
    assert!(numbers.remove(&9_999).unwrap().is_err());
}

#[test]
fn several_at_once_agree() {
    let state = State::new();
    let values: Vec<f64> = (0..200).map(f64::from).collect();
    state.runs("filesystems", "db01", &values);
    std::thread::scope(|scope| {
        let all: Vec<_> = (0..4).map(|_| scope.spawn(|| state.series())).collect();
        for one in all {
            let (series, heard) = one.join().unwrap();
            assert_eq!((series.len(), heard), (2, Vec::new()));
            assert_eq!(series[1].points.iter().map(|point| point.1).collect::<Vec<_>>(), values);
        }
    });
}

#[test]
fn a_torn_entry_is_waited_for_and_a_broken_one_ends_it() {
    let state = State::new();
    state.runs("filesystems", "db01", &[70.0, 71.0]);
    let file = state.journal_folder().join("journal.jsonl");
    let whole = fs::read(&file).unwrap();
    fs::write(&file, &whole[..whole.len() - 10]).unwrap();
    let (series, heard) = state.series();
    assert_eq!((series[0].points.len(), heard), (1, Vec::new()));
    fs::write(&file, &whole).unwrap();
    assert_eq!(state.series().0[0].points.len(), 2);
    let mut broken = whole;
    let last = broken.len() - 30;
    broken[last] ^= 1;
    fs::write(&file, &broken).unwrap();
    fs::remove_file(state.database()).unwrap();
    let (series, heard) = state.series();
    assert_eq!(series[0].points.len(), 1);
    assert!(heard[0].contains("the history ends before an entry that cannot be read"), "{heard:?}");
}

#[test]
fn what_others_could_have_written_is_refused() {
    let state = State::new();
    state.runs("filesystems", "db01", &[70.0]);
    drop(state.open());
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&state.database()), mode(&state.folder().join("history"))), (0o600, 0o700));
    let refused = || History::open(state.folder(), &state.journal_folder(), &mut ()).map(drop).unwrap_err();
    fs::set_permissions(state.database(), fs::Permissions::from_mode(0o622)).unwrap();
    assert!(matches!(refused(), HistoryError::NotOurs { what: "is writable by other users", .. }));
    fs::remove_file(state.database()).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", state.database()).unwrap();
    assert!(matches!(refused(), HistoryError::Io { action: "open", .. }));
}
