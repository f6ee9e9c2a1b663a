//! Components, before anything is compiled.

use bailiwick::model::{Verb, WasiGroup};
use bailiwick::sandbox::{Limits, check_imports, inspect};

/// What is taken is within its ceilings, and what it is called can be shown.
pub(crate) fn component(data: &[u8]) {
    let Ok(inspected) = inspect(data, &Limits::default()) else { return };
    assert_eq!(inspected.size, data.len());
    for (name, range) in &inspected.custom {
        assert!(data.get(range.clone()).is_some(), "{name:?}");
    }
    let all = Verb::ALL.iter().copied().collect();
    let wasi = WasiGroup::ALL.iter().copied().collect();
    if let Err(error) = check_imports(&inspected, &all, &wasi) {
        let told = error.to_string();
        assert!(told.lines().all(bailiwick::encode::is_plain), "{told:?}");
    }
}
