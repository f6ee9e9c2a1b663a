//! README.md as a test reads it: its commands and files, in order.

/// A part of the page that a reader runs or writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Block {
    /// A command.
    Command {
        /// The heading that it stands under.
        section: String,
        /// The command line, without its comment.
        line: String,
    },
    /// A file.
    File {
        /// The heading that it stands under.
        section: String,
        /// Its name.
        name: String,
        /// What is in it.
        text: String,
        /// It is added to a file that exists.
        add: bool,
    },
}

/// The commands of the `console` blocks and the files of the `toml` blocks.
#[must_use]
pub fn blocks(page: &str) -> Vec<Block> {
    let (mut found, mut section, mut fence) = (Vec::new(), String::new(), None);
    for line in page.lines() {
        match (fence.as_deref(), line) {
            (None, line) if line.starts_with("## ") => section = line["## ".len()..].to_owned(),
            (None, line) if line.starts_with("```") => fence = Some(line["```".len()..].to_owned()),
            (Some(_), "```") => fence = None,
            _ => {}
        }
        let Some(kind) = fence.as_deref() else { continue };
        match kind {
            "console" => {
                if let Some(command) = line.strip_prefix("$ ") {
                    let line = command.split("   #").next().unwrap_or_default().trim().to_owned();
                    found.push(Block::Command { section: section.clone(), line });
                }
            }
            "toml" => {
                let named = line.strip_prefix("# add to ").map(|name| (name, true));
                let named = named.or_else(|| line.strip_prefix("# ").map(|name| (name, false)));
                match named.filter(|(name, _)| name.ends_with(".toml") && !name.contains(' ')) {
                    Some((name, add)) => {
                        let (name, text) = (name.to_owned(), String::new());
                        found.push(Block::File { section: section.clone(), name, text, add });
                    }
                    None if line.starts_with("```") => {}
                    None => {
                        if let Some(Block::File { text, .. }) = found.last_mut() {
                            text.push_str(line);
                            text.push('\n');
                        }
                    }
                }
            }
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_and_files_are_found_in_order() {
        let page = "# T\n## One\n```console\n$ a b   # why\noutput\n$ c\n```\n```toml\n# x.toml\nk = 1\n# note\n\n# add to y.toml\nz = 2\n```\n";
        let section = "One".to_owned();
        let command = |line: &str| Block::Command { section: section.clone(), line: line.to_owned() };
        let file = |name: &str, text: &str, add| Block::File {
            section: section.clone(),
            name: name.to_owned(),
            text: text.to_owned(),
            add,
        };
        let expected =
            [command("a b"), command("c"), file("x.toml", "k = 1\n# note\n\n", false), file("y.toml", "z = 2\n", true)];
        assert_eq!(blocks(page), expected);
    }
}
