//! Finds a component, its manifest and its cases.
//!
//! Knows: folders. Must not know: what is in a case. Attack answered: a case's name that is a path (FS16).
//!
//! `bailiwick test FILE.wasm`: that file, with the manifest sealed in or beside it. `bailiwick test DIR` (`.` if nothing is
//! given): `DIR/manifest.toml`. If it has checks, it is the whole component. Otherwise the component is the newest of
//! `DIR/ID.wasm`, `DIR/target/probe.wasm`, `DIR/dist/ID.wasm` and `DIR/../dist/ID.wasm`. Cases are `cases/*.toml` beside the file, or in the folder.

use std::path::{Path, PathBuf};

use bailiwick_core::durable;
use bailiwick_core::encode::ShownPath as _;
use bailiwick_core::manifest;
use bailiwick_core::model::{CaseName, NameError};
use bailiwick_core::nearest::choices;
use bailiwick_core::source;
use bailiwick_core::source::{Problems, ReadError, Source};
use bailiwick_policy::library::{ComponentFile, LibraryError};

use super::Case;

/// A component, and the folder with its cases.
#[derive(Debug)]
pub struct Project {
    /// The component's file.
    pub path: PathBuf,
    /// The component.
    pub file: ComponentFile,
    /// The folder of its cases. It may not exist.
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
    /// A file cannot be written.
    #[error(transparent)]
    Write(#[from] durable::WriteError),
    /// A file has mistakes.
    #[error("invalid files")]
    Invalid(Problems),
    /// The folder is not a project.
    #[error("{} is not a component's project: it has no manifest.toml\n\nhint: name a component's file, or a manifest with --manifest", .0.shown())]
    NoManifest(PathBuf),
    /// Nothing is built.
    #[error("`{id}` is not built: none of these files exists: {}\n\nhint: build it, or name its file with --component", tried.iter().map(|path| path.shown()).collect::<Vec<_>>().join(", "))]
    NotBuilt {
        /// The component.
        id: String,
        /// The files that were tried.
        tried: Vec<PathBuf>,
    },
    /// There are no cases.
    #[error("{} has no cases\n\nhint: `bailiwick test --record NAME --target TARGET` writes one", .0.shown())]
    NoCases(PathBuf),
    /// No such case.
    #[error("there is no case `{name}`\n\nhint: {}", choices(name, known.iter().map(String::as_str), "cases"))]
    NoCase {
        /// The name that was requested.
        name: String,
        /// The cases that exist.
        known: Vec<String>,
    },
    /// A file whose name cannot be given on the command line.
    #[error("{}", path.shown())]
    Name {
        /// The file.
        path: PathBuf,
        /// Why.
        source: NameError,
    },
    /// A case of that name exists.
    #[error("{} already exists, and a recording never replaces a case\n\nhint: choose another name, or remove the file", .0.shown())]
    Taken(PathBuf),
}

impl Project {
    /// Finds component, manifest and cases. A path that is given is used instead of the default one.
    ///
    /// # Errors
    /// When component or manifest is missing, cannot be read, or they do not match.
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
                None if source::name_exists(&own) => &own,
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
                // A link could lead to files that are not cases, which an error would then print.
                source::refuse_link(&own)?;
                own
            }
        };
        Ok(Self { path, file, cases })
    }

    /// The requested cases, or all cases, in order of their names.
    ///
    /// # Errors
    /// When there are no cases, or a requested one does not exist.
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

    /// The file for a new case.
    ///
    /// # Errors
    /// When it already exists.
    pub fn new_case(&self, name: &CaseName) -> Result<PathBuf, ProjectError> {
        let path = self.case_path(name);
        if source::name_exists(&path) { Err(ProjectError::Taken(path)) } else { Ok(path) }
    }

    /// Writes a new case, and creates its folder if needed. A file that appears meanwhile is not replaced.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write_case(&self, name: &CaseName, text: &str) -> Result<PathBuf, ProjectError> {
        let path = self.new_case(name)?;
        durable::create_folder(durable::folder_of(&path), 0o755)?;
        durable::create_new(&path, 0o644, text.as_bytes())?;
        Ok(path)
    }
}

/// The component of a project that was built last. A component of checks needs no build.
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
    // Of several that are equally new, the first.
    let newest = tried.iter().rev().filter_map(|path| Some((written(path)?, path))).max_by_key(|(time, _)| *time);
    match newest {
        Some((_, path)) => Ok((path.clone(), ComponentFile::with(path, Some(manifest))?)),
        None => Err(ProjectError::NotBuilt { id: id.to_string(), tried }),
    }
}
