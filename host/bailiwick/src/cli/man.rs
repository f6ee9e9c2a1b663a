//! `bailiwick man`: the manual pages, from the same tree as `--help`.

use std::path::{Path, PathBuf};

use crate::report::exit::ExitCode as Exit;
use bailiwick_core::encode::ShownPath as _;
use bailiwick_core::{durable, wrap};
use clap::Command;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, roman};

use super::Context;
use super::help::{TOPICS, tree};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The directory to write, such as /usr/local/share/man/man1
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

pub(super) fn run(context: &Context, args: &Args) -> anyhow::Result<Exit> {
    std::fs::create_dir_all(&args.out)?;
    let mut tree = tree();
    tree.build();
    let mut count = 0;
    write(&tree, "bailiwick", &args.out, &mut count)?;
    for topic in TOPICS {
        let name = format!("bailiwick-{}", topic.name);
        let mut page = Vec::new();
        let mut roff = Roff::new();
        roff.control("TH", [name.as_str(), "5"]);
        roff.control("SH", ["NAME"]);
        roff.text([roman(format!("{name} - {}", topic.about))]);
        roff.control("SH", ["DESCRIPTION"]);
        // The page is written to be read as it is.
        roff.control("nf", []);
        for line in topic.text(wrap::COLUMNS).lines() {
            roff.text([roman(line)]);
        }
        roff.control("fi", []);
        roff.to_writer(&mut page)?;
        durable::replace(&args.out.join(format!("{name}.5")), 0o644, &page)?;
        count += 1;
    }
    context.out.text(&format!("wrote     {} manual pages to {}", count, args.out.shown()))?;
    Ok(Exit::Fine)
}

/// The page of a command, and those of its subcommands.
fn write(command: &Command, name: &str, folder: &Path, count: &mut usize) -> anyhow::Result<()> {
    let mut page = Vec::new();
    Man::new(command.clone()).title(name).render(&mut page)?;
    durable::replace(&folder.join(format!("{name}.1")), 0o644, &page)?;
    *count += 1;
    for sub in command.get_subcommands() {
        write(sub, &format!("{name}-{}", sub.get_name()), folder, count)?;
    }
    Ok(())
}
