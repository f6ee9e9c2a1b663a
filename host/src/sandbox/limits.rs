//! What one run may use. Every number is enforced inside the worker; wall time, calls, logs and the report are
//! enforced a second time by the broker.
//!
//! | what | default | when it is reached |
//! |---|---|---|
//! | fuel, in wasm instructions | 2,000,000,000 | the run ends: `Fuel` |
//! | wall time | 60 s | the run ends: `Wall` |
//! | linear memory, all of the run's | 64 MiB | `memory.grow` gives -1; a trap after that is `Memory` |
//! | tables, each of | 8 of 20,000 elements | `table.grow` gives -1; a trap after that is `Table` |
//! | core instances, memories | 16, 4 | the run ends: `Instances` |
//! | wasm stack | 512 KiB | the run ends: `Stack` |
//! | verb calls | 1,000 | `exhausted`; 16 tries later the run ends: `Calls` |
//! | other host calls (log, params, slots, …) | 100,000 | the run ends: `Calls` |
//! | bytes from guest to host, a call | 1 MiB | the run ends: `GuestBytes` |
//! | bytes from host to guest, a run | 16 MiB | verbs say `exhausted`; others end the run: `HostBytes` |
//! | component handles alive at once | 512 | the run ends: `CanonicalAbi` |
//! | log lines | 200 of 1 KiB | what is over is dropped and counted |
//! | report | [`crate::model::report_limits`] | the run ends: `Output` |

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Stack for wasm frames, in bytes. Part of the engine's configuration, the same for every run.
pub const WASM_STACK_BYTES: usize = 512 << 10;

/// Tries beyond the last verb call that are still answered with `exhausted`.
pub(crate) const EXHAUSTED_TRIES: u32 = 16;

/// Bounds of one run. The defaults are the table above.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Wasm instructions.
    pub fuel: u64,
    /// From start to end, waiting for answers included, in milliseconds.
    pub wall_ms: u64,
    /// Linear memory of the whole run, in bytes.
    pub memory_bytes: u64,
    /// Linear memories.
    pub memories: u32,
    /// Tables.
    pub tables: u32,
    /// Elements of one table.
    pub table_elements: u64,
    /// Core instances.
    pub instances: u32,
    /// Verb calls.
    pub calls: u32,
    /// Host calls that reach no target.
    pub local_calls: u32,
    /// Bytes that one call may carry from the guest.
    pub guest_bytes: u64,
    /// Bytes that all calls together may carry to the guest.
    pub host_bytes: u64,
    /// Component handles alive at once.
    pub handles: u32,
    /// Log lines.
    pub logs: u32,
    /// Bytes of one log line.
    pub log_bytes: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            fuel: 2_000_000_000,
            wall_ms: 60_000,
            memory_bytes: 64 << 20,
            memories: 4,
            tables: 8,
            table_elements: 20_000,
            instances: 16,
            calls: 1_000,
            local_calls: 100_000,
            guest_bytes: 1 << 20,
            host_bytes: 16 << 20,
            handles: 512,
            logs: 200,
            log_bytes: 1 << 10,
        }
    }
}

impl Limits {
    /// The wall time of a run.
    #[must_use]
    pub const fn wall(&self) -> Duration {
        Duration::from_millis(self.wall_ms)
    }
}
