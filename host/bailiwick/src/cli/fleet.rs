//! `bailiwick fleet`.

use std::path::PathBuf;

use crate::report::exit::ExitCode as Exit;
use bailiwick_core::fleet::import::import;
use bailiwick_transport::openssh::Installed;

use super::args::Fleet;
use super::{Context, fail};

pub(super) fn run(context: &Context, command: Fleet) -> anyhow::Result<Exit> {
    let Fleet::Import { hosts, config, known_hosts } = command;
    let Some(home) = context.environment.home.clone() else {
        return Err(fail::usage("HOME is not set", "name the files with --config and --known-hosts"));
    };
    let config = config.unwrap_or_else(|| home.join(".ssh/config"));
    let known: Vec<PathBuf> = known_hosts.into_iter().collect();
    context.out.text(&import(&config, &known, &hosts, &Installed { home })?)?;
    Ok(Exit::Fine)
}
