//! What wit-bindgen makes of `wit/`. Private: the rest of the crate gives these types names, documents them, and
//! adds the methods.

wit_bindgen::generate!({
    path: "wit",
    world: "probe",
    pub_export_macro: true,
    export_macro_name: "export_component",
    default_bindings_module: "::bailiwick_guest::__private::bindings",
    additional_derives: [PartialEq],
    generate_unused_types: true,
    with: {},
});
