//! The kill switch: one file in the state folder, which anybody may touch who can write there.
//!
//! Knows: the file. Must not know: what is stopped by it. Attacks answered: a switch that is off because nobody could look at it
//! (CH15, D25): whatever is there and is no good "off" is on; and one that is put on and off while nobody looks: it counts.

use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use bailiwick_core::durable;

/// Where the switch is.
#[derive(Debug, Clone)]
pub struct Stop {
    file: PathBuf,
}

/// What it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Switch {
    /// Nothing is stopped. How often it has been used.
    Off {
        /// How often.
        epoch: u64,
    },
    /// Nothing changes.
    On {
        /// How often it has been used; none if it does not say.
        epoch: Option<u64>,
        /// Why, as far as it says.
        why: String,
    },
}

/// It cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the kill switch cannot be written")]
pub struct StopError(#[from] std::io::Error);

/// The first word of a file that says that nothing is stopped; behind it stands how often it was used.
const OFF: &str = "off";
const ON: &str = "on";
/// The most that is read of it.
const BYTES_MAX: u64 = 4096;

impl Stop {
    /// The switch of a state folder.
    #[must_use]
    pub fn at(state: &Path) -> Self {
        Self { file: state.join("stop") }
    }

    /// The file: `touch` it, and everything stops.
    #[must_use]
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// What it says now. No file is off, in a folder that is there; anything that cannot be read is on.
    #[must_use]
    pub fn read(&self) -> Switch {
        let on = |why: String| Switch::On { epoch: None, why };
        let folder = self.file.parent().map(std::fs::metadata);
        if !folder.is_some_and(|meta| meta.is_ok_and(|meta| meta.is_dir())) {
            return on("the folder of the kill switch is not there".to_owned());
        }
        let text = match read(&self.file) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Switch::Off { epoch: 0 },
            Err(error) => return on(format!("the kill switch cannot be read: {}", error.kind())),
        };
        let mut words = text.splitn(3, ' ');
        let (word, epoch) = (words.next().map(str::trim), words.next().map(str::trim));
        match (word, epoch.and_then(|epoch| epoch.parse().ok())) {
            (Some(OFF), Some(epoch)) => Switch::Off { epoch },
            (Some(ON), Some(epoch)) => {
                Switch::On { epoch: Some(epoch), why: words.next().unwrap_or_default().trim().to_owned() }
            }
            _ => on("somebody has put it there by hand".to_owned()),
        }
    }

    /// Stops everything. True if it was not stopped before.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn engage(&self, why: &str, known: u64) -> Result<(u64, bool), StopError> {
        // Where nothing was ever kept, there is no folder yet: that is not what somebody has put on.
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

    /// Lets changes happen again.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn resume(&self, known: u64) -> Result<u64, StopError> {
        let epoch = match self.read() {
            Switch::Off { epoch } | Switch::On { epoch: Some(epoch), .. } => epoch.max(known),
            // By hand: that was once.
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

/// A regular file's beginning. A FIFO in its place does not hold us up.
fn read(path: &Path) -> std::io::Result<String> {
    use std::io::Read as _;
    let flags = rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOFOLLOW;
    let flags = i32::try_from(flags.bits()).unwrap_or_default();
    let file = std::fs::File::options().read(true).custom_flags(flags).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(std::io::Error::other("no regular file"));
    }
    let mut text = String::new();
    file.take(BYTES_MAX).read_to_string(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ch15_whatever_cannot_be_read_is_on() {
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
    fn ch15_a_flap_is_seen() {
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
