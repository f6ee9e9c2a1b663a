//! Every command of README.md, in order, in one clean directory, with a real sshd as the target `web01`.
//!
//! Knows: the page's blocks: commands in `console`, files in `toml` under a comment with their name. The section "A fix" needs a
//! target with systemd and root on it: the lab runs it (`tests/tests/lab/readme.rs`).

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use bailiwick_tests::readme::{Block, blocks};
use bailiwick_tests::sshd::{Sshd, keygen, user};

use crate::PROGRAM;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// A directory without anything, a home with one SSH key and one known host, and the program on the path.
struct Place {
    dir: tempfile::TempDir,
    sshd: Sshd,
    transcript: String,
}

impl Place {
    fn new() -> Self {
        let (dir, sshd) = (tempfile::tempdir().unwrap(), Sshd::plain().unwrap());
        let at = |name: &str| dir.path().join(name);
        for folder in ["work", "home/.ssh", "bin"] {
            fs::create_dir_all(at(folder)).unwrap();
        }
        std::os::unix::fs::symlink(PROGRAM, at("bin/bailiwick")).unwrap();
        let (address, key) = (sshd.address(), at("home/.ssh/id_ed25519"));
        fs::copy(sshd.user_key(), &key).unwrap();
        let host_key = sshd.host_key("ed25519").unwrap();
        let known = format!("[{}]:{} {host_key}\n", address.ip(), address.port());
        fs::write(at("home/.ssh/known_hosts"), known).unwrap();
        let config = format!(
            "Host web01\n  HostName {}\n  Port {}\n  User {}\n  IdentityFile {}\n  UserKnownHostsFile {}\n",
            address.ip(),
            address.port(),
            user().unwrap(),
            key.display(),
            at("home/.ssh/known_hosts").display()
        );
        fs::write(at("home/.ssh/config"), config).unwrap();
        Self { dir, sshd, transcript: String::new() }
    }

    fn work(&self) -> PathBuf {
        self.dir.path().join("work")
    }

    /// Runs a command line in the directory. Its exit code must be one of these.
    fn run(&mut self, command: &str, codes: &[i32]) -> String {
        let path = format!("{}:{}", self.dir.path().join("bin").display(), std::env::var("PATH").unwrap());
        let output = Command::new("bash")
            .args(["-c", command])
            .current_dir(self.work())
            .env("PATH", path)
            .env("HOME", self.dir.path().join("home"))
            .env(
                "CARGO_HOME",
                std::env::var("CARGO_HOME").unwrap_or(format!("{}/.cargo", std::env::var("HOME").unwrap())),
            )
            .env(
                "RUSTUP_HOME",
                std::env::var("RUSTUP_HOME").unwrap_or(format!("{}/.rustup", std::env::var("HOME").unwrap())),
            )
            .env("CARGO_TARGET_DIR", root().join("target/toolchains/rust"))
            .env_remove("BAILIWICK_DIR")
            .env_remove("BAILIWICK_STATE")
            .env_remove("XDG_CONFIG_HOME")
            .env_remove("XDG_STATE_HOME")
            .stdin(std::process::Stdio::null())
            .output()
            .unwrap();
        let printed = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        writeln!(self.transcript, "$ {command}\n{printed}").unwrap();
        let code = output.status.code().unwrap();
        assert!(codes.contains(&code), "`{command}` ended with {code}, not one of {codes:?}\n\n{}", self.transcript);
        printed
    }

    /// The files of a block, with this test's target in the place of the page's.
    fn write(&self, name: &str, text: &str, add: bool) {
        let address = self.sshd.address();
        let text = text
            .replace("address = \"192.0.2.11\"", &format!("address = \"{}\"", address.ip()))
            .replace("port = 22", &format!("port = {}", address.port()))
            .replace("user = \"bw-read\"", &format!("user = \"{}\"", user().unwrap()))
            .replacen("ssh-ed25519 AAAA…", self.sshd.host_key("ed25519").unwrap(), 1);
        let other = keygen("ed25519", &self.dir.path().join(format!("other-{}", name.len() + text.len()))).unwrap();
        let text = text.replace("ssh-ed25519 AAAA…", &other);
        assert!(!text.contains('…'), "README.md leaves something out that this test does not know:\n{text}");
        let path = self.work().join(name);
        let before = if add { fs::read_to_string(&path).unwrap() + "\n" } else { String::new() };
        fs::write(path, before + &text).unwrap();
    }
}

#[test]
fn every_command_of_the_readme_works_in_order() {
    let page = fs::read_to_string(root().join("README.md")).unwrap();
    let mut place = Place::new();
    let (mut commands, mut fix) = (0, 0);
    for block in blocks(&page) {
        match block {
            Block::File { section, .. } | Block::Command { section, .. } if section == "A fix" => fix += 1,
            Block::File { name, text, add, .. } => place.write(&name, &text, add),
            Block::Command { line, .. } => {
                commands += 1;
                match line.as_str() {
                    // The built program stands for what these two build; the first runs where no fleet.toml is.
                    "cargo run --release -- check" => {
                        let printed = place.run("bailiwick check", &[0, 1, 4]);
                        assert!(printed.contains("1 target: "), "{printed}");
                    }
                    "cargo install --locked --path host/bailiwick" => {
                        let manifest = fs::read_to_string(root().join("host/bailiwick/Cargo.toml")).unwrap();
                        assert!(manifest.contains("[[bin]]\nname = \"bailiwick\""), "{manifest}");
                    }
                    // The command that runs this test.
                    "tests/run" => assert!(root().join("tests/run").exists()),
                    // Without a terminal it prints the command that accepts what it printed, and waits.
                    "bailiwick add dump-age.wasm" => {
                        let printed = place.run(&line, &[8]);
                        let digest = printed.split("--accept ").nth(1).and_then(|rest| rest.split_whitespace().next());
                        let digest = digest.unwrap_or_else(|| panic!("{printed}"));
                        place.run(&format!("{line} --why README --accept {digest}"), &[0]);
                    }
                    // The findings of the target do not matter here; it has to be checked.
                    line if line.starts_with("bailiwick check") => {
                        let printed = place.run(line, &[0, 1]);
                        assert!(printed.contains("web01"), "{printed}");
                    }
                    line => drop(place.run(line, &[0])),
                }
            }
        }
    }
    assert!(commands > 15 && fix > 5, "{commands} commands and {fix} parts of a fix were found in README.md");
}
