//! What a case must leave as it was, and secrets that must not appear.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, ensure};
use data_encoding::{BASE64, HEXLOWER};
use tempfile::TempDir;

/// A folder on the target: one file that is granted, and others that are not.
#[derive(Debug)]
pub struct Scene {
    dir: TempDir,
    canaries: Vec<(&'static str, String)>,
    before: String,
}

impl Scene {
    /// Lays it out.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn new() -> Result<Self> {
        let dir = tempfile::tempdir()?;
        // Different in each process, so that it cannot be confused with another test's.
        let secret = |what: &str| format!("canary-{what}-{}-must-not-appear", std::process::id());
        let canaries = vec![("environment", secret("env")), ("ungranted file", secret("file")), ("key", secret("key"))];
        let mut scene = Self { dir, canaries, before: String::new() };
        fs::write(scene.granted(), "what all users may read\n")?;
        fs::write(scene.dir.path().join("secret"), scene.canary("ungranted file")?)?;
        fs::set_permissions(scene.dir.path().join("secret"), Permissions::from_mode(0o600))?;
        fs::create_dir(scene.dir.path().join("below"))?;
        symlink("../secret", scene.dir.path().join("below/link"))?;
        // A round time in the past: the same in every sweep.
        let then = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        fs::File::options().append(true).open(scene.granted())?.set_modified(then)?;
        scene.before = scene.listing()?;
        Ok(scene)
    }

    /// The granted file.
    #[must_use]
    pub fn granted(&self) -> PathBuf {
        self.dir.path().join("granted")
    }

    /// A link to a file that is not granted.
    #[must_use]
    pub fn link(&self) -> PathBuf {
        self.dir.path().join("below/link")
    }

    /// A planted secret.
    ///
    /// # Errors
    /// When none has that name.
    pub fn canary(&self, name: &str) -> Result<&str> {
        let found = self.canaries.iter().find(|(known, _)| *known == name);
        found.map(|(_, text)| text.as_str()).with_context(|| format!("no canary {name}"))
    }

    /// Everything that a change would change, for each file: kind and mode, owner, times, content.
    fn listing(&self) -> Result<String> {
        let mut all = String::new();
        let mut folders = vec![self.dir.path().to_owned()];
        while let Some(folder) = folders.pop() {
            let mut entries: Vec<_> = fs::read_dir(&folder)?.collect::<Result<_, _>>()?;
            entries.sort_by_key(fs::DirEntry::file_name);
            all += &format!("{}: {}\n", folder.display(), meta(&folder)?);
            for entry in entries {
                let (path, kind) = (entry.path(), entry.file_type()?);
                if kind.is_dir() {
                    folders.push(path);
                    continue;
                }
                let content = match kind.is_symlink() {
                    true => fs::read_link(&path)?.display().to_string(),
                    false => HEXLOWER.encode(&fs::read(&path)?),
                };
                all += &format!("{}: {} {content}\n", path.display(), meta(&path)?);
            }
        }
        Ok(all)
    }

    /// # Errors
    /// When anything in the folder has changed.
    pub fn unchanged(&self) -> Result<()> {
        let now = self.listing()?;
        ensure!(now == self.before, "the target has changed\nbefore:\n{}\nnow:\n{now}", self.before);
        Ok(())
    }

    /// # Errors
    /// When a planted secret stands there, as it is or in base64 or hex.
    pub fn kept(&self, place: &str, bytes: &[u8]) -> Result<()> {
        for (name, secret) in &self.canaries {
            for spelling in spellings(secret) {
                let found = bytes.windows(spelling.len()).any(|window| window == spelling.as_bytes());
                ensure!(!found, "the {name} canary is in {place}");
            }
        }
        Ok(())
    }

    /// # Errors
    /// When a planted secret is in a file below this folder, or one cannot be read.
    pub fn kept_below(&self, folder: &Path) -> Result<()> {
        for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
            let path = entry?.path();
            if path.is_dir() {
                self.kept_below(&path)?;
            } else {
                self.kept(&path.display().to_string(), &fs::read(&path)?)?;
            }
        }
        Ok(())
    }
}

/// A text as it is, in hex, and in base64 wherever it may begin in what was encoded.
fn spellings(secret: &str) -> Vec<String> {
    let mut all = vec![secret.to_owned(), HEXLOWER.encode(secret.as_bytes())];
    for shift in 0..3 {
        let encoded = BASE64.encode(&[&vec![b'x'; shift], secret.as_bytes()].concat());
        // Without what depends on its neighbours.
        all.push(encoded.get(4..encoded.len() - 4).unwrap_or_default().to_owned());
    }
    all
}

fn meta(path: &Path) -> Result<String> {
    let meta = fs::symlink_metadata(path)?;
    Ok(format!(
        "{:o} {}:{} links {} modified {}.{:09} changed {}.{:09}",
        meta.mode(),
        meta.uid(),
        meta.gid(),
        meta.nlink(),
        meta.mtime(),
        meta.mtime_nsec(),
        meta.ctime(),
        meta.ctime_nsec()
    ))
}

/// # Errors
/// When a terminal would do more with this text than show it: a control character but the line's end, or one that hides
/// text or turns it around.
pub fn harmless(place: &str, text: &str) -> Result<()> {
    let strange = |c: char| {
        (c.is_control() && c != '\n')
            || matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
            || matches!(c, '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
    };
    for line in text.lines() {
        ensure!(!line.chars().any(strange), "{place}: {}", line.escape_debug());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_touch_a_mode_a_new_file_and_a_new_link_are_changes() -> Result<()> {
        let changes: [fn(&Path) -> Result<()>; 5] = [
            |dir| Ok(fs::write(dir.join("granted"), "what all users may READ\n")?),
            |dir| Ok(fs::set_permissions(dir.join("granted"), Permissions::from_mode(0o640))?),
            |dir| Ok(fs::write(dir.join("below/new"), "")?),
            |dir| Ok(fs::hard_link(dir.join("secret"), dir.join("below/hard"))?),
            |dir| Ok(fs::remove_file(dir.join("below/link"))?),
        ];
        for change in changes {
            let scene = Scene::new()?;
            scene.unchanged()?;
            change(scene.dir.path())?;
            ensure!(scene.unchanged().is_err(), "a change was not seen");
        }
        Ok(())
    }

    #[test]
    fn a_canary_is_found_in_any_spelling_and_anywhere() -> Result<()> {
        let scene = Scene::new()?;
        scene.kept("here", b"nothing")?;
        let secret = scene.canary("key")?;
        for before in ["", "x", "xy", "xyz"] {
            let text = format!("{before}{secret}{before}");
            for spelt in [text.clone(), HEXLOWER.encode(text.as_bytes()), BASE64.encode(text.as_bytes())] {
                ensure!(scene.kept("here", spelt.as_bytes()).is_err(), "{spelt}");
            }
        }
        let folder = tempfile::tempdir()?;
        scene.kept_below(folder.path())?;
        fs::create_dir(folder.path().join("deep"))?;
        fs::write(folder.path().join("deep/file"), secret)?;
        ensure!(scene.kept_below(folder.path()).is_err());
        Ok(())
    }

    #[test]
    fn what_a_terminal_acts_on_is_harmful() {
        assert!(harmless("x", "plain … ✔ é\n").is_ok());
        for text in
            ["\u{1b}[2J", "a\rb", "\t", "\u{7f}", "\u{9b}", "\u{202e}", "\u{2066}", "\u{200b}", "\u{e0041}", "\0"]
        {
            assert!(harmless("x", text).is_err(), "{text:?}");
        }
    }
}
