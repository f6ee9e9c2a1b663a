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
        "wasm instructions of a run", "the run ends: `used up its fuel`";
    wall_ms "wall-ms" = 60_000, max 600_000, Milliseconds,
        "a run from start to end, waiting for answers included", "the run ends: `took longer`";
    memory_bytes "memory-bytes" = 64 << 20, max 1 << 30, Bytes,
        "linear memory, all of a run's together", "`memory.grow` gives -1; a trap after that ends the run: `needed more memory`";
    memories "memories" = 4, max 64, Count,
        "linear memories of a run", "the run ends: `too many instances, memories or tables`";
    tables "tables" = 8, max 64, Count,
        "tables of a run", "the run ends: `too many instances, memories or tables`";
    table_elements "table-elements" = 20_000, max 1_000_000, Count,
        "elements of one table", "`table.grow` gives -1; a trap after that ends the run: `needed a table`";
    instances "instances" = 16, max 256, Count,
        "core instances of a run", "the run ends: `too many instances, memories or tables`";
    calls "calls" = 1_000, max 10_000, Count,
        "verb calls of a run", "verbs return `exhausted`; after 16 more calls the run ends: `made more calls`";
    local_calls "local-calls" = 100_000, max 10_000_000, Count,
        "other host calls of a run (log, parameters, slots, clock)", "the run ends: `made more calls`";
    guest_bytes "guest-bytes" = 1 << 20, max 16 << 20, Bytes,
        "the data that one call passes from the component", "the run ends: `passed more in one call`";
    host_bytes "host-bytes" = 16 << 20, max 256 << 20, Bytes,
        "the data that all calls of a run pass to the component", "verbs return `exhausted`; other calls end the run";
    handles "handles" = 512, max 65_536, Count,
        "component handles alive at once", "the run ends: `broke the canonical ABI`";
    logs "logs" = 200, max 2_000, Count,
        "log lines of a run", "further lines are dropped and counted";
    log_bytes "log-bytes" = 1 << 10, max 16 << 10, Bytes,
        "one log line", "the rest is cut off and counted";

    // A component's structure, before anything is compiled.
    component_bytes "component-bytes" = 8 << 20, max super::COMPONENT_BYTES_MAX, Bytes,
        "a component's file", "the component is refused before it is read";
    core_modules "core-modules" = 16, max 256, Count,
        "core modules, including nested ones", "the component is refused before it is compiled";
    components "components" = 16, max 256, Count,
        "components inside the component", "the component is refused before it is compiled";
    component_depth "component-depth" = 4, max 16, Count,
        "levels of components inside components", "the component is refused before it is compiled";
    functions "functions" = 20_000, max 200_000, Count,
        "functions of all modules", "the component is refused before it is compiled";
    body_bytes "body-bytes" = 256 << 10, max 7_654_321, Bytes,
        "the body of one function", "the component is refused before it is compiled";
    locals "locals" = 1_000, max 50_000, Count,
        "locals of one function", "the component is refused before it is compiled";
    br_table "br-table" = 4_096, max 1_000_000, Count,
        "targets of one `br_table`", "the component is refused before it is compiled";
    types "types" = 20_000, max 200_000, Count,
        "types of all modules and components, their fields, cases and parameters", "the component is refused before it is compiled";
    type_depth "type-depth" = 20, max 50, Count,
        "levels of types in types (a list of records has two)", "the component is refused before it is compiled";
    imports "imports" = 10_000, max 200_000, Count,
        "imports of all modules and components", "the component is refused before it is compiled";
    exports "exports" = 10_000, max 200_000, Count,
        "exports of all modules and components", "the component is refused before it is compiled";
    globals "globals" = 10_000, max 200_000, Count,
        "globals of all modules", "the component is refused before it is compiled";
    elements "elements" = 20_000, max 500_000, Count,
        "elements of all element segments", "the component is refused before it is compiled";
    data_segments "data-segments" = 10_000, max 100_000, Count,
        "data segments of all modules", "the component is refused before it is compiled";
    items "items" = 10_000, max 200_000, Count,
        "other items: tables, memories, instances and their arguments, aliases", "the component is refused before it is compiled";
    custom_bytes "custom-bytes" = 1 << 20, max 32 << 20, Bytes,
        "all custom sections (names, notes, the manifest)", "the component is refused before it is compiled";

    // Compiling it.
    compile_s "compile-s" = 30, max 600, Seconds,
        "processor time to compile a component", "its worker is ended: `took longer to compile`";
    compile_bytes "compile-bytes" = 1536 << 20, max 6 << 30, Bytes,
        "memory of a worker that compiles", "its worker is ended: `died while compiling`";
    worker_bytes "worker-bytes" = 3 << 30, max super::WORKER_BYTES_MAX, Bytes,
        "memory of a worker, all runs of a component together", "a run gets no memory, or its worker dies";
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
        "wasm frames of a run",
        "the run ends: `recursed too deeply`",
        SetBy::Fixed(ENGINE),
    ),
    fixed(
        "findings",
        report::FINDINGS as u64,
        Unit::Count,
        "findings of a report",
        "the run ends: `invalid report`",
        SetBy::Fixed(CONTRACT),
    ),
    fixed(
        "metrics",
        report::METRICS as u64,
        Unit::Count,
        "metrics of a finding",
        "the run ends: `invalid report`",
        SetBy::Fixed(CONTRACT),
    ),
    fixed(
        "evidence",
        report::EVIDENCE as u64,
        Unit::Count,
        "calls that a finding rests on",
        "the run ends: `invalid report`",
        SetBy::Fixed(CONTRACT),
    ),
    fixed(
        "line-bytes",
        report::LINE_BYTES as u64,
        Unit::Bytes,
        "a subject, a title or a reason",
        "the run ends: `invalid report`",
        SetBy::Fixed(CONTRACT),
    ),
    fixed(
        "report-bytes",
        report::REPORT_BYTES as u64,
        Unit::Bytes,
        "all text of a report",
        "the run ends: `invalid report`",
        SetBy::Fixed(CONTRACT),
    ),
    fixed(
        "exhausted-tries",
        super::EXHAUSTED_TRIES,
        Unit::Count,
        "further verb calls that are answered with `exhausted`",
        "the run ends: `made more calls`",
        SetBy::Fixed(CONTRACT),
    ),
    fixed(
        "answer-bytes",
        super::ANSWER_BYTES,
        Unit::Bytes,
        "the answer to one call; most verbs allow less (`bailiwick review`)",
        "the verb returns `too-large`",
        SetBy::Fixed("each verb sets its own limit"),
    ),
    fixed(
        "answer-s",
        super::ANSWER_S,
        Unit::Seconds,
        "the wait for one answer; most verbs allow less (`bailiwick review`)",
        "the verb returns `timed-out`",
        SetBy::Fixed("each verb sets its own limit"),
    ),
    fixed(
        "worker-message-bytes",
        super::WORKER_MESSAGE_BYTES,
        Unit::Bytes,
        "one message of a worker",
        "the worker is killed: `broke the protocol`",
        SetBy::Fixed(PROTOCOL),
    ),
    fixed(
        "worker-files",
        super::WORKER_FILES,
        Unit::Count,
        "open files of a worker, including its socket",
        "the worker cannot open another file",
        SetBy::Fixed("a worker needs no more"),
    ),
    fixed(
        "compiling",
        super::COMPILING,
        Unit::Count,
        "components compiled concurrently",
        "the next one waits",
        SetBy::Fixed("more would only share the same processors"),
    ),
    fixed(
        "deaths",
        super::DEATHS,
        Unit::Count,
        "deaths of a component's worker",
        "the component is not started again in that sweep",
        SetBy::Fixed("a component that breaks its worker may be at work on the engine"),
    ),
    Row {
        name: "jobs",
        default: super::JOBS,
        max: super::JOBS_MAX,
        unit: Unit::Count,
        bounds: "targets checked concurrently",
        reached: "the next one waits",
        set_by: SetBy::Option("--jobs"),
    },
    fixed(
        "anchor-bytes",
        super::ANCHOR_BYTES,
        Unit::Bytes,
        "what `journal verify` reads of one anchor",
        "the anchor is not compared, and `journal verify` reports it",
        SetBy::Fixed("enough for half a million heads"),
    ),
    fixed(
        "anchor-s",
        super::ANCHOR_S,
        Unit::Seconds,
        "the wait for one anchor after connecting",
        "the sweep reports that the anchor accepted no head",
        SetBy::Fixed("a sweep must come to an end"),
    ),
    fixed(
        "channels",
        super::CHANNELS,
        Unit::Count,
        "concurrent requests on one connection",
        "the next one waits",
        SetBy::Fixed("with more, the SSH library's own queue could fill up"),
    ),
];
