//! The catalogue's rows about words (docs/threats.md 2.5, 2.6: AR, and those of FS that are about names): what is not plain
//! is refused when the file loads, and what is left of a template has no second meaning.
//!
//! A guest has no string that can reach a wire: `ar17_…` tests the contract for this. `program::words` tests what the program does
//! with such a file.

mod literals;
mod templates;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use bailiwick_core::fleet;
use bailiwick_core::model::{Literal, Object, Verb};
use bailiwick_core::source::{Problems, Source};
use bailiwick_policy::library::Library;
use bailiwick_policy::policy;
use bailiwick_tests::fleet::text;

/// The mistakes in a policy that binds this unit and this file on a target.
fn mistakes(unit: &str, file: &str) -> Vec<String> {
    let fleet = Source::embedded("fleet.toml", "[targets.here]\nlocal = true\n");
    let bind = |component: &str, slot: &str, value: &str| {
        format!("[[grant]]\ncomponent = {component:?}\non = [\"here\"]\nbind.{slot} = {}\n", text(value))
    };
    let policy = bind("service", "unit", unit) + &bind("file-freshness", "file", file);
    let found = || -> Result<(), Problems> {
        let fleet = fleet::parse(&fleet, Path::new("/"), None)?;
        let policy = policy::parse(&Source::embedded("policy.toml", &policy))?;
        policy::resolve(&policy, &fleet, Library::built_in().unwrap().components()).map(drop)
    };
    found().err().map(|problems| problems.0.iter().map(|problem| problem.render(false)).collect()).unwrap_or_default()
}

/// Both bindings are refused, each at its line, and nothing of it can be parsed by another way.
fn refused(unit: &str, file: &str) -> Result<()> {
    let mistakes = mistakes(unit, file);
    ensure!(mistakes.len() == 2, "{unit:?} and {file:?}: {mistakes:?}");
    ensure!(mistakes.iter().all(|text| text.contains("--> policy.toml:")), "{mistakes:?}");
    ensure!(mistakes.iter().all(|text| !text.chars().any(|c| c.is_control() && c != '\n')), "{mistakes:?}");
    ensure!(Literal::parse(Object::Unit, unit).is_err() && Literal::parse(Object::Path, file).is_err());
    Ok(())
}

/// A value as the whole, at the beginning, in the middle and at the end of a unit and of a path.
fn refused_anywhere(value: &str) -> Result<()> {
    refused(value, value)?;
    refused(&format!("{value}.service"), &format!("/{value}"))?;
    refused(&format!("a{value}b.service"), &format!("/srv/a{value}b/c"))?;
    refused(&format!("a.service{value}"), &format!("/srv/a{value}"))
}

/// Parameters by name and type.
type Parameters = BTreeSet<(String, String)>;

/// What functions of `wit/` take, and what they give.
fn contract() -> Result<(Parameters, BTreeSet<String>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../wit");
    let (mut parameters, mut results, mut functions) = (BTreeSet::new(), BTreeSet::new(), 0);
    for entry in fs::read_dir(folder)? {
        for line in fs::read_to_string(entry?.path())?.lines().map(str::trim) {
            let Some((_, signature)) = line.split_once(": func(") else { continue };
            functions += 1;
            ensure!(line.ends_with(';'), "a function on several lines: {line}");
            let (taken, given) = signature.split_once(')').context("no `)`")?;
            results.insert(given.to_owned());
            for parameter in taken.split(", ").filter(|parameter| !parameter.is_empty()) {
                let (name, kind) = parameter.split_once(": ").context("no type")?;
                parameters.insert((name.to_owned(), kind.to_owned()));
            }
        }
    }
    ensure!(functions > Verb::ALL.len(), "{functions} functions were found");
    Ok((parameters, results))
}
