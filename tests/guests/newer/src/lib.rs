//! Imports an interface of the contract in a version that does not exist yet.

#![expect(unsafe_code, reason = "wit-bindgen writes the export")]

mod bindings {
    wit_bindgen::generate!({ path: ["../../../wit", "wit"], world: "test:newer/newer", generate_all });
}

use bindings::{
    Guest,
    bailiwick::ops0_1_0::{
        reports::{Failure, Finding, Report, Severity},
        types::Target,
    },
    bailiwick::ops0_2_0::system,
};

struct Newer;

impl Guest for Newer {
    fn examine(targets: Vec<Target>) -> Result<Report, Failure> {
        let _load = targets.first().map(system::load);
        let finding = Finding {
            code: "newer".to_owned(),
            severity: Severity::Critical,
            subject: String::new(),
            title: "should never have run".to_owned(),
            metrics: Vec::new(),
            evidence: Vec::new(),
        };
        Ok(Report { findings: vec![finding] })
    }
}

bindings::export!(Newer with_types_in bindings);
