//! What every test here starts with: a component in text, and a worker of the program under test.

use std::path::{Path, PathBuf};

use bailiwick_core::model::Verb;
use bailiwick_sandbox::{Limits, LoadError, RunEnd, Worker};
use bailiwick_tests::guest;
pub(crate) use bailiwick_tests::guest::{Guest, LOAD_IMPORT, answered, body, loading, logging, short, targets};

use crate::PROGRAM;

/// The program under test.
pub(crate) fn program() -> PathBuf {
    PROGRAM.into()
}

/// Starts a worker.
pub(crate) async fn load(component: &[u8], verbs: &[Verb], limits: Limits) -> Result<Worker, LoadError> {
    guest::load(Path::new(PROGRAM), component, verbs, limits).await
}

/// Runs a component once; every call is answered with `unreachable`. Its worker has ended afterwards.
pub(crate) async fn run(component: &[u8], verbs: &[Verb], limits: Limits) -> RunEnd {
    guest::run(Path::new(PROGRAM), component, verbs, limits).await
}
