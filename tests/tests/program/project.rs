//! `bailiwick test`, offline: a component's project and its cases.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use bailiwick_policy::library;
use bailiwick_tests::ops::{Completed, bailiwick, completed};
use serde_json::Value;

use crate::PROGRAM;

fn probes() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../probes").canonicalize().unwrap()
}

/// The built-in `memory` as a user's own project: manifest, cases, and the built component.
struct Project(tempfile::TempDir);

impl Project {
    fn new() -> Self {
        let project = Self(tempfile::tempdir().unwrap());
        project.write("manifest.toml", manifest());
        project.write("target/probe.wasm", fs::read(probes().join("dist/memory.wasm")).unwrap());
        for name in ["healthy", "low", "unreachable"] {
            let name = format!("cases/{name}.toml");
            project.write(&name, fs::read(probes().join("memory").join(&name)).unwrap());
        }
        project
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    fn replace(&self, name: &str, from: &str, to: &str) {
        let text = fs::read_to_string(self.path(name)).unwrap();
        assert!(text.contains(from), "{from} is not in {text}");
        self.write(name, text.replace(from, to));
    }

    fn run(&self, args: &[&str]) -> Completed {
        let mut command = bailiwick(PROGRAM);
        command.env_clear().env("HOME", self.0.path()).env("TMPDIR", self.0.path()).current_dir(self.0.path());
        completed(command.arg("test").args(args).stdin(Stdio::null()).output().unwrap()).unwrap()
    }
}

fn manifest() -> String {
    let manifest = fs::read_to_string(probes().join("dist/memory.toml")).unwrap();
    manifest.replace("id = \"memory\"", "id = \"my-memory\"")
}

#[test]
fn a_project_is_tested_where_it_stands() {
    let project = Project::new();
    let all = project.run(&[]);
    assert_eq!((all.code, all.stderr.as_str()), (0, ""), "{}", all.stdout);
    for part in ["my-memory 0.1.0, ./target/probe.wasm", "ok      healthy: ", "3 cases: 3 passed, 0 failed"] {
        assert!(all.stdout.contains(part), "{part} is not in\n{}", all.stdout);
    }
    let one = project.run(&[".", "low"]);
    assert!(
        one.code == 0 && one.stdout.contains("1 case: 1 passed") && !one.stdout.contains("healthy"),
        "{}",
        one.stdout
    );

    // A packed file is the whole component, except for the cases.
    let sealed =
        bailiwick_core::sections::seal(&fs::read(project.path("target/probe.wasm")).unwrap(), &manifest()).unwrap();
    project.write("my-memory.wasm", &sealed);
    let file = project.run(&["my-memory.wasm", "--format", "json"]);
    let json: Value = serde_json::from_str(&file.stdout).unwrap();
    assert_eq!((file.code, &json["format"], &json["file"]), (0, &"bailiwick.test/1".into(), &"my-memory.wasm".into()));
    assert_eq!(json["digest"], format!("sha256:{}", library::digest(&sealed)));
    assert!(json["cases"].as_array().unwrap().iter().all(|case| case["passed"] == true), "{json}");
    // What was packed before the manifest was changed is not what would be packed now.
    project.write("manifest.toml", manifest() + "# changed\n");
    let stale = project.run(&[]);
    assert!(stale.code == 2 && stale.stderr.contains("differs from ./manifest.toml"), "{}", stale.stderr);
    // Nothing is left behind.
    let left = fs::read_dir(project.0.path())
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().file_name().to_str().unwrap().starts_with("bailiwick-test"));
    assert_eq!(left.count(), 0);
}

#[test]
fn a_case_that_comes_out_otherwise_shows_both_sides() {
    let project = Project::new();
    project.replace("cases/low.toml", "severity = \"critical\"", "severity = \"ok\"");
    let extra = "\n[[answer]]\naction = \"system.load\"\nstdout = \"0.1 0.1 0.1 1/1 1\"\n";
    let healthy = fs::read_to_string(project.path("cases/healthy.toml")).unwrap();
    project.write("cases/healthy.toml", healthy.clone() + extra);
    let (start, rest) = healthy.split_once("[[answer]]").unwrap();
    project.write("cases/empty.toml", format!("{start}{}", &rest[rest.find("[[finding]]").unwrap()..]));
    let output = project.run(&[]);
    assert_eq!(output.code, 7, "{}{}", output.stdout, output.stderr);
    for part in [
        "FAILED  low: ",
        "        - severity = \"ok\"",
        "        + severity = \"critical\"",
        "FAILED  healthy: ",
        "it never asks for system.load, and the case has an answer to that",
        "FAILED  empty: ",
        "it asks for system.memory, and the case has no answer to that",
        "ok      unreachable: ",
        "4 cases: 1 passed, 3 failed",
    ] {
        assert!(output.stdout.contains(part), "{part} is not in\n{}", output.stdout);
    }
    let json: Value = serde_json::from_str(&project.run(&[".", "low", "--format", "json"]).stdout).unwrap();
    let case = &json["cases"][0];
    assert_eq!(case["passed"], false);
    assert!(
        case["expected"].as_str().unwrap().contains("\"ok\"") && case["found"].as_str().unwrap().contains("critical")
    );
    // The text of the case matches when it is copied from there.
    let (head, _) = fs::read_to_string(project.path("cases/low.toml"))
        .map(|text| {
            let (head, tail) = text.split_once("[[finding]]").unwrap();
            (head.to_owned(), tail.to_owned())
        })
        .unwrap();
    project.write("cases/low.toml", head + case["found"].as_str().unwrap());
    assert_eq!(project.run(&[".", "low"]).code, 0);
}

#[test]
fn fs16_a_case_is_a_name_and_never_a_path() {
    let project = Project::new();
    project.write("outside.toml", "");
    for name in ["../outside", "/etc/passwd", "cases/low", "CON", "low.toml", "a\u{b9}", "", ".", "nul\0"] {
        if name.contains('\0') {
            continue; // No command line holds it.
        }
        let output = project.run(&[".", name]);
        assert!(output.code == 2 && output.stderr.contains("there is no case"), "{name}: {}", output.stderr);
        let output = project.run(&["--record", name, "--target", "localhost"]);
        assert!(output.code == 2 && output.stderr.contains("is not a case's name"), "{name}: {}", output.stderr);
    }
    assert_eq!(fs::read_to_string(project.path("outside.toml")).unwrap(), "");
    // A file whose name cannot be requested.
    project.write("cases/Odd Name.toml", "");
    let output = project.run(&[]);
    assert!(output.code == 2 && output.stderr.contains("Odd Name.toml"), "{}", output.stderr);
}

#[test]
fn every_mistake_in_a_project() {
    let project = Project::new();
    let mut all = String::new();
    let mut tell = |project: &Project, args: &[&str]| {
        let output = project.run(args);
        assert_ne!(output.code, 0, "{args:?} {}", output.stdout);
        all += &format!("$ bailiwick test {}\nexit code {}\n{}\n", args.join(" "), output.code, output.stderr);
    };
    tell(&project, &[".", "lwo"]);
    tell(&project, &["--record", "new"]);
    tell(&project, &["--record", "low", "--target", "localhost"]);
    tell(&project, &["--record", "new", "--target", "localhost"]);
    tell(&project, &["target"]);
    tell(&project, &["target/probe.wasm"]);
    tell(&project, &["--component", "manifest.toml"]);
    project.write("cases/worse.toml", "about = \"x\"\nnow = \"soon\"\ntarget = \"A B\"\n");
    project.write("cases/bytes.toml", "about = \"x\"\nnow = \"2026-01-01T00:00:00Z\"\n[[answer]]\naction = \"system.memory\"\nstdout-base64 = \"!\"\n");
    tell(&project, &[]);
    fs::remove_dir_all(project.path("cases")).unwrap();
    tell(&project, &[]);
    project.replace("manifest.toml", "system.memory", "system.load");
    project.write("cases/none.toml", "about = \"x\"\nnow = \"2026-01-01T00:00:00Z\"\n");
    tell(&project, &[]);
    fs::remove_dir_all(project.path("target")).unwrap();
    tell(&project, &[]);
    insta::assert_snapshot!(all);
}
