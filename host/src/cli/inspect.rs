//! `bailiwick inspect FILE.wasm`.

use std::fmt::Write;

use bailiwick::library::read_binary;
use bailiwick::manifest::{self, Manifest};
use bailiwick::ops::OpsError;
use bailiwick::report::exit::ExitCode as Exit;
use bailiwick::review::inert;
use bailiwick::sandbox::imports::{groups, links, on_one_line};
use bailiwick::sandbox::{Inspected, check_imports, inspect};
use bailiwick::source::Source;
use serde::Serialize;

use super::args::{self, Format};
use super::{Context, fail};

/// What there is to know of a component's file.
#[derive(Serialize)]
struct Shown {
    format: &'static str,
    digest: String,
    bytes: usize,
    world: String,
    exports: Vec<String>,
    imports: Vec<String>,
    /// What it gets of WASI, in words.
    inert_wasi: Option<String>,
    manifest: Option<Held>,
}

/// The manifest beside it, and whether both agree.
#[derive(Serialize)]
struct Held {
    id: String,
    version: String,
    title: String,
    agrees: bool,
    difference: Option<String>,
}

pub(super) fn run(context: &Context, args: &args::Inspect) -> anyhow::Result<Exit> {
    let binary = read_binary(&args.file)?;
    let inspected = inspect(&binary.bytes)
        .map_err(|error| anyhow::Error::new(error).context(format!("{} is refused", args.file.display())))?;
    let path = args.file.with_extension("toml");
    let manifest = if path.exists() {
        let source = Source::read(&path)?;
        Some(manifest::parse(&source).map_err(OpsError::Invalid)?)
    } else {
        None
    };
    let shown = Shown {
        format: "bailiwick.inspect/1",
        digest: format!("sha256:{}", inspected.digest),
        bytes: inspected.size,
        world: world(&inspected),
        exports: inspected.exports.iter().map(|(kind, name)| format!("{kind} {}", plain(name))).collect(),
        imports: imports(&inspected),
        inert_wasi: wasi(&inspected),
        manifest: manifest.as_ref().map(|manifest| held(&inspected, manifest)),
    };
    let refused = shown.manifest.as_ref().is_some_and(|held| !held.agrees);
    context.out.text(&match args.format {
        Format::Json => serde_json::to_string_pretty(&shown)? + "\n",
        Format::Table => table(&shown)?,
    })?;
    if manifest.is_none() {
        let beside = path.display();
        return Err(fail::usage(
            format!("there is no manifest {beside}, so nothing can be granted to it"),
            "CONTRIBUTING.md shows how to write one",
        ));
    }
    Ok(if refused { Exit::Refused } else { Exit::Fine })
}

/// A component's own names are escaped: they are somebody else's text.
fn plain(name: &str) -> String {
    name.escape_default().to_string()
}

/// The world that it fits: whatever verbs it calls, if everything else about it is as it must be.
fn world(inspected: &Inspected) -> String {
    let fits = links(inspected).and_then(|links| check_imports(inspected, &links.verbs, &groups(&links)));
    match fits {
        Ok(_) => manifest::PROBE_WORLD.to_owned(),
        Err(error) => format!("none that this host has: {}", on_one_line(&error)),
    }
}

/// What it gets of inert WASI, if it imports any.
fn wasi(inspected: &Inspected) -> Option<String> {
    let groups = groups(&links(inspected).ok()?);
    (!groups.is_empty()).then(|| inert(&groups))
}

fn imports(inspected: &Inspected) -> Vec<String> {
    let functions = inspected.imports.iter().map(|(interface, function)| plain(&format!("{interface} {function}")));
    let types = inspected.type_imports.iter().map(|interface| plain(&format!("{interface} (types only)")));
    functions.chain(types).collect()
}

fn held(inspected: &Inspected, manifest: &Manifest) -> Held {
    let difference =
        check_imports(inspected, &manifest.verbs(), &manifest.wasi()).err().map(|error| on_one_line(&error));
    Held {
        id: manifest.id.to_string(),
        version: manifest.version.clone(),
        title: manifest.title.clone(),
        agrees: difference.is_none(),
        difference,
    }
}

fn table(shown: &Shown) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    writeln!(text, "digest    {}\nsize      {} bytes", shown.digest, shown.bytes)?;
    writeln!(text, "world     {}", shown.world)?;
    for export in &shown.exports {
        writeln!(text, "exports   {export}")?;
    }
    for import in &shown.imports {
        writeln!(text, "imports   {import}")?;
    }
    if let Some(inert) = &shown.inert_wasi {
        writeln!(text, "wasi      inert: {inert}")?;
    }
    if let Some(held) = &shown.manifest {
        writeln!(text, "manifest  {} {}: {}", held.id, held.version, held.title)?;
        match &held.difference {
            None => writeln!(text, "agrees    the imports are exactly what the manifest asks for")?,
            Some(difference) => writeln!(text, "REFUSED   {difference}")?,
        }
    }
    Ok(text)
}
