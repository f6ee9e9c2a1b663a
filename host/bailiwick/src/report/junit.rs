//! A sweep as JUnit XML, for tools that show the tests of a build: a suite for each target, a case for each statement.
//!
//! A finding of warning or worse is a failure. A check that was not possible, and a finding with severity unknown, are errors:
//! they are never green. A probe that does not apply is skipped.

use std::time::Duration;

use quick_junit::{NonSuccessKind, Report, SerializeError, TestCase, TestCaseStatus, TestSuite};

use bailiwick_core::model::Severity;
use bailiwick_core::outcome::{Sweep, TargetResult};

use super::statement::{Kind, Statement, of_target};

/// Renders a sweep. Ends in a newline.
///
/// # Errors
/// Only if a text cannot be XML, which is a bug.
pub fn render(sweep: &Sweep) -> Result<String, SerializeError> {
    let mut report = Report::new("bailiwick check");
    report.set_time(Duration::from_millis(super::elapsed_ms(sweep)));
    for checked in &sweep.targets {
        let mut suite = TestSuite::new(checked.target.as_str());
        suite.add_property(("started", sweep.started.to_string().as_str()));
        if let TargetResult::Runs(runs) = &checked.result {
            suite.set_time(Duration::from_millis(runs.iter().map(|run| run.elapsed_ms).sum()));
        }
        suite.add_test_cases(of_target(sweep, checked).iter().map(case));
        report.add_test_suite(suite);
    }
    report.to_string()
}

fn case(statement: &Statement<'_>) -> TestCase {
    let bad = |kind, word: &str| {
        let mut status = TestCaseStatus::non_success(kind);
        status.set_type(word).set_message(super::untied(&statement.text));
        status
    };
    let status = match statement.kind {
        Kind::Finding(Severity::Ok) => TestCaseStatus::success(),
        Kind::Finding(Severity::Warning) => bad(NonSuccessKind::Failure, "warning"),
        Kind::Finding(Severity::Critical) => bad(NonSuccessKind::Failure, "critical"),
        Kind::Finding(Severity::Unknown) => bad(NonSuccessKind::Error, "unknown"),
        Kind::Unseen => bad(NonSuccessKind::Error, "unseen"),
        Kind::Broken => bad(NonSuccessKind::Error, "fault"),
        Kind::Refused => bad(NonSuccessKind::Error, "refused"),
        Kind::NotApplicable => {
            let mut status = TestCaseStatus::skipped();
            status.set_message(super::untied(&statement.text));
            status
        }
    };
    let name = if statement.subject.is_empty() {
        statement.code.to_owned()
    } else {
        format!("{} {}", statement.code, statement.subject)
    };
    let mut case = TestCase::new(name, status);
    let component = statement.component.map_or("bailiwick", |id| id.as_str());
    // Tools that ignore suites show the class, so it names the target too.
    case.set_classname(format!("{}.{component}", statement.target));
    if statement.kind == Kind::Finding(Severity::Ok) {
        case.set_system_out(super::untied(&statement.text));
    }
    case
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples;
    use crate::report::statement::statements;

    #[test]
    fn a_night() {
        insta::assert_snapshot!(render(&samples::night()).unwrap());
    }

    /// The parsed texts equal the written ones: no text of a guest has become markup.
    #[test]
    fn tx05_tx06_hostile_text_is_text() {
        let sweep = samples::hostile();
        let text = render(&sweep).unwrap();
        assert!(!text.contains("<!"), "no entity, no document type, no section that text could leave: {text}");
        let read = Report::deserialize_from_str(&text).unwrap();
        let cases: usize = read.test_suites.iter().map(|suite| suite.test_cases.len()).sum();
        assert_eq!((read.test_suites.len(), cases), (sweep.targets.len(), statements(&sweep).len()));
    }
}
