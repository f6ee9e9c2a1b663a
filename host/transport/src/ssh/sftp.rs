//! One line at the end of one file over SFTP, and the file back, for anchors. Nothing of this is a verb: no component can ask for
//! it, and what is written is the host's own.
//!
//! Knows: SFTP. Must not know: what a line says. Attacks answered: a server that answers more than was asked for, or never
//! (TG01, TG03), whose words would stand in a warning (TX01: errors are told in ours), and a file that is written over:
//! it is opened to append, and no request of ours can truncate, rename or remove anything.

use std::time::Duration;

use russh::ChannelMsg;
use russh_sftp::client::RawSftpSession;
use russh_sftp::client::error::Error;
use russh_sftp::protocol::{FileAttributes, OpenFlags, StatusCode};
use tokio::time::timeout;

use super::Session;
use bailiwick_core::limits::{ANCHOR_BYTES, ANCHOR_S};
use bailiwick_core::model::AbsolutePath;

/// Bytes of one read: what every server serves.
const PIECE: u32 = 32 << 10;
/// What SFTP says besides the bytes that were asked for, in all.
const FRAMES: u64 = 1 << 20;

/// Why a line was not written, or a file not read.
#[derive(Debug, thiserror::Error)]
pub enum SftpError {
    /// The server opens no channel, or has no SFTP.
    #[error("its SSH server offers no SFTP to this account")]
    NoSftp,
    /// The server says no.
    #[error("{what}: {why}")]
    Said {
        /// To what.
        what: &'static str,
        /// In our words.
        why: &'static str,
    },
    /// It is not there.
    #[error("the file is not there")]
    NotThere,
    /// More than an anchor holds.
    #[error("the file has more than {0} bytes, which no anchor of ours has")]
    TooLarge(u64),
    /// Too slow.
    #[error("no answer within {ANCHOR_S} s")]
    TimedOut,
    /// Something else came, or nothing any more.
    #[error("the connection was lost, or what came is not SFTP")]
    Lost,
}

impl Session {
    /// Adds a line to the end of a file, making it if it is not there, and asks for it to be put on the disk. The line goes
    /// out in one request: the server writes all of it or says that it did not.
    ///
    /// # Errors
    /// When the server does not say that it is written.
    pub async fn append(&self, path: &AbsolutePath, line: &str) -> Result<(), SftpError> {
        let work = async {
            let sftp = self.sftp(FRAMES).await?;
            let flags = OpenFlags::WRITE | OpenFlags::APPEND | OpenFlags::CREATE;
            let opened = sftp.open(path.as_str(), flags, FileAttributes::default()).await;
            let handle = opened.map_err(|error| said("it cannot be opened to append", &error))?.handle;
            // The offset means nothing to a file that is appended to.
            let written = sftp.write(handle.as_str(), 0, line.as_bytes().to_vec()).await;
            written.map_err(|error| said("the line is not written", &error))?;
            // An extension that OpenSSH has; who does not know it does what it does.
            let synced = sftp.fsync(handle.as_str()).await;
            match synced.map_err(|error| said("the line is not on its disk", &error)) {
                Ok(_) | Err(SftpError::Said { why: UNSUPPORTED, .. }) => {}
                Err(error) => return Err(error),
            }
            sftp.close(handle).await.map_err(|error| said("the file is not closed", &error))?;
            Ok(())
        };
        timeout(Duration::from_secs(ANCHOR_S), work).await.unwrap_or(Err(SftpError::TimedOut))
    }

    /// All of a file.
    ///
    /// # Errors
    /// When it cannot be read, or is larger than an anchor can be.
    pub async fn fetch(&self, path: &AbsolutePath) -> Result<Vec<u8>, SftpError> {
        let work = async {
            let sftp = self.sftp(2 * ANCHOR_BYTES + FRAMES).await?;
            let opened = sftp.open(path.as_str(), OpenFlags::READ, FileAttributes::default()).await;
            let handle = opened.map_err(|error| said("it cannot be read", &error))?.handle;
            let mut bytes = Vec::new();
            loop {
                match sftp.read(handle.as_str(), bytes.len() as u64, PIECE).await {
                    // A piece of nothing would be asked for again for ever.
                    Ok(piece) if piece.data.is_empty() => return Err(SftpError::Lost),
                    Ok(piece) => bytes.extend_from_slice(&piece.data),
                    Err(Error::Status(status)) if status.status_code == StatusCode::Eof => break,
                    Err(error) => return Err(said("it cannot be read", &error)),
                }
                if bytes.len() as u64 > ANCHOR_BYTES {
                    return Err(SftpError::TooLarge(ANCHOR_BYTES));
                }
            }
            // Nothing hangs on whether it has closed what was only read.
            let _ = sftp.close(handle).await;
            Ok(bytes)
        };
        timeout(Duration::from_secs(ANCHOR_S), work).await.unwrap_or(Err(SftpError::TimedOut))
    }

    /// A channel that speaks SFTP, on which so many bytes may come.
    async fn sftp(&self, bytes_max: u64) -> Result<RawSftpSession, SftpError> {
        self.meter.allow(bytes_max);
        let mut channel = self.handle.channel_open_session().await.map_err(|_| SftpError::NoSftp)?;
        channel.request_subsystem(true, "sftp").await.map_err(|_| SftpError::NoSftp)?;
        loop {
            match channel.wait().await {
                Some(ChannelMsg::Success) => break,
                Some(ChannelMsg::WindowAdjusted { .. }) => {}
                // Anything else before it is not SFTP.
                _ => return Err(SftpError::NoSftp),
            }
        }
        let sftp = RawSftpSession::new(channel.into_stream());
        sftp.set_timeout(ANCHOR_S);
        sftp.init().await.map_err(|_| SftpError::NoSftp)?;
        Ok(sftp)
    }
}

const UNSUPPORTED: &str = "it does not know how";

/// The library's word in ours. What the server wrote beside its number is left out.
fn said(what: &'static str, error: &Error) -> SftpError {
    let why = match error {
        Error::Status(status) => match status.status_code {
            StatusCode::NoSuchFile => return SftpError::NotThere,
            StatusCode::PermissionDenied => "permission denied",
            StatusCode::OpUnsupported => UNSUPPORTED,
            _ => "the server says that it failed",
        },
        Error::Timeout => return SftpError::TimedOut,
        _ => return SftpError::Lost,
    };
    SftpError::Said { what, why }
}
