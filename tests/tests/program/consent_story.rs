//! Consent as people use it: a component is added, new versions of it arrive, it is approved and revoked. Each story is a
//! transcript of commands and their output, as a golden for review.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use bailiwick_tests::fleet::Entry;
use bailiwick_tests::offer::{Asks, Offers};
use bailiwick_tests::ops::{Ops, component_run};

use crate::PROGRAM;

fn local(name: &str) -> Entry {
    Entry { name: name.to_owned(), fields: vec![("local", "true".to_owned())] }
}

const POLICY: &str =
    "[[grant]]\ncomponent = \"acme-unit\"\non = [\"web01\", \"web02\"]\nbind.unit = \"nginx.service\"\n";

/// A directory, the components that are sent to it, and the transcript so far.
struct Story {
    ops: Ops,
    offers: Offers,
    transcript: String,
    /// In the order they were first seen; another build has others.
    digests: Vec<String>,
}

impl Story {
    fn new(policy: &str) -> Self {
        let ops = Ops::new(PROGRAM, &[local("web01"), local("web02")], &[], policy).unwrap();
        Self { ops, offers: Offers::new().unwrap(), transcript: String::new(), digests: Vec::new() }
    }

    fn offer(&self, id: &str, version: &str, asks: Asks) -> String {
        self.offers.version(id, version, asks).unwrap().display().to_string()
    }

    /// Replaces what differs on another machine, at another time and in another build.
    fn plain(&mut self, text: &str) -> String {
        let text = text.replace(&self.ops.path().display().to_string(), "DIR");
        let text = text.replace(&self.offers.path().display().to_string(), "SENT");
        let mut out = String::new();
        let mut rest = text.as_str();
        while let Some(at) = rest.find(|c: char| c.is_ascii_hexdigit()) {
            let run = rest[at..].find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(rest.len() - at);
            let (before, word) = (&rest[..at], &rest[at..at + run]);
            out += before;
            if word.len() == 64 {
                let known = self.digests.iter().position(|digest| digest == word);
                let number = known.unwrap_or_else(|| {
                    self.digests.push(word.to_owned());
                    self.digests.len() - 1
                });
                out += &format!("<digest {}>", number + 1);
            } else {
                out += word;
            }
            rest = &rest[at + run..];
        }
        out += rest;
        let line = |line: &str| {
            let mut words: Vec<String> = line.split(' ').map(str::to_owned).collect();
            for at in 0..words.len() {
                let is_day = words[at].len() >= 10 && words[at].starts_with("20") && words[at].as_bytes()[4] == b'-';
                if is_day {
                    words[at] = if words[at].contains('T') { "TIME".to_owned() } else { "DAY".to_owned() };
                    if words.get(at + 1).is_some_and(|next| next.len() == 5 && next.as_bytes()[2] == b':') {
                        words[at + 1] = "HH:MM".to_owned();
                    }
                }
                if words[at].starts_with("(uid") || words[at] == "size" {
                    let number = words[at + 1..].iter_mut().find(|word| !word.is_empty()).unwrap();
                    *number = number.replace(|c: char| c.is_ascii_digit(), "");
                    number.insert(0, 'N');
                }
            }
            words.join(" ") + "\n"
        };
        out.lines().map(line).collect()
    }

    fn record(&mut self, command: &str, text: &str) {
        let command = self.plain(command);
        let text = self.plain(text);
        self.transcript += &format!("$ {command}{text}\n");
    }

    /// Runs a command and records its output.
    fn run(&mut self, args: &[&str]) -> String {
        let output = self.ops.command(args).env("USER", "alice").output().unwrap();
        let output = bailiwick_tests::ops::completed(output).unwrap();
        let streams = format!("{}{}", output.stdout, output.stderr);
        self.record(&format!("bailiwick {}", args.join(" ")), &format!("{streams}[exit code {}]", output.code));
        streams
    }

    /// Runs a check and records what ran and what was refused, with the bytes that ran by the journal.
    fn check(&mut self, args: &[&str]) {
        let (code, sweep) = self.ops.check(args).unwrap();
        let mut text = String::new();
        for target in ["web01", "web02"] {
            let Ok(run) = component_run(&sweep, target, "acme-unit") else { continue };
            let outcome = &run["outcome"];
            if outcome["kind"] == "refused" {
                text += &format!("{target}: refused: {}\n", outcome["cause"].as_str().unwrap());
            } else {
                text += &format!("{target}: ran {} {}\n", run["version"].as_str().unwrap(), self.journaled(run));
            }
        }
        let code = if code == 3 { "3" } else { "one for what was found" };
        self.record(&format!("bailiwick check {}", args.join(" ")), &format!("{text}[exit code {code}]"));
    }

    fn journaled(&self, run: &serde_json::Value) -> String {
        let journal = fs::read_to_string(self.ops.journal().join("journal.jsonl")).unwrap();
        let started = journal
            .lines()
            .filter(|line| line.contains("\"kind\":\"run-started\""))
            .find(|line| line.contains(&format!("\"seq\":{},", run["id"].as_str().unwrap())));
        let started = started.unwrap_or_else(|| panic!("run {} is not in the journal", run["id"]));
        let digest = started.split("\"digest\":\"").nth(1).unwrap().split('"').next().unwrap();
        format!("(journal: {digest})")
    }
}

/// The digest that a page names.
fn accept(page: &str) -> String {
    page.split("--accept ").nth(1).unwrap_or_else(|| panic!("no digest in\n{page}")).lines().next().unwrap().to_owned()
}

#[test]
fn lk14_a_component_is_added_changes_is_held_approved_and_revoked() {
    let mut story = Story::new(POLICY);
    let first = story.offer("acme-unit", "1.0.0", Asks::Status);
    let page = story.run(&["add", &first]);
    let digest = accept(&page);
    story.run(&["add", &first, "--accept", &digest, "--why", "asked for by the web team"]);
    story.check(&["--probe", "acme-unit"]);
    story.run(&["add", &first]);

    let harmless = story.offer("acme-unit", "1.0.1", Asks::Status);
    story.run(&["add", &harmless]);
    story.check(&["--probe", "acme-unit"]);

    let more = story.offer("acme-unit", "1.1.0", Asks::StatusAndLogs);
    let page = story.run(&["add", &more]);
    story.check(&["--probe", "acme-unit"]);
    // The digest of an older question does not answer this one.
    story.run(&["approve", "acme-unit", "--accept", &digest]);
    let digest = accept(&page);
    story.run(&["approve", "acme-unit", "--accept", &digest, "--why", "the log is worth it"]);
    story.check(&["--probe", "acme-unit"]);
    story.run(&["lock"]);
    story.run(&["lock", "verify"]);

    // The version that was accepted before, and the same version in other bytes.
    story.run(&["add", &first]);
    let same = story.offer("acme-unit", "1.1.0", Asks::Status);
    story.run(&["add", &same]);

    let more = story.offer("acme-unit", "1.1.0", Asks::StatusAndLogs);
    story.run(&["revoke", "acme-unit", "--why", "it talks too much"]);
    story.check(&["--probe", "acme-unit"]);
    story.run(&["add", &more]);
    story.run(&["lock", "verify"]);
    // After that, a person may return to the old version, and has to accept all of it.
    let page = story.run(&["add", &first]);
    let digest = accept(&page);
    story.run(&["add", &first, "--accept", &digest]);
    story.check(&["--probe", "acme-unit"]);
    insta::assert_snapshot!(story.transcript);
}

#[test]
fn lk14_policy_that_gives_more_is_held_on_that_target_only() {
    let mut story = Story::new(POLICY);
    let first = story.offer("acme-unit", "1.0.0", Asks::Status);
    let page = story.run(&["add", &first]);
    story.run(&["add", &first, "--accept", &accept(&page)]);
    story.transcript.clear();
    let wider = "[[grant]]\ncomponent = \"acme-unit\"\non = [\"web01\"]\nbind.unit = \"nginx.service\"\n\
                 [[grant]]\ncomponent = \"acme-unit\"\non = [\"web02\"]\nbind.unit = \"postgresql.service\"\n";
    story.ops.write("policy.toml", wider.as_bytes()).unwrap();
    story.check(&["--probe", "acme-unit"]);
    story.run(&["review", "acme-unit"]);
    story.run(&["lock", "verify"]);
    let page = story.run(&["approve", "acme-unit"]);
    story.run(&["approve", "acme-unit", "--accept", &accept(&page), "--why", "moved"]);
    story.check(&["--probe", "acme-unit"]);
    story.run(&["approve", "acme-unit"]);
    insta::assert_snapshot!(story.transcript);
}

#[test]
fn what_no_grant_names_is_shown_and_not_accepted() {
    let mut story = Story::new("");
    let first = story.offer("acme-unit", "1.0.0", Asks::StatusAndLogs);
    story.run(&["add", &first]);
    assert!(!story.ops.path().join("bailiwick.lock").exists() && !story.ops.path().join("components").exists());
    insta::assert_snapshot!(story.transcript);
}

#[test]
fn components_without_a_lock_are_reported_one_by_one() {
    let mut story = Story::new(POLICY);
    let first = story.offer("acme-unit", "1.0.0", Asks::Status);
    for extension in ["wasm", "toml"] {
        let bytes = fs::read(Path::new(&first).with_extension(extension)).unwrap();
        story.ops.write(&format!("components/acme-unit.{extension}"), &bytes).unwrap();
    }
    story.check(&[]);
    story.run(&["lock", "verify"]);
    story.run(&["lock"]);
    story.run(&["approve", "acme-unit"]);
    story.ops.accept().unwrap();
    story.check(&[]);
    insta::assert_snapshot!(story.transcript);
}

/// Types a line at a terminal of its own.
fn at_a_terminal(ops: &Ops, args: &str, typed: &str) -> (i32, String) {
    let line = format!("{PROGRAM} {args} --dir {}", ops.path().display());
    let mut script = Command::new("script");
    script.args(["--quiet", "--return", "--flush", "--command", &line, "/dev/null"]).env_clear();
    script.env("PATH", "/usr/bin:/bin").env("USER", "alice").env("TERM", "dumb").env("SHELL", "/bin/sh");
    script.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = script.spawn().expect("`script` is part of every Debian (bsdutils)");
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(typed.as_bytes()).unwrap();
    stdin.flush().unwrap();
    let output = child.wait_with_output().unwrap();
    drop(stdin);
    (output.status.code().unwrap(), String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn at_a_terminal_only_the_id_accepts() {
    let offers = Offers::new().unwrap();
    let file = offers.version("acme-unit", "1.0.0", Asks::Status).unwrap();
    let add = format!("add {}", file.display());
    for typed in ["\n", "y\n", "yes\n", "acme\n", "ACME-UNIT\n", "\x04"] {
        let ops = Ops::new(PROGRAM, &[local("web01"), local("web02")], &[], POLICY).unwrap();
        let (code, text) = at_a_terminal(&ops, &add, typed);
        assert_eq!(code, 8, "{typed:?}: {text}");
        assert!(text.contains("Type acme-unit to accept exactly this"), "{text}");
        assert!(text.contains("nothing is accepted"), "{text}");
        assert!(!ops.path().join("bailiwick.lock").exists());
    }
    let ops = Ops::new(PROGRAM, &[local("web01"), local("web02")], &[], POLICY).unwrap();
    let (code, text) = at_a_terminal(&ops, &add, "acme-unit\n");
    assert_eq!(code, 0, "{text}");
    // All of it was on the page before the question.
    for shown in ["services.status:nginx.service", "policy.toml:4", "| is it up", "on web01, web02: 1 action"] {
        assert!(text.split("Type acme-unit").next().unwrap().contains(shown), "{shown}: {text}");
    }
    assert_eq!(ops.run(&["lock", "verify"]).unwrap().code, 0);
    assert!(fs::read_to_string(ops.path().join("bailiwick.lock")).unwrap().contains("who = \"alice (uid"));
    // A held version is asked for the same way.
    let more = offers.version("acme-unit", "1.1.0", Asks::StatusAndLogs).unwrap();
    assert_eq!(ops.run(&["add", more.to_str().unwrap()]).unwrap().code, 8);
    assert_eq!(at_a_terminal(&ops, "approve acme-unit", "n\n").0, 8);
    assert_eq!(at_a_terminal(&ops, "approve acme-unit", "acme-unit\n").0, 0);
    assert_eq!(ops.run(&["lock", "verify"]).unwrap().code, 0);
}
