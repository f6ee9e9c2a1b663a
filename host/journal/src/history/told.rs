//! What a run was told of its past, out of the journal alone: for replay, and for a case that is recorded.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::earlier::{Earlier, share};
use crate::{Entry, Past, ReadError, Reader, RunEnd};
use bailiwick_core::model::{Point, TargetName, filed_under};

/// Why it cannot be said what a run was told.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ToldError {
    /// It does not hold the run's start.
    #[error("the journal does not hold run {0}")]
    NotThere(u64),
    /// A run that it was told of is not there any more, or says something else.
    #[error("run {run} was told other numbers of {target} than the journal holds of runs {}", list(.earlier))]
    Differs {
        /// The run.
        run: u64,
        /// Of which target.
        target: TargetName,
        /// What it was told of.
        earlier: Vec<u64>,
    },
}

fn list(runs: &[u64]) -> String {
    runs.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// What runs were told of each of their targets, in the order of these: numbers, oldest first. The journal is read twice, however
/// many runs there are, and as far as it holds together.
///
/// # Errors
/// When there is no journal. What it does not hold of a run, number for number, is that run's error.
pub fn told(folder: &Path, runs: &BTreeSet<u64>) -> Result<BTreeMap<u64, Result<Told, ToldError>>, ReadError> {
    let starts = starts(folder, runs)?;
    let pasts = starts.values().flatten().filter_map(|(_, past)| past.as_ref());
    let said = said(folder, &pasts.flat_map(|past| past.runs.iter().copied()).collect())?;
    let of_run = |run: &u64| {
        let start = starts.get(run).ok_or(ToldError::NotThere(*run))?;
        let room = share(start.len());
        let of_target = |(target, past): &(TargetName, Option<Past>)| {
            let Some(past) = past else { return Ok(Vec::new()) };
            let all = past.runs.iter().filter_map(|run| said.get(run)).flatten();
            let mut points: Vec<Point> = all.filter(|(of, _)| of == target).map(|(_, point)| point.clone()).collect();
            points.truncate(room);
            if Earlier::digest(&points) == past.digest {
                Ok(points)
            } else {
                Err(ToldError::Differs { run: *run, target: target.clone(), earlier: past.runs.clone() })
            }
        };
        start.iter().map(of_target).collect()
    };
    Ok(runs.iter().map(|run| (*run, of_run(run))).collect())
}

/// What a run was told of each of its targets.
pub type Told = Vec<Vec<Point>>;

/// A target, and what the journal says that the run was told of it.
type ToldOf = (TargetName, Option<Past>);

/// Each run's targets, and what it was told of each.
fn starts(folder: &Path, runs: &BTreeSet<u64>) -> Result<BTreeMap<u64, Vec<ToldOf>>, ReadError> {
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

/// What runs said, in numbers, and of which target.
fn said(folder: &Path, runs: &BTreeSet<u64>) -> Result<BTreeMap<u64, Vec<(TargetName, Point)>>, ReadError> {
    let mut begun: BTreeMap<u64, (Vec<TargetName>, u64)> = BTreeMap::new();
    let mut said = BTreeMap::new();
    if runs.is_empty() {
        return Ok(said);
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
                    said.insert(run, points.map(|(_, target, point)| (target.clone(), point)).collect());
                }
            }
            _ => {}
        }
        if said.len() == runs.len() {
            break;
        }
    }
    Ok(said)
}
