//! `bailiwick rounds`.

use bailiwick::report::exit::ExitCode as Exit;

use crate::cli::Context;
use crate::cli::args;

pub(crate) fn rounds(context: &Context, args: &args::Rounds) -> anyhow::Result<Exit> {
    let _ = (context, args);
    todo!()
}
