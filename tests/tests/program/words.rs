//! The catalogue's rows about words (docs/threats.md 2.5, 2.6), as the program handles them: it reports the place of the word, and does
//! nothing else. `pure::words` tests which words these are.

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
            let output = ops.run(command)?;
            ensure!(output.code == 2 && output.stdout.is_empty(), "{command:?}: {}{}", output.stdout, output.stderr);
            ensure!(output.stderr.contains("policy.toml:4"), "{}", output.stderr);
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
    let output = ops.run(&["check"])?;
    ensure!(output.code == 2 && output.stderr.contains("policy.toml"), "{}", output.stderr);
    Ok(())
}

#[test]
fn fs16_the_number_of_an_entry_and_the_id_of_a_component_are_not_paths() -> Result<()> {
    // Where a journal entry is searched by number, a path is not a number.
    let ops = Ops::new(PROGRAM, &[], &[], "")?;
    for number in ["../../../etc/passwd", "/etc/passwd", "1/../2", "-1", "1e3"] {
        let output = ops.run(&["journal", "show", number])?;
        ensure!(output.code == 2 && !output.stdout.contains("root:"), "{number}: {}{}", output.stdout, output.stderr);
    }
    // A component whose manifest has another id than its file.
    let manifest =
        "[component]\nid = \"../../x\"\nversion = \"1.0.0\"\nworld = \"bailiwick:ops/probe@0.1.0\"\ntitle = \"x\"\n";
    ops.install("x", b"\0asm\x0d\0\x01\0", manifest.as_bytes())?;
    let output = ops.run(&["check"])?;
    ensure!(output.code == 2 && output.stderr.contains("x.toml"), "{}", output.stderr);
    Ok(())
}
