//! Native code in a locked-down worker: a fixed list of attempts, each in a separate worker.

use std::net::{Ipv4Addr, TcpListener};

use rustix::io::Errno;

use super::Tried;
use super::proof::ProofError;
use bailiwick_sandbox::attempt::{Attempt, Marks, abstract_name};
use bailiwick_sandbox::fault::WorkerEnd;
use bailiwick_sandbox::{Stopped, Worker};

/// Makes all attempts. The object of each attempt exists, so that it would succeed if nothing stopped it.
pub(super) async fn native() -> Result<Vec<Tried>, ProofError> {
    let broker = std::process::id();
    let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(ProofError::Marks)?;
    let port = tcp.local_addr().map_err(ProofError::Marks)?.port();
    let _listener = listen(broker).map_err(ProofError::Marks)?;
    let mut tried = Vec::new();
    for what in Attempt::ALL {
        let gave = Worker::start(None).await?.attempt(*what, Marks { broker, port }).await?;
        tried.push(judge(*what, gave));
    }
    Ok(tried)
}

#[cfg(target_os = "linux")]
fn listen(broker: u32) -> std::io::Result<std::os::unix::net::UnixListener> {
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::{SocketAddr, UnixListener};
    UnixListener::bind_addr(&SocketAddr::from_abstract_name(abstract_name(broker))?)
}

#[cfg(not(target_os = "linux"))]
fn listen(_: u32) -> std::io::Result<()> {
    Ok(())
}

/// Judges an attempt. An attempt that failed for any other reason than a refusal was not stopped.
fn judge(what: Attempt, gave: Option<Stopped>) -> Tried {
    let (stopped, by, gave) = match gave {
        None => (false, "nothing", "it succeeded".to_owned()),
        // SIGSYS on Linux, which has seccomp.
        Some(Stopped::Died(WorkerEnd::Signal(31))) => (true, "seccomp", "killed at the system call".to_owned()),
        Some(Stopped::Died(end)) => (false, "nothing", format!("the worker died of something else ({end})")),
        // The worker reports the number, which can be any.
        Some(Stopped::Errno(number)) => {
            let is = |known: Errno| number == known.raw_os_error();
            if is(Errno::NOSYS) {
                (true, "seccomp", "no such system call for a worker".to_owned())
            } else if is(Errno::ACCESS) {
                (true, "Landlock", "permission denied".to_owned())
            } else if is(Errno::PERM) {
                (true, "kernel", "operation not permitted".to_owned())
            } else {
                (false, "nothing", format!("not forbidden: {}", std::io::Error::from_raw_os_error(number)))
            }
        }
    };
    Tried { stopped, attempt: format!("native code: {}", what.words()), by, gave }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_forbids_counts() {
        let table = [
            (None, false),
            (Some(Stopped::Died(WorkerEnd::Signal(31))), true),
            (Some(Stopped::Died(WorkerEnd::Signal(11))), false),
            (Some(Stopped::Died(WorkerEnd::Status(70))), false),
            (Some(Stopped::Errno(Errno::NOSYS.raw_os_error())), true),
            (Some(Stopped::Errno(Errno::ACCESS.raw_os_error())), true),
            (Some(Stopped::Errno(Errno::PERM.raw_os_error())), true),
            (Some(Stopped::Errno(Errno::NOENT.raw_os_error())), false),
            (Some(Stopped::Errno(Errno::CONNREFUSED.raw_os_error())), false),
            (Some(Stopped::Errno(0)), false),
            (Some(Stopped::Errno(i32::MIN)), false),
        ];
        for (gave, stopped) in table {
            assert_eq!(judge(Attempt::OpenFile, gave).stopped, stopped, "{gave:?}");
        }
    }
}
