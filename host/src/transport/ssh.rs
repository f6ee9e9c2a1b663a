//! Machines over SSH.

use super::{Answer, RunError};
use crate::model::Action;

/// One authenticated connection.
#[derive(Debug)]
pub struct Session;

impl Session {
    /// Runs one action in a channel of its own.
    ///
    /// # Errors
    /// As [`super::Connection::run`].
    pub async fn run(&self, _action: &Action) -> Result<Answer, RunError> {
        Err(RunError::Lost)
    }

    /// Says goodbye.
    pub async fn close(self) {}
}
