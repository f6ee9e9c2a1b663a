//! How to write a probe, and a fix: the pages in `docs/`. What stands in them in Rust is compiled and run as a test; what stands in
//! other languages is part of the probes that `bailiwick new` writes, and built with them.

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
