//! `bailiwick pack FILE.wasm`.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use crate::report::exit::ExitCode as Exit;
use bailiwick_core::durable;
use bailiwick_core::encode::ShownPath as _;
use bailiwick_core::manifest::Manifest;
use bailiwick_core::source;
use bailiwick_core::source::Source;
use bailiwick_engine::pack;
use bailiwick_engine::pack::{Names, PackError};
use bailiwick_policy::library;
use bailiwick_policy::library::ComponentFile;
use bailiwick_policy::ops::OpsError;
use bailiwick_policy::signature;
use bailiwick_policy::signature::{NAMESPACE, SignError, Signature};

use super::{Context, fail};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The component from the compiler, or a manifest with checks
    pub(super) file: PathBuf,

    /// The manifest [default: FILE.toml, else ./manifest.toml]
    #[arg(long, value_name = "FILE")]
    pub(super) manifest: Option<PathBuf>,

    /// Output; replaces only a packed file of the same ID
    ///
    /// [default: ./ID.wasm]
    #[arg(long, value_name = "FILE")]
    pub(super) out: Option<PathBuf>,

    /// Remove names, tool info and debug information
    #[arg(long)]
    pub(super) strip: bool,

    /// Sign with this Ed25519 key; writes OUT.sig
    ///
    /// The key is a file of `ssh-keygen -t ed25519` without a passphrase.
    #[arg(long, value_name = "KEYFILE")]
    pub(super) sign: Option<PathBuf>,
}

pub(super) fn run(context: &Context, args: &Args) -> anyhow::Result<Exit> {
    // A manifest with checks is a complete component, because the interpreter is built in.
    let declared = args.manifest.is_none() && args.file.extension().is_some_and(|extension| extension == "toml");
    let file = if declared {
        ComponentFile::declared(&args.file)
    } else {
        ComponentFile::with(&args.file, manifest_of(args).as_ref())
    };
    let file = file.map_err(OpsError::from)?;
    // The interpreter is recognised by its bytes, and has no names to strip.
    let names = if args.strip && !declared { Names::Strip } else { Names::Keep };
    let packed = match pack::pack(&args.file, &file, names) {
        Ok(packed) => packed,
        Err(error @ PackError::Imports { .. }) => {
            fail::report(&error.into(), &context.out);
            return Ok(Exit::Refused);
        }
        Err(error) => return Err(error.into()),
    };
    let out = args.out.clone().unwrap_or_else(|| format!("{}.wasm", packed.manifest.id).into());
    check_overwrites(&out, &packed.manifest)?;
    durable::replace(&out, 0o644, &packed.bytes)?;
    let signed = signed(context, args, &out, &packed.bytes)?;
    let mut text = String::new();
    writeln!(text, "packed    {}\ndigest    sha256:{}", out.shown(), packed.digest)?;
    writeln!(text, "size      {} bytes", packed.bytes.len())?;
    if let Some(fingerprint) = signed {
        writeln!(text, "signed    {}, by {fingerprint}", library::signature_path(&out).shown())?;
    }
    write_asks(&mut text, &packed.manifest)?;
    writeln!(text, "\nNext:")?;
    writeln!(text, "  bailiwick test {}", out.shown())?;
    writeln!(text, "  bailiwick add {}", out.shown())?;
    context.out.text(&text)?;
    Ok(Exit::Fine)
}

/// Signs the packed component, if requested. Returns the key's fingerprint.
fn signed(context: &Context, args: &Args, out: &Path, bytes: &[u8]) -> anyhow::Result<Option<String>> {
    let Some(key) = &args.sign else {
        // The signature of an earlier packing would only be refused later.
        if let Ok(ComponentFile { signature: Some(signature), .. }) = ComponentFile::with(out, None)
            && Signature::parse(&signature).and_then(|signature| signature.verify(bytes)).is_err()
        {
            let name = library::signature_path(out);
            context.out.say(&format!("warning: {} is not a signature of this file; sign again", name.shown()));
        }
        return Ok(None);
    };
    let text = match signature::sign(Source::read(key)?.text(), bytes) {
        Ok(text) => text,
        Err(error) => {
            let message = format!("{} is packed and not signed: {}: {error}", out.shown(), key.shown());
            let command = format!("ssh-keygen -Y sign -n {NAMESPACE} -f {} {}", key.shown(), out.shown());
            let hint = match error {
                SignError::KeyType(_) => "`ssh-keygen -t ed25519 -f FILE` makes a key that does".to_owned(),
                _ => format!("`{command}` signs with keys that need a passphrase or an agent, too"),
            };
            return Err(fail::usage(message, hint));
        }
    };
    durable::replace(&library::signature_path(out), 0o644, text.as_bytes())?;
    Ok(Some(Signature::parse(text.as_bytes())?.fingerprint()))
}

/// The manifest that was named, else the one beside the component, else `manifest.toml` in the current folder for a component
/// without a sealed one.
fn manifest_of(args: &Args) -> Option<PathBuf> {
    let there = |path: &PathBuf| source::name_exists(path);
    let sealed = || matches!(ComponentFile::with(&args.file, None), Ok(file) if file.sealed);
    args.manifest
        .clone()
        .or_else(|| Some(args.file.with_extension("toml")).filter(there))
        .or_else(|| Some(PathBuf::from("manifest.toml")).filter(|path| there(path) && !sealed()))
}

/// Checks that the file to overwrite is an earlier packing of the same component.
fn check_overwrites(out: &Path, manifest: &Manifest) -> anyhow::Result<()> {
    if !source::name_exists(out) {
        return Ok(());
    }
    match ComponentFile::with(out, None) {
        Ok(there) if there.sealed && there.manifest.id == manifest.id => Ok(()),
        _ => {
            let message = format!("{} already exists, and is not an earlier packing of `{}`", out.shown(), manifest.id);
            Err(fail::usage(message, "name another file with --out, or delete it"))
        }
    }
}

/// The verbs and slots that it asks for, each with the author's reason.
fn write_asks(text: &mut String, manifest: &Manifest) -> std::fmt::Result {
    writeln!(text, "requests  {} {}: {}", manifest.id, manifest.version, manifest.title)?;
    for (verb, why) in &manifest.uses {
        writeln!(text, "  {verb}: {why}")?;
    }
    for (name, slot) in &manifest.slots {
        let verbs: Vec<_> = slot.verbs.iter().map(|verb| verb.name()).collect();
        let many = if slot.many { ", any number" } else { "" };
        let default = slot.default.as_ref().map(|literal| format!(" [{}]", literal.as_str())).unwrap_or_default();
        writeln!(text, "  {} of slot {name}{many}{default}: {}", verbs.join(", "), slot.why)?;
    }
    for (name, param) in &manifest.params {
        writeln!(text, "  setting {name} [{}]: {}", param.default, param.about)?;
    }
    Ok(())
}
