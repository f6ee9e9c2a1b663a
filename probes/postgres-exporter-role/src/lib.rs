//! For an exporter that never connected: creates a role, lets it log in, and configures the exporter.

use bailiwick_guest::{
    Decision, Failure, Finding, Fix, Observed, Report, Target, VerbError, VerbFailure, commands_change, files,
    files_change,
    http::{self, Response},
    services::{self, ActiveState},
    services_change,
};
use shared::exposition::samples;

const METRIC: &str = "pg_up";

/// The connection state according to the exporter's page.
enum Connection {
    Connected,
    Disconnected,
    /// The page does not contain the metric.
    NoMetric,
}

fn connection(page: &Response) -> Connection {
    let body = page.text();
    let (found, invalid) = samples(&body, METRIC);
    match found.as_slice() {
        [] => Connection::NoMetric,
        all if page.status == 200 && invalid == 0 && all.iter().all(|sample| sample.value == 1.0) => {
            Connection::Connected
        }
        _ => Connection::Disconnected,
    }
}

/// The exporter's page, or the failure if nothing listens there: an exporter without a data source does not listen.
fn page(target: &Target) -> Result<Result<Observed<Response>, VerbFailure>, Failure> {
    match http::get(target, &target.slot("metrics")?) {
        Err(failed) if failed.error() != VerbError::NotFound => Err(failed.into()),
        answer => Ok(answer),
    }
}

struct ExporterRole;

impl Fix for ExporterRole {
    fn plan(target: &Target) -> Result<Decision, Failure> {
        let page = page(target)?;
        let context = match page.as_ref().map(|page| connection(page)) {
            Ok(Connection::Connected) => return Ok(Decision::nothing("pg_up is 1: the exporter is connected")),
            Ok(Connection::Disconnected) => "the exporter is running but is not connected: pg_up is 0",
            Ok(Connection::NoMetric) => {
                let title = "the exporter's page has no pg_up: it is another exporter or a proxy";
                return Ok(Decision::refuse(title, "the owner of this exporter"));
            }
            Err(_) => "the exporter is not running: nothing listens on its port",
        };
        let (server, exporter, settings) = (target.slot("server")?, target.slot("exporter")?, target.slot("settings")?);
        let installed = match services::status(target, &exporter) {
            Err(gone) if gone.error() == VerbError::NotFound => {
                let reason = format!("{} is not installed", exporter.literal);
                return Ok(Decision::refuse(reason, "the administrator of this target").because(&gone));
            }
            answer => answer?,
        };
        let running = services::status(target, &server)?;
        if !matches!(running.active, ActiveState::Active | ActiveState::Reloading) {
            let reason = format!("{} is not running: repair it before the exporter", server.literal);
            return Ok(Decision::refuse(reason, "the owner of PostgreSQL").because(&running));
        }
        // On Debian only the owner can read the file; then the approver sees an existing data source in the plan's diff.
        match files::read(target, &settings) {
            Ok(file) if file.truncated || has_data_source(&file.bytes) => {
                let reason = format!("{} already has a data source: its author must correct it", settings.literal);
                return Ok(Decision::refuse(reason, "the owner of this exporter").because(&file));
            }
            Ok(_) => {}
            Err(failed) if failed.error() == VerbError::NotPermitted => {}
            Err(failed) => return Err(failed.into()),
        }

        commands_change::run(target, &target.slot("role")?)?;
        files_change::ensure_line(target, &target.slot("hba")?, "hba-line")?;
        services_change::reload(target, &server)?;
        files_change::ensure_line(target, &settings, "data-source")?;
        services_change::restart(target, &exporter)?;
        let decision = Decision::propose(context).because(&installed).because(&running);
        Ok(match &page {
            Ok(page) => decision.because(page),
            Err(gone) => decision.because(gone),
        })
    }

    fn verify(target: &Target) -> Result<Report, Failure> {
        let finding = match page(target)? {
            Ok(page) => match connection(&page) {
                Connection::Connected => Finding::ok("connected", "", "pg_up is 1: the exporter is connected"),
                Connection::Disconnected => {
                    Finding::critical("connected", "", "pg_up is not 1: the exporter is not connected")
                }
                Connection::NoMetric => Finding::critical("connected", "", "the exporter's page has no pg_up"),
            }
            .because(&page),
            Err(gone) => Finding::critical("connected", "", "nothing listens on the exporter's address").because(&gone),
        };
        Ok(finding.into())
    }
}

/// The last line that sets it counts, as in systemd; `''` is not a data source.
fn has_data_source(file: &[u8]) -> bool {
    let text = String::from_utf8_lossy(file);
    let mut set = text.lines().filter_map(|line| line.trim().strip_prefix("DATA_SOURCE_NAME="));
    set.next_back().is_some_and(|value| !value.trim().trim_matches(['"', '\'']).is_empty())
}

bailiwick_guest::export_fix!(ExporterRole);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_sources() {
        for none in [
            "",
            "ARGS=\"\"\n",
            "# DATA_SOURCE_NAME='x'\nDATA_SOURCE_NAME=''\n",
            "DATA_SOURCE_NAME=x\nDATA_SOURCE_NAME=\"\"\n",
        ] {
            assert!(!has_data_source(none.as_bytes()), "{none}");
        }
        for some in [
            "DATA_SOURCE_NAME=user=x",
            " DATA_SOURCE_NAME='postgresql://a@b/'\nARGS=",
            "DATA_SOURCE_NAME=''\nDATA_SOURCE_NAME=x\n",
        ] {
            assert!(has_data_source(some.as_bytes()), "{some}");
        }
    }
}
