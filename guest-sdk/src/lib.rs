//! Write Bailiwick probes, and fixes, in Rust.
//!
//! A probe is a read-only health check: a WebAssembly component that calls *verbs* on a *target* and returns
//! *findings*. It has no other input or output: no files, no network, and only the run's own clock. Its `manifest.toml`
//! must ask for exactly the verbs that it calls; functions that are never called are not imported.
//!
//! # A complete probe
//!
//! ```
//! use bailiwick_guest::{Failure, Finding, Probe, Report, Severity, Target, Unit, percent_of, system, text};
//!
//! struct Swap;
//!
//! impl Probe for Swap {
//!     fn examine(target: &Target) -> Result<Report, Failure> {
//!         let warn = target.params().number("warn-percent")?;
//!         let critical = target.params().number("critical-percent")?;
//!
//!         let memory = system::memory(target)?; // `?`: the run fails with the verb's error as the reason
//!         let used = memory.swap_total.saturating_sub(memory.swap_free);
//!         let Some(percent) = percent_of(used, memory.swap_total) else {
//!             return Ok(Finding::ok("swap", "", "no swap is set up").because(&memory).into());
//!         };
//!
//!         let title = format!("{} of swap is used ({})", text::percent(percent), text::bytes(used));
//!         Ok(Finding::new(Severity::rising(percent, warn, critical), "swap", "", title)
//!             .metric("used-percent", percent, Unit::Percent)
//!             .metric("used-bytes", used, Unit::Bytes)
//!             .because(&memory) // the verb call that is the evidence
//!             .into())
//!     }
//! }
//!
//! bailiwick_guest::export!(Swap);
//!
//! // On other targets than wasm, a fixture answers the verbs: test a probe like any other function.
//! use bailiwick_guest::{fixture::Fixture, system::MemoryInfo};
//! let gib = 1 << 30;
//! let report = Fixture::new()
//!     .param("warn-percent", 50.0)
//!     .param("critical-percent", 90.0)
//!     .memory(Ok(MemoryInfo { total: 8 * gib, available: gib, free: gib, swap_total: 4 * gib, swap_free: gib }))
//!     .examine::<Swap>()
//!     .unwrap();
//! assert_eq!(report.findings[0].title, "75.0 % of swap is used (3.0 GiB)");
//! assert_eq!(report.findings[0].severity, Severity::Warning);
//! ```
//!
//! `bailiwick new NAME --lang rust` writes a complete project with a copy of this crate; [the guide](guide) starts there. The
//! manifest of this probe:
//!
//! ```toml
//! [component]
//! id = "swap"
//! version = "0.1.0"
//! world = "bailiwick:ops/probe@0.1.0"
//! title = "Swap in use"
//!
//! [[use]]
//! verb = ["system.memory"]
//! why = "how much swap is used"
//!
//! [param.warn-percent]
//! default = 50.0
//! about = "warn from this share of used swap, in percent"
//!
//! [param.critical-percent]
//! default = 90.0
//! about = "critical from this share of used swap, in percent"
//! ```
//!
//! # Verbs on an object
//!
//! The probe never names a unit or a file: the manifest declares a *slot*, policy binds a literal to it, and
//! the probe passes the resulting [`Entry`](target::Entry) to the verb.
//!
//! ```
//! use bailiwick_guest::{Failure, Finding, Probe, Report, Target, VerbError, services};
//!
//! struct Running;
//!
//! impl Probe for Running {
//!     fn examine(target: &Target) -> Result<Report, Failure> {
//!         let unit = target.slot("unit")?; // `target.slots("units")` for a slot declared `many`
//!         let status = match services::status(target, &unit) {
//!             Err(gone) if gone.error() == VerbError::NotFound => {
//!                 let title = format!("{} does not exist", unit.literal);
//!                 return Ok(Finding::critical("state", &unit.literal, title).because(&gone).into());
//!             }
//!             answer => answer?,
//!         };
//!         let title = format!("{} is {}", unit.literal, status.sub_state);
//!         Ok(Finding::ok("state", &unit.literal, title).because(&status).into())
//!     }
//! }
//! # bailiwick_guest::export!(Running);
//! # let run = bailiwick_guest::fixture::Fixture::new().bind("unit", "nginx.service").status("unit", Err(VerbError::NotFound));
//! # assert_eq!(run.examine::<Running>().unwrap().findings[0].title, "nginx.service does not exist");
//! ```
//!
//! # A fix
//!
//! A [`Fix`] proposes a change and cannot make one: its changing verbs add actions to a plan. The host takes snapshots and
//! applies the plan after its approval. [The guide](guide::first_fix) lists all verbs.
//!
//! ```
//! use bailiwick_guest::{
//!     Decision, Failure, Finding, Fix, Report, Target, files, fixture::Fixture, files_change, services_change,
//! };
//!
//! struct Rules;
//!
//! fn has_rule(file: &[u8]) -> bool {
//!     String::from_utf8_lossy(file).contains("InstanceDown")
//! }
//!
//! impl Fix for Rules {
//!     fn plan(target: &Target) -> Result<Decision, Failure> {
//!         let (file, unit) = (target.slot("rules")?, target.slot("prometheus")?);
//!         let found = files::read(target, &file)?;
//!         if has_rule(&found.bytes) {
//!             return Ok(Decision::nothing("the base rules exist"));
//!         }
//!         files_change::write(target, &file, "base-rules")?; // a [[content]] of the manifest
//!         services_change::reload(target, &unit)?;
//!         Ok(Decision::propose("no rule alerts when an instance is down").because(&found))
//!     }
//!
//!     fn verify(target: &Target) -> Result<Report, Failure> {
//!         let found = files::read(target, &target.slot("rules")?)?;
//!         Ok(match has_rule(&found.bytes) {
//!             true => Finding::ok("base-rules", "", "the base rules exist").because(&found).into(),
//!             false => Finding::critical("base-rules", "", "the base rules are missing").because(&found).into(),
//!         })
//!     }
//! }
//!
//! bailiwick_guest::export_fix!(Rules);
//!
//! // A test checks the list of planned changes.
//! let empty = files::Content { bytes: b"groups: []".to_vec(), truncated: false };
//! let planned = Fixture::new()
//!     .bind("rules", "/etc/prometheus/rules/base.yml")
//!     .bind("prometheus", "prometheus.service")
//!     .read("rules", Ok(empty))
//!     .plan::<Rules>();
//! assert_eq!(planned.list(), ["files-change.write rules base-rules", "services-change.reload prometheus"]);
//! ```
//!
//! Its manifest names the world `fix`, and has a contract and every byte that it may write:
//!
//! ```toml
//! [component]
//! id = "rules"
//! version = "0.1.0"
//! world = "bailiwick:ops/fix@0.1.0"
//! title = "Base rules"
//!
//! [contract] # one sentence each; without it a fix does not load
//! intent = "Prometheus alerts when an instance is down"
//! rationale = "a separate file, so that no other rule is touched"
//! if-reverted = "no alert when an instance is down"
//! constraints = ["the rules must load in Prometheus 2.42"]
//!
//! [[answers]] # the findings that it answers
//! probe = "prometheus-rules"
//! code = "no-rules"
//!
//! [[content]] # `text` for a whole file, `line` (and `at = "start"`) for one line of it
//! name = "base-rules"
//! text = '''
//! groups:
//! - name: base
//!   rules:
//!   - alert: InstanceDown
//!     expr: up == 0
//! '''
//! why = "the basic rule: an instance is down"
//!
//! [[slot]]
//! name = "rules"
//! verb = ["files.read", "files-change.write"]
//! content = ["base-rules"] # what may be written there
//! default = "/etc/prometheus/rules/base.yml"
//! why = "whether the rules exist, and to write them"
//!
//! [[slot]]
//! name = "prometheus"
//! verb = ["services-change.reload"]
//! default = "prometheus.service"
//! why = "a reload makes it read the rules"
//! ```
//!
//! # What to return
//!
//! Return at least one finding per subject, also for a healthy one: severity ok, with the numbers. If the data
//! of one subject do not allow a decision, its finding is [`Severity::Unknown`]. If the probe could not check
//! the target at all, return a [`Failure`]; `?` converts the error of any verb.

#[expect(missing_docs, reason = "generated; the contract documents each item")]
mod bindings;
pub mod certificates;
pub mod clock;
pub mod commands;
pub mod commands_change;
pub mod containers;
pub mod containers_change;
pub mod files;
pub mod files_change;
mod fix;
#[cfg(not(target_arch = "wasm32"))]
pub mod fixture;
pub mod guide;
pub mod history;
pub mod http;
pub mod log;
pub mod logs;
pub mod network;
mod observed;
pub mod packages;
pub mod postgres;
mod probe;
mod report;
pub mod services;
pub mod services_change;
pub mod system;
pub mod target;
pub mod text;
pub mod time;

pub use bindings::bailiwick::ops::{
    reports::{Failure, Finding, Metric, Report, Severity, Unit},
    types::VerbError,
};
pub use fix::{Decision, Fix, Proposal, RefusalToFix, StageError, StageFailure};
pub use observed::{Evidence, Observed, VerbFailure};
pub use probe::{FleetProbe, Probe};
pub use report::{Quantity, percent_of};
pub use target::{Params, Target};

/// Makes the crate a component: exports `$probe`, a type that implements [`Probe`] or [`FleetProbe`]. Once per crate.
///
/// On other targets than wasm, it only checks that the type is a probe.
#[macro_export]
macro_rules! export {
    ($probe:ty) => {
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            struct Component;
            impl $crate::__private::bindings::Guest for Component {
                fn examine(
                    targets: ::std::vec::Vec<$crate::__private::RawTarget>,
                ) -> ::core::result::Result<$crate::Report, $crate::Failure> {
                    $crate::__private::examine::<$probe>(targets)
                }
            }
    $crate::__private::bindings::export_component!(Component with_types_in $crate::__private::bindings);
        };
        #[cfg(not(target_arch = "wasm32"))]
        const _: fn() = $crate::__private::is_a_probe::<$probe>;
    };
}

/// Makes the crate a component: exports `$fix`, a type that implements [`Fix`]. Once per crate.
///
/// On other targets than wasm, it only checks that the type is a fix.
#[macro_export]
macro_rules! export_fix {
    ($fix:ty) => {
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            struct Component;
            impl $crate::__private::bindings::fix::Guest for Component {
                fn plan(
                    target: $crate::__private::RawTarget,
                ) -> ::core::result::Result<$crate::Decision, $crate::Failure> {
                    $crate::__private::plan::<$fix>(target)
                }
                fn verify(
                    target: $crate::__private::RawTarget,
                ) -> ::core::result::Result<$crate::Report, $crate::Failure> {
                    $crate::__private::verify::<$fix>(target)
                }
            }
            $crate::__private::bindings::fix::export_component!(
                Component with_types_in $crate::__private::bindings::fix
            );
        };
        #[cfg(not(target_arch = "wasm32"))]
        const _: fn() = $crate::__private::is_a_fix::<$fix>;
    };
}

/// For [`export!`], [`export_fix!`], and the built-in interpreter.
#[doc(hidden)]
pub mod __private {
    #[cfg(target_arch = "wasm32")]
    pub use crate::{
        bindings::bailiwick::ops::types::Target as RawTarget,
        fix::{plan, verify},
        probe::examine,
    };

    pub use crate::observed::words;

    pub mod bindings {
        pub use crate::bindings::*;
    }

    /// The raw handle, for calls without an SDK function.
    #[cfg(target_arch = "wasm32")]
    pub fn handle(target: &crate::Target) -> &RawTarget {
        target.handle()
    }

    #[cfg(not(target_arch = "wasm32"))]
    pub fn is_a_probe<P: crate::FleetProbe>() {}

    #[cfg(not(target_arch = "wasm32"))]
    pub fn is_a_fix<F: crate::Fix>() {}
}
