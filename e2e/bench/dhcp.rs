//! As much of a DHCP client as it takes to be offered an address (RFC 2131).

use std::net::Ipv4Addr;

const XID: [u8; 4] = *b"figs";
const COOKIE: [u8; 4] = [99, 130, 83, 99];

/// A frame with a DHCPDISCOVER that wants its answer by broadcast.
pub fn discover(mac: [u8; 6]) -> Vec<u8> {
    let mut message = vec![1, 1, 6, 0];
    message.extend(XID);
    message.extend([0, 0, 0x80, 0]);
    message.resize(28, 0);
    message.extend(mac);
    message.resize(236, 0);
    message.extend(COOKIE);
    message.extend([53, 1, 1, 55, 3, 1, 3, 121, 255]);
    let udp = length(8 + message.len());
    let mut ip =
        [[0x45, 0], length(28 + message.len()), [0, 0], [0, 0], [64, 17], [0, 0], [0, 0], [0, 0], [255; 2], [255; 2]];
    let sum: u32 = ip.iter().map(|w| u32::from(u16::from_be_bytes(*w))).sum();
    ip[5] = (!((sum & 0xffff) + (sum >> 16)) as u16).to_be_bytes();
    let udp = [[0, 68], [0, 67], udp, [0, 0]];
    [&[255; 6], &mac, &[8, 0][..], ip.as_flattened(), udp.as_flattened(), &message].concat()
}

fn length(bytes: usize) -> [u8; 2] {
    (bytes as u16).to_be_bytes()
}

/// The address that a frame offers us, if it is an answer to our question.
pub fn offered(frame: &[u8]) -> Option<Ipv4Addr> {
    let message = frame.get(42..)?;
    let is_answer = frame[23] == 17 && frame[36..38] == [0, 68] && message.get(..4)? == [2, 1, 6, 0];
    let ip: [u8; 4] = message.get(16..20)?.try_into().ok()?;
    (is_answer && message[4..8] == XID).then(|| ip.into())
}
