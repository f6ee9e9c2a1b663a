//! The house, checked: which module knows which, where the dangerous crates live, what every file must have, and that what
//! the pages point at is there.
//!
//! The order of the `mod` lines in `host/src/lib.rs` is the law: a module knows only those above it. The golden lists every
//! arrow, so that a new one is a reviewed line.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// Arrows that point upwards all the same: from, to, why, and what would end it. Empty is the goal.
const UPWARDS: &[(&str, &str, &str)] = &[];

/// What may be named in a few places only: words, the files or folders under `host/src`, why.
const HOMES: &[(&[&str], &[&str], &str)] = &[
    (&["russh"], &["transport/"], "one place speaks SSH"),
    (&["cap_std"], &["transport/"], "one place opens the files of this machine that a verb names"),
    (
        &["tokio::process"],
        &["transport/", "sandbox/process.rs"],
        "programs of verbs, and workers; nothing else is started",
    ),
    (&["landlock::", "seccompiler::", "nix::"], &["sandbox/"], "what a worker gives up, and what it tries to get back"),
    (&["wasmtime", "wasmparser"], &["sandbox/"], "components are read and run where there is nothing to steal"),
    (&["rusqlite"], &["history/"], "what is kept twice is kept in one place"),
    (&["env::var"], &["ops.rs", "report/progress.rs", "cli/"], "the environment is read once, at the door"),
    (
        &["Timestamp::now", "SystemTime::now", "Instant::now"],
        &["journal/", "transport/", "sandbox/", "broker.rs", "sweep/", "change/clock.rs", "cli/"],
        "what decides takes `now` as an argument",
    ),
    (
        &["std::fs::", "std::fs;"],
        &[
            "source.rs",
            "durable.rs",
            "library/",
            "lock/store.rs",
            "consent/read.rs",
            "journal/",
            "history/",
            "quarantine.rs",
            "change/clock.rs",
            "change/stop.rs",
            "change/store.rs",
            "transport/",
            "cache.rs",
            "sandbox/",
            "cases/project.rs",
            "project/",
            "doctor/",
            "cli/doctor.rs",
        ],
        "what decides opens no file",
    ),
];

/// Files that say `unsafe` all the same, how often, why. The compiler denies it everywhere else.
const UNSAFE: &[(&str, usize, &str)] = &[(
    "sandbox/audited.rs",
    2,
    "closes the descriptors that a worker was left, by number; loads code that the broker kept",
)];

/// Who reads tainted text as it is, how often, and what keeps it from being printed (D29).
const READERS: &[(&str, usize, &str)] = &[
    ("broker/stage.rs", 2, "looks it up in a grant; a key that is not there goes on as tainted text"),
    ("broker.rs", 1, "looks it up in a grant; a key that is not there goes on as tainted text"),
    ("cases/mod.rs", 1, "writes it as a case does, which `cases/text.rs` escapes"),
    ("cases/text.rs", 1, "writes it into a case, escaped"),
    ("cases/verdict.rs", 7, "compares it with what a case expects; differences go through `Debug` or `encode`"),
    ("encode.rs", 2, "the way out"),
    ("history/earlier.rs", 1, "goes into a digest"),
    ("history/follow.rs", 1, "binds it as a value to a statement of ours"),
    ("model/tainted.rs", 1, "is where it is defined"),
    ("replay/compare.rs", 4, "compares two; what differs goes on as tainted text"),
    ("replay/recorded.rs", 1, "looks it up in a grant; a key that is not there goes on as tainted text"),
    ("replay/with.rs", 1, "tells what was asked in vain; whoever prints it encodes it"),
    ("sandbox/host/history.rs", 1, "gives it back to the guest that said it"),
];

/// Longest file, in lines.
const LINES_MAX: usize = 600;

/// A file of `host/src`, without comments and without tests.
struct Code {
    /// Relative to `host/src`, such as `fleet/mod.rs`.
    path: PathBuf,
    text: String,
    code: String,
}

impl Code {
    fn name(&self) -> String {
        self.path.display().to_string()
    }

    /// The path of its module: `["fleet", "address"]`; empty for the crate's roots.
    fn module(&self) -> Vec<String> {
        let mut parts: Vec<_> = self.path.iter().map(|part| part.to_str().unwrap().to_owned()).collect();
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
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../host/src")
}

fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Every file that gets into the program, in order of its name.
fn host() -> Vec<Code> {
    let mut paths = Vec::new();
    rust_files(&source_folder(), &mut paths);
    paths.sort();
    let mut files = Vec::new();
    let mut for_tests = BTreeSet::new();
    for path in paths {
        let text = std::fs::read_to_string(&path).unwrap();
        let path = path.strip_prefix(source_folder()).unwrap().to_owned();
        let (code, modules) = without_tests(&without_comments(&text));
        let file = Code { path, text, code };
        for_tests.extend(modules.into_iter().map(|name| [file.module(), vec![name]].concat()));
        files.push(file);
    }
    assert!(files.len() > 40, "the sources are where they should be");
    files.retain(|file| !for_tests.iter().any(|module| file.module().starts_with(module)));
    files
}

/// The lines of a file up to `//`. A `//` in a text is cut as well: what stands behind it is of no interest here.
fn without_comments(text: &str) -> String {
    text.lines().map(|line| line.split("//").next().unwrap_or_default().trim_end().to_owned() + "\n").collect()
}

/// A formatted file without the modules for tests that stand in it, and the names of those that stand in files.
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

/// The modules of `lib.rs` or `main.rs`, in the order of their lines.
fn modules(root: &str, files: &[Code]) -> Vec<String> {
    let root = files.iter().find(|file| file.path == Path::new(root)).unwrap();
    let module = |line: &str| Some(line.trim_start_matches("pub ").strip_prefix("mod ")?.strip_suffix(';')?.to_owned());
    root.code.lines().filter_map(module).collect()
}

#[test]
fn arrows_go_one_way() {
    let files = host();
    let order = modules("lib.rs", &files);
    // The binary's own modules are doors: they know whatever they like, and nobody knows them.
    let doors = modules("main.rs", &files);
    let rank = |name: &str| order.iter().position(|module| module == name);
    let mut arrows = BTreeSet::new();
    for file in &files {
        let Some(from) = file.module().first().cloned().filter(|module| !doors.contains(module)) else { continue };
        let from_rank = rank(&from).unwrap_or_else(|| panic!("{} is in no `mod` line of lib.rs", file.name()));
        for to in named(file).into_iter().filter(|to| *to != from) {
            let Some(to_rank) = rank(&to) else { panic!("{}: `crate::{to}` is no module", file.name()) };
            arrows.insert((from_rank, to_rank));
        }
    }
    let names = |&(from, to): &(usize, usize)| (order[from].as_str(), order[to].as_str());

    let upwards: BTreeSet<_> = arrows.iter().filter(|(from, to)| from < to).map(names).collect();
    let known: BTreeSet<_> = UPWARDS.iter().map(|(from, to, _)| (*from, *to)).collect();
    let new: Vec<_> = upwards.difference(&known).collect();
    assert!(new.is_empty(), "a module knows only those above it in lib.rs, but: {new:?}");
    let gone: Vec<_> = known.difference(&upwards).collect();
    assert!(gone.is_empty(), "take these out of UPWARDS, they are mended: {gone:?}");

    let mut list = String::new();
    for arrow in &arrows {
        let (from, to) = names(arrow);
        writeln!(list, "{from} -> {to}{}", if arrow.0 < arrow.1 { "   (upwards)" } else { "" }).unwrap();
    }
    insta::assert_snapshot!(list);
}

#[test]
fn dangerous_things_have_one_home() {
    let mut strays = String::new();
    for file in host() {
        let name = file.name();
        for (words, homes, why) in HOMES {
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
    let found: Vec<_> = host().iter().map(|file| (file.name(), count(file))).filter(|(_, count)| *count > 0).collect();
    let known: Vec<_> = READERS.iter().map(|(name, count, _)| ((*name).to_owned(), *count)).collect();
    assert_eq!(found, known, "a new place needs a reason in READERS, and a reviewer");
}

#[test]
fn tx01_only_the_encoder_shows_a_path() {
    // What is in a folder may have been named by anybody: `encode::ShownPath::shown`.
    let raw = |file: &Code| file.code.contains(".display()");
    let found: Vec<_> = host().iter().filter(|file| raw(file)).map(Code::name).collect();
    assert_eq!(found, ["encode.rs"]);
}

#[test]
fn every_file_says_what_it_is_and_is_not_too_long() {
    let mut untidy = String::new();
    for file in host() {
        let (name, lines) = (file.name(), file.text.lines().count());
        if !file.text.starts_with("//! ") {
            writeln!(untidy, "{name}: starts with no `//!`: what it knows, must not know, which attack it answers")
                .unwrap();
        }
        if lines > LINES_MAX {
            writeln!(untidy, "{name}: {lines} lines, {LINES_MAX} at most").unwrap();
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
    let ours = ["host/", "tests/", "probes/", "wit/", "guest-sdk/", "policies/", ".config/", ".ci/"];
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
            writeln!(missing, "{page}: there is no {path}").unwrap();
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
    let file = Code { path: "report/table.rs".into(), text: String::new(), code };
    assert_eq!(file.module(), ["report", "table"]);
    assert_eq!(Vec::from_iter(named(&file)), ["fleet", "grant", "journal", "model", "verbs"]);
}
