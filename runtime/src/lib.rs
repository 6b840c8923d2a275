//! Networks on Luminal: operators that carry their specs, graph passes, the CPU engine and weights.
//!
//! The path of a network: the calls on a [`cnn_ir::Builder`] become a Luminal graph of high-level operators; passes
//! rewrite it; the engine collapses it into one program node, which a session runs without walking a graph and
//! without allocating. The same graph, decomposed into Luminal's primitives and run by Luminal itself, is the
//! reference that the engine is tested against.

// The suite that the tests share names the crate as they do.
#[cfg(test)]
extern crate self as cnn_runtime;

mod arena;
mod buffer;
mod decompose;
pub mod engine;
mod error;
pub mod graph;
#[cfg(all(test, unix))]
mod guard;
pub mod passes;
mod session;
mod tensor;
pub mod training;
mod weights;

pub use arena::Arena;
pub use decompose::{Decompose, Reference};
pub use engine::{Algorithm, Choice, Isa, Limit, Machine, Program, StepInfo, Target, Threads, Tuning};
pub use error::{Error, WeightsMismatch};
pub use graph::{LayerGraph, LuminalBuilder};
pub use passes::PassSwitches;
pub use session::{CompileOptions, Outputs, Session, tune};
pub use tensor::{Tensor, TensorView};
pub use weights::Weights;
pub use weights::dtype::WeightDtype;
