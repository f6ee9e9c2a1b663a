//! The structure of the code, checked: which crate and which module may know which, where the dangerous things are, what
//! every file must have, and that what the pages point at exists.
//!
//! Between crates the compiler enforces it: a crate can name what its `[dependencies]` list and nothing else. This test
//! compares that list with ARCHITECTURE.md and with the edges that must never exist. Inside a crate whose `lib.rs` says
//! "Each module knows only those above it", the order of its `mod` lines decides.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What a crate must never reach, directly or through others, and why.
const FORBIDDEN: &[(&[&str], &[&str], &str)] = &[
    (
        &["core", "bindings", "transport", "journal", "sandbox"],
        &["policy", "engine", "change", "bailiwick"],
        "what carries, records or runs an action cannot know who allowed it: it gets the action and nothing to decide by",
    ),
    (&["transport", "journal", "policy"], &["sandbox", "bindings"], "wasm stays where there is nothing to steal"),
    (&["sandbox", "policy", "journal", "core"], &["transport"], "these open no connection"),
    (&["sandbox"], &["journal"], "a worker has no record to read"),
    (&["policy", "engine"], &["change"], "what checks cannot change anything"),
];

/// Which crates may depend on what is dangerous or expensive, and why.
const HOMES: &[(&[&str], &[&str], &str)] = &[
    (
        &["russh", "russh-sftp", "cap-std", "cap-fs-ext"],
        &["transport"],
        "one crate speaks SSH and opens files for verbs",
    ),
    (&["wasmtime", "wasmtime-wasi"], &["bindings", "sandbox"], "components run in one crate"),
    (&["wasmparser", "x509-cert", "httparse", "postcard"], &["sandbox"], "hostile bytes are parsed in one crate"),
    (&["landlock", "seccompiler", "nix"], &["sandbox"], "what a worker gives up"),
    (&["rusqlite", "zstd"], &["journal"], "the record and what is derived from it"),
    (&["ssh-key", "ssh-encoding"], &["policy"], "signatures are checked where consent is"),
    (
        &["clap", "clap_complete", "clap_mangen", "indicatif", "tracing-subscriber"],
        &["bailiwick"],
        "one crate meets people",
    ),
];

/// What may be named in a few places only: words, the files or folders under `host`, why.
const PLACES: &[(&[&str], &[&str], &str)] = &[
    (
        &["tokio::process", "std::process::Command"],
        &["transport/", "sandbox/src/process.rs", "sandbox/src/attempt.rs"],
        "programs of verbs, workers, and what a worker tries in vain; nothing else is started",
    ),
    (
        &["env::var"],
        &["policy/src/ops.rs", "bailiwick/src/report/progress.rs", "bailiwick/src/cli/"],
        "the environment is read once, when the program starts",
    ),
    (
        &["Timestamp::now", "SystemTime::now", "Instant::now"],
        &[
            "journal/",
            "transport/",
            "sandbox/",
            "engine/src/broker.rs",
            "engine/src/run/",
            "engine/src/sweep/",
            "change/src/clock.rs",
            "bailiwick/src/cli/",
        ],
        "what decides takes `now` as an argument",
    ),
    (
        &["std::fs::", "std::fs;"],
        &[
            "core/src/source.rs",
            "core/src/durable.rs",
            "core/src/durable/",
            "policy/build.rs",
            "policy/src/library/",
            "policy/src/lock/store.rs",
            "engine/src/consent/read.rs",
            "journal/",
            "engine/src/quarantine.rs",
            "change/src/clock.rs",
            "change/src/stop.rs",
            "change/src/store.rs",
            "transport/",
            "sandbox/",
            "engine/src/cases/project.rs",
            "engine/src/project/",
            "bailiwick/src/doctor/",
            "bailiwick/src/cli/doctor.rs",
            "bailiwick/src/cli/man.rs",
        ],
        "what decides opens no file",
    ),
];

/// Files that say `unsafe` all the same, how often, why. The compiler denies it everywhere else.
const UNSAFE: &[(&str, usize, &str)] = &[(
    "sandbox/src/audited.rs",
    2,
    "closes the descriptors that a worker was left, by number; loads code that the broker kept",
)];

/// Who reads tainted text as it is, how often, and what keeps it from being printed (D29).
const READERS: &[(&str, usize, &str)] = &[
    ("core/src/encode.rs", 2, "the way out"),
    ("core/src/model/tainted.rs", 1, "is where it is defined"),
    ("engine/src/broker.rs", 1, "looks it up in a grant; a key that is not there stays tainted text"),
    ("engine/src/broker/stage.rs", 2, "looks it up in a grant; a key that is not there stays tainted text"),
    ("engine/src/cases/mod.rs", 1, "writes it as a case does, which `cases/text.rs` escapes"),
    ("engine/src/cases/text.rs", 1, "writes it into a case, escaped"),
    (
        "engine/src/cases/verdict.rs",
        7,
        "compares it with what a case expects; differences go through `Debug` or `encode`",
    ),
    ("engine/src/replay/compare.rs", 4, "compares two; what differs stays tainted text"),
    ("engine/src/replay/recorded.rs", 1, "looks it up in a grant; a key that is not there stays tainted text"),
    ("engine/src/replay/v1.rs", 1, "finds it among what was withheld, as version 1 of a digest does"),
    ("engine/src/replay/with.rs", 1, "names what was asked in vain; its printer encodes it"),
    ("journal/src/history/earlier.rs", 1, "goes into a digest"),
    ("journal/src/history/update.rs", 1, "binds it as a value to a statement of ours"),
    ("sandbox/src/host/history.rs", 1, "returns it to the guest that reported it"),
];

/// Longest file, in lines.
const LINES_MAX: usize = 600;

/// A file of a crate under `host`, without comments and without tests.
struct Code {
    /// Relative to `host`, such as `core/src/fleet/mod.rs`.
    path: PathBuf,
    text: String,
    code: String,
}

impl Code {
    fn name(&self) -> String {
        self.path.display().to_string()
    }

    /// The folder of its crate: `core`.
    fn crate_name(&self) -> &str {
        self.path.iter().next().unwrap().to_str().unwrap()
    }

    /// The path of its module: `["fleet", "address"]`; empty for the crate's roots.
    fn module(&self) -> Vec<String> {
        let mut parts: Vec<_> = self.path.iter().skip(2).map(|part| part.to_str().unwrap().to_owned()).collect();
        let file = parts.pop().unwrap();
        match file.trim_end_matches(".rs") {
            "mod" => {}
            "lib" | "main" if parts.is_empty() => {}
            stem => parts.push(stem.to_owned()),
        }
        parts
    }
}

fn source_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../host")
}

/// Every file that gets into the program, in order of its name.
fn host() -> Vec<Code> {
    let mut paths = super::tree::files(&source_folder(), &[".rs"]);
    paths.retain(|path| path.iter().any(|part| part == "src"));
    paths.sort();
    let mut files = Vec::new();
    let mut for_tests = BTreeSet::new();
    for path in paths {
        let text = std::fs::read_to_string(&path).unwrap();
        let path = path.strip_prefix(source_folder()).unwrap().to_owned();
        let (code, modules) = without_tests(&without_comments(&text));
        let file = Code { path, text, code };
        let module = |name| (file.crate_name().to_owned(), [file.module(), vec![name]].concat());
        for_tests.extend(modules.into_iter().map(module));
        files.push(file);
    }
    assert!(files.len() > 40, "the sources are where they should be");
    let only_for_tests = |file: &Code| {
        for_tests.iter().any(|(name, module)| file.crate_name() == name && file.module().starts_with(module))
    };
    files.retain(|file| !only_for_tests(file));
    files
}

/// The lines of a file up to `//`. A `//` in a string is cut as well; the rest of that line does not matter here.
fn without_comments(text: &str) -> String {
    text.lines().map(|line| line.split("//").next().unwrap_or_default().trim_end().to_owned() + "\n").collect()
}

/// A formatted file without the test modules in it, and the names of those in files of their own.
fn without_tests(text: &str) -> (String, Vec<String>) {
    let mut code = String::new();
    let mut elsewhere = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line != "#[cfg(test)]" {
            writeln!(code, "{line}").unwrap();
            continue;
        }
        let item = lines.by_ref().find(|line| !line.starts_with("#[")).unwrap_or_default();
        if let Some(name) = item.strip_suffix(';').and_then(|item| item.split("mod ").nth(1)) {
            elsewhere.push(name.to_owned());
        } else {
            assert!(item.ends_with('{'), "what is `{item}` after #[cfg(test)]?");
            let _ = lines.by_ref().find(|line| *line == "}");
        }
    }
    (code, elsewhere)
}

fn word(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    &text[..end]
}

/// Every place where `needle` begins and is not the end of a longer word.
fn places<'t>(text: &'t str, needle: &'t str) -> impl Iterator<Item = usize> + 't {
    text.match_indices(needle).map(|(at, _)| at).filter(|at| {
        let before = text[..*at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || c == '_')
    })
}

/// The first words of a path's continuation: one, or those of `{a::b, c}`.
fn heads(rest: &str) -> Vec<String> {
    let Some(group) = rest.strip_prefix('{') else { return vec![word(rest).to_owned()] };
    let mut depth = 0;
    let mut items = vec![String::new()];
    for c in group.chars() {
        match c {
            '}' if depth == 0 => break,
            ',' if depth == 0 => items.push(String::new()),
            _ => {
                depth += i32::from(c == '{') - i32::from(c == '}');
                items.last_mut().unwrap().push(c);
            }
        }
    }
    items.iter().map(|item| word(item.trim()).to_owned()).filter(|name| !name.is_empty()).collect()
}

/// The modules of the crate that a file names.
fn named(file: &Code) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for at in places(&file.code, "crate::") {
        found.extend(heads(&file.code[at + "crate::".len()..]));
    }
    // As many `super` as the module is deep lead to the crate.
    let depth = file.module().len();
    for at in places(&file.code, "super::") {
        let mut rest = &file.code[at..];
        let mut supers = 0;
        while let Some(more) = rest.strip_prefix("super::") {
            (rest, supers) = (more, supers + 1);
        }
        let longer = file.code[..at].ends_with("super::");
        if supers == depth && !longer {
            found.extend(heads(rest));
        }
    }
    found
}

/// The modules of a `lib.rs`, in the order of their lines.
fn modules(root: &Code) -> Vec<String> {
    let module = |line: &str| Some(line.trim_start_matches("pub ").strip_prefix("mod ")?.strip_suffix(';')?.to_owned());
    root.code.lines().filter_map(module).collect()
}

/// The crates under `host` by the name of their folder, and what the `[dependencies]` of each name, as Cargo reads them.
fn crates() -> BTreeMap<String, BTreeSet<String>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let cargo = std::env::var_os("CARGO").unwrap_or("cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--no-deps", "--offline", "--locked", "--format-version", "1"])
        .current_dir(root)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let host = root.canonicalize().unwrap().join("host");
    let mut found = BTreeMap::new();
    for package in metadata["packages"].as_array().unwrap() {
        let folder = Path::new(package["manifest_path"].as_str().unwrap()).parent().unwrap();
        let Ok(name) = folder.strip_prefix(&host) else { continue };
        let normal = |dependency: &&serde_json::Value| dependency["kind"].is_null();
        let dependencies = package["dependencies"].as_array().unwrap().iter().filter(normal);
        let names = dependencies.map(|dependency| dependency["name"].as_str().unwrap().to_owned());
        found.insert(name.to_str().unwrap().to_owned(), names.collect());
    }
    assert!(found.len() > 6, "the crates are under host/: {found:?}");
    found
}

/// Of the dependencies of a crate those that are crates of ours, by the name of their folder.
fn ours(dependencies: &BTreeSet<String>) -> BTreeSet<String> {
    dependencies.iter().filter_map(|name| name.strip_prefix("bailiwick-")).map(str::to_owned).collect()
}

#[test]
fn the_crates_know_what_architecture_says() {
    let crates = crates();
    let mut table = String::from("| crate | knows the crates |\n|---|---|\n");
    for (name, dependencies) in &crates {
        let ours: Vec<_> = ours(dependencies).into_iter().map(|name| format!("`{name}`")).collect();
        writeln!(table, "| `{name}` | {} |", if ours.is_empty() { "none".to_owned() } else { ours.join(", ") })
            .unwrap();
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let page = std::fs::read_to_string(root.join("ARCHITECTURE.md")).unwrap();
    assert!(page.contains(&table), "ARCHITECTURE.md must hold this table:\n\n{table}");
}

#[test]
fn no_crate_reaches_what_it_must_not_know() {
    let crates = crates();
    let mut wrong = String::new();
    for (from, to, why) in FORBIDDEN {
        for name in *from {
            let mut reached = BTreeSet::from([(*name).to_owned()]);
            let mut open = vec![(*name).to_owned()];
            while let Some(next) = open.pop() {
                let dependencies = crates.get(&next).unwrap_or_else(|| panic!("there is no crate host/{next}"));
                open.extend(ours(dependencies).into_iter().filter(|name| reached.insert(name.clone())));
            }
            for forbidden in to.iter().filter(|forbidden| reached.contains(**forbidden)) {
                writeln!(wrong, "host/{name} reaches host/{forbidden}: {why}").unwrap();
            }
        }
    }
    for (names, homes, why) in HOMES {
        for (name, dependencies) in &crates {
            let strays = names.iter().filter(|dependency| dependencies.contains(**dependency));
            for dependency in strays.filter(|_| !homes.contains(&name.as_str())) {
                writeln!(wrong, "host/{name} depends on {dependency}, which belongs to {}: {why}", homes.join(", "))
                    .unwrap();
            }
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

#[test]
fn arrows_go_one_way_inside_a_crate() {
    let files = host();
    let mut list = String::new();
    for root in files.iter().filter(|file| file.path.ends_with("src/lib.rs")) {
        let name = root.crate_name();
        if !root.text.contains("Each module knows only those above it.") {
            continue;
        }
        let order = modules(root);
        let rank = |name: &str| order.iter().position(|module| module == name);
        let mut arrows = BTreeSet::new();
        for file in files.iter().filter(|file| file.crate_name() == name) {
            let Some(from) = file.module().first().cloned() else { continue };
            let from_rank = rank(&from).unwrap_or_else(|| panic!("{} is in no `mod` line of lib.rs", file.name()));
            for to in named(file).into_iter().filter(|to| *to != from) {
                let Some(to_rank) = rank(&to) else { panic!("{}: `crate::{to}` is not a module", file.name()) };
                assert!(
                    to_rank < from_rank,
                    "{}: `{from}` knows `{to}`, which is below it in host/{name}/src/lib.rs",
                    file.name()
                );
                arrows.insert((from_rank, to_rank));
            }
        }
        for (from, to) in arrows {
            writeln!(list, "{name}: {} -> {}", order[from], order[to]).unwrap();
        }
    }
    insta::assert_snapshot!(list);
}

#[test]
fn dangerous_things_have_one_home() {
    let mut strays = String::new();
    for file in host() {
        let name = file.name();
        for (words, homes, why) in PLACES {
            if homes.iter().any(|home| name.starts_with(home)) {
                continue;
            }
            for word in *words {
                if places(&file.code, word).next().is_some() {
                    writeln!(strays, "{name}: {word} belongs to {}: {why}", homes.join(", ")).unwrap();
                }
            }
        }
    }
    assert!(strays.is_empty(), "\n{strays}");
}

#[test]
fn tx01_only_the_encoder_reads_tainted_text() {
    let count = |file: &Code| places(&file.code, "for_encoder").count();
    let found: BTreeMap<_, _> =
        host().iter().map(|file| (file.name(), count(file))).filter(|(_, count)| *count > 0).collect();
    let known: BTreeMap<_, _> = READERS.iter().map(|(name, count, _)| ((*name).to_owned(), *count)).collect();
    assert_eq!(found, known, "a new place needs a reason in READERS, and a reviewer");
}

#[test]
fn tx01_only_the_encoder_shows_a_path() {
    // Any user may have named what is in a folder: `encode::ShownPath::shown`.
    let raw = |file: &Code| file.code.contains(".display()");
    let found: Vec<_> = host().iter().filter(|file| raw(file)).map(Code::name).collect();
    assert_eq!(found, ["core/src/encode.rs"]);
}

#[test]
fn every_file_says_what_it_is_and_is_not_too_long() {
    let mut untidy = String::new();
    for file in host() {
        let (name, lines) = (file.name(), file.text.lines().count());
        if !file.text.starts_with("//! ") {
            writeln!(
                untidy,
                "{name}: does not start with `//!`: what it knows, must not know, which attack it answers"
            )
            .unwrap();
        }
        if lines > LINES_MAX {
            writeln!(untidy, "{name}: {lines} lines (maximum {LINES_MAX})").unwrap();
        }
        let unsafes = places(&file.code, "unsafe").filter(|at| word(&file.code[*at..]) == "unsafe").count();
        let known = UNSAFE.iter().find(|(path, ..)| *path == name).map_or(0, |(_, count, _)| *count);
        if unsafes != known {
            writeln!(untidy, "{name}: `unsafe` {unsafes} times, {known} are known").unwrap();
        }
    }
    assert!(untidy.is_empty(), "\n{untidy}");
}

/// Paths of this repository that a page names, in backticks or as a link. Patterns, and what is built, are left out.
fn paths_in(page: &str) -> BTreeSet<String> {
    let marks = |c: char| matches!(c, '`' | '(' | ')' | ' ' | '\n');
    let ours =
        ["host/", "tests/", "probes/", "wit/", "guest-sdk/", "policies/", "docs/", "packaging/", ".config/", ".ci/"];
    let whole = |text: &&str| ours.iter().any(|folder| text.starts_with(folder)) && !text.contains(['<', '*', '…']);
    page.split(marks).map(|text| text.trim_end_matches([',', '.', ':', ';'])).filter(whole).map(str::to_owned).collect()
}

#[test]
fn pages_point_at_what_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut missing = String::new();
    for page in ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md"] {
        let paths = paths_in(&std::fs::read_to_string(root.join(page)).unwrap());
        assert!(!paths.is_empty(), "{page} names no path at all");
        for path in paths.iter().filter(|path| !root.join(path).exists()) {
            writeln!(missing, "{page}: {path} does not exist").unwrap();
        }
    }
    assert!(missing.is_empty(), "\n{missing}");
}

#[test]
fn the_reader_of_this_test_reads() {
    let text = "\
use crate::model::{Action, Verb}; // crate::never
use crate::{
    fleet::{self, Target},
    grant,
};
pub(crate) fn a() -> super::super::verbs::Spec { my_crate::x() }
#[cfg(test)]
mod tests {
    use crate::sweep;
}
#[cfg(test)]
mod samples;
fn b() { crate::journal::note() }
";
    let (code, elsewhere) = without_tests(&without_comments(text));
    assert_eq!(elsewhere, ["samples"]);
    let file = Code { path: "bailiwick/src/report/table.rs".into(), text: String::new(), code };
    assert_eq!(file.module(), ["report", "table"]);
    assert_eq!(Vec::from_iter(named(&file)), ["fleet", "grant", "journal", "model", "verbs"]);
}
