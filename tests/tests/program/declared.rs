//! Checks without a compiler: created, tested, packed, accepted, run; and files that are not checks.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Stdio;

use bailiwick_core::interpreter::INTERPRETER;
use bailiwick_core::manifest;
use bailiwick_core::manifest::Manifest;
use bailiwick_core::model::Verb;
use bailiwick_core::source::Source;
use bailiwick_policy::library;
use bailiwick_policy::library::{ComponentFile, Library};
use bailiwick_sandbox::{ImportError, Limits, check_component, inspect};
use bailiwick_tests::fleet::Entry;
use bailiwick_tests::ops::{Completed, Ops, bailiwick, completed, target_result};

use crate::PROGRAM;

fn run_in(folder: &Path, args: &[&str]) -> Completed {
    let mut command = bailiwick(PROGRAM);
    command.env_clear().env("HOME", folder).env("TMPDIR", folder).current_dir(folder);
    completed(command.args(args).stdin(Stdio::null()).output().unwrap()).unwrap()
}

fn here() -> Entry {
    Entry { name: "here".to_owned(), fields: vec![("local", "true".to_owned())] }
}

#[test]
fn a_check_is_begun_tested_packed_accepted_and_run() {
    let folder = tempfile::tempdir().unwrap();
    let begun = run_in(folder.path(), &["new", "fresh-dump", "--lang", "toml"]);
    assert_eq!((begun.code, begun.stderr.as_str()), (0, ""), "{}", begun.stdout);
    let project = folder.path().join("fresh-dump");
    // The next step that it prints works.
    let next: Vec<_> = begun.stdout.lines().filter_map(|line| line.trim().strip_prefix("bailiwick ")).collect();
    assert_eq!(next, ["test .", "pack manifest.toml"]);
    let tested = run_in(&project, &["test", "."]);
    assert!(tested.code == 0 && tested.stdout.contains("5 cases: 5 passed, 0 failed"), "{}", tested.stdout);
    let packed = run_in(&project, &["pack", "manifest.toml"]);
    assert_eq!((packed.code, packed.stderr.as_str()), (0, ""), "{}", packed.stdout);
    let file = project.join("fresh-dump.wasm");
    let bytes = fs::read(&file).unwrap();
    let text = fs::read_to_string(project.join("manifest.toml")).unwrap();
    assert_eq!(
        bytes,
        bailiwick_core::sections::seal(INTERPRETER, &text).unwrap(),
        "the interpreter and the manifest, and nothing else"
    );
    assert_eq!(run_in(&project, &["test", "fresh-dump.wasm"]).code, 0, "one file is all of it");
    let again = run_in(&project, &["pack", "manifest.toml"]);
    assert_eq!((again.code, again.stdout), (0, packed.stdout), "the same files give the same bytes");

    let shown = run_in(&project, &["inspect", "fresh-dump.wasm"]);
    assert_eq!(shown.code, 0, "{}{}", shown.stdout, shown.stderr);
    for part in ["run by Bailiwick's interpreter", "requests  files.stat, by a check", "the checks use exactly what"] {
        assert!(shown.stdout.contains(part), "{part} is not in\n{}", shown.stdout);
    }

    let dump = folder.path().join("db.dump");
    fs::write(&dump, "x").unwrap();
    let policy =
        format!("[[grant]]\ncomponent = \"fresh-dump\"\non = [\"here\"]\nbind.file = \"{}\"\n", dump.display());
    let ops = Ops::new(PROGRAM, &[here()], &[], &policy).unwrap();
    ops.write("components/fresh-dump.wasm", &bytes).unwrap();
    let (_, sweep) = ops.check(&[]).unwrap();
    assert!(sweep.to_string().contains("\"refused\""), "it was not accepted: {sweep}");
    ops.accept().unwrap();
    let lock = fs::read_to_string(ops.path().join("bailiwick.lock")).unwrap();
    assert!(lock.contains("bailiwick:ops/files@0.1.0 stat"), "the lock names the verb that a check asks:\n{lock}");
    let (code, sweep) = ops.check(&[]).unwrap();
    assert_eq!(code, 0, "{sweep}");
    let found = target_result(&sweep, "here").unwrap().to_string();
    assert!(found.contains("was last written ") && found.contains(" s ago"), "{found}");
    fs::remove_file(&dump).unwrap();
    let (code, sweep) = ops.check(&[]).unwrap();
    assert!(code == 1 && sweep.to_string().contains("does not exist"), "{sweep}");

    // A version that asks for more is another component to the lock, though its code is the same byte for byte.
    let more = text
        .replace("[\"files.stat\"]", "[\"files.stat\", \"files.read\"]")
        .replace("0.1.0\"\nworld", "0.1.1\"\nworld")
        + "\n[[check]]\ncode = \"text\"\nover = \"files.read\"\nslot = \"file\"\ntitle = \"x\"\ncritical = \"truncated\"\n";
    ops.write("components/fresh-dump.wasm", &bailiwick_core::sections::seal(INTERPRETER, &more).unwrap()).unwrap();
    let (_, sweep) = ops.check(&[]).unwrap();
    assert!(sweep.to_string().contains("\"refused\""), "{sweep}");
    let path = ops.path().join("components").display().to_string();
    let shown = ops.run(&["add", &path]).unwrap();
    assert!(shown.stdout.contains("bailiwick:ops/files@0.1.0 read"), "{}{}", shown.stdout, shown.stderr);
}

fn manifest(text: &str) -> Manifest {
    manifest::parse(&Source::embedded("manifest.toml", text)).unwrap_or_else(|problems| panic!("{problems:?}"))
}

fn checked(bytes: &[u8], manifest: &Manifest) -> Result<BTreeSet<Verb>, ImportError> {
    let inspected = inspect(bytes, &Limits::default()).unwrap_or_else(|error| panic!("{error}"));
    let (history, rules) = (manifest.history.is_some(), manifest.rules.as_ref());
    let links = check_component(&inspected, manifest.world, &manifest.verbs(), &manifest.wasi(), history, rules)?;
    Ok(links.verbs)
}

#[test]
fn lk13_only_the_interpreter_runs_checks_and_it_runs_nothing_else() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../probes");
    let read = |name: &str| fs::read_to_string(root.join(name)).unwrap();
    let checks = read("declared/swap-use/manifest.toml");
    let sealed = bailiwick_core::sections::seal(INTERPRETER, &checks).unwrap();
    assert_eq!(checked(&sealed, &manifest(&checks)), Ok(BTreeSet::from([Verb::SystemMemory])));

    // Another component that imports exactly what the checks ask: its manifest would name what it does not do.
    let memory = fs::read(root.join("dist/memory.wasm")).unwrap();
    let forged = bailiwick_core::sections::seal(&memory, &checks).unwrap();
    assert_eq!(checked(&forged, &manifest(&checks)), Err(ImportError::OtherInterpreter));
    // The interpreter with anything changed in it, or more than a manifest added.
    for at in [INTERPRETER.len() / 3, INTERPRETER.len() - 2] {
        let mut bent = sealed.clone();
        bent[at] ^= 1;
        if inspect(&bent, &Limits::default()).is_ok() {
            assert_eq!(checked(&bent, &manifest(&checks)), Err(ImportError::OtherInterpreter), "byte {at}");
        }
    }
    let noted =
        bailiwick_core::sections::seal(&bailiwick_tests::offer::other_bytes(INTERPRETER, "x"), &checks).unwrap();
    assert_eq!(checked(&noted, &manifest(&checks)), Err(ImportError::OtherInterpreter));
    // The interpreter's code with a manifest of verbs and no checks.
    let plain = read("dist/memory.toml");
    let idle = bailiwick_core::sections::seal(INTERPRETER, &plain).unwrap();
    assert_eq!(checked(&idle, &manifest(&plain)), Err(ImportError::NoChecks));
    assert_eq!(checked(INTERPRETER, &manifest(&plain)), Err(ImportError::NoChecks));
}

#[test]
fn a_manifest_without_checks_is_refused_as_a_component() {
    let folder = tempfile::tempdir().unwrap();
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("../probes/dist/memory.toml");
    fs::copy(built, folder.path().join("manifest.toml")).unwrap();
    let output = run_in(folder.path(), &["pack", "manifest.toml"]);
    assert!(output.code == 2 && output.stderr.contains("has no [[check]]"), "{}", output.stderr);
    assert!(matches!(
        ComponentFile::declared(&folder.path().join("manifest.toml")),
        Err(library::LibraryError::NoChecks(_))
    ));
}

/// A file that is not granted, and one that is not numbers: the run ends without a fault, and is not ok.
#[test]
fn what_is_not_known_is_not_well() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("value");
    fs::write(&file, "none").unwrap();
    let text = "[component]\nid = \"odd\"\nversion = \"1.0.0\"\nworld = \"bailiwick:ops/probe@0.1.0\"\ntitle = \"x\"\n\
        [[slot]]\nname = \"file\"\nverb = [\"files.read\"]\nwhy = \"x\"\n";
    let check = |code: &str, rest: &str| {
        format!(
            "[[check]]\ncode = \"{code}\"\nover = \"files.read\"\nslot = \"file\"\ntitle = \"x {{number(bytes)}}\"\n{rest}\n"
        )
    };
    let text = [
        text.to_owned(),
        check("no-number", "critical = \"number(bytes) > 5\""),
        check("by-nothing", "critical = \"1 / (length([]) * 1) > 5\""),
        check(
            "filtered",
            "critical = \"false\"\nwhere = \"number(bytes) > 5\"\nnone = { severity = \"ok\", title = \"x\" }",
        ),
        check("counted", "critical = \"count > 5\"\nsummary = true\nwhere = \"number(bytes) > 5\"")
            .replace(" {number(bytes)}", ""),
        check("decided", "critical = \"number(bytes) > 5 or bytes contains 'none'\""),
        check("warned", "critical = \"number(bytes) > 5\"\nwarning = \"bytes contains 'none'\""),
    ]
    .concat();
    let policy = format!("[[grant]]\ncomponent = \"odd\"\non = [\"here\"]\nbind.file = \"{}\"\n", file.display());
    let ops = Ops::new(PROGRAM, &[here()], &[], &policy).unwrap();
    ops.write("components/odd.wasm", &bailiwick_core::sections::seal(INTERPRETER, &text).unwrap()).unwrap();
    ops.accept().unwrap();
    let (_, sweep) = ops.check(&[]).unwrap();
    let mut severities = Vec::new();
    collect(&sweep, &mut severities);
    severities.sort();
    let expected = [
        ("by-nothing", "unknown"),
        ("counted", "unknown"),
        ("decided", "critical"),
        ("filtered", "unknown"),
        ("no-number", "unknown"),
        ("warned", "warning"),
    ];
    assert_eq!(severities, expected.map(|(code, severity)| (code.to_owned(), severity.to_owned())), "{sweep}");
}

/// Code and severity of every finding, wherever it stands.
fn collect(value: &serde_json::Value, found: &mut Vec<(String, String)>) {
    if let (Some(code), Some(severity)) = (value["code"].as_str(), value["severity"].as_str()) {
        found.push((code.to_owned(), severity.to_owned()));
    }
    match value {
        serde_json::Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
        serde_json::Value::Object(items) => items.values().for_each(|item| collect(item, found)),
        _ => {}
    }
}

/// Every built-in of checks has its page, its cases, and one of them in which it could not check.
#[test]
fn every_declared_probe_has_a_page_and_cases() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../probes/declared");
    let library = Library::built_in().unwrap();
    for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        let id = entry.file_name().unwrap().to_str().unwrap().to_owned();
        assert!(library.is_built_in(&id), "{id} is not built in");
        let page = fs::read_to_string(entry.join("README.md")).unwrap();
        assert!(page.starts_with(&format!("# {id}\n")) && page.contains("**When it is wrong.**"), "{id}");
        let cases = fs::read_dir(entry.join("cases")).unwrap();
        let texts: Vec<_> = cases.map(|case| fs::read_to_string(case.unwrap().path()).unwrap()).collect();
        assert!(texts.iter().any(|text| text.contains("[failure]")), "{id}: a case in which it could not check");
    }
}
