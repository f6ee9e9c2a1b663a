//! Parts of files that follow from the table of verbs or from a folder. `INSTA_UPDATE=always` writes them; a person reviews
//! the diff.
//!
//! Knows: where such a part begins and ends in its file. So a new verb needs no edit there.

use std::path::{Path, PathBuf};

use bailiwick_core::model::{Effect, Object, Verb};
use bailiwick_core::verbs;

fn checkout() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn updates() -> bool {
    std::env::var("INSTA_UPDATE").is_ok_and(|value| value == "always")
}

/// Compares the lines of a file from the first one that begins with `from` up to the one that begins with `until`.
fn compare(path: &str, from: &str, until: &str, expected: &str) {
    let file = checkout().join(path);
    let text = std::fs::read_to_string(&file).unwrap();
    let start = text.find(&format!("\n{from}")).unwrap_or_else(|| panic!("{path} has no line {from:?}")) + 1;
    let end = start + text[start..].find(&format!("\n{until}")).unwrap_or_else(|| panic!("{path}: no {until:?}")) + 1;
    if text[start..end] == *expected {
        return;
    }
    if updates() {
        std::fs::write(&file, [&text[..start], expected, &text[end..]].concat()).unwrap();
        return;
    }
    panic!("{path} is out of date: run this test with INSTA_UPDATE=always and read `git diff`");
}

fn observing(object: Object) -> Vec<Verb> {
    verbs::with(Effect::Observe).filter(|verb| verbs::spec(*verb).object == object).collect()
}

/// Slot, whether it is `many`, its object, its default, and why.
const SLOTS: &[(&str, bool, Object, &str, &str)] = &[
    ("unit", false, Object::Unit, "cron.service", "one unit"),
    ("file", false, Object::Path, "/etc/hostname", "one file"),
    ("units", true, Object::Unit, "dbus.service", "several units"),
    ("files", true, Object::Path, "/etc/os-release", "several files"),
    ("runtimes", true, Object::Runtime, "", "programs that run containers"),
    ("containers", true, Object::Container, "", "several containers"),
    ("commands", true, Object::Command, "", "several programs"),
    ("databases", true, Object::Database, "", "several databases"),
    ("statements", true, Object::Statement, "", "several queries"),
    ("url", false, Object::Url, "http://127.0.0.1:9/", "one page"),
    ("endpoint", false, Object::Endpoint, "127.0.0.1:9", "one server"),
];

/// The guests that call every verb ask for every verb.
#[test]
fn manifests_that_ask_for_every_verb() {
    let mut text = "[[use]]\nverb = [\n".to_owned();
    for verb in observing(Object::None) {
        text += &format!("    \"{verb}\",\n");
    }
    text += "]\nwhy = \"everything that needs no object\"\n\n";
    for (name, many, object, default, why) in SLOTS {
        let verbs: Vec<_> = observing(*object).iter().map(|verb| format!("\"{verb}\"")).collect();
        text += &format!("[[slot]]\nname = \"{name}\"\n");
        text += if *many { "many = true\n" } else { "" };
        text += &format!("verb = [{}]\n", verbs.join(", "));
        if !default.is_empty() {
            text += &format!("default = \"{default}\"\n");
        }
        text += &format!("why = \"{why}\"\n\n");
    }
    for verb in verbs::with(Effect::Observe) {
        let object = verbs::spec(verb).object;
        assert!(object == Object::None || SLOTS.iter().any(|slot| slot.2 == object), "{verb}: add a slot to SLOTS");
    }
    for guest in ["hostile", "wanderer"] {
        compare(&format!("tests/guests/{guest}/manifest.toml"), "[[use]]", "[param.", &text);
    }
}

#[test]
fn the_table_of_the_guests_that_call_every_verb() {
    let row = |verb: Verb| {
        let object = verbs::spec(verb).object;
        let key = if object == Object::None { "" } else { "key" };
        let [interface, function] = [verb.interface(), verb.function()].map(|name| name.replace('-', "_"));
        format!("    \"{verb}\" {object:?} {interface}::{function}({key});\n")
    };
    let rows: String = verbs::with(Effect::Observe).map(row).collect();
    compare("tests/guests/raw/src/lib.rs", "    \"system.identity\"", "}", &rows);
}

#[test]
fn the_contract_in_each_language() {
    let row = |verb: Verb| {
        let keyed = verbs::spec(verb).object != Object::None;
        let [interface, function] = [verb.interface(), verb.function()].map(|name| name.replace('-', "_"));
        let (rust, other) = if keyed { (", &entry", ", key") } else { ("", "") };
        let mut camel = String::new();
        for (at, word) in verb.function().split('-').enumerate() {
            let (first, rest) = word.split_at(1);
            camel += &if at == 0 { word.to_owned() } else { first.to_uppercase() + rest };
        }
        let about = verb.about().trim_end_matches('.');
        let (first, rest) = about.split_at(1);
        format!(
            "| `{verb}` | {}{rest} | `{interface}::{function}(target{rust})` | `{interface}.{camel}(target{other})` | \
             `{interface}.{function}(target{other})` | `bailiwick_ops_{interface}_{function}` |\n",
            first.to_lowercase()
        )
    };
    let rows: String = verbs::with(Effect::Observe).map(row).collect();
    compare("guest-sdk/docs/contract.md", "| `system.identity`", "\nChanging verbs", &rows);
}

/// The test guest `stranger` has the whole contract, and one interface more.
#[test]
fn a_link_for_every_file_of_the_contract() {
    for (name, _) in bailiwick_core::wit::CONTRACT {
        let link = checkout().join("tests/guests/stranger/wit").join(name);
        if !link.exists() && updates() {
            std::os::unix::fs::symlink(Path::new("../../../../wit").join(name), &link).unwrap();
        }
        assert!(link.exists(), "{} is missing: run this test with INSTA_UPDATE=always", link.display());
    }
}

/// `bailiwick new` writes a project with the whole SDK.
#[test]
fn every_file_of_the_sdk_is_in_a_project() {
    let mut rows = Vec::new();
    for folder in ["docs", "src"] {
        for entry in std::fs::read_dir(checkout().join("guest-sdk").join(folder)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let path = format!("{folder}/{name}");
            rows.push(format!("    \"guest-sdk/{path}\" => \"sdk/bailiwick-guest/{path}\",\n"));
        }
    }
    rows.sort();
    compare("host/engine/src/project/files.rs", "    \"guest-sdk/", "};", &rows.concat());
}
