//! `bailiwick rehearse`.

use bailiwick::report::exit::ExitCode as Exit;

use crate::cli::Context;
use crate::cli::args;

pub(crate) fn rehearse(context: &Context, args: &args::Rehearse) -> anyhow::Result<Exit> {
    let _ = (context, args);
    todo!()
}
