//! The reference of the files that people write: no key lacks its entry, no entry lacks its key, and every example works.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use bailiwick_core::reference::{Page, Table};
use bailiwick_core::source::{Problem, Problems, Source};
use bailiwick_core::{fleet, limits, manifest};
use bailiwick_policy::policy;

/// A key that no table has.
const UNKNOWN: &str = "no-such-key = 1";

/// A key for the place of the `AAAA…` in an example.
const KEY: &str = "AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl";

/// The error of the parser of a page on a text; empty if it accepts it.
fn problems(page: &Page, text: &str) -> String {
    let text = &text.replace("AAAA…", KEY);
    let source = Source::embedded(page.file, text);
    let result: Result<(), Problems> = match page.file {
        "fleet.toml" => fleet::parse(&source, Path::new("/ops"), Some(Path::new("/home/x"))).map(drop),
        "policy.toml" => policy::parse(&source).map(drop),
        _ => manifest::parse(&source).map(drop),
    };
    result
        .err()
        .map(|problems| {
            let rendered =
                |problem: &Problem| format!("{} | {}", problem.message, problem.hint.as_deref().unwrap_or_default());
            problems.0.iter().map(rendered).collect::<Vec<_>>().join("\n")
        })
        .unwrap_or_default()
}

/// The keys that the parser expects in a table, from its own error; none if it accepts any.
fn expected(page: &Page, header: &str) -> Result<Option<BTreeSet<String>>> {
    let inner = header.trim_matches(['[', ']']);
    let parent =
        inner.split_once('.').filter(|(parent, _)| *parent == "check").map(|(parent, _)| format!("[[{parent}]]\n"));
    let text = format!("{}{}\n{UNKNOWN}\n", parent.unwrap_or_default(), header.replace("NAME", "name"));
    let message = problems(page, &text);
    let list =
        message.strip_prefix("unknown ").and_then(|text| text.split_once(" are: ")?.1.split_once("; `bailiwick help"));
    let Some((list, _)) = list else {
        ensure!(message.contains("no-such-key"), "{header}: {message}");
        return Ok(None);
    };
    Ok(Some(list.split(", ").map(str::to_owned).collect()))
}

fn pages() -> [Page; 3] {
    [policy::reference(), fleet::reference(), manifest::reference()]
}

#[test]
fn every_key_of_a_parser_is_in_the_reference_and_the_reverse() -> Result<()> {
    for page in pages() {
        let top = expected(&page, "")?.context("the top of a file takes any key")?;
        let first =
            |table: &Table| table.header.trim_matches(['[', ']']).split('.').next().unwrap_or_default().to_owned();
        let tables: BTreeSet<String> = page.tables.iter().map(first).collect();
        ensure!(top == tables, "{}: the parser has {top:?}, the reference {tables:?}", page.file);
        for table in &page.tables {
            let listed: BTreeSet<String> = table.keys.iter().map(|key| key.name.to_owned()).collect();
            ensure!(listed.len() == table.keys.len(), "{}: a key is listed twice", table.header);
            let settable = || limits::SETTABLE.iter().map(|row| row.name.to_owned()).collect();
            let known = match (expected(&page, table.header)?, table.header) {
                (Some(known), _) => known,
                (None, "[limits]") => settable(),
                (None, "[[raise]]") => ["component", "LIMIT", "why"].map(str::to_owned).into(),
                (None, header) => anyhow::bail!("{header} takes any key"),
            };
            ensure!(
                known == listed,
                "{} {}: the parser has {known:?}, the reference {listed:?}",
                page.file,
                table.header
            );
        }
    }
    Ok(())
}

/// What an example needs besides the required keys of its table, or instead of them.
fn beside(header: &str, key: &str) -> (&'static str, &'static [&'static str]) {
    match (header, key) {
        ("[targets.NAME]", "local") => ("", &["address", "user"]),
        ("[targets.NAME]", "agent-key") => ("", &[]),
        ("[targets.NAME]", "jump") => {
            ("identity = \"x\"\n[targets.bastion]\naddress = \"192.0.2.9\"\nuser = \"x\"\nidentity = \"y\"\n", &[])
        }
        ("[targets.NAME]", "identity") => ("", &[]),
        ("[targets.NAME]", _) => ("identity = \"x\"\n", &[]),
        ("[targets.NAME.gate]", _) => {
            ("[targets.name]\naddress = \"192.0.2.1\"\nuser = \"x\"\nidentity = \"x\"\n", &[])
        }
        ("[never.NAME]", "host-key" | "host-keys" | "addresses") => ("", &[]),
        ("[never.NAME]", _) => ("addresses = [\"192.0.2.1\"]\n", &[]),
        ("[[grant]]", "signers") => ("[signatures]\nallowed-signers = \"x\"\n", &[]),
        ("[[never]]", "why") => ("files = [\"/x\"]\n", &[]),
        ("[[raise]]", "component" | "why") => ("", &[]),
        ("[[anchor]]", "target" | "user" | "identity" | "why") => ("file = \"/x\"\ntarget = \"x\"\n", &[]),
        ("[[anchor]]", "file") => ("target = \"x\"\n", &[]),
        ("[change]", "verify-seconds") => ("dead-man-seconds = 900\n", &[]),
        _ => ("", &[]),
    }
}

#[test]
fn every_example_is_one_of_its_key() -> Result<()> {
    for page in pages() {
        for table in &page.tables {
            for key in &table.keys {
                let parsed: toml::Table = key.example.parse().with_context(|| key.example.clone())?;
                ensure!(parsed.len() == 1 && (key.name == "LIMIT" || parsed.contains_key(key.name)), "{}", key.example);
                ensure!(!key.about.is_empty() && key.about.len() < 250, "{}", key.name);
            }
        }
    }
    Ok(())
}

#[test]
fn every_example_works() -> Result<()> {
    for page in [policy::reference(), fleet::reference()] {
        for table in &page.tables {
            for key in &table.keys {
                let (more, without) = beside(table.header, key.name);
                // Keys of this table first, then other tables.
                let split =
                    more.find('[').filter(|at| *at == 0 || more.as_bytes()[at - 1] == b'\n').unwrap_or(more.len());
                let (own, others) = more.split_at(split);
                let required = table.keys.iter().filter(|other| {
                    other.default.is_none() && other.name != key.name && !without.contains(&other.name)
                });
                let mut lines: Vec<&str> = required.map(|other| other.example.as_str()).collect();
                lines.extend(own.lines().filter(|line| !line.starts_with(&format!("{} =", key.name))));
                lines.push(&key.example);
                let text = format!("{}\n{}\n{others}", table.header.replace("NAME", "name"), lines.join("\n"));
                let message = problems(&page, &text);
                ensure!(message.is_empty(), "{} {}: {message}\n{text}", page.file, table.header);
            }
        }
    }
    Ok(())
}

/// docs/reference holds what `bailiwick help TOPIC` prints. `INSTA_UPDATE=always` writes the pages.
#[test]
fn the_committed_pages_are_what_the_program_prints() -> Result<()> {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
    let exit_codes = ("exit-codes", bailiwick::report::exit::page());
    let pages = pages().map(|page| (page.file.trim_end_matches(".toml"), page.markdown()));
    for (name, page) in pages.into_iter().chain([exit_codes]) {
        let path = docs.join("reference").join(name).with_extension("md");
        if std::env::var("INSTA_UPDATE").is_ok_and(|update| update == "always") {
            std::fs::create_dir_all(docs.join("reference"))?;
            std::fs::write(&path, &page)?;
        }
        let committed = std::fs::read_to_string(&path).with_context(|| format!("docs/reference/{name}.md"))?;
        ensure!(
            committed == page,
            "docs/reference/{name}.md differs from `bailiwick help {name}`; INSTA_UPDATE=always renews it"
        );
    }
    Ok(())
}

#[test]
fn the_page_of_outputs_has_every_format() -> Result<()> {
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/outputs.md"))?;
    for format in bailiwick::report::format::FORMATS {
        ensure!(page.contains(&format!("`{}`", format.name)), "docs/outputs.md has no row of `{}`", format.name);
        ensure!(format.media.contains('/') && format.about.len() <= 80, "{}", format.name);
    }
    Ok(())
}
