//! The CPU engine: a graph of layers becomes one program, which runs without walking a graph and without allocating.

mod assign;
mod collapse;
mod cost;
pub(crate) mod drafts;
mod fold;
mod isa;
pub(crate) mod kernels;
mod layout;
mod limit;
mod peak;
pub(crate) mod place;
mod plan;
pub(crate) mod program;
pub(crate) mod select;
pub(crate) mod simd;
mod target;
pub(crate) mod threads;
mod tuning;

pub use collapse::{ProgramOp, ProgramOutput, collapse};
pub use isa::Isa;
pub use limit::{Limit, Machine};
pub(crate) use program::Memory;
pub use program::{Choice, Program, StepInfo};
pub(crate) use select::{takes_activation, takes_batch_norm, takes_prologue, takes_residual};
pub use target::{Algorithm, Target};
pub use threads::{MAX_THREADS, Threads};
pub use tuning::Tuning;
