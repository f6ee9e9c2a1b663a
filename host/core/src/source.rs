//! Files that people write, and how mistakes in them are shown: file, line, caret, next step.
//!
//! Knows: text, spans, permissions. Must not know: what any file means. Attack answered: a manifest with a mistake whose text,
//! when shown, controls the terminal (TX01, TX02).

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::ops::Range;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use rustix::fs::OFlags;

use crate::encode;
use crate::encode::ShownPath as _;

/// A file and its text. Cheap to clone.
#[derive(Clone)]
pub struct Source(Arc<(String, String)>);

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Source({})", self.name())
    }
}

/// A place in a file. `review` names it, and an error underlines it.
#[derive(Clone, Debug)]
pub struct Place {
    /// The file.
    pub source: Source,
    /// The range of bytes in its text.
    pub span: Range<usize>,
}

/// A file that cannot be read, or that others could have written.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The operating system reports an error.
    #[error("cannot read {}", path.shown())]
    Io {
        /// The file.
        path: PathBuf,
        /// The reason that the operating system gives.
        source: std::io::Error,
    },
    /// Another user owns it, or a folder above it.
    #[error("{} belongs to uid {owner}, who could change what may run\n\nhint: only you and root may own an ops directory, its files and the folders above it", path.shown())]
    Owner {
        /// The file or folder.
        path: PathBuf,
        /// Its owner.
        owner: u32,
    },
    /// It is not a regular file, or it is too large for a file that a person wrote.
    #[error("{} is {what}", path.shown())]
    NotAFile {
        /// The path.
        path: PathBuf,
        /// What it is.
        what: &'static str,
    },
    /// Another user could have written it.
    #[error("{} is writable by {who} (mode {mode:04o}), who could change what may run\n\nhint: chmod go-w {}", path.shown(), path.shown())]
    Writable {
        /// The file or folder.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
        /// The group, or all users.
        who: &'static str,
    },
}

impl Source {
    /// A text that is part of the program or of a test.
    #[must_use]
    pub fn embedded(name: &str, text: &str) -> Self {
        Self(Arc::new((name.to_owned(), text.to_owned())))
    }

    /// True for a file that is part of the program, so that the operator cannot edit it.
    #[must_use]
    pub fn is_built_in(&self) -> bool {
        self.name().starts_with("built-in")
    }

    /// Reads a file that only its owner can write.
    ///
    /// # Errors
    /// When it cannot be read as UTF-8, or is group- or world-writable.
    pub fn read(path: &Path) -> Result<Self, ReadError> {
        Self::read_with(path, open_regular)
    }

    /// The same for a file that came with another author's component or project. It must not be a link: a link could lead to a
    /// file that only this user can read, and an error would print a line of it.
    ///
    /// # Errors
    /// As [`Source::read`], and when it is a link.
    pub fn read_theirs(path: &Path) -> Result<Self, ReadError> {
        Self::read_with(path, open_unlinked)
    }

    fn read_with(path: &Path, open: fn(&Path) -> Result<File, ReadError>) -> Result<Self, ReadError> {
        // Opened first, so that the target of a link is not even examined.
        let file = open(path)?;
        check_permissions(path)?;
        let io = |source| ReadError::Io { path: path.to_owned(), source };
        let mut text = String::new();
        if file.metadata().map_err(io)?.len() > BYTES_MAX {
            return Err(ReadError::NotAFile { path: path.to_owned(), what: "larger than 16 MiB" });
        }
        file.take(BYTES_MAX).read_to_string(&mut text).map_err(io)?;
        Ok(Self(Arc::new((path.shown(), text))))
    }

    /// The file's name as given.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.0
    }

    /// Its text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.0.1
    }

    /// A place in it.
    #[must_use]
    pub fn at(&self, span: Range<usize>) -> Place {
        Place { source: self.clone(), span }
    }
}

/// The maximum size of a file that a person writes. A fleet of 10,000 targets has 4 MiB.
const BYTES_MAX: u64 = 16 << 20;

/// Opens a regular file for reading. Anything else is refused at once: opening a FIFO would wait for a writer.
///
/// # Errors
/// When it cannot be opened, or is not a regular file.
pub fn open_regular(path: &Path) -> Result<File, ReadError> {
    open_as(path, OFlags::NONBLOCK)
}

/// The same for a file that must not be a link.
///
/// # Errors
/// As [`open_regular`], and when it is a link.
pub fn open_unlinked(path: &Path) -> Result<File, ReadError> {
    // The open flag decides. This only gives a better message.
    refuse_link(path)?;
    open_as(path, OFlags::NONBLOCK | OFlags::NOFOLLOW)
}

/// Refuses a name that is a link. A name that does not exist is fine.
///
/// # Errors
/// When it is a link.
pub fn refuse_link(path: &Path) -> Result<(), ReadError> {
    // The path without a trailing slash, which would make the system follow the link.
    let bare: PathBuf = path.components().collect();
    if bare.symlink_metadata().is_ok_and(|meta| meta.is_symlink()) {
        let what = "a symbolic link, which is not followed\n\nhint: replace it with the file or folder that it points to, if that is yours";
        return Err(ReadError::NotAFile { path: path.to_owned(), what });
    }
    Ok(())
}

/// True if the name exists, even as a broken link.
#[must_use]
pub fn name_exists(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

fn open_as(path: &Path, flags: OFlags) -> Result<File, ReadError> {
    let io = |source| ReadError::Io { path: path.to_owned(), source };
    let flags = i32::try_from(flags.bits()).unwrap_or_default();
    let file = File::options().read(true).custom_flags(flags).open(path).map_err(io)?;
    if file.metadata().map_err(io)?.is_file() {
        Ok(file)
    } else {
        Err(ReadError::NotAFile { path: path.to_owned(), what: "not a regular file" })
    }
}

/// Refuses a file or folder that a user other than this one and root could change. It and every folder above it, after links
/// are resolved, must belong to one of the two and be writable by no other user. In a folder with the sticky bit, such as
/// `/tmp`, other users cannot replace this user's files.
///
/// # Errors
/// When another user could, or its permissions cannot be read.
pub fn check_permissions(path: &Path) -> Result<(), ReadError> {
    let real = path.canonicalize().map_err(|source| ReadError::Io { path: path.to_owned(), source })?;
    let us = rustix::process::geteuid().as_raw();
    for (depth, place) in real.ancestors().enumerate() {
        let meta = std::fs::metadata(place).map_err(|source| ReadError::Io { path: place.to_owned(), source })?;
        // The error names the path as the caller gave it.
        let shown = if depth == 0 { path } else { place };
        if meta.uid() != us && meta.uid() != 0 {
            return Err(ReadError::Owner { path: shown.to_owned(), owner: meta.uid() });
        }
        let mode = meta.mode() & 0o7777;
        let who = match (mode & 0o002 != 0, mode & 0o020 != 0) {
            _ if depth > 0 && mode & 0o1000 != 0 => continue,
            (true, _) => "all users",
            (false, true) => "its group",
            (false, false) => continue,
        };
        return Err(ReadError::Writable { path: shown.to_owned(), mode, who });
    }
    Ok(())
}

impl Place {
    /// The line, counted from 1.
    #[must_use]
    pub fn line(&self) -> usize {
        let before = self.source.text().get(..self.span.start).unwrap_or_default();
        before.matches('\n').count() + 1
    }
}

/// `policy.toml:31`, with the file's own name and not its folder.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.source.name();
        let short = Path::new(name).file_name().and_then(|n| n.to_str()).unwrap_or(name);
        f.pad(&format!("{short}:{}", self.line()))
    }
}

/// One mistake in a file that a person wrote.
#[derive(Debug, Clone)]
pub struct Problem {
    /// The place.
    pub place: Option<Place>,
    /// What is wrong: a lower-case fragment.
    pub message: String,
    /// What to do next.
    pub hint: Option<String>,
}

impl Problem {
    /// A problem at a place.
    pub fn at(place: Place, error: impl fmt::Display) -> Self {
        Self { place: Some(place), message: error.to_string(), hint: None }
    }

    /// The same problem, with a next step.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The problem as printed, with the line and a caret.
    #[must_use]
    pub fn render(&self, colour: bool) -> String {
        let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
        let message = encode::lines(&self.message);
        let hint = self.hint.as_deref().map(encode::lines);
        let mut group = Level::ERROR.primary_title(&message);
        let mut report = Vec::new();
        let text;
        let name;
        match &self.place {
            Some(place) => {
                text = plain(place.source.text());
                name = encode::harmless(place.source.name(), usize::MAX);
                let span = clamp(&place.span, place.source.text());
                let snippet = Snippet::source(&text).path(&name).annotation(AnnotationKind::Primary.span(span));
                let mut element = group.element(snippet);
                if let Some(hint) = &hint {
                    element = element.element(Level::HELP.with_name("hint").message(hint));
                }
                report.push(element);
            }
            None => {
                group = group.clone();
                let mut element = annotate_snippets::Group::with_title(group);
                if let Some(hint) = &hint {
                    element = element.element(Level::HELP.with_name("hint").message(hint));
                }
                report.push(element);
            }
        }
        renderer.render(&report).to_string()
    }
}

/// A text for the screen with the same length in bytes. A manifest may come from an untrusted author, so every special
/// character becomes `?`. The renderer shows ASCII's control characters as pictures.
fn plain(text: &str) -> String {
    let fine = |c: char| c.is_ascii() || encode::is_plain(c.encode_utf8(&mut [0; 4]));
    text.chars().map(|c| if fine(c) { c.to_string() } else { "?".repeat(c.len_utf8()) }).collect()
}

/// Limits a span to its text and to character boundaries.
fn clamp(span: &Range<usize>, text: &str) -> Range<usize> {
    let border = |mut at: usize| {
        at = at.min(text.len());
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        at
    };
    border(span.start)..border(span.end)
}

/// What is wrong with a value, with the value: `` `rel`: a path must be absolute ``. Many errors have it already.
#[must_use]
pub fn with_value(value: &str, error: impl fmt::Display) -> String {
    let (error, value) = (error.to_string(), shown_value(value));
    if value.is_empty() || error.contains(&value) { error } else { format!("`{value}`: {error}") }
}

/// The beginning of a value, escaped, as a message repeats it.
#[must_use]
pub fn shown_value(value: &str) -> String {
    /// In characters.
    const MAX: usize = 80;
    value.escape_debug().take(MAX).collect()
}

/// The mistakes found in a set of files: all of them, not only the first.
#[derive(Debug, Default)]
pub struct Problems(pub Vec<Problem>);

impl Problems {
    /// Adds one.
    pub fn push(&mut self, problem: Problem) {
        self.0.push(problem);
    }

    /// Parses a text of `source`. A mistake in it is added with its place.
    pub fn take<T, E: std::fmt::Display>(
        &mut self,
        source: &Source,
        text: &toml::Spanned<String>,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        let wrong = |error| Problem::at(source.at(text.span()), with_value(text.get_ref(), error));
        parse(text.get_ref()).map_err(|error| self.push(wrong(error))).ok()
    }

    /// Returns `value` if there was no problem.
    ///
    /// # Errors
    /// When there was a problem.
    pub fn or<T>(self, value: T) -> Result<T, Self> {
        if self.0.is_empty() { Ok(value) } else { Err(self) }
    }
}

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Self {
        Self(vec![problem])
    }
}
