//! The time of the run. Touches no target.

/// When this run started, in milliseconds since 1970-01-01T00:00Z, by the controller's clock. Every call in a run returns
/// the same value, so that a replay does too. The target's clock can differ.
pub fn now_ms() -> u64 {
    #[cfg(target_arch = "wasm32")]
    return crate::bindings::bailiwick::ops::clock::now_ms();
    #[cfg(not(target_arch = "wasm32"))]
    return crate::fixture::now_ms();
}
