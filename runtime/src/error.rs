//! What can go wrong outside the language: weights, inputs, memory and machine.

use std::fmt;
use std::path::PathBuf;

/// An error of the runtime: one message that says what is wrong, where, and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Calls on the builder that make no network.
    #[error(transparent)]
    Build(#[from] cnn_ir::BuildError),

    /// A tensor's data does not fill its shape.
    #[error("a tensor of shape {shape:?} has {expected} elements, not {found}")]
    TensorSize {
        /// The shape.
        shape: Vec<usize>,
        /// The product of its sizes.
        expected: usize,
        /// Elements given.
        found: usize,
    },

    /// A shape whose elements cannot be counted.
    #[error("a tensor of shape {shape:?} is too large")]
    TensorTooLarge {
        /// The shape.
        shape: Vec<usize>,
    },

    /// Memory that the system did not give.
    #[error("out of memory: {bytes} bytes for {what}; use a smaller batch or network")]
    OutOfMemory {
        /// What the memory was for.
        what: &'static str,
        /// Bytes asked for; `usize::MAX` when the number does not fit.
        bytes: usize,
    },

    /// A file that cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
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

    /// Bytes that are no safetensors file.
    #[error("{origin} is not a whole safetensors file: {reason}")]
    BadWeights {
        /// The file's name, or `the weights` when they came as bytes.
        origin: String,
        /// What is wrong.
        reason: String,
    },

    /// A tensor of a type that does not convert to f32.
    #[error("the weight `{name}` has the type {dtype}; only F32, F16, BF16 and F64 can be used")]
    WeightType {
        /// The tensor's name.
        name: String,
        /// Its type, as safetensors writes it.
        dtype: String,
    },

    /// A weight that is not finite in the type in which weights are to be stored.
    #[error("the weight `{name}` has an element of {value}, which is not finite as {dtype}; store weights as f32")]
    WeightRange {
        /// The tensor's name.
        name: String,
        /// The element.
        value: f32,
        /// The type.
        dtype: crate::WeightDtype,
    },

    /// A type of weights that does not exist.
    #[error("weights cannot be stored as `{name}`; the types are: {known}")]
    UnknownWeightDtype {
        /// What was asked for.
        name: String,
        /// What can be asked for.
        known: String,
    },

    /// Weights that do not fit the network.
    #[error("{0}")]
    WeightsMismatch(WeightsMismatch),

    /// A run with too many or too few inputs.
    #[error("the network takes {expected} inputs, not {found}")]
    InputCount {
        /// Inputs of the network.
        expected: usize,
        /// Inputs given.
        found: usize,
    },

    /// An input of the wrong shape.
    #[error("the input `{name}` must have the shape {}, not {found:?}; the first size is the batch", Batched(expected))]
    InputShape {
        /// The input's name.
        name: String,
        /// Its shape for one example.
        expected: Vec<usize>,
        /// The shape given.
        found: Vec<usize>,
    },

    /// A batch without examples.
    #[error("the input `{name}` has a batch of 0; give at least one example")]
    EmptyBatch {
        /// The input's name.
        name: String,
    },

    /// Inputs with different batches.
    #[error("the input `{name}` has a batch of {found}, but the first input has {expected}")]
    BatchMismatch {
        /// The input's name.
        name: String,
        /// The first input's batch.
        expected: usize,
        /// This input's batch.
        found: usize,
    },

    /// Training that diverges, or a batch that holds no numbers.
    #[error("{what} not finite; that begins in {place}; try a lower learning rate, or clip the gradients")]
    NotFinite {
        /// What is not finite.
        what: &'static str,
        /// The input, the layer or the gradient where that begins.
        place: String,
    },

    /// An instruction set that was asked for and cannot be had.
    #[error("the instruction set `{name}` {reason}; this CPU has: {available}")]
    Isa {
        /// What was asked for.
        name: String,
        /// Why not.
        reason: &'static str,
        /// What can be asked for.
        available: String,
    },

    /// A file that should hold measured times and does not.
    #[error("`{}` holds no measured times: {reason}; make it anew with `cnn tune`", path.display())]
    BadTuning {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },

    /// A kernel that does not exist.
    #[error("there is no algorithm `{name}`; the algorithms are: {known}")]
    UnknownAlgorithm {
        /// What was asked for.
        name: String,
        /// What can be asked for.
        known: String,
    },

    /// A number of threads that cannot be had.
    #[error("{asked} threads cannot be had: {reason}")]
    Threads {
        /// How many were asked for, as it was written.
        asked: String,
        /// Why not.
        reason: String,
    },

    /// A switch for a pass that does not exist.
    #[error("there is no pass `{name}`; the passes are: {known}")]
    UnknownPass {
        /// What was asked for.
        name: String,
        /// The passes there are.
        known: String,
    },

    /// A graph that an engine cannot run, or that a pass has broken.
    #[error("{place}: {reason}")]
    Graph {
        /// The layer or pass.
        place: String,
        /// What is wrong.
        reason: String,
    },
}

/// Everything in which weights and network differ.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WeightsMismatch {
    /// Where the weights are from.
    pub origin: String,
    /// Parameters of the network that the weights lack, each with the nearest name that the network does not use.
    pub missing: Vec<(String, Option<String>)>,
    /// Names in the weights that the network does not have.
    pub unexpected: Vec<String>,
    /// Parameters of another shape: name, the network's shape, the weights' shape.
    pub misshapen: Vec<(String, Vec<usize>, Vec<usize>)>,
    /// Parameters whose type does not convert to f32: name and type.
    pub mistyped: Vec<(String, String)>,
}

impl WeightsMismatch {
    /// Whether there is no difference.
    pub fn is_empty(&self) -> bool {
        self.missing.is_empty() && self.unexpected.is_empty() && self.misshapen.is_empty() && self.mistyped.is_empty()
    }
}

impl fmt::Display for WeightsMismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} and the network do not fit", self.origin)?;
        for (name, expected, found) in &self.misshapen {
            write!(f, "\n  wrong shape: `{name}` must be {expected:?}, but is {found:?}")?;
        }
        for (name, dtype) in &self.mistyped {
            write!(f, "\n  wrong type: `{name}` is {dtype}; F32, F16, BF16 and F64 can be used")?;
        }
        for (name, near) in &self.missing {
            write!(f, "\n  missing: `{name}`")?;
            if let Some(near) = near {
                write!(f, " (the weights have `{near}`)")?;
            }
        }
        for name in &self.unexpected {
            write!(f, "\n  unexpected: `{name}`")?;
        }
        Ok(())
    }
}

/// `[batch, 1, 28, 28]`.
struct Batched<'a>(&'a [usize]);

impl fmt::Display for Batched<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[batch")?;
        self.0.iter().try_for_each(|size| write!(f, ", {size}"))?;
        f.write_str("]")
    }
}
