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
    let mut header = BTreeMap::from([("__metadata__".to_owned(), json!({ key: text }))]);
    let mut end = 0;
    for (name, shape, elements) in tensors {
        let start = end;
        end += size_of_val(*elements);
        header.insert(name.clone(), json!({ "dtype": "F32", "shape": shape, "data_offsets": [start, end] }));
    }
    // Numbers, texts and maps of texts have a form in JSON.
    let mut header = serde_json::to_string(&header).unwrap_or_default();
    while !header.len().is_multiple_of(ALIGNMENT) {
        header.push(' ');
    }
    let bytes = LENGTH + header.len() + end;
    let write = |file: &mut dyn Write| -> io::Result<()> {
        file.write_all(&(header.len() as u64).to_le_bytes())?;
        file.write_all(header.as_bytes())?;
        let mut chunk = Vec::with_capacity(4 * CHUNK);
        for elements in tensors.iter().flat_map(|(_, _, elements)| elements.chunks(CHUNK)) {
            chunk.clear();
            chunk.extend(elements.iter().flat_map(|element| element.to_le_bytes()));
            file.write_all(&chunk)?;
        }
        Ok(())
    };
    atomic::replace(path, bytes as u64, write, written)
}

/// The bytes that say how long the header is.
const LENGTH: usize = 8;
/// The elements begin at a multiple of it.
const ALIGNMENT: usize = 8;
/// Elements that are written at once.
const CHUNK: usize = 1 << 14;
/// The longest header that the format allows.
const MAX_HEADER: u64 = 100_000_000;

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
