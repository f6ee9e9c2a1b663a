//! One commit per line on a branch of a git repository of this machine, and all lines back, for anchors.
//!
//! Knows: git's plumbing. Must not know: what a line says. The program is started by its absolute path, without a shell, with
//! an environment that is closed: no configuration but the repository's own, no hooks, no prompt, no pager. No word of its
//! arguments is anybody's but ours and the operator's.
//!
//! A branch moves in one step, from the commit that was read to the one that follows it: whoever is killed before leaves
//! objects that nothing names, and two who write at once are told apart by git. No work tree and no index is touched.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;

use bailiwick_core::limits::{ANCHOR_BYTES, ANCHOR_S};

/// Where lines are committed. Nobody's but ours.
pub const BRANCH: &str = "refs/heads/bailiwick-journal";
/// The file that holds the newest line.
pub const FILE: &str = "head";

/// Where git is looked for; our own PATH is nobody's decision.
const PLACES: &[&str] = &["/usr/bin/git", "/usr/local/bin/git", "/bin/git"];
const WHO: &str = "bailiwick";
const MAIL: &str = "bailiwick@localhost";

/// Why a line was not committed, or the lines not read.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// It is not installed.
    #[error("there is no git here ({})", PLACES.join(", "))]
    NoGit,
    /// It could not be started.
    #[error("git could not be run")]
    Io(#[from] std::io::Error),
    /// It says no.
    #[error("`git {step}` failed: {words}")]
    Failed {
        /// Which of its commands.
        step: &'static str,
        /// The last line that it said.
        words: String,
    },
    /// It says what git does not.
    #[error("`git {0}` gave no object's name")]
    Odd(&'static str),
    /// More than an anchor holds.
    #[error("its branch has more than {ANCHOR_BYTES} bytes of lines, which no anchor of ours has")]
    TooLarge,
    /// Too slow.
    #[error("`git {0}` took longer than {ANCHOR_S} s")]
    TimedOut(&'static str),
}

/// Commits one line.
///
/// # Errors
/// When the branch has not moved.
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
/// When the repository cannot be read. A branch that is not there has no lines.
pub async fn lines(repository: &Path) -> Result<Vec<u8>, GitError> {
    if tip(repository).await?.is_none() {
        return Ok(Vec::new());
    }
    let arguments = ["--first-parent", "--reverse", "--no-show-signature", "--format=%s", BRANCH, "--"];
    run(repository, "log", &arguments, "").await?.success("log")
}

/// The branch's newest commit.
async fn tip(repository: &Path) -> Result<Option<String>, GitError> {
    // Tells a repository without the branch from what is no repository.
    run(repository, "rev-parse", &["--git-dir"], "").await?.success("rev-parse")?;
    let commit = format!("{BRANCH}^{{commit}}");
    let ended = run(repository, "rev-parse", &["--verify", "--quiet", &commit], "").await?;
    if ended.is_fine { object(&ended.stdout, "rev-parse").map(Some) } else { Ok(None) }
}

/// Runs one command that gives an object's name.
async fn name(repository: &Path, step: &'static str, words: &[&str], stdin: &str) -> Result<String, GitError> {
    object(&run(repository, step, words, stdin).await?.success(step)?, step)
}

fn object(stdout: &[u8], step: &'static str) -> Result<String, GitError> {
    let text = std::str::from_utf8(stdout).unwrap_or_default().trim_end();
    let is_name = matches!(text.len(), 40 | 64) && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    if is_name { Ok(text.to_owned()) } else { Err(GitError::Odd(step)) }
}

/// How a command ended.
struct Ended {
    is_fine: bool,
    stdout: Vec<u8>,
    words: String,
}

impl Ended {
    fn success(self, step: &'static str) -> Result<Vec<u8>, GitError> {
        if self.is_fine { Ok(self.stdout) } else { Err(GitError::Failed { step, words: self.words }) }
    }
}

async fn run(repository: &Path, step: &'static str, words: &[&str], stdin: &str) -> Result<Ended, GitError> {
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
            ("GIT_AUTHOR_NAME", WHO),
            ("GIT_AUTHOR_EMAIL", MAIL),
            ("GIT_COMMITTER_NAME", WHO),
            ("GIT_COMMITTER_EMAIL", MAIL),
        ])
        // A folder that is none must not be taken for one of a repository above it.
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
                // What does not read says so by how it ends.
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
        let is_fine = child.wait().await?.success();
        let words = String::from_utf8_lossy(&err);
        let words =
            words.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it does not say why").to_owned();
        Ok(Ended { is_fine, stdout: out, words })
    };
    tokio::time::timeout(Duration::from_secs(ANCHOR_S), work).await.unwrap_or(Err(GitError::TimedOut(step)))
}
