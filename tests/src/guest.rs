//! Hostile and harmless components in text, and a worker to run them in.

use std::collections::BTreeMap;
use std::path::Path;

use bailiwick_core::model::Answer;
use bailiwick_core::model::Exit;
use bailiwick_core::model::{TargetName, Verb, VerbError};
use bailiwick_sandbox::{Limits, Links, LoadError, Outcome, RunEnd, TargetView, Worker};

/// The pieces of a component.
#[derive(Debug, Default, Clone)]
pub struct Guest<'a> {
    /// Imports of interfaces, after `types` and `reports`.
    pub imports: &'a str,
    /// `(core func $x (canon lower …))`.
    pub lower: &'a str,
    /// `(export "x" (func $x))`, given to the module as "host".
    pub give: &'a str,
    /// Fields of the module, imports first.
    pub fields: &'a str,
    /// Body of `examine`; it leaves the address of its result. 1024 holds an empty report.
    pub body: &'a str,
    /// Further options of the lift, such as `(post-return $x)`.
    pub lift: &'a str,
}

impl Guest<'_> {
    /// As text.
    #[must_use]
    pub fn text(&self) -> String {
        let Guest { imports, lower, give, fields, body, lift } = self;
        format!(
            r#"(component
  (import "bailiwick:ops/types@0.1.0" (instance $types
    (export "target" (type (sub resource)))
    (type $e (enum "refused" "not-found" "not-permitted" "unsupported" "unreachable" "timed-out" "too-large" "garbled" "exhausted"))
    (export "verb-error" (type (eq $e)))))
  (alias export $types "target" (type $target))
  (alias export $types "verb-error" (type $verb-error))
  (import "bailiwick:ops/reports@0.1.0" (instance $reports
    (alias outer 1 $verb-error (type $e0))
    (export "verb-error" (type $e (eq $e0)))
    (type $s0 (enum "ok" "warning" "critical" "unknown"))
    (export "severity" (type $s (eq $s0)))
    (type $u0 (enum "count" "bytes" "seconds" "percent" "ratio" "per-second" "per-hour"))
    (export "unit" (type $u (eq $u0)))
    (type $m0 (record (field "name" string) (field "value" f64) (field "unit" $u)))
    (export "metric" (type $m (eq $m0)))
    (type $f0 (record (field "code" string) (field "severity" $s) (field "subject" string) (field "title" string)
      (field "metrics" (list $m)) (field "evidence" (list u32))))
    (export "finding" (type $f (eq $f0)))
    (type $r0 (record (field "findings" (list $f))))
    (export "report" (type (eq $r0)))
    (type $x0 (record (field "reason" string) (field "error" (option $e)) (field "call" (option u32))))
    (export "failure" (type (eq $x0)))))
  (alias export $reports "report" (type $report))
  (alias export $reports "failure" (type $failure))
  {imports}
  (core module $libc
    (memory (export "memory") 2)
    (global $next (mut i32) (i32.const 65536))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (local $at i32)
      (local.set $at (i32.and (i32.add (global.get $next) (i32.const 7)) (i32.const -8)))
      (global.set $next (i32.add (local.get $at) (local.get 3)))
      (block $fits
        (br_if $fits (i32.le_u (global.get $next) (i32.mul (memory.size) (i32.const 65536))))
        (br_if $fits (i32.ne (i32.const -1)
          (memory.grow (i32.add (i32.const 1) (i32.div_u (local.get 3) (i32.const 65536))))))
        unreachable)
      (local.get $at)))
  (core instance $libc (instantiate $libc))
  (alias core export $libc "memory" (core memory $memory))
  (alias core export $libc "realloc" (core func $realloc))
  {lower}
  (core module $main
    (import "libc" "memory" (memory 1))
    {fields}
    (func (export "examine") (param $targets i32) (param $count i32) (result i32)
      {body}))
  (core instance $main (instantiate $main
    (with "libc" (instance $libc))
    (with "host" (instance {give}))))
  (alias core export $main "examine" (core func $examine))
  (type $examine (func (param "targets" (list (own $target))) (result (result $report (error $failure)))))
  (func $examine (type $examine) (canon lift (core func $examine)
    (memory $memory) (realloc $realloc) {lift}))
  (export "examine" (func $examine)))"#
        )
    }

    /// As a binary.
    ///
    /// # Panics
    /// When the pieces are not a component.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let text = self.text();
        wat::parse_str(&text).unwrap_or_else(|error| panic!("{text}\n{error}"))
    }
}

/// A component that runs this body.
pub fn body(body: &str) -> Vec<u8> {
    Guest { body, ..Guest::default() }.bytes()
}

/// A component that may log: `call $log` (level, pointer, length).
pub fn logging<'a>(fields: &'a str, body: &'a str) -> Guest<'a> {
    Guest {
        imports: r#"(import "bailiwick:ops/log@0.1.0" (instance $log
            (type $l0 (enum "debug" "info" "warning"))
            (export "level" (type $l (eq $l0)))
            (export "write" (func (param "level" $l) (param "message" string)))))"#,
        lower: r#"(alias export $log "write" (func $write)) (core func $write (canon lower (func $write) (memory $memory)))"#,
        give: r#"(export "log" (func $write))"#,
        fields,
        body,
        lift: "",
    }
}

/// Fields of a component that calls `system.failed`-like verbs: `call $load` (target, address of the result).
pub const LOAD_IMPORT: &str = r#"(import "bailiwick:ops/system@0.1.0" (instance $system
    (alias outer 1 $target (type $t0))
    (export "target" (type $t (eq $t0)))
    (alias outer 1 $verb-error (type $e0))
    (export "verb-error" (type $e (eq $e0)))
    (type $l0 (record (field "one" f64) (field "five" f64) (field "fifteen" f64)
      (field "runnable" u32) (field "entities" u32) (field "cpus" u32)))
    (export "load-info" (type $l (eq $l0)))
    (export "load" (func (param "target" (borrow $t)) (result (result $l (error $e)))))))"#;

/// A component that may call `system.load`.
pub fn loading<'a>(imports: &'a str, body: &'a str) -> Guest<'a> {
    Guest {
        imports,
        lower: r#"(alias export $system "load" (func $load)) (core func $load (canon lower (func $load) (memory $memory)))"#,
        give: r#"(export "load" (func $load))"#,
        fields: r#"(import "host" "load" (func $load (param i32 i32)))"#,
        body,
        lift: "",
    }
}

/// A successful answer.
pub fn answered(stdout: &str) -> Outcome {
    Outcome::Answered(Answer { stdout: stdout.into(), stderr: Vec::new(), exit: Exit::Status(0), timing: None })
}

/// One target without parameters or slots.
pub fn targets() -> Vec<TargetView> {
    let name = TargetName::new("db01").unwrap();
    vec![TargetView { name, params: BTreeMap::new(), slots: BTreeMap::new(), previous_ms: None, earlier: Vec::new() }]
}

/// Limits that a test does not have to wait for.
pub fn short() -> Limits {
    Limits { fuel: 20_000_000, wall_ms: 3_000, ..Limits::default() }
}

/// Starts a worker of this program.
///
/// # Errors
/// When it does not start or does not take the component.
pub async fn load(program: &Path, component: &[u8], verbs: &[Verb], limits: Limits) -> Result<Worker, LoadError> {
    let links = Links { verbs: verbs.iter().copied().collect(), ..Links::default() };
    Worker::load(Some(program), component, &links, limits).await
}

/// Runs a component once; every call is answered with `unreachable`. Its worker has ended afterwards.
pub async fn run(program: &Path, component: &[u8], verbs: &[Verb], limits: Limits) -> RunEnd {
    let worker = load(program, component, verbs, limits).await.unwrap_or_else(|error| panic!("{error:?}"));
    let proc = format!("/proc/{}", worker.pid());
    let end = worker.run(1, targets(), async |_| Outcome::Failed(VerbError::Unreachable)).await;
    worker.close().await;
    assert!(!Path::new(&proc).exists(), "the worker is reaped");
    end
}
