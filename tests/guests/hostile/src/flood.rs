//! Too much of what is allowed in small numbers. If the host lets them come to an end, they report what they got.

use raw::{
    Outcome, Severity, Target, VerbError, clock, count, finding,
    log::{self, Level},
    params, slots,
};

use crate::ask::one;

/// A million verb calls.
pub(crate) fn calls(target: &Target) -> Outcome {
    let (mut answered, mut exhausted, mut other) = (0_u32, 0_u32, 0_u32);
    for _ in 0..1_000_000 {
        match raw::load(target) {
            Ok(()) => answered += 1,
            Err(VerbError::Exhausted) => exhausted += 1,
            Err(_) => other += 1,
        }
    }
    let mut finding = finding(Severity::Ok, "flood-calls", "", "a million verb calls");
    finding.metrics = vec![
        count("answered", f64::from(answered)),
        count("exhausted", f64::from(exhausted)),
        count("other", f64::from(other)),
    ];
    one(finding)
}

/// A million calls that reach no target.
pub(crate) fn local_calls(target: &Target) -> Outcome {
    let mut seen = 0;
    for _ in 0..200_000 {
        seen += slots::entries(target, "units").len() + target.name().len() + usize::from(clock::now_ms() > 0);
        seen += usize::from(params::get(target, "behaviour").is_some());
        log::write(Level::Debug, "");
    }
    let mut finding = finding(Severity::Ok, "flood-local", "", "a million calls that reach no target");
    finding.metrics.push(count("seen", seen as f64));
    one(finding)
}

/// Ten thousand lines: of one byte, of 1 KiB, of one byte more, and of 64 KiB; 160 MiB in all. Each may be dropped or cut,
/// none need end the run.
pub(crate) fn logs(_: &Target) -> Outcome {
    let long = "x".repeat(64 << 10);
    for number in 0..10_000_usize {
        let bytes = [1, 1 << 10, (1 << 10) + 1, 64 << 10].into_iter().nth(number % 4).unwrap_or(1);
        log::write(Level::Warning, long.get(..bytes).unwrap_or_default());
    }
    one(finding(Severity::Ok, "flood-logs", "", "ten thousand lines"))
}

/// One line of 32 MiB: more than a call may carry.
pub(crate) fn big_log(_: &Target) -> Outcome {
    log::write(Level::Info, &"x".repeat(32 << 20));
    one(finding(Severity::Ok, "big-log", "", "one long line"))
}
