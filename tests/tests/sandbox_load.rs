//! What is refused before anything is compiled, and what the engine refuses on its own (threats.md, LK).

#![cfg(test)]

mod sandbox_support;

use std::collections::BTreeSet;

use bailiwick::model::Verb;
use bailiwick::sandbox::{ImportError, InspectError, Inspected, Limits, LoadError, check_imports};
use sandbox_support::{Guest, LOAD_IMPORT, body, load, loading};

fn inspect(bytes: &[u8]) -> Result<Inspected, InspectError> {
    bailiwick::sandbox::inspect(bytes, &Limits::default())
}

fn inspected(bytes: &[u8]) -> Inspected {
    inspect(bytes).unwrap_or_else(|error| panic!("{error}"))
}

/// A component with one core module that needs a feature.
fn with_module(fields: &str) -> Vec<u8> {
    let lower = format!("(core module $extra {fields})");
    Guest { lower: &lower, body: "(i32.const 1024)", ..Guest::default() }.bytes()
}

#[tokio::test]
async fn lk17_each_feature_that_is_off_is_refused_twice() {
    let table = [
        ("memory64", "(memory i64 1)"),
        ("threads", "(memory 1 2 shared)"),
        ("atomics", "(memory 1) (func (drop (i32.atomic.load (i32.const 0))))"),
        ("multi-memory", "(memory 1) (memory 1)"),
        ("tail call", "(func $f (return_call $f))"),
        ("exceptions", "(tag)"),
        ("gc", "(type (struct (field i32)))"),
        ("externref", "(func (param externref))"),
        ("function references", "(type $t (func)) (func (param (ref null $t)))"),
        ("relaxed simd", "(func (param v128 v128) (result v128) (i8x16.relaxed_swizzle (local.get 0) (local.get 1)))"),
        ("custom page sizes", "(memory 1 (pagesize 1))"),
        ("wide arithmetic", "(func (param i64 i64) (result i64 i64) (i64.mul_wide_s (local.get 0) (local.get 1)))"),
        ("stack switching", "(type $f (func)) (type (cont $f))"),
    ];
    for (feature, fields) in table {
        let bytes = with_module(fields);
        assert!(matches!(inspect(&bytes), Err(InspectError::Invalid { .. })), "{feature}: {:?}", inspect(&bytes));
        let loaded = load(&bytes, &[], Limits::default()).await;
        assert!(matches!(loaded, Err(LoadError::NotLoaded { .. })), "{feature}: the engine takes it");
    }
    for (feature, fields) in [
        ("simd", "(func (param v128))"),
        ("bulk", "(memory 1) (func (memory.fill (i32.const 0) (i32.const 0) (i32.const 0)))"),
    ] {
        inspect(&with_module(fields)).unwrap_or_else(|error| panic!("{feature}: {error}"));
    }
}

#[tokio::test]
async fn lk02_the_engine_takes_no_text_and_no_module() {
    for bytes in [&b"(component)"[..], b"\0asm\x01\0\0\0", b"\x7fELF", b""] {
        assert!(matches!(load(bytes, &[], Limits::default()).await, Err(LoadError::NotLoaded { .. })));
        assert!(inspect(bytes).is_err());
    }
}

#[test]
fn lk05_structure_is_bounded() {
    let too_much = |bytes: &[u8], what: &str| match inspect(bytes) {
        Err(InspectError::TooMuch { what: found, .. }) => assert_eq!(found, what),
        other => panic!("{what}: {other:?}"),
    };
    let modules = "(core module)".repeat(20);
    too_much(&Guest { lower: &modules, body: "(i32.const 1024)", ..Guest::default() }.bytes(), "core modules");
    let locals = format!("(func (local {}))", "i32 ".repeat(1001));
    too_much(&with_module(&locals), "locals in one function");
    too_much(&with_module(&"(func)".repeat(20_000)), "functions");
    let table = format!("(func (br_table {} (i32.const 0)))", "0 ".repeat(4_100));
    too_much(&with_module(&table), "targets of one br_table");
    let long = format!("(func {})", "(drop (i32.const 1))".repeat(100_000));
    too_much(&with_module(&long), "bytes in one function");
    let nested = format!("{}{}", "(component ".repeat(6), ")".repeat(6));
    too_much(&Guest { lower: &nested, body: "(i32.const 1024)", ..Guest::default() }.bytes(), "levels of components");
    let many = "(type u32)".repeat(20_001);
    too_much(&Guest { lower: &many, body: "(i32.const 1024)", ..Guest::default() }.bytes(), "types");
}

#[tokio::test]
async fn lk10_imports_are_the_manifests() {
    let bytes = loading(LOAD_IMPORT, "(i32.const 1024)").bytes();
    let component = inspected(&bytes);
    let imports = [("bailiwick:ops/system@0.1.0".to_owned(), "load".to_owned())];
    assert_eq!(component.imports, imports);
    assert_eq!(check_imports(&component, &[Verb::SystemLoad].into()), Ok(()));
    assert_eq!(check_imports(&component, &BTreeSet::new()), Err(ImportError::NotAskedFor(vec![Verb::SystemLoad])));
    // Were the check forgotten, the function would still not be there.
    let unlinked = load(&bytes, &[Verb::SystemMemory], Limits::default()).await;
    assert!(matches!(unlinked, Err(LoadError::NotLoaded { .. })));
}

#[tokio::test]
async fn lk13_lk15_nothing_else_is_imported() {
    let import = |import: &str| Guest { imports: import, body: "(i32.const 1024)", ..Guest::default() }.bytes();
    let wasi = import(r#"(import "wasi:filesystem/types@0.2.6" (instance (export "x" (func))))"#);
    let refusal = check_imports(&inspected(&wasi), &BTreeSet::new()).unwrap_err();
    assert!(matches!(&refusal, ImportError::Foreign { why: "no probe gets files", .. }), "{refusal}");
    let types_only = import(r#"(import "wasi:io/streams@0.2.6" (instance))"#);
    assert!(matches!(check_imports(&inspected(&types_only), &BTreeSet::new()), Err(ImportError::Foreign { .. })));
    let newer = import(r#"(import "bailiwick:ops/calls@0.1.7" (instance (export "last" (func (result u32)))))"#);
    assert!(matches!(check_imports(&inspected(&newer), &BTreeSet::new()), Err(ImportError::OtherVersion { .. })));
    let kinds = [
        r#"(import "x" (func))"#,
        r#"(import "x" (core module))"#,
        r#"(import "x" (component))"#,
        r#"(import "x" (type (sub resource)))"#,
        r#"(import "bailiwick:ops/system@0.1.0" (instance (export "x" (instance))))"#,
    ];
    for kind in kinds {
        let bytes = import(kind);
        let refused = match inspect(&bytes) {
            Err(InspectError::ImportKind { .. } | InspectError::Invalid { .. }) => true,
            other => panic!("{kind}: {other:?}"),
        };
        assert!(refused);
        if !kind.contains("system@") {
            assert!(matches!(load(&bytes, &[], Limits::default()).await, Err(LoadError::NotLoaded { .. })), "{kind}");
        }
    }
}

#[tokio::test]
async fn types_are_checked_when_it_is_linked() {
    // The right name with another shape.
    let wrong = r#"(import "bailiwick:ops/calls@0.1.0" (instance (export "last" (func (result string)))))"#;
    let bytes = Guest { imports: wrong, body: "(i32.const 1024)", ..Guest::default() }.bytes();
    assert_eq!(check_imports(&inspected(&bytes), &BTreeSet::new()), Ok(()), "names alone do not tell");
    assert!(matches!(load(&bytes, &[], Limits::default()).await, Err(LoadError::NotLoaded { .. })));
    let other = wat::parse_str(
        r#"(component (core module $m (func (export "examine"))) (core instance $i (instantiate $m))
           (func (export "examine") (canon lift (core func $i "examine"))))"#
            .replace(r#"(core func $i "examine")"#, r#"(core func (core func $i "examine"))"#),
    );
    if let Ok(other) = other {
        assert!(matches!(load(&other, &[], Limits::default()).await, Err(LoadError::NotLoaded { .. })));
    }
}

#[test]
fn custom_sections_are_found_and_bounded() {
    let text = |bytes: usize| {
        let guest = body("(i32.const 1024)");
        let mut with = guest.clone();
        let content = vec![b'x'; bytes];
        let mut section = vec![5];
        section.extend(b"notes");
        section.extend(&content);
        with.push(0);
        let mut length = section.len();
        loop {
            let byte = u8::try_from(length & 0x7f).unwrap();
            length >>= 7;
            with.push(if length > 0 { byte | 0x80 } else { byte });
            if length == 0 {
                break;
            }
        }
        with.extend(section);
        with
    };
    let bytes = text(10);
    assert_eq!(inspected(&bytes).custom_section(&bytes, "notes"), Some(&b"xxxxxxxxxx"[..]));
    assert_eq!(inspected(&bytes).custom_section(&bytes, "other"), None);
    assert!(matches!(inspect(&text(2 << 20)), Err(InspectError::TooMuch { .. })));
}
