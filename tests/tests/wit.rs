//! The contract documents itself: whoever writes a probe in another language has `wit/` and nothing else.
//!
//! Knows: how these files are written, one item a line. Must not know: what WIT allows besides; the builds parse it.

#![cfg(test)]

use std::fs;
use std::path::Path;

/// What begins an item that needs `@since` too.
const ITEMS: &[&str] = &["interface", "world", "record", "enum", "variant", "flags", "resource", "type", "export"];

/// What is wrong with a file: `name:line: …`.
fn mistakes(name: &str, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let (mut documented, mut since) = (false, false);
    for (at, line) in text.lines().enumerate() {
        let line = line.trim();
        if let Some(doc) = line.strip_prefix("///") {
            documented |= !doc.trim().is_empty();
            continue;
        }
        if line.starts_with("@since(version = ") {
            since = true;
            continue;
        }
        let plain =
            line.is_empty() || ["}", "//", "package ", "use ", "import "].iter().any(|start| line.starts_with(start));
        if !plain {
            let word = line.split([' ', ':', '(', ',']).next().unwrap_or_default();
            let item = ITEMS.contains(&word) && !line.starts_with(&format!("{word}:")) || line.contains(": func(");
            if !documented {
                found.push(format!("{name}:{}: no `///` above `{line}`", at + 1));
            }
            if item && !since {
                found.push(format!("{name}:{}: no `@since` above `{line}`", at + 1));
            }
        }
        (documented, since) = (false, false);
    }
    found
}

#[test]
fn every_item_says_what_it_is_and_since_when() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("wit");
    let mut files: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "wit"));
    files.sort();
    assert!(!files.is_empty(), "{} has no contract", folder.display());
    let found: Vec<_> = files
        .iter()
        .flat_map(|path| {
            let name = format!("wit/{}", path.file_name().unwrap().to_string_lossy());
            mistakes(&name, &fs::read_to_string(path).unwrap())
        })
        .collect();
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

#[test]
fn what_is_missing_is_named_with_its_line() {
    let text = "package a:b@0.1.0;\n\
        /// Said.\n@since(version = 0.1.0)\ninterface i {\n\
        use types.{target};\n\
        record r {\n/// Said.\nfield: u8,\nother: u8,\n}\n\
        ///\n@since(version = 0.1.0)\nenum e { x, y }\n\
        /// Said.\n@since(version = 0.1.0)\nvariant v {\none(string),\nenum: u8,\n}\n\
        /// Said.\n\nget: func() -> u8;\n}\n";
    assert_eq!(
        mistakes("i.wit", text),
        [
            "i.wit:6: no `///` above `record r {`",
            "i.wit:6: no `@since` above `record r {`",
            "i.wit:9: no `///` above `other: u8,`",
            "i.wit:13: no `///` above `enum e { x, y }`",
            "i.wit:17: no `///` above `one(string),`",
            "i.wit:18: no `///` above `enum: u8,`",
            "i.wit:22: no `///` above `get: func() -> u8;`",
            "i.wit:22: no `@since` above `get: func() -> u8;`",
        ]
    );
}
