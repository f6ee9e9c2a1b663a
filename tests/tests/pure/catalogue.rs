//! The catalogue of attacks (docs/threats.md 2.1–2.9) and the tests that bear its ids: the golden lists them, and for each id
//! without a test the reason. SECURITY.md explains the letters.
//!
//! An id that has neither is a failure, and so is one that has both, and a test with an id that does not exist.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use super::tree::files;

/// Every id, with a short description.
const IDS: &[(&str, &str)] = &[
    ("gr01", "an endless loop"),
    ("gr02", "a loop that costs little fuel"),
    ("gr04", "memory, page by page and all at once"),
    ("gr05", "many memories"),
    ("gr06", "tables"),
    ("gr08", "bulk operations over all memory"),
    ("gr09", "a verb that is never answered"),
    ("gr10", "a million calls"),
    ("gr12", "a huge report"),
    ("gr13", "a flood of notes"),
    ("gr14", "the engine aborts"),
    ("gr16", "many that spend all their time"),
    ("ca01", "handles never received"),
    ("ca02", "handles of another type"),
    ("ca04", "an index used again"),
    ("ca05", "a borrow kept past its call"),
    ("ca06", "an owned handle dropped while lent"),
    ("ca08", "handles piled up"),
    ("ca09", "strings out of bounds or badly encoded"),
    ("ca10", "discriminants out of range"),
    ("ca12", "calls from realloc, post-return, a destructor"),
    ("ca13", "another call after a trap"),
    ("ca14", "lists in lists"),
    ("ph01", "a changing verb in another phase than plan"),
    ("ph02", "a probe that imports a changing verb"),
    ("ph03", "calls while instantiating"),
    ("ph05", "state smuggled from one run to the next"),
    ("ph06", "apply differs from the plan"),
    ("ph07", "another plan each time"),
    ("ph09", "the host calls back into the guest"),
    ("ph10", "cancelled while a verb is under way"),
    ("ph11", "a false report of success"),
    ("lk01", "a huge file"),
    ("lk02", "not a component"),
    ("lk03", "text, compiled code, ELF"),
    ("lk05", "type bombs"),
    ("lk06", "a cache entry replaced"),
    ("lk07", "a digest that differs from the lock's"),
    ("lk09", "a signer who is not allowed"),
    ("lk10", "imports more than its manifest says"),
    ("lk11", "imports less than its manifest says"),
    ("lk13", "strange kinds of import"),
    ("lk14", "a new version that asks for more, or an old one"),
    ("lk15", "WASI"),
    ("lk17", "wasm features that are off"),
    ("lk18", "look-alike names"),
    ("lk19", "policy missing, unreadable, with mistakes"),
    ("fs02", "/proc, /dev, /sys and secrets"),
    ("fs03", "names with control, bidi and look-alike characters"),
    ("fs04", "names that are expanded"),
    ("fs06", "a file that is a link"),
    ("fs07", "a file swapped for a link"),
    ("fs08", "pipes, devices, sockets"),
    ("fs10", "endless folders"),
    ("fs11", "names that are not UTF-8"),
    ("fs12", "replacing a file"),
    ("fs14", "writing where it gives power"),
    ("fs15", "mode, owner, hard links"),
    ("fs16", "ids as local paths"),
    ("ar01", "what a shell reads"),
    ("ar02", "every login shell"),
    ("ar03", "values that are options"),
    ("ar05", "programs with exec options"),
    ("ar06", "interpreters and launchers"),
    ("ar07", "systemctl's pager and editor"),
    ("ar09", "a reload that restarts"),
    ("ar10", "journalctl's options"),
    ("ar11", "the docker CLI"),
    ("ar13", "queries with secrets"),
    ("ar14", "curl and similar programs"),
    ("ar15", "options that name files or write"),
    ("ar17", "a hole inside a word"),
    ("ar18", "very many or very long arguments"),
    ("ar19", "sudoers with wildcards"),
    ("ar21", "malformed frames to the gate"),
    ("ar22", "the session ends while the child runs"),
    ("nw01", "addresses in disguise"),
    ("nw03", "a name that resolves to something else"),
    ("nw04", "paths in requests"),
    ("nw05", "headers in requests"),
    ("nw07", "GET that changes something"),
    ("nw08", "secrets sent out in requests"),
    ("nw09", "forwarding to other ports"),
    ("nw11", "one key for two machines, a never-host's address"),
    ("nw12", "ssh_config that runs programs"),
    ("nw13", "host and account as options or commands"),
    ("nw15", "no pin"),
    ("nw16", "weak algorithms"),
    ("nw17", "channels that a server opens"),
    ("nw19", "a stolen read key"),
    ("nw20", "an invalid certificate"),
    ("nw21", "a stolen valid certificate"),
    ("tg01", "noise and floods"),
    ("tg02", "a flood that no reader needs"),
    ("tg03", "silence at each step"),
    ("tg05", "answers made to break a reader"),
    ("tg06", "answers that imitate other messages"),
    ("tg07", "exit statuses that lie"),
    ("tg09", "template syntax"),
    ("tg10", "a false report of a verification"),
    ("tg11", "slow for verify only"),
    ("tx01", "escape sequences"),
    ("tx02", "bidi and invisible characters"),
    ("tx03", "Markdown"),
    ("tx05", "forged lines"),
    ("tx06", "CSV and XML"),
    ("tx07", "imitations of the host's words"),
    ("tx09", "secrets in answers"),
    ("tx10", "secrets in errors"),
    ("tx11", "text for agents"),
    ("ag01", "tools that do not exist"),
    ("ag02", "an agent that approves for itself"),
    ("ag03", "an approval used twice, late, elsewhere, for another plan"),
    ("ag05", "descriptions that give orders"),
    ("ag06", "two programs at once"),
    ("ag07", "names that mean more than one"),
    ("ag09", "a rule that allows and one that forbids"),
    ("ag10", "a policy that is wider than it seems"),
    ("ag11", "a never-host or a firewall in an allow list"),
    ("ag13", "a flag forgotten"),
    ("ag14", "a plan approved after the host was changed by hand"),
    ("ch01", "no room for a snapshot"),
    ("ch03", "a rollback that does not roll back"),
    ("ch04", "a rollback over a person's work"),
    ("ch05", "a fix that was never rehearsed"),
    ("ch06", "killed at any instant"),
    ("ch07", "an answer that was lost"),
    ("ch08", "the same request twice"),
    ("ch09", "two changes for one place in the budget"),
    ("ch11", "both sides of midnight"),
    ("ch12", "a clock set back, an hour that exists twice or not at all, a window that closes"),
    ("ch13", "a clock set forward"),
    ("ch15", "the kill switch at every moment"),
    ("ch16", "the credential gone half way"),
    ("ch17", "a person or a tool at the same object"),
    ("ch19", "a change that is larger than its name"),
    ("ch20", "a certificate that has expired when it is needed"),
    ("jr01", "entries edited, removed, swapped, inserted, cut"),
    ("jr03", "a full or failing disk"),
    ("jr04", "a new file and a crash"),
    ("jr05", "two writers"),
    ("jr07", "one content in two encodings, large contents"),
    ("jr08", "a guessable hash of a secret"),
    ("jr09", "a replay with the same component"),
    ("jr11", "a journal from another person"),
    ("jr12", "a guest that notices the replay"),
    ("jr13", "a day on which nothing was done"),
];

const AGENTS: &str = "belongs to agents over MCP, which do not exist yet";

/// Ids without a test, and why.
const WITHOUT: &[(&str, &str)] = &[
    ("ag01", AGENTS),
    ("ag05", AGENTS),
    ("ag09", "tested by property in `tests/tests/pure/grant.rs`: a never-rule wins over every grant"),
    ("tx11", "belongs to agents over MCP, which do not exist yet; JSON names the fields that hold others' text"),
    (
        "jr04",
        "a crash of the machine is not made in a test; `journal/open.rs` and `evidence.rs` sync a new file's folder",
    ),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

/// The ids that a function's name begins with: `gr01` of `gr01_a_loop`, two of `lk13_lk15_nothing_else`.
fn ids(name: &str) -> impl Iterator<Item = &str> {
    name.split('_').take_while(|word| {
        let (letters, digits) = word.split_at_checked(2).unwrap_or_default();
        ["gr", "ca", "ph", "lk", "fs", "ar", "nw", "tg", "tx", "ag", "ch", "jr"].contains(&letters)
            && digits.len() == 2
            && digits.bytes().all(|byte| byte.is_ascii_digit())
    })
}

/// Test functions by id: `folder/file: name`. A function counts if its attributes hold a test.
fn tests() -> BTreeMap<String, BTreeSet<String>> {
    let root = root();
    let mut all = BTreeMap::<_, BTreeSet<_>>::new();
    for path in ["host", "guest-sdk/src", "tests"].iter().flat_map(|folder| files(&root.join(folder), &[".rs"])) {
        let text = fs::read_to_string(&path).unwrap();
        let file = path.strip_prefix(&root).unwrap().display().to_string();
        let mut marked = false;
        for line in text.lines().map(str::trim) {
            marked |= ["#[test]", "#[tokio::test"].iter().any(|mark| line.starts_with(mark));
            let Some((before, rest)) = line.split_once("fn ") else {
                marked &= line.starts_with('#') || line.starts_with("//");
                continue;
            };
            if marked && before.split_whitespace().all(|word| ["async", "pub"].contains(&word)) {
                let name = rest.split(['(', '<']).next().unwrap_or_default();
                for id in ids(name) {
                    all.entry(id.to_owned()).or_default().insert(format!("{file}: {name}"));
                }
            }
            marked = false;
        }
    }
    all
}

#[test]
fn every_id_has_a_test_or_a_reason() {
    let tests = tests();
    let known: BTreeSet<&str> = IDS.iter().map(|(id, _)| *id).collect();
    let reasons: BTreeMap<&str, &str> = WITHOUT.iter().copied().collect();
    assert_eq!(known.len(), IDS.len(), "an id stands twice");
    assert_eq!(reasons.len(), WITHOUT.len(), "a reason stands twice");
    let strange: Vec<_> = tests.keys().filter(|id| !known.contains(id.as_str())).collect();
    assert!(strange.is_empty(), "tests with ids that do not exist: {strange:?}");
    let strange: Vec<_> = reasons.keys().filter(|id| !known.contains(*id)).collect();
    assert!(strange.is_empty(), "reasons for ids that do not exist: {strange:?}");
    let (mut all, mut bare, mut both) = (String::new(), Vec::new(), Vec::new());
    for (id, words) in IDS {
        let _ = writeln!(all, "{id} {words}");
        match (tests.get(*id), reasons.get(id)) {
            (Some(found), None) => found.iter().for_each(|test| all += &format!("    {test}\n")),
            (None, Some(reason)) => all += &format!("    no test: {reason}\n"),
            (None, None) => bare.push(*id),
            (Some(_), Some(_)) => both.push(*id),
        }
    }
    assert!(bare.is_empty(), "neither test nor reason: {bare:?}");
    assert!(both.is_empty(), "a test, and a reason for having none: {both:?}");
    insta::assert_snapshot!(all);
}

#[test]
fn ids_are_read_from_the_beginning_of_a_name() {
    let read = |name: &'static str| ids(name).collect::<Vec<_>>();
    assert_eq!(read("gr01_a_loop"), ["gr01"]);
    assert_eq!(read("lk13_lk15_nothing_else"), ["lk13", "lk15"]);
    assert!(read("a_gr01_loop").is_empty() && read("gr1_x").is_empty() && read("grow_x").is_empty());
}

/// What the program's own text shows: no phase, no callback, no second call.
fn source(path: &str) -> String {
    files(&root().join(path), &[".rs"]).iter().map(|path| fs::read_to_string(path).unwrap()).collect()
}

#[test]
fn ph01_only_plan_is_in_a_world_with_changing_verbs_and_its_list_is_all_that_they_reach() {
    use bailiwick_core::model::Effect;
    use bailiwick_core::verbs::{Invocation, spec, with};
    // None has a parameter for a target, so it cannot name one. A phase is refused twice, by worker and broker: the
    // tests of `sandbox::guests::fix` hold that.
    assert!(with(Effect::Change).all(|verb| matches!(spec(verb).invocation, Invocation::Gate(_))));
    assert!(with(Effect::Change).all(|verb| verb.interface().ends_with("-change")));
    let wit: String = fs::read_dir(root().join("wit"))
        .unwrap()
        .map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap())
        .collect();
    let exports: BTreeSet<_> = wit.lines().map(str::trim).filter(|line| line.starts_with("export ")).collect();
    let expected = BTreeSet::from([
        "export examine: func(targets: list<target>) -> result<report, failure>;",
        "export plan: func(target: target) -> result<decision, failure>;",
        "export verify: func(target: target) -> result<report, failure>;",
    ]);
    assert_eq!(exports, expected);
}

#[test]
fn nw05_nw07_a_page_is_fetched_and_nothing_else_can_be_requested() {
    // A slot is the operator's one page; beside it there is no parameter for a method, a path, a header or a body.
    let wit = fs::read_to_string(root().join("wit/http.wit")).unwrap();
    let functions: Vec<_> = wit.lines().filter(|line| line.contains("func(")).map(str::trim).collect();
    assert_eq!(functions, ["get: func(target: borrow<target>, slot: string) -> result<response, verb-error>;"]);
}

#[test]
fn ph09_no_host_function_calls_the_guest_back() {
    // One call into a guest for each of its functions in the whole sandbox, outside every host function.
    let sandbox = source("host/sandbox/src");
    let calls: Vec<_> =
        sandbox.lines().filter(|line| line.contains(".call_") && !line.trim().starts_with("//")).collect();
    assert_eq!(calls.len(), 3, "{calls:?}");
    for (call, name) in calls.iter().zip(["call_examine", "call_plan", "call_verify"]) {
        assert!(call.contains(name), "{calls:?}");
    }
    assert!(!source("host/sandbox/src/host").contains(".call_"));
    assert!(!sandbox.contains("get_typed_func") && !sandbox.contains("get_func("), "another way to call a guest");
}

#[test]
fn ca05_no_guest_is_ever_lent_a_handle() {
    // A borrow goes from guest to host only: what `examine` gets is its own, and no function returns a borrow.
    let wit: String = fs::read_dir(root().join("wit"))
        .unwrap()
        .map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap())
        .collect();
    for line in wit.lines().filter(|line| line.contains("borrow<")) {
        let given = line.split_once("->").map(|(_, given)| given).unwrap_or_default();
        assert!(!given.contains("borrow<") && !line.trim().starts_with("export "), "{line}");
    }
}
