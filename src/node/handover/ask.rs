//! Asks the node that this one follows for a router's connections, or for a port's flows.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::Moment;
use crate::dataplane::guard::HANDOVER;
use crate::dataplane::told::{HEADER, Record, decode, follows};
use crate::model::Uid;

/// Length of a question, octets: the format, the moment, the router or port.
pub const QUESTION: usize = 21;
const FORMAT: [u8; 4] = *b"tcq1";

/// How long a node that is next asks: it is only for the connections.
const PREPARING: Duration = Duration::from_secs(2);
/// How long a node that takes over asks: it must know that the former has let go.
const TAKING: Duration = Duration::from_secs(5);
/// How long a node asks that a port has moved to: its guest waits.
const SWITCHING: Duration = Duration::from_secs(1);
/// How long one call may ring, and the pause before the next.
const RING: Duration = Duration::from_millis(500);
const PAUSE: Duration = Duration::from_millis(30);
/// Ports to call from: only root has them.
const FROM: std::ops::Range<u16> = 600..1000;

fn question(of: Uid, moment: Moment) -> [u8; QUESTION] {
    let mut question = [0; QUESTION];
    question[..4].copy_from_slice(&FORMAT);
    question[4] = u8::from(moment != Moment::Prepare);
    question[5..].copy_from_slice(&of.0.to_be_bytes());
    question
}

/// What a question asks: of what, and whether for the last time, once the other has let go; none: it is no question.
#[must_use]
pub fn understand(question: [u8; QUESTION]) -> Option<(Uid, bool)> {
    let (head, of) = question.split_last_chunk::<16>()?;
    let last = match head {
        [format @ .., last @ (0 | 1)] if *format == FORMAT => *last == 1,
        _ => return None,
    };
    Some((Uid(u128::from_be_bytes(*of)), last))
}

/// What the node at `peer` remembers of a router or port.
///
/// # Errors
/// It does not answer, or nonsense; the words of the last try.
pub async fn ask<R: Record>(own: IpAddr, peer: IpAddr, of: Uid, moment: Moment) -> Result<Vec<R>, String> {
    let patience = match moment {
        Moment::Prepare => PREPARING,
        Moment::Take => TAKING,
        Moment::Switch => SWITCHING,
    };
    let until = Instant::now() + patience;
    loop {
        let answer = timeout_at(until, once(own, peer, of, moment)).await;
        match answer {
            Ok(Ok(all)) => return Ok(all),
            Ok(Err(error)) if Instant::now() + PAUSE < until => {
                tracing::debug!(%peer, %error, ?moment, "not answered yet");
                sleep(PAUSE).await;
            }
            Ok(Err(error)) => return Err(format!("{peer} port {HANDOVER}: {error}")),
            Err(_) => return Err(format!("{peer} port {HANDOVER} does not answer")),
        }
    }
}

async fn once<R: Record>(own: IpAddr, peer: IpAddr, of: Uid, moment: Moment) -> io::Result<Vec<R>> {
    let mut stream = call(own, SocketAddr::new(peer, HANDOVER)).await?;
    stream.write_all(&question(of, moment)).await?;
    let mut header = [0; HEADER];
    stream.read_exact(&mut header).await?;
    let nonsense = || io::Error::from(io::ErrorKind::InvalidData);
    let mut bytes = vec![0; follows::<R>(header).ok_or_else(nonsense)?];
    stream.read_exact(&mut bytes).await?;
    decode(&bytes).ok_or_else(nonsense)
}

/// Calls from a port of root's.
async fn call(own: IpAddr, peer: SocketAddr) -> io::Result<TcpStream> {
    // Not always the same first: what was closed lingers.
    let start = u16::try_from(std::time::UNIX_EPOCH.elapsed().unwrap_or_default().subsec_micros() % 400).unwrap_or(0);
    let mut last = io::ErrorKind::AddrInUse.into();
    for port in (FROM.start + start..FROM.end).chain(FROM.start..FROM.start + start) {
        let socket = if own.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        socket.set_reuseaddr(true)?;
        match socket.bind(SocketAddr::new(own, port)) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => last = error,
            Err(error) => return Err(error),
            Ok(()) => match timeout(RING, socket.connect(peer)).await {
                // Somebody here has called from there a moment ago.
                Ok(Err(error)) if error.kind() == io::ErrorKind::AddrNotAvailable => last = error,
                Ok(called) => return called,
                Err(_) => return Err(io::ErrorKind::TimedOut.into()),
            },
        }
    }
    Err(last)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_question_is_understood() {
        for (moment, last) in [(Moment::Prepare, false), (Moment::Take, true), (Moment::Switch, true)] {
            assert_eq!(understand(question(Uid(7), moment)), Some((Uid(7), last)));
        }
    }

    proptest! {
        #[test]
        fn hostile_octets_are_no_question(mut octets in any::<[u8; QUESTION]>()) {
            octets[0] = octets[0].max(FORMAT[0] + 1);
            prop_assert_eq!(understand(octets), None);
        }
    }
}
