//! How PostgreSQL is queried: with its own client, over the target's local socket, as the account that is logged in.
//!
//! Knows: the options of `psql`. Must not know: any query. Attack answered: a statement that changes something. Three measures
//! prevent it: the role (an operator gives it `pg_monitor` and no more), the session's `default_transaction_read_only`, and
//! `begin … read only` around exactly one statement (`model::Statement`), which is rolled back. `psql` reads no startup file,
//! asks for no password, and stops at the first error. Tests on real servers are in `tests/tests/program/`.

use super::Part::{self, OptionField, Word};
use crate::model::Field;

pub(super) const PSQL: &[Part] = &[
    // Options of a connection win over what `alter role` and `alter database` set.
    Word("PGOPTIONS=-cdefault_transaction_read_only=on"),
    Word("PGCONNECT_TIMEOUT=5"),
    Word("PGCLIENTENCODING=UTF8"),
    Word("PGAPPNAME=bailiwick"),
    Word("psql"),
    Word("--no-psqlrc"),
    Word("--no-password"),
    Word("--quiet"),
    Word("--csv"),
    Word("--set=ON_ERROR_STOP=1"),
    // With the SQLSTATE: a server's messages may be in any language.
    Word("--set=VERBOSITY=verbose"),
    OptionField("--port=", Field::Port),
    OptionField("--dbname=", Field::Name),
    Word("--file=-"),
];

/// Time limits for the server; no messages below an error; a tab between fields, where redaction ends (at a comma it does
/// not); and a text for null, which CSV lacks.
const LIMITS: &str = "set statement_timeout = '10s';\nset lock_timeout = '2s';\nset client_min_messages = error;\n\
    \\pset csv_fieldsep '\\t'\n\\pset null '\u{2400}'\n";
const BEGIN: &str = "begin isolation level read committed read only;\n";

/// The input of `psql` for one of our own queries. The owner of a database can set its `search_path`: a view of the owner in
/// place of a catalogue would run with our rights.
pub(super) fn own(sql: &str) -> String {
    format!("{LIMITS}set search_path = pg_catalog;\n{BEGIN}{sql};\nrollback;\n")
}

/// The input of `psql` for an operator's statement. The semicolon has a line of its own, because a comment ends with its line.
/// `\gdesc` prints the types of the columns, without running it again.
pub(super) fn given(sql: &str) -> String {
    format!("{LIMITS}{BEGIN}{sql}\n;\n\\gdesc\nrollback;\n")
}
