//! `bailiwick schema` and `bailiwick completions`: output for other programs.

use crate::report::exit::ExitCode as Exit;

use super::{Context, help};

/// `schema` has no options.
#[derive(Debug, clap::Args)]
pub(super) struct Schema {}

pub(super) fn schema(context: &Context, _: &Schema) -> anyhow::Result<Exit> {
    context.out.text(crate::report::json::SCHEMA)?;
    Ok(Exit::Fine)
}

#[derive(Debug, clap::Args)]
pub(super) struct Completions {
    /// The shell
    shell: clap_complete::Shell,
}

pub(super) fn completions(context: &Context, args: &Completions) -> anyhow::Result<Exit> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut help::tree(), "bailiwick", &mut script);
    context.out.bytes(&script)?;
    Ok(Exit::Fine)
}
