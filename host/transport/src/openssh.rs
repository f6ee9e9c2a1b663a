//! OpenSSH's own client tools, for `fleet import` only. They contact no target, and no other command runs them.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use bailiwick_core::fleet::import::Openssh;

/// The tools on this machine's search path, and the files in this home directory.
#[derive(Debug)]
pub struct Installed {
    /// The directory that `~/` means.
    pub home: PathBuf,
}

impl Installed {
    fn expand(&self, path: &Path) -> PathBuf {
        path.strip_prefix("~").map_or_else(|_| path.to_owned(), |rest| self.home.join(rest))
    }
}

impl Openssh for Installed {
    fn effective(&self, config: &Path, host: &str) -> io::Result<String> {
        let mut ssh = Command::new("ssh");
        ssh.arg("-G").arg("-F").arg(self.expand(config)).arg("--").arg(host);
        let (success, text) = run(ssh)?;
        if success { Ok(text) } else { Err(io::Error::other("ssh -G failed")) }
    }

    fn known(&self, file: &Path, name: &str) -> io::Result<String> {
        let mut keygen = Command::new("ssh-keygen");
        keygen.arg("-F").arg(name).arg("-f").arg(self.expand(file));
        // Exit code 1 means "not found", 255 "no such file": in both cases there are no keys.
        let (success, text) = run(keygen)?;
        Ok(if success { text } else { String::new() })
    }

    fn read(&self, file: &Path) -> io::Result<String> {
        std::fs::read_to_string(self.expand(file))
    }

    /// As `ssh` reads it, relative to `~/.ssh`. `*` is supported in the last part of the path, where people write it.
    fn include(&self, pattern: &str) -> Vec<PathBuf> {
        let path = self.home.join(".ssh").join(self.expand(Path::new(pattern)));
        let (Some(folder), Some(name)) = (path.parent(), path.file_name().and_then(|name| name.to_str())) else {
            return Vec::new();
        };
        let Some((before, after)) = name.split_once('*') else { return vec![path] };
        let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
        let fits = |path: &PathBuf| {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            name.len() >= before.len() + after.len() && name.starts_with(before) && name.ends_with(after)
        };
        let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).filter(fits).collect();
        files.sort();
        files
    }
}

fn run(mut command: Command) -> io::Result<(bool, String)> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output()?;
    Ok((output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned()))
}
