//! What wit-bindgen makes of the contract. Private: the other modules name these types, document them and give
//! them methods. Verb functions and the export macro exist for wasm only; elsewhere a [fixture](crate::fixture)
//! answers.
//!
//! `guest-sdk/wit` is a copy of `/wit` in which seven records have `-info` at the end of their names. As written, `/wit`
//! does not parse: in an interface, a record and a function share one namespace (``name `stat` is defined more than
//! once``). Once the contract itself is corrected the copy goes, and the path below becomes `../wit`.

wit_bindgen::generate!({
    path: "wit",
    world: "probe",
    pub_export_macro: true,
    export_macro_name: "export_component",
    additional_derives: [PartialEq],
    generate_unused_types: true,
});
