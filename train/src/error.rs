//! What can go wrong with a training run.

use std::path::PathBuf;

/// An error of a training run: one message that says what is wrong, where, and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A loss, optimizer, schedule or initialiser that is not allowed.
    #[error(transparent)]
    Recipe(#[from] cnn_recipe::Error),

    /// Data that cannot be loaded.
    #[error(transparent)]
    Data(#[from] cnn_data::Error),

    /// A network that cannot be trained, or a step that cannot be made.
    #[error(transparent)]
    Runtime(#[from] cnn_runtime::Error),

    /// A record of the run that cannot be written or read.
    #[error(transparent)]
    Record(#[from] crate::record::RecordError),

    /// A setting of the recipe with a value that is not allowed.
    #[error("`{name}` is {value}; {remedy}")]
    Setting {
        /// The setting: `batch`.
        name: String,
        /// The value given.
        value: String,
        /// What is allowed.
        remedy: String,
    },

    /// A setting that does not exist.
    #[error("there is no setting `{name}`; {hint}")]
    UnknownSetting {
        /// The name given.
        name: String,
        /// The nearest name, or all of them.
        hint: String,
    },

    /// A network, data and objective that do not go together.
    #[error("{problem}; {remedy}")]
    Mismatch {
        /// What does not fit.
        problem: String,
        /// What to do.
        remedy: String,
    },

    /// Weights to start from that do not fit the network.
    #[error(
        "{source}\nto train a layer of another shape anew, name it in `fresh`: its weights are then left out and \
         initialised"
    )]
    StartWeights {
        /// All differences.
        source: Box<cnn_runtime::Error>,
    },

    /// Training that diverges.
    #[error(
        "{what} not finite in step {} (epoch {}); that begins in {place}; try a lower learning rate than {rate:e}, \
         or clip the gradients{}", .step.saturating_add(1), .epoch.saturating_add(1), where_kept("the last good state", .kept.as_ref())
    )]
    NotFinite {
        /// What is not finite.
        what: &'static str,
        /// The step, counted from 0: as many updates were made before it.
        step: u64,
        /// The epoch, counted from 0.
        epoch: usize,
        /// Where that begins.
        place: String,
        /// The learning rate of the step.
        rate: f64,
        /// Where the state before the step lies.
        kept: Option<PathBuf>,
    },

    /// A run that needs more memory than there is.
    #[error(
        "with a batch of {batch} the run needs {} of memory, the data and the program included, and {} are available; {}",
        memory(*.needed), memory(*.available), what_fits(*.largest)
    )]
    Memory {
        /// Bytes that the run needs.
        needed: u64,
        /// Bytes that it can have.
        available: u64,
        /// Its batch.
        batch: usize,
        /// The largest batch that fits; 0 when none does.
        largest: usize,
    },

    /// A network whose parameters alone need more memory than there is.
    #[error(
        "the parameters, their gradients and the optimizer's state need {} of memory and {} are available; no batch fits: \
         make the network smaller, or take an optimizer with less state, such as `sgd`",
        memory(*.needed), memory(*.available)
    )]
    ParameterMemory {
        /// Bytes that they need.
        needed: u64,
        /// Bytes that are left for them.
        available: u64,
    },

    /// An observer's own error.
    #[error("the run was ended after step {step}: {source}{}", where_kept("the state", .kept.as_ref()))]
    Observer {
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
        /// As many updates were made.
        step: u64,
        /// Where the state after them lies.
        kept: Option<PathBuf>,
    },

    /// A file or folder that cannot be written. What was there before is still there.
    #[error("cannot write {}{}: {source}; what was there before is kept", path.display(), size(*.bytes))]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// The bytes that it needs; 0 where it is not for want of them.
        bytes: u64,
        /// Why.
        source: std::io::Error,
    },

    /// A file that cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },

    /// A file that is no checkpoint.
    #[error("{} is no checkpoint: {problem}; resume from the `last.safetensors` of a run", path.display())]
    NoCheckpoint {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },

    /// A file whose bytes are no longer those that were written.
    #[error(
        "{} is damaged: its bytes are not those that were written; take an older copy of it, or train anew from the weights \
         of the run's other file (`best.safetensors` or `last.safetensors`)", path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
    },

    /// A checkpoint of another network.
    #[error("{} is of another model: {source}\nresume it with the model it was made with", path.display())]
    OtherModel {
        /// The file.
        path: PathBuf,
        /// All differences.
        source: Box<cnn_runtime::Error>,
    },

    /// A checkpoint of a run with other settings.
    #[error(
        "the run had {ours} for `{setting}`, and it should go on with {theirs}; a resumed run changes nothing but \
         `epochs`, `steps`, `early_stopping`, `threads`, `workers`, `checkpoint_every` and `log_every`"
    )]
    OtherRecipe {
        /// The setting.
        setting: &'static str,
        /// The checkpoint's value.
        ours: String,
        /// The value given.
        theirs: String,
    },

    /// A checkpoint of a network that has tensors of the same shapes, and computes something else.
    #[error(
        "the run is of a network with {ours}, and this one has {theirs}; resume it with the model it was made with"
    )]
    OtherNetwork {
        /// The first input, layer or output that differs, as the checkpoint has it.
        ours: String,
        /// As the network given has it.
        theirs: String,
    },

    /// A run that another process works on.
    #[error(
        "another process works on the run {}; wait until it ends and resume the run, or start one of another name",
        path.display()
    )]
    RunInUse {
        /// Its folder.
        path: PathBuf,
    },

    /// A file where a folder should be.
    #[error("{} is a file, and a folder is wanted there; give another name, or move the file away", path.display())]
    IsFile {
        /// The file.
        path: PathBuf,
    },

    /// A run of this name.
    #[error("there is a run {} already; resume it, or give the new one another name", path.display())]
    RunExists {
        /// Its folder.
        path: PathBuf,
    },
}

impl Error {
    pub(crate) fn setting(name: &str, value: impl ToString, remedy: impl Into<String>) -> Self {
        Self::Setting { name: name.to_owned(), value: value.to_string(), remedy: remedy.into() }
    }

    pub(crate) fn mismatch(problem: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::Mismatch { problem: problem.into(), remedy: remedy.into() }
    }
}

fn where_kept(what: &str, path: Option<&PathBuf>) -> String {
    path.map_or_else(String::new, |path| format!("; {what} is kept in {}", path.display()))
}

fn what_fits(batch: usize) -> String {
    match batch {
        0 => "not even a batch of 1 fits".to_owned(),
        batch => format!("the largest batch that fits is {batch}"),
    }
}

fn size(bytes: u64) -> String {
    if bytes == 0 { String::new() } else { format!(" ({bytes} bytes are needed)") }
}

/// `12.3 MB`, `1.5 GB`.
fn memory(bytes: u64) -> String {
    if bytes < 1_000_000_000 {
        format!("{:.1} MB", bytes as f64 / 1e6)
    } else {
        format!("{:.1} GB", bytes as f64 / 1e9)
    }
}
