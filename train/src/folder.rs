//! The folder of a run.

use crate::record::Record;
use crate::{Error, atomic};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// The folder of a run: `runs/NAME`.
///
/// ```
/// use cnn_train::{Error, RunFolder};
///
/// # fn main() -> Result<(), Error> {
/// # let parent = tempfile::tempdir().unwrap();
/// # let parent = parent.path();
/// let run = RunFolder::create(parent, "lenet")?;
/// assert!(matches!(RunFolder::create(parent, "lenet"), Err(Error::RunExists { .. })));
/// assert!(RunFolder::create_next(parent, "lenet")?.path().ends_with("lenet-2"));
/// assert_eq!(RunFolder::open(run.path())?.last(), parent.join("lenet/last.safetensors"));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunFolder {
    path: PathBuf,
}

impl RunFolder {
    /// Makes the folder of a new run; its parents, too, where they are not there.
    ///
    /// # Errors
    /// A run of this name, a name that is no folder's, and what the system refuses.
    pub fn create(parent: impl AsRef<Path>, name: &str) -> Result<Self, Error> {
        let mut parts = Path::new(name).components();
        let is_name = matches!((parts.next(), parts.next()), (Some(std::path::Component::Normal(_)), None));
        if !is_name || name.chars().any(char::is_control) {
            return Err(Error::setting("name", format!("`{}`", name.escape_debug()), "it is the name of one folder"));
        }
        let parent = parent.as_ref();
        let path = parent.join(name);
        let made = fs::create_dir_all(parent).and_then(|()| fs::create_dir(&path));
        match made.and_then(|()| atomic::sync_folder(parent)) {
            Ok(()) => Ok(Self { path }),
            Err(error) if error.kind() == ErrorKind::AlreadyExists && path.is_dir() => Err(Error::RunExists { path }),
            Err(source) => Err(Error::Write { path, bytes: 0, source }),
        }
    }

    /// Makes the folder of a new run with the first free name of `NAME`, `NAME-2`, `NAME-3`, …
    ///
    /// # Errors
    /// As [`create`](Self::create), but for a run of this name.
    pub fn create_next(parent: impl AsRef<Path>, name: &str) -> Result<Self, Error> {
        let mut number = 1u64;
        loop {
            let next = if number == 1 { name.to_owned() } else { format!("{name}-{number}") };
            match Self::create(&parent, &next) {
                Err(Error::RunExists { .. }) => number += 1,
                made => return made,
            }
        }
    }

    /// The folder of a run that is there.
    ///
    /// # Errors
    /// A folder that is not.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, Error> {
        let path = path.into();
        if path.is_dir() {
            return Ok(Self { path });
        }
        let source = io::Error::new(ErrorKind::NotFound, "there is no such folder of a run");
        Err(Error::Read { path, source })
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The state from which the run is resumed.
    pub fn last(&self) -> PathBuf {
        self.path.join("last.safetensors")
    }

    /// The weights of the best state.
    pub fn best(&self) -> PathBuf {
        self.path.join("best.safetensors")
    }

    /// The resolved configuration.
    pub fn config(&self) -> PathBuf {
        self.path.join("config.json")
    }

    /// The record of the run, new or from where it stood after so many steps.
    pub(crate) fn record(&self, step: u64) -> Result<Record, Error> {
        let is_new = !self.path.join("metrics.jsonl").exists();
        Ok(if is_new { Record::create(&self.path)? } else { Record::resume(&self.path, step)? })
    }

    /// Keeps other processes from this run for as long as the file is open. The system lets go of it when the process ends,
    /// however it does.
    pub(crate) fn lock(&self) -> Result<File, Error> {
        let path = self.path.join(".lock");
        let failed = |source| Error::Write { path: path.clone(), bytes: 0, source };
        let file = OpenOptions::new().create(true).append(true).open(&path).map_err(failed)?;
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => Err(Error::RunInUse { path: self.path.clone() }),
            // A file system without locks is no reason not to train.
            Err(TryLockError::Error(error)) if error.kind() != ErrorKind::Unsupported => Err(failed(error)),
            _ => Ok(file),
        }
    }

    /// Writes a file of text, such as the source of the model.
    ///
    /// # Errors
    /// What the system refuses; what was there before is then kept.
    pub fn write(&self, name: &str, text: &str) -> Result<(), Error> {
        let write = |file: &mut dyn io::Write| file.write_all(text.as_bytes());
        atomic::replace(&self.path.join(name), text.len() as u64, write, &mut |_| ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_that_of_one_folder() {
        let parent = tempfile::tempdir().unwrap();
        for name in ["", ".", "..", "a/b", "/tmp", "../a", "a\nb"] {
            let error = RunFolder::create(parent.path(), name).unwrap_err().to_string();
            assert!(error.contains("the name of one folder"), "{name}: {error}");
        }
        // A file lies where the folder of all runs should be.
        let file = parent.path().join("runs");
        fs::write(&file, "").unwrap();
        let error = RunFolder::create(&file, "a").unwrap_err().to_string();
        assert!(error.starts_with("cannot write") && error.contains("runs"), "{error}");
        assert!(RunFolder::open(&file).is_err());
    }
}
