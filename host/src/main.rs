//! The door: reads the command line and the surroundings, calls the library, prints.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    // A panic is a mistake of ours, and says so in its exit code.
    std::panic::catch_unwind(cli::main).unwrap_or_else(|_| bailiwick::report::exit::ExitCode::Bug.into())
}
