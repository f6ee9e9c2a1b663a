//! Queries and programs that the operator defines under a name, and binds by that name.
//!
//! ```toml
//! [statement.failed-jobs]
//! database = "market"
//! sql      = "select job_id, last_run_status from timescaledb_information.job_stats"
//! why      = "what failed since yesterday"
//!
//! [command.zpool-status]
//! argv   = ["/usr/sbin/zpool", "status", "-x"]
//! effect = "observe"
//! why    = "whether a disk of the pool is gone"
//!
//! [change-command.exporter-role]
//! does   = ["/usr/sbin/runuser", "-u", "postgres", "--", "/usr/bin/psql", "-XAtqc", "create role exporter login"]
//! undoes = ["/usr/sbin/runuser", "-u", "postgres", "--", "/usr/bin/psql", "-XAtqc", "drop role exporter"]
//! checks = ["/usr/local/lib/ops/has-role", "exporter"]
//! why    = "the exporter needs a role of its own"
//! ```

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use toml::Spanned;

use super::words;
use bailiwick_core::model::{
    ChangeCommand, Command, Database, Effect, Literal, LiteralError, Object, Statement, UnitName, writable,
};
use bailiwick_core::source::{Problem, Problems, Source, with_value};

/// The definitions, by name.
#[derive(Debug, Default)]
pub struct Named {
    statements: BTreeMap<String, Arc<Statement>>,
    commands: BTreeMap<String, Arc<Command>>,
    change_commands: BTreeMap<String, Arc<ChangeCommand>>,
}

/// A statement as written in policy and in cases.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawStatement {
    database: Spanned<String>,
    sql: Spanned<String>,
    why: Spanned<String>,
}

/// A command as written in policy and in cases.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawCommand {
    argv: Spanned<Vec<String>>,
    effect: Spanned<Effect>,
    why: Spanned<String>,
}

/// A program that changes something, with its undo, as written in policy and in cases.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawChangeCommand {
    does: Spanned<Vec<String>>,
    undoes: Spanned<Vec<String>>,
    checks: Spanned<Vec<String>>,
    why: Spanned<String>,
}

impl Named {
    /// Reads the definitions, and adds mistakes to `problems`.
    pub fn read(
        source: &Source,
        statements: &BTreeMap<Spanned<String>, RawStatement>,
        commands: &BTreeMap<Spanned<String>, RawCommand>,
        change_commands: &BTreeMap<Spanned<String>, RawChangeCommand>,
        problems: &mut Problems,
    ) -> Self {
        let mut named = Self::default();
        let mut wrong = |at: std::ops::Range<usize>, message: String, hint: &str| {
            let problem = Problem::at(source.at(at), message);
            problems.push(if hint.is_empty() { problem } else { problem.hint(hint) });
        };
        for (name, raw) in statements {
            if raw.why.get_ref().trim().is_empty() {
                wrong(
                    raw.why.span(),
                    "a statement needs a reason".to_owned(),
                    "write one sentence for the reviewer in `why`",
                );
            }
            let database = match Database::new(raw.database.get_ref()) {
                Ok(database) => database,
                Err(error) => {
                    wrong(raw.database.span(), error.to_string(), "such as \"market\" or \"market:5433\"");
                    continue;
                }
            };
            match Statement::new(name.get_ref(), database, raw.sql.get_ref()) {
                Ok(statement) => drop(named.statements.insert(name.get_ref().clone(), Arc::new(statement))),
                Err(error @ LiteralError::Name) => wrong(name.span(), error.to_string(), ""),
                Err(error) => wrong(raw.sql.span(), error.to_string(), "write a second query as a second statement"),
            }
        }
        for (name, raw) in commands {
            if raw.why.get_ref().trim().is_empty() {
                wrong(raw.why.span(), "a command needs a reason".to_owned(), "write one sentence for the reviewer");
            }
            if *raw.effect.get_ref() == Effect::Change {
                let hint = "write it as [change-command.NAME], with `does`, `undoes` and `checks`";
                wrong(raw.effect.span(), "a command can only observe".to_owned(), hint);
            }
            match Command::new(name.get_ref(), raw.argv.get_ref().clone()) {
                Ok(command) => drop(named.commands.insert(name.get_ref().clone(), Arc::new(command))),
                Err(error @ LiteralError::Name) => wrong(name.span(), error.to_string(), ""),
                Err(error) => {
                    let hint = "write one list entry per word, such as [\"uname\", \"-r\", \"-m\"]; put anything that needs quotes into a script on the target";
                    let word = match &error {
                        LiteralError::Character { found } => {
                            raw.argv.get_ref().iter().find(|word| word.contains(found))
                        }
                        _ => None,
                    };
                    wrong(raw.argv.span(), with_value(word.map_or("", String::as_str), error), hint);
                }
            }
        }
        for (name, raw) in change_commands {
            if raw.why.get_ref().trim().is_empty() {
                wrong(
                    raw.why.span(),
                    "a change-command needs a reason".to_owned(),
                    "write one sentence for the reviewer",
                );
            }
            for argv in [&raw.does, &raw.undoes] {
                if let Some(error) = unchangeable_object(argv.get_ref()) {
                    wrong(argv.span(), error.to_string(), "no component may change it");
                }
            }
            let words = |argv: &Spanned<Vec<String>>| argv.get_ref().clone();
            match ChangeCommand::new(name.get_ref(), words(&raw.does), words(&raw.undoes), words(&raw.checks)) {
                Ok(command) => drop(named.change_commands.insert(name.get_ref().clone(), Arc::new(command))),
                Err(error @ LiteralError::Name) => wrong(name.span(), error.to_string(), ""),
                Err(error) => wrong(
                    raw.does.span(),
                    format!("does, undoes and checks: {error}"),
                    "put anything more complex into a script on the target, and name the script",
                ),
            }
        }
        named
    }

    /// The literal that a text stands for, as an object of this kind.
    ///
    /// # Errors
    /// When it is not valid, or no definition has this name.
    pub fn literal(&self, object: Object, text: &str) -> Result<Literal, LiteralError> {
        let definition = match object {
            Object::Statement => self.statements.get(text).cloned().map(Literal::Statement),
            Object::Command => self.commands.get(text).cloned().map(Literal::Command),
            Object::ChangeCommand => self.change_commands.get(text).cloned().map(Literal::ChangeCommand),
            _ => None,
        };
        definition.map_or_else(|| Literal::parse(object, text), Ok)
    }
}

/// The first argument that names something that no change may touch. The path of the program counts too.
fn unchangeable_object(argv: &[String]) -> Option<LiteralError> {
    const PROGRAMS: &[&str] = &["/usr/", "/bin/", "/sbin/"];
    const MANAGERS: &[&str] = &["systemctl", "service", "invoke-rc.d"];
    let about_units = argv.iter().filter_map(|word| word.rsplit('/').next()).any(|name| MANAGERS.contains(&name));
    let arguments: Vec<_> =
        argv.iter().filter(|word| !PROGRAMS.iter().any(|root| word.starts_with(root))).cloned().collect();
    words::names_in(&arguments).iter().find_map(|text| {
        let is_program = |error: &LiteralError| matches!(error, LiteralError::Unchangeable { what, .. } if ["/usr", "/bin", "/sbin", "/lib*"].contains(what));
        let file = Some(text).filter(|text| text.starts_with('/')).and_then(|text| writable::path_text(text).err());
        let file = file.filter(|error| !is_program(error));
        // A word such as `ssh` can mean anything, except where the name of a unit is expected.
        let is_unit = about_units || arguments.iter().any(|word| word.contains(text.as_str()));
        let unit = UnitName::new(text).ok().filter(|_| is_unit).and_then(|unit| writable::unit(&unit).err());
        file.or(unit)
    })
}
