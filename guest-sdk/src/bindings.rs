//! What wit-bindgen makes of the contract. Private: the other modules name these types, document them and give
//! them methods. Verb functions and the export macro exist for wasm only; elsewhere a [fixture](crate::fixture)
//! answers.

wit_bindgen::generate!({
    path: "../wit",
    world: "probe",
    pub_export_macro: true,
    export_macro_name: "export_component",
    additional_derives: [PartialEq],
    generate_unused_types: true,
});
