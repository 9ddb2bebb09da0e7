//! What agents tell each other of what they remember: a header, and records of one length.
//!
//! They travel as values, not as the kernel's own messages: what comes from another node is read, bounded and judged first.

/// The most records that are told at once; the kernel's own limits are about that.
pub const MOST: usize = 262_144;
/// What stands before the records, octets: the format, and how many follow.
pub const HEADER: usize = 8;

/// One thing that is told.
pub trait Record: Sized {
    /// Says what the records are, and in which version.
    const FORMAT: [u8; 4];
    /// How long each is, octets.
    const LENGTH: usize;
    /// Writes it: so many octets.
    fn write(&self, bytes: &mut Vec<u8>);
    /// Reads it from so many octets; none: it is no such thing.
    fn read(bytes: &[u8]) -> Option<Self>;
}

/// Writes records, as many as may be told.
#[must_use]
pub fn encode<R: Record>(all: &[R]) -> Vec<u8> {
    let all = &all[..all.len().min(MOST)];
    let mut bytes = Vec::with_capacity(HEADER + all.len() * R::LENGTH);
    bytes.extend(R::FORMAT);
    bytes.extend(u32::try_from(all.len()).unwrap_or_default().to_be_bytes());
    for record in all {
        record.write(&mut bytes);
    }
    bytes
}

/// How many octets follow a header; none: it is no header of such records.
#[must_use]
pub fn follows<R: Record>(header: [u8; HEADER]) -> Option<usize> {
    let [format @ .., a, b, c, d] = header;
    let count = u32::from_be_bytes([a, b, c, d]) as usize;
    (format == R::FORMAT && count <= MOST).then_some(count * R::LENGTH)
}

/// Reads what follows a header; none: something in it is no such record.
#[must_use]
pub fn decode<R: Record>(bytes: &[u8]) -> Option<Vec<R>> {
    bytes.chunks(R::LENGTH).map(|record| (record.len() == R::LENGTH).then(|| R::read(record)).flatten()).collect()
}
