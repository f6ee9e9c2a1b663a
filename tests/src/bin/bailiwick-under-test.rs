//! The real program, under a name of the tests' own.

fn main() -> std::process::ExitCode {
    bailiwick::main()
}
