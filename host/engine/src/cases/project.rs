//! Where a component, its manifest and its cases are.
//!
//! Knows: folders. Must not know: what is in a case. Attack answered: a case's name that is a path (FS16).
//!
//! `bailiwick test FILE.wasm`: that file, with the manifest sealed in or beside it. `bailiwick test DIR` (`.` if nothing is
//! said): `DIR/manifest.toml`, which is all of it if it holds checks; else with it, of `DIR/ID.wasm`, `DIR/target/probe.wasm`, `DIR/dist/ID.wasm` and `DIR/../dist/ID.wasm`
//! the one that was written last. Cases are `cases/*.toml` beside the file, or in the folder.

use std::path::{Path, PathBuf};

use bailiwick_core::encode::ShownPath as _;
use bailiwick_core::manifest;
use bailiwick_core::model::{CaseName, NameError};
use bailiwick_core::source;
use bailiwick_core::source::{Problems, ReadError, Source};
use bailiwick_policy::library;
use bailiwick_policy::library::{ComponentFile, LibraryError};

use super::Case;

/// A component, and the folder with its cases.
#[derive(Debug)]
pub struct Project {
    /// The component's file.
    pub path: PathBuf,
    /// The component.
    pub file: ComponentFile,
    /// Where its cases are; it need not be there.
    pub cases: PathBuf,
}

/// Why there is nothing to test.
#[derive(Debug, thiserror::Error)]
pub enum ProjectError {
    /// Component or manifest cannot be used.
    #[error(transparent)]
    Library(#[from] LibraryError),
    /// A file cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A file has mistakes.
    #[error("invalid files")]
    Invalid(Problems),
    /// The folder is no project.
    #[error("{} is no component's project: it holds no manifest.toml\n\nhint: name a component's file, or a manifest with --manifest", .0.shown())]
    NoManifest(PathBuf),
    /// Nothing is built.
    #[error("`{id}` is not built: there is none of {}\n\nhint: build it, or name it with --component", tried.iter().map(|path| path.shown()).collect::<Vec<_>>().join(", "))]
    NotBuilt {
        /// The component.
        id: String,
        /// Where it would be.
        tried: Vec<PathBuf>,
    },
    /// There are no cases.
    #[error("{} holds no cases\n\nhint: `bailiwick test --record NAME --target TARGET` writes one; CONTRIBUTING.md shows what is in it", .0.shown())]
    NoCases(PathBuf),
    /// No such case.
    #[error("there is no case `{name}`\n\nhint: there are: {}", known.join(", "))]
    NoCase {
        /// What was asked for.
        name: String,
        /// What there is.
        known: Vec<String>,
    },
    /// A file that could not be named on the command line.
    #[error("{}", path.shown())]
    Name {
        /// The file.
        path: PathBuf,
        /// Why.
        source: NameError,
    },
    /// There is one already.
    #[error("{} is there already; a recording never replaces a case\n\nhint: choose another name, or remove it", .0.shown())]
    Taken(PathBuf),
}

impl Project {
    /// Finds component, manifest and cases. What is named counts before what is found.
    ///
    /// # Errors
    /// When one of the first two is not there, cannot be read, or they do not belong together.
    pub fn find(
        path: &Path,
        component: Option<&Path>,
        manifest: Option<&PathBuf>,
        cases: Option<&Path>,
    ) -> Result<Self, ProjectError> {
        let (path, file, beside) = if path.is_dir() {
            let own = path.join("manifest.toml");
            let manifest = match manifest {
                Some(manifest) => manifest,
                None if library::path_exists(&own) => &own,
                None => return Err(ProjectError::NoManifest(path.to_owned())),
            };
            let (component, file) = match component {
                Some(component) => (component.to_owned(), ComponentFile::with(component, Some(manifest))?),
                None => built(path, manifest)?,
            };
            (component, file, path.to_owned())
        } else {
            let file = match manifest {
                Some(manifest) => ComponentFile::with(path, Some(manifest))?,
                None => ComponentFile::read(path)?,
            };
            (path.to_owned(), file, path.parent().unwrap_or(Path::new("")).to_owned())
        };
        let cases = match cases {
            Some(cases) => cases.to_owned(),
            None => {
                let own = beside.join("cases");
                // Every `*.toml` behind it would be read, and shown where it is no case.
                source::refuse_link(&own)?;
                own
            }
        };
        Ok(Self { path, file, cases })
    }

    /// The cases that are asked for, or all there are, in order of their names.
    ///
    /// # Errors
    /// When there are none, or one that is asked for is not there.
    pub fn names(&self, wanted: &[String]) -> Result<Vec<CaseName>, ProjectError> {
        let mut names = Vec::new();
        if self.cases.is_dir() {
            let io = |source| ReadError::Io { path: self.cases.clone(), source };
            for entry in std::fs::read_dir(&self.cases).map_err(io)? {
                let path = entry.map_err(io)?.path();
                if path.extension().is_some_and(|extension| extension == "toml") {
                    let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
                    names
                        .push(CaseName::new(stem).map_err(|source| ProjectError::Name { path: path.clone(), source })?);
                }
            }
        }
        names.sort();
        if names.is_empty() {
            return Err(ProjectError::NoCases(self.cases.clone()));
        }
        if let Some(missing) = wanted.iter().find(|wanted| !names.iter().any(|name| name.as_str() == *wanted)) {
            let known = names.iter().map(ToString::to_string).collect();
            return Err(ProjectError::NoCase { name: missing.escape_debug().to_string(), known });
        }
        names.retain(|name| wanted.is_empty() || wanted.iter().any(|wanted| name.as_str() == wanted));
        Ok(names)
    }

    /// The file of a case.
    #[must_use]
    pub fn case_path(&self, name: &CaseName) -> PathBuf {
        self.cases.join(format!("{name}.toml"))
    }

    /// Reads a case.
    ///
    /// # Errors
    /// When it cannot be read or has a mistake.
    pub fn case(&self, name: &CaseName) -> Result<Case, ProjectError> {
        let source = Source::read_theirs(&self.case_path(name))?;
        Case::parse(&source, &self.file.manifest).map_err(ProjectError::Invalid)
    }

    /// Where a new case is to be written.
    ///
    /// # Errors
    /// When there is one of that name.
    pub fn new_case(&self, name: &CaseName) -> Result<PathBuf, ProjectError> {
        let path = self.case_path(name);
        if library::path_exists(&path) { Err(ProjectError::Taken(path)) } else { Ok(path) }
    }

    /// Writes a new case, and makes the folder for it if need be. One that has come to be there meanwhile stays.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write_case(&self, name: &CaseName, text: &str) -> Result<PathBuf, ProjectError> {
        let path = self.new_case(name)?;
        library::write_new(&path, text.as_bytes())?;
        Ok(path)
    }
}

/// The component of a project that was built last. One of checks is not built.
fn built(folder: &Path, manifest: &PathBuf) -> Result<(PathBuf, ComponentFile), ProjectError> {
    let asked = manifest::parse(&Source::read_theirs(manifest)?).map_err(ProjectError::Invalid)?;
    if asked.rules.is_some() {
        return Ok((manifest.clone(), ComponentFile::declared(manifest)?));
    }
    let id = asked.id;
    let file = format!("{id}.wasm");
    let tried: Vec<_> =
        [file.clone(), "target/probe.wasm".to_owned(), format!("dist/{file}"), format!("../dist/{file}")]
            .iter()
            .map(|name| folder.join(name))
            .collect();
    let written = |path: &PathBuf| std::fs::metadata(path).and_then(|meta| meta.modified()).ok();
    // The first of several that are equally new.
    let newest = tried.iter().rev().filter_map(|path| Some((written(path)?, path))).max_by_key(|(time, _)| *time);
    match newest {
        Some((_, path)) => Ok((path.clone(), ComponentFile::with(path, Some(manifest))?)),
        None => Err(ProjectError::NotBuilt { id: id.to_string(), tried }),
    }
}
