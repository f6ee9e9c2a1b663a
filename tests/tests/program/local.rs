//! This machine, as a target.

use std::os::unix::fs::symlink;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bailiwick_core::model::{AbsolutePath, Action, ActionId, Verb, Wire};
use bailiwick_core::model::{Answer, Exit};
use bailiwick_core::verbs::{Tier, action, spec};
use bailiwick_transport::RunError;
use bailiwick_transport::local::run;

fn exec(verb: Verb, words: &[&str]) -> Action {
    let wire = Wire::Exec(words.iter().map(|word| (*word).to_owned()).collect());
    Action { id: ActionId::new(verb, None), verb, literal: None, wire }
}

async fn read(path: &std::path::Path) -> Result<Answer> {
    let path = AbsolutePath::new(path.to_str().context("path")?)?;
    let action = Action {
        id: ActionId::new(Verb::FilesRead, None),
        verb: Verb::FilesRead,
        literal: None,
        wire: Wire::Read(path),
    };
    Ok(tokio::time::timeout(Duration::from_secs(60), run(&action)).await.context("it does not end")??)
}

#[tokio::test]
async fn a_verb_runs_here() -> Result<()> {
    let answer = run(&action(Verb::SystemLoad, None, Tier::Local)).await?;
    assert_eq!(answer.exit, Exit::Status(0));
    ensure!(String::from_utf8(answer.stdout)?.contains("/proc/loadavg:"));
    Ok(())
}

#[tokio::test]
async fn a_program_gets_nothing_of_ours() -> Result<()> {
    let answer = run(&exec(Verb::SystemLoad, &["/usr/bin/env"])).await?;
    assert_eq!(answer.stdout, b"");
    let answer =
        run(&exec(Verb::SystemLoad, &["/bin/sh", "-c", "pwd; cat; echo $#; echo oops >&2; exit 7", "x", "$(id) *"]))
            .await?;
    assert_eq!(
        answer,
        Answer { stdout: b"/\n1\n".to_vec(), stderr: b"oops\n".to_vec(), exit: Exit::Status(7), timing: None }
    );
    let answer = run(&exec(Verb::SystemLoad, &["/bin/sh", "-c", "kill -9 $$"])).await?;
    assert_eq!(answer.exit, Exit::Signal);
    Ok(())
}

#[tokio::test]
async fn what_cannot_start_says_so() -> Result<()> {
    ensure!(matches!(run(&exec(Verb::SystemLoad, &["env"])).await, Err(RunError::NotStarted)));
    ensure!(matches!(run(&exec(Verb::SystemLoad, &[])).await, Err(RunError::NotStarted)));
    ensure!(matches!(run(&exec(Verb::SystemLoad, &["/nonexistent"])).await, Err(RunError::Io(_))));
    Ok(())
}

/// True once no process has this word in its command line.
async fn gone(word: &str) -> Result<bool> {
    for _ in 0..200 {
        let found = std::process::Command::new("pgrep").args(["-f", word]).output()?;
        if found.stdout.is_empty() {
            return Ok(true);
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Ok(false)
}

#[tokio::test]
async fn floods_are_cut_with_everything_they_started() -> Result<()> {
    for stream in ["", ">&2"] {
        let word = format!("7777{}{}", std::process::id(), stream.len());
        let script = format!("sleep {word} & while :; do echo xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx; done {stream}");
        let outcome = run(&exec(Verb::SystemLoad, &["/bin/sh", "-c", &script])).await;
        ensure!(
            matches!(outcome, Err(RunError::TooLarge(limit)) if limit == spec(Verb::SystemLoad).bytes_max),
            "{outcome:?}"
        );
        ensure!(gone(&word).await?, "a child outlived its program");
    }
    Ok(())
}

#[tokio::test]
async fn a_caller_that_leaves_takes_the_program_along() -> Result<()> {
    let word = format!("8888{}", std::process::id());
    let script = format!("sleep {word} & sleep {word}; echo done");
    let action = exec(Verb::SystemLoad, &["/bin/sh", "-c", &script]);
    ensure!(tokio::time::timeout(Duration::from_millis(300), run(&action)).await.is_err());
    ensure!(gone(&word).await?, "a child outlived its caller");
    Ok(())
}

#[tokio::test]
async fn a_stall_ends_with_the_verbs_clock() -> Result<()> {
    let outcome =
        tokio::time::timeout(Duration::from_secs(60), run(&exec(Verb::SystemLoad, &["/bin/sleep", "600"]))).await?;
    ensure!(
        matches!(outcome, Err(RunError::TimedOut(limit)) if limit == spec(Verb::SystemLoad).timeout),
        "{outcome:?}"
    );
    Ok(())
}

#[tokio::test]
async fn files_are_read_whole_or_by_their_start() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("file");
    std::fs::write(&path, "content")?;
    assert_eq!(
        read(&path).await?,
        Answer { stdout: b"content".to_vec(), stderr: Vec::new(), exit: Exit::Status(0), timing: None }
    );
    std::fs::write(&path, vec![b'x'; 300_000])?;
    assert_eq!(read(&path).await?.stdout.len(), 262_145);
    Ok(())
}

#[tokio::test]
async fn fs08_what_is_not_a_file_fails_in_heads_words() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let (link, fifo, real) = (dir.path().join("link"), dir.path().join("fifo"), dir.path().join("real"));
    std::fs::write(&real, "secret")?;
    symlink(&real, &link)?;
    ensure!(std::process::Command::new("mkfifo").arg(&fifo).status()?.success());
    let cases = [
        (dir.path().join("absent"), "No such file or directory"),
        (link, "Too many levels of symbolic links"),
        (fifo, "Operation not supported"),
        (dir.path().to_owned(), "Is a directory"),
    ];
    for (path, words) in cases {
        let answer = read(&path).await?;
        assert_eq!(answer.exit, Exit::Status(1));
        assert_eq!(answer.stdout, b"");
        let message = format!("head: cannot open '{}' for reading: {words}\n", path.display());
        assert_eq!(String::from_utf8(answer.stderr)?, message);
    }
    Ok(())
}
