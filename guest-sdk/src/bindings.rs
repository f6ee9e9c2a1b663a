//! The bindings that wit-bindgen generates from the contract. Private: the other modules re-export these types and give
//! them methods. Verb functions and the export macro exist only on wasm; on other targets a
//! [fixture](crate::fixture) answers.

wit_bindgen::generate!({
    path: "../wit",
    world: "probe",
    pub_export_macro: true,
    export_macro_name: "export_component",
    additional_derives: [PartialEq],
    generate_unused_types: true,
});

/// The world `fix`, with the same types and the interfaces that only fixes have.
pub mod fix {
    wit_bindgen::generate!({
        path: "../wit",
        world: "fix",
        pub_export_macro: true,
        export_macro_name: "export_component",
        additional_derives: [PartialEq],
        generate_unused_types: true,
        with: {
            "bailiwick:ops/types@0.1.0": crate::bindings::bailiwick::ops::types,
            "bailiwick:ops/reports@0.1.0": crate::bindings::bailiwick::ops::reports,
            "bailiwick:ops/system@0.1.0": crate::bindings::bailiwick::ops::system,
            "bailiwick:ops/files@0.1.0": crate::bindings::bailiwick::ops::files,
            "bailiwick:ops/services@0.1.0": crate::bindings::bailiwick::ops::services,
            "bailiwick:ops/network@0.1.0": crate::bindings::bailiwick::ops::network,
            "bailiwick:ops/containers@0.1.0": crate::bindings::bailiwick::ops::containers,
            "bailiwick:ops/commands@0.1.0": crate::bindings::bailiwick::ops::commands,
            "bailiwick:ops/packages@0.1.0": crate::bindings::bailiwick::ops::packages,
            "bailiwick:ops/postgres@0.1.0": crate::bindings::bailiwick::ops::postgres,
            "bailiwick:ops/logs@0.1.0": crate::bindings::bailiwick::ops::logs,
            "bailiwick:ops/http@0.1.0": crate::bindings::bailiwick::ops::http,
            "bailiwick:ops/certificates@0.1.0": crate::bindings::bailiwick::ops::certificates,
            "bailiwick:ops/clock@0.1.0": crate::bindings::bailiwick::ops::clock,
            "bailiwick:ops/log@0.1.0": crate::bindings::bailiwick::ops::log,
            "bailiwick:ops/params@0.1.0": crate::bindings::bailiwick::ops::params,
            "bailiwick:ops/slots@0.1.0": crate::bindings::bailiwick::ops::slots,
            "bailiwick:ops/history@0.1.0": crate::bindings::bailiwick::ops::history,
            "bailiwick:ops/calls@0.1.0": crate::bindings::bailiwick::ops::calls,
        },
    });
}
