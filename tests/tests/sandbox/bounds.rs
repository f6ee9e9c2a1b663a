//! What is too large, too much or too deep is refused before it is compiled, and what compiles too slowly is stopped
//! (docs/threats.md, LK01, LK02, LK05).

use crate::support::{Guest, body, load};
use bailiwick_core::limits::COMPONENT_BYTES_MAX;
use bailiwick_policy::library::{LibraryError, read_binary};
use bailiwick_sandbox::{InspectError, Limits, LoadError, inspect};

const HEADER: &[u8] = b"\0asm\x0d\0\x01\0";

/// A number as LEB128.
fn leb(mut value: usize) -> Vec<u8> {
    let mut out = Vec::new();
    loop {
        let byte = u8::try_from(value & 0x7f).unwrap();
        value >>= 7;
        out.push(if value > 0 { byte | 0x80 } else { byte });
        if value == 0 {
            return out;
        }
    }
}

fn section(id: u8, contents: &[u8]) -> Vec<u8> {
    [&[id], leb(contents.len()).as_slice(), contents].concat()
}

/// A component with something beside what it needs.
fn with(lower: &str) -> Vec<u8> {
    Guest { lower, body: "(i32.const 1024)", ..Guest::default() }.bytes()
}

/// A component with one more core module.
fn with_module(fields: &str) -> Vec<u8> {
    with(&format!("(core module $extra {fields})"))
}

/// A component with a custom section of this size.
fn noted(bytes: usize) -> Vec<u8> {
    let contents = [&[5][..], b"notes", &vec![b'x'; bytes]].concat();
    [body("(i32.const 1024)"), section(0, &contents)].concat()
}

/// The limit for which it is refused.
#[track_caller]
fn refused_for(bytes: &[u8], limits: &Limits) -> &'static str {
    match inspect(bytes, limits) {
        Err(InspectError::TooMuch { limit, found, max, .. }) => {
            assert!(found > max);
            limit
        }
        Err(InspectError::Size { .. }) => "component-bytes",
        other => panic!("{other:?}"),
    }
}

#[test]
fn lk01_size_is_checked_before_anything_else() {
    // Zeros are not a component, and are not read either.
    let max = Limits::default().component_bytes;
    let large = vec![0; usize::try_from(max).unwrap() + 1];
    assert_eq!(inspect(&large, &Limits::default()), Err(InspectError::Size { found: max + 1, max }));
    // No more is read from a file than a component may have: this one is a sparse terabyte.
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("large.wasm");
    std::fs::File::create(&path).unwrap().set_len(1 << 40).unwrap();
    assert!(matches!(read_binary(&path), Err(LibraryError::TooLarge(_))));
    std::fs::File::create(&path).unwrap().set_len(COMPONENT_BYTES_MAX).unwrap();
    assert_eq!(read_binary(&path).unwrap().bytes.len() as u64, COMPONENT_BYTES_MAX);
}

#[test]
fn lk01_nothing_is_unpacked() {
    // gzip, zstd, xz and zip, each with a component's name: bytes are read as they are.
    for magic in [&b"\x1f\x8b\x08\0"[..], b"\x28\xb5\x2f\xfd", b"\xfd7zXZ\0", b"PK\x03\x04"] {
        let bytes = [magic, body("(i32.const 1024)").as_slice()].concat();
        assert!(matches!(inspect(&bytes, &Limits::default()), Err(InspectError::NotWasm(_))));
    }
}

#[tokio::test]
async fn lk02_what_is_not_a_component_is_recognised_by_its_first_bytes() {
    let table =
        [(&b"(component)"[..], "28636f6d706f6e65"), (b"\x7fELF\x02\x01\x01\0\0", "7f454c4602010100"), (b"", "")];
    for (bytes, shown) in table {
        let Err(error) = inspect(bytes, &Limits::default()) else { panic!("{shown}") };
        assert_eq!(error, InspectError::NotWasm(shown.to_owned()));
        // Without this check, the engine would reject it too: it has no reader of text.
        assert!(matches!(load(bytes, &[], Limits::default()).await, Err(LoadError::NotLoaded { .. })), "{shown}");
    }
    let module = b"\0asm\x01\0\0\0";
    assert_eq!(inspect(module, &Limits::default()), Err(InspectError::CoreModule));
    assert!(matches!(load(module, &[], Limits::default()).await, Err(LoadError::NotLoaded { .. })));
}

#[test]
fn lk02_a_cut_component_is_refused_wherever_it_is_cut() {
    let bytes = body("(i32.const 1024)");
    let whole = inspect(&bytes, &Limits::default()).unwrap();
    let short = (0..bytes.len()).filter_map(|at| inspect(&bytes[..at], &Limits::default()).ok());
    // Between two sections a shorter component ends: one that exports nothing, which the check of exports refuses, or
    // the same without the names for debuggers at its end.
    for found in short {
        assert!(found.exports.is_empty() || (&found.exports, &found.imports) == (&whole.exports, &whole.imports));
        assert_ne!(found.digest, whole.digest);
    }
}

#[test]
fn lk02_custom_sections_are_found_and_bounded() {
    let bytes = noted(10);
    let found = inspect(&bytes, &Limits::default()).unwrap();
    assert_eq!(found.custom_section(&bytes, "notes"), Some(&b"xxxxxxxxxx"[..]));
    assert_eq!(found.custom_section(&bytes, "other"), None);
    assert_eq!(refused_for(&noted(1 << 20), &Limits::default()), "custom-bytes");
    // A hundred MiB is larger than any component.
    assert_eq!(refused_for(&noted(100 << 20), &Limits::default()), "component-bytes");
}

#[test]
fn lk05_every_bound_of_structure_holds() {
    let exports: String = (0..10_001).map(|n| format!("(export \"e{n}\" (func $f))")).collect();
    let imports: String = (0..10_001).map(|n| format!("(import \"\" \"{n}\" (func))")).collect();
    let fields: String = (0..9_999).map(|n| format!("(field \"f{n}\" u8)")).collect();
    let elements = format!("(table 1 funcref) (func $f) (elem func {})", "$f ".repeat(20_001));
    let aliases = "(alias outer 1 $t (type))".repeat(10_001);
    let nested = format!("{}{}", "(component ".repeat(6), ")".repeat(6));
    let table = [
        ("core-modules", with(&"(core module)".repeat(20))),
        ("components", with(&"(component)".repeat(17))),
        ("component-depth", with(&nested)),
        ("functions", with_module(&"(func)".repeat(20_000))),
        ("body-bytes", with_module(&format!("(func {})", "(drop (i32.const 1))".repeat(100_000)))),
        ("locals", with_module(&format!("(func (local {}))", "i32 ".repeat(1001)))),
        ("br-table", with_module(&format!("(func (br_table {} (i32.const 0)))", "0 ".repeat(4_100)))),
        ("types", with(&"(type u32)".repeat(20_001))),
        ("types", with_module(&"(type (func (param i32 i32 i32)))".repeat(5_001))),
        ("types", with(&format!("(type (tuple {}))", "u8 ".repeat(9_999)).repeat(3))),
        ("types", with(&format!("(type (record {fields}))").repeat(3))),
        ("types", with(&format!("(type (instance {}))", "(type u8)".repeat(20_001)))),
        ("imports", with_module(&imports)),
        ("exports", with_module(&format!("(func $f) {exports}"))),
        ("globals", with_module(&"(global i32 (i32.const 0))".repeat(10_001))),
        ("elements", with_module(&elements)),
        ("data-segments", with_module(&"(data \"\")".repeat(10_001))),
        ("items", with_module(&"(table 0 funcref)".repeat(10_001))),
        ("items", with(&format!("(type $t u8) (component {aliases})"))),
    ];
    for (limit, bytes) in &table {
        assert_eq!(refused_for(bytes, &Limits::default()), *limit);
    }
    // Every limit of a structure is in the table above, or has a test of its own.
    let elsewhere = ["component-bytes", "custom-bytes", "type-depth"];
    for row in bailiwick_core::limits::SETTABLE
        .iter()
        .filter(|row| row.reached == "the component is refused before it is compiled")
    {
        assert!(elsewhere.contains(&row.name) || table.iter().any(|(limit, _)| *limit == row.name), "{}", row.name);
    }
}

/// Nested types, as bytes: no text nests that deep.
fn nested_types(levels: usize, opener: u8) -> Vec<u8> {
    let mut contents = vec![1];
    (0..levels).for_each(|_| contents.extend([opener, 1, 1]));
    contents.extend([opener, 0]);
    [HEADER, &section(7, &contents)].concat()
}

#[test]
fn lk05_types_inside_types_are_read_without_recursion() {
    // The engine's own reader calls itself for each level: a million of them ended the process.
    for opener in [0x41, 0x42] {
        assert_eq!(refused_for(&nested_types(1_000_000, opener), &Limits::default()), "type-depth");
        assert_eq!(refused_for(&nested_types(20, opener), &Limits::default()), "type-depth");
        inspect(&nested_types(19, opener), &Limits::default()).unwrap();
    }
}

/// A list of lists of lists …
fn deep_list(levels: usize) -> Vec<u8> {
    let lists: String = (1..levels).map(|n| format!("(type $t{n} (list $t{}))", n - 1)).collect();
    with(&format!("(type $t0 (list u8)) {lists}"))
}

#[test]
fn lk05_types_that_refer_to_one_another_have_a_depth() {
    inspect(&deep_list(20), &Limits::default()).unwrap();
    assert_eq!(refused_for(&deep_list(21), &Limits::default()), "type-depth");
    // Through every kind of type, so that no kind avoids the limit.
    let wrap = |inner: &str, kind: &str| match kind {
        "record" => format!("(record (field \"a\" u8) (field \"b\" {inner}))"),
        "variant" => format!("(variant (case \"a\") (case \"b\" {inner}))"),
        "tuple" => format!("(tuple u8 {inner})"),
        "option" => format!("(option {inner})"),
        "ok" => format!("(result {inner})"),
        _ => format!("(result (error {inner}))"),
    };
    for kind in ["record", "variant", "tuple", "option", "ok", "error"] {
        let types: String = (1..21).map(|n| format!("(type $t{n} {})", wrap(&format!("$t{}", n - 1), kind))).collect();
        let bytes = with(&format!("(type $t0 (list u8)) {types}"));
        assert_eq!(refused_for(&bytes, &Limits::default()), "type-depth", "{kind}");
    }
    // A function adds one level, the interface that exports it another.
    let lists = (1..19).map(|n| format!("(type $t{n} (list $t{}))", n - 1)).collect::<String>();
    let function = |more: &str| with(&format!("(type $t0 (list u8)) {lists} (type (func (param \"a\" $t18))) {more}"));
    inspect(&function(""), &Limits::default()).unwrap();
    let interface = "(type (instance (alias outer 1 $t18 (type $t)) (export \"u\" (type $u (eq $t)))
        (export \"f\" (func (param \"a\" $u)))))";
    assert_eq!(refused_for(&function(interface), &Limits::default()), "type-depth");
}

#[test]
fn lk05_a_count_is_not_trusted() {
    // Each section claims four billion items, and has none.
    for id in [3, 5, 6, 7, 8, 10, 11, 2] {
        let bytes = [HEADER, &section(id, &leb(u32::MAX as usize))].concat();
        assert!(inspect(&bytes, &Limits::default()).is_err(), "section {id}");
    }
    for id in 1..=11 {
        let module = [&b"\0asm\x01\0\0\0"[..], &section(id, &leb(u32::MAX as usize))].concat();
        let bytes = [HEADER, &section(1, &module)].concat();
        assert!(inspect(&bytes, &Limits::default()).is_err(), "section {id} of a module");
    }
}

/// A component within every bound that takes long to compile: three million calls, in bodies that are each small enough.
fn laborious() -> Vec<u8> {
    let calls = [0x10, 0].repeat(120_000);
    let code = [&[0][..], &calls, &[0x0b]].concat();
    let code = [leb(code.len()), code].concat();
    let bodies = 25;
    let module = [
        &b"\0asm\x01\0\0\0"[..],
        &section(1, &[1, 0x60, 0, 0]),
        &section(3, &[leb(bodies), vec![0; bodies]].concat()),
        &section(10, &[leb(bodies), code.repeat(bodies)].concat()),
    ]
    .concat();
    [HEADER, &section(1, &module)].concat()
}

#[tokio::test]
async fn lk05_what_compiles_too_slowly_is_stopped() {
    let bytes = laborious();
    inspect(&bytes, &Limits::default()).unwrap();
    let limits = Limits { compile_s: 1, ..Limits::default() };
    let slow = load(&bytes, &[], limits).await.unwrap_err();
    assert!(matches!(slow, LoadError::Slow(1)), "{slow:?}");
    assert_eq!(slow.to_string(), "it took longer than 1 s to compile (limit `compile-s`)");
}

#[tokio::test]
async fn lk05_what_takes_too_much_memory_to_compile_is_stopped() {
    let limits = Limits { compile_bytes: 96 << 20, ..Limits::default() };
    let large = load(&laborious(), &[], limits.clone()).await.unwrap_err();
    assert!(matches!(large, LoadError::GaveUp(_)), "{large:?}");
    assert!(large.to_string().contains("it needs more than 96 MiB (limit `compile-bytes`)"), "{large}");
    // The control: what is small is compiled with as much.
    load(&body("(i32.const 1024)"), &[], limits).await.unwrap();
}
