//! Reading `.cnn` files: the one place where the front end's text comes from a disk.

use cnn_dsl::{Diagnostic, MAX_SOURCE_BYTES, Sources};
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// Why a `.cnn` file could not be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read `{name}`: {reason}")]
pub struct ReadError {
    name: String,
    reason: String,
}

/// Reads a `.cnn` file. `name` is what diagnostics call it.
///
/// Text that is not a `.cnn` file at all (binary, too large) comes back as diagnostics.
///
/// # Errors
/// A file that cannot be opened or read.
pub fn read_source(path: &Path, name: &str) -> Result<(Sources, Vec<Diagnostic>), ReadError> {
    let error = |reason: String| ReadError { name: name.to_owned(), reason };
    let explain = |e: io::Error| {
        error(match e.kind() {
            io::ErrorKind::NotFound => "there is no such file".into(),
            io::ErrorKind::IsADirectory => "it is a folder, not a file".into(),
            _ => e.to_string(),
        })
    };
    let file = File::open(path).map_err(explain)?;
    if file.metadata().map_err(explain)?.is_dir() {
        return Err(error("it is a folder, not a file".into()));
    }
    // One byte more than allowed is enough for the front end to refuse the file.
    let mut bytes = Vec::new();
    file.take(MAX_SOURCE_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(explain)?;
    Ok(Sources::from_bytes(name, bytes))
}
