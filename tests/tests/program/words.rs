//! The catalogue's rows about words (threats.md 2.5, 2.6), as the program meets them: it says where the word stands, and does nothing
//! else. Which words these are, `pure::words` holds.

use std::path::Path;

use anyhow::{Result, ensure};
use bailiwick_tests::fleet::{Entry, text};
use bailiwick_tests::listeners::Silent;
use bailiwick_tests::ops::Ops;

use crate::PROGRAM;

#[test]
fn ar01_the_program_runs_nothing_of_what_a_shell_reads() -> Result<()> {
    let (silent, scratch) = (Silent::start()?, tempfile::tempdir()?);
    let pwn = scratch.path().join("pwn");
    let target = Entry::at("db01", silent.address(), Path::new("/nonexistent"))?;
    for value in [format!("a;touch {}", pwn.display()), format!("$(touch {})", pwn.display())] {
        let policy = format!(
            "[[grant]]\ncomponent = \"service\"\non = [\"db01\"]\nbind.unit = {}\n",
            text(&format!("{value}.service"))
        );
        let ops = Ops::new(PROGRAM, std::slice::from_ref(&target), &[], &policy)?;
        for command in [&["check"][..], &["review"], &["review", "--wire"]] {
            let said = ops.run(command)?;
            ensure!(said.code == 2 && said.stdout.is_empty(), "{command:?}: {}{}", said.stdout, said.stderr);
            ensure!(said.stderr.contains("policy.toml:4"), "{}", said.stderr);
        }
        ensure!(!ops.journal().exists(), "something was begun");
    }
    ensure!(silent.count() == 0 && !pwn.exists());
    Ok(())
}

#[test]
fn fs03_a_policy_that_is_not_utf8_is_refused() -> Result<()> {
    let ops = Ops::new(PROGRAM, &[], &[], "")?;
    ops.write(
        "policy.toml",
        b"[[grant]]\ncomponent = \"service\"\non = [\"x\"]\nbind.unit = \"\xfc\x80\x80\x80\x80\xaf\"\n",
    )?;
    let said = ops.run(&["check"])?;
    ensure!(said.code == 2 && said.stderr.contains("policy.toml"), "{}", said.stderr);
    Ok(())
}

#[test]
fn fs16_the_number_of_an_entry_and_the_id_of_a_component_are_no_paths() -> Result<()> {
    // Where the journal is looked for by number, a path is no number.
    let ops = Ops::new(PROGRAM, &[], &[], "")?;
    for number in ["../../../etc/passwd", "/etc/passwd", "1/../2", "-1", "1e3"] {
        let said = ops.run(&["journal", "show", number])?;
        ensure!(said.code == 2 && !said.stdout.contains("root:"), "{number}: {}{}", said.stdout, said.stderr);
    }
    // A component whose manifest says another id than its file has.
    let manifest =
        "[component]\nid = \"../../x\"\nversion = \"1.0.0\"\nworld = \"bailiwick:ops/probe@0.1.0\"\ntitle = \"x\"\n";
    ops.install("x", b"\0asm\x0d\0\x01\0", manifest.as_bytes())?;
    let said = ops.run(&["check"])?;
    ensure!(said.code == 2 && said.stderr.contains("x.toml"), "{}", said.stderr);
    Ok(())
}
