//! `history`: what the component reported about a target before. It comes with the run; no target is contacted.

use std::collections::BTreeSet;

use wasmtime::component::{Linker, Resource};

use crate::imports::interface_name;
use crate::run::RunState;
use bailiwick_bindings::Target;
use bailiwick_bindings::ops::history::Point as WitPoint;
use bailiwick_bindings::ops::reports::Unit as WitUnit;
use bailiwick_core::model::{Point, Unit};

/// Links the functions that the component imports, if its manifest asks for its history.
pub(super) fn link(linker: &mut Linker<RunState>, functions: &BTreeSet<String>) -> wasmtime::Result<()> {
    if functions.is_empty() {
        return Ok(());
    }
    let mut history = linker.instance(&interface_name("history"))?;
    if functions.contains("earlier") {
        history.func_wrap("earlier", |mut store, (target,): (Resource<Target>,)| {
            store.data_mut().local()?;
            let points = store.data().target(&target)?.earlier.clone();
            store.data_mut().charge(points.iter().map(bytes).sum())?;
            Ok((points.into_iter().map(point).collect::<Vec<_>>(),))
        })?;
    }
    if functions.contains("previous-ms") {
        history.func_wrap("previous-ms", |mut store, (target,): (Resource<Target>,)| {
            store.data_mut().local()?;
            Ok((store.data().target(&target)?.previous_ms,))
        })?;
    }
    Ok(())
}

fn bytes(point: &Point) -> usize {
    48 + point.code.len() + point.subject.len() + point.metric.len()
}

fn point(point: Point) -> WitPoint {
    let Point { time_ms, code, subject, metric, unit, value } = point;
    let unit = match unit {
        Unit::Count => WitUnit::Count,
        Unit::Bytes => WitUnit::Bytes,
        Unit::Seconds => WitUnit::Seconds,
        Unit::Percent => WitUnit::Percent,
        Unit::Ratio => WitUnit::Ratio,
        Unit::PerSecond => WitUnit::PerSecond,
        Unit::PerHour => WitUnit::PerHour,
    };
    // The subject goes back to the component that wrote it.
    WitPoint { time_ms, code, subject: subject.for_encoder().to_owned(), metric, unit, value }
}
