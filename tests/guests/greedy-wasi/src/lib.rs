//! Imports an interface of WASI besides its verb.

#![expect(unsafe_code, reason = "wit-bindgen writes the export")]

mod bindings {
    wit_bindgen::generate!({ path: ["../../../wit", "wit"], world: "test:greedy-wasi/greedy-wasi", generate_all });
}

use bindings::{
    Guest,
    bailiwick::ops::{
        reports::{Failure, Finding, Report, Severity},
        system,
        types::Target,
    },
    wasi::filesystem::preopens,
};

struct GreedyWasi;

impl Guest for GreedyWasi {
    fn examine(targets: Vec<Target>) -> Result<Report, Failure> {
        let _load = targets.first().map(system::load);
        drop(preopens::get_directories());
        let finding = Finding {
            code: "greedy-wasi".to_owned(),
            severity: Severity::Critical,
            subject: String::new(),
            title: "should never have run".to_owned(),
            metrics: Vec::new(),
            evidence: Vec::new(),
        };
        Ok(Report { findings: vec![finding] })
    }
}

bindings::export!(GreedyWasi with_types_in bindings);
