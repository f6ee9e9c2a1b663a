//! The way of one line to one anchor, and of all lines back.
//!
//! Knows: transports. Must not know: what a line says. The way is a sweep's: pinned host key, never-hosts, every clock.

use std::path::Path;

use bailiwick_core::fleet::{Access, Credential, Fleet};
use bailiwick_core::model::TargetName;
use bailiwick_policy::ops::Ops;
use bailiwick_policy::policy::{AnchorDestination, Login};
use bailiwick_transport::git::GitError;
use bailiwick_transport::ssh;
use bailiwick_transport::ssh::{ConnectError, SftpError};
use bailiwick_transport::{chain, git};

/// Why an anchor has no new line, or cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum AnchorError {
    /// Its target cannot be reached.
    #[error("it cannot be reached")]
    Connect(#[from] ConnectError),
    /// Its file cannot be used.
    #[error("over SFTP")]
    Sftp(#[from] SftpError),
    /// Its repository cannot be used.
    #[error("in git")]
    Git(#[from] GitError),
    /// Its target is none; policy would not have loaded.
    #[error("its target is not in the fleet")]
    NoTarget,
}

impl AnchorError {
    /// In one line, without secrets.
    #[must_use]
    pub fn told(&self, ops: &Ops) -> String {
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

/// All that an anchor holds.
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

/// A connection like a sweep's, if need be of another account: the machine and its pin are the fleet's.
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
