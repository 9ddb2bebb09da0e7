//! Whether a node that nobody hears of still lives: a living kernel answers at its tunnel address, whatever its agent does.

use std::io::{self, Read as _};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, Socket, Type};

/// How often it is asked, and how long each answer may take. A node of the same data centre answers in a millisecond.
const TRIES: (u16, Duration) = (3, Duration::from_millis(100));

/// Whether an address answers ICMP echo (RFC 792, RFC 4443).
///
/// # Errors
/// No raw socket is to be had.
pub fn answers(address: IpAddr) -> io::Result<bool> {
    let (domain, protocol, request, reply) = match address {
        IpAddr::V4(_) => (Domain::IPV4, Protocol::ICMPV4, 8, 0),
        IpAddr::V6(_) => (Domain::IPV6, Protocol::ICMPV6, 128, 129),
    };
    let socket = Socket::new(domain, Type::RAW, Some(protocol))?;
    // Connected, it hears that address alone.
    socket.connect(&SocketAddr::new(address, 0).into())?;
    let id = std::process::id().to_be_bytes();
    for sequence in 0..TRIES.0 {
        let mut echo = [request, 0, 0, 0, id[2], id[3], 0, 0];
        echo[6..].copy_from_slice(&sequence.to_be_bytes());
        // Of ICMPv6 the kernel fills the checksum in.
        let sum = checksum(&echo);
        echo[2..4].copy_from_slice(&sum.to_be_bytes());
        let until = Instant::now() + TRIES.1;
        if socket.send(&echo).is_err() {
            // A way that is known to be down: it may be up again in a moment.
            std::thread::sleep(TRIES.1);
            continue;
        }
        while let Some(left) = until.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
            socket.set_read_timeout(Some(left))?;
            let mut buffer = [0; 256];
            let Ok(length) = (&socket).read(&mut buffer) else { break };
            // A raw IPv4 socket shows the IP header, too.
            let skip = if address.is_ipv4() { 20 } else { 0 };
            if buffer[..length].get(skip).is_some_and(|type_| *type_ == reply) && buffer[skip + 4..skip + 6] == id[2..]
            {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// Whether somebody may be at an address: nobody is where no way leads, and where it cannot be found out somebody may be.
pub fn may_answer(address: IpAddr) -> bool {
    answers(address).unwrap_or_else(|error| {
        !matches!(error.kind(), io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable)
    })
}

/// The Internet checksum (RFC 1071).
fn checksum(data: &[u8]) -> u16 {
    let sum: u32 = data.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0))).sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    !u16::try_from((folded & 0xffff) + (folded >> 16)).unwrap_or(0)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn this_host_answers_and_an_address_of_nobody_does_not() {
        assert!(answers(IpAddr::from([127, 0, 0, 1])).unwrap());
        // TEST-NET-3 (RFC 5737).
        assert!(!answers(IpAddr::from([203, 0, 113, 254])).unwrap_or(false));
    }
}
