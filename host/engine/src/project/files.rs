//! The files of a new project, from the sources.
//!
//! Knows: paths, here and in a project. Must not know: where a project is written. A missing file does not compile.

use super::Language;

/// Path in the project, and bytes.
pub(super) type Embedded = (&'static str, &'static [u8]);

macro_rules! embed {
    ($folder:literal: $($from:literal => $to:literal,)*) => {
        &[$(($to, include_bytes!(concat!("../../../../", $folder, $from))),)*]
    };
}

/// The manifest of every compiled project.
pub(super) const MANIFEST: &str = include_str!("../../../../probes/languages/common/manifest.toml");

/// The files of every compiled project.
pub(super) const COMMON: &[Embedded] = embed! { "probes/languages/common/":
    "cases/directory.toml" => "cases/directory.toml",
    "cases/empty.toml" => "cases/empty.toml",
    "cases/full.toml" => "cases/full.toml",
    "cases/gone.toml" => "cases/gone.toml",
    "cases/healthy.toml" => "cases/healthy.toml",
    "cases/mounted-over.toml" => "cases/mounted-over.toml",
    "cases/not-permitted.toml" => "cases/not-permitted.toml",
    "cases/nothing-bound.toml" => "cases/nothing-bound.toml",
    "cases/nowhere.toml" => "cases/nowhere.toml",
    "cases/thresholds.toml" => "cases/thresholds.toml",
    "cases/tight.toml" => "cases/tight.toml",
    "cases/unsupported.toml" => "cases/unsupported.toml",
};

const RUST: &[Embedded] = embed! { "":
    "probes/languages/common/gitignore" => ".gitignore",
    "probes/languages/rust/build" => "build",
    "probes/languages/rust/Cargo.lock" => "Cargo.lock",
    "probes/languages/rust/Cargo.toml" => "Cargo.toml",
    "probes/languages/rust/README.md" => "README.md",
    "probes/languages/rust/src/lib.rs" => "src/lib.rs",
    "probes/languages/rust/sdk-Cargo.toml" => "sdk/bailiwick-guest/Cargo.toml",
    "guest-sdk/docs/cases.md" => "sdk/bailiwick-guest/docs/cases.md",
    "guest-sdk/docs/contract.md" => "sdk/bailiwick-guest/docs/contract.md",
    "guest-sdk/docs/declared.md" => "sdk/bailiwick-guest/docs/declared.md",
    "guest-sdk/docs/first-fix.md" => "sdk/bailiwick-guest/docs/first-fix.md",
    "guest-sdk/docs/first-probe.md" => "sdk/bailiwick-guest/docs/first-probe.md",
    "guest-sdk/docs/refused.md" => "sdk/bailiwick-guest/docs/refused.md",
    "guest-sdk/src/bindings.rs" => "sdk/bailiwick-guest/src/bindings.rs",
    "guest-sdk/src/certificates.rs" => "sdk/bailiwick-guest/src/certificates.rs",
    "guest-sdk/src/clock.rs" => "sdk/bailiwick-guest/src/clock.rs",
    "guest-sdk/src/commands.rs" => "sdk/bailiwick-guest/src/commands.rs",
    "guest-sdk/src/commands_change.rs" => "sdk/bailiwick-guest/src/commands_change.rs",
    "guest-sdk/src/containers.rs" => "sdk/bailiwick-guest/src/containers.rs",
    "guest-sdk/src/containers_change.rs" => "sdk/bailiwick-guest/src/containers_change.rs",
    "guest-sdk/src/files.rs" => "sdk/bailiwick-guest/src/files.rs",
    "guest-sdk/src/files_change.rs" => "sdk/bailiwick-guest/src/files_change.rs",
    "guest-sdk/src/fix.rs" => "sdk/bailiwick-guest/src/fix.rs",
    "guest-sdk/src/fixture.rs" => "sdk/bailiwick-guest/src/fixture.rs",
    "guest-sdk/src/guide.rs" => "sdk/bailiwick-guest/src/guide.rs",
    "guest-sdk/src/history.rs" => "sdk/bailiwick-guest/src/history.rs",
    "guest-sdk/src/http.rs" => "sdk/bailiwick-guest/src/http.rs",
    "guest-sdk/src/lib.rs" => "sdk/bailiwick-guest/src/lib.rs",
    "guest-sdk/src/log.rs" => "sdk/bailiwick-guest/src/log.rs",
    "guest-sdk/src/logs.rs" => "sdk/bailiwick-guest/src/logs.rs",
    "guest-sdk/src/network.rs" => "sdk/bailiwick-guest/src/network.rs",
    "guest-sdk/src/observed.rs" => "sdk/bailiwick-guest/src/observed.rs",
    "guest-sdk/src/packages.rs" => "sdk/bailiwick-guest/src/packages.rs",
    "guest-sdk/src/postgres.rs" => "sdk/bailiwick-guest/src/postgres.rs",
    "guest-sdk/src/probe.rs" => "sdk/bailiwick-guest/src/probe.rs",
    "guest-sdk/src/report.rs" => "sdk/bailiwick-guest/src/report.rs",
    "guest-sdk/src/services.rs" => "sdk/bailiwick-guest/src/services.rs",
    "guest-sdk/src/services_change.rs" => "sdk/bailiwick-guest/src/services_change.rs",
    "guest-sdk/src/system.rs" => "sdk/bailiwick-guest/src/system.rs",
    "guest-sdk/src/target.rs" => "sdk/bailiwick-guest/src/target.rs",
    "guest-sdk/src/text.rs" => "sdk/bailiwick-guest/src/text.rs",
    "guest-sdk/src/time.rs" => "sdk/bailiwick-guest/src/time.rs",
};

const JAVASCRIPT: &[Embedded] = embed! { "probes/languages/js/":
    "gitignore" => ".gitignore",
    "build" => "build",
    "README.md" => "README.md",
    "package.json" => "package.json",
    "package-lock.json" => "package-lock.json",
    "src/bailiwick.js" => "src/bailiwick.js",
    "src/probe.js" => "src/probe.js",
};

const PYTHON: &[Embedded] = embed! { "probes/languages/python/":
    "gitignore" => ".gitignore",
    "build" => "build",
    "README.md" => "README.md",
    "requirements.txt" => "requirements.txt",
    "src/app.py" => "src/app.py",
    "src/bailiwick.py" => "src/bailiwick.py",
};

const C: &[Embedded] = embed! { "probes/languages/":
    "common/gitignore" => ".gitignore",
    "c/build" => "build",
    "c/README.md" => "README.md",
    "c/bindings/probe.c" => "bindings/probe.c",
    "c/bindings/probe.h" => "bindings/probe.h",
    "c/bindings/probe_component_type.o" => "bindings/probe_component_type.o",
    "c/src/bailiwick.c" => "src/bailiwick.c",
    "c/src/bailiwick.h" => "src/bailiwick.h",
    "c/src/probe.c" => "src/probe.c",
};

/// The files of a project of checks, which needs no compiler and no contract.
pub(super) const TOML: &[Embedded] = embed! { "probes/languages/":
    "common/gitignore" => ".gitignore",
    "toml/README.md" => "README.md",
    "toml/manifest.toml" => "manifest.toml",
    "toml/cases/empty.toml" => "cases/empty.toml",
    "toml/cases/gone.toml" => "cases/gone.toml",
    "toml/cases/healthy.toml" => "cases/healthy.toml",
    "toml/cases/old.toml" => "cases/old.toml",
    "toml/cases/unreachable.toml" => "cases/unreachable.toml",
};

/// The files that only projects in this language have.
pub(super) const fn own(language: Language) -> &'static [Embedded] {
    match language {
        Language::Rust => RUST,
        Language::JavaScript => JAVASCRIPT,
        Language::Python => PYTHON,
        Language::C => C,
        Language::Toml => TOML,
    }
}

/// The lines of a manifest that only this language needs: raised limits.
pub(super) const fn limits(language: Language) -> &'static str {
    match language {
        Language::Python => include_str!("../../../../probes/languages/python/limits.toml"),
        Language::JavaScript => include_str!("../../../../probes/languages/js/limits.toml"),
        Language::Rust | Language::C | Language::Toml => "",
    }
}
