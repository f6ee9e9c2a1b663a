//! Policy's `signers` and `require`, as an operator uses them: only what an allowed signer signed runs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use bailiwick_policy::library;
use bailiwick_tests::fleet::Entry;
use bailiwick_tests::ops::{Completed, Ops, component_run};

use crate::PROGRAM;

const SIGNATURES: &str = "[signatures]\nallowed-signers = \"allowed_signers\"\n";
const GRANT: &str = "[[grant]]\ncomponent = \"my-memory\"\non = [\"here\"]\n";

fn keygen(folder: &Path, args: &[&str]) {
    let mut command = Command::new("ssh-keygen");
    let output = command.args(args).current_dir(folder).stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// An ops directory with a sealed component, and two keys beside it.
struct Signed {
    ops: Ops,
    keys: tempfile::TempDir,
}

impl Signed {
    fn new(policy: &str) -> Self {
        let here = Entry { name: "here".to_owned(), fields: vec![("local", "true".to_owned())] };
        let keys = tempfile::tempdir().unwrap();
        let mut allowed = String::from("# who may sign\n");
        for name in ["alice", "bob"] {
            keygen(keys.path(), &["-q", "-t", "ed25519", "-N", "", "-f", name]);
            let public = fs::read_to_string(keys.path().join(format!("{name}.pub"))).unwrap();
            allowed += &format!("{name}@example.org {public}");
        }
        keygen(keys.path(), &["-q", "-t", "ed25519", "-N", "", "-f", "stranger"]);
        let dist = Path::new(env!("CARGO_MANIFEST_DIR")).join("../probes/dist");
        let manifest = fs::read_to_string(dist.join("memory.toml")).unwrap().replace("\"memory\"", "\"my-memory\"");
        let sealed = bailiwick_core::sections::seal(&fs::read(dist.join("memory.wasm")).unwrap(), &manifest).unwrap();
        let ops = Ops::new(PROGRAM, &[here], &[], policy).unwrap();
        ops.write("allowed_signers", allowed.as_bytes()).unwrap();
        ops.write("components/my-memory.wasm", &sealed).unwrap();
        Self { ops, keys }
    }

    fn component(&self) -> PathBuf {
        self.ops.path().join("components/my-memory.wasm")
    }

    fn sign(&self, key: &str, namespace: &str) {
        let _ = fs::remove_file(library::signature_path(&self.component()));
        let (key, file) = (self.keys.path().join(key), self.component());
        let args = ["-q", "-Y", "sign", "-n", namespace, "-f", key.to_str().unwrap(), file.to_str().unwrap()];
        keygen(self.keys.path(), &args);
    }

    /// Exit code, and what became of the run: a report, or why not.
    fn check(&self) -> (i32, String) {
        // Whatever the component is, it was accepted: acceptance is not the subject here.
        self.ops.accept_blindly().unwrap();
        let (code, sweep) = self.ops.check(&["--fail-on", "never"]).unwrap();
        let run = component_run(&sweep, "here", "my-memory").unwrap();
        (code, run["outcome"].to_string())
    }
}

#[test]
fn lk09_a_component_without_a_signature_or_by_another_signer_does_not_run() {
    let signed = Signed::new(&format!("{SIGNATURES}{GRANT}signers = [\"alice@example.org\"]\n"));
    let refused = |parts: &[&str]| {
        let (code, text) = signed.check();
        assert_eq!(code, 3, "{text}");
        for part in parts {
            assert!(text.contains(part), "{part} is not in {text}");
        }
    };
    refused(&["it is not signed", "policy.toml:6", "ssh-keygen -Y sign -n bailiwick-component", "my-memory.wasm.sig"]);
    signed.sign("bob", "bailiwick-component");
    refused(&[
        "SHA256:",
        "requires a signature by alice@example.org",
        "allowed_signers:3 lists it for bob@example.org",
    ]);
    signed.sign("stranger", "bailiwick-component");
    refused(&["SHA256:", "the allowed signers do not list this key"]);
    signed.sign("alice", "git");
    refused(&["made for `git`"]);

    signed.sign("alice", "bailiwick-component");
    let (code, text) = signed.check();
    assert!(code == 0 && text.contains("available-percent"), "{text}");

    // One bit of the component, and one of the signature.
    let good = fs::read(signed.component()).unwrap();
    let mut bad = good.clone();
    // A letter of the last line of the manifest that is sealed in.
    let at = bad.len() - 3;
    bad[at] ^= 1;
    signed.ops.write("components/my-memory.wasm", &bad).unwrap();
    refused(&["it is not a signature of this file"]);
    signed.ops.write("components/my-memory.wasm", &good).unwrap();
    let path = library::signature_path(&signed.component());
    let signature = fs::read_to_string(&path).unwrap();
    fs::write(&path, signature + "and more").unwrap();
    refused(&["there is text after its end"]);
    fs::write(&path, "x".repeat(100_000)).unwrap();
    refused(&["more than a signature can have"]);
}

#[test]
fn lk09_where_policy_requires_signatures_every_component_of_the_directory_has_one() {
    let signed =
        Signed::new(&format!("{SIGNATURES}require = true\n{GRANT}[[grant]]\ncomponent = \"load\"\non = [\"here\"]\n"));
    let (code, text) = signed.check();
    assert!(code == 3 && text.contains("policy.toml:3"), "{text}");
    // What is built in is part of the program, and runs.
    let (code, sweep) = signed.ops.check(&["--fail-on", "never", "--probe", "load"]).unwrap();
    assert_eq!(code, 0, "{sweep}");
    signed.sign("stranger", "bailiwick-component");
    let (code, text) = signed.check();
    assert!(code == 3 && text.contains("not an allowed signer"), "{text}");
    signed.sign("bob", "bailiwick-component");
    assert_eq!(signed.check().0, 0);
    // A key that was revoked.
    let allowed = fs::read_to_string(signed.ops.path().join("allowed_signers")).unwrap();
    let ended = allowed.replace("bob@example.org ", "bob@example.org valid-before=\"20200101Z\" ");
    signed.ops.write("allowed_signers", ended.as_bytes()).unwrap();
    let (code, text) = signed.check();
    assert!(code == 3 && text.contains("was valid until 2020-01-01T00:00:00Z"), "{text}");
    // Without the list nothing of the directory is used.
    fs::remove_file(signed.ops.path().join("allowed_signers")).unwrap();
    let output = signed.ops.run(&["check"]).unwrap();
    assert!(output.code == 2 && output.stderr.contains("allowed_signers"), "{}", output.stderr);
}

#[test]
fn lk09_every_grant_that_names_signers_is_heeded() {
    let both = format!("{GRANT}signers = [\"alice@example.org\"]\n{GRANT}signers = [\"bob@example.org\"]\n");
    let signed = Signed::new(&format!("{SIGNATURES}{both}"));
    for key in ["alice", "bob"] {
        signed.sign(key, "bailiwick-component");
        assert_eq!(signed.check().0, 3, "{key}");
    }
    // Signatures that are not required are not searched for, and one that exists belongs to this file.
    let signed = Signed::new(&format!("{SIGNATURES}{GRANT}"));
    assert_eq!(signed.check().0, 0);
    signed.sign("stranger", "bailiwick-component");
    assert_eq!(signed.check().0, 0);
    fs::write(library::signature_path(&signed.component()), "no signature").unwrap();
    assert_eq!(signed.check().0, 3);
}

#[test]
fn mistakes_in_the_rules_and_in_the_list_are_shown_with_their_place() {
    let errors = |policy: &str, allowed: Option<&str>| {
        let signed = Signed::new(policy);
        if let Some(allowed) = allowed {
            signed.ops.write("allowed_signers", allowed.as_bytes()).unwrap();
        }
        let Completed { code, stderr, .. } = signed.ops.run(&["review"]).unwrap();
        assert_eq!(code, 2, "{stderr}");
        stderr.replace(&signed.ops.path().display().to_string(), "DIR") + "\n"
    };
    let wanted = format!("{SIGNATURES}{GRANT}signers = [\"alice@example.org\"]\n");
    let mut all = errors(&format!("{GRANT}signers = [\"alice@example.org\"]\n"), None);
    all += &errors(&format!("{SIGNATURES}{GRANT}signers = []\n"), None);
    all += &errors(&format!("{SIGNATURES}{GRANT}signers = [\"*@example.org\"]\n"), None);
    all += &errors(&format!("{SIGNATURES}{GRANT}signers = [\"carol@example.org\"]\n"), None);
    all += &errors(&format!("{SIGNATURES}{}", wanted.replace(SIGNATURES, "").replace("my-memory", "memory")), None);
    all += &errors(&format!("{SIGNATURES}required = true\n"), None);
    all += &errors(
        &wanted,
        Some("alice@example.org cert-authority ssh-ed25519 AAAA\n# fine\nalice@example.org ssh-ed25519 AAAA\n"),
    );
    all += &errors(&wanted, Some("alice@example.org valid-after=\"tomorrow\" ssh-ed25519 AAAA\nbroken\n"));
    insta::assert_snapshot!(all);
}

#[test]
fn pack_signs_and_ssh_keygen_takes_it() {
    let signed = Signed::new(&format!("{SIGNATURES}require = true\n{GRANT}"));
    let (out, key) = (signed.component(), signed.keys.path().join("alice"));
    let (out, key) = (out.to_str().unwrap(), key.to_str().unwrap());
    let output = signed.ops.run(&["pack", out, "--out", out, "--sign", key]).unwrap();
    assert_eq!(output.code, 0, "{}", output.stderr);
    assert!(output.stdout.contains("signed    ") && output.stdout.contains("by SHA256:"), "{}", output.stdout);
    assert_eq!(signed.check().0, 0);
    let verify = format!(
        "ssh-keygen -Y verify -n bailiwick-component -I alice@example.org -f {}/allowed_signers -s {out}.sig < {out}",
        signed.ops.path().display()
    );
    assert!(Command::new("sh").args(["-c", &verify]).output().unwrap().status.success());
    // A key that asks for something is for ssh-keygen.
    keygen(signed.keys.path(), &["-q", "-t", "ed25519", "-N", "secret", "-f", "locked"]);
    let locked = signed.keys.path().join("locked");
    let output = signed.ops.run(&["pack", out, "--out", out, "--sign", locked.to_str().unwrap()]).unwrap();
    let command = format!("ssh-keygen -Y sign -n bailiwick-component -f {} {out}", locked.display());
    assert!(
        output.code == 2 && output.stderr.contains(&command) && output.stderr.contains("encrypted"),
        "{}",
        output.stderr
    );
    // A signature of what was packed before.
    fs::write(format!("{out}.sig"), "old").unwrap();
    let output = signed.ops.run(&["pack", out, "--out", out]).unwrap();
    assert!(output.code == 0 && output.stderr.contains("sign again"), "{}", output.stderr);
}

#[test]
fn lk18_the_same_component_by_another_publisher_is_held_and_shown() {
    let signed = Signed::new(&format!("{SIGNATURES}{GRANT}"));
    signed.sign("alice", "bailiwick-component");
    signed.ops.accept().unwrap();
    let outcome = || {
        let (_, sweep) = signed.ops.check(&["--fail-on", "never"]).unwrap();
        component_run(&sweep, "here", "my-memory").unwrap()["outcome"].to_string()
    };
    assert!(outcome().contains("available-percent"), "{}", outcome());
    signed.sign("bob", "bailiwick-component");
    let held_outcome = outcome();
    assert!(
        held_outcome.contains("E-LOAD-SIG")
            && held_outcome.contains("alice@example.org")
            && held_outcome.contains("bob@example.org"),
        "{held_outcome}"
    );
    let page = signed.ops.run(&["approve", "my-memory"]).unwrap();
    assert!(page.code == 8 && page.stdout.contains("! signed by bob@example.org"), "{}{}", page.stdout, page.stderr);
    let digest = page.stdout.split("--accept ").nth(1).unwrap().lines().next().unwrap();
    assert_eq!(signed.ops.run(&["approve", "my-memory", "--accept", digest]).unwrap().code, 0);
    assert!(outcome().contains("available-percent"), "{}", outcome());
}
