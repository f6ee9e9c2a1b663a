//! The table. A row is a field of [`Limits`], its name in a policy, its default, its hard maximum, and its description.
//!
//! Defaults are for probes of about 100 KiB, as Rust and C make them; they were measured with `probes/dist` and the benchmarks.
//! Hard maxima admit an interpreter in a component (CPython: 18 MiB, bodies of megabytes, 200 MiB of memory), and end where the
//! engine's reader ends or where one component would exhaust the machine.

use serde::{Deserialize, Serialize};

use super::{Row, SetBy, Unit};
use crate::model::report_limits as report;

macro_rules! settable {
    ($($field:ident $name:literal = $default:expr, max $max:expr, $unit:ident, $bounds:literal, $reached:literal;)*) => {
        /// The limits of one component. The default is the table's.
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        pub struct Limits {
            $(#[doc = $bounds] pub $field: u64,)*
        }

        /// The limits that policy sets.
        pub const SETTABLE: &[Row] = &[$(Row {
            name: $name,
            default: $default,
            max: $max,
            unit: Unit::$unit,
            bounds: $bounds,
            reached: $reached,
            set_by: SetBy::Policy,
        },)*];

        impl Default for Limits {
            fn default() -> Self {
                Self { $($field: $default,)* }
            }
        }

        impl Limits {
            /// The value of the limit of this name.
            #[must_use]
            pub fn get(&self, name: &str) -> Option<u64> {
                match name {
                    $($name => Some(self.$field),)*
                    _ => None,
                }
            }

            /// Sets a limit.
            pub(super) fn set(&mut self, row: &Row, value: u64) {
                match row.name {
                    $($name => self.$field = value,)*
                    _ => {}
                }
            }
        }
    };
}

settable! {
    // One run.
    fuel "fuel" = 2_000_000_000, max 200_000_000_000, Count,
        "Maximum WebAssembly instructions per run.", "the run ends: `used up its fuel`";
    wall_ms "wall-ms" = 60_000, max 600_000, Milliseconds,
        "Maximum duration of a run, including the wait for answers.", "the run ends: `took longer`";
    memory_bytes "memory-bytes" = 64 << 20, max 1 << 30, Bytes,
        "Maximum WebAssembly memory of a run, all its memories together.", "`memory.grow` gives -1; a trap after that ends the run: `needed more memory`";
    memories "memories" = 4, max 64, Count,
        "Maximum number of WebAssembly memories per run.", "the run ends: `too many instances, memories or tables`";
    tables "tables" = 8, max 64, Count,
        "Maximum number of WebAssembly tables per run.", "the run ends: `too many instances, memories or tables`";
    table_elements "table-elements" = 20_000, max 1_000_000, Count,
        "Maximum number of elements in one WebAssembly table.", "`table.grow` gives -1; a trap after that ends the run: `needed a table`";
    instances "instances" = 16, max 256, Count,
        "Maximum number of WebAssembly module instances per run.", "the run ends: `too many instances, memories or tables`";
    calls "calls" = 1_000, max 10_000, Count,
        "Maximum number of verb calls (actions) per run.", "verbs return `exhausted`; after 16 more calls the run ends: `made more calls`";
    local_calls "local-calls" = 100_000, max 10_000_000, Count,
        "Maximum number of other host calls per run (log, parameters, slots, clock).", "the run ends: `made more calls`";
    guest_bytes "guest-bytes" = 1 << 20, max 16 << 20, Bytes,
        "Maximum data from the component in one call.", "the run ends: `passed more in one call`";
    host_bytes "host-bytes" = 16 << 20, max 256 << 20, Bytes,
        "Maximum data to the component in all calls of a run.", "verbs return `exhausted`; other calls end the run";
    handles "handles" = 512, max 65_536, Count,
        "Maximum number of open component handles.", "the run ends: `broke the canonical ABI`";
    logs "logs" = 200, max 2_000, Count,
        "Maximum number of log lines per run.", "further lines are dropped and counted";
    log_bytes "log-bytes" = 1 << 10, max 16 << 10, Bytes,
        "Maximum length of a log line.", "the rest is cut off and counted";

    // A component's structure, before anything is compiled.
    component_bytes "component-bytes" = 8 << 20, max super::COMPONENT_BYTES_MAX, Bytes,
        "Maximum size of a component's file.", "the component is refused before it is read";
    core_modules "core-modules" = 16, max 256, Count,
        "Maximum number of WebAssembly modules, including nested ones.", "the component is refused before it is compiled";
    components "components" = 16, max 256, Count,
        "Maximum number of components inside the component.", "the component is refused before it is compiled";
    component_depth "component-depth" = 4, max 16, Count,
        "Maximum nesting of components inside components.", "the component is refused before it is compiled";
    functions "functions" = 20_000, max 200_000, Count,
        "Maximum number of functions in all modules.", "the component is refused before it is compiled";
    body_bytes "body-bytes" = 256 << 10, max 7_654_321, Bytes,
        "Maximum size of the body of a function.", "the component is refused before it is compiled";
    locals "locals" = 1_000, max 50_000, Count,
        "Maximum number of local variables of a function.", "the component is refused before it is compiled";
    br_table "br-table" = 4_096, max 1_000_000, Count,
        "Maximum number of branch targets in one `br_table`.", "the component is refused before it is compiled";
    types "types" = 20_000, max 200_000, Count,
        "Maximum number of types in all modules and components, with their fields, cases and parameters.", "the component is refused before it is compiled";
    type_depth "type-depth" = 20, max 50, Count,
        "Maximum nesting of types (a list of records has two levels).", "the component is refused before it is compiled";
    imports "imports" = 10_000, max 200_000, Count,
        "Maximum number of imports of all modules and components.", "the component is refused before it is compiled";
    exports "exports" = 10_000, max 200_000, Count,
        "Maximum number of exports of all modules and components.", "the component is refused before it is compiled";
    globals "globals" = 10_000, max 200_000, Count,
        "Maximum number of globals in all modules.", "the component is refused before it is compiled";
    elements "elements" = 20_000, max 500_000, Count,
        "Maximum number of elements in all element segments.", "the component is refused before it is compiled";
    data_segments "data-segments" = 10_000, max 100_000, Count,
        "Maximum number of data segments in all modules.", "the component is refused before it is compiled";
    items "items" = 10_000, max 200_000, Count,
        "Maximum number of other items: tables, memories, instances and their arguments, aliases.", "the component is refused before it is compiled";
    custom_bytes "custom-bytes" = 1 << 20, max 32 << 20, Bytes,
        "Maximum size of all custom sections (names, notes, the manifest).", "the component is refused before it is compiled";

    // Compiling it.
    compile_s "compile-s" = 30, max 600, Seconds,
        "Maximum processor time to compile a component.", "its worker is ended: `took longer to compile`";
    compile_bytes "compile-bytes" = 1536 << 20, max 6 << 30, Bytes,
        "Maximum memory of a worker process that compiles.", "its worker is ended: `died while compiling`";
    worker_bytes "worker-bytes" = 3 << 30, max super::WORKER_BYTES_MAX, Bytes,
        "Maximum memory of a worker process, all runs of a component together.", "a run gets no memory, or its worker dies";
}

const CONTRACT: &str = "the contract (wit/) promises it";
const ENGINE: &str = "part of the engine's configuration";
const PROTOCOL: &str = "part of the protocol between broker and worker";

const fn fixed(
    name: &'static str,
    value: u64,
    unit: Unit,
    bounds: &'static str,
    reached: &'static str,
    set_by: SetBy,
) -> Row {
    Row { name, default: value, max: value, unit, bounds, reached, set_by }
}

/// The limits that policy does not set.
pub const FIXED: &[Row] = &[
    fixed(
        "stack-bytes",
        super::STACK_BYTES,
        Unit::Bytes,
        "Maximum WebAssembly stack of a run.",
        "the run ends: `recursed too deeply`",
        SetBy::Fixed(ENGINE),
    ),
    fixed(
        "findings",
        report::FINDINGS as u64,
        Unit::Count,
        "Maximum number of findings in a report.",
        "the run ends: `invalid report`",
        SetBy::Fixed(CONTRACT),
    ),
    fixed(
        "metrics",
        report::METRICS as u64,
        Unit::Count,
        "Maximum number of metrics of a finding.",
        "the run ends: `invalid report`",
        SetBy::Fixed(CONTRACT),
    ),
    fixed(
        "evidence",
        report::EVIDENCE as u64,
        Unit::Count,
        "Maximum number of calls that a finding names as evidence.",
        "the run ends: `invalid report`",
        SetBy::Fixed(CONTRACT),
    ),
    fixed(
        "line-bytes",
        report::LINE_BYTES as u64,
        Unit::Bytes,
        "Maximum length of a subject, a title or a reason.",
        "the run ends: `invalid report`",
        SetBy::Fixed(CONTRACT),
    ),
    fixed(
        "report-bytes",
        report::REPORT_BYTES as u64,
        Unit::Bytes,
        "Maximum length of all text in a report.",
        "the run ends: `invalid report`",
        SetBy::Fixed(CONTRACT),
    ),
    fixed(
        "exhausted-tries",
        super::EXHAUSTED_TRIES,
        Unit::Count,
        "Maximum number of further verb calls that return `exhausted`.",
        "the run ends: `made more calls`",
        SetBy::Fixed(CONTRACT),
    ),
    fixed(
        "answer-bytes",
        super::ANSWER_BYTES,
        Unit::Bytes,
        "Maximum answer to one call; most verbs allow less (`bailiwick review`).",
        "the verb returns `too-large`",
        SetBy::Fixed("each verb sets its own limit"),
    ),
    fixed(
        "answer-s",
        super::ANSWER_S,
        Unit::Seconds,
        "Maximum wait for one answer; most verbs allow less (`bailiwick review`).",
        "the verb returns `timed-out`",
        SetBy::Fixed("each verb sets its own limit"),
    ),
    fixed(
        "worker-message-bytes",
        super::WORKER_MESSAGE_BYTES,
        Unit::Bytes,
        "Maximum length of a worker's message.",
        "the worker is killed: `broke the protocol`",
        SetBy::Fixed(PROTOCOL),
    ),
    fixed(
        "worker-files",
        super::WORKER_FILES,
        Unit::Count,
        "Maximum number of open files of a worker, including its socket.",
        "the worker cannot open another file",
        SetBy::Fixed("a worker needs no more"),
    ),
    fixed(
        "compiling",
        super::COMPILING,
        Unit::Count,
        "Maximum number of components compiled concurrently.",
        "the next one waits",
        SetBy::Fixed("more would only share the same processors"),
    ),
    fixed(
        "deaths",
        super::DEATHS,
        Unit::Count,
        "Maximum number of crashes of a component's worker.",
        "it is not started again; if it caused the crashes, it is in quarantine",
        SetBy::Fixed("a component that breaks its worker may be at work on the engine"),
    ),
    Row {
        name: "jobs",
        default: super::JOBS,
        max: super::JOBS_MAX,
        unit: Unit::Count,
        bounds: "Maximum number of targets checked concurrently.",
        reached: "the next one waits",
        set_by: SetBy::Option("--jobs"),
    },
    fixed(
        "anchor-bytes",
        super::ANCHOR_BYTES,
        Unit::Bytes,
        "Maximum size of an anchor that `journal verify` reads.",
        "the anchor is not compared, and `journal verify` reports it",
        SetBy::Fixed("enough for half a million heads"),
    ),
    fixed(
        "anchor-s",
        super::ANCHOR_S,
        Unit::Seconds,
        "Maximum wait for one anchor after connecting.",
        "the sweep reports that the anchor accepted no head",
        SetBy::Fixed("a sweep must come to an end"),
    ),
    fixed(
        "channels",
        super::CHANNELS,
        Unit::Count,
        "Maximum number of concurrent requests on one connection.",
        "the next one waits",
        SetBy::Fixed("with more, the SSH library's own queue could fill up"),
    ),
];
