//! Queries and programs that the operator writes once, under a name, and binds by it.
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
//! ```

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use toml::Spanned;

use crate::model::{Command, Database, Effect, Literal, LiteralError, Object, Statement};
use crate::source::{Problem, Problems, Source};

/// What names stand for.
#[derive(Debug, Default)]
pub struct Named {
    statements: BTreeMap<String, Arc<Statement>>,
    commands: BTreeMap<String, Arc<Command>>,
}

/// A statement as it is written, in policy and in cases.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawStatement {
    database: Spanned<String>,
    sql: Spanned<String>,
    why: Spanned<String>,
}

/// A command as it is written, in policy and in cases.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawCommand {
    argv: Spanned<Vec<String>>,
    /// There is no other yet: a program that changes something belongs to a fix.
    #[serde(rename = "effect")]
    _effect: Effect,
    why: Spanned<String>,
}

impl Named {
    /// Reads the definitions; mistakes go to `problems`.
    pub fn read(
        source: &Source,
        statements: &BTreeMap<Spanned<String>, RawStatement>,
        commands: &BTreeMap<Spanned<String>, RawCommand>,
        problems: &mut Problems,
    ) -> Self {
        let mut named = Self::default();
        let mut wrong = |at: std::ops::Range<usize>, message: String, hint: &str| {
            let problem = Problem::at(source.at(at), message);
            problems.push(if hint.is_empty() { problem } else { problem.hint(hint) });
        };
        for (name, raw) in statements {
            if raw.why.get_ref().trim().is_empty() {
                wrong(raw.why.span(), "a statement says why".to_owned(), "one sentence for whoever reviews it");
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
                Err(error) => wrong(raw.sql.span(), error.to_string(), "a second query is a second statement"),
            }
        }
        for (name, raw) in commands {
            if raw.why.get_ref().trim().is_empty() {
                wrong(raw.why.span(), "a command says why".to_owned(), "one sentence for whoever reviews it");
            }
            match Command::new(name.get_ref(), raw.argv.get_ref().clone()) {
                Ok(command) => drop(named.commands.insert(name.get_ref().clone(), Arc::new(command))),
                Err(error @ LiteralError::Name) => wrong(name.span(), error.to_string(), ""),
                Err(error) => {
                    let hint =
                        "words go to the target as they stand, never quoted; put what needs more into a script there";
                    wrong(raw.argv.span(), error.to_string(), hint);
                }
            }
        }
        named
    }

    /// What a text stands for where an object of this kind is due.
    ///
    /// # Errors
    /// When it does not fit, or nothing has this name.
    pub fn literal(&self, object: Object, text: &str) -> Result<Literal, LiteralError> {
        let found = match object {
            Object::Statement => self.statements.get(text).cloned().map(Literal::Statement),
            Object::Command => self.commands.get(text).cloned().map(Literal::Command),
            _ => None,
        };
        found.map_or_else(|| Literal::parse(object, text), Ok)
    }
}
