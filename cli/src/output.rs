//! Writing files whole or not at all.

use crate::failure::Failure;
use std::io::Write;
use std::path::Path;

/// Writes a file by way of a temporary one beside it, so that an interruption leaves the old file as it was.
pub fn write_file(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let write = || {
        let mut file = tempfile::Builder::new().prefix(".cnn-").tempfile_in(folder)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        set_permissions(file.as_file(), path)?;
        file.persist(path)?;
        Ok::<(), std::io::Error>(())
    };
    write().map_err(|error| Failure::Message(format!("cannot write `{}`: {error}", path.display())))
}

/// Temporary files are private; the result gets the rights of the file it replaces, or those of a new file.
#[cfg(unix)]
fn set_permissions(file: &std::fs::File, path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::metadata(path).map_or(0o644, |metadata| metadata.permissions().mode());
    file.set_permissions(std::fs::Permissions::from_mode(mode))
}

#[cfg(not(unix))]
fn set_permissions(_file: &std::fs::File, _path: &Path) -> std::io::Result<()> {
    Ok(())
}
