//! The catalogue's row about files that decide who may do what (docs/threats.md 2.4, LK19): a file that is missing, unreadable or
//! invalid allows nothing. The other rows of LK are tested where their subject is.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use anyhow::{Result, ensure};
use bailiwick_tests::fleet::Entry;
use bailiwick_tests::listeners::Silent;
use bailiwick_tests::ops::{Ops, slotless};
use bailiwick_tests::sshd::keygen;

use crate::PROGRAM;

/// An ops directory whose one target counts connections, with a policy that allows everything on it.
fn granting() -> Result<(Ops, Silent, tempfile::TempDir)> {
    let (silent, keys) = (Silent::start()?, tempfile::tempdir()?);
    let pin = keygen("ed25519", &keys.path().join("key"))?;
    let target = Entry::at("db01", silent.address(), &keys.path().join("key"))?.text("host-key", &pin);
    Ok((Ops::new(PROGRAM, &[target], &[], &slotless(&["db01"]))?, silent, keys))
}

/// `check` ends with a mistake that is named, `review` too or with an empty list, and nothing is done.
fn nothing_is_allowed(ops: &Ops, silent: &Silent, what: &str) -> Result<()> {
    for args in [&["check"][..], &["check", "--target", "db01"], &["review", "--wire"]] {
        let output = ops.run(args)?;
        // A policy may well be empty: then there is nothing to list.
        let fine = output.code == 2 && output.stderr.contains("error: ") || args[0] == "review" && output.code == 0;
        let summary = format!("{what}, {args:?}: {} {}{}", output.code, output.stdout, output.stderr);
        ensure!(fine && output.stdout.is_empty(), "{summary}");
    }
    ensure!(silent.count() == 0, "{what}: something was connected to");
    ensure!(!ops.journal().exists(), "{what}: something was begun");
    Ok(())
}

#[test]
fn lk19_a_policy_that_is_not_there_or_not_right_allows_nothing() -> Result<()> {
    let (ops, silent, _keys) = granting()?;
    let good = slotless(&["db01"]);
    let wrong = [
        ("an unknown key", format!("{good}also = true\n")),
        ("an unknown table", format!("allow-all = true\n{good}")),
        ("a key that comes twice", format!("{good}on = [\"db01\"]\n")),
        ("an empty list of targets", good.replace("[\"db01\"]", "[]")),
        ("an empty list of components", "[[grant]]\ncomponent = []\non = [\"db01\"]\n".to_owned()),
        ("no list of targets", "[[grant]]\ncomponent = \"load\"\n".to_owned()),
        ("nothing", String::new()),
        ("a comment", "# [[grant]]\n".to_owned()),
        ("a pattern for a target", good.replace("db01", "*")),
        ("a pattern for a component", "[[grant]]\ncomponent = \"*\"\non = [\"db01\"]\n".to_owned()),
        ("YAML", "grant:\n  - component: load\n    on: [db01]\n".to_owned()),
        ("YAML's no", good.replace("[\"db01\"]", "no")),
        ("a number", good.replace("[\"db01\"]", "1e3")),
        ("an anchor", good.replace("[\"db01\"]", "&all [\"db01\"]")),
        ("an alias", good.replace("[\"db01\"]", "*all")),
        ("a date", good.replace("\"db01\"", "2026-11-21")),
        ("JSON", "{\"grant\":[{\"component\":\"load\",\"on\":[\"db01\"]}]}".to_owned()),
        ("a NUL", format!("{good}\0")),
        ("half of it", good.get(..good.len() / 2).unwrap_or_default().to_owned()),
        ("a never-rule without a rule", format!("{good}[[never]]\nwhy = \"x\"\n")),
        ("a never-rule without why", format!("{good}[[never]]\nverbs = [\"system.load\"]\n")),
    ];
    for (what, policy) in &wrong {
        ops.write("policy.toml", policy.as_bytes())?;
        nothing_is_allowed(&ops, &silent, what)?;
    }
    ops.write("policy.toml", b"[[grant]]\ncomponent = \"load\"\non = [\"db01\", \"\xff\xfe\"]\n")?;
    nothing_is_allowed(&ops, &silent, "no UTF-8")?;
    let path = ops.path().join("policy.toml");
    fs::remove_file(&path)?;
    nothing_is_allowed(&ops, &silent, "no file")?;
    fs::create_dir(&path)?;
    nothing_is_allowed(&ops, &silent, "a folder")?;
    fs::remove_dir(&path)?;
    std::os::unix::fs::symlink("nowhere", &path)?;
    nothing_is_allowed(&ops, &silent, "a link to nowhere")?;
    fs::remove_file(&path)?;
    ops.write("policy.toml", good.as_bytes())?;
    for mode in [0o666, 0o664, 0o646] {
        fs::set_permissions(&path, PermissionsExt::from_mode(mode))?;
        nothing_is_allowed(&ops, &silent, "one that others may write")?;
    }
    // The same fixture, as it should be, does connect: the cases above could have failed.
    fs::set_permissions(&path, PermissionsExt::from_mode(0o644))?;
    let output = ops.run(&["check", "--connect-timeout", "1"])?;
    ensure!(output.code == 4 && silent.count() > 0, "{} {}{}", output.code, output.stdout, output.stderr);
    Ok(())
}
