//! Appends a line to an anchor, and reads its lines back.
//!
//! Knows: transports. Must not know: what a line means. A connection is made as in a sweep: with the pinned host key, the
//! never-hosts and all time limits.

use std::path::Path;

use bailiwick_core::fleet::{Access, Credential, Fleet};
use bailiwick_core::model::TargetName;
use bailiwick_policy::ops::Ops;
use bailiwick_policy::policy::{AnchorDestination, Login};
use bailiwick_transport::git::GitError;
use bailiwick_transport::ssh;
use bailiwick_transport::ssh::{ConnectError, SftpError};
use bailiwick_transport::{chain, git};

/// Why an anchor cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum AnchorError {
    /// Its target cannot be reached.
    #[error("the target cannot be reached")]
    Connect(#[from] ConnectError),
    /// Its file cannot be used.
    #[error("over SFTP")]
    Sftp(#[from] SftpError),
    /// Its repository cannot be used.
    #[error("in git")]
    Git(#[from] GitError),
    /// Its target is unknown. Policy does not load then.
    #[error("its target is not in the fleet")]
    NoTarget,
}

impl AnchorError {
    /// On one line, without secrets.
    #[must_use]
    pub fn on_one_line(&self, ops: &Ops) -> String {
        ops.policy.redactor.text(chain(self), &mut Default::default())
    }
}

pub(super) async fn append(
    ops: &Ops,
    to: &AnchorDestination,
    settings: &ssh::Settings,
    line: &str,
) -> Result<(), AnchorError> {
    match to {
        AnchorDestination::File { target, file, login } => {
            let session = connect(&ops.fleet, target, login, settings).await?;
            let written = session.append(file, line).await;
            session.close().await;
            Ok(written?)
        }
        AnchorDestination::Git(repository) => Ok(git::append(Path::new(repository.as_str()), line).await?),
    }
}

/// All lines of an anchor.
///
/// # Errors
/// When it cannot be read.
pub async fn fetch(ops: &Ops, to: &AnchorDestination, settings: &ssh::Settings) -> Result<Vec<u8>, AnchorError> {
    match to {
        AnchorDestination::File { target, file, login } => {
            let session = connect(&ops.fleet, target, login, settings).await?;
            let read = session.fetch(file).await;
            session.close().await;
            Ok(read?)
        }
        AnchorDestination::Git(repository) => Ok(git::lines(Path::new(repository.as_str())).await?),
    }
}

/// A connection as in a sweep, possibly with another account. Address and host key come from the fleet.
async fn connect(
    fleet: &Fleet,
    target: &TargetName,
    login: &Login,
    settings: &ssh::Settings,
) -> Result<ssh::Session, AnchorError> {
    let mut target = fleet.targets.get(target).ok_or(AnchorError::NoTarget)?.clone();
    if let Access::Ssh(ssh) = &mut target.access {
        if let Some(user) = &login.user {
            ssh.user = user.clone();
        }
        if let Some(identity) = &login.identity {
            ssh.credential = Credential::KeyFile(identity.clone());
        }
    }
    Ok(ssh::connect(fleet, &target, settings).await?)
}
