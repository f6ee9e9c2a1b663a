//! `bailiwick wit`.

use std::path::Path;

use crate::report::exit::ExitCode as Exit;
use bailiwick_core::encode::ShownPath as _;
use bailiwick_core::source::Source;
use bailiwick_core::{manifest, wit};
use bailiwick_engine::project;
use bailiwick_policy::ops::OpsError;

use super::{Context, args};

pub(super) fn run(context: &Context, args: &args::Wit) -> anyhow::Result<Exit> {
    let manifest = manifest::parse(&Source::read_theirs(&args.manifest)?).map_err(OpsError::Invalid)?;
    let beside = || args.manifest.parent().unwrap_or(Path::new("")).join("wit");
    let folder = args.out.clone().unwrap_or_else(beside);
    project::write_contract(&folder, &wit::trimmed(manifest.world, &manifest.verbs(), manifest.history.is_some()))?;
    let verbs: Vec<_> = manifest.verbs().into_iter().map(|verb| verb.name()).collect();
    let verbs = if verbs.is_empty() { "no verb".to_owned() } else { verbs.join(", ") };
    context.out.text(&format!("wrote     {}: {verbs}, and what reaches no target\n", folder.shown()))?;
    Ok(Exit::Fine)
}
