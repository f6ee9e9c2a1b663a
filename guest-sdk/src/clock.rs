//! The time of the run. Touches no target.

/// When this run began, in milliseconds since 1970-01-01T00:00Z, by the controller's clock. The same however often it
/// is asked, so that a replay says the same. Not the target's clock: the two can differ.
pub fn now_ms() -> u64 {
    #[cfg(target_arch = "wasm32")]
    return crate::bindings::bailiwick::ops::clock::now_ms();
    #[cfg(not(target_arch = "wasm32"))]
    return crate::fixture::now_ms();
}
