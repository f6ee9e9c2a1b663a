//! The built-in components, read from their folders by a build script, as a golden that a person reviews.

use std::fmt::Write;

use bailiwick_core::model::World;
use bailiwick_policy::library::Library;
use bailiwick_tests::ops::SLOTLESS;

#[test]
fn every_built_in_component_is_reviewed() {
    let library = Library::built_in().unwrap();
    let mut table = String::new();
    for (id, file) in library.components() {
        let manifest = &file.manifest;
        let world = match manifest.world {
            World::Probe => "probe",
            World::Fix => "fix",
        };
        let made = if manifest.rules.is_some() { "declared" } else { "compiled" };
        let slotless = if SLOTLESS.contains(&id.to_string()) { "  granted here without a slot" } else { "" };
        writeln!(table, "{:<28}{world:<7}{made}{slotless}", id.as_str()).unwrap();
    }
    insta::assert_snapshot!(table);
}
