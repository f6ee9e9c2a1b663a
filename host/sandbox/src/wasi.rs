//! The names of inert WASI: the functions that a component may import if its manifest asks for them.
//!
//! Knows: WASI 0.2. Must not know: what the functions do ([`super::host`] does). Attack answered: a package that reaches
//! something, or a version whose functions only seem to be the same (LK15). Names are compared as strings; what is linked has
//! the name in the binary.

use super::imports::ImportError;
use super::inspect::shown;
use bailiwick_core::model::WasiGroup;

/// One interface, without its version.
#[derive(Debug)]
pub(super) struct Interface {
    pub(super) group: WasiGroup,
    /// `clocks/wall-clock`.
    pub(super) name: &'static str,
    /// Its functions.
    pub(super) functions: &'static [&'static str],
}

/// All interfaces.
const INTERFACES: &[Interface] = &[
    cli("cli/environment", &["get-environment", "get-arguments", "initial-cwd"]),
    cli("cli/exit", &["exit", "exit-with-code"]),
    cli("cli/stdin", &["get-stdin"]),
    cli("cli/stdout", &["get-stdout"]),
    cli("cli/stderr", &["get-stderr"]),
    cli("cli/terminal-input", &[]),
    cli("cli/terminal-output", &[]),
    cli("cli/terminal-stdin", &["get-terminal-stdin"]),
    cli("cli/terminal-stdout", &["get-terminal-stdout"]),
    cli("cli/terminal-stderr", &["get-terminal-stderr"]),
    clocks("clocks/monotonic-clock", &["now", "resolution", "subscribe-instant", "subscribe-duration"]),
    clocks("clocks/wall-clock", &["now", "resolution"]),
    io("io/error", &["[method]error.to-debug-string"]),
    io("io/poll", &["[method]pollable.ready", "[method]pollable.block", "poll"]),
    io(
        "io/streams",
        &[
            "[method]input-stream.read",
            "[method]input-stream.blocking-read",
            "[method]input-stream.skip",
            "[method]input-stream.blocking-skip",
            "[method]input-stream.subscribe",
            "[method]output-stream.check-write",
            "[method]output-stream.write",
            "[method]output-stream.blocking-write-and-flush",
            "[method]output-stream.flush",
            "[method]output-stream.blocking-flush",
            "[method]output-stream.subscribe",
            "[method]output-stream.write-zeroes",
            "[method]output-stream.blocking-write-zeroes-and-flush",
            "[method]output-stream.splice",
            "[method]output-stream.blocking-splice",
        ],
    ),
    random("random/random", &["get-random-bytes", "get-random-u64"]),
    random("random/insecure", &["get-insecure-random-bytes", "get-insecure-random-u64"]),
    random("random/insecure-seed", &["insecure-seed"]),
];

const fn cli(name: &'static str, functions: &'static [&'static str]) -> Interface {
    Interface { group: WasiGroup::Cli, name, functions }
}

const fn clocks(name: &'static str, functions: &'static [&'static str]) -> Interface {
    Interface { group: WasiGroup::Clocks, name, functions }
}

const fn io(name: &'static str, functions: &'static [&'static str]) -> Interface {
    Interface { group: WasiGroup::Io, name, functions }
}

const fn random(name: &'static str, functions: &'static [&'static str]) -> Interface {
    Interface { group: WasiGroup::Random, name, functions }
}

/// The interface of a component's import. `None` if the import is not of WASI.
///
/// # Errors
/// When it is of WASI and this host does not have it.
pub(super) fn interface(import: &str) -> Result<Option<&'static Interface>, ImportError> {
    let Some(rest) = import.strip_prefix("wasi:") else { return Ok(None) };
    let (name, version) = rest.rsplit_once('@').unwrap_or((rest, ""));
    let package = name.split('/').next().unwrap_or_default();
    let why = match package {
        "filesystem" => "no component gets files",
        "sockets" | "http" | "tls" => "no component gets the network",
        _ if WasiGroup::from_name(package).is_none() => "this host does not have this part of WASI",
        _ if !version.strip_prefix("0.2.").is_some_and(is_number) => {
            return Err(ImportError::WasiVersion { interface: shown(import) });
        }
        _ => match INTERFACES.iter().find(|interface| interface.name == name) {
            Some(known) => return Ok(Some(known)),
            None => "this host's WASI does not have it",
        },
    };
    Err(ImportError::Foreign { interface: shown(import), why })
}

fn is_number(text: &str) -> bool {
    (1..=3).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_digit())
        && (text == "0" || !text.starts_with('0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lk15_versions_are_told_apart_as_strings() {
        for import in ["wasi:clocks/wall-clock@0.2.0", "wasi:clocks/wall-clock@0.2.12"] {
            assert!(matches!(interface(import), Ok(Some(_))), "{import}");
        }
        for version in ["", "0.2", "0.2.", "0.2.00", "0.2.0-rc-2023-11-10", "0.2.0+x", "0.3.0", "1.0.0", "0.2.1234"] {
            let import = format!("wasi:clocks/wall-clock@{version}");
            assert!(matches!(interface(&import), Err(ImportError::WasiVersion { .. })), "{import}");
        }
        assert!(matches!(interface("acme:clocks/wall-clock@0.2.0"), Ok(None)));
    }

    #[test]
    fn lk15_what_reaches_something_is_never_there() {
        for import in [
            "wasi:filesystem/types@0.2.0",
            "wasi:filesystem/preopens@0.2.6",
            "wasi:sockets/tcp@0.2.0",
            "wasi:sockets/instance-network@0.2.0",
            "wasi:http/outgoing-handler@0.2.0",
            "wasi:tls/types@0.2.0",
            "wasi:keyvalue/store@0.2.0",
            "wasi:clocks/timezone@0.2.0",
            "wasi:cli/run@0.2.0",
            "wasi:io/../filesystem/types@0.2.0",
        ] {
            assert!(matches!(interface(import), Err(ImportError::Foreign { .. })), "{import}");
        }
    }
}
