//! Files that people write, and how their mistakes are shown: file, line, caret, next step.
//!
//! Knows: text, spans, permissions. Must not know: what any file means.

use std::fmt;
use std::ops::Range;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use serde::de::DeserializeOwned;

/// A file and its text. Cheap to clone.
#[derive(Clone)]
pub struct Source(Arc<(String, String)>);

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Source({})", self.name())
    }
}

/// A place in a file: what `review` points to, and what an error underlines.
#[derive(Clone, Debug)]
pub struct Place {
    /// The file.
    pub source: Source,
    /// Bytes in its text.
    pub span: Range<usize>,
}

/// A file that cannot be read, or that others could have written.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The operating system said no.
    #[error("cannot read {}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Its words.
        source: std::io::Error,
    },
    /// Somebody else could have written it.
    #[error("{} is writable by {who} (mode {mode:04o}); whoever writes it decides what may run\n\nhint: chmod go-w {}", path.display(), path.display())]
    Writable {
        /// The file or folder.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
        /// Group or everybody.
        who: &'static str,
    },
}

impl Source {
    /// A text that is part of the program or of a test.
    #[must_use]
    pub fn embedded(name: &str, text: &str) -> Self {
        Self(Arc::new((name.to_owned(), text.to_owned())))
    }

    /// Reads a file that nobody but its owner can write.
    ///
    /// # Errors
    /// When it cannot be read as UTF-8, or is group- or world-writable.
    pub fn read(path: &Path) -> Result<Self, ReadError> {
        check_permissions(path)?;
        let text = std::fs::read_to_string(path).map_err(|source| ReadError::Io { path: path.to_owned(), source })?;
        Ok(Self(Arc::new((path.display().to_string(), text))))
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

    /// Reads its text as TOML of a given shape.
    ///
    /// # Errors
    /// When it is no TOML, or a key or value does not fit.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        toml::from_str(self.text()).map_err(|error| Problem {
            place: error.span().map(|span| self.at(span)),
            message: error.message().to_owned(),
            hint: None,
        })
    }
}

/// Refuses a file or folder that its group or everybody may write.
///
/// # Errors
/// When it is, or cannot be looked at.
pub fn check_permissions(path: &Path) -> Result<(), ReadError> {
    let meta = std::fs::metadata(path).map_err(|source| ReadError::Io { path: path.to_owned(), source })?;
    let mode = meta.mode() & 0o7777;
    let who = match (mode & 0o002 != 0, mode & 0o020 != 0) {
        (true, _) => "everybody",
        (false, true) => "its group",
        (false, false) => return Ok(()),
    };
    Err(ReadError::Writable { path: path.to_owned(), mode, who })
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
    /// Where.
    pub place: Option<Place>,
    /// What is wrong: a lower-case fragment.
    pub message: String,
    /// What to do next.
    pub hint: Option<String>,
}

impl Problem {
    /// A mistake at a place.
    pub fn at(place: Place, error: impl fmt::Display) -> Self {
        Self { place: Some(place), message: error.to_string(), hint: None }
    }

    /// The same, with a next step.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The mistake as people read it, with the line and a caret.
    #[must_use]
    pub fn render(&self, colour: bool) -> String {
        let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
        let mut group = Level::ERROR.primary_title(&self.message);
        let mut report = Vec::new();
        let text;
        let name;
        match &self.place {
            Some(place) => {
                text = place.source.text();
                name = place.source.name();
                let snippet =
                    Snippet::source(text).path(name).annotation(AnnotationKind::Primary.span(clamp(&place.span, text)));
                let mut element = group.element(snippet);
                if let Some(hint) = &self.hint {
                    element = element.element(Level::HELP.with_name("hint").message(hint));
                }
                report.push(element);
            }
            None => {
                group = group.clone();
                let mut element = annotate_snippets::Group::with_title(group);
                if let Some(hint) = &self.hint {
                    element = element.element(Level::HELP.with_name("hint").message(hint));
                }
                report.push(element);
            }
        }
        renderer.render(&report).to_string()
    }
}

/// Keeps a span inside its text and on character borders.
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

/// The mistakes found in a set of files: all of them, not only the first.
#[derive(Debug, Default)]
pub struct Problems(pub Vec<Problem>);

impl Problems {
    /// Adds one.
    pub fn push(&mut self, problem: Problem) {
        self.0.push(problem);
    }

    /// `value` if there was none.
    ///
    /// # Errors
    /// When there was one.
    pub fn or<T>(self, value: T) -> Result<T, Self> {
        if self.0.is_empty() { Ok(value) } else { Err(self) }
    }
}

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Self {
        Self(vec![problem])
    }
}
