//! Notes for debugging the component: they go to the journal, never into the report. At most 200 lines of 1 KiB per run;
//! more are dropped and counted. Touches no target.

pub use crate::bindings::bailiwick::ops::log::Level;

/// Adds a line at level debug.
pub fn debug(message: &str) {
    write(Level::Debug, message);
}

/// Adds a line at level info.
pub fn info(message: &str) {
    write(Level::Info, message);
}

/// Adds a line at level warning.
pub fn warning(message: &str) {
    write(Level::Warning, message);
}

fn write(level: Level, message: &str) {
    #[cfg(target_arch = "wasm32")]
    crate::bindings::bailiwick::ops::log::write(level, message);
    #[cfg(not(target_arch = "wasm32"))]
    crate::fixture::note(level, message);
}
