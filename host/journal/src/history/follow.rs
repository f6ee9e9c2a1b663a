//! Reads the journal on from where it was read before, and files what runs have said.
//!
//! One way for a sweep's end, for the first question after a crash and for a rebuild: what this database holds is always what
//! reading the journal from its beginning would give. The place that was read to is kept in the same transaction as what
//! was read, and the entry at that place is looked at again before anything is added.

use std::collections::BTreeMap;
use std::path::Path;

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};

use super::store::Store;
use super::{HistoryError, Watch};
use crate::{Entry, Link, Mark, ReadError, Reader, RunEnd};
use bailiwick_core::model::{ComponentId, Report, TargetName, filed_under};

/// Entries that are read in one transaction.
const STEP: usize = 10_000;
/// Numbers older than this are not kept: a year, and a month to compare it with.
const KEPT_MS: u64 = 400 * 24 * 3_600_000;

/// What reading the journal came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Followed {
    /// Entries that were read.
    pub entries: u64,
    /// Runs that ended in them.
    pub runs: u64,
    /// Numbers of those.
    pub numbers: u64,
}

pub(super) fn follow(store: &mut Store, journal: &Path, watch: &mut dyn Watch) -> Result<Followed, HistoryError> {
    let mut all = Followed::default();
    loop {
        let (step, more) = one_step(store, journal, watch)?;
        all.entries += step.entries;
        all.runs += step.runs;
        all.numbers += step.numbers;
        if !more {
            return Ok(all);
        }
    }
}

/// Reads some entries; true if there may be more.
fn one_step(store: &mut Store, folder: &Path, watch: &mut dyn Watch) -> Result<(Followed, bool), HistoryError> {
    match mark_of(&store.db).map_err(|source| store.error(source))? {
        Some(mark) if Reader::behind(folder, &mark)?.is_none() => {
            let line = store.set_aside("does not go with the journal beside it")?;
            watch.say(&line);
        }
        _ => {}
    }
    match transact(&mut store.db, folder, watch) {
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

fn transact(db: &mut Connection, folder: &Path, watch: &mut dyn Watch) -> Result<(Followed, bool), Failed> {
    // From the first look at the mark on nobody else writes: two processes read the same entries one after the other.
    let work = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut reader = match mark_of(&work)? {
        None => Reader::open(folder).map_err(Failed::Read)?,
        Some(mark) => match Reader::behind(folder, &mark).map_err(Failed::Read)? {
            Some(reader) => reader,
            // The journal has changed under our eyes; the next step sets the database aside.
            None => return Ok((Followed::default(), true)),
        },
    };
    let mut filer = Filer { work: &work, open: BTreeMap::new(), done: Followed::default() };
    let mut more = true;
    for _ in 0..STEP {
        match reader.next() {
            None => {
                more = false;
                break;
            }
            Some(Ok(record)) => filer.take(record.seq, record.entry)?,
            // Somebody is writing it this moment, or was stopped: what is whole is read.
            Some(Err(ReadError::Torn { .. })) => {
                more = false;
                break;
            }
            Some(Err(error)) => {
                watch.say(&format!(
                    "warning: history ends where the journal does: {error}; `bailiwick journal verify` tells more"
                ));
                more = false;
                break;
            }
        }
    }
    let done = filer.done;
    if let (Some(mark), true) = (reader.mark(), done.entries > 0) {
        let at = i64::try_from(mark.at).unwrap_or(i64::MAX);
        let seq = i64::try_from(mark.link.seq).unwrap_or(i64::MAX);
        work.execute("INSERT OR REPLACE INTO mark VALUES (1, ?, ?, ?)", params![at, seq, mark.link.hash])?;
        forget_old(&work)?;
    }
    work.commit()?;
    let (at, of) = reader.progress();
    watch.read(at, of);
    Ok((done, more))
}

fn mark_of(db: &Connection) -> rusqlite::Result<Option<Mark>> {
    let row = |row: &rusqlite::Row<'_>| {
        let (at, seq): (i64, i64) = (row.get(0)?, row.get(1)?);
        let link = Link { seq: u64::try_from(seq).unwrap_or(0), hash: row.get(2)? };
        Ok(Mark { at: u64::try_from(at).unwrap_or(0), link })
    };
    db.query_row("SELECT at, seq, hash FROM mark", [], row).optional()
}

fn forget_old(work: &Transaction<'_>) -> rusqlite::Result<()> {
    let newest: Option<i64> = work.query_row("SELECT max(time_ms) FROM run", [], |row| row.get(0))?;
    let least = newest.unwrap_or(0).saturating_sub(i64::try_from(KEPT_MS).unwrap_or(i64::MAX));
    if least > 0 {
        work.execute("DELETE FROM point WHERE time_ms < ?", [least])?;
        work.execute("DELETE FROM run WHERE time_ms < ?", [least])?;
    }
    Ok(())
}

/// A run that has begun.
struct Begun {
    component: ComponentId,
    targets: Vec<TargetName>,
    time_ms: u64,
}

struct Filer<'w> {
    work: &'w Transaction<'w>,
    /// Runs that began in this transaction.
    open: BTreeMap<u64, Begun>,
    done: Followed,
}

impl Filer<'_> {
    fn take(&mut self, seq: u64, entry: Entry) -> rusqlite::Result<()> {
        self.done.entries += 1;
        match entry {
            Entry::RunStarted(start) => {
                let (component, time_ms) = (start.component.clone(), start.now_ms);
                let begun = Begun { component, targets: start.into_targets().map(|on| on.target).collect(), time_ms };
                self.begin(seq, &begun)?;
                self.open.insert(seq, begun);
                Ok(())
            }
            Entry::RunEnded { run, end: RunEnd::Report(report), .. } => self.end(run, &report),
            _ => Ok(()),
        }
    }

    fn begin(&self, number: u64, begun: &Begun) -> rusqlite::Result<()> {
        let mut insert = self.work.prepare("INSERT OR REPLACE INTO run VALUES (?, ?, ?, ?, 0, 0)")?;
        for target in &begun.targets {
            insert.execute(params![target.as_str(), begun.component.as_str(), sql(begun.time_ms), sql(number)])?;
        }
        Ok(())
    }

    /// A run that began in an earlier transaction.
    fn recall(&self, number: u64) -> rusqlite::Result<Option<Begun>> {
        let mut select = self.work.prepare("SELECT component, time_ms, target FROM run WHERE number = ?")?;
        let mut rows = select.query([sql(number)])?;
        let mut found: Option<Begun> = None;
        while let Some(row) = rows.next()? {
            let (component, time_ms, target): (String, i64, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
            let (Ok(component), Ok(target)) = (ComponentId::new(&component), TargetName::new(&target)) else {
                continue;
            };
            let time_ms = u64::try_from(time_ms).unwrap_or(0);
            found.get_or_insert_with(|| Begun { component, targets: Vec::new(), time_ms }).targets.push(target);
        }
        Ok(found)
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

/// SQLite's numbers have a sign. What does not fit is a time or a number that no journal of ours has.
pub(super) fn sql(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
