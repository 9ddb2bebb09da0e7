//! Messages of nfnetlink: a header, four octets of netfilter's own, then attributes (length, type, value; filled up to 4).

use super::Refusal;

/// Length of the netlink header and of netfilter's own, octets.
const HEADER: usize = 16;
const GENERIC: usize = 4;
/// Marks an attribute that holds attributes; masks its type.
const NESTED: u16 = 0x8000;
const KIND_MASK: u16 = 0x3fff;
/// `NLM_F_ACK_TLVS`: the acknowledgement has words. `NLMSGERR_ATTR_MSG`: which attribute they are.
const HAS_WORDS: u16 = 0x200;
const WORDS: u16 = 1;

/// A request under construction, and for which object it is.
pub struct Request {
    what: String,
    kind: u16,
    flags: u16,
    bytes: Vec<u8>,
}

impl Request {
    /// A request of `subsystem` (`NFNL_SUBSYS_*`) about a protocol family; `what` names the object in errors.
    pub fn new(subsystem: u16, kind: u16, flags: u16, family: u8, what: impl Into<String>) -> Self {
        let mut bytes = vec![0; HEADER];
        bytes.extend([family, 0, 0, 0]);
        Self { what: what.into(), kind: (subsystem << 8) | kind, flags, bytes }
    }

    /// A bracket of a transaction.
    pub(super) fn bracket(kind: u16, subsystem: u16) -> Self {
        let mut request = Self::new(0, kind, 0, 0, "");
        request.bytes[HEADER + 2..].copy_from_slice(&subsystem.to_be_bytes());
        request
    }

    /// Adds an attribute.
    pub fn bytes(&mut self, kind: u16, value: &[u8]) {
        self.attribute(kind, |r| r.bytes.extend(value));
    }

    /// Adds a text attribute; the kernel wants a zero at its end.
    pub fn text(&mut self, kind: u16, value: &str) {
        self.attribute(kind, |r| {
            r.bytes.extend(value.as_bytes());
            r.bytes.push(0);
        });
    }

    /// Adds a number, in network order as everywhere in netfilter.
    pub fn be32(&mut self, kind: u16, value: u32) {
        self.bytes(kind, &value.to_be_bytes());
    }

    /// Adds an attribute that holds what `inner` adds.
    pub fn nest(&mut self, kind: u16, inner: impl FnOnce(&mut Self)) {
        self.attribute(kind | NESTED, inner);
    }

    /// An attribute's length has 16 bits: callers keep what they nest below 64 KiB.
    fn attribute(&mut self, kind: u16, value: impl FnOnce(&mut Self)) {
        let start = self.bytes.len();
        self.bytes.extend([0; 2]);
        self.bytes.extend(kind.to_ne_bytes());
        value(self);
        let len = u16::try_from(self.bytes.len() - start).unwrap_or(u16::MAX);
        self.bytes[start..start + 2].copy_from_slice(&len.to_ne_bytes());
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }

    /// For which object, and the finished message.
    pub(super) fn finish(mut self, flags: u16, seq: u32) -> (String, Vec<u8>) {
        let len = u32::try_from(self.bytes.len()).unwrap_or(u32::MAX);
        self.bytes[..4].copy_from_slice(&len.to_ne_bytes());
        self.bytes[4..6].copy_from_slice(&self.kind.to_ne_bytes());
        self.bytes[6..8].copy_from_slice(&(self.flags | flags).to_ne_bytes());
        self.bytes[8..12].copy_from_slice(&seq.to_ne_bytes());
        (self.what, self.bytes)
    }
}

/// A message from the kernel.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'a> {
    /// Type, the subsystem in its upper half.
    pub kind: u16,
    /// `NLM_F_*`.
    pub flags: u16,
    /// Number of the request that it answers.
    pub seq: u32,
    /// What follows the header.
    payload: &'a [u8],
}

impl<'a> Answer<'a> {
    /// All messages in a buffer; what is cut off at its end is left out.
    pub(super) fn all(mut buffer: &'a [u8]) -> impl Iterator<Item = Self> {
        std::iter::from_fn(move || {
            let (header, _) = buffer.split_at_checked(HEADER)?;
            let len = u32_at(header, 0)? as usize;
            let payload = buffer.get(HEADER..len)?;
            buffer = buffer.get(len.next_multiple_of(4)..).unwrap_or_default();
            Some(Self { kind: u16_at(header, 4)?, flags: u16_at(header, 6)?, seq: u32_at(header, 8)?, payload })
        })
    }

    /// The protocol family that it is about.
    #[must_use]
    pub fn family(&self) -> u8 {
        self.payload.first().copied().unwrap_or_default()
    }

    /// Its attributes.
    pub fn attributes(&self) -> impl Iterator<Item = (u16, &'a [u8])> + use<'a> {
        attributes(self.payload.get(GENERIC..).unwrap_or_default())
    }

    /// The error in an acknowledgement or at the end of a dump; none: success.
    pub(super) fn refusal(&self, what: &str) -> Option<Refusal> {
        let errno = u32_at(self.payload, 0)?.cast_signed();
        if errno == 0 {
            return None;
        }
        // The header of the refused request follows, then the kernel's words.
        let tail = if self.flags & HAS_WORDS == 0 { None } else { self.payload.get(4 + HEADER..) };
        let words = attributes(tail.unwrap_or_default()).find(|(kind, _)| *kind == WORDS);
        let words = words.map(|(_, value)| format!(": {}", text(value))).unwrap_or_default();
        Some(Refusal { what: what.to_owned(), errno: -errno, words })
    }
}

/// The attributes in `bytes`; what is malformed ends them.
pub fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let len = usize::from(u16_at(bytes, 0)?);
        let kind = u16_at(bytes, 2)? & KIND_MASK;
        let value = bytes.get(4..len)?;
        bytes = bytes.get(len.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    })
}

/// A text attribute, without the zero at its end.
#[must_use]
pub fn text(value: &[u8]) -> String {
    String::from_utf8_lossy(value.split(|b| *b == 0).next().unwrap_or_default()).into_owned()
}

/// A number of 32 bits.
#[must_use]
pub fn be32(value: &[u8]) -> Option<u32> {
    value.try_into().ok().map(u32::from_be_bytes)
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..at + 2)?.try_into().ok().map(u16::from_ne_bytes)
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4)?.try_into().ok().map(u32::from_ne_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_nest_and_are_filled_up_to_four_octets() {
        let mut request = Request::new(10, 3, 0, 2, "chain x");
        request.text(1, "ab");
        request.nest(2, |r| r.be32(1, 7));
        let (what, bytes) = request.finish(1, 9);
        assert_eq!(what, "chain x");
        assert_eq!(bytes.len(), 16 + 4 + 8 + 12);
        let answer = Answer::all(&bytes).next().map(|a| (a.kind, a.flags, a.seq, a.family()));
        assert_eq!(answer, Some((0x0a03, 1, 9, 2)));
        let outer: Vec<_> = attributes(&bytes[20..]).collect();
        assert_eq!(outer[0], (1, b"ab\0".as_slice()));
        assert_eq!(attributes(outer[1].1).collect::<Vec<_>>(), [(1, [0, 0, 0, 7].as_slice())]);
    }

    #[test]
    fn what_is_cut_off_or_lies_about_its_length_ends_the_walk() {
        for bytes in [&[1, 0][..], &[3, 0, 1, 0], &[9, 0, 1, 0, 1, 2], &[0, 0, 0, 0]] {
            assert_eq!(attributes(bytes).count(), 0, "{bytes:?}");
        }
        assert_eq!(Answer::all(&[0; 15]).count(), 0);
        assert_eq!(Answer::all(&[0; 32]).count(), 0);
    }
}
