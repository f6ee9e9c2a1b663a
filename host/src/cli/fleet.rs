//! `bailiwick fleet`.

use bailiwick::report::exit::ExitCode as Exit;

use super::Context;
use super::args::Fleet;

pub(super) fn run(context: &Context, command: Fleet) -> anyhow::Result<Exit> {
    let Fleet::Import { .. } = command;
    context.out.text("")?;
    Ok(Exit::Usage)
}
