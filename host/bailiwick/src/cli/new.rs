//! `bailiwick new NAME --lang LANGUAGE`.

use std::path::PathBuf;

use crate::report::exit::ExitCode as Exit;
use bailiwick_core::encode::ShownPath as _;
use bailiwick_core::model::ComponentId;
use bailiwick_engine::project;
use bailiwick_engine::project::Language;
use bailiwick_policy::ops::OpsError;

use super::{Context, fail};
use clap::ValueEnum;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The id: lower-case letters, digits and hyphens
    pub(super) name: String,

    /// The language
    #[arg(long, value_name = "LANGUAGE")]
    pub(super) lang: Lang,

    /// The folder to create; it must be empty [default: ./NAME]
    #[arg(long, value_name = "DIR")]
    pub(super) out: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Lang {
    /// Rust, with the SDK
    Rust,
    /// JavaScript, in QuickJS
    Js,
    /// Python, in CPython
    Python,
    /// C, with the contract's bindings
    C,
    /// No code: checks in manifest.toml
    Toml,
}

pub(super) fn run(context: &Context, args: &Args) -> anyhow::Result<Exit> {
    let id = ComponentId::new(&args.name)
        .map_err(|error| fail::usage(error.to_string(), "for example: `bailiwick new disk-room --lang rust`"))?;
    let (language, first) = match args.lang {
        Lang::Rust => (Language::Rust, ""),
        Lang::Js => (Language::JavaScript, "npm ci\n  "),
        Lang::Python => (
            Language::Python,
            "python3 -m venv .venv && .venv/bin/pip install --require-hashes -r requirements.txt\n  ",
        ),
        Lang::C => (Language::C, ""),
        Lang::Toml => (Language::Toml, ""),
    };
    let files = project::project(language, &id).map_err(OpsError::Invalid)?;
    let folder = args.out.clone().unwrap_or_else(|| PathBuf::from(id.as_str()));
    project::write_project(&folder, &files)?;
    let folder = folder.shown();
    if language == Language::Toml {
        context.out.text(&format!(
            "created   {folder}: a check that passes its cases; README.md describes how to change it\n\n\
             Next:\n  cd {folder}\n  bailiwick test .\n  bailiwick pack manifest.toml\n"
        ))?;
        return Ok(Exit::Fine);
    }
    context.out.text(&format!(
        "created   {folder}: a probe that builds and passes its cases; README.md describes how to change it\n\n\
         Next:\n  cd {folder}\n  {first}./build\n  bailiwick pack target/probe.wasm\n  bailiwick test {id}.wasm\n"
    ))?;
    Ok(Exit::Fine)
}
