//! `bailiwick fleet`.

use std::path::PathBuf;

use crate::report::exit::ExitCode as Exit;
use bailiwick_core::fleet::import::import;
use bailiwick_transport::openssh::Installed;

use clap::Subcommand;

use super::{Context, fail};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print fleet entries from ssh_config and known_hosts
    ///
    /// ssh_config is read through `ssh -G`, which runs the commands of `Match exec` lines in it. No connection is
    /// made. Bailiwick never reads these files again.
    Import {
        /// Host names or aliases, as for `ssh`
        ///
        /// [default: every Host of the configuration without a wildcard]
        #[arg(value_name = "HOST")]
        hosts: Vec<String>,

        /// The configuration [default: ~/.ssh/config]
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,

        /// The known host keys [default: the files that ssh reads]
        #[arg(long, value_name = "FILE")]
        known_hosts: Option<PathBuf>,
    },
}

pub(super) fn run(context: &Context, args: &Args) -> anyhow::Result<Exit> {
    let Command::Import { hosts, config, known_hosts } = &args.command;
    let Some(home) = context.environment.home.clone() else {
        return Err(fail::usage("HOME is not set", "name the files with --config and --known-hosts"));
    };
    let config = config.clone().unwrap_or_else(|| home.join(".ssh/config"));
    let known: Vec<PathBuf> = known_hosts.iter().cloned().collect();
    context.out.text(&import(&config, &known, hosts, &Installed { home })?)?;
    Ok(Exit::Fine)
}
