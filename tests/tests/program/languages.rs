//! The same probe in every language, from `bailiwick new` to a real sshd, with the commands that its README documents.
//!
//! Knows: the README's first block of commands, which it runs line by line. A test for each language needs the tools of that
//! language, and those of Rust, and OpenSSH.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use bailiwick_core::model::{ComponentId, Effect, Object};
use bailiwick_core::verbs::{spec, with};
use bailiwick_engine::project;
use bailiwick_engine::project::Language;
use bailiwick_tests::fleet::Entry;
use bailiwick_tests::ops::{Ops, bailiwick, component_run};
use bailiwick_tests::sshd::Sshd;
use serde_json::Value;

use crate::PROGRAM;

const LANGUAGES: [&str; 4] = ["rust", "js", "python", "c"];

/// What packages are fetched into and built in, so that the next run is quick.
fn caches() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/toolchains")
}

/// The lines of a README's first block of commands, each without its comment.
fn documented(readme: &str) -> Vec<String> {
    let block = readme.split("```sh\n").nth(1).unwrap().split("```").next().unwrap();
    block.lines().map(|line| line.split(" # ").next().unwrap().trim().to_owned()).collect()
}

/// Runs the documented commands in a fresh project; the component that they make.
fn built(place: &Path, language: &str) -> PathBuf {
    let id = format!("room-{language}");
    let made = bailiwick(PROGRAM).args(["new", &id, "--lang", language]).current_dir(place).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let project = place.join(&id);
    let commands = documented(&fs::read_to_string(project.join("README.md")).unwrap());
    for needed in ["./build", "bailiwick pack target/probe.wasm", &format!("bailiwick test {id}.wasm")] {
        assert!(commands.iter().any(|command| command == needed), "{commands:?}");
    }
    // Its name is in the commands.
    let bin = place.join("bin");
    fs::create_dir_all(&bin).unwrap();
    if !bin.join("bailiwick").exists() {
        std::os::unix::fs::symlink(PROGRAM, bin.join("bailiwick")).unwrap();
    }
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    for command in commands {
        let output = Command::new("sh")
            .args(["-c", &command])
            .current_dir(&project)
            .env("PATH", &path)
            .env("CARGO_TARGET_DIR", caches().join("rust"))
            .env("npm_config_cache", caches().join("npm"))
            .env("PIP_CACHE_DIR", caches().join("pip"))
            .output()
            .unwrap();
        let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{language}: {command}\n{text}");
    }
    project.join(format!("{id}.wasm"))
}

/// The lines of policy.toml that grant a component its file, and raise what its manifest asks to have raised.
fn grant(manifest: &Path, id: &str) -> String {
    let manifest: toml::Table = fs::read_to_string(manifest).unwrap().parse().unwrap();
    let mut text = format!("[[grant]]\ncomponent = \"{id}\"\non = [\"web01\"]\nbind.file = \"/etc/passwd\"\n");
    if let Some(limits) = manifest.get("limit").and_then(toml::Value::as_array) {
        writeln!(text, "[[raise]]\ncomponent = \"{id}\"\nwhy = \"an interpreter\"").unwrap();
        for limit in limits {
            writeln!(text, "{} = {}", limit["name"].as_str().unwrap(), limit["value"]).unwrap();
        }
    }
    text
}

/// Installs a component, as a person does who reads its actions and agrees.
fn add(ops: &Ops, component: &Path) {
    let file = component.to_str().unwrap();
    let shown = ops.run(&["add", file]).unwrap();
    assert!(shown.stdout.contains("files.stat") && shown.stdout.contains("/etc/passwd"), "{shown:?}");
    let digest = shown.stdout.split("--accept ").nth(1).and_then(|rest| rest.lines().next());
    let digest = digest.unwrap_or_else(|| panic!("{shown:?}")).to_owned();
    let output = ops.run(&["add", file, "--why", "the same probe in every language", "--accept", &digest]).unwrap();
    assert_eq!(output.code, 0, "{output:?}");
}

/// From `new` to a real sshd, beside the same probe in Rust: in one sweep both get the same answers, so that no byte of a finding
/// may differ.
fn same_as_in_rust(language: &str) {
    let place = tempfile::tempdir().unwrap();
    let sshd = Sshd::plain().unwrap();
    let ops = Ops::new(PROGRAM, &[Entry::for_sshd("web01", &sshd).unwrap()], &[], "").unwrap();
    let mut policy = String::new();
    let mut components = Vec::new();
    for language in BTreeSet::from(["rust", language]) {
        let component = built(place.path(), language);
        components.push(format!("room-{language}"));
        policy.push_str(&grant(&component.with_file_name("manifest.toml"), &components[components.len() - 1]));
        ops.write("policy.toml", policy.as_bytes()).unwrap();
        add(&ops, &component);
    }
    let (code, sweep) = ops.check(&[]).unwrap();
    assert_eq!(code, 0, "{sweep}");
    let findings: BTreeMap<_, &Value> =
        components.iter().map(|id| (id, &component_run(&sweep, "web01", id).unwrap()["outcome"]["findings"])).collect();
    let first = findings.values().next().expect("at least one language");
    let title = first[0]["title"].as_str().unwrap();
    assert!(title.contains("has room for") && title.ends_with("more copies of /etc/passwd"), "{first}");
    assert!(findings.values().all(|finding| finding == first), "{findings:#?}");
}

/// `tests/run` leaves out those whose tools are not here.
mod build {
    use super::same_as_in_rust;

    #[test]
    #[ignore = "needs the wasm toolchain"]
    fn ssh_rust() {
        same_as_in_rust("rust");
    }

    #[test]
    #[ignore = "needs node and npm"]
    fn ssh_js() {
        same_as_in_rust("js");
    }

    #[test]
    #[ignore = "needs python3 with venv"]
    fn ssh_python() {
        same_as_in_rust("python");
    }

    #[test]
    #[ignore = "needs clang, lld and wasi-libc"]
    fn ssh_c() {
        same_as_in_rust("c");
    }
}

#[test]
fn a_missing_tool_is_named_with_the_command_that_installs_it() {
    let place = tempfile::tempdir().unwrap();
    let bin = place.path().join("bin");
    fs::create_dir(&bin).unwrap();
    // The programs that a build script may use; none of the toolchain.
    for tool in ["sh", "dirname", "sed", "cut", "find", "head", "mkdir", "printf"] {
        let found = ["/bin", "/usr/bin"].map(|folder| Path::new(folder).join(tool));
        if let Some(found) = found.iter().find(|path| path.exists()) {
            std::os::unix::fs::symlink(found, bin.join(tool)).unwrap();
        }
    }
    let mut errors = String::new();
    for language in LANGUAGES {
        let made = bailiwick(PROGRAM).args(["new", language, "--lang", language]).current_dir(place.path()).output();
        assert!(made.unwrap().status.success());
        let mut build = Command::new("/bin/sh");
        build.arg("./build").current_dir(place.path().join(language)).env_clear().env("PATH", &bin);
        let output = build.output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{language}: {}", String::from_utf8_lossy(&output.stderr));
        writeln!(errors, "{language}:\n{}", String::from_utf8_lossy(&output.stderr)).unwrap();
    }
    insta::assert_snapshot!(errors);
}

#[test]
fn new_leaves_what_is_there_alone_and_nothing_half_written() {
    let place = tempfile::tempdir().unwrap();
    let new = |args: &[&str]| {
        let output = bailiwick(PROGRAM).arg("new").args(args).current_dir(place.path()).output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let there = || -> Vec<_> {
        let mut names: Vec<_> = fs::read_dir(place.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    fs::create_dir(place.path().join("mine")).unwrap();
    fs::write(place.path().join("mine/note"), "x").unwrap();
    fs::write(place.path().join("file"), "x").unwrap();
    fs::create_dir(place.path().join("empty")).unwrap();
    std::os::unix::fs::symlink("nowhere", place.path().join("link")).unwrap();
    let before = there();
    for (args, part) in [
        (&["mine", "--lang", "c"][..], "already exists"),
        (&["file", "--lang", "c"], "already exists"),
        (&["link", "--lang", "c"], "already exists"),
        (&["x", "--lang", "c", "--out", "no/such/folder"], "cannot write"),
        (&["../x", "--lang", "c"], "is not a component's id"),
        (&["Web", "--lang", "c"], "is not a component's id"),
    ] {
        let (code, stderr) = new(args);
        assert!(code == Some(2) && stderr.contains(part), "{args:?}: {code:?} {stderr}");
        assert_eq!(there(), before, "{args:?}");
    }
    assert_eq!(new(&["empty", "--lang", "c"]), (Some(0), String::new()));
    assert!(place.path().join("empty/README.md").exists());
    assert_eq!(there(), before);
}

fn page(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../guest-sdk/docs").join(name)).unwrap()
}

/// Blocks of a page: the language and the text.
fn blocks(page: &str) -> Vec<(String, String)> {
    page.split("\n```")
        .skip(1)
        .step_by(2)
        .map(|block| block.split_once('\n').unwrap())
        .map(|(language, text)| (language.to_owned(), text.to_owned() + "\n"))
        .collect()
}

/// The examples in the SDK's pages are built and run: Rust as doctests of `guide`, the rest in the shipped probes.
#[test]
fn every_snippet_of_the_guide_is_from_a_probe_that_is_built() {
    let id = ComponentId::new("disk-room").unwrap();
    let mut shipped: Vec<_> = Vec::new();
    for language in Language::ALL.iter().chain([&Language::Toml]) {
        let files = project::project(*language, &id).unwrap();
        shipped.extend(files.into_iter().filter_map(|file| {
            let own = !file.path.starts_with("sdk/") && !file.path.ends_with(".o");
            own.then(|| String::from_utf8(file.bytes).unwrap())
        }));
    }
    // A component that gets its past; no new project is one.
    let built_in = Path::new(env!("CARGO_MANIFEST_DIR")).join("../probes/disk-growth/cases/growing.toml");
    shipped.push(fs::read_to_string(built_in).unwrap());
    let guide = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../guest-sdk/src/guide.rs")).unwrap();
    let mut seen = BTreeMap::<String, usize>::new();
    for name in ["first-probe.md", "contract.md", "declared.md", "cases.md", "refused.md"] {
        assert!(guide.contains(&format!("include_str!(\"../docs/{name}\")")), "{name} is in `guide`");
        for (language, text) in blocks(&page(name)) {
            *seen.entry(language.clone()).or_default() += 1;
            match language.as_str() {
                "rust" => {}
                "sh" => {
                    let run = |line: &str| shipped.iter().any(|file| documented_in(file).iter().any(|it| it == line));
                    let begins =
                        |line: &str| line.starts_with("bailiwick new disk-room --lang ") || line == "cd disk-room";
                    for line in text.lines().map(|line| line.split(" # ").next().unwrap_or_default()) {
                        assert!(run(line) || begins(line), "{name}: {line}");
                    }
                }
                _ => assert!(shipped.iter().any(|file| file.contains(&text)), "{name}: no shipped probe has\n{text}"),
            }
        }
    }
    assert_eq!(seen.keys().collect::<Vec<_>>(), ["c", "js", "python", "rust", "sh", "toml"]);
}

fn documented_in(file: &str) -> Vec<String> {
    if file.contains("```sh\n") { documented(file) } else { Vec::new() }
}

#[test]
fn the_table_of_the_guide_has_every_verb_by_its_name_in_each_language() {
    let page = page("contract.md");
    let header = Path::new(env!("CARGO_MANIFEST_DIR")).join("../probes/languages/c/bindings/probe.h");
    let header = fs::read_to_string(header).unwrap();
    for verb in with(Effect::Observe) {
        let (interface, function) = (verb.interface(), verb.function());
        let snake = function.replace('-', "_");
        let camel: String = function
            .split('-')
            .enumerate()
            .map(|(at, part)| if at == 0 { part.to_owned() } else { part[..1].to_uppercase() + &part[1..] })
            .collect();
        let (entry, key) = match spec(verb).object {
            Object::None => ("", ""),
            _ => (", &entry", ", key"),
        };
        let names = format!(
            "| `{interface}::{snake}(target{entry})` | `{interface}.{camel}(target{key})` | `{interface}.{snake}(target{key})` \
             | `bailiwick_ops_{interface}_{snake}` |"
        );
        let row = page.lines().find(|line| line.starts_with(&format!("| `{verb}` |"))).unwrap_or_default();
        assert!(row.ends_with(&names), "{verb}: {row}\n{names}");
        assert!(header.contains(&format!("bool bailiwick_ops_{interface}_{snake}(")), "{verb}");
    }
}
