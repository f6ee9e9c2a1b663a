//! This machine: programs by argv, without a shell and with an empty environment; files through cap-std.

use super::{Answer, RunError};
use crate::model::Action;

/// Runs one action on this machine.
///
/// # Errors
/// As [`super::Connection::run`].
pub async fn run(_action: &Action) -> Result<Answer, RunError> {
    Err(RunError::NotStarted)
}
