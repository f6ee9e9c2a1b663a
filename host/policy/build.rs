//! Generates the tables of the components that are part of the program, from the folders that hold them.
//!
//! Knows: where `probes/build` puts components. Must not know: their content. Attack answered: a component that becomes part of
//! the program without a person's review. The golden of `tests/tests/pure/library.rs` lists every built-in one.

use std::error::Error;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs};

/// The component that every declared probe is made with. It has no manifest and is not a probe itself.
const INTERPRETER: &str = "interpreter";

fn main() -> Result<(), Box<dyn Error>> {
    let probes = fs::canonicalize(Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("../../probes"))?;
    let mut tables = compiled("BUILT_IN", &probes.join("dist"))?;
    tables += &compiled("PROOF", &probes.join("dist/proof"))?;
    tables += &declared(&probes.join("declared"))?;
    fs::write(Path::new(&env::var("OUT_DIR")?).join("components.rs"), tables)?;
    Ok(())
}

/// The table of the components of a folder, each with its manifest beside it.
fn compiled(table: &str, folder: &Path) -> Result<String, Box<dyn Error>> {
    let mut rows = format!("const {table}: &[(&str, &[u8], &str)] = &[\n");
    for component in entries(folder)? {
        let id = stem(&component)?;
        if component.extension().is_none_or(|extension| extension != "wasm") || id == INTERPRETER {
            continue;
        }
        let manifest = component.with_extension("toml");
        if !manifest.is_file() {
            return Err(format!("{} has no manifest beside it: run probes/build", component.display()).into());
        }
        writeln!(
            rows,
            "    (\"{id}.toml\", include_bytes!({:?}), include_str!({:?})),",
            text(&component)?,
            text(&manifest)?
        )?;
    }
    Ok(rows + "];\n")
}

/// The table of the manifests that the interpreter runs: one folder for each.
fn declared(folder: &Path) -> Result<String, Box<dyn Error>> {
    let mut rows = String::from("const DECLARED: &[(&str, &str)] = &[\n");
    for probe in entries(folder)?.into_iter().filter(|path| path.is_dir()) {
        let manifest = probe.join("manifest.toml");
        writeln!(rows, "    (\"{}.toml\", include_str!({:?})),", stem(&probe)?, text(&manifest)?)?;
    }
    Ok(rows + "];\n")
}

/// What a folder holds, in order of names. Cargo runs this script again when a file in it changes.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    println!("cargo::rerun-if-changed={}", folder.display());
    let entries = fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut paths = entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>()?;
    paths.sort();
    Ok(paths)
}

fn stem(path: &Path) -> Result<&str, String> {
    path.file_stem().and_then(|stem| stem.to_str()).ok_or_else(|| format!("{path:?} is not UTF-8"))
}

fn text(path: &Path) -> Result<&str, String> {
    path.to_str().ok_or_else(|| format!("{path:?} is not UTF-8"))
}
