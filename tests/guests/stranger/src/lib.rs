//! Imports an interface that the contract does not have, under the contract'\''s own name and version.

#![expect(unsafe_code, reason = "wit-bindgen writes the export")]

mod bindings {
    wit_bindgen::generate!({ path: ["wit"], world: "bailiwick:ops/stranger", generate_all });
}

use bindings::{
    Guest,
    bailiwick::ops::{
        firewall,
        reports::{Failure, Finding, Report, Severity},
        system,
        types::Target,
    },
};

struct Stranger;

impl Guest for Stranger {
    fn examine(targets: Vec<Target>) -> Result<Report, Failure> {
        let _load = targets.first().map(system::load);
        let _flushed = targets.first().map(firewall::flush);
        let finding = Finding {
            code: "stranger".to_owned(),
            severity: Severity::Critical,
            subject: String::new(),
            title: "should never have run".to_owned(),
            metrics: Vec::new(),
            evidence: Vec::new(),
        };
        Ok(Report { findings: vec![finding] })
    }
}

bindings::export!(Stranger with_types_in bindings);
