//! Readers against answers of real machines, their messages when something is missing, and noise.

mod commands;
mod containers;
mod lies;
mod packages;

use proptest::prelude::*;

use super::*;
use crate::answers::RECORDED;
use bailiwick_core::model::Effect;
use bailiwick_core::model::{Exit, Timing};

use VerbError::{Garbled, NotFound, NotPermitted, Unsupported};

fn answer(status: u32, stdout: &str, stderr: &str) -> Answer {
    let timing = Some(Timing { asked_us: 1_795_322_395_400_000, elapsed_us: 30_000 });
    Answer { stdout: stdout.into(), stderr: stderr.into(), exit: Exit::Status(status), timing }
}

fn good(verb: Verb, status: u32, stdout: &str) -> String {
    match parse(verb, &answer(status, stdout, "")) {
        Ok(read) => read.for_encoder().to_owned(),
        Err(error) => panic!("{verb}: {error}"),
    }
}

fn since(now_ms: u64, previous_ms: Option<u64>) -> Context<'static> {
    Context { times: Times { now_ms, previous_ms }, literal: None }
}

const NO_SYSTEMD: &str = "System has not been booted with systemd as init system (PID 1). Can't operate.\n\
    Failed to connect to bus: Host is down\n";
const MISSING: &str = "/usr/bin/env: 'systemctl': No such file or directory\n";
const BUSYBOX_OPTION: &str = "df: unrecognized option: output=source,fstype\nBusyBox v1.36.1 multi-call binary.\n";

/// Verbs whose answer can be any text, so that a cut answer is valid too.
const ANYTHING: &[Verb] = &[Verb::FilesRead, Verb::CommandsRun];

/// The parts of each verb in one golden for review. A new verb is a new line.
#[test]
fn the_table_of_verbs() {
    let mut table = String::new();
    for &verb in Verb::ALL {
        let spec = spec(verb);
        let (effect, object) = (format!("{:?}", spec.effect), spec.object.noun());
        let limits = format!("{} KiB, {} s", spec.bytes_max >> 10, spec.timeout.as_secs());
        table += &format!("{verb:28}{effect:9}{object:16}{limits:16}{}\n", served_by(verb));
    }
    insta::assert_snapshot!(table);
}

#[test]
fn healthy_answers() {
    let read: Vec<String> =
        RECORDED.iter().map(|&(verb, status, text)| format!("{verb}\n  {}", good(verb, status, text))).collect();
    assert_eq!(RECORDED.len(), bailiwick_core::verbs::with(Effect::Observe).count(), "one of every verb that observes");
    insta::assert_snapshot!(read.join("\n"));
}

/// Each reader returns every field that the contract has: a check can use every field of every verb.
#[test]
fn every_verb_answers_a_check() {
    let mut page = String::new();
    for &(verb, status, text) in RECORDED {
        let answers = bailiwick_core::wit::answer(verb);
        let lists = answers.lists.iter().map(|(name, _)| Some(name.as_str()));
        for each in std::iter::once(None).chain(lists) {
            let items = rules::asked(verb, each, &answer(status, text, ""), Context::default())
                .unwrap_or_else(|error| panic!("{verb}, {each:?}: {error}"));
            assert!(answers.list || each.is_some() || items.len() == 1, "{verb}");
            page += &format!("{verb}{}\n", each.map(|each| format!(", each of {each}")).unwrap_or_default());
            for item in items {
                let fields = answers.items(each).unwrap_or_default().iter().zip(item);
                let fields = fields.map(|(field, value)| format!(" {}={value:?}", field.name()));
                page += &format!(" {}\n", fields.collect::<String>());
            }
        }
    }
    insta::assert_snapshot!(page);
}

/// Special cases of verbs also apply to checks.
#[test]
fn a_check_is_told_what_a_verb_is_told() {
    let (_, status, text) = RECORDED.iter().find(|(verb, ..)| *verb == Verb::ContainersStatus).unwrap();
    let context = |literal| Context { literal: Some(literal), ..Context::default() };
    let asked =
        |literal| rules::asked(Verb::ContainersStatus, None, &answer(*status, text, ""), context(literal)).map(drop);
    assert_eq!(asked("podman/no-such"), Err(NotFound), "found by its id, and another");
    let since = |previous_ms| since(1_795_300_000_000, previous_ms);
    let (_, status, text) = RECORDED.iter().find(|(verb, ..)| *verb == Verb::LogsSinceLastRun).unwrap();
    let entries = |context| {
        rules::asked(Verb::LogsSinceLastRun, Some("entries"), &answer(*status, text, ""), context)
            .map(|items| format!("{items:?}"))
    };
    assert_ne!(entries(since(None)), entries(since(Some(1_795_299_999_000))), "the run before counts");
}

#[test]
fn a_cut_answer_is_never_read_as_a_whole_one() {
    for &(verb, status, text) in RECORDED {
        for cut in 0..text.len() {
            let stdout = text.as_bytes()[..cut].to_vec();
            let whole_lines = cut == 0 || stdout.ends_with(b"\n");
            let outcome = parse(verb, &Answer { stdout, ..answer(status, "", "") });
            if !ANYTHING.contains(&verb) && !whole_lines {
                assert_eq!(outcome, Err(Garbled), "{verb} cut at {cut}");
            }
        }
    }
}

#[test]
fn failures_mean_the_same_everywhere() {
    use Verb::*;
    let table: &[(Verb, u32, &str, VerbError)] = &[
        (ServicesStatus, 127, MISSING, Unsupported),
        (ServicesFailed, 126, "/usr/bin/env: 'systemctl': Permission denied\n", NotPermitted),
        (ServicesStatus, 1, NO_SYSTEMD, Unsupported),
        (ServicesFailed, 1, NO_SYSTEMD, Unsupported),
        (SystemTimeSync, 1, NO_SYSTEMD, Unsupported),
        (SystemTimeSync, 1, "Unknown operation show.\n", Unsupported),
        (SystemFilesystems, 1, BUSYBOX_OPTION, Unsupported),
        (FilesStat, 1, "stat: unrecognized option: format=%f\n", Unsupported),
        (FilesRead, 1, "head: cannot open '/x' for reading: No such file or directory\n", NotFound),
        (FilesRead, 1, "No such file or directory (os error 2)\n", NotFound),
        (FilesRead, 1, "head: cannot open '/x' for reading: Permission denied\n", NotPermitted),
        (FilesRead, 1, "head: error reading '/etc': Is a directory\n", NotFound),
        (FilesStat, 1, "stat: cannot statx '/x': No such file or directory\n", NotFound),
        (FilesStat, 1, "stat: cannot statx '/x': Permission denied\n", NotPermitted),
        (ServicesLogs, 1, "No journal files were opened due to insufficient permissions.\n", NotPermitted),
        (
            ServicesLogs,
            0,
            "Hint: You are currently not seeing messages from other users and the system.\n",
            NotPermitted,
        ),
        (ServicesLogs, 0, "No journal files were found.\n", Unsupported),
        (SystemMemory, 2, "", Unsupported),
        (NetworkListeners, 2, "", Unsupported),
        (FilesRead, 1, "head: Datei oder Verzeichnis nicht gefunden\n", Garbled),
        (FilesRead, 255, "", Garbled),
    ];
    for &(verb, status, stderr, error) in table {
        assert_eq!(parse(verb, &answer(status, "", stderr)), Err(error), "{verb}: {status} {stderr}");
    }
    for exit in [Exit::Signal, Exit::Unreported] {
        // An operator's program may end by a signal, which is an answer.
        for &(verb, _, text) in RECORDED.iter().filter(|(verb, ..)| *verb != Verb::CommandsRun) {
            let answer = Answer { stdout: text.into(), stderr: Vec::new(), exit, timing: None };
            assert_eq!(parse(verb, &answer), Err(Garbled), "{verb}");
        }
    }
}

#[test]
fn nothing_to_report_is_not_a_failure() {
    for (verb, status) in
        [(Verb::SystemLogins, 0), (Verb::ServicesFailed, 0), (Verb::ServicesLogs, 0), (Verb::NetworkListeners, 1)]
    {
        assert_eq!(good(verb, status, ""), "[]");
    }
    let status = RECORDED.iter().find(|(verb, ..)| *verb == Verb::ServicesStatus).unwrap();
    let missing = status.2.replace("LoadState=loaded", "LoadState=not-found");
    assert_eq!(parse(Verb::ServicesStatus, &answer(0, &missing, "")), Err(NotFound));
}

#[test]
fn other_systems_tables_are_not_guessed_at() {
    let table: &[(Verb, &str, VerbError)] = &[
        (Verb::SystemLogins, "USER\t\tTTY\t\tIDLE\tTIME\t\t HOST\nroot\t\tpts/0\n", Unsupported),
        (Verb::SystemLogins, "root tty1\n", Garbled),
        (
            Verb::SystemFilesystems,
            "Dateisystem Typ 1B-Blöcke Benutzt Verfügbar INodes IBenutzt IFrei Eingehängt auf\n",
            Garbled,
        ),
        (Verb::ServicesFailed, "● x.service loaded failed failed X\n", Garbled),
        (Verb::ServicesFailed, "0 loaded units listed.\n", Garbled),
        (Verb::SystemMemory, "/proc/meminfo:MemTotal: 5 MB\n", Garbled),
        (Verb::SystemLoad, "/proc/loadavg:nan 1.0 1.0 1/2 3\n/sys/devices/system/cpu/online:0\n", Garbled),
        (Verb::SystemLoad, "/proc/loadavg:1.0 1.0 1.0 1/2 3\n/sys/devices/system/cpu/online:3-0\n", Garbled),
        (Verb::SystemLoad, "/proc/loadavg:1.0 1.0 1.0 1/2 3\n/sys/devices/system/cpu/online:0-4294967295\n", Garbled),
        (Verb::SystemTimeSync, "NTP=yes\nNTP=no\nNTPSynchronized=yes\nTimezone=x\n", Garbled),
        (Verb::SystemTimeSync, "NTP=ja\nNTPSynchronized=yes\nTimezone=x\n", Garbled),
        (Verb::ServicesLogs, "-- No entries --\n", Garbled),
        (Verb::ServicesLogs, "{\"MESSAGE\":\"x\",\"PRIORITY\":\"9\",\"__REALTIME_TIMESTAMP\":\"1\"}\n", Garbled),
        (Verb::FilesStat, "81a4,-1,0,root,root\n", Garbled),
        (Verb::FilesStat, "81a4,1,0,root\n", Garbled),
        (Verb::NetworkListeners, "/proc/net/tcp: 0: 0100007F:0016\n", Garbled),
        (Verb::NetworkListeners, "/proc/net/raw: 0: x\n", Garbled),
    ];
    for &(verb, text, error) in table {
        assert_eq!(parse(verb, &answer(0, text, "")), Err(error), "{verb}: {text}");
    }
}

#[test]
fn a_file_is_cut_at_256_kib() {
    let bytes = |n: usize| Answer { stdout: vec![b'x'; n], stderr: Vec::new(), exit: Exit::Status(0), timing: None };
    assert!(!files::read(&bytes(262_144)).unwrap().truncated);
    let long = files::read(&bytes(262_145)).unwrap();
    assert!(long.truncated);
    assert_eq!(long.bytes.len(), 262_144);
}

#[test]
fn tg05_a_deep_answer_is_not_followed_down() {
    let deep = format!("{{\"MESSAGE\":{}\n", "[".repeat(100_000));
    assert_eq!(parse(Verb::ServicesLogs, &answer(0, &deep, "")), Err(Garbled));
}

fn verbs() -> impl Strategy<Value = Verb> {
    prop::sample::select(Verb::ALL)
}

proptest! {
    #[test]
    fn tg05_noise_never_breaks_a_reader(verb in verbs(), stdout in prop::collection::vec(any::<u8>(), 0..400), status in 0u32..3) {
        let _ = parse(verb, &Answer { stdout, stderr: Vec::new(), exit: Exit::Status(status), timing: None });
    }

    /// A real answer with a few characters replaced.
    #[test]
    fn tg05_damage_never_breaks_a_reader(
        row in prop::sample::select(RECORDED),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<char>()), 1..4),
    ) {
        let (verb, status, text) = row;
        let mut chars: Vec<char> = text.chars().collect();
        for (at, c) in damage {
            let at = at.index(chars.len());
            chars[at] = c;
        }
        let text: String = chars.into_iter().collect();
        let _ = parse(verb, &answer(status, &text, ""));
    }
}

#[test]
fn tg01_a_login_shells_greeting_is_no_data() {
    let grepped = [Verb::SystemIdentity, Verb::SystemUptime, Verb::SystemLoad, Verb::SystemMemory];
    for &(verb, status, stdout) in RECORDED.iter().filter(|(verb, _, _)| grepped.contains(verb)) {
        // Noise before the answer, and noise that looks like a second answer.
        let first = stdout.lines().next().unwrap();
        for noise in ["Welcome to db01!\n".to_owned(), format!("{first}\n")] {
            let parsed = parse(verb, &answer(status, &format!("{noise}{stdout}"), ""));
            assert_eq!(parsed.unwrap_err(), Garbled, "{verb}: {noise:?}");
        }
        // A warning about the locale does not change the answer.
        let warning =
            "bash: warning: setlocale: LC_ALL: cannot change locale (de_DE.UTF-8): No such file or directory\n";
        assert!(parse(verb, &answer(status, stdout, warning)).is_ok(), "{verb}");
    }
}

#[test]
fn tx09_no_mount_point_or_source_moves_the_columns() {
    let header =
        "Filesystem              Type        1B-blocks        Used       Avail   Inodes  IUsed    IFree Mounted on\n";
    let figures = "ext4     270553174016 14266224640 83306524672 16777216 463245 16313971";
    let read = |row: &str| {
        system::filesystems(&answer(0, &format!("{header}{row}\n"), ""))
            .map(|parsed| parsed.into_iter().map(|f| (f.source, f.size, f.mount_point)).collect::<Vec<_>>())
    };
    let size = 270_553_174_016;
    let point = "/m/[redacted:a] ext4 9000000 1 8999999 9 1 8 /-----BEGIN PRIVATE KEY-----";
    let plain = read(&format!("/dev/vda                {figures} {point}"));
    assert_eq!(plain, Ok(vec![("/dev/vda".to_owned(), size, point.to_owned())]));
    let redacted = "http://user:[redacted:url-password]@h/";
    assert_eq!(read(&format!("{redacted} {figures} /m")), Ok(vec![(redacted.to_owned(), size, "/m".to_owned())]));
    // A source with this name, which is ambiguous.
    let wide = header.replace(" Type", "      Type");
    let row = format!("{wide}[redacted:a] x 1 1 1 1 1 1 / {figures} /m\n");
    assert!(matches!(system::filesystems(&answer(0, &row, "")), Err(Garbled)));
    assert_eq!(read(&format!("[redacted:a]            {figures} /m")), Err(Garbled));
}

#[test]
fn tg07_a_clock_is_read_to_the_microsecond_or_not_at_all() {
    let read = good(Verb::SystemClock, 0, "2026-11-22T04:39:55,419268999+0000\n");
    assert!(read.contains("time-us: 1795322395419268, asked-us: 1795322395400000, elapsed-us: 30000"), "{read}");
    for wrong in [
        "",
        "2026-11-22T04:39:55,419268365+00:00",
        "2026-11-22T04:39:55,419268365+01:00\n",
        "2026-11-22T04:39:55.419268365+00:00\n",
        "2026-11-22T04:39:55,41926836+00:00\n",
        "2026-11-22T04:39:55,+19268365+00:00\n",
        "2026-11-32T04:39:55,419268365+00:00\n",
        "2026-11-22T04:39,419268365+00:00\n",
        "1869-11-22T04:39:55,419268365+00:00\n",
        "2026-11-22T04:39:55,419268365+00:00\n2026-11-22T04:39:55,419268365+00:00\n",
        "welcome\n2026-11-22T04:39:55,419268365+00:00\n",
        "Sun Nov 22 04:39:55 UTC 2026\n",
    ] {
        assert_eq!(parse(Verb::SystemClock, &answer(0, wrong, "")), Err(Garbled), "{wrong:?}");
    }
    let untimed = Answer { timing: None, ..answer(0, "2026-11-22T04:39:55,419268365+00:00\n", "") };
    assert_eq!(parse(Verb::SystemClock, &untimed), Err(Garbled), "the time of the question is unknown");
    assert_eq!(parse(Verb::SystemClock, &answer(1, "", "date: invalid option -- 'I'\n")), Err(Unsupported));
}

#[test]
fn tg07_what_is_not_accounted_for_is_none_and_not_a_large_number() {
    let usage = |text: &str| parse(Verb::ServicesUsage, &answer(0, text, ""));
    let head = "Id=a.slice\nLoadState=loaded\nActiveState=active\nActiveEnterTimestampMonotonic=0\n";
    let read =
        usage(&format!("{head}CPUUsageNSec=18446744073709551615\nMemoryCurrent=infinity\nTasksCurrent=[not set]\n"));
    let read = read.unwrap().for_encoder().to_owned();
    for none in ["cpu-ns: None", "memory: None", "memory-peak: None", "tasks: None", "started-since-boot: None"] {
        assert!(read.contains(none), "{none}: {read}");
    }
    assert_eq!(usage(&head.replace("=loaded", "=not-found")), Err(NotFound));
    for wrong in [
        "CPUUsageNSec=-1\n",
        "CPUUsageNSec=1.5\n",
        "TasksCurrent=0x10\n",
        "Id=b\n",
        "no equals sign\n",
        "CPUUsageNSec=1",
    ] {
        assert_eq!(usage(&format!("{head}{wrong}")), Err(Garbled), "{wrong:?}");
    }
    assert_eq!(usage("Id=a.slice\nLoadState=loaded\nActiveState=active\n"), Err(Garbled), "a property is missing");
}

fn row(verb: Verb) -> &'static str {
    RECORDED.iter().find(|(other, ..)| *other == verb).unwrap().2
}

#[test]
fn tg05_a_server_that_hides_a_part_has_not_answered() {
    let hidden = row(Verb::PostgresActivity).replace("\nt\t100", "\nf\t100");
    assert_eq!(parse(Verb::PostgresActivity, &answer(0, &hidden, "")), Err(NotPermitted));
    let hidden = row(Verb::PostgresLocks).lines().next().unwrap().to_owned() + "\nf" + &"\t␀".repeat(15) + "\n";
    assert_eq!(parse(Verb::PostgresLocks, &answer(0, &hidden, "")), Err(NotPermitted));
    assert_eq!(good(Verb::PostgresLocks, 0, &hidden.replace("\nf", "\nt")), "[]", "no session waits");
    let hidden = row(Verb::PostgresReplication).replace("t\tserver", "f\tserver");
    assert_eq!(parse(Verb::PostgresReplication, &answer(0, &hidden, "")), Err(NotPermitted));
    // A header alone is garbled: the client itself is connected, and every server has settings, a role, and an answer about
    // locks.
    for verb in [Verb::PostgresActivity, Verb::PostgresSettings, Verb::PostgresReplication, Verb::PostgresLocks] {
        let header = row(verb).lines().next().unwrap().to_owned() + "\n";
        assert_eq!(parse(verb, &answer(0, &header, "")), Err(Garbled), "{verb}");
    }
}

#[test]
fn tg05_a_table_that_is_not_the_querys_own_is_garbled() {
    let query = |text: &str| parse(Verb::PostgresQuery, &answer(0, text, ""));
    assert!(query("a\nColumn\tType\na\ttext\n").is_ok(), "no rows");
    for bad in [
        "",
        "\n",
        "The command has no result, or the result has no columns.\n",
        "a\n1\n",
        // The description is of another table, or has a column more or less.
        "a\n1\nColumn\tType\nb\tinteger\n",
        "a\n1\nColumn\tType\na\tinteger\nb\ttext\n",
        "a\tb\n1\t2\nColumn\tType\na\tinteger\n",
        "a\n1\t2\nColumn\tType\na\tinteger\n",
        // These are not numbers, although the type is numeric.
        "a\n0x10\nColumn\tType\na\tinteger\n",
        "a\ninf\nColumn\tType\na\treal\n",
        "a\n\nColumn\tType\na\tinteger\n",
        "a\nyes\nColumn\tType\na\tboolean\n",
        "a\nx\0y\nColumn\tType\na\ttext\n",
    ] {
        assert_eq!(query(bad), Err(Garbled), "{bad:?}");
    }
    // Rows that resemble a description are rows. Only the last one is the description.
    let read = query("Column\tType\nColumn\tType\nx\ty\nColumn\tType\nColumn\ttext\nType\ttext\n").unwrap();
    assert!(read.for_encoder().contains(r#"[Cell::Text("x"), Cell::Text("y")]"#), "{}", read.for_encoder());
    let rows = |count: usize| format!("a\n{}Column\tType\na\tinteger\n", "1\n".repeat(count));
    assert!(query(&rows(1_000)).is_ok());
    assert_eq!(query(&rows(1_001)), Err(VerbError::TooLarge));
    // A column more, one less, another name, another order.
    let databases = row(Verb::PostgresDatabases);
    for (from, to) in [
        ("frozen_age\n", "frozen_age\tx\n"),
        ("\tfrozen_age", ""),
        ("bytes", "Bytes"),
        ("datname\tbytes", "bytes\tdatname"),
    ] {
        let bad = databases.replacen(from, to, 1);
        assert_eq!(parse(Verb::PostgresDatabases, &answer(0, &bad, "")), Err(Garbled), "{bad:?}");
    }
    assert_eq!(parse(Verb::PostgresDatabases, &answer(0, &databases.replace("226492416", "-1"), "")), Err(Garbled));
}

#[test]
fn what_is_new_is_what_came_since_the_last_run() {
    const DAY: u64 = 86_400_000;
    let now_ms = 1_795_296_500_000;
    let line = |time_ms: u64| {
        format!("{{\"MESSAGE\":\"{time_ms}\",\"PRIORITY\":\"3\",\"__REALTIME_TIMESTAMP\":\"{time_ms}000\"}}\n")
    };
    let read = |times: &[u64], previous_ms: Option<u64>| {
        let text: String = times.iter().map(|time| line(*time)).collect();
        let new = journal::since_last_run(&answer(0, &text, ""), since(now_ms, previous_ms)).unwrap();
        assert_eq!(new.since_ms, previous_ms);
        (new.entries.iter().map(|entry| entry.time_ms).collect::<Vec<_>>(), new.complete)
    };
    let last = now_ms - DAY;
    // Two clocks: up to a minute before counts as after.
    let times = [last - 120_000, last - 60_001, last - 60_000, last, now_ms, now_ms + 5_000];
    assert_eq!(read(&times, Some(last)), (times[2..].to_vec(), true));
    assert_eq!(read(&times, None), (times.to_vec(), true));
    assert_eq!(read(&[], Some(last)), (vec![], true));
    // More than can be returned: the newest are returned, and that there are others.
    let many: Vec<u64> = (0..1_001).map(|n| now_ms - 1_001 + n).collect();
    assert_eq!(read(&many, Some(last)), (many[1..].to_vec(), false));
    assert_eq!(read(&many, None), (many[1..].to_vec(), false));
    assert_eq!(read(&many, Some(now_ms + 60_000 - 500)), (many[501..].to_vec(), true), "but the older are old");
    // Before the start of the window.
    assert!(!read(&[now_ms], Some(now_ms - 9 * DAY)).1);
    let text: String = (1..=1_002).map(line).collect();
    assert!(matches!(journal::since_last_run(&answer(0, &text, ""), Context::default()), Err(Garbled)));
}
