//! Reads a folder with the contract as other tools do, and prints what its world has:
//!
//!     contract world DIR WORLD      the functions and types that a world imports, one per line
//!     contract c-bindings DIR OUT   writes the bindings for C
//!
//! Knows: WIT, through the reader that every toolchain uses. Must not know: the host.

use std::path::Path;

use anyhow::{Context, Result, bail};
use wit_bindgen_core::Files;
use wit_bindgen_core::wit_parser::{Resolve, WorldId, WorldItem};

fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["world", dir, world] => {
            let (resolve, world) = read(dir, world)?;
            for item in resolve.worlds[world].imports.values() {
                if let WorldItem::Interface { id, .. } = item {
                    let interface = &resolve.interfaces[*id];
                    let name = interface.name.as_deref().context("an interface without a name")?;
                    interface.functions.keys().for_each(|function| println!("function {name}.{function}"));
                    interface.types.keys().for_each(|ty| println!("type {name}.{ty}"));
                }
            }
            let exports = resolve.worlds[world].exports.values();
            for item in exports {
                if let WorldItem::Function(function) = item {
                    println!("export {}", function.name);
                }
            }
        }
        ["c-bindings", dir, out] => {
            let (mut resolve, world) = read(dir, "probe")?;
            let mut files = Files::default();
            wit_bindgen_c::Opts::default().build().generate(&mut resolve, world, &mut files)?;
            for (name, bytes) in files.iter() {
                std::fs::write(Path::new(out).join(name), bytes)?;
            }
        }
        _ => bail!("contract world DIR WORLD | contract c-bindings DIR OUT"),
    }
    Ok(())
}

fn read(dir: &str, world: &str) -> Result<(Resolve, WorldId)> {
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir(dir)?;
    let world = resolve.select_world(&[package], Some(world))?;
    Ok((resolve, world))
}
