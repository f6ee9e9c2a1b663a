//! Compares two reports of one run, and names the first difference.
//!
//! Knows: reports. Must not know: how either was made. Pure.

use super::Replayed;
use bailiwick_core::ascii_json;
use bailiwick_core::model::{Finding, Report, Tainted, VerbError};
use bailiwick_core::outcome::{Call, DigestVersion, Run, RunOutcome};
use bailiwick_core::redact::Counts;
use bailiwick_journal::{RunEnd, Sha};

/// The first difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Where: `call 2, action`, `finding 1, title`.
    pub place: String,
    /// What was recorded.
    pub recorded: Tainted,
    /// What the replay has in its place.
    pub replayed: Tainted,
}

/// Compares a replayed report with the recorded one. `digest` is the one in the journal, with its version; an older program
/// wrote none.
pub(super) fn reports(digest: Option<&(DigestVersion, Sha)>, recorded: &Run, replayed: &Run) -> Replayed {
    let version = digest.map_or(DigestVersion::CURRENT, |(version, _)| *version);
    let now = replayed.digest_as(version);
    let read_back = Run { outcome: read_back(&replayed.outcome), ..replayed.clone() };
    let same = match digest {
        Some((_, then)) => then.as_str() == now,
        None => read_back.digest_as(version) == recorded.digest_as(version),
    };
    if same {
        return Replayed::Identical(now);
    }
    let difference = calls(version, &recorded.calls, &replayed.calls)
        .or_else(|| outcomes(&recorded.outcome, &read_back.outcome))
        .unwrap_or_else(|| {
            let then = digest.map_or_else(|| recorded.digest_as(version), |(_, digest)| digest.to_string());
            differ("the whole report", format!("sha256:{then}"), format!("sha256:{now}"))
        });
    Replayed::Differs(difference)
}

/// An outcome as it is after it was written and read: the last digit of a number may change, in the same way on both sides.
fn read_back(outcome: &RunOutcome) -> RunOutcome {
    let RunOutcome::Report(report) = outcome else { return outcome.clone() };
    let written = ascii_json::to_vec(&RunEnd::Report(report.clone())).ok();
    match written.and_then(|text| serde_json::from_slice(&text).ok()) {
        Some(RunEnd::Report(report)) => RunOutcome::Report(report),
        _ => outcome.clone(),
    }
}

fn differ(place: impl Into<String>, recorded: impl Into<String>, replayed: impl Into<String>) -> Difference {
    Difference { place: place.into(), recorded: Tainted::new(recorded), replayed: Tainted::new(replayed) }
}

/// The difference of two texts, if they differ.
fn texts(place: impl FnOnce() -> String, recorded: String, replayed: String) -> Option<Difference> {
    (recorded != replayed).then(|| differ(place(), recorded, replayed))
}

fn calls(version: DigestVersion, recorded: &[Call], replayed: &[Call]) -> Option<Difference> {
    let most = recorded.len().max(replayed.len());
    (0..most).find_map(|index| {
        let number = index + 1;
        match (recorded.get(index), replayed.get(index)) {
            (Some(then), Some(now)) => call(version, number, then, now),
            (then, now) => Some(differ(
                format!("call {number}"),
                then.map_or("no further call".to_owned(), asks),
                now.map_or("no further call".to_owned(), asks),
            )),
        }
    })
}

fn asks(call: &Call) -> String {
    match &call.action {
        Some(action) => action.to_string(),
        None => format!("{} (refused)", call.asked.for_encoder()),
    }
}

fn call(version: DigestVersion, number: usize, then: &Call, now: &Call) -> Option<Difference> {
    let error = |error: Option<VerbError>| error.map_or("an answer".to_owned(), |error| error.to_string());
    // Version 2 does not cover what the host wrote.
    let cause = |call: &Call| match version {
        DigestVersion::V1 => call.cause.clone().unwrap_or_default(),
        DigestVersion::V2 => String::new(),
    };
    let redacted = |counts: &Counts| {
        let counts: Vec<_> = counts.iter().map(|(rule, count)| format!("{rule}: {count}")).collect();
        if counts.is_empty() { "nothing".to_owned() } else { counts.join(", ") }
    };
    let at = |what: &'static str| move || format!("call {number}, {what}");
    let target = |call: &Call| call.target.as_ref().map_or("the only target".to_owned(), ToString::to_string);
    texts(at("action"), asks(then), asks(now))
        .or_else(|| texts(at("target"), target(then), target(now)))
        .or_else(|| texts(at("error"), error(then.error), error(now.error)))
        .or_else(|| texts(at("cause"), cause(then), cause(now)))
        .or_else(|| texts(at("what was redacted"), redacted(&then.redacted), redacted(&now.redacted)))
}

fn outcomes(then: &RunOutcome, now: &RunOutcome) -> Option<Difference> {
    match (then, now) {
        (RunOutcome::Report(then), RunOutcome::Report(now)) => findings(then, now),
        (
            RunOutcome::CouldNotCheck { reason: then, error: then_error },
            RunOutcome::CouldNotCheck { reason: now, error: now_error },
        ) => {
            let text = |reason: &Tainted| reason.for_encoder().to_owned();
            let error = |error: &Option<VerbError>| error.map_or("none".to_owned(), |error| error.to_string());
            texts(|| "the end, error".to_owned(), error(then_error), error(now_error))
                .or_else(|| texts(|| "the end, reason".to_owned(), text(then), text(now)))
        }
        _ => texts(|| "the end".to_owned(), ended(then), ended(now)),
    }
}

fn ended(outcome: &RunOutcome) -> String {
    match outcome {
        RunOutcome::Report(report) => format!("a report with {} findings", report.findings.len()),
        RunOutcome::CouldNotCheck { reason, .. } => format!("it could not check: {}", reason.for_encoder()),
        RunOutcome::Fault(fault) => format!("it broke: {fault}"),
        RunOutcome::Refused { reason } => format!("it was refused: {reason}"),
    }
}

fn findings(then: &Report, now: &Report) -> Option<Difference> {
    let most = then.findings.len().max(now.findings.len());
    (0..most).find_map(|index| {
        let number = index + 1;
        let whole = |finding: Option<&Finding>| {
            let line = |finding: &Finding| format!("{} {}", finding.severity.name(), finding.code);
            finding.map_or("no further finding".to_owned(), line)
        };
        match (then.findings.get(index), now.findings.get(index)) {
            (Some(then), Some(now)) => finding(number, then, now),
            (then, now) => Some(differ(format!("finding {number}"), whole(then), whole(now))),
        }
    })
}

fn finding(number: usize, then: &Finding, now: &Finding) -> Option<Difference> {
    let at = |what: &'static str| move || format!("finding {number}, {what}");
    let text = |text: &Tainted| text.for_encoder().to_owned();
    let evidence = |finding: &Finding| finding.evidence.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let plain = texts(at("code"), then.code.clone(), now.code.clone())
        .or_else(|| texts(at("severity"), then.severity.name().to_owned(), now.severity.name().to_owned()))
        .or_else(|| texts(at("subject"), text(&then.subject), text(&now.subject)))
        .or_else(|| texts(at("title"), text(&then.title), text(&now.title)))
        .or_else(|| texts(at("evidence"), evidence(then), evidence(now)));
    plain.or_else(|| {
        let most = then.metrics.len().max(now.metrics.len());
        (0..most).find_map(|index| {
            let shown = |finding: &Finding| {
                let metric = finding.metrics.get(index);
                metric
                    .map_or("none".to_owned(), |metric| format!("{} = {} {:?}", metric.name, metric.value, metric.unit))
            };
            let place = || format!("finding {number}, metric {}", index + 1);
            texts(place, shown(then), shown(now))
        })
    })
}
