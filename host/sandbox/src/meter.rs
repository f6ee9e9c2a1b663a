//! Memory, tables and instances of one run, summed.
//!
//! Attack answered: many memories that each fit (GR04–GR06): the engine's own limits hold for each memory, this one for
//! all memories of a run. It remembers the first refusal, which distinguishes a guest that aborts because of it from one that
//! panics.

use wasmtime::ResourceLimiter;

use super::fault::FaultKind;
use bailiwick_core::limits::Limits;

/// What a run has allocated so far.
#[derive(Debug)]
pub(super) struct Meter {
    memory: usize,
    memory_max: usize,
    table_max: usize,
    memories: usize,
    tables: usize,
    instances: usize,
    refused: Option<FaultKind>,
}

impl Meter {
    pub(super) fn new(limits: &Limits) -> Self {
        let count = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
        Self {
            memory: 0,
            memory_max: count(limits.memory_bytes),
            table_max: count(limits.table_elements),
            memories: count(limits.memories),
            tables: count(limits.tables),
            instances: count(limits.instances),
            refused: None,
        }
    }

    /// The growth that was refused first, as the fault that it leads to.
    pub(super) fn refused(&self) -> Option<&FaultKind> {
        self.refused.as_ref()
    }

    fn refuse(&mut self, kind: FaultKind) -> wasmtime::Result<bool> {
        self.refused.get_or_insert(kind);
        Ok(false)
    }
}

impl ResourceLimiter for Meter {
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        let sum = self.memory.saturating_sub(current).saturating_add(desired);
        if sum > self.memory_max {
            return self.refuse(FaultKind::Memory(self.memory_max as u64));
        }
        self.memory = sum;
        Ok(true)
    }

    fn table_growing(&mut self, _current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        if desired > self.table_max {
            return self.refuse(FaultKind::Table(self.table_max as u64));
        }
        Ok(true)
    }

    fn instances(&self) -> usize {
        self.instances
    }

    fn tables(&self) -> usize {
        self.tables
    }

    fn memories(&self) -> usize {
        self.memories
    }
}
