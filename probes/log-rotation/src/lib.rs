//! Adds a rule for a log that is not rotated; logrotate itself checks the rule.

use bailiwick_guest::{
    Decision, Failure, Finding, Fix, Report, Target, VerbError, commands, files, files::Kind, files_change, text,
};

struct LogRotation;

impl Fix for LogRotation {
    fn plan(target: &Target) -> Result<Decision, Failure> {
        let (log, rule) = (target.slot("log")?, target.slot("rule")?);
        let stat = match files::stat(target, &log) {
            Err(gone) if gone.error() == VerbError::NotFound => {
                return Ok(Decision::nothing(format!("{} does not exist: there is nothing to rotate", log.literal)));
            }
            answer => answer?,
        };
        if stat.kind != Kind::Regular {
            let reason = format!("{} is not a regular file: logrotate cannot rotate it", log.literal);
            return Ok(Decision::refuse(reason, "the owner of this log").because(&stat));
        }
        match files::read(target, &rule) {
            Err(gone) if gone.error() == VerbError::NotFound => {
                files_change::write(target, &rule, "rule")?;
                let context = format!("{} is {}, and no rule rotates it", log.literal, text::bytes(stat.size));
                Ok(Decision::propose(context).because(&stat).because(&gone))
            }
            Ok(file) if mentions(&file.bytes, &log.literal) => {
                Ok(Decision::nothing(format!("{} has a rule for {}", rule.literal, log.literal)))
            }
            Ok(file) => {
                let reason = format!("{} already exists and does not mention {}", rule.literal, log.literal);
                Ok(Decision::refuse(reason, "the author of that rule").because(&stat).because(&file))
            }
            Err(failed) => Err(failed.into()),
        }
    }

    fn verify(target: &Target) -> Result<Report, Failure> {
        let (log, rule) = (target.slot("log")?, target.slot("rule")?);
        let there = match files::read(target, &rule) {
            Err(gone) if gone.error() == VerbError::NotFound => {
                Finding::critical("rule", &rule.literal, format!("{} does not exist", rule.literal)).because(&gone)
            }
            answer => {
                let file = answer?;
                if mentions(&file.bytes, &log.literal) {
                    Finding::ok("rule", &rule.literal, format!("there is a rule for {}", log.literal)).because(&file)
                } else {
                    Finding::critical("rule", &rule.literal, format!("the rule file does not mention {}", log.literal))
                        .because(&file)
                }
            }
        };
        let output = commands::run(target, &target.slot("check")?)?;
        let complaint = output.stderr.lines().find(|line| line.starts_with("error:"));
        let understood = match complaint {
            Some(complaint) => Finding::critical("understood", "", text::shorten(complaint, 150)),
            None if output.exit_status != Some(0) => {
                Finding::critical("understood", "", "logrotate exits with an error")
            }
            None => Finding::ok("understood", "", "logrotate accepts the rule"),
        };
        Ok([there, understood.because(&output)].into_iter().collect())
    }
}

/// True if a line that is not a comment names the log.
fn mentions(rule: &[u8], log: &str) -> bool {
    let text = String::from_utf8_lossy(rule);
    let mut lines = text.lines().map(str::trim_start).filter(|line| !line.starts_with('#'));
    lines.any(|line| line.split_ascii_whitespace().any(|word| word.trim_matches(['"', '\'', '{']) == log))
}

bailiwick_guest::export_fix!(LogRotation);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_rule_is_about() {
        for rule in ["/var/log/app.log {\n", "/a /var/log/app.log\n{", "  \"/var/log/app.log\"{"] {
            assert!(mentions(rule.as_bytes(), "/var/log/app.log"), "{rule}");
        }
        for rule in ["", "# /var/log/app.log {", "/var/log/app.log.1 {", "/var/log/other.log {"] {
            assert!(!mentions(rule.as_bytes(), "/var/log/app.log"), "{rule}");
        }
    }
}
