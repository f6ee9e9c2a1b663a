//! PostgreSQL: `postgres.*`. Fixed queries take the slot of a database; [`query`] takes the slot of an operator's
//! statement.
//!
//! ```
//! use bailiwick_guest::{
//!     Failure, Finding, Probe, Report, Severity, Target, fixture::Fixture,
//!     postgres::{self, Cell, Column, Table},
//! };
//!
//! struct Orders;
//!
//! impl Probe for Orders {
//!     fn examine(target: &Target) -> Result<Report, Failure> {
//!         let statement = target.slot("statement")?;
//!         let table = postgres::query(target, &statement)?;
//!         let waiting = table.number(0, "waiting").ok_or_else(|| Failure::new("no number `waiting`"))?;
//!         let title = format!("{waiting} orders wait");
//!         Ok(Finding::new(Severity::rising(waiting, 10.0, 100.0), "orders", "", title).because(&table).into())
//!     }
//! }
//! # bailiwick_guest::export!(Orders);
//!
//! let table = Table {
//!     columns: vec![Column { name: "waiting".to_owned(), kind: "bigint".to_owned() }],
//!     rows: vec![vec![Cell::Number(12.0)]],
//! };
//! let run = Fixture::new().bind("statement", "orders#0123456789ab").query("statement", Ok(table));
//! assert_eq!(run.examine::<Orders>().unwrap().findings[0].severity, Severity::Warning);
//! ```

pub use crate::bindings::bailiwick::ops::postgres::{
    ActivityInfo, Blocked, Cell, Column, Database, Holder, ReplicationInfo, ReplicationSlot, Role, Session, Setting,
    Standby, Table,
};
use crate::observed::verb;

verb! {
    /// `postgres.databases`: all databases of the entry's server. At most 512 KiB, 20 s.
    "postgres.databases" postgres::databases(target, entry) -> Vec<Database>
}
verb! {
    /// `postgres.activity`: who is connected, the longest transactions first. At most 512 KiB, 20 s.
    "postgres.activity" postgres::activity(target, entry) -> ActivityInfo
}
verb! {
    /// `postgres.settings`: the settings that cannot hold a secret. At most 512 KiB, 20 s.
    "postgres.settings" postgres::settings(target, entry) -> Vec<Setting>
}
verb! {
    /// `postgres.replication`: how far the server, or its standbys, are behind. At most 512 KiB, 20 s.
    "postgres.replication" postgres::replication(target, entry) -> ReplicationInfo
}
verb! {
    /// `postgres.locks`: which sessions wait for a lock, and who holds it, the longest wait first. At most 512 KiB, 20 s.
    "postgres.locks" postgres::locks(target, entry) -> Vec<Blocked>
}
verb! {
    /// `postgres.query`: what the entry's statement returns. At most 1,000 rows, 256 KiB, 20 s.
    "postgres.query" postgres::query(target, entry) -> Table
}

impl Table {
    /// The index of the first column with this name.
    pub fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name == name)
    }

    /// The cell of a row, counted from 0, in the first column with this name; none if the row or column does not exist.
    pub fn cell(&self, row: usize, name: &str) -> Option<&Cell> {
        self.rows.get(row)?.get(self.column(name)?)
    }

    /// The value of that cell, if it is a finite number.
    pub fn number(&self, row: usize, name: &str) -> Option<f64> {
        match self.cell(row, name)? {
            Cell::Number(number) if number.is_finite() => Some(*number),
            _ => None,
        }
    }

    /// The value of that cell, if it is a text.
    pub fn text(&self, row: usize, name: &str) -> Option<&str> {
        match self.cell(row, name)? {
            Cell::Text(text) => Some(text),
            _ => None,
        }
    }
}
