//! `bailiwick inspect FILE.wasm`.

use std::fmt::Write;

use crate::report::exit::ExitCode as Exit;
use bailiwick_core::encode;
use bailiwick_core::encode::ShownPath as _;
use bailiwick_core::limits::Limits;
use bailiwick_core::model::{Tainted, World};
use bailiwick_policy::library::{ComponentFile, LibraryError, read_binary};
use bailiwick_policy::ops::OpsError;
use bailiwick_policy::review::inert;
use bailiwick_sandbox::imports::{groups, links, on_one_line};
use bailiwick_sandbox::{Inspected, check_component, check_imports, inspect};
use serde::Serialize;

use super::Context;
use super::args::Format;
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The component (.wasm)
    ///
    /// Its manifest is in it, or in the file with the same name and .toml.
    pub(super) file: PathBuf,

    /// Output format
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    pub(super) format: Format,
}

/// The facts about a component's file.
#[derive(Serialize)]
struct Document {
    format: &'static str,
    digest: String,
    bytes: usize,
    world: String,
    exports: Vec<String>,
    imports: Vec<String>,
    /// The parts of WASI that it gets, in words.
    inert_wasi: Option<String>,
    limits: Vec<Asked>,
    manifest: Option<ManifestFacts>,
    /// If it is the interpreter of checks, the verbs of its checks.
    #[serde(skip_serializing_if = "Option::is_none")]
    interprets: Option<Vec<&'static str>>,
}

/// A limit that the manifest asks to have raised.
#[derive(Serialize)]
struct Asked {
    name: &'static str,
    value: u64,
    default: u64,
    why: String,
}

/// The manifest, and whether the imports match it.
#[derive(Serialize)]
struct ManifestFacts {
    sealed: bool,
    text: String,
    id: String,
    version: String,
    title: String,
    agrees: bool,
    difference: Option<String>,
}

pub(super) fn run(context: &Context, args: &Args) -> anyhow::Result<Exit> {
    let (binary, file) = match ComponentFile::read(&args.file) {
        Ok(file) => (file.binary.clone(), Ok(file)),
        // The component can be inspected without a manifest.
        Err(error @ LibraryError::NoManifest(_)) => (read_binary(&args.file)?, Err(error)),
        Err(error) => return Err(OpsError::from(error).into()),
    };
    let asks = file.as_ref().map(|file| file.manifest.limits.as_slice()).unwrap_or_default();
    let inspected = inspect(&binary.bytes, &Limits::asked(asks))
        .map_err(|error| anyhow::Error::new(error).context(format!("{} is refused", args.file.shown())))?;
    let shown = Document {
        format: "bailiwick.inspect/1",
        digest: format!("sha256:{}", inspected.digest),
        bytes: inspected.size,
        world: world(&inspected),
        exports: inspected.exports.iter().map(|(kind, name)| format!("{kind} {}", plain(name))).collect(),
        imports: imports(&inspected),
        inert_wasi: wasi(&inspected),
        limits: asks
            .iter()
            .map(|ask| Asked { name: ask.row.name, value: ask.value, default: ask.row.default, why: ask.why.clone() })
            .collect(),
        manifest: file.as_ref().ok().map(|file| manifest_facts(&inspected, file)),
        interprets: asked(&inspected, file.as_ref().ok()),
    };
    let refused = shown.manifest.as_ref().is_some_and(|facts| !facts.agrees);
    context.out.text(&match args.format {
        Format::Json => encode::to_json(&shown)?,
        Format::Table => table(&shown)?,
    })?;
    file.map_err(OpsError::from)?;
    Ok(if refused { Exit::Refused } else { Exit::Fine })
}

/// Escapes a name from a component, which is text of its author.
fn plain(name: &str) -> String {
    name.escape_default().to_string()
}

/// The world that it matches with any set of verbs, if everything else is valid.
fn world(inspected: &Inspected) -> String {
    if inspected.interpreter {
        return format!("{}, manifest-only: run by Bailiwick's interpreter", World::Probe.full_name());
    }
    let fits = links(inspected).and_then(|links| {
        check_imports(inspected, links.world, &links.verbs, &groups(&links), !links.history.is_empty())
    });
    match fits {
        Ok(links) => links.world.full_name().to_owned(),
        Err(error) => format!("does not fit: {}", on_one_line(&error)),
    }
}

/// The parts of inert WASI that it gets, if it imports any.
fn wasi(inspected: &Inspected) -> Option<String> {
    let groups = groups(&links(inspected).ok()?);
    (!groups.is_empty()).then(|| inert(&groups))
}

fn imports(inspected: &Inspected) -> Vec<String> {
    let functions = inspected.imports.iter().map(|(interface, function)| plain(&format!("{interface} {function}")));
    let types = inspected.type_imports.iter().map(|interface| plain(&format!("{interface} (types only)")));
    functions.chain(types).collect()
}

/// The verbs that the checks of its manifest call.
fn asked(inspected: &Inspected, file: Option<&ComponentFile>) -> Option<Vec<&'static str>> {
    let rules = file.filter(|_| inspected.interpreter)?.manifest.rules.as_ref()?;
    Some(rules.verbs().into_iter().map(|verb| verb.name()).collect())
}

fn manifest_facts(inspected: &Inspected, file: &ComponentFile) -> ManifestFacts {
    let manifest = &file.manifest;
    let (history, rules) = (manifest.history.is_some(), manifest.rules.as_ref());
    let fits = check_component(inspected, manifest.world, &manifest.verbs(), &manifest.wasi(), history, rules);
    let difference = fits.err().map(|error| on_one_line(&error));
    ManifestFacts {
        sealed: file.sealed,
        text: file.source.text().to_owned(),
        id: manifest.id.to_string(),
        version: manifest.version.clone(),
        title: manifest.title.clone(),
        agrees: difference.is_none(),
        difference,
    }
}

fn table(shown: &Document) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    writeln!(text, "digest    {}\nsize      {} bytes", shown.digest, shown.bytes)?;
    writeln!(text, "world     {}", shown.world)?;
    for export in &shown.exports {
        writeln!(text, "exports   {export}")?;
    }
    for import in &shown.imports {
        writeln!(text, "imports   {import}")?;
    }
    for verb in shown.interprets.iter().flatten() {
        writeln!(text, "requests  {verb}, by a check")?;
    }
    if let Some(inert) = &shown.inert_wasi {
        writeln!(text, "wasi      inert: {inert}")?;
    }
    for Asked { name, value, default, why } in &shown.limits {
        writeln!(text, "requests  {name} = {value} (default {default}): {why}")?;
    }
    if let Some(facts) = &shown.manifest {
        writeln!(text, "manifest  {} {}: {}", facts.id, facts.version, facts.title)?;
        match &facts.difference {
            None if shown.interprets.is_some() => {
                writeln!(text, "agrees    the checks use exactly what the manifest requests")?;
            }
            None => writeln!(text, "agrees    the imports are exactly what the manifest requests")?,
            Some(difference) => writeln!(text, "REFUSED   {difference}")?,
        }
        let where_it_is = if facts.sealed { "in the component file" } else { "in its own file" };
        writeln!(text, "sealed    {}, the manifest is {where_it_is}", if facts.sealed { "yes" } else { "no" })?;
        for line in facts.text.lines() {
            // Untrusted lines: the parser does not check the text of comments.
            writeln!(text, "  | {}", encode::terminal(&Tainted::new(line), 400))?;
        }
    }
    Ok(text)
}
