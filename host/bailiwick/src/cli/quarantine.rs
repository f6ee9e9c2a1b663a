//! `bailiwick quarantine` and `bailiwick release`.

use std::fmt::Write;
use std::io::{self, IsTerminal};

use crate::report::exit::ExitCode as Exit;
use bailiwick_core::encode;
use bailiwick_core::model::ComponentId;
use bailiwick_engine::quarantine::{Record, Who};
use jiff::Timestamp;
use serde::Serialize;

use super::args::{self, Format};
use super::{Context, fail};

/// All records as programs read them.
#[derive(Serialize)]
struct Shown<'a> {
    format: &'static str,
    components: Vec<Line<'a>>,
    /// What cannot be read; a component that it is about does not run.
    unreadable: Vec<String>,
}

#[derive(Serialize)]
struct Line<'a> {
    held: bool,
    #[serde(flatten)]
    record: &'a Record,
}

pub(super) fn list(context: &Context, args: &args::Quarantine) -> anyhow::Result<Exit> {
    let all = context.quarantine()?.all()?;
    let unreadable = all.iter().filter_map(|found| found.as_ref().err());
    let shown = Shown {
        format: "bailiwick.quarantine-list/1",
        components: all.iter().flatten().map(|record| Line { held: record.holds(), record }).collect(),
        unreadable: unreadable.map(ToString::to_string).collect(),
    };
    context.out.text(&match args.format {
        Format::Json => encode::to_json(&shown)?,
        Format::Table => table(&shown)?,
    })?;
    Ok(if shown.unreadable.is_empty() { Exit::Fine } else { Exit::Usage })
}

fn table(shown: &Shown<'_>) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    for Line { held, record } in &shown.components {
        let word = if *held { "HELD" } else { "runs" };
        writeln!(text, "{} {}  {word}  sha256:{}", record.component, record.version, record.digest)?;
        for death in &record.deaths {
            writeln!(text, "  died      {}  {}", death.at, death.how)?;
        }
        for release in &record.releases {
            let why = release.why.as_deref().unwrap_or("no reason given");
            writeln!(text, "  released  {}  by uid {}: {why}", release.at, release.uid)?;
        }
        if *held {
            writeln!(text, "  next      `bailiwick release {}` lets it run again", record.component)?;
        }
    }
    for error in &shown.unreadable {
        writeln!(text, "UNREADABLE  {error}: the component that it is about does not run")?;
    }
    if text.is_empty() {
        text.push_str("no component has killed a worker\n");
    }
    Ok(text)
}

/// Lets a component run again.
pub(super) fn release(context: &Context, args: &args::Release, name: &str) -> anyhow::Result<Exit> {
    let quarantine = context.quarantine()?;
    let id = ComponentId::new(name)
        .map_err(|error| fail::usage(error.to_string(), "`bailiwick quarantine` lists what there is"))?;
    let why = args.why.as_deref().map(str::trim).filter(|why| !why.is_empty());
    if let Some(why) = why.filter(|why| !fail::is_reason(why)) {
        let message = format!("{}: it has {}", fail::reason(), why.len());
        return Err(fail::usage(message, "say it shorter"));
    }
    // Every version that has a record, and the one that is there now, whose record may be unreadable.
    let all = quarantine.all()?;
    let ops = context.ops_and_standing().map(|(ops, _)| ops).ok();
    // Two components may have the same bytes, and the record is of the bytes.
    let digest = ops.as_ref().and_then(|ops| ops.library.binary(&id)).map(|binary| binary.digest.as_str());
    let is_it = |record: &Record| record.component == id || Some(record.digest.as_str()) == digest;
    let of_it = all.iter().flatten().filter(|record| is_it(record));
    let (mut whose, mut told): (Vec<Who>, Vec<String>) = of_it.map(|record| (who(record), record.told())).unzip();
    if let Some(ops) = &ops
        && let (Some(binary), Some(manifest)) = (ops.library.binary(&id), ops.library.manifest(id.as_str()))
        && let Err(error) = quarantine.record(&binary.digest)
    {
        told.push(error.to_string());
        let (version, digest) = (manifest.version.clone(), binary.digest.clone());
        whose.push(Who { component: id.clone(), version, digest });
    }
    if whose.is_empty() {
        return Err(fail::usage(
            format!("`{id}` is no component in quarantine, and no target on which a change is stuck"),
            "`bailiwick quarantine` and `bailiwick changes` list what is",
        ));
    }
    context.out.say(&format!("{id}: {}", told.join("; ")));
    if !args.yes && !confirmed(context, &id)? {
        return Err(fail::usage("nothing was released", "say --yes, or the component's id at a terminal"));
    }
    for who in &whose {
        quarantine.release(who, why, Timestamp::now())?;
    }
    context.out.text(&format!("{id} may run again"))?;
    Ok(Exit::Fine)
}

fn who(record: &Record) -> Who {
    let Record { component, version, digest, .. } = record;
    Who { component: component.clone(), version: version.clone(), digest: digest.clone() }
}

/// A person at a terminal says which; nobody else is asked.
fn confirmed(context: &Context, id: &ComponentId) -> anyhow::Result<bool> {
    if !io::stdin().is_terminal() {
        return Ok(false);
    }
    context.out.say(&format!("It may be at work on the engine. To let it run again, type its id ({id}):"));
    let mut line = String::new();
    io::stdin().read_line(&mut line)?;
    Ok(line.trim() == id.as_str())
}
