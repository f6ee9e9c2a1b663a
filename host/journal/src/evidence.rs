//! Answers of targets, and components, by the SHA-256 of their bytes: a private folder beside the journal.
//!
//! Knows: bytes, digests, files. Must not know: entries. Attacks answered: evidence that is missing, cut, altered or
//! exchanged (each is reported as such, by its digest), a file that unpacks to more than it was (LK01), and a path in place of a
//! digest in a journal (JR11, FS16). One file is one zstd frame; the same bytes are stored once.
//!
//! **Invariant:** a file gets its name when all of it is on the disk, so that a process that is killed leaves a whole file or
//! none. [`Evidence::put`] returns when the name is on the disk as well, before an entry names it.

use std::borrow::Cow;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use data_encoding::HEXLOWER;
use rustix::fs::OFlags;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::chain::is_hash;
use super::entry::Blob;
use bailiwick_core::durable::{self, Staged};
use bailiwick_core::encode::ShownPath as _;
use bailiwick_core::limits::ANSWER_BYTES;

/// The folder's name.
pub const FOLDER: &str = "evidence";
/// The prefix of a file that is not complete.
const NEW: &str = "new-";
/// A low level: answers are tables of text, and on a local check the target shares the processor.
const LEVEL: i32 = 3;
/// Maximum memory for unpacking, as a power of two: what [`LEVEL`] uses for the largest component.
const WINDOW_LOG: u32 = 23;

/// SHA-256 of some bytes: 64 lower-case hex digits and nothing else, so that it can be a file name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Sha(String);

/// A text that is not a SHA-256.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a SHA-256 (64 lower-case hex digits)")]
pub struct NotASha;

/// The folder of the evidence.
#[derive(Debug, Clone)]
pub struct Evidence {
    folder: PathBuf,
}

/// One file of the folder.
#[derive(Debug, Clone)]
pub struct Piece {
    /// The digest of its content. None for an incomplete file of a process that was killed.
    pub sha: Option<Sha>,
    /// Its size on the disk, in bytes.
    pub stored: u64,
    /// When it was written, in seconds since 1970.
    pub written_s: i64,
    path: PathBuf,
}

/// Why evidence does not match its entry, or cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum EvidenceError {
    /// The file does not exist.
    #[error("evidence {0} is missing")]
    Missing(Sha),
    /// The file ends too early.
    #[error("evidence {0} is cut")]
    Cut(Sha),
    /// The file has another content.
    #[error("evidence {0} was altered")]
    Altered(Sha),
    /// The file unpacks to more bytes than were recorded.
    #[error("evidence {sha} unpacks to more than the {bytes} bytes that were recorded")]
    TooLarge {
        /// The digest.
        sha: Sha,
        /// The number of bytes that were recorded.
        bytes: u64,
    },
    /// The operating system reported an error.
    #[error("cannot {action} {}", path.shown())]
    Io {
        /// The operation.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The error.
        source: io::Error,
    },
}

impl Sha {
    /// The SHA-256 of some bytes.
    #[must_use]
    pub fn digest(bytes: &[u8]) -> Self {
        Self(HEXLOWER.encode(&Sha256::digest(bytes)))
    }

    /// As hex digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Sha {
    type Error = NotASha;
    fn try_from(text: String) -> Result<Self, NotASha> {
        if is_hash(&text) { Ok(Self(text)) } else { Err(NotASha) }
    }
}

impl From<Sha> for String {
    fn from(sha: Sha) -> Self {
        sha.0
    }
}

impl std::fmt::Display for Sha {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&self.0)
    }
}

impl Evidence {
    /// The evidence of the journal in `folder`. The folder of the evidence is created when something is stored.
    #[must_use]
    pub fn beside(folder: &Path) -> Self {
        Self { folder: folder.join(FOLDER) }
    }

    /// Stores some bytes. They are on the disk when this returns. The same bytes are stored once.
    ///
    /// # Errors
    /// They cannot be written.
    pub fn put(&self, bytes: &[u8]) -> Result<Sha, EvidenceError> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let sha = Sha::digest(bytes);
        let path = self.path(&sha);
        let io = |action, path: &Path| {
            let path = path.to_owned();
            move |source| EvidenceError::Io { action, path, source }
        };
        if self.get(&sha, bytes.len() as u64).is_ok() {
            // The process that stored it waited for the disk before the file had its name.
            return Ok(sha);
        }
        let folder = path.parent().unwrap_or(&self.folder);
        durable::create_folder(folder, 0o700).map_err(|error| io("create", folder)(error.into()))?;
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        // In the top folder, where retention finds the file of a process that was killed.
        let temporary = self.folder.join(format!("{NEW}{}-{count}", std::process::id()));
        let packed = zstd::bulk::compress(bytes, LEVEL).map_err(io("write", &path))?;
        let written = Staged::write_as(temporary, &path, 0o600, &[&packed]).and_then(Staged::replace);
        written.map_err(|error| io("write", &path)(error.into()))?;
        Ok(sha)
    }

    /// The bytes of a digest, at most `bytes_max`.
    ///
    /// # Errors
    /// They are missing, or do not match the digest.
    pub fn get(&self, sha: &Sha, bytes_max: u64) -> Result<Vec<u8>, EvidenceError> {
        let path = self.path(sha);
        let flags = i32::try_from((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits()).unwrap_or_default();
        let opened = OpenOptions::new().read(true).custom_flags(flags).open(&path);
        let file = match opened {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(EvidenceError::Missing(sha.clone())),
            // We never write a link.
            Err(error) if error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()) => {
                return Err(EvidenceError::Altered(sha.clone()));
            }
            Err(source) => return Err(EvidenceError::Io { action: "read", path, source }),
        };
        if !file.metadata().is_ok_and(|meta| meta.is_file()) {
            return Err(EvidenceError::Altered(sha.clone()));
        }
        let bytes = unpack(&file, bytes_max).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => EvidenceError::Cut(sha.clone()),
            // zstd's own errors are of this kind: damaged data, another format, a window that is too large.
            io::ErrorKind::Other => EvidenceError::Altered(sha.clone()),
            _ => EvidenceError::Io { action: "read", path: path.clone(), source: error },
        })?;
        if bytes.len() as u64 > bytes_max {
            return Err(EvidenceError::TooLarge { sha: sha.clone(), bytes: bytes_max });
        }
        if Sha::digest(&bytes) == *sha { Ok(bytes) } else { Err(EvidenceError::Altered(sha.clone())) }
    }

    /// The bytes of an entry's answer.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub fn read<'b>(&self, blob: &'b Blob) -> Result<Cow<'b, [u8]>, EvidenceError> {
        match blob {
            Blob::Inline(bytes) => Ok(Cow::Borrowed(bytes)),
            Blob::Evidence { sha256, bytes } => {
                // The chain covers the number of bytes, but a journal of another party may name more than an answer can have.
                let stored = self.get(sha256, (*bytes).min(ANSWER_BYTES))?;
                if stored.len() as u64 == *bytes {
                    Ok(Cow::Owned(stored))
                } else {
                    Err(EvidenceError::Altered(sha256.clone()))
                }
            }
        }
    }

    /// True if a file with this name exists, whatever its content.
    #[must_use]
    pub fn has(&self, sha: &Sha) -> bool {
        fs::symlink_metadata(self.path(sha)).is_ok()
    }

    /// Every file of evidence. Files with other names are left alone.
    ///
    /// # Errors
    /// The folder cannot be read. A folder that does not exist has no files.
    pub fn pieces(&self) -> Result<Vec<Piece>, EvidenceError> {
        let mut pieces = Vec::new();
        for (path, meta) in list(&self.folder)? {
            let name = name_of(&path);
            if meta.is_dir() && name.len() == 2 {
                for (path, meta) in list(&path)? {
                    let stem = name_of(&path).strip_suffix(".zst").map(str::to_owned);
                    let sha = stem.and_then(|stem| Sha::try_from(stem).ok()).filter(|sha| self.path(sha) == path);
                    if sha.is_some() && !meta.is_dir() {
                        pieces.push(Piece { sha, stored: meta.len(), written_s: meta.mtime(), path });
                    }
                }
            } else if meta.is_file() && name.starts_with(NEW) {
                pieces.push(Piece { sha: None, stored: meta.len(), written_s: meta.mtime(), path });
            }
        }
        pieces.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(pieces)
    }

    /// Removes a file. It is not an error if the file does not exist.
    ///
    /// # Errors
    /// The file cannot be removed.
    pub fn remove(&self, piece: &Piece) -> Result<(), EvidenceError> {
        match fs::remove_file(&piece.path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                Err(EvidenceError::Io { action: "remove", path: piece.path.clone(), source })
            }
            _ => Ok(()),
        }
    }

    fn path(&self, sha: &Sha) -> PathBuf {
        let start = sha.as_str().get(..2).unwrap_or_default();
        self.folder.join(start).join(format!("{sha}.zst"))
    }
}

/// Unpacks one frame with nothing after it, to at most one byte more than `bytes_max`.
fn unpack(file: &File, bytes_max: u64) -> io::Result<Vec<u8>> {
    let mut frame = zstd::stream::read::Decoder::new(file)?.single_frame();
    frame.window_log_max(WINDOW_LOG)?;
    let mut bytes = Vec::new();
    (&mut frame).take(bytes_max.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 <= bytes_max {
        let mut rest = frame.finish();
        if !rest.buffer().is_empty() || rest.read(&mut [0])? > 0 {
            return Err(io::Error::other("there are bytes after the frame"));
        }
    }
    Ok(bytes)
}

fn list(folder: &Path) -> Result<Vec<(PathBuf, Metadata)>, EvidenceError> {
    let io = |source| EvidenceError::Io { action: "list", path: folder.to_owned(), source };
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(io(error)),
    };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.map_err(io)?.path();
        let meta = fs::symlink_metadata(&path).map_err(io)?;
        files.push((path, meta));
    }
    Ok(files)
}

fn name_of(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn kept(bytes: &[u8]) -> (tempfile::TempDir, Evidence, Sha, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let evidence = Evidence::beside(folder.path());
        let sha = evidence.put(bytes).unwrap();
        let path = evidence.path(&sha);
        (folder, evidence, sha, path)
    }

    #[test]
    fn jr07_stored_bytes_can_be_read_and_are_stored_once() {
        let text = "Filesystem 1024-blocks Used Available\n".repeat(500);
        let (_folder, evidence, sha, path) = kept(text.as_bytes());
        assert_eq!(evidence.get(&sha, text.len() as u64).unwrap(), text.as_bytes());
        let first = fs::metadata(&path).unwrap();
        assert!(first.len() * 20 < text.len() as u64 && first.mode() & 0o777 == 0o600);
        assert_eq!(evidence.put(text.as_bytes()).unwrap(), sha);
        assert_eq!(fs::metadata(&path).unwrap().ino(), first.ino(), "written once");
        assert_eq!(evidence.pieces().unwrap().len(), 1);
    }

    #[test]
    fn jr01_every_flipped_bit_and_every_cut_is_reported() {
        let (_folder, evidence, sha, path) = kept(b"one two three four one two three four one two three");
        let whole = fs::read(&path).unwrap();
        for at in 0..whole.len() {
            for bit in 0..8 {
                let mut edited = whole.clone();
                edited[at] ^= 1 << bit;
                fs::write(&path, &edited).unwrap();
                // A flag of the frame's header that is not used may change nothing; then the bytes are the same.
                if let Ok(bytes) = evidence.get(&sha, 51) {
                    assert_eq!(Sha::digest(&bytes), sha, "byte {at}, bit {bit}");
                }
            }
            fs::write(&path, &whole[..at]).unwrap();
            assert!(matches!(evidence.get(&sha, 51), Err(EvidenceError::Cut(_))), "cut to {at} bytes");
        }
        fs::write(&path, [&whole[..], b"x"].concat()).unwrap();
        assert!(matches!(evidence.get(&sha, 51), Err(EvidenceError::Altered(_))), "longer");
        fs::write(&path, zstd::bulk::compress(b"another answer", LEVEL).unwrap()).unwrap();
        assert!(matches!(evidence.get(&sha, 51), Err(EvidenceError::Altered(_))), "exchanged");
        fs::remove_file(&path).unwrap();
        assert!(matches!(evidence.get(&sha, 51), Err(EvidenceError::Missing(_))));
        std::os::unix::fs::symlink("/etc/hostname", &path).unwrap();
        assert!(matches!(evidence.get(&sha, 51), Err(EvidenceError::Altered(_))), "a link");
        // A damaged file is written again when the same answer comes again.
        evidence.put(b"one two three four one two three four one two three").unwrap();
        assert!(evidence.get(&sha, 51).is_ok());
    }

    #[test]
    fn lk01_a_bomb_is_not_unpacked() {
        let (_folder, evidence, sha, path) = kept(b"small");
        fs::write(&path, zstd::bulk::compress(&vec![0; 64 << 20], LEVEL).unwrap()).unwrap();
        assert!(matches!(evidence.get(&sha, 5), Err(EvidenceError::TooLarge { bytes: 5, .. })));
        // A frame that asks for a window of its own size.
        let mut large = zstd::stream::write::Encoder::new(Vec::new(), LEVEL).unwrap();
        large.window_log(27).unwrap();
        large.write_all(&vec![7; 1 << 20]).unwrap();
        fs::write(&path, large.finish().unwrap()).unwrap();
        assert!(matches!(evidence.get(&sha, 5), Err(EvidenceError::Altered(_))));
    }

    #[test]
    fn jr11_a_digest_is_no_path() {
        for text in ["../../etc/passwd", "", &"A".repeat(64), &"a".repeat(63), &format!("{}/", "a".repeat(63))] {
            assert_eq!(Sha::try_from((*text).to_owned()), Err(NotASha), "{text}");
        }
    }
}
