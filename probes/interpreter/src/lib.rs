//! The built-in interpreter: runs the checks of a manifest, so that a simple check needs no compiler.
//!
//! Knows: checks that the host has parsed and type-checked (`wit/rules.wit`). Must not know: the syntax of checks, or the list
//! of verbs. Attack answered: a check that is ok because a value is missing. A missing value makes the finding
//! `unknown`, never ok.

mod check;
mod line;
mod value;

mod bindings {
    wit_bindgen::generate!({
        path: ["../../wit", "wit"],
        world: "bailiwick:rules/interpreter",
        with: {
            "bailiwick:ops/types@0.1.0": bailiwick_guest::__private::bindings::bailiwick::ops::types,
            "bailiwick:ops/reports@0.1.0": bailiwick_guest::__private::bindings::bailiwick::ops::reports,
        },
        additional_derives: [PartialEq],
        generate_unused_types: true,
    });
}

#[cfg(target_arch = "wasm32")]
mod ask;
#[cfg(target_arch = "wasm32")]
bailiwick_guest::export!(ask::Interpreter);
