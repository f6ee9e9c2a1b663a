//! A test function for each folder of `tests/files`: a new folder is a new test, without a list.

use std::error::Error;
use std::fmt::Write;
use std::path::Path;
use std::{env, fs};

fn main() -> Result<(), Box<dyn Error>> {
    let folder = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("files");
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut names = Vec::new();
    for entry in fs::read_dir(&folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            names.push(entry.file_name().into_string().map_err(|name| format!("{name:?} is not UTF-8"))?);
        }
    }
    names.sort();
    let mut tests = format!("const FOLDERS: usize = {};\n", names.len());
    for name in names {
        let function = name.replace('-', "_");
        write!(tests, "\n#[test]\nfn {function}() {{\n    is_shown_with_its_place({name:?});\n}}\n")?;
    }
    fs::write(Path::new(&env::var("OUT_DIR")?).join("files.rs"), tests)?;
    Ok(())
}
