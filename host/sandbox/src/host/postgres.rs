//! Readers of the `postgres` verbs' answers.
//!
//! Attack answered: a server, or a role on it, that returns a part as if it were all (TG05): a header that differs from the
//! query's own, or a `complete` that is not true, is not accepted.

use super::csv::{Record, records};
use super::psql::why;
use super::text::{decimal, ended, number, whole};
use bailiwick_bindings::ops::postgres::{
    ActivityInfo, Blocked, Cell, Column, Database, Holder, ReplicationInfo, ReplicationSlot, Role, Session, Setting,
    Standby, Table,
};
use bailiwick_core::model::Answer;
use bailiwick_core::model::VerbError;

use VerbError::{Garbled, NotFound, NotPermitted, TooLarge, Unsupported};

/// Maximum rows and columns of an operator's statement.
const ROWS_MAX: usize = 1_000;
const COLUMNS_MAX: usize = 100;

pub(super) fn databases(answer: &Answer) -> Result<Vec<Database>, VerbError> {
    let rows = rows(answer, ["datname", "bytes", "datistemplate", "frozen_age"])?;
    let database = |row: Row<4>| {
        let [database, bytes, template, age] = row;
        Ok(Database {
            name: name(database)?,
            bytes: maybe(bytes, number)?,
            template: flag(template)?,
            frozen_age: sure(age, number)?,
        })
    };
    rows.into_iter().map(database).collect()
}

pub(super) fn activity(answer: &Answer) -> Result<ActivityInfo, VerbError> {
    let rows = rows(
        answer,
        [
            "complete",
            "slots",
            "reserved",
            "clients",
            "own",
            "pid",
            "backend_type",
            "datname",
            "usename",
            "application_name",
            "state",
            "wait_event_type",
            "transaction_s",
            "state_s",
        ],
    )?;
    let mut info: Option<ActivityInfo> = None;
    for [complete, slots, reserved, clients, own, pid, kind, database, user, application, state, waits, begun, since] in
        rows
    {
        if !flag(complete)? {
            return Err(NotPermitted);
        }
        let (slots, reserved, clients) = (sure(slots, number)?, sure(reserved, number)?, sure(clients, number)?);
        let info = info.get_or_insert_with(|| ActivityInfo {
            connections_max: slots,
            reserved,
            connections: clients,
            sessions: Vec::new(),
        });
        if flag(own)? {
            continue;
        }
        info.sessions.push(Session {
            pid: sure(pid, number)?,
            kind: name(kind)?,
            database: text(database)?,
            user: text(user)?,
            application: text(application)?,
            state: state.unwrap_or_default(),
            waits_for: waits.unwrap_or_default(),
            transaction_s: maybe(begun, seconds)?,
            state_s: maybe(since, seconds)?,
        });
    }
    // The client itself is connected, so there must be a row.
    info.ok_or(Garbled)
}

pub(super) fn settings(answer: &Answer) -> Result<Vec<Setting>, VerbError> {
    let rows = rows(answer, ["name", "setting", "unit", "source", "pending_restart"])?;
    if rows.is_empty() {
        return Err(Garbled);
    }
    let setting = |row: Row<5>| {
        let [setting, value, unit, source, pending] = row;
        Ok(Setting {
            name: name(setting)?,
            value: text(value)?,
            unit: unit.unwrap_or_default(),
            source: source.ok_or(Garbled)?,
            pending_restart: flag(pending)?,
        })
    };
    rows.into_iter().map(setting).collect()
}

pub(super) fn replication(answer: &Answer) -> Result<ReplicationInfo, VerbError> {
    let rows = rows(answer, ["complete", "kind", "name", "state", "detail", "bytes", "seconds"])?;
    let (mut server, mut standbys, mut slots) = (None, Vec::new(), Vec::new());
    for [complete, kind, who, state, detail, bytes, behind] in rows {
        if !flag(complete)? {
            return Err(NotPermitted);
        }
        let (bytes, behind, detail) = (maybe(bytes, number)?, maybe(behind, seconds)?, detail.unwrap_or_default());
        let state = state.ok_or(Garbled)?;
        match kind.as_deref() {
            Some("server") => {
                let role = match state.as_str() {
                    "primary" => Role::Primary,
                    "standby" => Role::Standby,
                    _ => return Err(Garbled),
                };
                let info = ReplicationInfo {
                    role,
                    receiver: detail,
                    bytes_behind: bytes,
                    seconds_behind: behind,
                    standbys: Vec::new(),
                    slots: Vec::new(),
                };
                if server.replace(info).is_some() {
                    return Err(Garbled);
                }
            }
            Some("standby") => standbys.push(Standby {
                name: name(who)?,
                state,
                sync: detail,
                bytes_behind: bytes,
                seconds_behind: behind,
            }),
            Some("slot") => slots.push(ReplicationSlot {
                name: name(who)?,
                active: match state.as_str() {
                    "active" => true,
                    "inactive" => false,
                    _ => return Err(Garbled),
                },
                wal_status: detail,
                retained_bytes: bytes,
            }),
            _ => return Err(Garbled),
        }
    }
    Ok(ReplicationInfo { standbys, slots, ..server.ok_or(Garbled)? })
}

pub(super) fn locks(answer: &Answer) -> Result<Vec<Blocked>, VerbError> {
    let rows = rows(
        answer,
        [
            "complete",
            "pid",
            "backend_type",
            "datname",
            "usename",
            "application_name",
            "locktype",
            "mode",
            "relation",
            "waiting_s",
            "by_pid",
            "by_kind",
            "by_user",
            "by_application",
            "by_state",
            "by_transaction_s",
        ],
    )?;
    if rows.is_empty() {
        return Err(Garbled);
    }
    let mut all: Vec<Blocked> = Vec::new();
    let alone = rows.len() == 1;
    for row in rows {
        let [complete, pid, kind, database, user, application, lock, mode, relation, waiting, by @ ..] = row;
        if !flag(complete)? {
            return Err(NotPermitted);
        }
        // One empty row: no session waits.
        let Some(pid) = maybe(pid, number)? else {
            return if alone { Ok(all) } else { Err(Garbled) };
        };
        let (lock, mode, waiting_s) = (lock.ok_or(Garbled)?, mode.ok_or(Garbled)?, maybe(waiting, seconds)?);
        let holder = holder(by)?;
        match all.last_mut() {
            // In the order of the query, the holders that one session waits for are adjacent. One process waits for one lock at
            // a time.
            Some(last) if last.pid == pid => last.holders.extend(holder),
            _ => all.push(Blocked {
                pid,
                kind: name(kind)?,
                database: text(database)?,
                user: text(user)?,
                application: text(application)?,
                lock,
                mode,
                relation: text(relation)?,
                waiting_s,
                holders: holder.into_iter().collect(),
            }),
        }
    }
    Ok(all)
}

fn holder([pid, kind, user, application, state, begun]: Row<6>) -> Result<Option<Holder>, VerbError> {
    let Some(pid) = maybe(pid, number)? else { return Ok(None) };
    Ok(Some(Holder {
        pid,
        kind: text(kind)?,
        user: text(user)?,
        application: text(application)?,
        state: state.unwrap_or_default(),
        transaction_s: maybe(begun, seconds)?,
    }))
}

/// A table, followed by the output of `\gdesc` about its columns: as many records as it has columns, and a header.
pub(super) fn query(answer: &Answer) -> Result<Table, VerbError> {
    if !ended(answer, &[0]) {
        return Err(why(answer, NotFound));
    }
    let mut table = records(&whole(answer)?)?;
    let columns = table.first().ok_or(Garbled)?.len();
    let described = table.len().checked_sub(columns + 1).filter(|at| *at > 0).ok_or(Garbled)?;
    let mut description = table.split_off(described).into_iter();
    if !is_header(&description.next().unwrap_or_default(), &["Column", "Type"]) {
        return Err(Garbled);
    }
    let mut rows = table.into_iter();
    let header = rows.next().unwrap_or_default();
    if columns > COLUMNS_MAX || rows.len() > ROWS_MAX {
        return Err(TooLarge);
    }
    let column = |(name, described): (Option<String>, Record)| match <[_; 2]>::try_from(described) {
        Ok([described, Some(kind)]) if described == name => Ok(Column { name: name.unwrap_or_default(), kind }),
        _ => Err(Garbled),
    };
    let columns = header.into_iter().zip(description).map(column).collect::<Result<Vec<_>, _>>()?;
    let row = |record: Record| {
        if record.len() != columns.len() {
            return Err(Garbled);
        }
        record.into_iter().zip(&columns).map(|(field, column)| cell(field, &column.kind)).collect()
    };
    let rows = rows.map(row).collect::<Result<_, _>>()?;
    Ok(Table { columns, rows })
}

fn cell(field: Option<String>, kind: &str) -> Result<Cell, VerbError> {
    let Some(text) = field else { return Ok(Cell::Null) };
    // `numeric(10,2)`
    Ok(match kind.split('(').next().unwrap_or_default() {
        "smallint" | "integer" | "bigint" | "numeric" | "real" | "double precision" | "oid" => {
            Cell::Number(float(&text)?)
        }
        "boolean" => Cell::Flag(flag(Some(text))?),
        _ => Cell::Text(text),
    })
}

/// A number as PostgreSQL prints it: `-1`, `0.5`, `1e+20`, `NaN`, `-Infinity`. Rust reads more than that.
fn float(text: &str) -> Result<f64, VerbError> {
    let known = matches!(text, "NaN" | "Infinity" | "-Infinity");
    let digits = text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'-' | b'+' | b'.' | b'e'));
    if known || digits { text.parse().map_err(|_| Garbled) } else { Err(Garbled) }
}

type Row<const N: usize> = [Option<String>; N];

/// The rows of a built-in query, whose header is known.
fn rows<const N: usize>(answer: &Answer, header: [&str; N]) -> Result<Vec<Row<N>>, VerbError> {
    if !ended(answer, &[0]) {
        return Err(why(answer, Unsupported));
    }
    let mut records = records(&whole(answer)?)?.into_iter();
    if !is_header(&records.next().ok_or(Garbled)?, &header) {
        return Err(Garbled);
    }
    records.map(|record| record.try_into().map_err(|_| Garbled)).collect()
}

fn is_header(record: &Record, names: &[&str]) -> bool {
    record.iter().map(Option::as_deref).eq(names.iter().copied().map(Some))
}

fn flag(field: Option<String>) -> Result<bool, VerbError> {
    match field.as_deref() {
        Some("t") => Ok(true),
        Some("f") => Ok(false),
        _ => Err(Garbled),
    }
}

/// Seconds. If the clock was set back, an age is negative, and counts as 0.
fn seconds(text: &str) -> Result<f64, VerbError> {
    match text.strip_prefix('-') {
        Some(negative) => decimal(negative).map(|_| 0.0),
        None => decimal(text),
    }
}

/// A text that other users chose. It begins with a tab, so that it is quoted. Null becomes an empty text.
fn text(field: Option<String>) -> Result<String, VerbError> {
    Ok(maybe(field, |text| text.strip_prefix('\t').map(str::to_owned).ok_or(Garbled))?.unwrap_or_default())
}

/// The same, but null is an error.
fn name(field: Option<String>) -> Result<String, VerbError> {
    if field.is_none() { Err(Garbled) } else { text(field) }
}

/// A field that may be null.
fn maybe<T>(field: Option<String>, read: impl Fn(&str) -> Result<T, VerbError>) -> Result<Option<T>, VerbError> {
    field.as_deref().map(read).transpose()
}

/// A field that must not be null.
fn sure<T>(field: Option<String>, read: impl Fn(&str) -> Result<T, VerbError>) -> Result<T, VerbError> {
    read(&field.ok_or(Garbled)?)
}
