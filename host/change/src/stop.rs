//! The kill switch: one file in the state directory, which every account may touch that can write there.
//!
//! Knows: the file. Must not know: what it stops. Attacks answered: a switch that counts as off because it cannot be read (CH15, D25):
//! a file that is not a valid "off" is on; and a switch that goes on and off between two readings: it has a counter.

use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use bailiwick_core::durable;

/// The kill switch of a state directory.
#[derive(Debug, Clone)]
pub struct Stop {
    file: PathBuf,
}

/// The position of the kill switch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Switch {
    /// Changes are allowed.
    Off {
        /// How often it has been used.
        epoch: u64,
    },
    /// All changes are stopped.
    On {
        /// How often it has been used, if the file has that.
        epoch: Option<u64>,
        /// The reason, if the file has one.
        why: String,
    },
}

/// Why the kill switch was not set.
#[derive(Debug, thiserror::Error)]
#[error("the file of the kill switch is not writable")]
pub struct StopError(#[from] std::io::Error);

/// The first word of the file while changes are allowed. The counter follows it.
const OFF: &str = "off";
const ON: &str = "on";
/// Maximum size that is read.
const BYTES_MAX: u64 = 4096;

impl Stop {
    /// The switch of a state directory.
    #[must_use]
    pub fn at(state: &Path) -> Self {
        Self { file: state.join("stop") }
    }

    /// The file. `touch` on it stops all changes.
    #[must_use]
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Its position now. A missing file in an existing directory is off; anything that is not readable is on.
    #[must_use]
    pub fn read(&self) -> Switch {
        let on = |why: String| Switch::On { epoch: None, why };
        let folder = self.file.parent().map(std::fs::metadata);
        if !folder.is_some_and(|meta| meta.is_ok_and(|meta| meta.is_dir())) {
            return on("the directory of the kill switch is missing".to_owned());
        }
        let text = match read(&self.file) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Switch::Off { epoch: 0 },
            Err(error) => return on(format!("the kill switch is not readable: {}", error.kind())),
        };
        let mut words = text.splitn(3, ' ');
        let (word, epoch) = (words.next().map(str::trim), words.next().map(str::trim));
        match (word, epoch.and_then(|epoch| epoch.parse().ok())) {
            (Some(OFF), Some(epoch)) => Switch::Off { epoch },
            (Some(ON), Some(epoch)) => {
                Switch::On { epoch: Some(epoch), why: words.next().unwrap_or_default().trim().to_owned() }
            }
            _ => on("the file was put there by hand".to_owned()),
        }
    }

    /// Stops all changes. True if they were not stopped before.
    ///
    /// # Errors
    /// When the file is not writable.
    pub fn engage(&self, why: &str, known: u64) -> Result<(u64, bool), StopError> {
        // A new state directory does not exist yet; that does not count as a switch that is on.
        if let Some(folder) = self.file.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let (epoch, fresh) = match self.read() {
            Switch::Off { epoch } => (epoch.max(known) + 1, true),
            Switch::On { epoch, .. } => (epoch.unwrap_or(known).max(known), false),
        };
        self.write(&format!("{ON} {epoch} {why}\n"))?;
        Ok((epoch, fresh))
    }

    /// Allows changes again.
    ///
    /// # Errors
    /// When the file is not writable.
    pub fn resume(&self, known: u64) -> Result<u64, StopError> {
        let epoch = match self.read() {
            Switch::Off { epoch } | Switch::On { epoch: Some(epoch), .. } => epoch.max(known),
            // Put there by hand: that counts as one use.
            Switch::On { epoch: None, .. } => known + 1,
        };
        self.write(&format!("{OFF} {epoch}\n"))?;
        Ok(epoch)
    }

    fn write(&self, text: &str) -> Result<(), StopError> {
        if let Some(folder) = self.file.parent() {
            std::fs::create_dir_all(folder)?;
        }
        durable::replace(&self.file, 0o600, text.as_bytes()).map_err(std::io::Error::from)?;
        Ok(())
    }
}

/// The beginning of a regular file. A FIFO in its place does not block.
fn read(path: &Path) -> std::io::Result<String> {
    use std::io::Read as _;
    let flags = rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOFOLLOW;
    let flags = i32::try_from(flags.bits()).unwrap_or_default();
    let file = std::fs::File::options().read(true).custom_flags(flags).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(std::io::Error::other("not a regular file"));
    }
    let mut text = String::new();
    file.take(BYTES_MAX).read_to_string(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ch15_a_switch_that_is_not_readable_is_on() {
        let folder = tempfile::tempdir().unwrap();
        let stop = Stop::at(folder.path());
        assert_eq!(stop.read(), Switch::Off { epoch: 0 });
        let on = |what: &str| {
            assert!(matches!(stop.read(), Switch::On { .. }), "{what}: {:?}", stop.read());
        };
        for (what, bytes) in [("touched", &b""[..]), ("no word", b"hm"), ("cut", b"off"), ("not UTF-8", b"off \xff")] {
            std::fs::write(stop.file(), bytes).unwrap();
            on(what);
        }
        std::fs::remove_file(stop.file()).unwrap();
        std::fs::create_dir(stop.file()).unwrap();
        on("a folder");
        std::fs::remove_dir(stop.file()).unwrap();
        std::os::unix::fs::symlink("/dev/null", stop.file()).unwrap();
        on("a link");
        assert!(matches!(Stop::at(&folder.path().join("gone")).read(), Switch::On { .. }));
    }

    #[test]
    fn ch15_a_switch_that_went_on_and_off_has_counted() {
        let folder = tempfile::tempdir().unwrap();
        let stop = Stop::at(folder.path());
        assert_eq!(stop.engage("fire", 0).unwrap(), (1, true));
        assert_eq!(stop.engage("fire", 0).unwrap(), (1, false));
        assert_eq!(stop.read(), Switch::On { epoch: Some(1), why: "fire".to_owned() });
        assert_eq!(stop.resume(0).unwrap(), 1);
        assert_eq!(stop.read(), Switch::Off { epoch: 1 }, "not what it was before");
        std::fs::write(stop.file(), "").unwrap();
        assert_eq!(stop.resume(1).unwrap(), 2, "touched by hand counts too");
    }
}
