//! The digest of a report, in each version that a journal can name.
//!
//! Knows: the words that each version hashes. Must not know: where a digest is kept. A digest of version 1 is in journals of
//! older programs, so its words never change. They are written out here, apart from the types that the current program uses.
//! Version 1 also hashes the sentences that Bailiwick writes itself (`cause`, a fault's message, the reason of a refusal), so a
//! reworded sentence changes the digest. Version 2 leaves them out.

use std::collections::BTreeMap;

use data_encoding::HEXLOWER;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::{Call, Run, RunOutcome};
use crate::ascii_json;
use crate::model::{ActionId, Report, RuleName, Tainted, TargetName, VerbError};

/// What a digest covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DigestVersion {
    /// `bailiwick-report-v1`: everything in the report. Only older programs wrote it.
    V1,
    /// `bailiwick-report-v2`: everything except sentences that Bailiwick writes itself.
    V2,
}

impl DigestVersion {
    /// The version that this program writes.
    pub const CURRENT: Self = Self::V2;

    /// The tag that is hashed before the report.
    #[must_use]
    pub const fn tag(self) -> &'static str {
        match self {
            Self::V1 => "bailiwick-report-v1",
            Self::V2 => "bailiwick-report-v2",
        }
    }
}

/// How a run ended. The words are part of the format.
#[derive(Serialize)]
enum End<'r> {
    #[serde(rename = "report")]
    Report(&'r Report),
    #[serde(rename = "could-not-look")]
    CouldNotCheck { reason: &'r Tainted, error: Option<VerbError> },
    #[serde(rename = "fault")]
    FaultV1 { message: &'r str },
    #[serde(rename = "refused")]
    RefusedV1 { reason: &'r str },
    #[serde(rename = "fault")]
    FaultV2,
    #[serde(rename = "refused")]
    RefusedV2,
}

/// A call. The names of the fields and their order are part of the format.
#[derive(Serialize)]
struct Asked<'r> {
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<&'r TargetName>,
    action: Option<&'r ActionId>,
    asked: &'r Tainted,
    error: Option<VerbError>,
    /// In version 1 alone, where a call without a cause has `null`.
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<Option<&'r str>>,
    redacted: &'r BTreeMap<RuleName, u32>,
}

impl<'r> Asked<'r> {
    fn new(call: &'r Call, v1: bool) -> Self {
        let Call { target, action, asked, error, cause, redacted } = call;
        Self {
            target: target.as_ref(),
            action: action.as_ref(),
            asked,
            error: *error,
            cause: v1.then_some(cause.as_deref()),
            redacted,
        }
    }
}

impl Run {
    /// SHA-256, in hex, of the report, by the version that this program writes.
    #[must_use]
    pub fn digest(&self) -> String {
        self.digest_as(DigestVersion::CURRENT)
    }

    /// SHA-256, in hex, of the report: component, version, outcome and calls, from which every output is made. Neither the
    /// run's id nor any time is hashed, so that the replay of a run has the same digest.
    #[must_use]
    pub fn digest_as(&self, version: DigestVersion) -> String {
        let mut hash = Sha256::new();
        hash.update(version.tag());
        hash.update(self.hashed(version));
        HEXLOWER.encode(&hash.finalize())
    }

    /// The bytes that a digest covers.
    fn hashed(&self, version: DigestVersion) -> Vec<u8> {
        let Self { component, version: component_version, outcome, calls, id: _, elapsed_ms: _ } = self;
        let v1 = version == DigestVersion::V1;
        let end = match outcome {
            RunOutcome::Report(report) => End::Report(report),
            RunOutcome::CouldNotCheck { reason, error } => End::CouldNotCheck { reason, error: *error },
            RunOutcome::Fault(fault) if v1 => End::FaultV1 { message: &fault.message },
            RunOutcome::Fault(_) => End::FaultV2,
            RunOutcome::Refused { reason } if v1 => End::RefusedV1 { reason },
            RunOutcome::Refused { reason: _ } => End::RefusedV2,
        };
        let calls: Vec<_> = calls.iter().map(|call| Asked::new(call, v1)).collect();
        // Every key in it is a text, so that this cannot fail.
        ascii_json::to_vec(&(component, component_version, end, calls)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ComponentId, Finding, Metric, RunFault, Severity, Unit, Verb};

    fn call(error: Option<VerbError>, cause: Option<&str>) -> Call {
        Call {
            target: None,
            action: Some(ActionId::recorded(Verb::ServicesStatus, Some("a.service"))),
            asked: Tainted::new("services.status(unit)"),
            error,
            cause: cause.map(str::to_owned),
            redacted: BTreeMap::from([(RuleName::new("token").unwrap(), 2)]),
        }
    }

    fn run(outcome: RunOutcome, calls: Vec<Call>) -> Run {
        Run {
            id: "7".to_owned(),
            component: ComponentId::new("service").unwrap(),
            version: "0.1.0".to_owned(),
            outcome,
            calls,
            elapsed_ms: 12,
        }
    }

    fn report() -> Run {
        let finding = Finding {
            code: "state".to_owned(),
            severity: Severity::Ok,
            subject: Tainted::new("a.service"),
            title: Tainted::new("a.service runs"),
            metrics: vec![Metric { name: "restarts".to_owned(), value: 1.5, unit: Unit::Count }],
            evidence: vec![1],
        };
        let outcome = RunOutcome::Report(Report { findings: vec![finding] });
        run(outcome, vec![call(None, None), call(Some(VerbError::TimedOut), Some("no answer within 10 s"))])
    }

    fn faults() -> [Run; 2] {
        let fault = RunFault::new("fuel", "used up its fuel");
        let reason = "it is not in the lock".to_owned();
        [run(RunOutcome::Fault(fault), vec![]), run(RunOutcome::Refused { reason }, vec![])]
    }

    fn text(run: &Run, version: DigestVersion) -> String {
        String::from_utf8(run.hashed(version)).unwrap()
    }

    /// These are the bytes that older programs hashed. A difference here makes every older journal differ in a replay.
    #[test]
    fn version_1_is_what_older_programs_wrote() {
        let [fault, refused] = faults();
        let fault = (text(&fault, DigestVersion::V1), text(&refused, DigestVersion::V1));
        assert_eq!(fault.0, r#"["service","0.1.0",{"fault":{"message":"used up its fuel"}},[]]"#);
        assert_eq!(fault.1, r#"["service","0.1.0",{"refused":{"reason":"it is not in the lock"}},[]]"#);
        let call = concat!(
            r#"{"action":"services.status:a.service","asked":"services.status(unit)","error":null,"cause":null,"#,
            r#""redacted":{"token":2}}"#
        );
        let failed =
            call.replace(r#""error":null,"cause":null"#, r#""error":"timed-out","cause":"no answer within 10 s""#);
        let finding = concat!(
            r#"{"code":"state","severity":"ok","subject":"a.service","title":"a.service runs","#,
            r#""metrics":[{"name":"restarts","value":1.5,"unit":"count"}],"evidence":[1]}"#
        );
        let whole = format!(r#"["service","0.1.0",{{"report":{{"findings":[{finding}]}}}},[{call},{failed}]]"#);
        assert_eq!(text(&report(), DigestVersion::V1), whole);
    }

    #[test]
    fn version_2_leaves_out_what_the_host_wrote() {
        let [fault, refused] = faults();
        assert_eq!(text(&fault, DigestVersion::V2), r#"["service","0.1.0","fault",[]]"#);
        assert_eq!(text(&refused, DigestVersion::V2), r#"["service","0.1.0","refused",[]]"#);
        let mut reworded = report();
        for call in &mut reworded.calls {
            call.cause = Some("other words".to_owned());
        }
        reworded.id = "8".to_owned();
        reworded.elapsed_ms += 1;
        assert_eq!(reworded.digest(), report().digest());
        assert_ne!(reworded.digest_as(DigestVersion::V1), report().digest_as(DigestVersion::V1));
        assert!(!text(&report(), DigestVersion::V2).contains("cause"));
        assert_eq!(run(RunOutcome::Fault(RunFault::new("", "")), vec![]).digest(), fault.digest());
        assert_eq!(run(RunOutcome::Refused { reason: String::new() }, vec![]).digest(), refused.digest());
    }

    #[test]
    fn version_2_covers_everything_else() {
        type Edit = fn(&mut Run);
        fn finding(run: &mut Run) -> &mut Finding {
            match &mut run.outcome {
                RunOutcome::Report(report) => &mut report.findings[0],
                other => panic!("{other:?}"),
            }
        }
        let edits: [(&str, Edit); 19] = [
            ("component", |run| run.component = ComponentId::new("other").unwrap()),
            ("version", |run| run.version.push('1')),
            ("outcome: fault", |run| run.outcome = RunOutcome::Fault(RunFault::new("", ""))),
            ("outcome: refused", |run| run.outcome = RunOutcome::Refused { reason: String::new() }),
            ("outcome: could not check", |run| {
                run.outcome = RunOutcome::CouldNotCheck { reason: Tainted::new("x"), error: None };
            }),
            ("reason", |run| run.outcome = RunOutcome::CouldNotCheck { reason: Tainted::new("y"), error: None }),
            ("its error", |run| {
                run.outcome =
                    RunOutcome::CouldNotCheck { reason: Tainted::new("x"), error: Some(VerbError::Unreachable) };
            }),
            ("code", |run| finding(run).code.push('1')),
            ("severity", |run| finding(run).severity = Severity::Warning),
            ("subject", |run| finding(run).subject = Tainted::new("b.service")),
            ("title", |run| finding(run).title = Tainted::new("a.service is down")),
            ("metric", |run| finding(run).metrics[0].value = 2.5),
            ("evidence", |run| finding(run).evidence = vec![2]),
            ("a call more", |run| run.calls.push(call(None, None))),
            ("target", |run| run.calls[0].target = Some(TargetName::new("web").unwrap())),
            ("action", |run| run.calls[0].action = None),
            ("what was asked", |run| run.calls[0].asked = Tainted::new("services.status(other)")),
            ("error", |run| run.calls[0].error = Some(VerbError::Garbled)),
            ("what was redacted", |run| run.calls[0].redacted.clear()),
        ];
        let mut digests = BTreeMap::from([(report().digest(), "nothing")]);
        for (what, edit) in edits {
            let mut run = report();
            edit(&mut run);
            if let Some(other) = digests.insert(run.digest(), what) {
                panic!("{what} has the digest of {other}");
            }
        }
    }
}
