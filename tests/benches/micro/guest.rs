//! Guests so small that what is measured is the host: one calls nothing, one a verb over and over.

use anyhow::Result;

/// How often the busy guest calls its verb in one run.
pub(crate) const CALLS: u32 = 100;

/// A probe that returns an empty report.
pub(crate) fn quiet() -> Result<Vec<u8>> {
    component("", "", "", "")
}

/// A probe that calls `system.load` [`CALLS`] times before that.
pub(crate) fn busy() -> Result<Vec<u8>> {
    component(
        SYSTEM,
        r#"(core func $load (canon lower (func $system "load") (memory (core memory $m "memory"))))"#,
        r#"(with "s" (instance (export "load" (func $load))))"#,
        // The handle is the only element of the list; the answer is put where nothing else is.
        &format!(
            "(loop $again
                (call $load (i32.load (local.get 0)) (i32.const 2048))
                (local.set 2 (i32.add (local.get 2) (i32.const 1)))
                (br_if $again (i32.lt_u (local.get 2) (i32.const {CALLS}))))"
        ),
    )
}

fn component(import: &str, lower: &str, with: &str, work: &str) -> Result<Vec<u8>> {
    let core_import = if with.is_empty() { "" } else { r#"(import "s" "load" (func $load (param i32 i32)))"# };
    let text = format!(
        r#"(component {TYPES} {import}
            (core module $memory (memory (export "memory") 1))
            (core instance $m (instantiate $memory))
            {lower}
            (core module $main
                (import "m" "memory" (memory 1))
                {core_import}
                (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
                ;; Zeroes at 0: `ok` of a report with no findings.
                (func (export "examine") (param i32 i32) (result i32) (local i32) {work} (i32.const 0)))
            (core instance $i (instantiate $main (with "m" (instance $m)) {with}))
            (type $targets (list (own $target)))
            (type $result (result $report (error $failure)))
            (func $examine (param "targets" $targets) (result $result)
                (canon lift (core func $i "examine") (memory (core memory $m "memory")) (realloc (core func $i "realloc"))))
            (export "examine" (func $examine)))"#
    );
    Ok(wat::parse_str(text)?)
}

const TYPES: &str = r#"
(import "bailiwick:ops/types@0.1.0" (instance $types
    (export "target" (type (sub resource)))
    (type $e (enum "refused" "not-found" "not-permitted" "unsupported" "unreachable" "timed-out" "too-large" "garbled"
        "exhausted"))
    (export "verb-error" (type (eq $e)))))
(alias export $types "target" (type $target))
(alias export $types "verb-error" (type $verb-error))
(import "bailiwick:ops/reports@0.1.0" (instance $reports
    (type $s (enum "ok" "warning" "critical" "unknown"))
    (export "severity" (type $severity (eq $s)))
    (type $u (enum "count" "bytes" "seconds" "percent" "ratio" "per-second" "per-hour"))
    (export "unit" (type $unit (eq $u)))
    (type $m (record (field "name" string) (field "value" f64) (field "unit" $unit)))
    (export "metric" (type $metric (eq $m)))
    (type $f (record (field "code" string) (field "severity" $severity) (field "subject" string)
        (field "title" string) (field "metrics" (list $metric)) (field "evidence" (list u32))))
    (export "finding" (type $finding (eq $f)))
    (type $r (record (field "findings" (list $finding))))
    (export "report" (type (eq $r)))
    (alias outer 1 $verb-error (type $v))
    (export "verb-error" (type $ve (eq $v)))
    (type $l (record (field "reason" string) (field "error" (option $ve)) (field "call" (option u32))))
    (export "failure" (type (eq $l)))))
(alias export $reports "report" (type $report))
(alias export $reports "failure" (type $failure))
"#;

const SYSTEM: &str = r#"
(import "bailiwick:ops/system@0.1.0" (instance $system
    (alias outer 1 $target (type $t))
    (export "target" (type $target (eq $t)))
    (alias outer 1 $verb-error (type $v))
    (export "verb-error" (type $ve (eq $v)))
    (type $i (record (field "one" f64) (field "five" f64) (field "fifteen" f64) (field "runnable" u32)
        (field "entities" u32) (field "cpus" u32)))
    (export "load-info" (type $info (eq $i)))
    (export "load" (func (param "target" (borrow $target)) (result (result $info (error $ve)))))))
"#;
