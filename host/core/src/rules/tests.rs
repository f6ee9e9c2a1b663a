//! What a check may contain, and the messages for mistakes.

use proptest::prelude::*;

use super::*;
use crate::manifest;
use crate::manifest::Manifest;
use crate::source::{Problems, Source};

/// A manifest with one check over `verb`, whose lines these are.
fn with(verb: &str, check: &str) -> Result<Manifest, Problems> {
    let ask = match crate::verbs::spec(Verb::from_name(verb).unwrap()).object {
        crate::model::Object::None => format!("[[use]]\nverb = [\"{verb}\"]\nwhy = \"x\"\n"),
        _ => format!("[[slot]]\nname = \"object\"\nverb = [\"{verb}\"]\nwhy = \"x\"\n"),
    };
    let text = format!(
        "[component]\nid = \"x\"\nversion = \"1.0.0\"\nworld = \"bailiwick:ops/probe@0.1.0\"\ntitle = \"x\"\n{ask}\
         [param.warn]\ndefault = 80\nabout = \"x\"\n[param.kinds]\ndefault = [\"ext4\"]\nabout = \"x\"\n\
         [[check]]\ncode = \"x\"\nover = \"{verb}\"\ntitle = \"x\"\n{check}\n"
    );
    manifest::parse(&Source::embedded("manifest.toml", &text))
}

fn outcome(result: Result<Manifest, Problems>) -> String {
    match result {
        Ok(_) => "fine".to_owned(),
        Err(Problems(problems)) => problems.iter().map(|problem| problem.render(false) + "\n").collect(),
    }
}

#[test]
fn what_an_author_is_told() {
    let memory = |text: &str| outcome(with("system.memory", text));
    let disks = |text: &str| outcome(with("system.filesystems", text));
    let unit = |text: &str| outcome(with("services.status", &format!("slot = \"object\"\n{text}")));
    let none = "none = { severity = \"ok\", title = \"x\" }";
    let messages = [
        memory("critical = \"fre > 1\""),
        memory("critical = \"total-free > 1\""),
        memory("critical = \"total\""),
        memory("critical = \"total > 'much'\""),
        memory("critical = \"total > param.warm\""),
        memory("critical = \"total >\""),
        memory("critical = \"total > 1 free\""),
        memory("critical = \"(total > 1\""),
        memory("critical = \"total > 1 && free > 1\""),
        memory("critical = \"total = 1\""),
        memory("critical = \"total > \\\"1\\\"\""),
        memory("critical = \"total > 'x\""),
        memory("critical = \"ceil(total) > 1\""),
        memory("critical = \"slot == 'x'\""),
        memory("critical = \"count > 1\""),
        memory(&format!("critical = \"{}true\"", "not ".repeat(40))),
        memory(&format!("critical = \"{}\"", vec!["free"; 260].join("+"))),
        memory(&format!("critical = \"{}\"", "1+".repeat(600))),
        memory("ok = \"fine\""),
        memory("critical = \"total > 1\"\nwhere = \"free > 1\""),
        memory("critical = \"total > 1\"\nok = \"{free as bites}\""),
        memory("critical = \"total > 1\"\nok = \"{free > 1 as bytes}\""),
        memory("critical = \"total > 1\"\nok = \"{free\""),
        memory("critical = \"total > 1\"\nok = \"free}\""),
        memory("critical = \"total > 1\"\nok = \"äöü {fre} ß\""),
        memory("critical = \"total > 1\"\nlet.free = \"1\""),
        memory("critical = \"total > 1\"\nlet.count = \"1\""),
        memory("critical = \"total > 1\"\nlet.a = \"1\"\nlet.b = \"a + 1\""),
        memory("critical = \"total > 1\"\nmetric.m = { value = \"total > 1\", unit = \"bytes\" }"),
        memory("critical = \"total > 1\"\nmetric.m = { value = \"total\", unit = \"kB\" }"),
        memory("critical = \"total > 1\"\nerror.unreachable = { severity = \"ok\", title = \"x\" }"),
        memory("critical = \"total > 1\"\nslot = \"object\""),
        memory("critical = \"total > 1\"\nwarnings = \"free > 1\""),
        disks("critical = \"used > 1\""),
        disks(&format!("critical = \"kind in 'ext4'\"\n{none}")),
        disks(&format!("critical = \"param.kinds == 'ext4'\"\n{none}")),
        disks(&format!("critical = \"count > 1\"\nsummary = true\n{none}")),
        disks("critical = \"used > 1\"\nsummary = true"),
        unit("critical = \"active == 'runing'\""),
        unit("critical = \"'runing' != active\""),
        unit("critical = \"active in ['failed', 'dead']\""),
        unit("critical = \"has 1\""),
    ];
    insta::assert_snapshot!(messages.join("\n"));
}

#[test]
fn what_is_well_said() {
    let none = "none = { severity = \"ok\", title = \"{{}} {param.warn}\" }";
    for (verb, check) in [
        ("system.memory", "critical = \"free < 1 GiB and (total - free) / total * 100 >= param.warn\"".to_owned()),
        (
            "system.memory",
            "warning = \"not (-free < 0) or swap-total == 0\"\nok = \"{swap-free as bytes} {{x}}\"".to_owned(),
        ),
        ("system.filesystems", format!("critical = \"kind in ['ext4', 'xfs'] or kind in param.kinds\"\n{none}")),
        ("system.filesystems", format!("critical = \"has inodes.used and inodes.used > 5\"\n{none}")),
        ("system.filesystems", "critical = \"count > 3\"\nsummary = true\nwhere = \"used > 1 TiB\"".to_owned()),
        (
            "services.status",
            "slot = \"object\"\ncritical = \"active == 'failed' or sub-state contains 'restart'\"".to_owned(),
        ),
        ("system.uptime", "warning = \"length(reboot-packages) > 2 and reboot-packages contains 'libc6'\"".to_owned()),
        (
            "files.read",
            "slot = \"object\"\ncritical = \"number(bytes) > 10 and min(1, abs(-2)) < max(1, 2)\"".to_owned(),
        ),
        (
            "files.stat",
            "slot = \"object\"\ncritical = \"now - modified > 26 h\"\nsubject = \"{slot}: {owner}\"".to_owned(),
        ),
    ] {
        assert_eq!(outcome(with(verb, &check)), "fine", "{verb}: {check}");
    }
}

/// The order of its steps shows how an expression was parsed.
#[test]
fn operators_bind_as_everywhere() {
    let steps = |text: &str| {
        let rules = with("system.memory", &format!("critical = \"{text}\"")).unwrap().rules.unwrap();
        rules.checks.into_iter().next().unwrap().critical.unwrap()
    };
    for (bare, bracketed) in [
        ("1 + 2 * 3 > 4", "(1 + (2 * 3)) > 4"),
        ("1 - 2 - 3 > 4", "((1 - 2) - 3) > 4"),
        ("- 1 * 2 > 4", "((-1) * 2) > 4"),
        ("true or false and not true", "true or (false and (not true))"),
        ("not 1 > 2", "not (1 > 2)"),
    ] {
        assert_eq!(steps(bare), steps(bracketed), "{bare}");
    }
}

/// The checks use exactly what the manifest asks for.
#[test]
fn lk13_a_manifest_says_what_its_checks_do_and_no_more() {
    let extra = "critical = \"total > 1\"\n[[use]]\nverb = [\"system.load\"]\nwhy = \"x\"";
    assert!(outcome(with("system.memory", extra)).contains("`system.load` is asked for, and no check asks it"));
    let other = "critical = \"one > 1\"\n[[check]]\ncode = \"y\"\nover = \"system.load\"\ntitle = \"x\"\ncritical = \"one > 1\"";
    assert!(outcome(with("system.memory", other)).contains("the manifest does not ask for `system.load`"));
}

proptest! {
    /// A caret never points outside of its text.
    #[test]
    fn a_mistake_is_inside_its_text(text in "[a-z0-9 '(){}<>=+*/.,-]{0,60}|\\PC{0,40}") {
        let quoted = serde_json::to_string(&text).unwrap().replace('\u{7f}', "\\u007f");
        if let Err(Problems(problems)) = with("system.memory", &format!("critical = {quoted}\nok = {quoted}")) {
            for problem in problems {
                prop_assert!(problem.place.is_some());
                prop_assert!(!problem.render(false).is_empty());
            }
        }
    }
}
