//! libFuzzer's program. It has one build for all targets, since most of what is linked is the same: `BAILIWICK_FUZZ` names
//! the target. `BAILIWICK_SEEDS` names a folder that gets the target's seeds before libFuzzer reads it.

#![no_main]
#![expect(clippy::unwrap_used, clippy::panic, reason = "it is a test")]

use std::sync::OnceLock;

use bailiwick_fuzz::{Target, target};
use libfuzzer_sys::fuzz_target;

static CHOSEN: OnceLock<&'static Target> = OnceLock::new();

fn choose() {
    let name = std::env::var("BAILIWICK_FUZZ").unwrap_or_default();
    let Some(chosen) = target(&name) else { panic!("BAILIWICK_FUZZ names no target: tests/fuzz/run --list") };
    if let Some(folder) = std::env::var_os("BAILIWICK_SEEDS") {
        for (number, seed) in (chosen.seeds)().into_iter().enumerate() {
            std::fs::write(std::path::Path::new(&folder).join(format!("seed-{number:03}")), seed).unwrap();
        }
    }
    CHOSEN.get_or_init(|| chosen);
}

fuzz_target!(init: choose(), |data: &[u8]| {
    if let Some(chosen) = CHOSEN.get() {
        (chosen.check)(data);
    }
});
