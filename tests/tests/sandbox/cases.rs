//! Every built-in probe against its recorded cases: as committed and, if present, as built from source today.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bailiwick_core::manifest;
use bailiwick_core::source::{Problems, Source};
use bailiwick_engine::cases::{Case, Runner};
use bailiwick_journal::Journal;
use bailiwick_policy::library;
use bailiwick_policy::library::Library;
use bailiwick_sandbox::{Limits, check_component, inspect};

use crate::PROGRAM;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn rendered(Problems(found): Problems) -> String {
    found.iter().map(|problem| problem.render(false)).collect()
}

fn names(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found: Vec<_> = fs::read_dir(folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .collect();
    found.sort();
    found
}

/// Every component that a folder was built into, with its manifest and the folder of its source.
fn components(built: &Path) -> Vec<(Source, Vec<u8>, PathBuf)> {
    let probes = root().join("probes");
    let text = |path: &Path| fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let interpreter = fs::read(built.join("interpreter.wasm")).unwrap();
    let mut found = Vec::new();
    for path in names(built, "wasm") {
        let id = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if id != "interpreter" {
            let source = Source::embedded(&format!("{id}.toml"), &text(&path.with_extension("toml")));
            found.push((source, fs::read(&path).unwrap(), probes.join(id)));
        }
    }
    for folder in fs::read_dir(probes.join("declared")).unwrap().map(|entry| entry.unwrap().path()) {
        let manifest = text(&folder.join("manifest.toml"));
        let id = folder.file_name().unwrap().to_str().unwrap().to_owned();
        let sealed = bailiwick_core::sections::seal(&interpreter, &manifest).unwrap();
        found.push((Source::embedded(&format!("{id}.toml"), &manifest), sealed, folder));
    }
    found
}

/// Runs every component of a folder on the cases of its source folder; gives the differences, each with its file.
fn differences(built: &Path) -> Vec<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let scratch = tempfile::tempdir().unwrap();
    let (journal, _) = Journal::open(scratch.path(), Duration::ZERO).unwrap();
    let journal = Arc::new(journal);
    let mut found = Vec::new();
    for (source, bytes, folder) in components(built) {
        let manifest = manifest::parse(&source).map_err(rendered).unwrap();
        let id = manifest.id.as_str();
        // An interpreter that is not the one in the program is skipped: it is tested when it becomes that one.
        if manifest.rules.is_some() && !bailiwick_core::interpreter::is_interpreter(&bytes) {
            continue;
        }
        runtime.block_on(async {
            let program = Path::new(PROGRAM);
            let runner = Runner::new(Some(program), &manifest, &bytes, Arc::clone(&journal)).await.unwrap();
            let cases = names(&folder.join("cases"), "toml");
            assert!(cases.len() >= 3, "{id}: healthy, sick, and could not check");
            for case in cases {
                let name = format!("{id}/{}", case.file_name().unwrap().to_string_lossy());
                let source = Source::embedded(&name, &fs::read_to_string(&case).unwrap());
                let case = Case::parse(&source, &manifest).map_err(rendered).unwrap();
                let verdict = runner.run(&case).await;
                found.extend(
                    verdict
                        .notes
                        .into_iter()
                        .chain(verdict.differences)
                        .map(|difference| format!("{name}: {difference}")),
                );
            }
        });
    }
    found
}

#[test]
fn the_committed_probes_say_what_their_cases_expect() {
    let found = differences(&root().join("probes/dist"));
    assert!(found.is_empty(), "{}", found.join("\n"));
}

fn digests(folder: &Path) -> Vec<String> {
    fs::read_to_string(folder.join("DIGESTS")).unwrap().lines().map(str::to_owned).collect()
}

fn line(digests: &[String], start: &str) -> String {
    digests.iter().find(|line| line.starts_with(start)).unwrap().clone()
}

#[test]
fn what_is_committed_is_what_the_source_builds() {
    let dist = root().join("probes/dist");
    let committed = digests(&dist);
    for path in names(&dist, "wasm") {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let digest = library::digest(&fs::read(&path).unwrap());
        assert!(committed.contains(&format!("{digest}  {name}")), "{name} is not the file that DIGESTS names");
    }
    let sources = std::process::Command::new(root().join("probes/build")).arg("--sources-digest").output().unwrap();
    let sources = String::from_utf8(sources.stdout).unwrap();
    assert!(
        line(&committed, "sources ").contains(sources.trim()),
        "the sources have changed since probes/dist was built: run probes/build and commit probes/dist"
    );
}

#[test]
fn every_built_in_imports_exactly_what_its_manifest_asks_for() {
    let library = Library::built_in().unwrap();
    for (id, file) in library.components() {
        let manifest = &file.manifest;
        let inspected = inspect(&library.binary(id).unwrap().bytes, &Limits::default()).unwrap();
        let (history, rules) = (manifest.history.is_some(), manifest.rules.as_ref());
        check_component(&inspected, manifest.world, &manifest.verbs(), &manifest.wasi(), history, rules)
            .unwrap_or_else(|error| panic!("{id}: {error}"));
    }
}

mod fresh {
    use super::*;

    /// `tests/run` builds the probes from source into this folder.
    #[test]
    #[ignore = "needs target/probes-fresh"]
    fn what_the_source_builds_is_what_is_committed() {
        let (dist, fresh) = (root().join("probes/dist"), root().join("target/probes-fresh"));
        assert!(fresh.join("DIGESTS").exists(), "there is no {}: run tests/run, which builds it", fresh.display());
        let committed = digests(&dist);
        let built = digests(&fresh);
        if line(&built, "compiler ") == line(&committed, "compiler ") {
            assert_eq!(built, committed, "the same compiler builds the same bytes");
        }
        let imports = |folder: &Path| -> Vec<(String, BTreeSet<(String, String)>)> {
            let id_of = |path: PathBuf| {
                let inspected = inspect(&fs::read(&path).unwrap(), &Limits::default()).unwrap();
                (path.file_name().unwrap().to_string_lossy().into_owned(), inspected.imports.into_iter().collect())
            };
            names(folder, "wasm").into_iter().map(id_of).collect()
        };
        assert_eq!(imports(&fresh), imports(&dist));
        let found = differences(&fresh);
        assert!(found.is_empty(), "{}", found.join("\n"));
    }
}
