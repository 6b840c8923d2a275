//! Files that are replaced at once: whoever reads one finds the old or the new, whole.

use crate::Error;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// Replaces a file by what `write` writes, `bytes` bytes: into a temporary file in the same folder, synced, renamed, the
/// folder synced. `written` is told of the temporary file before it is renamed.
///
/// # Errors
/// What the system refuses. The old file is then as it was, unless its folder alone could not be synced.
pub(crate) fn replace(
    path: &Path,
    bytes: u64,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    written: &mut dyn FnMut(&Path),
) -> Result<(), Error> {
    let temporary = temporary(path);
    let result = fill(&temporary, write).and_then(|()| {
        written(&temporary);
        fs::rename(&temporary, path)
    });
    let result = result.and_then(|()| sync_folder(path.parent().unwrap_or(Path::new("."))));
    result.map_err(|source| {
        // What cannot be removed is overwritten by the next one.
        let _ = fs::remove_file(&temporary);
        Error::Write { path: path.to_owned(), bytes, source }
    })
}

/// `.last.safetensors.tmp`, beside `last.safetensors`.
fn temporary(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.tmp"))
}

fn fill(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let mut file = BufWriter::with_capacity(1 << 20, File::create(path)?);
    write(&mut file)?;
    file.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()
}

/// Makes a rename last. Only Unix can open a folder for it.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_that_fails_keeps_the_old_file_and_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("last.safetensors");
        replace(&path, 3, |file| file.write_all(b"old"), &mut |_| ()).unwrap();
        let mut seen = Vec::new();
        let full = |file: &mut dyn Write| {
            file.write_all(b"ne")?;
            Err(io::Error::from(io::ErrorKind::StorageFull))
        };
        let error = replace(&path, 3, full, &mut |file| seen.push(file.to_owned())).unwrap_err().to_string();
        assert!(error.contains("last.safetensors (3 bytes are needed)") && error.contains("is kept"), "{error}");
        assert_eq!((fs::read(&path).unwrap(), seen.len()), (b"old".to_vec(), 0));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);

        replace(&path, 3, |file| file.write_all(b"new"), &mut |file| {
            assert_eq!((fs::read(file).unwrap(), fs::read(&path).unwrap()), (b"new".to_vec(), b"old".to_vec()));
        })
        .unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
    }

    #[test]
    fn a_folder_that_is_not_there_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gone").join("last.safetensors");
        let error = replace(&path, 5, |_| Ok(()), &mut |_| ()).unwrap_err();
        assert!(matches!(error, Error::Write { bytes: 5, .. }) && error.to_string().contains("gone"), "{error}");
    }
}
