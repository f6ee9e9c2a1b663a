//! The statements about each target, in the order of the page.
//!
//! Knows: which outcome becomes which line. Must not know: columns, widths, colours. Tainted text passes through the encoder
//! here, and stays marked as text of a guest.

use std::borrow::Cow;
use std::cmp::Reverse;

use crate::report;
use crate::report::tally::{RunStanding, Standing};
use bailiwick_core::model::{
    ActionId, ComponentId, Finding, Report, RunFault, Severity, Tainted, TargetName, VerbError,
};
use bailiwick_core::outcome::{Call, CheckedTarget, Run, RunOutcome, Sweep, TargetResult, Together};

use super::{Detail, Word, humane};
use bailiwick_core::encode;
use bailiwick_core::wrap::TIE;

/// Maximum columns of a guest's text, including escapes. A text of 200 bytes without escapes fits.
const GUEST_WIDTH: usize = 240;

/// Maximum columns of the host's text. It may quote the imports of a component, or the banner of an sshd.
const HOST_WIDTH: usize = 1000;

/// One target and its lines.
pub(in crate::report) struct Group<'a> {
    /// The operator's name for the target, or the number of targets.
    pub(in crate::report) target: Cow<'a, str>,
    pub(in crate::report) entries: Vec<Entry<'a>>,
}

/// One statement.
pub(in crate::report) struct Entry<'a> {
    pub(in crate::report) word: Word,
    /// The component that made it. None for a statement of the host about the whole target.
    pub(in crate::report) component: Option<&'a ComponentId>,
    pub(in crate::report) text: EntryText,
    /// Labels and texts of the host, each on a separate line.
    pub(in crate::report) details: Vec<(&'static str, String)>,
}

/// Encoded text, marked by its source.
pub(in crate::report) enum EntryText {
    Host(String),
    Guest(String),
}

impl Group<'_> {
    /// True if no person has to act.
    pub(in crate::report) fn calm(&self) -> bool {
        self.entries.iter().all(|entry| entry.word.calm())
    }

    /// The sort key: worst first; among equals the one with more of the worst, then by name.
    fn rank(&self) -> (Word, Reverse<usize>, &str) {
        let worst = self.entries.iter().map(|entry| entry.word).min().unwrap_or(Word::Rest);
        let count = self.entries.iter().filter(|entry| entry.word == worst).count();
        // The number of healthy lines does not affect the order.
        let count = if worst.calm() { 0 } else { count };
        (worst, Reverse(count), &self.target)
    }
}

/// All statements, with the worst target first, and the worst statement first within it.
pub(in crate::report) fn groups(sweep: &Sweep, detail: Detail) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = sweep.targets.iter().map(|target| group(sweep, target, detail)).collect();
    groups.extend(sweep.together.iter().map(|run| together(run, detail)));
    groups.retain(|group| !group.entries.is_empty());
    groups.sort_by(|a, b| a.rank().cmp(&b.rank()));
    groups
}

fn group<'a>(sweep: &Sweep, checked: &'a CheckedTarget, detail: Detail) -> Group<'a> {
    let entries = match &checked.result {
        TargetResult::Unreachable { cause, hint } => vec![Entry {
            details: hint.iter().map(|hint| ("hint", host(hint))).collect(),
            ..about(Word::Unreachable, None, host(cause))
        }],
        TargetResult::Refused { rule } => vec![about(Word::Refused, None, host(rule))],
        TargetResult::Runs(runs) if runs.is_empty() => match Standing::new(sweep, checked) {
            Standing::Unseen => {
                vec![about(Word::Unseen, None, "nothing ran: policy grants no component here".to_owned())]
            }
            // Its statements are with the runs on several targets.
            _ => Vec::new(),
        },
        TargetResult::Runs(runs) => {
            let mut entries: Vec<Entry<'a>> = runs.iter().flat_map(|run| of_run(run, detail)).collect();
            // A stable sort: within a word, components stay in id order and findings in the probe's order.
            entries.sort_by_key(|entry| entry.word);
            entries.extend(rest(sweep, checked, runs));
            entries
        }
    };
    Group { target: Cow::Borrowed(checked.target.as_str()), entries }
}

/// A run on several targets. Its findings name them, and the number of targets replaces a target's name.
fn together(together: &Together, detail: Detail) -> Group<'_> {
    let Together { targets, left_out, run } = together;
    let mut entries = of_run(run, detail);
    let names = || targets.iter().map(TargetName::as_str).collect::<Vec<_>>().join(", ");
    if let RunOutcome::Report(report) = &run.outcome
        && detail < Detail::Full
    {
        let fine = report.findings.iter().filter(|finding| finding.severity == Severity::Ok).count();
        if fine == report.findings.len() && detail == Detail::Brief {
            let text = format!("{}, {}", humane::count(fine, "finding"), humane::elapsed(run.elapsed_ms));
            entries.push(about(Word::Ok, Some(&run.component), text));
        }
    }
    for entry in entries.iter_mut().filter(|entry| entry.word == Word::Run) {
        entry.details.push(("targets", names()));
    }
    entries.extend(left_out.iter().map(|left| {
        let text = format!("{} is not in the run: {}", left.target, host(&left.reason));
        about(Word::Refused, Some(&run.component), text)
    }));
    entries.sort_by_key(|entry| entry.word);
    Group { target: Cow::Owned(humane::count(targets.len(), "target").replace(TIE, " ")), entries }
}

fn about(word: Word, component: Option<&ComponentId>, text: String) -> Entry<'_> {
    Entry { word, component, text: EntryText::Host(text), details: Vec::new() }
}

fn of_run(run: &Run, detail: Detail) -> Vec<Entry<'_>> {
    let component = Some(&run.component);
    let mut entries = match &run.outcome {
        RunOutcome::Report(report) => findings(run, report, detail),
        RunOutcome::CouldNotCheck { reason, error } => {
            could_not_check(run, reason, *error, detail).into_iter().collect()
        }
        RunOutcome::Fault(RunFault { message, .. }) => vec![Entry {
            details: vec![("run", format!("version {}", took(run)))],
            ..about(Word::Fault, component, format!("the probe failed: {}", host(message)))
        }],
        RunOutcome::Refused { reason } => {
            vec![about(Word::Refused, component, format!("the probe was not run: {}", host(reason)))]
        }
    };
    // A fault already includes this.
    if detail == Detail::Full && !matches!(run.outcome, RunOutcome::Fault(_)) {
        let failed = run.calls.iter().enumerate();
        let failed = failed.filter_map(|(index, call)| Some(failure(call, index + 1, call.error?)));
        // The error that stopped the run is already in its own detail.
        let is_detail =
            |text: &String| entries.iter().flat_map(|entry| &entry.details).any(|(_, detail)| detail == text);
        let mut details: Vec<_> = failed.filter(|text| !is_detail(text)).map(|text| ("failed", text)).collect();
        details.extend(run.calls.iter().filter_map(|call| Some(("redacted", redacted(call)?))));
        entries.push(Entry { details, ..about(Word::Run, component, took(run)) });
    }
    entries
}

fn findings<'a>(run: &'a Run, report: &'a Report, detail: Detail) -> Vec<Entry<'a>> {
    let shown = report.findings.iter().filter(|finding| detail >= Detail::Each || finding.severity > Severity::Ok);
    let entry = |finding: &Finding| Entry {
        word: Word::new(finding.severity),
        component: Some(&run.component),
        text: EntryText::Guest(statement(finding)),
        details: if detail == Detail::Full { basis(run, finding) } else { Vec::new() },
    };
    shown.map(entry).collect()
}

/// `subject: title`, or the title alone if it names the subject. A finding without a title shows its code.
fn statement(finding: &Finding) -> String {
    let subject = guest(&finding.subject);
    let title = if finding.title.is_empty() { host(&finding.code) } else { guest(&finding.title) };
    if subject.is_empty() || title.contains(&subject) { title } else { format!("{subject}: {title}") }
}

/// The metrics, code and evidence of a finding.
fn basis(run: &Run, finding: &Finding) -> Vec<(&'static str, String)> {
    let mut details = Vec::new();
    let metrics: Vec<String> = finding.metrics.iter().map(humane::metric).collect();
    if !metrics.is_empty() {
        details.push(("metrics", metrics.join(", ")));
    }
    let mut evidence: Vec<String> = finding.evidence.iter().map(|&number| call_name(run, number)).collect();
    evidence.dedup();
    let code = host(&finding.code);
    details.push(match evidence.as_slice() {
        [] => ("code", code),
        evidence => ("code", format!("{code}; evidence: {}", evidence.join(", "))),
    });
    details
}

/// The action of an evidence number. The name that the guest used is left out, because it is the guest's text.
fn call_name(run: &Run, number: u32) -> String {
    let index = usize::try_from(number).ok().and_then(|number| number.checked_sub(1));
    match index.and_then(|index| run.calls.get(index)) {
        Some(Call { action: Some(action), target, .. }) => on(target.as_ref(), host(action.as_str())),
        Some(_) => format!("call {number} (refused)"),
        None => format!("call {number} (there was none)"),
    }
}

fn could_not_check<'a>(run: &'a Run, reason: &Tainted, error: Option<VerbError>, detail: Detail) -> Option<Entry<'a>> {
    let word = match RunStanding::new(run) {
        RunStanding::NotApplicable if detail == Detail::Brief => return None,
        RunStanding::NotApplicable => Word::NotApplicable,
        _ => Word::Unseen,
    };
    let text =
        if reason.is_empty() { EntryText::Host("could not check".to_owned()) } else { EntryText::Guest(guest(reason)) };
    let cause = error.filter(|_| word == Word::Unseen || detail == Detail::Full).map(|error| {
        let call = run.calls.iter().enumerate().rev().find(|(_, call)| call.error == Some(error));
        call.map_or_else(|| error.to_string(), |(index, call)| failure(call, index + 1, error))
    });
    Some(Entry {
        word,
        component: Some(&run.component),
        text,
        details: cause.map(|cause| ("cause", cause)).into_iter().collect(),
    })
}

/// `services.logs:app.service: jwt (2), url-password`.
fn redacted(call: &Call) -> Option<String> {
    let rules = call.redacted.iter();
    let rules: Vec<String> = rules
        .map(|(rule, count)| if *count == 1 { rule.to_string() } else { format!("{rule} ({count} times)") })
        .collect();
    let action = call.action.as_ref().filter(|_| !rules.is_empty())?;
    Some(format!("{}: {}", host(action.as_str()), rules.join(", ")))
}

/// An action with its target, in a run on several.
fn on(target: Option<&TargetName>, action: String) -> String {
    target.map_or(action.clone(), |target| format!("{target} {action}"))
}

/// `services.logs:sshd.service: no answer within 10 s`.
fn failure(call: &Call, number: usize, error: VerbError) -> String {
    let name = call.action.as_ref().map_or_else(|| format!("call {number}"), |id: &ActionId| host(id.as_str()));
    let name = on(call.target.as_ref(), name);
    let cause = call.cause.as_deref().map_or_else(|| error.to_string(), host);
    format!("{name}: {cause}")
}

/// `1.2.0, 4 calls, 2.0 s, id r-…`.
fn took(run: &Run) -> String {
    let calls = humane::count(run.calls.len(), "call");
    format!("{}, {calls}, {}, id {}", host(&run.version), humane::elapsed(run.elapsed_ms), host(&run.id))
}

/// The line that counts everything besides the lines above, if there is any.
fn rest<'a>(sweep: &Sweep, checked: &'a CheckedTarget, runs: &'a [Run]) -> Option<Entry<'a>> {
    let fine: Vec<&Run> =
        runs.iter().filter(|run| RunStanding::new(run) == RunStanding::Checked(Severity::Ok)).collect();
    let not_applicable = runs.iter().filter(|run| RunStanding::new(run) == RunStanding::NotApplicable).count();
    let standing = Standing::new(sweep, checked);
    if standing == Standing::NotApplicable {
        let text = format!("{}, none of which applies here", humane::count(runs.len(), "probe"));
        return Some(about(Word::NotApplicable, None, text));
    }
    if fine.is_empty() {
        return None;
    }
    let findings: usize = fine
        .iter()
        .map(|run| if let RunOutcome::Report(report) = &run.outcome { report.findings.len() } else { 0 })
        .sum();
    // Runs on one target may overlap, so their sum is limited to the time of the sweep.
    let ms = runs.iter().map(|run| run.elapsed_ms).sum::<u64>().min(report::elapsed_ms(sweep));
    let (word, probes) = match standing {
        Standing::Healthy => (Word::Ok, humane::count(fine.len(), "probe")),
        _ => (Word::Rest, format!("{} of {}", fine.len(), humane::count(runs.len(), "probe"))),
    };
    let mut text = format!("{probes}, {}, {}", humane::count(findings, "finding"), humane::elapsed(ms));
    if not_applicable > 0 {
        text.push_str("; ");
        text.push_str(&humane::tied(&format!("{not_applicable} not applicable")));
    }
    Some(about(word, None, text))
}

fn guest(text: &Tainted) -> String {
    encode::terminal(text, GUEST_WIDTH)
}

fn host(text: &str) -> String {
    encode::harmless(&short_digests(text), HOST_WIDTH)
}

/// A text whose SHA-256 digests are shortened: a column cannot hold one without breaking it. JSON and `bailiwick lock verify` have them
/// in full.
fn short_digests(text: &str) -> String {
    const MARK: &str = "sha256:";
    let mut parts = text.split(MARK);
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        out.push_str(MARK);
        let digits = part.bytes().take_while(u8::is_ascii_hexdigit).count();
        match (digits, part.get(..12), part.get(64..)) {
            (64, Some(start), Some(rest)) => out.extend([start, "…", rest]),
            _ => out.push_str(part),
        }
    }
    out
}
