//! safetensors files with metadata, written at once.

use crate::{Error, atomic};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

/// A tensor to be written: its name, shape and elements.
pub(crate) type Named<'a> = (String, &'a [usize], &'a [f32]);

/// Replaces a file by one of these tensors, in this order, and a text among its metadata. The library of the format writes
/// files, too, but does not sync them.
pub(crate) fn save(
    path: &Path,
    (key, text): (&str, String),
    tensors: &[Named<'_>],
    written: &mut dyn FnMut(&Path),
) -> Result<(), Error> {
    let mut header = BTreeMap::new();
    let mut end = 0;
    for (name, shape, elements) in tensors {
        let start = end;
        end += size_of_val(*elements);
        header.insert(name, json!({ "dtype": "F32", "shape": shape, "data_offsets": [start, end] }));
    }
    // Numbers, texts and maps of texts have a form in JSON.
    let header = serde_json::to_string(&header).unwrap_or_default();
    let separator = if tensors.is_empty() { "" } else { "," };
    let mut rest = format!("\",{}:{}}}{separator}{}", json!(key), json!(text), &header[1..]);
    while !(BEGINNING.len() + DIGITS + rest.len()).is_multiple_of(ALIGNMENT) {
        rest.push(' ');
    }
    let length = BEGINNING.len() + DIGITS + rest.len();
    let write = |checksum: u32, file: &mut dyn Write| -> io::Result<()> {
        file.write_all(&(length as u64).to_le_bytes())?;
        write!(file, "{BEGINNING}{checksum:08x}{rest}")?;
        let mut chunk = Vec::with_capacity(4 * CHUNK);
        for elements in tensors.iter().flat_map(|(_, _, elements)| elements.chunks(CHUNK)) {
            chunk.clear();
            chunk.extend(elements.iter().flat_map(|element| element.to_le_bytes()));
            file.write_all(&chunk)?;
        }
        Ok(())
    };
    let mut checksum = Checksum(0);
    // Nothing is refused by a sum.
    let _ = write(0, &mut checksum);
    atomic::replace(path, (LENGTH + length + end) as u64, |file| write(checksum.0, file), written)
}

/// How every file begins behind its header's length. What follows are the digits of the checksum: the CRC-32C of the whole
/// file as it is with zeros in their place.
const BEGINNING: &str = "{\"__metadata__\":{\"cnn.checksum\":\"crc32c ";
/// The digits of the checksum.
const DIGITS: usize = 8;
/// The bytes that say how long the header is.
const LENGTH: usize = 8;
/// The elements begin at a multiple of it.
const ALIGNMENT: usize = 8;
/// Elements that are written at once.
const CHUNK: usize = 1 << 14;
/// The longest header that the format allows.
const MAX_HEADER: u64 = 100_000_000;

/// The checksum of what is written to it.
struct Checksum(u32);

impl Write for Checksum {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 = crc32c::crc32c_append(self.0, bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Checks that a file has the bytes that were written to it, where it says what they were: weights of elsewhere do not.
pub(crate) fn check(path: &Path) -> Result<(), Error> {
    let failed = |source| Error::Read { path: path.to_owned(), source };
    let mut file = File::open(path).map_err(failed)?;
    let mut start = Vec::new();
    let whole = LENGTH + BEGINNING.len() + DIGITS;
    (&mut file).take(whole as u64).read_to_end(&mut start).map_err(failed)?;
    let digits = start.split_off(start.len().min(whole - DIGITS));
    if start.get(LENGTH..) != Some(BEGINNING.as_bytes()) {
        return Ok(());
    }
    let mut checksum = Checksum(crc32c::crc32c_append(crc32c::crc32c(&start), &[b'0'; DIGITS]));
    let mut rest = vec![0; 1 << 18];
    loop {
        let count = file.read(&mut rest).map_err(failed)?;
        if count == 0 {
            break;
        }
        checksum.0 = crc32c::crc32c_append(checksum.0, &rest[..count]);
    }
    let is_whole = digits == format!("{:08x}", checksum.0).as_bytes();
    if is_whole { Ok(()) } else { Err(Error::Damaged { path: path.to_owned() }) }
}

/// The text of this key among a file's metadata; none where it has no such text.
pub(crate) fn metadata(path: &Path, key: &str) -> Result<Option<String>, Error> {
    #[derive(Deserialize)]
    struct Header {
        #[serde(rename = "__metadata__", default)]
        metadata: BTreeMap<String, Value>,
    }
    let failed = |source| Error::Read { path: path.to_owned(), source };
    let mut file = File::open(path).map_err(failed)?;
    let mut length = [0; LENGTH];
    let damaged = |problem: &str| Error::NoCheckpoint { path: path.to_owned(), problem: problem.to_owned() };
    file.read_exact(&mut length).map_err(|_| damaged("it is too short"))?;
    let length = u64::from_le_bytes(length);
    if length > MAX_HEADER {
        return Err(damaged("it is no safetensors file"));
    }
    let mut header = Vec::new();
    file.take(length).read_to_end(&mut header).map_err(failed)?;
    let header: Header = serde_json::from_slice(&header).map_err(|_| damaged("it is no safetensors file"))?;
    Ok(header.metadata.get(key).and_then(Value::as_str).map(str::to_owned))
}
