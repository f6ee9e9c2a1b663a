//! Calls all of inert WASI, or one thing of it that would hurt if it were not inert.

#![expect(unsafe_code, reason = "wit-bindgen writes the export")]

mod bindings {
    wit_bindgen::generate!({ path: ["../../../wit", "wit"], world: "test:inert/inert", generate_all });
}

use bindings::{
    Guest,
    bailiwick::ops::{
        params,
        reports::{Failure, Finding, Report, Severity},
        types::Target,
    },
    wasi::{
        cli::{environment, exit, stderr, stdin, stdout, terminal_stderr, terminal_stdin, terminal_stdout},
        clocks::{monotonic_clock, wall_clock},
        io::{
            poll,
            streams::{OutputStream, StreamError},
        },
        random::{insecure, insecure_seed, random},
    },
};

struct Inert;

impl Guest for Inert {
    fn examine(targets: Vec<Target>) -> Result<Report, Failure> {
        let behaviour = targets.first().and_then(|target| match params::get(target, "behaviour") {
            Some(params::Value::Text(text)) => Some(text),
            _ => None,
        });
        let findings = match behaviour.as_deref() {
            Some("observe") => observe(),
            Some("random-gib") => vec![seen("bytes", random::get_random_bytes(1 << 30).len())],
            Some("random-all") => vec![seen("bytes", random::get_random_bytes(u64::MAX).len())],
            Some("random-loop") => loop {
                drop(random::get_random_bytes(1 << 20));
            },
            Some("number-loop") => loop {
                random::get_random_u64();
            },
            Some("stdout-flood") => stdout_flood(),
            Some("sleep") => {
                monotonic_clock::subscribe_duration(1_000_000_000).block();
                vec![seen("slept", true)]
            }
            Some("poll") => {
                let late = monotonic_clock::subscribe_instant(u64::MAX);
                vec![seen("polled", poll::poll(&[&late]))]
            }
            Some("pollables") => {
                let all: Vec<_> = (0..10_000).map(monotonic_clock::subscribe_duration).collect();
                vec![seen("pollables", all.len())]
            }
            Some("exit") => {
                exit::exit(Ok(()));
                vec![seen("still", "here")]
            }
            Some("exit-with-code") => {
                exit::exit_with_code(3);
                vec![seen("still", "here")]
            }
            other => vec![seen("unknown", other)],
        };
        Ok(Report { findings })
    }
}

/// One thing that it saw.
fn seen(code: &str, what: impl std::fmt::Debug) -> Finding {
    Finding {
        code: code.to_owned(),
        severity: Severity::Ok,
        subject: String::new(),
        title: format!("{what:?}"),
        metrics: Vec::new(),
        evidence: Vec::new(),
    }
}

fn observe() -> Vec<Finding> {
    let out = stdout::get_stdout();
    let err = stderr::get_stderr();
    let input = stdin::get_stdin();
    let soon = monotonic_clock::subscribe_duration(0);
    let late = monotonic_clock::subscribe_duration(1);
    let ready = poll::poll(&[&late, &input.subscribe(), &soon, &out.subscribe()]);
    soon.block();
    vec![
        seen("arguments", environment::get_arguments()),
        seen("environment", environment::get_environment()),
        seen("cwd", environment::initial_cwd()),
        seen("stdin", (ended(&input.read(10)), ended(&input.blocking_read(10)))),
        seen("stdin-skip", (ended(&input.skip(10)), ended(&input.blocking_skip(10)))),
        seen("stdout", written(&out)),
        seen("stderr", written(&err)),
        seen("splice", (ended(&out.splice(&input, 10)), ended(&out.blocking_splice(&input, 10)))),
        seen(
            "terminals",
            (terminal_stdin::get_terminal_stdin().is_some(), terminal_stdout::get_terminal_stdout().is_some()),
        ),
        seen("terminal-stderr", terminal_stderr::get_terminal_stderr().is_some()),
        seen("monotonic", (monotonic_clock::now(), monotonic_clock::now(), monotonic_clock::resolution())),
        seen("wall", (wall_clock::now(), wall_clock::resolution())),
        seen("ready", (ready, late.ready())),
        seen("random", random::get_random_bytes(12)),
        seen("random-number", random::get_random_u64()),
        seen("insecure", (insecure::get_insecure_random_bytes(3), insecure::get_insecure_random_u64())),
        seen("seed", insecure_seed::insecure_seed()),
    ]
}

/// The result of a read.
fn ended<T>(result: &Result<T, StreamError>) -> &'static str {
    match result {
        Ok(_) => "data",
        Err(StreamError::Closed) => "closed",
        Err(StreamError::LastOperationFailed(error)) => {
            drop(error.to_debug_string());
            "failed"
        }
    }
}

/// Everything that can be done to an output stream.
fn written(to: &OutputStream) -> (u64, bool) {
    let room = to.check_write().unwrap_or(0);
    let all = to.write(b"somewhere").is_ok()
        && to.flush().is_ok()
        && to.blocking_flush().is_ok()
        && to.blocking_write_and_flush(b"nowhere").is_ok()
        && to.check_write().is_ok()
        && to.write_zeroes(9).is_ok()
        && to.blocking_write_zeroes_and_flush(9).is_ok();
    (room, all)
}

/// 6 GiB, as fast as it goes.
fn stdout_flood() -> Vec<Finding> {
    let out = stdout::get_stdout();
    let bytes = vec![b'x'; 512 << 10];
    let written = (0..12_000).filter(|_| out.write(&bytes).is_ok()).count();
    vec![seen("written", written)]
}

bindings::export!(Inert with_types_in bindings);
