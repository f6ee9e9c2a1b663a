//! The program `bailiwick`.

fn main() -> std::process::ExitCode {
    bailiwick::main()
}
