//! What a run was told of its past, out of the journal alone: for replay, and for a case that is recorded.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::earlier::{Earlier, share};
use crate::journal::{Entry, Past, ReadError, Reader, RunEnd};
use crate::model::{Point, TargetName, filed_under};

/// Why it cannot be said what a run was told.
#[derive(Debug, thiserror::Error)]
pub enum ToldError {
    /// The journal cannot be read.
    #[error("cannot read the journal")]
    Read(#[from] ReadError),
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

/// What a run was told of each of its targets, in their order: numbers, oldest first.
///
/// # Errors
/// When the journal does not hold what it was told, number for number.
pub fn told(folder: &Path, run: u64) -> Result<Vec<Vec<Point>>, ToldError> {
    let Some(start) = start(folder, run)? else { return Err(ToldError::NotThere(run)) };
    let wanted: BTreeSet<u64> =
        start.iter().flat_map(|(_, past)| past).flat_map(|past| past.runs.iter().copied()).collect();
    let mut begun: BTreeMap<u64, (Vec<TargetName>, u64)> = BTreeMap::new();
    let mut said: BTreeMap<u64, Vec<(TargetName, Point)>> = BTreeMap::new();
    for record in Reader::open(folder)? {
        if said.len() == wanted.len() {
            break;
        }
        let record = record?;
        match record.entry {
            Entry::RunStarted { target, others, now_ms, .. } if wanted.contains(&record.seq) => {
                let targets = std::iter::once(target).chain(others.into_iter().map(|other| other.target));
                begun.insert(record.seq, (targets.collect(), now_ms));
            }
            Entry::RunEnded { run, end: RunEnd::Report(report), .. } if wanted.contains(&run) => {
                if let Some((targets, time_ms)) = begun.get(&run) {
                    let points = filed_under(&report, targets, *time_ms);
                    said.insert(run, points.map(|(_, target, point)| (target.clone(), point)).collect());
                }
            }
            _ => {}
        }
    }
    let room = share(start.len());
    let of_target = |(target, past): &(TargetName, Option<Past>)| {
        let Some(past) = past else { return Ok(Vec::new()) };
        let all = past.runs.iter().filter_map(|run| said.get(run)).flatten();
        let mut points: Vec<Point> = all.filter(|(of, _)| of == target).map(|(_, point)| point.clone()).collect();
        points.truncate(room);
        if Earlier::digest(&points) == past.digest {
            Ok(points)
        } else {
            Err(ToldError::Differs { run, target: target.clone(), earlier: past.runs.clone() })
        }
    };
    start.iter().map(of_target).collect()
}

/// A target, and what the journal says that the run was told of it.
type ToldOf = (TargetName, Option<Past>);

/// The run's targets, and what it was told of each.
fn start(folder: &Path, run: u64) -> Result<Option<Vec<ToldOf>>, ReadError> {
    for record in Reader::open(folder)? {
        let record = record?;
        if record.seq < run {
            continue;
        }
        return Ok(match record.entry {
            Entry::RunStarted { target, earlier, others, .. } if record.seq == run => {
                let others = others.into_iter().map(|other| (other.target, other.earlier));
                Some(std::iter::once((target, earlier)).chain(others).collect())
            }
            _ => None,
        });
    }
    Ok(None)
}
