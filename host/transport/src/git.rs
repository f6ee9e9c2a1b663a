//! One commit per line on a branch of a git repository of this machine, and all lines back, for anchors.
//!
//! Knows: git's plumbing. Must not know: what a line means. The program is started by its absolute path, without a shell, with
//! a fixed environment: the repository's configuration and no other, no hooks, no prompt, no pager. Every word of its arguments
//! comes from this program or from the operator.
//!
//! A branch moves in one step, from the commit that was read to its child. A process that is killed before that leaves
//! objects without a reference, and git detects two writers. No work tree and no index is touched.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;

use bailiwick_core::limits::{ANCHOR_BYTES, ANCHOR_S};

/// The branch for the lines. Only Bailiwick writes it.
pub const BRANCH: &str = "refs/heads/bailiwick-journal";
/// The file that holds the newest line.
pub const FILE: &str = "head";

/// The paths where git is searched for. `PATH` is not used: it could name another program.
const PLACES: &[&str] = &["/usr/bin/git", "/usr/local/bin/git", "/bin/git"];
const AUTHOR: &str = "bailiwick";
const AUTHOR_EMAIL: &str = "bailiwick@localhost";

/// Why a line was not committed, or the lines were not read.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// git is not installed.
    #[error("git is not installed (searched: {})", PLACES.join(", "))]
    NoGit,
    /// git could not be started.
    #[error("cannot run git")]
    Io(#[from] std::io::Error),
    /// A git command failed.
    #[error("`git {step}` failed: {message}")]
    Failed {
        /// The command.
        step: &'static str,
        /// The last line of its standard error.
        message: String,
    },
    /// A git command printed something else than an object's name.
    #[error("`git {0}` did not print an object name")]
    UnexpectedOutput(&'static str),
    /// The lines are larger than an anchor can be.
    #[error("the lines of the branch are larger than {ANCHOR_BYTES} bytes, the maximum for an anchor")]
    TooLarge,
    /// A git command was too slow.
    #[error("`git {0}` took longer than {ANCHOR_S} s")]
    TimedOut(&'static str),
}

/// Commits one line.
///
/// # Errors
/// The branch has not moved.
pub async fn append(repository: &Path, line: &str) -> Result<(), GitError> {
    let before = tip(repository).await?;
    let blob = name(repository, "hash-object", &["-w", "--stdin"], line).await?;
    let tree = name(repository, "mktree", &[], &format!("100644 blob {blob}\t{FILE}\n")).await?;
    let mut words = vec![tree.as_str()];
    words.extend(before.iter().flat_map(|before| ["-p", before]));
    let commit = name(repository, "commit-tree", &words, line).await?;
    let nothing = "0".repeat(commit.len());
    let old = before.as_deref().unwrap_or(&nothing);
    run(repository, "update-ref", &["-m", "anchor", BRANCH, &commit, old], "").await?.success("update-ref")?;
    Ok(())
}

/// Every line that was committed, oldest first.
///
/// # Errors
/// The repository cannot be read. A branch that does not exist has no lines.
pub async fn lines(repository: &Path) -> Result<Vec<u8>, GitError> {
    if tip(repository).await?.is_none() {
        return Ok(Vec::new());
    }
    let arguments = ["--first-parent", "--reverse", "--no-show-signature", "--format=%s", BRANCH, "--"];
    run(repository, "log", &arguments, "").await?.success("log")
}

/// The branch's newest commit.
async fn tip(repository: &Path) -> Result<Option<String>, GitError> {
    // Distinguishes a repository without the branch from a folder that is not a repository.
    run(repository, "rev-parse", &["--git-dir"], "").await?.success("rev-parse")?;
    let commit = format!("{BRANCH}^{{commit}}");
    let ended = run(repository, "rev-parse", &["--verify", "--quiet", &commit], "").await?;
    if ended.success { object(&ended.stdout, "rev-parse").map(Some) } else { Ok(None) }
}

/// Runs one command that prints an object's name.
async fn name(repository: &Path, step: &'static str, words: &[&str], stdin: &str) -> Result<String, GitError> {
    object(&run(repository, step, words, stdin).await?.success(step)?, step)
}

fn object(stdout: &[u8], step: &'static str) -> Result<String, GitError> {
    let text = std::str::from_utf8(stdout).unwrap_or_default().trim_end();
    let is_name = matches!(text.len(), 40 | 64) && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    if is_name { Ok(text.to_owned()) } else { Err(GitError::UnexpectedOutput(step)) }
}

/// How a command ended.
struct GitOutput {
    success: bool,
    stdout: Vec<u8>,
    message: String,
}

impl GitOutput {
    fn success(self, step: &'static str) -> Result<Vec<u8>, GitError> {
        if self.success { Ok(self.stdout) } else { Err(GitError::Failed { step, message: self.message }) }
    }
}

async fn run(repository: &Path, step: &'static str, words: &[&str], stdin: &str) -> Result<GitOutput, GitError> {
    let program = PLACES.iter().find(|place| Path::new(place).is_file()).ok_or(GitError::NoGit)?;
    let mut command = Command::new(program);
    command
        .arg("-C")
        .arg(repository)
        .args(["--no-pager", "-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", step])
        .args(words)
        .env_clear()
        .envs([
            ("PATH", "/usr/local/bin:/usr/bin:/bin"),
            ("HOME", "/nonexistent"),
            ("LC_ALL", "C"),
            ("TZ", "UTC"),
            ("GIT_CONFIG_NOSYSTEM", "1"),
            ("GIT_CONFIG_GLOBAL", "/dev/null"),
            ("GIT_TERMINAL_PROMPT", "0"),
            ("GIT_OPTIONAL_LOCKS", "0"),
            ("GIT_AUTHOR_NAME", AUTHOR),
            ("GIT_AUTHOR_EMAIL", AUTHOR_EMAIL),
            ("GIT_COMMITTER_NAME", AUTHOR),
            ("GIT_COMMITTER_EMAIL", AUTHOR_EMAIL),
        ])
        // A folder that is not a repository must not be taken for a part of a repository above it.
        .env("GIT_CEILING_DIRECTORIES", repository.parent().unwrap_or(repository))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    let work = async {
        let mut child = command.spawn()?;
        let feed = child.stdin.take();
        let feed = async {
            if let Some(mut pipe) = feed {
                // A program that does not read its input reports that by its exit status.
                let _ = pipe.write_all(stdin.as_bytes()).await;
            }
        };
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let read_out = async {
            match stdout {
                Some(pipe) => pipe.take(ANCHOR_BYTES + 1).read_to_end(&mut out).await.map(drop),
                None => Ok(()),
            }
        };
        let read_err = async {
            match stderr {
                Some(pipe) => pipe.take(4 << 10).read_to_end(&mut err).await.map(drop),
                None => Ok(()),
            }
        };
        let ((), read_out, read_err) = tokio::join!(feed, read_out, read_err);
        read_out?;
        read_err?;
        if out.len() as u64 > ANCHOR_BYTES {
            return Err(GitError::TooLarge);
        }
        let success = child.wait().await?.success();
        let stderr = String::from_utf8_lossy(&err);
        let message = stderr.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("no message").to_owned();
        Ok(GitOutput { success, stdout: out, message })
    };
    tokio::time::timeout(Duration::from_secs(ANCHOR_S), work).await.unwrap_or(Err(GitError::TimedOut(step)))
}
