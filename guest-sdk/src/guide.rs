//! How to write a probe, and a fix: the pages in `docs/`. Their Rust examples are compiled and run as tests. Their examples in
//! other languages are parts of the probes that `bailiwick new` writes, and are built with them.

#[doc = include_str!("../docs/first-probe.md")]
pub mod first_probe {}

#[doc = include_str!("../docs/first-fix.md")]
pub mod first_fix {}

#[doc = include_str!("../docs/contract.md")]
pub mod contract {}

#[doc = include_str!("../docs/declared.md")]
pub mod declared {}

#[doc = include_str!("../docs/cases.md")]
pub mod cases {}

#[doc = include_str!("../docs/refused.md")]
pub mod refused {}
