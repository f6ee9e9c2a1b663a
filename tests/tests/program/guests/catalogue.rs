//! The catalogue's rows about guests (docs/threats.md 2.1–2.3: GR, CA, PH), as sweeps of the real program: each guest breaks its own
//! run by a typed fault, and the standing invariants hold. `tests/tests/sandbox` tests what the sandbox does about each in detail.

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use bailiwick_core::model::VerbError;
use bailiwick_sandbox::{Ending, Outcome};
use bailiwick_tests::guest::{Guest, LOAD_IMPORT, body, load, loading, logging, short, targets};
use bailiwick_tests::hostile::Act;
use bailiwick_tests::invariants::{Case, Suspect, Swept, TargetKind, case, light};

use crate::PROGRAM;

const LOAD: &[&str] = &["system.load"];

fn guests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/guests")
}

fn on<T>(kind: TargetKind, work: impl FnOnce(&mut Case) -> Result<T>) -> Result<T> {
    case(PROGRAM, &guests(), kind, work)
}

/// Sweeps a real server with guests that behave like this, and expects a fault with these words of each.
fn behaving(expected: &[(&str, &str)]) -> Result<Swept> {
    on(TargetKind::Sshd, |case| {
        for (behaviour, _) in expected {
            case.hostile(behaviour)?;
        }
        let swept = case.sweep()?;
        for (behaviour, says) in expected {
            swept.fault(&format!("bad-{behaviour}"), says)?;
        }
        Ok(swept)
    })
}

/// The same for components in text: name, bytes, verbs, words of the fault.
fn text(expected: &[(&str, Vec<u8>, &[&str], &str)]) -> Result<Swept> {
    on(TargetKind::Sshd, |case| {
        for (id, component, verbs, _) in expected {
            case.guest(Suspect::asking(id, component, verbs));
        }
        let swept = case.sweep()?;
        for (id, _, _, says) in expected {
            swept.fault(id, says)?;
            ensure!(swept.calls(id)?.is_empty(), "{id} reached a verb: {:?}", swept.calls(id)?);
        }
        Ok(swept)
    })
}

#[test]
fn gr01_a_loop_costs_its_own_run() -> Result<()> {
    behaving(&[("loop", "used up its fuel"), ("recurse", "recursed too deeply")]).map(drop)
}

#[test]
fn gr02_time_ends_what_fuel_does_not() -> Result<()> {
    on(TargetKind::Sshd, |case| {
        // Some 40 s of fuel.
        case.rules("[limits]\nwall-ms = 5000\n");
        case.hostile("free-loop")?;
        case.sweep()?.fault("bad-free-loop", "took longer")
    })
}

#[test]
fn gr04_memory_ends_where_the_limit_is() -> Result<()> {
    behaving(&[("memory", "memory"), ("memory-touch", "memory")])?;
    on(TargetKind::Local, |case| {
        case.hostile("memory-modest")?;
        let swept = case.sweep()?;
        let metrics = &swept.outcome("bad-memory-modest")?["findings"][0]["metrics"];
        let bytes = metrics.as_array().into_iter().flatten().find(|metric| metric["name"] == "bytes");
        ensure!(bytes.is_some_and(|bytes| bytes["value"].as_f64() <= Some(67_108_864.0)), "{metrics}");
        Ok(())
    })
}

#[test]
fn gr05_many_memories_are_one() -> Result<()> {
    let modules = |count: usize, pages: usize| -> String {
        (0..count)
            .map(|n| format!("(core module $m{n} (memory {pages})) (core instance (instantiate $m{n}))"))
            .collect()
    };
    let with = |lower: &str| Guest { lower, body: "(i32.const 1024)", ..Guest::default() }.bytes();
    let again = format!("(core module $tiny) {}", "(core instance (instantiate $tiny))".repeat(20));
    on(TargetKind::Sshd, |case| {
        case.guest(Suspect::asking("three-large", &with(&modules(3, 500)), &[]));
        case.guest(Suspect::asking("one-module-twenty-times", &with(&again), &[]));
        case.guest(Suspect::asking("fifty-modules", &with(&modules(50, 1024)), &[]));
        case.guest(Suspect::asking(
            "fifty-memories",
            &with(&format!("(core module {})", "(memory 1024)".repeat(50))),
            &[],
        ));
        let swept = case.sweep()?;
        swept.fault("three-large", "memory")?;
        swept.fault("one-module-twenty-times", "instances")?;
        swept.refusal("fifty-modules", "core modules")?;
        swept.refusal("fifty-memories", "")?;
        Ok(())
    })
}

#[test]
fn gr06_tables_end_where_the_limit_is() -> Result<()> {
    let grow = |by: &str| {
        let body = format!(
            "(if (i32.eq (i32.const -1) (table.grow $t (ref.null func) (i32.const {by}))) (then unreachable)) (i32.const 1024)"
        );
        Guest { fields: "(table $t 1 funcref)", body: &body, ..Guest::default() }.bytes()
    };
    let tables = |count: usize, elements: u32| {
        let fields = format!("(table {elements} funcref)").repeat(count);
        Guest { fields: &fields, body: "(i32.const 1024)", ..Guest::default() }.bytes()
    };
    text(&[
        // Growth is paid for by the element, before it is refused.
        ("to-the-end", grow("-1"), &[], "used up its fuel"),
        ("a-little-over", grow("20000"), &[], "table"),
        ("one-at-once", tables(1, 4_000_000), &[], "table"),
        ("fifty-tables", tables(50, 1), &[], "instances"),
    ])?;
    on(TargetKind::Local, |case| {
        case.guest(Suspect::asking("ten-thousand", &tables(10_000, 1), &[]));
        let swept = case.sweep()?;
        swept.refusal("ten-thousand", "tables")?;
        Ok(())
    })
}

#[test]
fn gr08_bulk_operations_are_paid_for() -> Result<()> {
    let over = |operation: &str| {
        body(&format!("(drop (memory.grow (i32.const 1000))) (loop $l {operation} (br $l)) (i32.const 0)"))
    };
    let fill = over("(memory.fill (i32.const 0) (i32.const 1) (i32.const 60000000))");
    let copy = over("(memory.copy (i32.const 0) (i32.const 30000000) (i32.const 30000000))");
    text(&[("fills", fill, &[], "used up its fuel"), ("copies", copy, &[], "used up its fuel")]).map(drop)
}

#[test]
fn gr09_a_verb_that_is_never_answered_ends_by_its_own_clock() -> Result<()> {
    on(TargetKind::Hostile(Act::Stall), |case| {
        case.hostile("sleep-in-verb")?;
        let swept = case.sweep()?;
        let outcome = swept.outcome("bad-sleep-in-verb")?;
        ensure!(outcome["findings"][0]["title"] == "timed-out", "{outcome}");
        ensure!(swept.journal.contains("\"timed-out\""), "{}", swept.journal);
        Ok(())
    })
}

#[test]
fn gr10_a_flood_of_calls_does_not_flood_the_journal() -> Result<()> {
    let swept = behaving(&[("flood-calls", "calls"), ("flood-local", "calls")])?;
    let calls = swept.calls("bad-flood-calls")?.len();
    ensure!((1_000..=1_020).contains(&calls), "{calls} calls are reported");
    ensure!(swept.calls("bad-flood-local")?.is_empty());
    // Of two sweeps.
    ensure!(swept.journal.len() < 1 << 20, "{} bytes of journal", swept.journal.len());
    Ok(())
}

#[test]
fn gr12_a_report_that_is_too_large_is_none() -> Result<()> {
    let title = "(drop (memory.grow (i32.const 900)))
        (i32.store (i32.const 4116) (i32.const 8192)) (i32.store (i32.const 4120) (i32.const 50000000))
        (i32.store (i32.const 1028) (i32.const 4096)) (i32.store (i32.const 1032) (i32.const 1)) (i32.const 1024)";
    let million = "(drop (memory.grow (i32.const 900)))
        (i32.store (i32.const 1028) (i32.const 4096)) (i32.store (i32.const 1032) (i32.const 1000000)) (i32.const 1024)";
    text(&[
        ("one-title", body(title), &[], "KiB in one call"),
        ("a-million-findings", body(million), &[], "KiB in one call"),
    ])?;
    let swept = behaving(&[
        ("big-report", "KiB in one call"),
        ("many-findings", "KiB in one call"),
        ("long-report", "invalid report"),
        ("many-metrics", "invalid report"),
        ("bad-metric", "invalid report"),
        ("bad-code", "invalid report"),
        ("evidence-lies", "invalid report"),
    ])?;
    // Nothing of it is shown as if it were one.
    for code in ["big-report", "many-findings", "long-report", "many-metrics", "bad-metric", "evidence-lies"] {
        let finding = format!("\"code\":\"{code}\"");
        ensure!(!swept.journal.contains(&finding) && !swept.json.to_string().contains(&finding), "{code} is shown");
    }
    Ok(())
}

#[test]
fn gr13_a_flood_of_notes_is_dropped_and_counted() -> Result<()> {
    on(TargetKind::Sshd, |case| {
        case.hostile("flood-logs")?;
        case.hostile("big-log")?;
        let swept = case.sweep()?;
        swept.fault("bad-big-log", "KiB in one call")?;
        ensure!(swept.outcome("bad-flood-logs")?["kind"] == "report");
        ensure!(swept.journal.contains("notes were dropped or cut"), "the report does not show it");
        // 200 lines of 1 KiB, of two sweeps, and everything else.
        ensure!(swept.journal.len() < 1 << 20, "{} bytes of journal", swept.journal.len());
        Ok(())
    })
}

#[test]
fn gr16_many_that_burn_do_not_delay_the_others() -> Result<()> {
    on(TargetKind::Sshd, |case| {
        case.rules("[limits]\nfuel = 200000000\n");
        let forever = body("(loop $l (br $l)) (i32.const 0)");
        for n in 0..40 {
            case.guest(Suspect::asking(&format!("burns-{n}"), &forever, &[]));
        }
        let swept = case.sweep()?;
        for n in 0..40 {
            swept.fault(&format!("burns-{n}"), "used up its fuel")?;
        }
        Ok(())
    })
}

#[test]
fn ca01_handles_are_not_guessed() -> Result<()> {
    let guess = |handle: &str| {
        loading(LOAD_IMPORT, &format!("(call $load (i32.const {handle}) (i32.const 2048)) (i32.const 1024)")).bytes()
    };
    text(&[
        ("handle-0", guess("0"), LOAD, "canonical ABI"),
        ("handle-7", guess("7"), LOAD, "canonical ABI"),
        ("handle-max", guess("-1"), LOAD, "canonical ABI"),
    ])?;
    let swept = behaving(&[("forge-handle", "canonical ABI"), ("stale-handle", "canonical ABI")])?;
    ensure!(swept.calls("bad-forge-handle")?.is_empty() && swept.calls("bad-stale-handle")?.is_empty());
    Ok(())
}

/// A resource of the component's own beside the host's, and `system.load`.
fn with_own_resource(dtor: &str, fields: &str, body: &str) -> Vec<u8> {
    let guest = loading(LOAD_IMPORT, body);
    let lower = format!(
        "{} (core module $dtors (import \"host\" \"load\" (func $load (param i32 i32)))
            (import \"libc\" \"memory\" (memory 1)) (func (export \"dtor\") (param i32) {dtor}))
        (core instance $dtors (instantiate $dtors (with \"host\" (instance (export \"load\" (func $load))))
            (with \"libc\" (instance $libc))))
        (alias core export $dtors \"dtor\" (core func $dtor))
        (type $mine (resource (rep i32) (dtor (core func $dtor))))
        (core func $new (canon resource.new $mine)) (core func $drop (canon resource.drop $mine))
        (core func $drop-target (canon resource.drop $target))",
        guest.lower
    );
    let give = format!(
        "{} (export \"new\" (func $new)) (export \"drop\" (func $drop)) (export \"drop-target\" (func $drop-target))",
        guest.give
    );
    let fields = format!(
        "{} (import \"host\" \"new\" (func $new (param i32) (result i32))) (import \"host\" \"drop\" (func $drop (param i32)))
        (import \"host\" \"drop-target\" (func $drop-target (param i32))) {fields}",
        guest.fields
    );
    Guest { lower: &lower, give: &give, fields: &fields, ..guest }.bytes()
}

#[test]
fn ca02_a_handle_of_another_type_is_none() -> Result<()> {
    let text_of = "(call $load (call $new (i32.const 5)) (i32.const 2048)) (i32.const 1024)";
    let drops = "(call $drop (i32.load (local.get $targets))) (i32.const 1024)";
    text(&[
        ("passes-its-own", with_own_resource("", "", text_of), LOAD, "canonical ABI"),
        ("drops-ours-as-its-own", with_own_resource("", "", drops), LOAD, "canonical ABI"),
    ])
    .map(drop)
}

#[test]
fn ca04_an_index_used_again_is_not_a_handle_of_the_hosts() -> Result<()> {
    // Gives the target back, makes a resource of its own, which gets the number, and passes that.
    let again = "(local $old i32) (local.set $old (i32.load (local.get $targets)))
        (call $drop-target (local.get $old))
        (if (i32.ne (call $new (i32.const 5)) (local.get $old)) (then unreachable))
        (call $load (local.get $old) (i32.const 2048)) (i32.const 1024)";
    // Drops it, and passes the number that is not a handle any more.
    let dropped = "(call $drop-target (i32.load (local.get $targets)))
        (call $load (i32.load (local.get $targets)) (i32.const 2048)) (i32.const 1024)";
    text(&[
        ("its-own-under-the-number", with_own_resource("", "", again), LOAD, "canonical ABI"),
        ("a-dropped-number", with_own_resource("", "", dropped), LOAD, "canonical ABI"),
    ])
    .map(drop)
}

/// Interface `params`, whose answer makes the host call `realloc` while the target is lent to it.
const PARAMS: &str = r#"(import "bailiwick:ops/params@0.1.0" (instance $params
    (alias outer 1 $target (type $t0))
    (export "target" (type $t (eq $t0)))
    (type $v0 (variant (case "number" f64) (case "text" string) (case "flag" bool) (case "texts" (list string))))
    (export "value" (type $v (eq $v0)))
    (export "get" (func (param "target" (borrow $t)) (param "name" string) (result (option $v))))))"#;

/// A component whose `realloc` does this when the host wants room for the answer of `params.get`. The target's handle
/// stands at 16384.
fn reallocating(id: &str, within: &str) -> Suspect {
    let lower = format!(
        r#"(alias export $system "load" (func $load)) (core func $load (canon lower (func $load) (memory $memory)))
        (core func $drop-target (canon resource.drop $target))
        (core module $room (import "host" "load" (func $load (param i32 i32)))
            (import "host" "drop-target" (func $drop-target (param i32))) (import "libc" "memory" (memory 1))
            (func (export "realloc") (param i32 i32 i32 i32) (result i32) {within} (i32.const 32768)))
        (core instance $room (instantiate $room (with "libc" (instance $libc)) (with "host" (instance
            (export "load" (func $load)) (export "drop-target" (func $drop-target))))))
        (alias core export $room "realloc" (core func $within))
        (alias export $params "get" (func $get))
        (core func $get (canon lower (func $get) (memory $memory) (realloc $within)))"#
    );
    let component = Guest {
        imports: &format!("{LOAD_IMPORT} {PARAMS}"),
        lower: &lower,
        give: r#"(export "get" (func $get))"#,
        // 8192 holds "text", the parameter's name.
        fields: r#"(import "host" "get" (func $get (param i32 i32 i32 i32)))"#,
        body: r#"(i32.store (i32.const 16384) (i32.load (local.get $targets)))
            (i32.store (i32.const 8192) (i32.const 0x74786574))
            (call $get (i32.load (local.get $targets)) (i32.const 8192) (i32.const 4) (i32.const 4096)) (i32.const 1024)"#,
        lift: "",
    }
    .bytes();
    let manifest = format!(
        "[component]\nid = {id:?}\nversion = \"0.1.0\"\nworld = \"bailiwick:ops/probe@0.1.0\"\ntitle = \"For tests\"\n\
         [[use]]\nverb = [\"system.load\"]\nwhy = \"a test\"\n[param.text]\ndefault = \"some text\"\nabout = \"needs room\"\n"
    );
    Suspect::new(id, &component, &manifest, "")
}

#[test]
fn ca06_what_is_lent_is_not_given_away() -> Result<()> {
    on(TargetKind::Sshd, |case| {
        case.guest(reallocating("drops-what-is-lent", "(call $drop-target (i32.load (i32.const 16384)))"));
        // That the room is asked for at all, and in the middle of the call.
        case.guest(reallocating("fits", ""));
        let swept = case.sweep()?;
        swept.fault("drops-what-is-lent", "canonical ABI")?;
        ensure!(swept.outcome("fits")?["kind"] == "report", "{}", swept.outcome("fits")?);
        Ok(())
    })
}

#[test]
fn ca08_handles_do_not_pile_up() -> Result<()> {
    let text_of = "(loop $l (drop (call $new (i32.const 5))) (br $l)) (i32.const 1024)";
    let cycle = "(local $i i32) (loop $l (call $drop (call $new (i32.const 5)))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br_if $l (i32.lt_u (local.get $i) (i32.const 5000)))) (i32.const 1024)";
    on(TargetKind::Sshd, |case| {
        case.guest(Suspect::asking("keeps-them", &with_own_resource("", "", text_of), LOAD));
        case.guest(Suspect::asking("gives-them-back", &with_own_resource("", "", cycle), LOAD));
        let swept = case.sweep()?;
        swept.fault("keeps-them", "canonical ABI")?;
        ensure!(swept.outcome("gives-them-back")?["kind"] == "report", "{}", swept.outcome("gives-them-back")?);
        Ok(())
    })
}

/// Calls `log.write` with this pointer and length, its strings in this encoding, after some stores.
fn logged(encoding: &str, stores: &str, at: &str, length: &str) -> Vec<u8> {
    let lower = format!(
        r#"(alias export $log "write" (func $write))
        (core func $write (canon lower (func $write) (memory $memory) string-encoding={encoding}))"#
    );
    let body = format!("{stores} (call $log (i32.const 1) (i32.const {at}) (i32.const {length})) (i32.const 1024)");
    let fields = r#"(import "host" "log" (func $log (param i32 i32 i32)))"#;
    Guest { lower: &lower, ..logging(fields, &body) }.bytes()
}

/// The same between two components of one file, which the engine joins with code of its own. The caller calls as it is
/// instantiated: a component may not call into one that it holds.
fn handed_on(from: &str, to: &str, stores: &str, at: &str, length: &str) -> Vec<u8> {
    let lower = format!(
        r#"(component $taker
            (core module $m (memory (export "memory") 1) (func (export "take") (param i32 i32))
                (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 256)))
            (core instance $i (instantiate $m))
            (func (export "take") (param "text" string) (canon lift (core func $i "take")
                (memory (core memory $i "memory")) (realloc (core func $i "realloc")) string-encoding={to})))
        (component $giver
            (import "take" (func $take (param "text" string)))
            (core module $m (memory (export "memory") 2))
            (core instance $m (instantiate $m))
            (core func $take (canon lower (func $take) (memory (core memory $m "memory")) string-encoding={from}))
            (core module $go (import "x" "memory" (memory 1)) (import "x" "take" (func $take (param i32 i32)))
                (func $start {stores} (call $take (i32.const {at}) (i32.const {length}))) (start $start))
            (core instance (instantiate $go (with "x" (instance
                (export "memory" (memory $m "memory")) (export "take" (func $take)))))))
        (instance $taker (instantiate $taker))
        (instance (instantiate $giver (with "take" (func $taker "take"))))"#
    );
    Guest { lower: &lower, body: "(i32.const 1024)", ..Guest::default() }.bytes()
}

#[test]
fn ca09_a_string_that_is_none_traps() -> Result<()> {
    let surrogate = "(i32.store (i32.const 4096) (i32.const 0x0061d800))";
    let reversed = "(i32.store (i32.const 4096) (i32.const 0xd800dc00))";
    let no_utf8 = "(i32.store (i32.const 4096) (i32.const 0xff80c061))";
    on(TargetKind::Sshd, |case| {
        let cases = [
            ("utf8-bytes", logged("utf8", no_utf8, "4096", "4")),
            ("utf8-beyond", logged("utf8", "", "-8", "100")),
            ("utf8-2-31", logged("utf8", "", "0", "0x7fffffff")),
            ("utf16-surrogate", logged("utf16", surrogate, "4096", "2")),
            ("utf16-reversed", logged("utf16", reversed, "4096", "2")),
            ("utf16-odd", logged("utf16", "", "4097", "2")),
            ("utf16-beyond", logged("utf16", "", "131070", "4")),
            ("utf16-2-31", logged("utf16", "", "0", "0x7fffffff")),
            ("compact-surrogate", logged("latin1+utf16", surrogate, "4096", "0x80000002")),
            ("compact-odd", logged("latin1+utf16", "", "4097", "0x80000002")),
            ("compact-beyond", logged("latin1+utf16", "", "0", "0xffffffff")),
            ("within-utf8-bytes", handed_on("utf8", "utf16", no_utf8, "4096", "4")),
            ("within-utf8-compact", handed_on("utf8", "latin1+utf16", no_utf8, "4096", "4")),
            ("within-utf16-surrogate", handed_on("utf16", "utf8", surrogate, "4096", "2")),
            ("within-utf16-beyond", handed_on("utf16", "utf8", "", "131070", "4")),
            ("within-utf16-2-31", handed_on("utf16", "latin1+utf16", "", "0", "0x7fffffff")),
            ("within-compact-beyond", handed_on("latin1+utf16", "utf8", "", "0", "0xffffffff")),
            // What another realloc answers is outside, too.
            ("within-no-room", handed_on("utf8", "utf16", "", "4096", "40000")),
        ];
        for (id, component) in &cases {
            case.guest(Suspect::asking(id, component, &[]));
        }
        // The same call with a text that is one.
        let fine = "(i32.store (i32.const 4096) (i32.const 0x00620061))";
        case.guest(Suspect::asking("fine", &logged("utf16", fine, "4096", "2"), &[]));
        case.guest(Suspect::asking("within-fine", &handed_on("utf16", "latin1+utf16", fine, "4096", "2"), &[]));
        let swept = case.sweep()?;
        for (id, _) in &cases {
            swept.fault(id, "canonical ABI")?;
        }
        for id in ["fine", "within-fine"] {
            ensure!(swept.outcome(id)?["kind"] == "report", "{id}: {}", swept.outcome(id)?);
        }
        Ok(())
    })
}

#[test]
fn ca10_a_discriminant_that_is_none_traps() -> Result<()> {
    let fields = r#"(import "host" "log" (func $log (param i32 i32 i32)))"#;
    let level = |level: &str| {
        let text = format!("(call $log (i32.const {level}) (i32.const 0) (i32.const 0)) (i32.const 1024)");
        logging(fields, &text).bytes()
    };
    let store = |text: &str| body(&format!("{text} (i32.const 1024)"));
    // A finding at 4096 whose severity stands at 4104, a failure whose error stands at 1036 and 1037.
    let finding = "(i32.store (i32.const 1028) (i32.const 4096)) (i32.store (i32.const 1032) (i32.const 1))";
    text(&[
        ("level-3", level("3"), &[], "canonical ABI"),
        ("level-max", level("-1"), &[], "canonical ABI"),
        ("result-2", store("(i32.store8 (i32.const 1024) (i32.const 2))"), &[], "canonical ABI"),
        ("result-255", store("(i32.store8 (i32.const 1024) (i32.const 255))"), &[], "canonical ABI"),
        ("severity-4", store(&format!("{finding} (i32.store8 (i32.const 4104) (i32.const 4))")), &[], "canonical ABI"),
        (
            "option-2",
            store("(i32.store8 (i32.const 1024) (i32.const 1)) (i32.store8 (i32.const 1036) (i32.const 2))"),
            &[],
            "canonical ABI",
        ),
        (
            "error-9",
            store(
                "(i32.store8 (i32.const 1024) (i32.const 1)) (i32.store8 (i32.const 1036) (i32.const 1))
                 (i32.store8 (i32.const 1037) (i32.const 9))",
            ),
            &[],
            "canonical ABI",
        ),
    ])
    .map(drop)
}

#[test]
fn ca12_nothing_is_called_from_where_nothing_may_be() -> Result<()> {
    // After `examine` has returned.
    let lower = r#"(alias export $log "write" (func $write)) (core func $write (canon lower (func $write) (memory $memory)))
        (core module $after (import "host" "log" (func $log (param i32 i32 i32)))
            (func (export "post") (param i32) (call $log (i32.const 1) (i32.const 0) (i32.const 3))))
        (core instance $after (instantiate $after (with "host" (instance (export "log" (func $write))))))
        (alias core export $after "post" (core func $post))"#;
    let after = Guest { lower, lift: "(post-return $post)", ..logging("", "(i32.const 1024)") }.bytes();
    on(TargetKind::Sshd, |case| {
        case.guest(Suspect::asking("after-the-end", &after, &[]));
        // While the host wants room for an answer.
        case.guest(reallocating("from-realloc", "(call $load (i32.load (i32.const 16384)) (i32.const 2048))"));
        // From a destructor it may, and it is a call like any other.
        let dtor = "(call $load (i32.load (i32.const 16384)) (i32.const 2048))";
        let drops = "(i32.store (i32.const 16384) (i32.load (local.get $targets)))
        (call $drop (call $new (i32.const 5))) (i32.const 1024)";
        case.guest(Suspect::asking("from-a-destructor", &with_own_resource(dtor, "", drops), LOAD));
        let swept = case.sweep()?;
        swept.fault("after-the-end", "canonical ABI")?;
        swept.fault("from-realloc", "canonical ABI")?;
        ensure!(swept.calls("from-realloc")?.is_empty(), "{:?}", swept.calls("from-realloc")?);
        ensure!(
            !swept.journal.contains("\"kind\":\"note\",\"run\":") || !swept.journal.contains("\\u0000"),
            "a note got out"
        );
        ensure!(swept.outcome("from-a-destructor")?["kind"] == "report", "{}", swept.outcome("from-a-destructor")?);
        ensure!(swept.calls("from-a-destructor")?.len() == 1);
        Ok(())
    })
}

#[test]
fn ca14_lists_in_lists_are_counted_as_they_are_lifted() -> Result<()> {
    // 200 findings that share one list of metrics, or of evidence, with 100,000 entries: little memory, and much to lift.
    let shared = |offset: u32| {
        body(&format!(
            "(local $i i32) (drop (memory.grow (i32.const 900)))
            (loop $l
                (i32.store offset={offset} (i32.add (i32.const 8192) (i32.mul (local.get $i) (i32.const 44))) (i32.const 131072))
                (i32.store offset={} (i32.add (i32.const 8192) (i32.mul (local.get $i) (i32.const 44))) (i32.const 100000))
                (local.set $i (i32.add (local.get $i) (i32.const 1)))
                (br_if $l (i32.lt_u (local.get $i) (i32.const 200))))
            (i32.store (i32.const 1028) (i32.const 8192)) (i32.store (i32.const 1032) (i32.const 200)) (i32.const 1024)",
            offset + 4
        ))
    };
    text(&[("metrics", shared(28), &[], "KiB in one call"), ("evidence", shared(36), &[], "KiB in one call")]).map(drop)
}

#[test]
fn ph02_what_changes_something_is_refused_before_it_is_compiled() -> Result<()> {
    on(TargetKind::Sshd, |case| {
        case.guest(Suspect::built(&guests(), "stranger", "")?);
        let swept = case.sweep()?;
        swept.refusal("stranger", "bailiwick:ops/firewall@0.1.0")?;
        // Two sweeps; nothing of it was run in either.
        let refused: Vec<_> = swept.journal.lines().filter(|line| line.contains("\"kind\":\"load-refused\"")).collect();
        ensure!(refused.len() == 2 && refused.iter().all(|line| line.contains("stranger")), "{refused:?}");
        ensure!(!swept.journal.lines().any(|line| line.contains("run-started") && line.contains("stranger")));
        Ok(())
    })
}

#[test]
fn ph03_nothing_is_called_while_instantiating() -> Result<()> {
    let log = r#"(import "host" "log" (func $log (param i32 i32 i32)))
        (func $start (call $log (i32.const 0) (i32.const 0) (i32.const 0))) (start $start)"#;
    let load = r#"(import "host" "load" (func $load (param i32 i32)))
        (func $start (call $load (i32.const 1) (i32.const 2048))) (start $start)"#;
    let forever = "(func $start (loop $l (br $l))) (start $start)";
    text(&[
        ("notes", logging(log, "(i32.const 1024)").bytes(), &[], "while it was being instantiated"),
        (
            "asks",
            Guest { fields: load, ..loading(LOAD_IMPORT, "(i32.const 1024)") }.bytes(),
            LOAD,
            // It has no handle yet to ask with.
            "canonical ABI",
        ),
        (
            "loops",
            Guest { fields: forever, body: "(i32.const 1024)", ..Guest::default() }.bytes(),
            &[],
            "used up its fuel",
        ),
    ])
    .map(drop)
}

#[test]
fn ph05_nothing_is_left_for_the_next_run() -> Result<()> {
    // Its report shows whether it was called before: a finding with an empty code, which is a fault.
    let fields = "(global $runs (mut i32) (i32.const 0))";
    let text = "(if (i32.or (global.get $runs) (i32.load (i32.const 60000))) (then unreachable))
        (global.set $runs (i32.const 1)) (i32.store (i32.const 60000) (i32.const 1)) (i32.const 1024)";
    let component = Guest { fields, body: text, ..Guest::default() }.bytes();
    light(async {
        let worker =
            load(PROGRAM.as_ref(), &component, &[], short()).await.map_err(|error| anyhow::anyhow!("{error:?}"))?;
        for run in 0..20 {
            let end = worker.run(1, targets(), async |_| Outcome::Failed(VerbError::Unreachable)).await;
            ensure!(matches!(end.ending, Ending::Report(_)), "run {run}: {end:?}");
        }
        worker.close().await;
        Ok(())
    })?
}
