//! How PostgreSQL is asked: by its own client, over the target's own socket, as the account that is logged in.
//!
//! Attack answered: a statement that changes something. Three bars, each enough: the role (an operator gives it
//! `pg_monitor` and no more), the session's `default_transaction_read_only`, and `begin read only` around one statement
//! that can hold no second one (`model::Statement`). `psql` reads no file of the account, asks for no password, and stops
//! at the first error.

use super::Part::{self, OptionField, Word};
use crate::model::Field;

pub(super) const PSQL: &[Part] = &[
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
    OptionField("--port=", Field::Port),
    OptionField("--dbname=", Field::Name),
    Word("--file=-"),
];

/// What `psql` reads: the time limits first, then one statement in a transaction that cannot write.
pub(super) fn script(sql: &str) -> String {
    format!("set statement_timeout = '10s';\nset lock_timeout = '2s';\nbegin read only;\n{sql};\nrollback;\n")
}
