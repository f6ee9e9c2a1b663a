//! What is refused before anything is compiled, and what the engine refuses on its own (docs/threats.md, LK).

use std::collections::BTreeSet;

use crate::support::{Guest, LOAD_IMPORT, load, loading};
use bailiwick_core::model::{Verb, World};
use bailiwick_sandbox::{ImportError, InspectError, Inspected, Limits, Links, LoadError, check_imports};

fn inspect(bytes: &[u8]) -> Result<Inspected, InspectError> {
    bailiwick_sandbox::inspect(bytes, &Limits::default())
}

fn inspected(bytes: &[u8]) -> Inspected {
    inspect(bytes).unwrap_or_else(|error| panic!("{error}"))
}

/// Whether it is a component whose manifest asks for these verbs and no WASI.
fn check(component: &Inspected, verbs: &[Verb]) -> Result<Links, ImportError> {
    check_imports(component, World::Probe, &verbs.iter().copied().collect(), &BTreeSet::new(), false)
}

#[tokio::test]
async fn lk10_imports_are_the_manifests() {
    let bytes = loading(LOAD_IMPORT, "(i32.const 1024)").bytes();
    let component = inspected(&bytes);
    let imports = [("bailiwick:ops/system@0.1.0".to_owned(), "load".to_owned())];
    assert_eq!(component.imports, imports);
    assert_eq!(check(&component, &[Verb::SystemLoad]), Ok(Links::from([Verb::SystemLoad])));
    assert_eq!(check(&component, &[]), Err(ImportError::NotAskedFor(vec![Verb::SystemLoad])));
    // Without the check, the function would still not exist.
    let unlinked = load(&bytes, &[Verb::SystemMemory], Limits::default()).await;
    assert!(matches!(unlinked, Err(LoadError::NotLoaded { .. })));
}

#[tokio::test]
async fn lk13_lk15_nothing_else_is_imported() {
    let import = |import: &str| Guest { imports: import, body: "(i32.const 1024)", ..Guest::default() }.bytes();
    let wasi = import(r#"(import "wasi:filesystem/types@0.2.6" (instance (export "x" (func))))"#);
    let refusal = check(&inspected(&wasi), &[]).unwrap_err();
    assert!(matches!(&refusal, ImportError::Foreign { why: "no component gets files", .. }), "{refusal}");
    let types_only = import(r#"(import "wasi:io/streams@0.2.6" (instance))"#);
    assert!(matches!(check(&inspected(&types_only), &[]), Err(ImportError::WasiNotAskedFor(_))));
    let newer = import(r#"(import "bailiwick:ops/calls@0.1.7" (instance (export "last" (func (result u32)))))"#);
    assert!(matches!(check(&inspected(&newer), &[]), Err(ImportError::OtherVersion { .. })));
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

#[test]
fn lk13_what_was_built_for_another_host_is_reported() {
    let error_of = |text: &str| {
        let bytes = wat::parse_str(text).unwrap();
        check(&inspected(&bytes), &[]).unwrap_err().to_string()
    };
    let program = error_of(
        r#"(component (import "wasi:filesystem/types@0.2.0" (instance))
            (instance $run) (export "wasi:cli/run@0.2.0" (instance $run)))"#,
    );
    assert!(program.contains("built for world `wasi:cli/command@0.2.0`; a probe must be built for"), "{program}");
    assert!(program.contains("hint: "), "{program}");
    let nothing = error_of("(component)");
    assert!(nothing.contains("it exports nothing; a component of"), "{nothing}");
    let newer = error_of(
        r#"(component (import "bailiwick:ops/system@0.2.0" (instance (export "load" (func))))
            (core module $m (func (export "f"))) (core instance $i (instantiate $m))
            (func (export "examine") (canon lift (core func $i "f"))))"#,
    );
    assert!(newer.contains("built for `bailiwick:ops/system@0.2.0`, this host offers"), "{newer}");
    assert!(matches!(inspect(b"\0asm\x01\0\0\0"), Err(InspectError::CoreModule)));
}

#[tokio::test]
async fn lk10_types_are_checked_when_it_is_linked() {
    // The right name with another shape.
    let wrong = r#"(import "bailiwick:ops/calls@0.1.0" (instance (export "last" (func (result string)))))"#;
    let bytes = Guest { imports: wrong, body: "(i32.const 1024)", ..Guest::default() }.bytes();
    assert_eq!(check(&inspected(&bytes), &[]), Ok(Links::default()), "names alone do not decide");
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
