//! Reads the journal from the position where reading ended before, and stores the numbers of runs.
//!
//! Knows: entries, the tables. Must not know: who uses the numbers. A sweep, the first query after a crash and a rebuild all do the
//! same, so that the database always has what reading the journal from its beginning gives. The position is stored in the same
//! transaction as the numbers, and the entry at the position is checked before anything is added.

use std::collections::BTreeMap;
use std::path::Path;

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};

use super::store::Store;
use super::{HistoryError, Progress};
use crate::{Entry, EntryRef, ReadError, ReadPosition, Reader, RunEnd};
use bailiwick_core::model::{ComponentId, Report, TargetName, filed_under};

/// Maximum number of entries in one transaction.
const STEP: usize = 10_000;
/// Numbers older than this are deleted: a year, and a month to compare it with.
const KEPT_MS: u64 = 400 * 24 * 3_600_000;

/// What was read from the journal.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Imported {
    /// Number of entries.
    pub entries: u64,
    /// Number of runs that ended in them.
    pub runs: u64,
    /// Number of numbers of these runs.
    pub numbers: u64,
}

pub(super) fn update(store: &mut Store, journal: &Path, progress: &mut dyn Progress) -> Result<Imported, HistoryError> {
    let mut all = Imported::default();
    loop {
        let (step, more) = one_step(store, journal, progress)?;
        all.entries += step.entries;
        all.runs += step.runs;
        all.numbers += step.numbers;
        if !more {
            return Ok(all);
        }
    }
}

/// Reads some entries. True if there may be more.
fn one_step(store: &mut Store, folder: &Path, progress: &mut dyn Progress) -> Result<(Imported, bool), HistoryError> {
    match position(&store.db).map_err(|source| store.error(source))? {
        Some(position) if Reader::after(folder, &position)?.is_none() => {
            let line = store.set_aside("does not match the journal")?;
            progress.warn(&line);
        }
        _ => {}
    }
    match transact(&mut store.db, folder, progress) {
        Ok(done) => Ok(done),
        Err(Failed::Read(error)) => Err(error.into()),
        Err(Failed::Write(source)) => Err(store.error(source)),
    }
}

enum Failed {
    Read(ReadError),
    Write(rusqlite::Error),
}

impl From<rusqlite::Error> for Failed {
    fn from(error: rusqlite::Error) -> Self {
        Self::Write(error)
    }
}

fn transact(db: &mut Connection, folder: &Path, progress: &mut dyn Progress) -> Result<(Imported, bool), Failed> {
    // From here on no other process writes: two processes read the same entries one after the other.
    let work = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut reader = match position(&work)? {
        None => Reader::open(folder).map_err(Failed::Read)?,
        Some(position) => match Reader::after(folder, &position).map_err(Failed::Read)? {
            Some(reader) => reader,
            // The journal has changed in between. The next step sets the database aside.
            None => return Ok((Imported::default(), true)),
        },
    };
    let mut importer = Importer { work: &work, open: BTreeMap::new(), done: Imported::default() };
    let mut more = true;
    for _ in 0..STEP {
        match reader.next() {
            None => {
                more = false;
                break;
            }
            Some(Ok(record)) => importer.add(record.seq, record.entry)?,
            // A process is writing it at this moment, or was stopped: the whole entries are read.
            Some(Err(ReadError::Torn { .. })) => {
                more = false;
                break;
            }
            Some(Err(error)) => {
                progress.warn(&format!(
                    "warning: the history ends before an entry that cannot be read: {error}; run `bailiwick journal verify` for details"
                ));
                more = false;
                break;
            }
        }
    }
    let done = importer.done;
    if let (Some(position), true) = (reader.position(), done.entries > 0) {
        let at = i64::try_from(position.offset).unwrap_or(i64::MAX);
        let seq = i64::try_from(position.entry.seq).unwrap_or(i64::MAX);
        work.execute("INSERT OR REPLACE INTO mark VALUES (1, ?, ?, ?)", params![at, seq, position.entry.hash])?;
        delete_old(&work)?;
    }
    work.commit()?;
    let (bytes, total) = reader.progress();
    progress.progress(bytes, total);
    Ok((done, more))
}

fn position(db: &Connection) -> rusqlite::Result<Option<ReadPosition>> {
    let row = |row: &rusqlite::Row<'_>| {
        let (at, seq): (i64, i64) = (row.get(0)?, row.get(1)?);
        let entry = EntryRef { seq: u64::try_from(seq).unwrap_or(0), hash: row.get(2)? };
        Ok(ReadPosition { offset: u64::try_from(at).unwrap_or(0), entry })
    };
    db.query_row("SELECT at, seq, hash FROM mark", [], row).optional()
}

fn delete_old(work: &Transaction<'_>) -> rusqlite::Result<()> {
    let newest: Option<i64> = work.query_row("SELECT max(time_ms) FROM run", [], |row| row.get(0))?;
    let least = newest.unwrap_or(0).saturating_sub(i64::try_from(KEPT_MS).unwrap_or(i64::MAX));
    if least > 0 {
        work.execute("DELETE FROM point WHERE time_ms < ?", [least])?;
        work.execute("DELETE FROM run WHERE time_ms < ?", [least])?;
    }
    Ok(())
}

/// A run that began and has not ended.
struct OpenRun {
    component: ComponentId,
    targets: Vec<TargetName>,
    time_ms: u64,
}

struct Importer<'w> {
    work: &'w Transaction<'w>,
    /// Runs that began in this transaction.
    open: BTreeMap<u64, OpenRun>,
    done: Imported,
}

impl Importer<'_> {
    fn add(&mut self, seq: u64, entry: Entry) -> rusqlite::Result<()> {
        self.done.entries += 1;
        match entry {
            Entry::RunStarted(start) => {
                let (component, time_ms) = (start.component.clone(), start.now_ms);
                let begun = OpenRun { component, targets: start.into_targets().map(|on| on.target).collect(), time_ms };
                self.begin(seq, &begun)?;
                self.open.insert(seq, begun);
                Ok(())
            }
            Entry::RunEnded { run, end: RunEnd::Report(report), .. } => self.end(run, &report),
            _ => Ok(()),
        }
    }

    fn begin(&self, number: u64, begun: &OpenRun) -> rusqlite::Result<()> {
        let mut insert = self.work.prepare("INSERT OR REPLACE INTO run VALUES (?, ?, ?, ?, 0, 0)")?;
        for target in &begun.targets {
            insert.execute(params![target.as_str(), begun.component.as_str(), sql(begun.time_ms), sql(number)])?;
        }
        Ok(())
    }

    /// A run that began in an earlier transaction.
    fn recall(&self, number: u64) -> rusqlite::Result<Option<OpenRun>> {
        let mut select = self.work.prepare("SELECT component, time_ms, target FROM run WHERE number = ?")?;
        let mut rows = select.query([sql(number)])?;
        let mut run: Option<OpenRun> = None;
        while let Some(row) = rows.next()? {
            let (component, time_ms, target): (String, i64, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
            let (Ok(component), Ok(target)) = (ComponentId::new(&component), TargetName::new(&target)) else {
                continue;
            };
            let time_ms = u64::try_from(time_ms).unwrap_or(0);
            run.get_or_insert_with(|| OpenRun { component, targets: Vec::new(), time_ms }).targets.push(target);
        }
        Ok(run)
    }

    fn end(&mut self, number: u64, report: &Report) -> rusqlite::Result<()> {
        let Some(begun) = self.open.remove(&number).map_or_else(|| self.recall(number), |begun| Ok(Some(begun)))?
        else {
            return Ok(());
        };
        self.done.runs += 1;
        let component = begun.component.as_str();
        let mut counts: BTreeMap<&TargetName, i64> = begun.targets.iter().map(|target| (target, 0)).collect();
        let mut insert = self.work.prepare("INSERT OR REPLACE INTO point VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")?;
        for (place, target, point) in filed_under(report, &begun.targets, begun.time_ms) {
            let severity =
                report.findings.get(place as usize >> 8).map_or("unknown", |finding| finding.severity.name());
            insert.execute(params![
                target.as_str(),
                component,
                sql(begun.time_ms),
                sql(number),
                place,
                point.code,
                point.subject.for_encoder(),
                point.metric,
                point.unit.name(),
                point.value,
                severity,
            ])?;
            *counts.entry(target).or_default() += 1;
            self.done.numbers += 1;
        }
        let mut update = self.work.prepare(
            "UPDATE run SET looked = 1, numbers = ? WHERE target = ? AND component = ? AND time_ms = ? AND number = ?",
        )?;
        for (target, count) in counts {
            update.execute(params![count, target.as_str(), component, sql(begun.time_ms), sql(number)])?;
        }
        Ok(())
    }
}

/// SQLite's numbers have a sign. A journal that we wrote has no number that does not fit.
pub(super) fn sql(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
