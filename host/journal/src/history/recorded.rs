//! The earlier numbers that a run got, from the journal alone: for replay, and for recording a case.
//!
//! Knows: entries. Must not know: the database. Attack answered: a replay on other numbers than the run had (JR12): the journal has
//! their digest.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::earlier::{Earlier, share};
use crate::{Entry, Past, ReadError, Reader, RunEnd};
use bailiwick_core::model::{Point, TargetName, filed_under};

/// Why the earlier numbers that a run got are unknown.
#[derive(Debug, Clone, thiserror::Error)]
pub enum PastError {
    /// The journal does not have the run's start.
    #[error("the journal does not contain run {0}")]
    NoRun(u64),
    /// An earlier run is missing, or has other numbers.
    #[error("the numbers that run {run} got for {target} do not match the journal's numbers of runs {}", list(.earlier))]
    Differs {
        /// The run.
        run: u64,
        /// The target.
        target: TargetName,
        /// The earlier runs.
        earlier: Vec<u64>,
    },
}

fn list(runs: &[u64]) -> String {
    runs.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// The earlier numbers that runs got for each of their targets, in the order of the targets, oldest first. The journal is read twice,
/// up to the first entry that cannot be read.
///
/// # Errors
/// There is no journal. If the numbers of one run do not match, that run has an error.
pub fn past_numbers(
    folder: &Path,
    runs: &BTreeSet<u64>,
) -> Result<BTreeMap<u64, Result<PastNumbers, PastError>>, ReadError> {
    let starts = starts(folder, runs)?;
    let pasts = starts.values().flatten().filter_map(|(_, past)| past.as_ref());
    let reported = reported(folder, &pasts.flat_map(|past| past.runs.iter().copied()).collect())?;
    let of_run = |run: &u64| {
        let start = starts.get(run).ok_or(PastError::NoRun(*run))?;
        let room = share(start.len());
        let of_target = |(target, past): &(TargetName, Option<Past>)| {
            let Some(past) = past else { return Ok(Vec::new()) };
            let all = past.runs.iter().filter_map(|run| reported.get(run)).flatten();
            let mut points: Vec<Point> = all.filter(|(on, _)| on == target).map(|(_, point)| point.clone()).collect();
            points.truncate(room);
            if Earlier::digest(&points) == past.digest {
                Ok(points)
            } else {
                Err(PastError::Differs { run: *run, target: target.clone(), earlier: past.runs.clone() })
            }
        };
        start.iter().map(of_target).collect()
    };
    Ok(runs.iter().map(|run| (*run, of_run(run))).collect())
}

/// The earlier numbers that a run got, for each of its targets.
pub type PastNumbers = Vec<Vec<Point>>;

/// A target, and which earlier numbers the run got for it.
type TargetPast = (TargetName, Option<Past>);

/// The targets of each run, and which earlier numbers it got for them.
fn starts(folder: &Path, runs: &BTreeSet<u64>) -> Result<BTreeMap<u64, Vec<TargetPast>>, ReadError> {
    let mut starts = BTreeMap::new();
    let Some(last) = runs.last() else { return Ok(starts) };
    for record in Reader::open(folder)? {
        let Ok(record) = record else { break };
        if record.seq > *last {
            break;
        }
        if let Entry::RunStarted(start) = record.entry
            && runs.contains(&record.seq)
        {
            let targets = start.into_targets().map(|on| (on.target, on.earlier));
            starts.insert(record.seq, targets.collect());
        }
    }
    Ok(starts)
}

/// The numbers that runs reported, with their targets.
fn reported(folder: &Path, runs: &BTreeSet<u64>) -> Result<BTreeMap<u64, Vec<(TargetName, Point)>>, ReadError> {
    let mut begun: BTreeMap<u64, (Vec<TargetName>, u64)> = BTreeMap::new();
    let mut reported = BTreeMap::new();
    if runs.is_empty() {
        return Ok(reported);
    }
    for record in Reader::open(folder)? {
        let Ok(record) = record else { break };
        match record.entry {
            Entry::RunStarted(start) if runs.contains(&record.seq) => {
                let now_ms = start.now_ms;
                begun.insert(record.seq, (start.into_targets().map(|on| on.target).collect(), now_ms));
            }
            Entry::RunEnded { run, end: RunEnd::Report(report), .. } if runs.contains(&run) => {
                if let Some((targets, time_ms)) = begun.get(&run) {
                    let points = filed_under(&report, targets, *time_ms);
                    reported.insert(run, points.map(|(_, target, point)| (target.clone(), point)).collect());
                }
            }
            _ => {}
        }
        if reported.len() == runs.len() {
            break;
        }
    }
    Ok(reported)
}
