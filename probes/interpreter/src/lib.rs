//! The built-in interpreter: runs the checks of a manifest, so that a simple check needs no compiler.
//!
//! Knows: checks as the host has read and type-checked them (`wit/rules.wit`). Must not know: how they are written, which
//! verbs there are. Attack answered: a check that comes out well because something is missing: what is not known is
//! `unknown`, and never in good order.

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
