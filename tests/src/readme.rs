//! README.md as a test reads it: its commands and files, in order, and a clean directory in which they are run.
//!
//! Knows: `console` blocks with commands, `toml` blocks with files under a comment with their name, and what stands for README's
//! target.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::sshd::keygen;

/// The section whose commands need a target with systemd, on which the test is root: the lab has one.
pub const NEEDS_THE_LAB: &str = "A fix";

/// A part of the page that a reader runs or writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Block {
    /// A command.
    Command {
        /// The heading that it stands under.
        section: String,
        /// The command line, without its comment.
        line: String,
    },
    /// A file.
    File {
        /// The heading that it stands under.
        section: String,
        /// Its name.
        name: String,
        /// What is in it.
        text: String,
        /// It is added to a file that exists.
        add: bool,
    },
}

impl Block {
    /// The heading that it stands under.
    #[must_use]
    pub fn section(&self) -> &str {
        let (Self::Command { section, .. } | Self::File { section, .. }) = self;
        section
    }
}

/// The commands of the `console` blocks and the files of the `toml` blocks.
#[must_use]
pub fn blocks(page: &str) -> Vec<Block> {
    let (mut found, mut section, mut fence) = (Vec::new(), String::new(), None);
    for line in page.lines() {
        match (fence.as_deref(), line) {
            (None, line) if line.starts_with("## ") => section = line["## ".len()..].to_owned(),
            (None, line) if line.starts_with("```") => fence = Some(line["```".len()..].to_owned()),
            (Some(_), "```") => fence = None,
            _ => {}
        }
        let Some(kind) = fence.as_deref() else { continue };
        match kind {
            "console" => {
                if let Some(command) = line.strip_prefix("$ ") {
                    let line = command.split("   #").next().unwrap_or_default().trim().to_owned();
                    found.push(Block::Command { section: section.clone(), line });
                }
            }
            "toml" => {
                let named = line.strip_prefix("# add to ").map(|name| (name, true));
                let named = named.or_else(|| line.strip_prefix("# ").map(|name| (name, false)));
                match named.filter(|(name, _)| name.ends_with(".toml") && !name.contains(' ')) {
                    Some((name, add)) => {
                        let (name, text) = (name.to_owned(), String::new());
                        found.push(Block::File { section: section.clone(), name, text, add });
                    }
                    None if line.starts_with("```") => {}
                    None => {
                        if let Some(Block::File { text, .. }) = found.last_mut() {
                            text.push_str(line);
                            text.push('\n');
                        }
                    }
                }
            }
            _ => {}
        }
    }
    found
}

/// The page.
///
/// # Panics
/// When it cannot be read.
#[must_use]
pub fn page() -> String {
    fs::read_to_string(checkout().join("README.md")).expect("README.md")
}

/// How many commands the page shows, counted without knowing its blocks.
#[must_use]
pub fn commands_shown(page: &str) -> usize {
    page.lines().filter(|line| line.trim_start().starts_with("$ ")).count()
}

fn checkout() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the checkout")
}

/// What stands for `web01`.
#[derive(Debug, Clone)]
pub struct Target {
    /// Where its sshd listens.
    pub address: SocketAddr,
    /// The account that checks it.
    pub user: String,
    /// Its private key.
    pub key: PathBuf,
    /// The host key, as `fleet.toml` has it.
    pub host_key: String,
}

/// A directory without anything, a home with one SSH key and one known host, and the program on the path.
#[derive(Debug)]
pub struct Workplace {
    dir: TempDir,
    target: Target,
    transcript: String,
}

impl Workplace {
    /// `bailiwick` is the script that the command of this name runs.
    ///
    /// # Panics
    /// When it cannot be made.
    #[must_use]
    pub fn new(target: Target, bailiwick: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        for folder in ["work", "home/.ssh", "bin"] {
            fs::create_dir_all(at(folder)).unwrap();
        }
        crate::gate::program(&at("bin/bailiwick"), bailiwick).unwrap();
        let (address, key) = (target.address, at("home/.ssh/id_ed25519"));
        fs::copy(&target.key, &key).unwrap();
        let known = format!("[{}]:{} {}\n", address.ip(), address.port(), target.host_key);
        fs::write(at("home/.ssh/known_hosts"), known).unwrap();
        let config = format!(
            "Host web01\n  HostName {}\n  Port {}\n  User {}\n  IdentityFile {}\n  UserKnownHostsFile {}\n",
            address.ip(),
            address.port(),
            target.user,
            key.display(),
            at("home/.ssh/known_hosts").display()
        );
        fs::write(at("home/.ssh/config"), config).unwrap();
        Self { dir, target, transcript: String::new() }
    }

    /// Where the commands run.
    #[must_use]
    pub fn work(&self) -> PathBuf {
        self.dir.path().join("work")
    }

    /// All commands so far, with what they printed.
    #[must_use]
    pub fn transcript(&self) -> &str {
        &self.transcript
    }

    /// Runs a command line in the directory. Its exit code must be one of these.
    ///
    /// # Panics
    /// When it is not.
    pub fn run(&mut self, command: &str, codes: &[i32]) -> String {
        let mut shell = Command::new("bash");
        shell.args(["-c", command]);
        self.finish(shell, "", command, codes)
    }

    /// Runs a command line at a terminal of its own, and types a line there. It must succeed.
    ///
    /// # Panics
    /// When it does not.
    pub fn run_at_a_terminal(&mut self, command: &str, typed: &str) -> String {
        let mut script = Command::new("script"); // part of every Debian (bsdutils)
        script.args(["--quiet", "--return", "--flush", "--command", command, "/dev/null"]).env("TERM", "dumb");
        self.finish(script, &format!("{typed}\n"), command, &[0])
    }

    fn finish(&mut self, mut shell: Command, typed: &str, command: &str, codes: &[i32]) -> String {
        let path = format!("{}:{}", self.dir.path().join("bin").display(), std::env::var("PATH").unwrap());
        let home = std::env::var("HOME").unwrap();
        let kept = |name: &str, folder: &str| std::env::var(name).unwrap_or_else(|_| format!("{home}/{folder}"));
        let mut child = shell
            .current_dir(self.work())
            .env("PATH", path)
            .env("HOME", self.dir.path().join("home"))
            .env("CARGO_HOME", kept("CARGO_HOME", ".cargo"))
            .env("RUSTUP_HOME", kept("RUSTUP_HOME", ".rustup"))
            .env("CARGO_TARGET_DIR", checkout().join("target/toolchains/rust"))
            .env_remove("BAILIWICK_DIR")
            .env_remove("BAILIWICK_STATE")
            .env_remove("XDG_CONFIG_HOME")
            .env_remove("XDG_STATE_HOME")
            .stdin(if typed.is_empty() { Stdio::null() } else { Stdio::piped() })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // The terminal stays open until the command has ended.
        let mut input = child.stdin.take();
        if let Some(input) = &mut input {
            input.write_all(typed.as_bytes()).unwrap();
            input.flush().unwrap();
        }
        let output = child.wait_with_output().unwrap();
        drop(input);
        let printed = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        writeln!(self.transcript, "$ {command}\n{printed}").unwrap();
        let code = output.status.code().unwrap();
        assert!(codes.contains(&code), "`{command}` ended with {code}, not one of {codes:?}\n\n{}", self.transcript);
        printed
    }

    /// Writes the files of a block, or runs its command.
    ///
    /// # Panics
    /// When that does not work.
    pub fn follow(&mut self, block: &Block) {
        match block {
            Block::File { name, text, add, .. } => self.write(name, text, *add),
            Block::Command { line, .. } => self.command(line),
        }
    }

    fn command(&mut self, line: &str) {
        match line {
            // The built program stands for what these two build; the first runs where no fleet.toml is.
            "cargo run --release -- check" => {
                let printed = self.run("bailiwick check", &[0, 1, 4]);
                assert!(printed.contains("1 target: "), "{printed}");
            }
            "cargo install --locked --path host/bailiwick" => {
                let manifest = fs::read_to_string(checkout().join("host/bailiwick/Cargo.toml")).unwrap();
                assert!(manifest.contains("[[bin]]\nname = \"bailiwick\""), "{manifest}");
            }
            // The command that runs this test.
            "tests/run" => assert!(checkout().join("tests/run").exists()),
            // Without a terminal it prints the command that accepts what it printed, and waits.
            "bailiwick add dump-age.wasm" => {
                let printed = self.run(line, &[8]);
                let digest = printed.split("--accept ").nth(1).and_then(|rest| rest.split_whitespace().next());
                let digest = digest.unwrap_or_else(|| panic!("{printed}"));
                self.run(&format!("{line} --why README --accept {digest}"), &[0]);
            }
            // What the target has is not this test's affair; that it was checked is.
            line if line.starts_with("bailiwick check") => {
                let printed = self.run(line, &[0, 1]);
                assert!(printed.contains("web01"), "{printed}");
            }
            line => drop(self.run(line, &[0])),
        }
    }

    /// A file of the page, with this target's lines in the place of the page's.
    fn write(&self, name: &str, text: &str, add: bool) {
        let Target { address, user, host_key, .. } = &self.target;
        let text = text
            .replace("address = \"192.0.2.11\"", &format!("address = \"{}\"", address.ip()))
            .replace("port = 22", &format!("port = {}", address.port()))
            .replace("user = \"bw-read\"", &format!("user = \"{user}\""))
            .replacen("ssh-ed25519 AAAA…", host_key, 1);
        let other = keygen("ed25519", &self.dir.path().join(format!("other-{}", name.len() + text.len()))).unwrap();
        let text = text.replace("ssh-ed25519 AAAA…", &other);
        assert!(!text.contains('…'), "README.md leaves something out that this test does not know:\n{text}");
        let path = self.work().join(name);
        let before = if add { fs::read_to_string(&path).unwrap() + "\n" } else { String::new() };
        fs::write(path, before + &text).unwrap();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_and_files_are_found_in_order() {
        let page = "# T\n## One\n```console\n$ a b   # why\noutput\n$ c\n```\n```toml\n# x.toml\nk = 1\n# note\n\n# add to y.toml\nz = 2\n```\n";
        let section = "One".to_owned();
        let command = |line: &str| Block::Command { section: section.clone(), line: line.to_owned() };
        let file = |name: &str, text: &str, add| Block::File {
            section: section.clone(),
            name: name.to_owned(),
            text: text.to_owned(),
            add,
        };
        let expected =
            [command("a b"), command("c"), file("x.toml", "k = 1\n# note\n\n", false), file("y.toml", "z = 2\n", true)];
        assert_eq!(blocks(page), expected);
    }

    #[test]
    fn every_command_that_the_readme_shows_is_found() {
        let page = page();
        let commands = blocks(&page).iter().filter(|block| matches!(block, Block::Command { .. })).count();
        assert_eq!(commands, commands_shown(&page), "a command of README.md is not in a `console` block");
    }
}
