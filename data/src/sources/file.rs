//! Whole files, with a check of their sizes before memory is asked for.

use crate::error::Error;
use flate2::bufread::MultiGzDecoder;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

/// The most bytes that a compressed file may become.
pub(crate) const MAX_UNPACKED: u64 = 1 << 30;
/// DEFLATE makes at most this many bytes of one.
const MAX_RATIO: u64 = 1032;

/// A file that may be compressed by gzip, as its first bytes say.
pub(crate) struct Source {
    reader: Box<dyn BufRead>,
    /// The most bytes that the file can hold.
    capacity: u64,
    /// Whether the file is compressed: then `capacity` is only a bound.
    pub(crate) packed: bool,
}

impl Source {
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        let read = |source| Error::Read { path: path.to_owned(), source };
        let file = File::open(path).map_err(read)?;
        let metadata = file.metadata().map_err(read)?;
        if !metadata.is_file() {
            return Err(Error::file(path, "it is no file", "name the file itself"));
        }
        let mut reader = BufReader::with_capacity(1 << 16, file);
        let packed = reader.fill_buf().map_err(read)?.starts_with(&[0x1f, 0x8b]);
        let capacity = metadata.len();
        Ok(if packed {
            let capacity = capacity.saturating_mul(MAX_RATIO).min(MAX_UNPACKED);
            Self { reader: Box::new(BufReader::new(MultiGzDecoder::new(reader))), capacity, packed }
        } else {
            Self { reader: Box::new(reader), capacity, packed }
        })
    }

    /// The next bytes: `len` of them, or as many as there are when the file ends early.
    pub(crate) fn take(&mut self, len: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let len = len.min(self.capacity);
        let room = usize::try_from(len).unwrap_or(usize::MAX);
        // A compressed file may hold less than it could, so that its vector grows with what comes.
        let room = if self.packed { room.min(1 << 26) } else { room };
        bytes.try_reserve_exact(room).map_err(|_| io::ErrorKind::OutOfMemory)?;
        self.reader.by_ref().take(len).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// Whether there are no more bytes.
    pub(crate) fn is_at_end(&mut self) -> io::Result<bool> {
        Ok(self.reader.fill_buf()?.is_empty())
    }

    /// Whether the file could hold as many bytes.
    pub(crate) fn can_hold(&self, bytes: u64) -> bool {
        bytes <= self.capacity
    }
}
