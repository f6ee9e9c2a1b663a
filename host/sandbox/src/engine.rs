//! The engine's configuration, and a component compiled and linked by it.
//!
//! Knows: wasmtime's switches. Attack answered: a feature, stack or growth that the defaults leave open (LK15–LK17, GR02).
//! Threats.md 5.2 is the recipe; there is no async support and no cache of the engine's own.

use std::num::NonZeroUsize;
use std::time::Duration;

use wasmtime::component::{Component, Linker};
use wasmtime::{Config, Engine, OptLevel, WasmBacktraceDetails};

use super::host::{self, Pre};
use super::imports::Links;
use super::inspect::FEATURES;
use bailiwick_core::limits::STACK_BYTES;

/// How often the epoch advances: the resolution of wall time inside wasm.
pub(super) const TICK: Duration = Duration::from_millis(50);

/// The engine of a worker.
///
/// # Errors
/// When this processor or build does not support the configuration.
pub(super) fn engine() -> wasmtime::Result<Engine> {
    Engine::new(&config())
}

fn config() -> Config {
    let mut config = Config::new();
    config
        .wasm_features(FEATURES.complement(), false)
        .wasm_features(FEATURES, true)
        // For the engine's own glue between components inside a component, which copies from one memory to another: it
        // panics without. In a component's own code more than one memory is refused by `inspect`, before this.
        .wasm_multi_memory(true)
        .gc_support(false)
        .shared_memory(false)
        .concurrency_support(false)
        .consume_fuel(true)
        .epoch_interruption(true)
        // The bits of a NaN are the only thing that may differ between machines.
        .cranelift_nan_canonicalization(true)
        // A component runs for microseconds and may be compiled in each sweep. This also runs less code of the compiler.
        .cranelift_opt_level(OptLevel::None)
        .max_wasm_stack(STACK_BYTES as usize)
        // Frames carry the guest's names: few of them, and tainted.
        .wasm_backtrace_max_frames(NonZeroUsize::new(8))
        .wasm_backtrace_details(WasmBacktraceDetails::Disable)
        // Images of memory would need memfds, and a worker has no descriptor except its socket.
        .memory_init_cow(false);
    config
}

/// Links what the manifest of a component asks for, and nothing else, and checks every type.
///
/// # Errors
/// When an import has no definition or another type, or what its world exports is missing.
pub(super) fn link(component: &Component, links: &Links) -> wasmtime::Result<Pre> {
    let mut linker = Linker::new(component.engine());
    host::link(&mut linker, links)?;
    Pre::new(linker.instantiate_pre(component)?, links.world)
}

#[cfg(test)]
mod tests;
