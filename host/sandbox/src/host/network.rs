//! Reader of the kernel's socket tables. Addresses are hexadecimal, in the byte order of the target's processor: little endian,
//! as on every machine that was tested.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::text::{complains, ended, failure, known_message, lines_of, number, whole};
use bailiwick_bindings::ops::network::{Listener, Protocol};
use bailiwick_core::model::Answer;
use bailiwick_core::model::VerbError;

use VerbError::Garbled;

/// Each table, and the state of a socket that accepts: LISTEN, or a datagram socket that is not connected.
const TABLES: &[(&str, &str)] =
    &[("/proc/net/tcp", "0A"), ("/proc/net/tcp6", "0A"), ("/proc/net/udp", "07"), ("/proc/net/udp6", "07")];

pub(super) fn listeners(answer: &Answer) -> Result<Vec<Listener>, VerbError> {
    if !ended(answer, &[0, 1, 2]) {
        return Err(failure(answer));
    }
    if answer.stdout.is_empty() {
        // Status 1 without a message: all tables were read, and no socket accepts. With a message: another version of grep.
        // Status 2: there are no tables.
        match ended(answer, &[1]) {
            true if complains(answer) => return Err(failure(answer)),
            true => {}
            false => return Err(known_message(answer).unwrap_or(VerbError::Unsupported)),
        }
    }
    let text = whole(answer)?;
    let mut sockets = Vec::new();
    let mut known = 0;
    for &(table, state) in TABLES {
        for line in lines_of(&text, table) {
            known += 1;
            let columns: Vec<&str> = line.split_whitespace().take(12).collect();
            let [_, local, remote, found_state, _, _, _, uid, _, _, ..] = columns[..] else { return Err(Garbled) };
            let (address, port) = socket(local)?;
            let (far, far_port) = socket(remote)?;
            if found_state == state && far.is_unspecified() && far_port == 0 {
                let udp = table.contains("udp");
                sockets.push((udp, port, address, number::<u32>(uid)?));
            }
        }
    }
    if known != text.lines().count() {
        return Err(Garbled);
    }
    sockets.sort_unstable();
    let listener = |(udp, port, address, uid): (bool, u16, IpAddr, u32)| Listener {
        protocol: if udp { Protocol::Udp } else { Protocol::Tcp },
        address: address.to_string(),
        port,
        uid,
    };
    Ok(sockets.into_iter().map(listener).collect())
}

/// `0100007F:0035`: an address of 8 or 32 digits, a port of 4.
fn socket(text: &str) -> Result<(IpAddr, u16), VerbError> {
    let (address, port) = text.split_once(':').ok_or(Garbled)?;
    let hex = |digits: &str, at: usize| {
        let word = digits.get(at..at + 8).filter(|word| word.bytes().all(|b| b.is_ascii_hexdigit())).ok_or(Garbled)?;
        u32::from_str_radix(word, 16).map(u32::to_le_bytes).map_err(|_| Garbled)
    };
    let address = match address.len() {
        8 => IpAddr::V4(Ipv4Addr::from(hex(address, 0)?)),
        32 => {
            let words = [hex(address, 0)?, hex(address, 8)?, hex(address, 16)?, hex(address, 24)?];
            let mut octets = [0; 16];
            octets.iter_mut().zip(words.as_flattened()).for_each(|(to, from)| *to = *from);
            IpAddr::V6(Ipv6Addr::from(octets))
        }
        _ => return Err(Garbled),
    };
    match port.len() {
        4 if port.bytes().all(|b| b.is_ascii_hexdigit()) => {
            Ok((address, u16::from_str_radix(port, 16).map_err(|_| Garbled)?))
        }
        _ => Err(Garbled),
    }
}
