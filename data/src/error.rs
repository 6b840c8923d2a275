//! What can be wrong with data.

use std::io;
use std::path::PathBuf;

/// An error of the data: one message that says what is wrong, where, and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file or folder that cannot be read.
    #[error("cannot read {}: {source}; {}", path.display(), remedy(source))]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },

    /// A file or folder that holds something else than it should.
    #[error("{}: {problem}; {remedy}", path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong.
        problem: String,
        /// What to do.
        remedy: String,
    },

    /// Data given in memory that does not go together.
    #[error("{problem}; {remedy}")]
    Array {
        /// What is wrong.
        problem: String,
        /// What to do.
        remedy: String,
    },

    /// An example that cannot be made ready.
    #[error("{example}: {source}")]
    Example {
        /// Its name: of a picture's file, or the number in the dataset.
        example: String,
        /// What is wrong with it.
        source: Box<Error>,
    },

    /// An example that does not exist.
    #[error("there is no example {index}: the dataset has {len}, counted from 0")]
    Index {
        /// The number asked for.
        index: usize,
        /// The number of examples.
        len: usize,
    },

    /// A label that is no class.
    #[error(
        "the label is {label}, and there are {classes} classes, counted from 0; correct the label or name the class"
    )]
    Label {
        /// The label.
        label: usize,
        /// The number of classes.
        classes: usize,
    },

    /// Transforms that cannot be read as text.
    #[error("transforms, character {column}: {problem}; {remedy}")]
    Text {
        /// Where, counted from 1.
        column: usize,
        /// What is wrong.
        problem: String,
        /// What to do.
        remedy: String,
    },

    /// A transform that cannot do what it is asked to.
    #[error("transform {step}, `{transform}`: {problem}")]
    Transform {
        /// Its number in the pipeline, counted from 1.
        step: usize,
        /// The transform as text.
        transform: String,
        /// What is wrong, and what to do.
        problem: String,
    },

    /// Pictures of different sizes in one batch.
    #[error(
        "after the transforms the picture is {found:?} (channels, height, width) and the others are {expected:?}; \
         add `resize([{}, {}])` to the transforms", expected[1], expected[2]
    )]
    PictureSize {
        /// The shape of the others.
        expected: [usize; 3],
        /// The shape of this one.
        found: [usize; 3],
    },

    /// An option of the loader or of a split that makes no sense.
    #[error("{option} is {value}; {remedy}")]
    Option {
        /// The option's name.
        option: &'static str,
        /// Its value.
        value: String,
        /// What it may be.
        remedy: String,
    },

    /// Memory that the system did not give.
    #[error("out of memory: {bytes} bytes for {what}; use a smaller batch or smaller pictures")]
    OutOfMemory {
        /// What the memory was for.
        what: &'static str,
        /// Bytes asked for; `usize::MAX` when the number does not fit.
        bytes: usize,
    },

    /// A dataset that panicked on a thread of the loader.
    #[error("reading the dataset panicked: {message}; this is a fault of the dataset's code")]
    Panic {
        /// What the panic said.
        message: String,
    },

    /// A thread that the system did not give.
    #[error("cannot start a thread of the loader: {source}; use fewer workers, or 0 to load on the calling thread")]
    Thread {
        /// Why.
        source: io::Error,
    },
}

impl Error {
    pub(crate) fn file(path: impl Into<PathBuf>, problem: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::File { path: path.into(), problem: problem.into(), remedy: remedy.into() }
    }

    pub(crate) fn array(problem: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::Array { problem: problem.into(), remedy: remedy.into() }
    }

    pub(crate) fn option(option: &'static str, value: impl ToString, remedy: impl Into<String>) -> Self {
        Self::Option { option, value: value.to_string(), remedy: remedy.into() }
    }

    /// This error with the example named where it happened; once.
    pub(crate) fn of_example(self, example: impl FnOnce() -> String) -> Self {
        let example = match &self {
            Self::Example { .. } => return self,
            _ => example(),
        };
        match &self {
            // A picture's file is its name.
            Self::File { path, .. } | Self::Read { path, .. } if path.display().to_string() == example => self,
            _ => Self::Example { example, source: Box::new(self) },
        }
    }
}

/// What to do about a file that cannot be read.
fn remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::NotFound => "check its name",
        io::ErrorKind::PermissionDenied => "give yourself the right to read it",
        io::ErrorKind::IsADirectory => "name a file",
        io::ErrorKind::NotADirectory => "name a folder",
        io::ErrorKind::OutOfMemory => "it needs more memory than there is",
        io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => {
            "it is damaged: fetch it again"
        }
        _ => "name a file or folder that can be read",
    }
}
