//! A web server that does what real servers do not, and keeps the requests that targets were made to send to it.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Result;

use crate::sshd::next_address;

/// What it does after a whole request.
#[derive(Debug, Clone)]
pub enum Page {
    /// Sends this and closes.
    Bytes(Vec<u8>),
    /// Sends this and so many bytes more, then closes.
    Large(Vec<u8>, usize),
    /// Sends without end.
    Flood,
    /// Sends this and nothing more; the connection stays open.
    Stall(Vec<u8>),
    /// Sends this, closes its side, and continues to read.
    HalfClose(Vec<u8>),
    /// Sends this one byte at a time, with a pause before each.
    Drip(Vec<u8>, Duration),
    /// Closes without an answer.
    Close,
}

/// A running server.
#[derive(Debug)]
pub struct Pages {
    address: SocketAddr,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Pages {
    /// Starts it. Its threads end with the process.
    ///
    /// # Errors
    /// When no port is free.
    pub fn start(page: Page) -> Result<Self> {
        let listener = TcpListener::bind((next_address(), 0))?;
        let address = listener.local_addr()?;
        let heard = Arc::default();
        let shared = Arc::clone(&heard);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (page, heard) = (page.clone(), Arc::clone(&shared));
                // An error is a client that has disconnected.
                std::thread::spawn(move || drop(serve(stream, &page, &heard)));
            }
        });
        Ok(Self { address, heard })
    }

    /// One that answers `200` and this text.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn saying(content_type: &str, body: &str) -> Result<Self> {
        let head = format!("HTTP/1.0 200 OK\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n\r\n", body.len());
        Self::start(Page::Bytes((head + body).into_bytes()))
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// All bytes that it was sent, one text for each connection.
    #[must_use]
    pub fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn serve(mut stream: TcpStream, page: &Page, heard: &Mutex<Vec<String>>) -> std::io::Result<()> {
    let at = {
        let mut heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.push(String::new());
        heard.len() - 1
    };
    // True once the other side has ended.
    let listen = |stream: &mut TcpStream| -> std::io::Result<bool> {
        let mut piece = [0; 4096];
        let length = stream.read(&mut piece)?;
        let mut heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(text) = heard.get_mut(at) {
            *text += &String::from_utf8_lossy(piece.get(..length).unwrap_or_default());
            return Ok(length == 0 || text.ends_with("\r\n\r\n"));
        }
        Ok(true)
    };
    while !listen(&mut stream)? {}
    match page {
        Page::Bytes(bytes) => stream.write_all(bytes)?,
        Page::Large(head, more) => {
            stream.write_all(head)?;
            let piece = vec![b'x'; 64 << 10];
            let mut left = *more;
            while left > 0 {
                let length = left.min(piece.len());
                stream.write_all(piece.get(..length).unwrap_or_default())?;
                left -= length;
            }
        }
        Page::Flood => loop {
            stream.write_all(&[b'x'; 16 << 10])?;
        },
        Page::Stall(bytes) => {
            stream.write_all(bytes)?;
            while !listen(&mut stream)? {}
        }
        Page::HalfClose(bytes) => {
            stream.write_all(bytes)?;
            stream.shutdown(Shutdown::Write)?;
            while !listen(&mut stream)? {}
        }
        Page::Drip(bytes, pause) => {
            for byte in bytes {
                std::thread::sleep(*pause);
                stream.write_all(&[*byte])?;
            }
        }
        Page::Close => {}
    }
    Ok(())
}
