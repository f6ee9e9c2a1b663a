//! Sealed components: one file that is component and manifest.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use bailiwick_policy::library;
use bailiwick_policy::library::{ComponentFile, Library, LibraryError};
use bailiwick_tests::fleet::Entry;
use bailiwick_tests::ops::{Completed, Ops, bailiwick, completed};

use crate::PROGRAM;

/// The built-in `memory` under another name: bytes and manifest.
fn renamed() -> (Vec<u8>, String) {
    let dist = Path::new(env!("CARGO_MANIFEST_DIR")).join("../probes/dist");
    let manifest = fs::read_to_string(dist.join("memory.toml")).unwrap();
    (fs::read(dist.join("memory.wasm")).unwrap(), manifest.replace("id = \"memory\"", "id = \"my-memory\""))
}

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, bytes).unwrap();
        fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
        path
    }

    fn read(&self) -> Result<Library, LibraryError> {
        let mut library = Library::default();
        library.add_folder(self.0.path()).map(|()| library)
    }
}

#[test]
fn a_component_is_one_file_or_two_that_agree() {
    let (bytes, manifest) = renamed();
    let sealed = bailiwick_core::sections::seal(&bytes, &manifest).unwrap();

    let folder = Folder::new();
    let path = folder.write("my-memory.wasm", &sealed);
    let library = folder.read().unwrap();
    let id = library.components().keys().next().unwrap();
    assert_eq!(library.binary(id).unwrap().digest, library::digest(&sealed));
    assert_eq!(library.manifest_digest(id), None, "the component's digest covers the manifest");

    let beside = folder.write("my-memory.toml", &manifest);
    assert!(ComponentFile::read(&path).unwrap().sealed, "the same text twice is the same");

    folder.write("my-memory.toml", format!("{manifest}\n"));
    let message = folder.read().unwrap_err().to_string();
    for part in [path.to_str().unwrap(), beside.to_str().unwrap(), "from line"] {
        assert!(message.contains(part), "{part} is not in {message}");
    }

    folder.write("my-memory.wasm", &bytes);
    let library = folder.read().unwrap();
    let id = library.components().keys().next().unwrap();
    assert_eq!(library.manifest_digest(id), Some(library::digest(format!("{manifest}\n").as_bytes())));

    fs::remove_file(&beside).unwrap();
    assert!(matches!(folder.read(), Err(LibraryError::NoManifest(found)) if found == path));
    // A dangling link is not a reason to search elsewhere.
    std::os::unix::fs::symlink("nowhere", &beside).unwrap();
    folder.write("my-memory.wasm", &sealed);
    assert!(matches!(folder.read(), Err(LibraryError::Read(_))));
}

#[test]
fn lk18_a_file_under_another_name_or_a_similar_name_is_not_the_component() {
    let (bytes, manifest) = renamed();
    let folder = Folder::new();
    folder.write("other.wasm", bailiwick_core::sections::seal(&bytes, &manifest).unwrap());
    let Err(LibraryError::Invalid(problems)) = folder.read() else { panic!("taken under another name") };
    assert!(
        problems.0[0].message.contains("the file is named `other`, but the component is `my-memory`"),
        "{problems:?}"
    );
    // An o of another script.
    let folder = Folder::new();
    folder.write(
        "my-mem\u{43e}ry.wasm",
        bailiwick_core::sections::seal(&bytes, &manifest.replace("my-memory", "my-mem\u{43e}ry")).unwrap(),
    );
    let Err(LibraryError::Invalid(problems)) = folder.read() else { panic!("taken for a name") };
    assert!(problems.0[0].message.contains("is not a component's id"), "{problems:?}");
    // The name of a built-in one belongs to it.
    let folder = Folder::new();
    folder.write(
        "memory.wasm",
        bailiwick_core::sections::seal(&bytes, &manifest.replace("my-memory", "memory")).unwrap(),
    );
    let mut library = Library::built_in().unwrap();
    let Err(LibraryError::Invalid(problems)) = library.add_folder(folder.0.path()) else { panic!("taken twice") };
    assert!(problems.0[0].message.contains("a built-in component `memory` already exists"), "{problems:?}");
}

/// Runs the program in a folder.
fn run_in(folder: &Path, args: &[&str]) -> Completed {
    let mut command = bailiwick(PROGRAM);
    command.env_clear().env("HOME", folder).current_dir(folder).args(args).stdin(Stdio::null());
    completed(command.output().unwrap()).unwrap()
}

#[test]
fn pack_makes_one_file_always_the_same() {
    let (bytes, manifest) = renamed();
    let folder = Folder::new();
    folder.write("built.wasm", &bytes);
    folder.write("manifest.toml", &manifest);
    let output = run_in(folder.path(), &["pack", "built.wasm"]);
    assert_eq!((output.code, output.stderr.as_str()), (0, ""), "{}", output.stdout);
    let packed = fs::read(folder.path().join("my-memory.wasm")).unwrap();
    assert_eq!(
        packed,
        bailiwick_core::sections::seal(&bytes, &manifest).unwrap(),
        "the component and its manifest, and nothing else"
    );
    for part in [&*library::digest(&packed), "system.memory: ", "bailiwick add my-memory.wasm"] {
        assert!(output.stdout.contains(part), "{part} is not in\n{}", output.stdout);
    }
    let again =
        run_in(folder.path(), &["pack", "built.wasm", "--manifest", "manifest.toml", "--out", "my-memory.wasm"]);
    assert_eq!((again.code, again.stdout), (0, output.stdout));
    assert_eq!(fs::read(folder.path().join("my-memory.wasm")).unwrap(), packed);
    // What is packed stays what it is, whatever manifest lies about, and cannot be given another.
    let repacked = run_in(folder.path(), &["pack", "my-memory.wasm", "--out", "again.wasm"]);
    assert_eq!((repacked.code, fs::read(folder.path().join("again.wasm")).unwrap()), (0, packed.clone()));
    folder.write("other.toml", manifest.replace("0.1.0\"\nworld", "0.2.0\"\nworld"));
    let refused = run_in(folder.path(), &["pack", "my-memory.wasm", "--manifest", "other.toml", "--out", "x.wasm"]);
    assert!(refused.code == 2 && refused.stderr.contains("differs from other.toml"), "{}", refused.stderr);
    let stripped = run_in(folder.path(), &["pack", "built.wasm", "--strip"]);
    assert_eq!(stripped.code, 0, "{}", stripped.stderr);
    let smaller = fs::read(folder.path().join("my-memory.wasm")).unwrap();
    assert!(smaller.len() < packed.len());
    let leftovers = fs::read_dir(folder.path())
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().file_name().to_str().unwrap().ends_with(".part"));
    assert_eq!(leftovers.count(), 0);
}

#[test]
fn pack_refuses_what_a_load_would_refuse() {
    let (bytes, manifest) = renamed();
    let folder = Folder::new();
    folder.write("built.wasm", &bytes);
    folder.write("manifest.toml", &manifest);
    folder.write("more.toml", format!("{manifest}\n[[use]]\nverb = [\"system.load\"]\nwhy = \"for fun\"\n"));
    folder.write("none.toml", manifest.replace("system.memory", "system.load"));
    folder.write("wrong.toml", manifest.replace("0.1.0\"\nworld", "0.1\"\nworld"));
    folder.write("core.wasm", b"\0asm\x01\0\0\0");
    folder.write("cut.wasm", &bytes[..bytes.len() - 10]);
    folder.write("text.wasm", "(component)");
    let mut all = String::new();
    for args in [
        &["built.wasm", "--manifest", "more.toml"][..],
        &["built.wasm", "--manifest", "none.toml"],
        &["built.wasm", "--manifest", "wrong.toml"],
        &["built.wasm", "--manifest", "absent.toml"],
        &["core.wasm"],
        &["cut.wasm"],
        &["text.wasm"],
        &["absent.wasm"],
        // Another file exists there.
        &["built.wasm", "--out", "built.wasm"],
        &["built.wasm", "--out", "manifest.toml"],
        &["built.wasm", "--out", "no-such-folder/x.wasm"],
    ] {
        let output = run_in(folder.path(), &[&["pack"], args].concat());
        assert!(output.stdout.is_empty() && output.code != 0, "{args:?}: {}", output.stdout);
        all += &format!("$ bailiwick pack {}\nexit code {}\n{}\n", args.join(" "), output.code, output.stderr);
    }
    assert!(!folder.path().join("my-memory.wasm").exists());
    assert_eq!(fs::read(folder.path().join("built.wasm")).unwrap(), bytes);
    fs::remove_file(folder.path().join("manifest.toml")).unwrap();
    all += &run_in(folder.path(), &["pack", "built.wasm"]).stderr;
    insta::assert_snapshot!(all);
}

#[test]
fn inspect_shows_that_it_is_sealed_and_what_it_asks_for() {
    let ops =
        Ops::new(PROGRAM, &[Entry { name: "here".to_owned(), fields: vec![("local", "true".to_owned())] }], &[], "")
            .unwrap();
    let (bytes, manifest) = renamed();
    // Comments follow no grammar.
    let manifest = format!("# \u{202e}gninrael\n{manifest}");
    let folder = Folder::new();
    let path = folder.write("x.wasm", bailiwick_core::sections::seal(&bytes, &manifest).unwrap());
    let output = ops.run(&["inspect", path.to_str().unwrap()]).unwrap();
    assert_eq!(output.code, 0, "{}", output.stderr);
    for part in ["sealed    yes", "manifest  my-memory", "\\u{202e}gninrael", "  | id = \"my-memory\""] {
        assert!(output.stdout.contains(part), "{part} is not in\n{}", output.stdout);
    }
    let output = ops.run(&["inspect", "--format", "json", path.to_str().unwrap()]).unwrap();
    let json: serde_json::Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!(json["manifest"]["sealed"], true);
    assert_eq!(json["manifest"]["text"], manifest);
    assert!(!output.stdout.contains('\u{202e}'));
    let path = folder.write("y.wasm", &bytes);
    let output = ops.run(&["inspect", path.to_str().unwrap()]).unwrap();
    assert!(
        output.code == 2 && output.stdout.contains("imports   ") && output.stderr.contains("bailiwick pack"),
        "{}",
        output.stderr
    );
}
