//! Reading `.cnn` files: the one place where the front end's texts come from a disk.

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

/// A `.cnn` file and the files it uses.
#[derive(Debug)]
pub struct SourceFiles {
    /// The texts.
    pub sources: Sources,
    /// What is wrong with the files as such: not text, too large.
    pub diagnostics: Vec<Diagnostic>,
    /// The files that are used, by their paths from the main file's folder.
    pub used: Vec<String>,
}

/// Reads a `.cnn` file and the files it uses. `name` is what diagnostics call it.
///
/// A used file that cannot be read is reported where it is used, when the sources are compiled.
///
/// # Errors
/// A main file that cannot be opened or read.
pub fn read_source(path: &Path, name: &str) -> Result<SourceFiles, ReadError> {
    let bytes = read(path).map_err(|reason| ReadError { name: name.to_owned(), reason })?;
    let (mut sources, mut diagnostics) = Sources::from_bytes(name, bytes);
    let used = read_used(&mut sources, path.parent().unwrap_or(Path::new("")), &mut diagnostics);
    Ok(SourceFiles { sources, diagnostics, used })
}

/// Adds the files that the sources use, found from a folder, until none is missing; returns their paths.
pub(crate) fn read_used(sources: &mut Sources, folder: &Path, diagnostics: &mut Vec<Diagnostic>) -> Vec<String> {
    let mut used = Vec::new();
    loop {
        let missing = sources.missing();
        if missing.is_empty() {
            return used;
        }
        for path in missing {
            match read(&folder.join(&path)) {
                Ok(bytes) => diagnostics.extend(sources.add(&path, bytes)),
                Err(reason) => sources.add_unreadable(&path, reason),
            }
            used.push(path);
        }
    }
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    let explain = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => "there is no such file".into(),
        io::ErrorKind::IsADirectory => "it is a folder, not a file".into(),
        _ => error.to_string(),
    };
    let file = File::open(path).map_err(explain)?;
    if file.metadata().map_err(explain)?.is_dir() {
        return Err("it is a folder, not a file".into());
    }
    // One byte more than allowed is enough for the front end to refuse the file.
    let mut bytes = Vec::new();
    file.take(MAX_SOURCE_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(explain)?;
    Ok(bytes)
}
