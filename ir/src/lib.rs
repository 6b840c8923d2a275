//! The network between the language and the engines.
//!
//! A [`Network`] is a list of [`Layer`]s in data-flow order, the tree of block instances they belong to, and the
//! model's inputs and outputs. Every layer carries an [`Op`]: a specification in PyTorch's terms with one shape rule
//! and one cost rule, kept in [`ops`]. Nothing else in the workspace computes a shape.
//!
//! A network is made by [`NetworkBuilder`], checked once by [`Network::validate`], and replayed onto any [`Builder`]
//! by [`Network::replay`]. Generated code makes the same calls on the same trait.
//!
//! ```
//! use cnn_ir::{Builder, NetworkBuilder, ops::{Conv2dSpec, ReluSpec}};
//!
//! # fn main() -> Result<(), cnn_ir::BuildError> {
//! let mut net = NetworkBuilder::new("Tiny");
//! let image = net.input("image", &[3, 32, 32])?;
//! let conv = net.layer("conv", Conv2dSpec::new(3, 8, [3, 3]), &[&image])?;
//! let relu = net.layer("relu", ReluSpec::new(), &[&conv])?;
//! net.output("features", &relu)?;
//! let net = net.finish()?;
//! assert_eq!(net.layers[1].shape.to_string(), "8×30×30");
//! assert_eq!(net.cost().params, 3 * 3 * 3 * 8 + 8);
//! # Ok(())
//! # }
//! ```
//!
//! This crate knows no parser, no luminal and no files.

pub mod args;
mod builder;
pub mod codes;
mod cost;
mod fault;
mod memory;
mod network;
mod network_builder;
pub mod ops;
mod receptive_field;
mod shape;
mod spec;
mod summary;
mod trace;
mod training;
mod validate;
mod window;

pub use args::{Args, Kind, Param, Value};
pub use builder::{BuildError, Builder};
pub use codes::Code;
pub use cost::{Cost, group_digits};
pub use fault::{Fault, Fix, Subject};
pub use memory::Memory;
pub use network::{Block, BlockId, Input, Layer, Member, Network, Output, Parameter, Span, ValueId};
pub use network_builder::NetworkBuilder;
pub use ops::{Op, OpDef};
pub use receptive_field::{Extent, Reach, ReceptiveField};
pub use shape::{MAX_ELEMENTS, Shape};
pub use spec::{Field, OpSpec, TensorSpec};
pub use summary::{Row, RowKind};
pub use trace::TraceBuilder;
pub use training::{Setting, Training};
