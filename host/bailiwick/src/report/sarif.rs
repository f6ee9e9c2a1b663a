//! A sweep as SARIF 2.1.0, for dashboards that collect findings of many tools.
//!
//! Knows: <https://docs.oasis-open.org/sarif/sarif/v2.1.0/>. A rule is `component/code`. The location of a result is logical,
//! the target and the subject, because there is no source file. A check that was not possible is a notification of the run,
//! which then reports that it was not successful.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::{Value, json};

use bailiwick_core::encode;
use bailiwick_core::model::Severity;
use bailiwick_core::outcome::Sweep;

use super::statement::{Kind, Statement, statements};

#[derive(Serialize)]
struct Document {
    #[serde(rename = "$schema")]
    schema: &'static str,
    version: &'static str,
    runs: [Value; 1],
}

/// Renders a sweep, ending in a newline.
///
/// # Errors
/// Only if a value cannot be JSON, which is a bug.
pub fn render(sweep: &Sweep) -> Result<String, serde_json::Error> {
    let statements = statements(sweep);
    let is_result = |statement: &&Statement<'_>| matches!(statement.kind, Kind::Finding(_) | Kind::NotApplicable);
    let rules: BTreeSet<_> = statements.iter().filter(is_result).map(Statement::rule).collect();
    // Sorted by name, in the order of the list.
    let rules: BTreeMap<_, _> = rules.into_iter().zip(0..).collect();
    let results: Vec<_> = statements.iter().filter(is_result).map(|statement| result(statement, &rules)).collect();
    let unseen: Vec<_> = statements.iter().filter(|statement| !is_result(statement)).map(notification).collect();
    encode::to_json(&Document {
        schema: "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
        version: "2.1.0",
        runs: [json!({
            "tool": { "driver": {
                "name": "bailiwick",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": rules.keys().map(|id| json!({ "id": id })).collect::<Vec<_>>(),
            } },
            "invocations": [{
                "executionSuccessful": unseen.is_empty(),
                "startTimeUtc": sweep.started.to_string(),
                "endTimeUtc": sweep.finished.to_string(),
                "toolExecutionNotifications": unseen,
            }],
            "results": results,
        })],
    })
}

fn result(statement: &Statement<'_>, rules: &BTreeMap<String, usize>) -> Value {
    let (kind, level) = match statement.kind {
        Kind::Finding(Severity::Critical) => ("fail", "error"),
        Kind::Finding(Severity::Warning) => ("fail", "warning"),
        Kind::Finding(Severity::Ok) => ("pass", "none"),
        Kind::Finding(Severity::Unknown) => ("open", "none"),
        _ => ("notApplicable", "none"),
    };
    let rule = statement.rule();
    let name = if statement.subject.is_empty() {
        statement.target.to_string()
    } else {
        format!("{}/{}", statement.target, statement.subject)
    };
    let metrics: BTreeMap<_, _> = statement.metrics.iter().map(|(name, value, _)| (name.as_str(), *value)).collect();
    let mut result = json!({
        "ruleId": rule,
        "ruleIndex": rules.get(&rule),
        "kind": kind,
        "level": level,
        "message": { "text": super::untied(&statement.text) },
        "locations": [{ "logicalLocations": [{ "fullyQualifiedName": name, "kind": "resource" }] }],
        // The same statement on another day is the same result.
        "partialFingerprints": { "bailiwick/v1": format!("{}/{rule}/{}", statement.target, statement.subject) },
    });
    if !metrics.is_empty()
        && let Some(object) = result.as_object_mut()
    {
        object.insert("properties".to_owned(), json!({ "metrics": metrics }));
    }
    result
}

fn notification(statement: &Statement<'_>) -> Value {
    let text = format!("{}: {}", statement.target, super::untied(&statement.text));
    json!({ "descriptor": { "id": statement.rule() }, "level": "error", "message": { "text": text } })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples;

    #[test]
    fn a_night() {
        insta::assert_snapshot!(render(&samples::night()).unwrap());
    }

    /// No text of a guest becomes a key or a reference: everything except text is the same for every sweep.
    #[test]
    fn tx06_hostile_text_is_text() {
        let sweep = samples::hostile();
        let value: Value = serde_json::from_str(&render(&sweep).unwrap()).unwrap();
        let results = value["runs"][0]["results"].as_array().unwrap();
        assert!(!results.is_empty());
        for result in results {
            let keys: Vec<_> = result["message"].as_object().unwrap().keys().collect();
            assert_eq!(keys, ["text"], "{result:#}");
        }
    }

    #[test]
    fn what_was_not_seen_is_told() {
        let text = render(&samples::sweep(vec![samples::unreachable("a", "refused", None)])).unwrap();
        let value: Value = serde_json::from_str(&text).unwrap();
        let run = &value["runs"][0]["invocations"][0];
        assert_eq!(run["executionSuccessful"], json!(false));
        assert_eq!(run["toolExecutionNotifications"][0]["message"]["text"], json!("a: refused"));
    }
}
