//! Verbs and handles: what a guest asks, keeps and forges.

use std::sync::atomic::{AtomicU32, Ordering};

use raw::{Finding, Object, Outcome, Report, Severity, Target, VERBS, calls, count, error_name, files, finding, slots};

/// One finding; no verb is called.
pub(crate) fn quiet(_: &Target) -> Outcome {
    one(finding(Severity::Ok, "quiet", "", "nothing was asked"))
}

/// Every verb once per entry it could be asked of, and what each answered: `ok` for an answer, `unknown` and the error's name
/// for none.
pub(crate) fn ask_all_once(target: &Target) -> Outcome {
    let mut findings = Vec::new();
    for verb in VERBS {
        let slots: &[&str] = match verb.object {
            Object::None => &[],
            Object::Unit => &["unit", "units"],
            Object::Path => &["file", "files"],
            Object::Runtime => &["runtimes"],
            Object::Container => &["containers"],
            Object::Command => &["commands"],
            Object::Database => &["databases"],
            Object::Statement => &["statements"],
            Object::Url => &["url"],
            Object::Endpoint => &["endpoint"],
        };
        let keys = match verb.object {
            Object::None => vec![String::new()],
            _ => slots.iter().flat_map(|slot| slots::entries(target, slot)).map(|entry| entry.key).collect(),
        };
        for key in keys {
            let (severity, answer) = match verb.ask(target, &key) {
                Ok(()) => (Severity::Ok, "answered"),
                Err(error) => (Severity::Unknown, error_name(error)),
            };
            let mut finding = finding(severity, &verb.name.replace('.', "-"), &key, answer);
            finding.evidence.push(calls::last());
            findings.push(finding);
        }
    }
    Ok(Report { findings })
}

/// One verb; the test's target takes its time to answer. Fuel and epochs stand still meanwhile.
pub(crate) fn sleep_in_verb(target: &Target) -> Outcome {
    let (severity, answer) = match raw::load(target) {
        Ok(()) => (Severity::Ok, "answered"),
        Err(error) => (Severity::Unknown, error_name(error)),
    };
    let mut finding = finding(severity, "sleep", "", answer);
    finding.evidence.push(calls::last());
    one(finding)
}

/// What the slot's file is.
pub(crate) fn stat_file(target: &Target) -> Outcome {
    let answer = match files::stat(target, "file") {
        Ok(stat) => match stat.kind {
            files::Kind::Regular => "regular",
            files::Kind::Directory => "directory",
            files::Kind::Symlink => "symlink",
            files::Kind::Other => "other",
        },
        Err(error) => error_name(error),
    };
    one(finding(Severity::Ok, "stat", "", answer))
}

/// Checks what an earlier run left: a counter in a static, and bytes in a page of memory that should be fresh. Both
/// metrics are 0 in a store of its own.
pub(crate) fn keep_secret(_: &Target) -> Outcome {
    static RUNS: AtomicU32 = AtomicU32::new(0);
    let before = RUNS.fetch_add(1, Ordering::Relaxed);
    let left = leave_mark();
    let severity = if before == 0 && left == 0 { Severity::Ok } else { Severity::Critical };
    let mut finding = finding(severity, "keep-secret", "", "what an earlier run left behind");
    finding.metrics = vec![count("runs-before", f64::from(before)), count("bytes-left", left as f64)];
    one(finding)
}

/// Asks for a page, counts the bytes in it that are not zero, and fills it.
#[expect(unsafe_code, reason = "the page is past the allocator's")]
fn leave_mark() -> usize {
    const PAGE: usize = 64 << 10;
    let pages = core::arch::wasm32::memory_grow::<0>(1);
    if pages == usize::MAX {
        return 0;
    }
    // SAFETY: the page is new, and nothing else uses it.
    let page = unsafe { std::slice::from_raw_parts_mut((pages * PAGE) as *mut u8, PAGE) };
    let left = page.iter().filter(|byte| **byte != 0).count();
    page.fill(0xA5);
    left
}

/// A handle that was never received: a trap, before any verb.
#[expect(unsafe_code, reason = "the point")]
pub(crate) fn forge_handle(_: &Target) -> Outcome {
    // SAFETY: the host's to refuse.
    let forged = std::mem::ManuallyDrop::new(unsafe { Target::from_handle(7_777) });
    let answer = raw::load(&forged);
    one(finding(Severity::Critical, "forge-handle", "", answer.map_or_else(error_name, |()| "answered")))
}

/// A handle that was dropped: a trap too.
#[expect(unsafe_code, reason = "the point")]
pub(crate) fn stale_handle(target: &Target) -> Outcome {
    let number = target.handle();
    // SAFETY: the host's to refuse; a second drop traps as well.
    drop(unsafe { Target::from_handle(number) });
    let answer = raw::load(target);
    one(finding(Severity::Critical, "stale-handle", "", answer.map_or_else(error_name, |()| "answered")))
}

pub(crate) fn one(finding: Finding) -> Outcome {
    Ok(Report { findings: vec![finding] })
}
