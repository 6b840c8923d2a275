//! The folder of a run.

use crate::record::Record;
use crate::{Error, atomic};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// The file that is locked by the process that works on the run.
const LOCK: &str = ".lock";

/// The folder of a run: `runs/NAME`.
///
/// ```
/// use cnn_train::{Error, RunFolder};
///
/// # fn main() -> Result<(), Error> {
/// # let parent = tempfile::tempdir().unwrap();
/// # let parent = parent.path();
/// let run = RunFolder::create(parent, "lenet")?;
/// run.write("last.safetensors", "a checkpoint")?;
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
    /// Makes the folder of a new run; its parents, too, where they are not there. A run that ended before its first
    /// checkpoint has nothing to go on from, so its name and its folder are taken again.
    ///
    /// # Errors
    /// A run of this name, a name that is no folder's, and what the system refuses.
    pub fn create(parent: impl AsRef<Path>, name: &str) -> Result<Self, Error> {
        let (folder, is_new) = Self::make(parent.as_ref(), name)?;
        if !is_new {
            folder.check_free()?;
        }
        Ok(folder)
    }

    /// Makes the folder of a new run with the first free name of `NAME`, `NAME-2`, `NAME-3`, …
    ///
    /// # Errors
    /// As [`create`](Self::create), but for a run of this name.
    pub fn create_next(parent: impl AsRef<Path>, name: &str) -> Result<Self, Error> {
        let mut number = 1u64;
        loop {
            let next = if number == 1 { name.to_owned() } else { format!("{name}-{number}") };
            match Self::make(parent.as_ref(), &next)? {
                (folder, true) => return Ok(folder),
                _ => number += 1,
            }
        }
    }

    /// The folder of this name, and whether it was not there before.
    fn make(parent: &Path, name: &str) -> Result<(Self, bool), Error> {
        let mut parts = Path::new(name).components();
        let is_name = matches!((parts.next(), parts.next()), (Some(std::path::Component::Normal(_)), None));
        if !is_name || name.chars().any(char::is_control) {
            return Err(Error::setting("name", format!("`{}`", name.escape_debug()), "it is the name of one folder"));
        }
        let path = parent.join(name);
        let failed = |source| match parent.ancestors().find(|path| path.is_file()) {
            Some(file) => Error::IsFile { path: file.to_owned() },
            None => Error::Write { path: path.clone(), bytes: 0, source },
        };
        fs::create_dir_all(parent).map_err(failed)?;
        let is_new = match fs::create_dir(&path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => false,
            made => made.and_then(|()| atomic::sync_folder(parent)).map(|()| true).map_err(failed)?,
        };
        Ok((Self { path }, is_new))
    }

    /// That a folder that was there is of no run: empty, as a process leaves it that is killed at once, or locked once and
    /// without a checkpoint.
    fn check_free(&self) -> Result<(), Error> {
        let path = || self.path.clone();
        if !self.path.is_dir() {
            return Err(Error::IsFile { path: path() });
        }
        let mut entries = fs::read_dir(&self.path).map_err(|source| Error::Read { path: path(), source })?;
        match (
            entries.next().is_none(),
            self.path.join(LOCK).exists() && !self.last().exists() && !self.best().exists(),
        ) {
            (true, _) => Ok(()),
            // It may be about to write its first one.
            (_, true) => self.lock().map(drop),
            _ => Err(Error::RunExists { path: path() }),
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

    /// Whether another process works on the run.
    pub fn is_in_use(&self) -> bool {
        matches!(self.lock(), Err(Error::RunInUse { .. }))
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
        Ok(Record::resume(&self.path, step)?)
    }

    /// Keeps other processes from this run for as long as the file is open. The system lets go of it when the process ends,
    /// however it does.
    pub(crate) fn lock(&self) -> Result<File, Error> {
        let path = self.path.join(LOCK);
        let failed = |source| Error::Write { path: path.clone(), bytes: 0, source };
        // A process that wanted the same name, and failed, removes the folder while it is empty.
        fs::create_dir_all(&self.path).map_err(failed)?;
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
        // A file lies where the folder of all runs, or of this one, should be.
        let file = parent.path().join("runs");
        fs::write(&file, "").unwrap();
        for made in [
            RunFolder::create(&file, "a"),
            RunFolder::create(file.join("more"), "a"),
            RunFolder::create(parent.path(), "runs"),
        ] {
            let error = made.unwrap_err().to_string();
            assert!(error.contains("runs is a file, and a folder is wanted there"), "{error}");
        }
        assert!(RunFolder::create_next(parent.path(), "runs").unwrap().path().ends_with("runs-2"));
        assert!(RunFolder::open(&file).is_err());
    }

    /// Whatever a process that was killed before its first checkpoint has left, its name is free; while it lives, it is not.
    #[test]
    fn the_name_of_a_run_without_a_checkpoint_is_free() {
        let parent = tempfile::tempdir().unwrap();
        for (name, files, is_free) in [
            ("killed-at-once", &[][..], true),
            ("locked", &[".lock"], true),
            ("begun", &[".lock", "config.json", "metrics.csv", ".last.safetensors.tmp"], true),
            ("saved", &[".lock", "last.safetensors"], false),
            ("best", &[".lock", "best.safetensors"], false),
            ("photos", &["cat.png"], false),
        ] {
            let folder = RunFolder::create(parent.path(), name).unwrap();
            files.iter().for_each(|file| fs::write(folder.path().join(file), "").unwrap());
            let again = RunFolder::create(parent.path(), name);
            assert!(matches!(again, Err(Error::RunExists { .. })) != is_free && again.is_ok() == is_free, "{name}");
            assert!(RunFolder::create_next(parent.path(), name).unwrap().path().ends_with(format!("{name}-2")));
        }
        let folder = RunFolder::create(parent.path(), "begun").unwrap();
        assert!(!folder.is_in_use());
        let lock = folder.lock().unwrap();
        assert!(folder.is_in_use());
        assert!(matches!(RunFolder::create(parent.path(), "begun"), Err(Error::RunInUse { .. })));
        drop(lock);
        assert!(RunFolder::create(parent.path(), "begun").is_ok());
    }
}
