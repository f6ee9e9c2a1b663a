//! `bailiwick wit`.

use std::path::{Path, PathBuf};

use crate::report::exit::ExitCode as Exit;
use bailiwick_core::encode::ShownPath as _;
use bailiwick_core::source::Source;
use bailiwick_core::{manifest, wit};
use bailiwick_engine::project;
use bailiwick_policy::ops::OpsError;

use super::Context;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The manifest
    #[arg(long, value_name = "FILE", default_value = "manifest.toml")]
    pub(super) manifest: PathBuf,

    /// The folder to write [default: `wit` beside the manifest]
    ///
    /// Only files of an earlier `bailiwick wit` are replaced.
    #[arg(long, value_name = "DIR")]
    pub(super) out: Option<PathBuf>,
}

pub(super) fn run(context: &Context, args: &Args) -> anyhow::Result<Exit> {
    let manifest = manifest::parse(&Source::read_theirs(&args.manifest)?).map_err(OpsError::Invalid)?;
    let beside = || args.manifest.parent().unwrap_or(Path::new("")).join("wit");
    let folder = args.out.clone().unwrap_or_else(beside);
    project::write_contract(&folder, &wit::trimmed(manifest.world, &manifest.verbs(), manifest.history.is_some()))?;
    let verbs: Vec<_> = manifest.verbs().into_iter().map(|verb| verb.name()).collect();
    let verbs = if verbs.is_empty() { "no verb".to_owned() } else { verbs.join(", ") };
    context.out.text(&format!("wrote     {}: {verbs}, and the interfaces that reach no target\n", folder.shown()))?;
    Ok(Exit::Fine)
}
