//! Appends one line to one file over SFTP, and reads the file, for anchors. This is not a verb: no component can request it, and
//! the host makes the line.
//!
//! Knows: SFTP. Must not know: what a line means. Attacks answered: a server that sends more than was requested, or never answers
//! (TG01, TG03), text of a server in a warning (TX01: errors have our words), and a file that is overwritten: it is opened to
//! append, and no request of ours can truncate, rename or remove anything.

use std::time::Duration;

use russh::ChannelMsg;
use russh_sftp::client::RawSftpSession;
use russh_sftp::client::error::Error;
use russh_sftp::protocol::{FileAttributes, OpenFlags, StatusCode};
use tokio::time::timeout;

use super::Session;
use bailiwick_core::limits::{ANCHOR_BYTES, ANCHOR_S};
use bailiwick_core::model::AbsolutePath;

/// Bytes of one read, which every server supports.
const PIECE: u32 = 32 << 10;
/// What SFTP may send in addition to the requested bytes, in total.
const FRAMES: u64 = 1 << 20;

/// Why a line was not written, or a file was not read.
#[derive(Debug, thiserror::Error)]
pub enum SftpError {
    /// The server opens no channel, or has no SFTP.
    #[error("the SSH server does not offer SFTP to this account")]
    NoSftp,
    /// The server refused a request.
    #[error("{operation}: {reason}")]
    Failed {
        /// What failed.
        operation: &'static str,
        /// Why, in our words.
        reason: &'static str,
    },
    /// The file does not exist.
    #[error("the file does not exist")]
    NotFound,
    /// The file is larger than an anchor can be.
    #[error("the file is larger than {0} bytes, the maximum for an anchor")]
    TooLarge(u64),
    /// The server did not answer in time.
    #[error("no answer within {ANCHOR_S} s")]
    TimedOut,
    /// The connection ended, or the server does not speak SFTP.
    #[error("the connection was lost, or the server does not speak SFTP")]
    Lost,
}

impl Session {
    /// Appends a line to a file, which is created if it does not exist, and requests a sync to the disk. The line is sent in one
    /// request: the server writes all of it, or reports an error.
    ///
    /// # Errors
    /// The server does not confirm that the line is written.
    pub async fn append(&self, path: &AbsolutePath, line: &str) -> Result<(), SftpError> {
        let work = async {
            let sftp = self.sftp(FRAMES).await?;
            let flags = OpenFlags::WRITE | OpenFlags::APPEND | OpenFlags::CREATE;
            let opened = sftp.open(path.as_str(), flags, FileAttributes::default()).await;
            let handle = opened.map_err(|error| sftp_error("cannot open the file to append", &error))?.handle;
            // The offset has no meaning for a file that is opened to append.
            let written = sftp.write(handle.as_str(), 0, line.as_bytes().to_vec()).await;
            written.map_err(|error| sftp_error("cannot write the line", &error))?;
            // An extension of OpenSSH. A server without it syncs when it wants to.
            let synced = sftp.fsync(handle.as_str()).await;
            match synced.map_err(|error| sftp_error("cannot sync the file to the disk", &error)) {
                Ok(_) | Err(SftpError::Failed { reason: UNSUPPORTED, .. }) => {}
                Err(error) => return Err(error),
            }
            sftp.close(handle).await.map_err(|error| sftp_error("cannot close the file", &error))?;
            Ok(())
        };
        timeout(Duration::from_secs(ANCHOR_S), work).await.unwrap_or(Err(SftpError::TimedOut))
    }

    /// Reads a whole file.
    ///
    /// # Errors
    /// The file cannot be read, or is larger than an anchor can be.
    pub async fn fetch(&self, path: &AbsolutePath) -> Result<Vec<u8>, SftpError> {
        let work = async {
            let sftp = self.sftp(2 * ANCHOR_BYTES + FRAMES).await?;
            let opened = sftp.open(path.as_str(), OpenFlags::READ, FileAttributes::default()).await;
            let handle = opened.map_err(|error| sftp_error("cannot read the file", &error))?.handle;
            let mut bytes = Vec::new();
            loop {
                match sftp.read(handle.as_str(), bytes.len() as u64, PIECE).await {
                    // An empty piece would be requested again for ever.
                    Ok(piece) if piece.data.is_empty() => return Err(SftpError::Lost),
                    Ok(piece) => bytes.extend_from_slice(&piece.data),
                    Err(Error::Status(status)) if status.status_code == StatusCode::Eof => break,
                    Err(error) => return Err(sftp_error("cannot read the file", &error)),
                }
                if bytes.len() as u64 > ANCHOR_BYTES {
                    return Err(SftpError::TooLarge(ANCHOR_BYTES));
                }
            }
            // The file was only read, so a failure to close it does not matter.
            let _ = sftp.close(handle).await;
            Ok(bytes)
        };
        timeout(Duration::from_secs(ANCHOR_S), work).await.unwrap_or(Err(SftpError::TimedOut))
    }

    /// Opens a channel for SFTP, on which at most `bytes_max` bytes may come.
    async fn sftp(&self, bytes_max: u64) -> Result<RawSftpSession, SftpError> {
        self.meter.allow(bytes_max);
        let mut channel = self.handle.channel_open_session().await.map_err(|_| SftpError::NoSftp)?;
        channel.request_subsystem(true, "sftp").await.map_err(|_| SftpError::NoSftp)?;
        loop {
            match channel.wait().await {
                Some(ChannelMsg::Success) => break,
                Some(ChannelMsg::WindowAdjusted { .. }) => {}
                // Any other message before it is not SFTP.
                _ => return Err(SftpError::NoSftp),
            }
        }
        let sftp = RawSftpSession::new(channel.into_stream());
        sftp.set_timeout(ANCHOR_S);
        sftp.init().await.map_err(|_| SftpError::NoSftp)?;
        Ok(sftp)
    }
}

const UNSUPPORTED: &str = "the server does not support it";

/// An error in our words. The text that the server sent with its number is left out.
fn sftp_error(operation: &'static str, error: &Error) -> SftpError {
    let reason = match error {
        Error::Status(status) => match status.status_code {
            StatusCode::NoSuchFile => return SftpError::NotFound,
            StatusCode::PermissionDenied => "permission denied",
            StatusCode::OpUnsupported => UNSUPPORTED,
            _ => "the server reports a failure",
        },
        Error::Timeout => return SftpError::TimedOut,
        _ => return SftpError::Lost,
    };
    SftpError::Failed { operation, reason }
}
