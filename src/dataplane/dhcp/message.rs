//! The DHCP message (RFC 2131, 2): what a client asks, read; what it is told, written.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use super::code;
use super::frame::take;
use crate::api::MacAddr;

/// First bytes of the options field.
const COOKIE: [u8; 4] = [99, 130, 83, 99];
/// Bytes before the options: the fixed fields and the cookie.
const FIXED: usize = 240;
/// Lengths of the fields that name a server and a file, bytes.
pub const SNAME: usize = 64;
pub const FILE: usize = 128;
/// Shortest BOOTP message; some relays and old clients drop what is shorter (RFC 1542, 2.1).
const SHORTEST: usize = 300;
/// The longest message that every client must take: 576 bytes of IP packet (RFC 2131, 2).
pub const ASSURED: u16 = 576;
/// IPv4 and UDP headers before a message.
const HEADERS: u16 = 28;
/// The longest message that we send: one Ethernet frame.
const LONGEST: u16 = 1500;

/// Option 53.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the words of RFC 2132, 9.6")]
pub enum MessageType {
    Discover = 1,
    Offer,
    Request,
    Decline,
    Ack,
    Nak,
    Release,
    Inform,
}

/// What a client sent.
#[derive(Debug)]
pub struct Request {
    /// What it wants.
    pub kind: MessageType,
    xid: [u8; 4],
    flags: [u8; 2],
    /// The address that it uses already; 0.0.0.0: none.
    pub ciaddr: Ipv4Addr,
    /// Its MAC address.
    pub chaddr: MacAddr,
    options: BTreeMap<u8, Vec<u8>>,
}

impl Request {
    /// Reads a message.
    ///
    /// # Errors
    /// Why it is not one that a server answers.
    pub fn parse(message: &[u8]) -> Result<Self, &'static str> {
        let short = "the message is too short";
        let mut rest = message;
        let [op, htype, hlen, _hops] = take(&mut rest).ok_or(short)?;
        let xid = take(&mut rest).ok_or(short)?;
        let [_, _, flags @ ..] = take::<4>(&mut rest).ok_or(short)?;
        let [ciaddr, _yiaddr, _siaddr, relay] = addresses(&mut rest).ok_or(short)?;
        let station = MacAddr(take(&mut rest).ok_or(short)?);
        let _padding: [u8; 10] = take(&mut rest).ok_or(short)?;
        let sname: [u8; SNAME] = take(&mut rest).ok_or(short)?;
        let file: [u8; FILE] = take(&mut rest).ok_or(short)?;
        if op != 1 {
            return Err("it is no request");
        }
        if (htype, hlen) != (1, 6) {
            return Err("the hardware address is not Ethernet's");
        }
        if relay != Ipv4Addr::UNSPECIFIED {
            return Err("it came through a relay");
        }
        if take(&mut rest) != Some(COOKIE) {
            return Err("it is BOOTP, not DHCP");
        }
        let mut options = BTreeMap::new();
        collect(rest, &mut options)?;
        // RFC 2131, 4.1: `file` is read before `sname`, and neither overloads further.
        match options.get(&code::OVERLOAD).and_then(|v| v.first()).copied() {
            Some(1) => collect(&file, &mut options)?,
            Some(2) => collect(&sname, &mut options)?,
            Some(3) => {
                collect(&file, &mut options)?;
                collect(&sname, &mut options)?;
            }
            _ => {}
        }
        let kind = match options.get(&code::MESSAGE_TYPE).map(Vec::as_slice) {
            Some([1]) => MessageType::Discover,
            Some([3]) => MessageType::Request,
            Some([4]) => MessageType::Decline,
            Some([7]) => MessageType::Release,
            Some([8]) => MessageType::Inform,
            _ => return Err("the message type is not a client's"),
        };
        Ok(Self { kind, xid, flags, ciaddr, chaddr: station, options })
    }

    /// The value of an option; one that came in parts is put together (RFC 3396).
    pub fn option(&self, code: u8) -> Option<&[u8]> {
        self.options.get(&code).map(Vec::as_slice)
    }

    /// An option that is one address; 0.0.0.0 is none.
    pub fn address(&self, code: u8) -> Option<Ipv4Addr> {
        let octets: [u8; 4] = self.option(code)?.try_into().ok()?;
        Some(Ipv4Addr::from(octets)).filter(|ip| !ip.is_unspecified())
    }

    /// Whether the client can only hear broadcasts before it has an address.
    pub fn broadcast(&self) -> bool {
        let [high, _] = self.flags;
        high & 0x80 != 0
    }

    /// How long a message the client takes, bytes: of the IP packet (option 57), less the headers; never more than `mtu`.
    pub fn room(&self, mtu: u32) -> usize {
        let said = self.option(code::MAX_SIZE).and_then(|v| v.try_into().ok()).map_or(ASSURED, u16::from_be_bytes);
        let mtu = u16::try_from(mtu).unwrap_or(u16::MAX);
        let packet = said.clamp(ASSURED, LONGEST).min(mtu);
        usize::from(packet.saturating_sub(HEADERS)).max(SHORTEST)
    }
}

fn addresses(rest: &mut &[u8]) -> Option<[Ipv4Addr; 4]> {
    let mut one = || take::<4>(rest).map(Ipv4Addr::from);
    Some([one()?, one()?, one()?, one()?])
}

/// Reads a field of options. It may end without saying so.
fn collect(mut rest: &[u8], options: &mut BTreeMap<u8, Vec<u8>>) -> Result<(), &'static str> {
    while let Some([code]) = take(&mut rest) {
        match code {
            code::PAD => {}
            code::END => break,
            _ => {
                let [length] = take(&mut rest).ok_or("an option has no length")?;
                let (value, after) = rest.split_at_checked(length.into()).ok_or("an option is cut off")?;
                options.entry(code).or_default().extend(value);
                rest = after;
            }
        }
    }
    Ok(())
}

/// The fixed fields of an answer that are the server's to fill in.
pub struct Fields {
    /// The client's address, as far as it uses one.
    pub ciaddr: Ipv4Addr,
    /// The address that the client gets.
    pub yiaddr: Ipv4Addr,
    /// The server to load from next; 0.0.0.0: none.
    pub siaddr: Ipv4Addr,
    /// The name of that server, or options; [`SNAME`] bytes at most.
    pub sname: Vec<u8>,
    /// The file to load from it, or options; [`FILE`] bytes at most.
    pub file: Vec<u8>,
}

impl Default for Fields {
    fn default() -> Self {
        let none = Ipv4Addr::UNSPECIFIED;
        Self { ciaddr: none, yiaddr: none, siaddr: none, sname: Vec::new(), file: Vec::new() }
    }
}

/// Bytes that an option takes in a message: two more for every 255 (RFC 3396).
pub fn size(value: &[u8]) -> usize {
    value.len() + 2 * value.len().div_ceil(255)
}

/// Bytes left for options in a message of at most `room` bytes.
pub fn room_for_options(room: usize) -> usize {
    room.saturating_sub(FIXED + 1)
}

/// Writes a field of options, with its end.
pub fn encode<'a>(options: impl Iterator<Item = (u8, &'a [u8])>, out: &mut Vec<u8>) {
    for (code, value) in options {
        for (part, length) in value.chunks(255).filter_map(|part| Some((part, u8::try_from(part.len()).ok()?))) {
            out.extend([code, length]);
            out.extend(part);
        }
    }
    out.push(code::END);
}

/// Writes an answer.
pub fn write<'a>(request: &Request, fields: &Fields, options: impl Iterator<Item = (u8, &'a [u8])>) -> Vec<u8> {
    let mut out = Vec::with_capacity(ASSURED.into());
    out.extend([2, 1, 6, 0]);
    out.extend(request.xid);
    out.extend([0, 0]);
    out.extend(request.flags);
    // The last one, giaddr, is zero in what we answer.
    for address in [fields.ciaddr, fields.yiaddr, fields.siaddr, Ipv4Addr::UNSPECIFIED] {
        out.extend(address.octets());
    }
    out.extend(request.chaddr.0);
    // The rest of chaddr.
    out.resize(FIXED - COOKIE.len() - FILE - SNAME, 0);
    for (field, length) in [(&fields.sname, SNAME), (&fields.file, FILE)] {
        let end = out.len() + length;
        out.extend(field.iter().take(length));
        out.resize(end, 0);
    }
    out.extend(COOKIE);
    encode(options, &mut out);
    out.resize(out.len().max(SHORTEST), 0);
    out
}
