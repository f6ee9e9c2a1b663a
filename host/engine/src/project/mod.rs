//! The files that `bailiwick new` writes: a project that builds, tests and packs with the commands in its README.
//!
//! Knows: the shipped examples in `probes/languages/`, which are the templates, and the SDK. Must not know: where a
//! project is written; `write` does that. A project needs no checkout of Bailiwick.

mod files;
mod write;

pub use write::{WriteError, write_contract, write_project};

use bailiwick_core::manifest;
use bailiwick_core::manifest::Manifest;
use bailiwick_core::model::ComponentId;
use bailiwick_core::source::{Problems, Source};
use bailiwick_core::wit;

/// The languages of the examples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// Rust, with the SDK.
    Rust,
    /// JavaScript, in QuickJS.
    JavaScript,
    /// Python, in CPython.
    Python,
    /// C, with wasi-libc and no WASI.
    C,
    /// None: checks in the manifest, for the interpreter.
    Toml,
}

impl Language {
    /// Every compiled language.
    pub const ALL: &'static [Self] = &[Self::Rust, Self::JavaScript, Self::Python, Self::C];
}

/// The id and the folder of the examples. A project gets its own.
const EXAMPLE: &str = "example-room";

/// One file of a project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectFile {
    /// Its path in the project's folder.
    pub path: String,
    /// Its content.
    pub bytes: Vec<u8>,
    /// True for a program.
    pub executable: bool,
}

/// A project's files.
///
/// # Errors
/// Never in a released program: a test makes one of each language.
pub fn project(language: Language, id: &ComponentId) -> Result<Vec<ProjectFile>, Problems> {
    let common = if language == Language::Toml { &[] } else { files::COMMON };
    let mut project: Vec<ProjectFile> = common
        .iter()
        .chain(files::own(language))
        .map(|(path, bytes)| ProjectFile {
            path: (*path).to_owned(),
            bytes: named(bytes, id),
            executable: *path == "build",
        })
        .collect();
    if language == Language::Toml {
        let own = project.iter().find(|file| file.path == "manifest.toml").map(|file| file.bytes.as_slice());
        let text = String::from_utf8_lossy(own.unwrap_or_default());
        manifest::parse(&Source::embedded("manifest.toml", &text))?;
        project.sort_by(|a, b| a.path.cmp(&b.path));
        return Ok(project);
    }
    let manifest = format!("{}{}", files::MANIFEST.replace(EXAMPLE, id.as_str()), files::limits(language));
    let parsed = manifest::parse(&Source::embedded("manifest.toml", &manifest))?;
    project.push(ProjectFile { path: "manifest.toml".to_owned(), bytes: manifest.into_bytes(), executable: false });
    project.extend(contract(&parsed));
    if language == Language::Rust {
        project.extend(wit::CONTRACT.iter().map(|(name, text)| text_file(format!("sdk/wit/{name}"), text)));
    }
    project.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(project)
}

/// The part of the contract that a manifest asks for, in `wit/`.
fn contract(manifest: &Manifest) -> impl Iterator<Item = ProjectFile> {
    wit::trimmed(manifest.world, &manifest.verbs(), manifest.history.is_some())
        .into_iter()
        .map(|(name, text)| text_file(format!("wit/{name}"), &text))
}

fn text_file(path: String, text: &str) -> ProjectFile {
    ProjectFile { path, bytes: text.as_bytes().to_vec(), executable: false }
}

/// A file of the example with the project's name in it. A file that is not text is copied unchanged.
fn named(bytes: &[u8], id: &ComponentId) -> Vec<u8> {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.replace(EXAMPLE, id.as_str()).into_bytes(),
        Err(_) => bytes.to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_project_is_named_throughout_and_says_nothing_twice() {
        let id = ComponentId::new("disk-2").unwrap();
        for language in Language::ALL.iter().chain([&Language::Toml]) {
            let files = project(*language, &id).unwrap_or_else(|Problems(problems)| panic!("{problems:?}"));
            let paths: Vec<_> = files.iter().map(|file| &file.path).collect();
            assert!(paths.is_sorted() && paths.windows(2).all(|two| two[0] != two[1]), "{paths:?}");
            let built = ["build", "wit/worlds.wit"].into_iter().filter(|_| *language != Language::Toml);
            for needed in ["manifest.toml", "README.md", ".gitignore", "cases/healthy.toml"].into_iter().chain(built) {
                assert!(paths.iter().any(|path| *path == needed), "{language:?}: {needed}");
            }
            for file in &files {
                let text = String::from_utf8_lossy(&file.bytes);
                assert!(!text.contains(EXAMPLE), "{language:?}: {}", file.path);
            }
        }
    }
}
