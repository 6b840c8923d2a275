//! A language for convolutional networks, and its compiler.
//!
//! A model is a few lines of text. The [`cnn!`] macro, or a build script, turns it into a Rust type with checked
//! shapes; that type runs on an engine of its own, from one small binary.
//!
//! ```
//! cnn::cnn! {
//!     /// Eight filters and a classifier.
//!     model Tiny {
//!         input image: [1, 28, 28]
//!         c1: conv(8, kernel = 3, padding = 1) -> relu -> max_pool(2)
//!         flatten
//!         f1: dense(10)
//!         output logits
//!     }
//! }
//!
//! # fn main() -> Result<(), cnn::Error> {
//! // Weights come from a safetensors file (`Weights::open`); here they are all zero.
//! let zeros = Tiny::PARAMETERS.iter().map(|(name, shape)| Ok((name.to_string(), cnn::Tensor::zeros(shape)?)));
//! let weights = cnn::Weights::from_tensors(zeros.collect::<Result<Vec<_>, cnn::Error>>()?)?;
//! let mut model = Tiny::new(&weights)?;
//! let batch = cnn::Tensor::zeros(&[4, 1, 28, 28])?;
//! let outputs = model.run(&batch)?;
//! assert_eq!(outputs.logits.shape(), &[4, 10]);
//! # Ok(())
//! # }
//! ```

pub use cnn_ir::{Block, BlockId, Layer, Member, Output, ValueId};
pub use cnn_ir::{
    BuildError, Builder, Cost, Memory, Network, NetworkBuilder, Op, ReceptiveField, Row, RowKind, Shape, TraceBuilder,
    group_digits, ops,
};
pub use cnn_macros::cnn;
pub use cnn_runtime::{
    Algorithm, Arena, Choice, CompileOptions, Error, Isa, LayerGraph, Limit, LuminalBuilder, Machine, PassSwitches,
    Session, StepInfo, Tensor, TensorView, Threads, Tuning, WeightDtype, Weights, tune,
};

/// Includes the Rust code that a build script made from `NAME.cnn`.
///
/// ```ignore
/// cnn::include_model!("lenet"); // after cnn_codegen::compile(["models/lenet.cnn"]) in build.rs
/// ```
#[macro_export]
macro_rules! include_model {
    ($name:literal) => {
        include!(concat!(env!("OUT_DIR"), "/", $name, ".rs"));
    };
}
