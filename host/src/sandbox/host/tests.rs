//! Readers against what real machines said, what they say when something is missing, and noise.

mod commands;
mod containers;
mod packages;

use proptest::prelude::*;

use super::*;
use crate::transport::{Exit, Timing};

use LookError::{Garbled, NotFound, NotPermitted, Unsupported};

fn answer(status: u32, stdout: &str, stderr: &str) -> RawAnswer {
    let timing = Some(Timing { asked_us: 1_795_322_395_400_000, elapsed_us: 30_000 });
    RawAnswer { stdout: stdout.into(), stderr: stderr.into(), exit: Exit::Status(status), timing }
}

fn good(verb: Verb, status: u32, stdout: &str) -> String {
    match parse(verb, &answer(status, stdout, "")) {
        Ok(said) => said.for_encoder().to_owned(),
        Err(error) => panic!("{verb}: {error}"),
    }
}

const NO_SYSTEMD: &str = "System has not been booted with systemd as init system (PID 1). Can't operate.\n\
    Failed to connect to bus: Host is down\n";
const MISSING: &str = "/usr/bin/env: 'systemctl': No such file or directory\n";
const BUSYBOX_OPTION: &str = "df: unrecognized option: output=source,fstype\nBusyBox v1.36.1 multi-call binary.\n";

/// One healthy answer of every verb, from Debian 12.
const HEALTHY: &[(Verb, u32, &str)] = &[
    (
        Verb::SystemIdentity,
        0,
        "/proc/sys/kernel/hostname:vm\n/proc/sys/kernel/osrelease:6.18.44-fc\n/etc/os-release:PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n\
         /etc/os-release:VERSION_ID=\"12\"\n/etc/os-release:ID=debian\n",
    ),
    (
        Verb::SystemUptime,
        2,
        "/proc/uptime:961.87 1036.63\n/run/reboot-required:*** System restart required ***\n/run/reboot-required.pkgs:linux-image-amd64\n",
    ),
    (Verb::SystemLoad, 0, "/proc/loadavg:0.65 1.37 0.79 2/89 13375\n/sys/devices/system/cpu/online:0-3,8\n"),
    (
        Verb::SystemMemory,
        0,
        "/proc/meminfo:MemTotal:       24684084 kB\n/proc/meminfo:MemFree:        22361808 kB\n/proc/meminfo:MemAvailable:   24250152 kB\n\
         /proc/meminfo:SwapCached:            0 kB\n/proc/meminfo:SwapTotal:             8 kB\n/proc/meminfo:SwapFree:              4 kB\n\
         /proc/meminfo:HugePages_Total:       0\n",
    ),
    (
        Verb::SystemFilesystems,
        1,
        "Filesystem              Type        1B-blocks        Used       Avail   Inodes  IUsed    IFree Mounted on\n\
         devtmpfs                devtmpfs  12630487040           0 12630487040  3083615    114  3083501 /dev\n\
         my own source           fuse.x           4096        4096          -1        -      -        - /srv/two words\n\
         /dev/vda                ext4     270553174016 14266224640 83306524672 16777216 463245 16313971 /\n",
    ),
    (Verb::SystemTimeSync, 0, "Timezone=Etc/UTC\nNTP=yes\nNTPSynchronized=no\n"),
    (Verb::SystemClock, 0, "2026-11-22T04:39:55,419268365+00:00\n"),
    (
        Verb::ServicesUsage,
        0,
        "MemoryCurrent=4739072\nCPUUsageNSec=1523067000\nTasksCurrent=1\nIOReadBytes=18446744073709551615\n\
         IOWriteBytes=[not set]\nId=ssh.service\nLoadState=loaded\nActiveState=active\nActiveEnterTimestampMonotonic=6021875\n",
    ),
    (
        Verb::SystemLogins,
        0,
        "root     tty1         Nov 21 10:36\nalice    pts/0        Nov 21 12:00 (192.0.2.17)\n\
         averyveryverylongusernameindeed pts/1        Nov 21 12:01 (very-long-host-name.some.example.org)\n\
         bob      sshd pts/2   2026-10-22 12:00 (2001:db8::17)\n",
    ),
    (Verb::FilesRead, 0, "anything\nat all"),
    (Verb::FilesStat, 0, "81a4,380289,1795296195,root,adm\n"),
    (
        Verb::ServicesStatus,
        0,
        "Result=exit-code\nNRestarts=2\nExecMainExitTimestampMonotonic=916225212\nExecMainStatus=3\nMemoryCurrent=[not set]\n\
         Id=bw-broken.service\nLoadState=loaded\nActiveState=failed\nSubState=failed\nUnitFileState=enabled\n\
         StateChangeTimestampMonotonic=916225905\n",
    ),
    (
        Verb::ServicesFailed,
        0,
        "bw-broken.service loaded failed failed A service that always fails\nx.mount not-found failed failed x.mount\n",
    ),
    (
        Verb::ServicesLogs,
        0,
        concat!(
            r#"{"MESSAGE":"quote \" and \\","PRIORITY":"3","__REALTIME_TIMESTAMP":"1795296408353790","_BOOT_ID":"c7"}"#,
            "\n",
            r#"{"MESSAGE":[255,254,32,108],"PRIORITY":"4","__REALTIME_TIMESTAMP":"1795296408353790"}"#,
            "\n",
            r#"{"MESSAGE":null,"PRIORITY":["2","7"],"__REALTIME_TIMESTAMP":"1795296408353790"}"#,
            "\n"
        ),
    ),
    (
        Verb::NetworkListeners,
        2,
        "/proc/net/tcp:   0: 0100007F:07E8 00000000:0000 0A 00000000:00000000 00:00000000 00000000   113        0 1061 1 00000000857d0ccc 100 0 0 10 0\n\
         /proc/net/tcp:   1: 0100007F:000A 0100007F:D431 01 00000000:00000000 00:00000000 00000000     0        0 1062 1 00000000857d0ccc 20 4 0 10 -1\n\
         /proc/net/tcp6:   0: B80D0120000000000000000001000000:0016 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 9 1 0 100 0 0 10 0\n\
         /proc/net/udp:   5: 00000000:0044 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 7 2 0 0\n",
    ),
    (
        Verb::ContainersList,
        0,
        concat!(
            r#"{"Command":"\"sleep\"","ID":"1fa9","Image":"localhost/bb:1","Labels":"","Names":"sick","State":"running","Status":"Up 21 seconds (unhealthy)"}"#,
            "\n",
            r#"{"Command":"\"false\"","ID":"3cd3","Image":"localhost/bb:1","Labels":"a=b","Names":"broken","State":"exited","Status":"Exited (3) 20 seconds ago"}"#,
            "\n"
        ),
    ),
    (Verb::ContainersStatus, 0, containers::SICK),
    (Verb::ContainersLogs, 0, "2026-11-22T04:17:25.130432305Z trying\n2026-11-22T04:17:26+01:00 again\n"),
    (Verb::CommandsRun, 0, "all pools are healthy\n"),
    (Verb::PackagesPending, 0, packages::APT),
    (Verb::PackagesLists, 1, "1795295885,/var/lib/apt/lists\n1795320764,/var/lib/apt/lists/partial\n"),
];

/// Verbs whose answer is anything at all, and so no less when it is cut.
const ANYTHING: &[Verb] = &[Verb::FilesRead, Verb::CommandsRun];

#[test]
fn healthy_answers() {
    let said: Vec<String> =
        HEALTHY.iter().map(|&(verb, status, text)| format!("{verb}\n  {}", good(verb, status, text))).collect();
    assert_eq!(HEALTHY.len(), Verb::ALL.len(), "one of every verb");
    insta::assert_snapshot!(said.join("\n"));
}

#[test]
fn a_cut_answer_is_never_read_as_a_whole_one() {
    for &(verb, status, text) in HEALTHY {
        for cut in 0..text.len() {
            let outcome = parse(verb, &answer(status, &text[..cut], ""));
            let whole_lines = text[..cut].ends_with('\n') || cut == 0;
            if !ANYTHING.contains(&verb) && !whole_lines {
                assert_eq!(outcome, Err(Garbled), "{verb} cut at {cut}");
            }
        }
    }
}

#[test]
fn failures_mean_the_same_everywhere() {
    use Verb::*;
    let table: &[(Verb, u32, &str, LookError)] = &[
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
    for exit in [Exit::Signal, Exit::Unsaid] {
        // A program of the operator's may end by a signal: that is an answer.
        for &(verb, _, text) in HEALTHY.iter().filter(|(verb, ..)| *verb != Verb::CommandsRun) {
            let answer = RawAnswer { stdout: text.into(), stderr: Vec::new(), exit, timing: None };
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
    let status = HEALTHY.iter().find(|(verb, ..)| *verb == Verb::ServicesStatus).unwrap();
    let missing = status.2.replace("LoadState=loaded", "LoadState=not-found");
    assert_eq!(parse(Verb::ServicesStatus, &answer(0, &missing, "")), Err(NotFound));
}

#[test]
fn other_systems_tables_are_not_guessed_at() {
    let table: &[(Verb, &str, LookError)] = &[
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
    let bytes = |n: usize| RawAnswer { stdout: vec![b'x'; n], stderr: Vec::new(), exit: Exit::Status(0), timing: None };
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
        let _ = parse(verb, &RawAnswer { stdout, stderr: Vec::new(), exit: Exit::Status(status), timing: None });
    }

    /// A real answer with a few characters replaced.
    #[test]
    fn tg05_damage_never_breaks_a_reader(
        row in prop::sample::select(HEALTHY),
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
    for &(verb, status, stdout) in HEALTHY.iter().filter(|(verb, _, _)| grepped.contains(verb)) {
        // Noise before the answer, and noise that looks like a second answer.
        let first = stdout.lines().next().unwrap();
        for noise in ["Welcome to db01!\n".to_owned(), format!("{first}\n")] {
            let found = parse(verb, &answer(status, &format!("{noise}{stdout}"), ""));
            assert_eq!(found.unwrap_err(), Garbled, "{verb}: {noise:?}");
        }
        // A complaint about the locale says nothing about the answer.
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
            .map(|found| found.into_iter().map(|f| (f.source, f.size, f.mount_point)).collect::<Vec<_>>())
    };
    let size = 270_553_174_016;
    let point = "/m/[redacted:a] ext4 9000000 1 8999999 9 1 8 /-----BEGIN PRIVATE KEY-----";
    let plain = read(&format!("/dev/vda                {figures} {point}"));
    assert_eq!(plain, Ok(vec![("/dev/vda".to_owned(), size, point.to_owned())]));
    let redacted = "http://user:[redacted:url-password]@h/";
    assert_eq!(read(&format!("{redacted} {figures} /m")), Ok(vec![(redacted.to_owned(), size, "/m".to_owned())]));
    // A source that is called so: both ways fit.
    let wide = header.replace(" Type", "      Type");
    let row = format!("{wide}[redacted:a] x 1 1 1 1 1 1 / {figures} /m\n");
    assert!(matches!(system::filesystems(&answer(0, &row, "")), Err(Garbled)));
    assert_eq!(read(&format!("[redacted:a]            {figures} /m")), Err(Garbled));
}

#[test]
fn tg07_a_clock_is_read_to_the_microsecond_or_not_at_all() {
    let said = good(Verb::SystemClock, 0, "2026-11-22T04:39:55,419268999+0000\n");
    assert!(said.contains("time-us: 1795322395419268, asked-us: 1795322395400000, elapsed-us: 30000"), "{said}");
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
    let untimed = RawAnswer { timing: None, ..answer(0, "2026-11-22T04:39:55,419268365+00:00\n", "") };
    assert_eq!(parse(Verb::SystemClock, &untimed), Err(Garbled), "nobody knows when that was asked");
    assert_eq!(parse(Verb::SystemClock, &answer(1, "", "date: invalid option -- 'I'\n")), Err(Unsupported));
}

#[test]
fn tg07_what_is_not_accounted_for_is_none_and_not_a_large_number() {
    let usage = |text: &str| parse(Verb::ServicesUsage, &answer(0, text, ""));
    let head = "Id=a.slice\nLoadState=loaded\nActiveState=active\nActiveEnterTimestampMonotonic=0\n";
    let said =
        usage(&format!("{head}CPUUsageNSec=18446744073709551615\nMemoryCurrent=infinity\nTasksCurrent=[not set]\n"));
    let said = said.unwrap().for_encoder().to_owned();
    for none in ["cpu-ns: None", "memory: None", "memory-peak: None", "tasks: None", "started-since-boot: None"] {
        assert!(said.contains(none), "{none}: {said}");
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
