//! The door.

use std::process::ExitCode;

use bailiwick::sandbox::worker;

fn main() -> ExitCode {
    // Before anything else: a worker has no arguments to parse, no files to read and no one to talk to.
    if std::env::args_os().nth(1).is_some_and(|argument| argument == worker::ARGUMENT) {
        return worker::main();
    }
    ExitCode::SUCCESS
}
