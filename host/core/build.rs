//! Embeds every file of `wit/`, so that a new file is found without a list.

use std::error::Error;
use std::fmt::Write;
use std::path::Path;
use std::{env, fs};

fn main() -> Result<(), Box<dyn Error>> {
    let folder = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("../../wit").canonicalize()?;
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut names = Vec::new();
    for entry in fs::read_dir(&folder)? {
        let name = entry?.file_name().into_string().map_err(|name| format!("{name:?} is not UTF-8"))?;
        if name.ends_with(".wit") {
            names.push(name);
        }
    }
    names.sort();
    let mut list =
        "/// Every file of the contract: name and text.\npub const CONTRACT: &[(&str, &str)] = &[\n".to_owned();
    for name in names {
        writeln!(list, "    ({name:?}, include_str!({:?})),", folder.join(&name))?;
    }
    list += "];\n";
    Ok(fs::write(Path::new(&env::var("OUT_DIR")?).join("contract.rs"), list)?)
}
