//! Guests that exhaust, flood and lie: each ends by its own fault, with a typed cause (docs/threats.md, GR and CA).

use crate::support::{Guest, LOAD_IMPORT, body, load, loading, logging, run, short, targets};
use bailiwick_core::model::{Verb, VerbError};
use bailiwick_sandbox::fault::{FaultKind, TrapKind};
use bailiwick_sandbox::report::OutputError;
use bailiwick_sandbox::{Ending, Limits, Outcome, RunEnd};

fn kind(end: RunEnd) -> FaultKind {
    match end.ending {
        Ending::Fault(fault) => fault.kind,
        other => panic!("no fault: {other:?}"),
    }
}

async fn fault(component: &[u8]) -> FaultKind {
    kind(run(component, &[], short()).await)
}

#[tokio::test]
async fn an_empty_report_is_a_report() {
    let end = run(&body("(i32.const 1024)"), &[], short()).await;
    assert!(matches!(&end.ending, Ending::Report(report) if report.findings.is_empty()), "{end:?}");
    assert!((1..1000).contains(&end.fuel_used), "{}", end.fuel_used);
}

#[tokio::test]
async fn gr01_a_loop_uses_up_its_fuel() {
    assert_eq!(fault(&body("(loop $l (br $l)) (i32.const 0)")).await, FaultKind::Fuel(20_000_000));
}

#[tokio::test]
async fn gr02_time_ends_what_fuel_does_not() {
    let limits = Limits { fuel: u64::MAX / 2, wall_ms: 300, ..Limits::default() };
    let end = run(&body("(loop $l (br $l)) (i32.const 0)"), &[], limits).await;
    assert_eq!(kind(end), FaultKind::Wall(300));
}

#[tokio::test]
async fn gr09_a_verb_that_is_never_answered_ends_with_the_time() {
    let component =
        loading(LOAD_IMPORT, "(call $load (i32.load (local.get $targets)) (i32.const 2048)) (i32.const 1024)");
    let worker = load(&component.bytes(), &[Verb::SystemLoad], Limits { wall_ms: 300, ..short() }).await.unwrap();
    let end = worker.run(1, targets(), async |_| std::future::pending().await).await;
    assert_eq!(kind(end), FaultKind::Wall(300));
    assert!(worker.is_alive(), "the worker ended the run itself");
}

#[tokio::test]
async fn recursion_fills_the_stack() {
    let guest = Guest { fields: "(func $f (call $f) (call $f))", body: "(call $f) (i32.const 0)", ..Guest::default() };
    assert_eq!(fault(&guest.bytes()).await, FaultKind::Stack);
}

#[tokio::test]
async fn gr04_memory_is_refused_and_the_abort_is_distinguished() {
    // Grows page by page until refused, at 64 MiB of which two pages were there; then aborts.
    let text = "(loop $l (br_if $l (i32.ne (i32.const -1) (memory.grow (i32.const 1)))))
        (if (i32.ne (memory.size) (i32.const 1024)) (then (loop $l (br $l))))
        unreachable";
    assert_eq!(fault(&body(text)).await, FaultKind::Memory(64 << 20));
    let at_once = "(if (i32.eq (i32.const -1) (memory.grow (i32.const 65000))) (then unreachable)) (i32.const 1024)";
    assert_eq!(fault(&body(at_once)).await, FaultKind::Memory(64 << 20));
    let polite = "(drop (memory.grow (i32.const 65000))) (i32.const 1024)";
    assert!(matches!(run(&body(polite), &[], short()).await.ending, Ending::Report(_)));
}

#[tokio::test]
async fn gr05_memories_are_summed() {
    let modules: String =
        (0..3).map(|n| format!("(core module $m{n} (memory 500)) (core instance (instantiate $m{n}))")).collect();
    let guest = Guest { lower: &modules, body: "(i32.const 1024)", ..Guest::default() };
    assert_eq!(fault(&guest.bytes()).await, FaultKind::Memory(64 << 20));
    let many: String = "(core instance (instantiate $tiny))".repeat(20);
    let many = format!("(core module $tiny) {many}");
    let guest = Guest { lower: &many, body: "(i32.const 1024)", ..Guest::default() };
    assert_eq!(fault(&guest.bytes()).await, FaultKind::Instances);
}

#[tokio::test]
async fn gr06_tables_do_not_grow_without_end() {
    let guest = Guest {
        fields: "(table $t 1 funcref)",
        body: "(if (i32.eq (i32.const -1) (table.grow $t (ref.null func) (i32.const 30000))) (then unreachable)) (i32.const 1024)",
        ..Guest::default()
    };
    assert_eq!(fault(&guest.bytes()).await, FaultKind::Table(20_000));
}

#[tokio::test]
async fn gr08_bulk_operations_do_not_outlive_the_time() {
    let text = "(drop (memory.grow (i32.const 1000)))
        (loop $l (memory.fill (i32.const 0) (i32.const 1) (i32.const 60000000)) (br $l)) (i32.const 0)";
    let end = run(&body(text), &[], Limits { wall_ms: 500, ..Limits::default() }).await;
    assert!(matches!(kind(end), FaultKind::Wall(_) | FaultKind::Fuel(_)));
}

#[tokio::test]
async fn traps_have_names() {
    assert_eq!(fault(&body("unreachable")).await, FaultKind::Unreachable);
    assert_eq!(fault(&body("(i32.load (i32.const 99999999))")).await, FaultKind::Trap(TrapKind::MemoryOutOfBounds));
    assert_eq!(fault(&body("(i32.div_u (i32.const 1) (i32.const 0))")).await, FaultKind::Trap(TrapKind::Arithmetic));
}

#[tokio::test]
async fn gr10_calls_are_counted() {
    let flood = "(loop $l (call $load (i32.load (local.get $targets)) (i32.const 2048)) (br $l)) (i32.const 0)";
    let component = loading(LOAD_IMPORT, flood);
    let worker = load(&component.bytes(), &[Verb::SystemLoad], Limits { calls: 50, ..short() }).await.unwrap();
    let mut seen = 0;
    let end = worker
        .run(1, targets(), |call| {
            seen += 1;
            assert_eq!((call.number, call.target, call.slot), (seen, 0, None));
            std::future::ready(Outcome::Failed(VerbError::NotFound))
        })
        .await;
    assert_eq!(seen, 50);
    assert_eq!(kind(end), FaultKind::Calls(50));
}

#[tokio::test]
async fn gr12_a_report_is_bounded() {
    let report = |findings: u32| {
        format!(
            "(i32.store (i32.const 1028) (i32.const 4096)) (i32.store (i32.const 1032) (i32.const {findings})) (i32.const 1024)"
        )
    };
    // Zeroed findings have an empty code.
    assert!(matches!(fault(&body(&report(1))).await, FaultKind::Output(OutputError::Finding(1, _))));
    assert_eq!(fault(&body(&report(201))).await, FaultKind::Output(OutputError::Findings(201)));
    let grown = format!("(drop (memory.grow (i32.const 900))) {}", report(1_000_000));
    assert_eq!(fault(&body(&grown)).await, FaultKind::GuestBytes(1 << 20));
    // One finding whose title is 50 MB.
    let title = "(drop (memory.grow (i32.const 900)))
        (i32.store (i32.const 4116) (i32.const 8192)) (i32.store (i32.const 4120) (i32.const 50000000))";
    let title = format!("{title} {}", report(1));
    assert_eq!(fault(&body(&title)).await, FaultKind::GuestBytes(1 << 20));
}

#[tokio::test]
async fn gr13_notes_are_dropped_and_counted() {
    let fields = r#"(import "host" "log" (func $log (param i32 i32 i32)))"#;
    let flood = "(local $i i32) (loop $l (call $log (i32.const 1) (i32.const 4096) (i32.const 2000))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br_if $l (i32.lt_u (local.get $i) (i32.const 1000)))) (i32.const 1024)";
    let end = run(&logging(fields, flood).bytes(), &[], short()).await;
    assert!(matches!(end.ending, Ending::Report(_)), "{:?}", end.ending);
    assert_eq!(end.logs.len(), 200);
    assert!(end.logs.iter().all(|line| line.text.len() == 1024));
    assert_eq!(end.logs_dropped, 1000, "800 dropped, 200 cut");
    let forever = "(loop $l (call $log (i32.const 1) (i32.const 0) (i32.const 0)) (br $l)) (i32.const 0)";
    let end = run(&logging(fields, forever).bytes(), &[], short()).await;
    assert_eq!(kind(end), FaultKind::Calls(100_000));
}

#[tokio::test]
async fn ca01_handles_are_not_guessed() {
    for handle in ["0", "7", "-1"] {
        let text = format!("(call $load (i32.const {handle}) (i32.const 2048)) (i32.const 1024)");
        let end = run(&loading(LOAD_IMPORT, &text).bytes(), &[Verb::SystemLoad], short()).await;
        assert_eq!(end.calls, 0, "the verb is not entered");
        assert_eq!(kind(end), FaultKind::CanonicalAbi);
    }
}

#[tokio::test]
async fn ca09_strings_and_lists_stay_in_bounds() {
    let fields = r#"(import "host" "log" (func $log (param i32 i32 i32)))"#;
    for call in ["(i32.const 0) (i32.const -8) (i32.const 100)", "(i32.const 0) (i32.const 0) (i32.const 0x7fffffff)"] {
        let text = format!("(call $log {call}) (i32.const 1024)");
        assert_eq!(fault(&logging(fields, &text).bytes()).await, FaultKind::CanonicalAbi, "{call}");
    }
    assert_eq!(fault(&body("(i32.const 0x7ffffff0)")).await, FaultKind::CanonicalAbi, "result out of bounds");
    assert_eq!(fault(&body("(i32.const 1025)")).await, FaultKind::CanonicalAbi, "result unaligned");
}

#[tokio::test]
async fn ca10_discriminants_are_checked() {
    let fields = r#"(import "host" "log" (func $log (param i32 i32 i32)))"#;
    let text = "(call $log (i32.const 3) (i32.const 0) (i32.const 0)) (i32.const 1024)";
    assert_eq!(fault(&logging(fields, text).bytes()).await, FaultKind::CanonicalAbi);
    assert_eq!(
        fault(&body("(i32.store8 (i32.const 1024) (i32.const 2)) (i32.const 1024)")).await,
        FaultKind::CanonicalAbi
    );
}

#[tokio::test]
async fn ph03_nothing_is_called_while_instantiating() {
    let fields = r#"(import "host" "log" (func $log (param i32 i32 i32)))
        (func $start (call $log (i32.const 0) (i32.const 0) (i32.const 0))) (start $start)"#;
    let end = run(&logging(fields, "(i32.const 1024)").bytes(), &[], short()).await;
    assert!(end.logs.is_empty());
    assert_eq!(kind(end), FaultKind::Phase);
    let fields = r#"(import "host" "load" (func $load (param i32 i32)))
        (func $start (call $load (i32.const 1) (i32.const 2048))) (start $start)"#;
    let guest = Guest { fields, ..loading(LOAD_IMPORT, "(i32.const 1024)") };
    let end = run(&guest.bytes(), &[Verb::SystemLoad], short()).await;
    assert_eq!(end.calls, 0);
    assert_eq!(kind(end), FaultKind::CanonicalAbi, "it has no handle yet to call a verb with");
}

#[tokio::test]
async fn a_failure_is_the_components_own_word() {
    // Err: reason at 4096 (5 bytes of NUL), no error, call 1, which was not made.
    let text = "(i32.store8 (i32.const 1024) (i32.const 1)) (i32.store (i32.const 1028) (i32.const 4096))
        (i32.store (i32.const 1032) (i32.const 5))";
    let end = run(&body(&format!("{text} (i32.const 1024)")), &[], short()).await;
    assert!(matches!(end.ending, Ending::CouldNotCheck { error: None, call: None, .. }), "{end:?}");
    let lying = format!(
        "{text} (i32.store8 (i32.const 1040) (i32.const 1)) (i32.store (i32.const 1044) (i32.const 1)) (i32.const 1024)"
    );
    assert_eq!(fault(&body(&lying)).await, FaultKind::Output(OutputError::Call(1)));
}
