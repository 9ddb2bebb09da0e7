//! A `.tar.gz`: files of text, all in one folder.

use std::io::{self, Write};

use flate2::Compression;
use flate2::write::GzEncoder;

/// Of a tar: everything comes in blocks of so many bytes.
const BLOCK: usize = 512;

/// An archive in the making.
pub struct Archive<W: Write> {
    out: GzEncoder<W>,
    folder: String,
    /// Seconds since 1970.
    time: u64,
}

impl<W: Write> Archive<W> {
    /// Begins one whose files lie in `folder`.
    pub fn begin(out: W, folder: &str, time: u64) -> Self {
        Self { out: GzEncoder::new(out, Compression::default()), folder: folder.to_owned(), time }
    }

    /// Adds a file; of its path nothing but letters, digits, `.`, `-`, `_` and `/` is kept, and at most 99 bytes.
    pub fn add(&mut self, path: &str, content: &[u8]) -> io::Result<()> {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '/');
        let path = format!("{}/{path}", self.folder);
        let path: String = path.chars().map(|c| if plain(c) { c } else { '_' }).take(99).collect();
        self.out.write_all(&header(&path, content.len(), self.time))?;
        self.out.write_all(content)?;
        let rest = content.len().next_multiple_of(BLOCK) - content.len();
        self.out.write_all(&[0; BLOCK][..rest])
    }

    /// Ends it.
    pub fn end(mut self) -> io::Result<W> {
        self.out.write_all(&[0; 2 * BLOCK])?;
        self.out.finish()
    }
}

/// A header of a file (POSIX.1-1988, ustar).
fn header(path: &str, length: usize, time: u64) -> [u8; BLOCK] {
    let mut block = [0; BLOCK];
    let mut put = |at: usize, bytes: &[u8]| block[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, path.as_bytes());
    put(100, b"0000600\0");
    put(108, b"0000000\0");
    put(116, b"0000000\0");
    put(124, format!("{length:011o}\0").as_bytes());
    put(136, format!("{time:011o}\0").as_bytes());
    // The sum counts its own field as spaces.
    put(148, b"        ");
    put(156, b"0");
    put(257, b"ustar\x0000");
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    block
}
