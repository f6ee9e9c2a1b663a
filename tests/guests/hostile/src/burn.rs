//! Time, stack and memory.

use std::hint::black_box;

use core::arch::wasm32::{memory_grow, memory_size};
use raw::{Outcome, Severity, Target, count, finding};

use crate::ask::one;

const PAGE: usize = 64 << 10;
const REFUSED: usize = usize::MAX;

/// `loop br 0`.
pub(crate) fn forever(_: &Target) -> Outcome {
    #[expect(clippy::empty_loop, reason = "the point")]
    loop {}
}

/// As much time for as little fuel as can be: growth that is refused is one instruction, and the host has to think about
/// it. Measured: 20 ns per fuel, so that 2e9 fuel last 40 s or longer; give the run less wall time, and time must end it.
/// (Bulk memory instructions would be no use: they pay by the byte.)
pub(crate) fn cheaply_forever(_: &Target) -> Outcome {
    loop {
        grow_in_vain();
        grow_in_vain();
        grow_in_vain();
        grow_in_vain();
        grow_in_vain();
        grow_in_vain();
        grow_in_vain();
        grow_in_vain();
    }
}

#[inline(always)]
fn grow_in_vain() {
    memory_grow::<0>(65_535);
}

/// Turns of [`slow`]. Measured: 17 fuel and 50 ns each.
const SLOW_TURNS: u32 = 59_000_000;

/// Burns about 1e9 fuel, half of what a run has by default, in 2 s or more, and then reports: time to kill something in.
/// Square roots that wait for one another take longest.
pub(crate) fn slow(_: &Target) -> Outcome {
    let mut state = black_box(2.0_f64);
    for _ in 0..SLOW_TURNS {
        state = (state * 1.0e9).sqrt().sqrt().sqrt().sqrt().sqrt().sqrt().sqrt().sqrt();
    }
    let mut finding = finding(Severity::Ok, "slow", "", "done at last");
    finding.metrics.push(count("state", state));
    one(finding)
}

/// Calls itself until the stack ends. Integers alone, so that it is wasm's stack and not the shadow stack in memory.
pub(crate) fn recurse(_: &Target) -> Outcome {
    #[inline(never)]
    fn deeper(level: u64) -> u64 {
        if level == 0 { 0 } else { deeper(level - 1).rotate_left(1) ^ level }
    }
    let depth = deeper(black_box(u64::MAX));
    one(finding(Severity::Critical, "recurse", "", &depth.to_string()))
}

/// Grows memory by a page until that is refused, asks for 65,535 pages at once, and aborts.
pub(crate) fn grow_and_abort(_: &Target) -> Outcome {
    while memory_grow::<0>(1) != REFUSED {}
    black_box(memory_grow::<0>(65_535));
    std::process::abort()
}

/// Allocates and writes all there is, a MiB at a time; the allocator aborts in the end.
pub(crate) fn allocate_and_touch(_: &Target) -> Outcome {
    let mut kept = Vec::new();
    loop {
        kept.push(black_box(vec![0xA5_u8; 1 << 20]));
    }
}

/// Takes no for an answer: grows until that is refused, and reports how much memory there is. This run may end well.
pub(crate) fn grow_and_report(_: &Target) -> Outcome {
    // In MiB first, and a little left for the report itself.
    let before = memory_size::<0>();
    while memory_grow::<0>(16) != REFUSED {}
    let mut finding = finding(Severity::Ok, "memory", "", "grew until refused");
    finding.metrics = vec![
        count("pages-before", before as f64),
        count("pages", memory_size::<0>() as f64),
        count("bytes", (memory_size::<0>() * PAGE) as f64),
    ];
    one(finding)
}

/// Panics: wasm's `unreachable`.
#[expect(clippy::panic, reason = "the point")]
pub(crate) fn trap(_: &Target) -> Outcome {
    panic!("as asked")
}
