//! The CPU engine: a graph of layers becomes one program, which runs without walking a graph and without allocating.

mod collapse;
mod fold;
mod isa;
mod kernels;
mod peak;
mod plan;
mod program;
mod select;
mod simd;

pub use collapse::{ProgramOp, ProgramOutput, collapse};
pub use isa::Isa;
pub(crate) use program::Memory;
pub use program::{Program, StepInfo};
pub(crate) use select::{takes_activation, takes_batch_norm};
