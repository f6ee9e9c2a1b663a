//! LK17: every feature that is off is refused in three ways. Each feature has a component that needs it and nothing else that
//! is off (the control: with the feature on, it is valid). The reader refuses it, and so does the engine.

use wasmparser::{Validator, WasmFeatures as F};
use wasmtime::Engine;
use wasmtime::component::Component;

use super::{FEATURES, config, engine};
use crate::{InspectError, inspect};
use bailiwick_core::limits::Limits;

/// A component that needs a feature.
struct Fixture {
    feature: F,
    /// Other features that are off, which it requires.
    beside: F,
    bytes: Vec<u8>,
}

/// The feature that is on in the engine, for glue that it makes itself (`config` says why). Only the reader refuses it.
const ENGINES_OWN: F = F::MULTI_MEMORY;

/// What garbage collection builds upon.
const REFERENCES: F = F::FUNCTION_REFERENCES.union(F::GC_TYPES);
const GC: F = REFERENCES.union(F::GC);

/// A component that exports nothing and lifts `f` of its only module.
fn lifting(f: &str, lift: &str) -> String {
    format!(r#"(core module $m {f}) (core instance $i (instantiate $m)) (func {lift})"#)
}

fn fixtures() -> Vec<Fixture> {
    let lifted_async = lifting(
        r#"(import "" "return" (func $return)) (func (export "f") call $return)"#,
        r#"async (canon lift (core func $i "f") async)"#,
    )
    .replace("(instantiate $m)", r#"(instantiate $m (with "" (instance (export "return" (func $return)))))"#);
    let lowered_64 = r#"(import "f" (func $f (param "a" string))) (core module $m (memory (export "m") i64 1))
        (core instance $i (instantiate $m)) (core func (canon lower (func $f) (memory (core memory $i "m"))))"#;
    let modules = [
        (F::MEMORY64, F::empty(), "(memory i64 1)"),
        (F::THREADS, F::empty(), "(memory 1 2 shared)"),
        (F::THREADS, F::empty(), "(memory 1) (func (drop (i32.atomic.load (i32.const 0))))"),
        (F::SHARED_EVERYTHING_THREADS, F::empty(), "(global (shared i32) (i32.const 0))"),
        (F::MULTI_MEMORY, F::empty(), "(memory 1) (memory 1)"),
        (F::TAIL_CALL, F::empty(), "(func $f (return_call $f))"),
        (F::EXCEPTIONS, F::empty(), "(tag)"),
        (F::LEGACY_EXCEPTIONS, F::EXCEPTIONS, "(func try catch_all end)"),
        (F::GC, REFERENCES, "(type (struct (field i32)))"),
        (F::GC_TYPES, F::empty(), "(func (param externref))"),
        (F::FUNCTION_REFERENCES, F::empty(), "(type $t (func)) (func (param (ref null $t)))"),
        (
            F::RELAXED_SIMD,
            F::empty(),
            "(func (param v128 v128) (result v128) (i8x16.relaxed_swizzle (local.get 0) (local.get 1)))",
        ),
        (F::CUSTOM_PAGE_SIZES, F::empty(), "(memory 1 (pagesize 1))"),
        (F::MEMORY_CONTROL, F::empty(), "(memory 1) (func (memory.discard (i32.const 0) (i32.const 0)))"),
        (
            F::WIDE_ARITHMETIC,
            F::empty(),
            "(func (param i64 i64) (result i64 i64) (i64.mul_wide_s (local.get 0) (local.get 1)))",
        ),
        (F::STACK_SWITCHING, REFERENCES, "(type $f (func)) (type (cont $f))"),
        (F::CUSTOM_DESCRIPTORS, GC, "(rec (type $a (descriptor $b) (struct)) (type $b (describes $a) (struct)))"),
        (F::COMPACT_IMPORTS, F::empty(), r#"(import "a" (item "b" (func)) (item "c" (func)))"#),
    ]
    .map(|(feature, beside, fields)| (feature, beside, format!("(core module {fields})")));
    let components = [
        (F::CM_ASYNC, F::empty(), "(type (future u8))"),
        (F::CM_ASYNC, F::empty(), "(type (stream u8))"),
        (F::CM_ASYNC, F::empty(), "(core func (canon task.cancel))"),
        (F::CM_ASYNC_STACKFUL, F::CM_ASYNC, lifted_async.as_str()),
        (F::CM_MORE_ASYNC_BUILTINS, F::CM_ASYNC, "(core func (canon subtask.cancel async))"),
        (F::CM_THREADING, F::CM_ASYNC, "(core func (canon thread.index))"),
        (F::CM_ERROR_CONTEXT, F::empty(), "(type error-context)"),
        (F::CM_ERROR_CONTEXT, F::empty(), "(core func (canon error-context.drop))"),
        (F::CM_FIXED_LENGTH_LISTS, F::empty(), "(type (list u32 4))"),
        (F::CM_MAP, F::empty(), "(type (map string u32))"),
        (F::CM_GC, GC, &lifting(r#"(func (export "f"))"#, r#"(canon lift (core func $i "f") gc)"#)),
        (F::CM64, F::MEMORY64, lowered_64),
        (F::CM_VALUES, F::empty(), r#"(import "a" (value $a string)) (export "b" (value $a))"#),
        (F::CM_NESTED_NAMES, F::empty(), r#"(import "a:b:c/d" (func))"#),
        (F::CM_IMPLEMENTS, F::empty(), r#"(import "a" (implements "b:c/d") (instance))"#),
    ]
    .map(|(feature, beside, text)| (feature, beside, text.to_owned()));
    let assembled = modules.into_iter().chain(components).map(|(feature, beside, text)| {
        let text = format!("(component {text})").replace(
            "(core instance $i (instantiate $m (with",
            "(core func $return (canon task.return)) (core instance $i (instantiate $m (with",
        );
        let bytes = wat::parse_str(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        Fixture { feature, beside, bytes }
    });
    assembled.chain([canonical_name()]).collect()
}

/// `(import "b:c/d@1" (versionsuffix ".2.3") (instance))`, for which there is no text.
fn canonical_name() -> Fixture {
    let mut bytes = b"\0asm\x0d\0\x01\0".to_vec();
    // A section of types: an instance that exports nothing.
    bytes.extend([7, 3, 1, 0x42, 0]);
    let mut import = vec![1, 2, 7];
    import.extend(b"b:c/d@1");
    import.extend([1, 1, 4]);
    import.extend(b".2.3");
    import.extend([5, 0]);
    bytes.extend([10, u8::try_from(import.len()).unwrap()]);
    bytes.extend(import);
    Fixture { feature: F::CM_CANON_NAMES, beside: F::empty(), bytes }
}

fn valid(features: F, bytes: &[u8]) -> Result<(), String> {
    Validator::new_with_features(features).validate_all(bytes).map(drop).map_err(|error| error.to_string())
}

#[test]
fn lk17_each_feature_that_is_off_is_refused_by_the_reader_and_by_the_engine() {
    let engine = engine().unwrap();
    for Fixture { feature, beside, bytes } in fixtures() {
        let with = FEATURES | beside | feature;
        assert_eq!(valid(with, &bytes), Ok(()), "{feature:?}: the control");
        assert!(valid(FEATURES | beside, &bytes).is_err(), "{feature:?}: it does not need it");
        let read = inspect(&bytes, &Limits::default());
        assert!(matches!(read, Err(InspectError::Invalid { .. })), "{feature:?}: {read:?}");
        let compiled = Component::from_binary(&engine, &bytes);
        assert_eq!(compiled.is_ok(), feature == ENGINES_OWN, "{feature:?}: whether the engine takes it");
    }
}

/// The engine refuses because of the feature and for no other reason: with the feature on, it accepts the same bytes.
#[test]
fn lk17_the_engine_takes_what_it_refuses_once_the_feature_is_on() {
    let mut taken = F::empty();
    for Fixture { feature, beside, bytes } in fixtures() {
        let mut config = config();
        config.wasm_features(feature | beside, true);
        config.shared_memory(feature == F::THREADS).gc_support(true);
        if let Ok(engine) = Engine::new(&config)
            && Component::from_binary(&engine, &bytes).is_ok()
        {
            taken |= feature;
        }
    }
    // This engine does not have the other features, so only the reader's control applies to them.
    let absent: Vec<_> = F::all().difference(FEATURES).difference(taken).iter_names().map(|(name, _)| name).collect();
    insta::assert_debug_snapshot!(absent);
}

#[test]
fn lk17_every_feature_that_is_off_has_its_component() {
    let covered = fixtures().iter().fold(F::empty(), |all, fixture| all | fixture.feature);
    let bare: Vec<_> = F::all().difference(FEATURES).difference(covered).iter_names().map(|(name, _)| name).collect();
    assert!(bare.is_empty(), "a new feature, or one that was on: write a component that needs it: {bare:?}");
}

#[test]
fn what_compilers_make_today_needs_no_more() {
    for fields in [
        "(func (param v128))",
        "(memory 1) (func (memory.fill (i32.const 0) (i32.const 0) (i32.const 0)))",
        "(func (result i32 i32) (i32.const 1) (i32.const 2))",
        "(func (param i32) (result i32) (i32.extend8_s (local.get 0)))",
        "(func (param f32) (result i32) (i32.trunc_sat_f32_s (local.get 0)))",
        "(table 1 funcref) (func (drop (table.get (i32.const 0))))",
        r#"(import "a" "g" (global $g (mut i32)))"#,
    ] {
        let text = format!("(component (core module {fields}))");
        let bytes = wat::parse_str(&text).unwrap();
        inspect(&bytes, &Limits::default()).unwrap_or_else(|error| panic!("{text}: {error}"));
        Component::from_binary(&engine().unwrap(), &bytes).unwrap_or_else(|error| panic!("{text}: {error:?}"));
    }
}
