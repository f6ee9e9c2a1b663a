//! `bailiwick quarantine` and `bailiwick unquarantine`.

use std::fmt::Write;

use crate::report::exit::ExitCode as Exit;
use bailiwick_core::encode;
use bailiwick_core::model::ComponentId;
use bailiwick_engine::quarantine::{Record, Who};
use jiff::Timestamp;
use serde::Serialize;

use super::args::Format;
use super::{Context, confirm, fail};

#[derive(Debug, clap::Args)]
pub(super) struct Quarantine {
    /// Output format
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    pub(super) format: Format,
}

#[derive(Debug, clap::Args)]
pub(super) struct Unquarantine {
    /// The component
    #[arg(value_name = "COMPONENT")]
    pub(super) component: String,

    /// The reason, for the record
    #[arg(long, value_name = "TEXT")]
    pub(super) why: Option<String>,

    /// Do not ask for confirmation; required without a terminal
    #[arg(long)]
    pub(super) yes: bool,
}

/// All records, for programs.
#[derive(Serialize)]
struct Document<'a> {
    format: &'static str,
    components: Vec<Line<'a>>,
    /// Records that cannot be read; their components do not run.
    unreadable: Vec<String>,
}

#[derive(Serialize)]
struct Line<'a> {
    #[serde(rename = "held")] // The key of `bailiwick.quarantine-list/1`.
    is_held: bool,
    #[serde(flatten)]
    record: &'a Record,
}

pub(super) fn list(context: &Context, args: &Quarantine) -> anyhow::Result<Exit> {
    let all = context.quarantine()?.all()?;
    let unreadable = all.iter().filter_map(|record| record.as_ref().err());
    let shown = Document {
        format: "bailiwick.quarantine-list/1",
        components: all.iter().flatten().map(|record| Line { is_held: record.holds(), record }).collect(),
        unreadable: unreadable.map(ToString::to_string).collect(),
    };
    context.out.text(&match args.format {
        Format::Json => encode::to_json(&shown)?,
        Format::Table => table(&shown)?,
    })?;
    Ok(if shown.unreadable.is_empty() { Exit::Fine } else { Exit::Usage })
}

fn table(shown: &Document<'_>) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    for Line { is_held, record } in &shown.components {
        let word = if *is_held { "HELD" } else { "runs" };
        writeln!(text, "{} {}  {word}  sha256:{}", record.component, record.version, record.digest)?;
        for death in &record.deaths {
            writeln!(text, "  died      {}  {}", death.at, death.how)?;
        }
        for release in &record.releases {
            let why = release.why.as_deref().unwrap_or("no reason given");
            writeln!(text, "  released  {}  by uid {}: {why}", release.at, release.uid)?;
        }
        if *is_held {
            writeln!(text, "  next      `bailiwick unquarantine {}` lets it run again", record.component)?;
        }
    }
    for error in &shown.unreadable {
        writeln!(text, "UNREADABLE  {error}: the component of this record does not run")?;
    }
    if text.is_empty() {
        text.push_str("no worker of a component has died\n");
    }
    Ok(text)
}

/// Lets a component run again.
pub(super) fn unquarantine(context: &Context, args: &Unquarantine) -> anyhow::Result<Exit> {
    let quarantine = context.quarantine()?;
    let id = ComponentId::new(&args.component)
        .map_err(|error| fail::usage(error.to_string(), "`bailiwick quarantine` lists the components"))?;
    let why = args.why.as_deref().map(|why| confirm::reason(Some(why))).transpose()?;
    // Every version that has a record, and the installed one, whose record may be unreadable.
    let all = quarantine.all()?;
    let ops = context.ops_and_lock().map(|(ops, _)| ops).ok();
    // Two components may have the same bytes, and the record is of the bytes.
    let digest = ops.as_ref().and_then(|ops| ops.library.binary(&id)).map(|binary| binary.digest.as_str());
    let is_its = |record: &Record| record.component == id || Some(record.digest.as_str()) == digest;
    let records = all.iter().flatten().filter(|record| is_its(record));
    let (mut versions, mut reasons): (Vec<Who>, Vec<String>) =
        records.map(|record| (version(record), record.summary())).unzip();
    if let Some(ops) = &ops
        && let (Some(binary), Some(manifest)) = (ops.library.binary(&id), ops.library.manifest(id.as_str()))
        && let Err(error) = quarantine.record(&binary.digest)
    {
        reasons.push(error.to_string());
        let (version, digest) = (manifest.version.clone(), binary.digest.clone());
        versions.push(Who { component: id.clone(), version, digest });
    }
    if versions.is_empty() {
        return Err(fail::usage(
            format!("the component `{id}` is not in quarantine"),
            "`bailiwick quarantine` lists the components that are",
        ));
    }
    context.out.say(&format!("{id}: {}", reasons.join("; ")));
    if !args.yes && !confirmed(context, &id)? {
        return Err(fail::usage(
            format!("{id} stays in quarantine"),
            "give --yes, or type the component's id at a terminal",
        ));
    }
    for version in &versions {
        quarantine.release(version, why, Timestamp::now())?;
    }
    context.out.text(&format!("{id} may run again"))?;
    Ok(Exit::Fine)
}

fn version(record: &Record) -> Who {
    let Record { component, version, digest, .. } = record;
    Who { component: component.clone(), version: version.clone(), digest: digest.clone() }
}

fn confirmed(context: &Context, id: &ComponentId) -> anyhow::Result<bool> {
    let question = format!("The component may be attacking the wasm engine. To let it run again, type its id ({id}):");
    Ok(confirm::is_terminal() && confirm::typed(context, &question, id.as_str())?)
}
