//! Writing files whole or not at all.

use crate::failure::Failure;
use cnn_train::plot::Picture;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

/// Writes a file by way of a temporary one beside it, so that an interruption leaves the old file as it was.
///
/// A link is followed; a device or a pipe is written to as it is; a file that may not be written stays.
pub fn write_file(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    write(path, bytes)
        .map_err(|error| Failure::Message(format!("cannot write `{}`: {}", path.display(), reason(&error))))
}

/// Writes a picture, as PNG where the file's name ends so and else as SVG.
pub fn write_picture(path: &Path, picture: &Picture) -> Result<(), Failure> {
    let is_png = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("png"));
    let bytes = if is_png { picture.png(SCALE).map_err(Failure::new)? } else { picture.svg().into_bytes() };
    write_file(path, &bytes)
}

/// How many pixels of a PNG file there are for one of the picture's, in each direction.
const SCALE: f64 = 2.0;

/// Makes a folder and fills it, by way of a temporary one beside it: it is there whole or not at all.
pub fn new_folder(path: &Path, fill: impl FnOnce(&Path) -> io::Result<()>) -> Result<(), Failure> {
    let failure = |reason: String| Failure::Message(format!("cannot make `{}`: {reason}", path.display()));
    match fs::read_dir(path).map(|mut entries| entries.next().is_none()) {
        Ok(true) => fs::remove_dir(path).map_err(|error| failure(error.to_string()))?,
        Ok(false) => return Err(failure("the folder exists and is not empty".into())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(_) => return Err(failure("there is a file of this name, or it cannot be read".into())),
    }
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let make = || {
        let folder = temporary_folder(parent)?;
        fill(folder.path())?;
        fs::rename(folder.path(), path)
    };
    make().map_err(|error| failure(reason(&error)))
}

/// The system's words, without the name of the temporary file that the crate tempfile adds: it would only confuse.
fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    match text.rsplit_once(" at path ") {
        Some((reason, _)) if error.get_ref().is_some() => reason.to_owned(),
        _ => text,
    }
}

/// Temporary folders are private; this one gets the rights of an ordinary one.
fn temporary_folder(parent: &Path) -> io::Result<tempfile::TempDir> {
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o777));
    builder.prefix(".cnn-").tempdir_in(parent)
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let target = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let old = match OpenOptions::new().write(true).open(&target) {
        Ok(mut file) if !file.metadata()?.is_file() => return file.write_all(bytes),
        Ok(file) => Some(file),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new().prefix(".cnn-").tempfile_in(folder)?;
    file.write_all(bytes)?;
    set_permissions(file.as_file(), old.as_ref())?;
    file.as_file().sync_all()?;
    file.persist(&target)?;
    // The new name is safe once the folder is; not every file system can do that.
    let _ = File::open(folder).and_then(|folder| folder.sync_all());
    Ok(())
}

/// Temporary files are private; the result gets the rights of the file it replaces, or those of a new file.
#[cfg(unix)]
fn set_permissions(file: &File, old: Option<&File>) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let permissions = match old {
        Some(old) => old.metadata()?.permissions(),
        None => fs::Permissions::from_mode(0o644),
    };
    file.set_permissions(permissions)
}

#[cfg(not(unix))]
fn set_permissions(_file: &File, _old: Option<&File>) -> io::Result<()> {
    Ok(())
}
