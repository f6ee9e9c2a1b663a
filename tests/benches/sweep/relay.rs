//! Passes bytes on and counts them. Threads end with the process.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Result;

/// Bytes of all relays, both ways.
pub(crate) type Count = Arc<AtomicU64>;

/// Listens on an address of this machine for what is meant for another.
pub(crate) fn start(to: SocketAddr, count: &Count) -> Result<SocketAddr> {
    // The machine's own address, so that there is nothing new to know about it but the port.
    let listener = TcpListener::bind((to.ip(), 0))?;
    let address = listener.local_addr()?;
    let count = Arc::clone(count);
    std::thread::spawn(move || {
        for near in listener.incoming().flatten() {
            // A client that sees its connection end reports it.
            let Ok(far) = TcpStream::connect(to) else { continue };
            let _ = (near.set_nodelay(true), far.set_nodelay(true));
            if let (Ok(near_too), Ok(far_too)) = (near.try_clone(), far.try_clone()) {
                pass(near, far, Arc::clone(&count));
                pass(far_too, near_too, Arc::clone(&count));
            }
        }
    });
    Ok(address)
}

fn pass(mut from: TcpStream, mut to: TcpStream, count: Count) {
    std::thread::spawn(move || {
        let mut buffer = [0; 32 << 10];
        while let Ok(length @ 1..) = from.read(&mut buffer) {
            count.fetch_add(length as u64, Ordering::Relaxed);
            if buffer.get(..length).is_none_or(|piece| to.write_all(piece).is_err()) {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Write);
    });
}
