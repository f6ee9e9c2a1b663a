//! An operator's program: did it succeed, and is its output as expected?

use bailiwick_guest::{Failure, Finding, Probe, Report, Severity, Target, Unit, commands};

struct CommandExit;

impl Probe for CommandExit {
    fn examine(target: &Target) -> Result<Report, Failure> {
        let params = target.params();
        let (good, warn) = (params.texts("ok-statuses")?, params.texts("warn-statuses")?);
        let (expect, forbid) = (params.text("expect")?, params.texts("forbid")?);
        let command = target.slot("command")?;
        // The name without the digest of its arguments, so that the subject stays the same when they change.
        let name = command.literal.split('#').next().unwrap_or_default();

        let output = commands::run(target, &command)?;
        let lines = output.stdout.lines().chain(output.stderr.lines());
        let first_line = lines.map(str::trim).find(|line| !line.is_empty()).unwrap_or("no output");
        let (severity, ended) = match output.exit_status {
            None => (Severity::Critical, "was killed by a signal".to_owned()),
            Some(status) => {
                let text = status.to_string();
                let severity = if good.contains(&text) {
                    Severity::Ok
                } else if warn.contains(&text) {
                    Severity::Warning
                } else {
                    Severity::Critical
                };
                (severity, format!("exited with status {text}"))
            }
        };
        let mut exit = Finding::new(severity, "exit", name, format!("{name} {ended}: {first_line}"));
        if let Some(status) = output.exit_status {
            exit = exit.metric("exit-status", status, Unit::Count);
        }
        let mut report = Report::from(exit.because(&output));

        if !expect.is_empty() || !forbid.is_empty() {
            let bad = forbid.iter().find_map(|text| output.stdout.lines().find(|line| line.contains(text.as_str())));
            let (severity, title) = match bad {
                Some(line) => (Severity::Critical, format!("the output of {name} contains: {}", line.trim())),
                None if output.stdout.contains(&expect) => {
                    (Severity::Ok, format!("the output of {name} is as expected"))
                }
                None => (Severity::Critical, format!("the output of {name} does not contain {expect:?}: {first_line}")),
            };
            report.push(Finding::new(severity, "text", name, title).because(&output));
        }
        Ok(report)
    }
}

bailiwick_guest::export!(CommandExit);
