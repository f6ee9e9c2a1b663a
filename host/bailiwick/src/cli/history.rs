//! `bailiwick trend` and `bailiwick history`.

use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError};

use crate::report::exit::ExitCode as Exit;
use crate::report::progress::Reading;
use crate::report::table::Colour;
use crate::report::trend;
use bailiwick_core::model::TargetName;
use bailiwick_core::nearest::choices;
use bailiwick_engine::sweep::PastRuns;
use bailiwick_journal::history::{Filter, History, Progress, Series};
use clap::Subcommand;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::args::Format;
use super::out::Out;
use super::{Context, fail};

#[derive(Debug, clap::Args)]
pub(super) struct Trend {
    /// The target
    #[arg(value_name = "TARGET")]
    pub(super) target: String,

    /// Only this metric, such as used-percent [default: all]
    #[arg(value_name = "METRIC")]
    pub(super) metric: Option<String>,

    /// Only metrics of this component
    #[arg(long, value_name = "ID")]
    pub(super) component: Option<String>,

    /// Only metrics of findings with this code
    #[arg(long, value_name = "CODE")]
    pub(super) code: Option<String>,

    /// Only metrics about this subject, such as a mount point
    #[arg(long, value_name = "TEXT")]
    pub(super) subject: Option<String>,

    /// Start: 48h, 35d or 8w ago, or a date (2026-11-01)
    #[arg(long, value_name = "WHEN", default_value = "35d")]
    pub(super) since: String,

    /// Output format
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    pub(super) format: Format,
}

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: HistoryCommand,
}

#[derive(Debug, Subcommand)]
enum HistoryCommand {
    /// Rebuild the metrics database (used by `trend`)
    Rebuild,
}

/// Prints what happens to the database, and how far the journal is read.
pub(super) struct Printer<'a> {
    out: &'a Out,
    bar: Reading,
}

impl<'a> Printer<'a> {
    pub(super) fn new(out: &'a Out) -> Self {
        Self { out, bar: Reading::new("the journal") }
    }
}

impl Progress for Printer<'_> {
    fn warn(&mut self, line: &str) {
        self.bar.finish();
        self.out.say(line);
    }

    fn progress(&mut self, bytes: u64, total: u64) {
        if bytes >= total {
            self.bar.finish();
        } else {
            self.bar.at(bytes, total);
        }
    }
}

/// Earlier metrics of components. Without them the components that ask for them do not run; others do.
pub(super) fn pasts(context: &Context) -> Arc<PastRuns> {
    let open = || -> anyhow::Result<History> {
        Ok(History::open(&context.state_folder()?, &context.journal_folder()?, &mut Printer::new(&context.out))?)
    };
    Arc::new(open().map_or_else(|error| PastRuns::Missing(format!("{error:#}")), PastRuns::from))
}

/// Reads what a sweep has added to the journal. An error here occurs again at the next query, and is reported then.
pub(super) fn follow(pasts: &PastRuns) {
    if let PastRuns::Here(history) = pasts {
        let mut history = history.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = history.update(&mut ()) {
            tracing::debug!("{error}");
        }
    }
}

pub(super) fn run(context: &Context, args: &Args) -> anyhow::Result<Exit> {
    match args.command {
        HistoryCommand::Rebuild => {
            let journal = context.journal()?;
            let done = History::rebuild(&context.state_folder()?, &journal, &mut Printer::new(&context.out))?;
            let text = format!("{} values of {} runs, from {} journal entries", done.numbers, done.runs, done.entries);
            context.out.text(&text)?;
            Ok(Exit::Fine)
        }
    }
}

pub(super) fn trend(context: &Context, args: &Trend) -> anyhow::Result<Exit> {
    let since_ms = since(&args.since, Timestamp::now())?;
    let journal = context.journal()?;
    let history = History::open(&context.state_folder()?, &journal, &mut Printer::new(&context.out))?;
    let known = history.targets()?;
    let Some(target) = known.iter().find(|name| **name == args.target).and_then(|name| TargetName::new(name).ok())
    else {
        let message = format!("there are no metrics of a target `{}`", args.target.escape_default());
        return Err(fail::usage(message, there_are(&args.target, known, "targets with metrics")));
    };
    let filter = Filter {
        component: args.component.clone(),
        code: args.code.clone(),
        subject: args.subject.clone(),
        metric: args.metric.clone(),
        since_ms,
    };
    let series = history.series(&target, &filter)?;
    if series.is_empty() {
        return Err(nothing(&history, &target, args, filter)?);
    }
    match args.format {
        Format::Json => context.out.styled(&trend::json(&target, since_ms, &series)?)?,
        Format::Table => {
            let colour = if context.out.color_stdout() { Colour::Always } else { Colour::Never };
            context.out.styled(&trend::table(&target, &series, context.out.width(), colour))?;
        }
    }
    Ok(Exit::Fine)
}

/// Reports which requested name has no metrics, and lists the names that have.
fn nothing(history: &History, target: &TargetName, args: &Trend, filter: Filter) -> anyhow::Result<anyhow::Error> {
    let all = history.series(target, &Filter { since_ms: filter.since_ms, ..Filter::default() })?;
    if all.is_empty() {
        let message = format!("there are no metrics of {target} since {}", args.since.escape_default());
        return Ok(fail::usage(message, "--since 400d shows everything that is kept"));
    }
    type Of = fn(&Series) -> &str;
    let asked: [(&str, &Option<String>, Of); 3] = [
        ("component", &filter.component, |series| &series.component),
        ("metric", &filter.metric, |series| &series.metric),
        ("code", &filter.code, |series| &series.code),
    ];
    for (what, wanted, name) in asked {
        let Some(wanted) = wanted else { continue };
        if !all.iter().any(|series| name(series) == wanted) {
            let message = format!("{target} has no metrics of a {what} `{}`", wanted.escape_default());
            return Ok(fail::usage(
                message,
                there_are(wanted, all.iter().map(|series| name(series).to_owned()), &format!("{what}s")),
            ));
        }
    }
    let message = format!("no metric of {target} matches all filters");
    Ok(fail::usage(message, format!("`bailiwick trend {target}` prints all metrics")))
}

/// The names that exist instead of `wanted`, without duplicates. `what` is a plural.
fn there_are(wanted: &str, names: impl IntoIterator<Item = String>, what: &str) -> String {
    let names: BTreeSet<String> = names.into_iter().collect();
    if names.is_empty() {
        return "`bailiwick check` collects some".to_owned();
    }
    choices(wanted, names.iter().map(String::as_str), what)
}

/// `35d` before now, or the beginning of a day, UTC.
fn since(text: &str, now: Timestamp) -> anyhow::Result<u64> {
    let back = |digits: &str, hours: i64| {
        let hours = digits.parse::<i64>().ok().filter(|count| (0..=100_000).contains(count))?.checked_mul(hours)?;
        now.checked_sub(SignedDuration::from_hours(hours)).ok()
    };
    let time = match text.split_at_checked(text.len().saturating_sub(1)) {
        Some((digits, "h")) => back(digits, 1),
        Some((digits, "d")) => back(digits, 24),
        Some((digits, "w")) => back(digits, 7 * 24),
        _ => text.parse::<Date>().ok().and_then(|date| Some(date.to_zoned(TimeZone::UTC).ok()?.timestamp())),
    };
    match time {
        Some(time) => Ok(u64::try_from(time.as_millisecond()).unwrap_or(0)),
        None => {
            let message = format!("`{}` is not a time", text.escape_default());
            Err(fail::usage(message, "write 48h, 35d or 8w, or a date such as 2026-11-01"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_as_people_write_them() {
        let now: Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
        let ms =
            |text: &str| since(text, now).ok().map(|ms| Timestamp::from_millisecond(ms as i64).unwrap().to_string());
        assert_eq!(ms("36h").as_deref(), Some("2026-11-20T00:00:00Z"));
        assert_eq!(ms("1w").as_deref(), Some("2026-11-14T12:00:00Z"));
        assert_eq!(ms("2026-11-01").as_deref(), Some("2026-11-01T00:00:00Z"));
        for wrong in ["", "d", "-3d", "3", "3m", "999999999w", "2026-13-01", "é"] {
            assert_eq!(ms(wrong), None, "{wrong}");
        }
    }
}
