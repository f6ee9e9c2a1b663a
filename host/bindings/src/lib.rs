//! What wasmtime generates from `wit/` and from the interpreter's own WIT: Rust types of the contract and typed entry points.
//!
//! Knows: the WIT files. Must not know: any other crate of this workspace. It is a crate of its own because the expansion is
//! large: an edit of another crate does not compile it again. The generated `add_to_linker` functions are never called: the
//! sandbox links function by function, only those that a manifest asks for (LK10).

/// The handle of a target, as the host represents it. A handle's number is an index into the targets of one run.
#[derive(Debug)]
pub struct Target;

/// The world `fix`. It imports every interface of the contract, so its types serve both worlds.
#[expect(missing_docs, reason = "generated; the contract is documented in wit/")]
pub mod fix {
    wasmtime::component::bindgen!({
        path: "../../wit",
        world: "fix",
        with: { "bailiwick:ops/types.target": crate::Target },
        additional_derives: [serde::Serialize],
    });
}

/// The world `probe`, over the types of [`fix`].
#[expect(missing_docs, reason = "generated; the contract is documented in wit/")]
pub mod probe {
    wasmtime::component::bindgen!({
        path: "../../wit",
        world: "probe",
        with: { "bailiwick:ops": crate::fix::bailiwick::ops },
    });
}

/// The world of the interpreter, which runs checks without a compiler; it is not part of the contract.
#[expect(missing_docs, reason = "generated; the interface is documented in probes/interpreter/wit/")]
pub mod interpreter {
    wasmtime::component::bindgen!({
        path: ["../../wit", "../../probes/interpreter/wit"],
        world: "bailiwick:rules/interpreter",
        with: {
            "bailiwick:ops/types": crate::fix::bailiwick::ops::types,
            "bailiwick:ops/reports": crate::fix::bailiwick::ops::reports,
        },
    });
}

pub use fix::bailiwick::ops;
pub use fix::{Fix, FixPre};
pub use interpreter::bailiwick::rules::rules;
pub use probe::{Probe, ProbePre};
