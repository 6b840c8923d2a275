//! Training: a graph of layers becomes one with losses, gradients and the update of the parameters, and that one program.
//!
//! The examples of a batch lie in the lanes of vectors: element i of as many examples as a vector has lanes is one vector,
//! and a value of `n` elements is `n` vectors for each such block of examples. So every kernel is written as if for one
//! example, in vectors: there are no edges in channels or pixels, reductions over examples are sums of lanes at the very
//! end, and weights are read where they lie, in PyTorch's order, because they are factors of whole vectors. A batch that does
//! not fill its last block is filled up with zeros, which the loss gives no gradient.

mod autograd;
mod compile;
mod kernels;
mod ops;
mod rules;
mod session;
mod state;

pub use autograd::TrainingGraph;
pub use ops::{AllOp, GradientOp, LossOp, Of, UpdateOp};
pub use session::{StepResult, StepSettings, TrainingSession};

use crate::CompileOptions;
use cnn_ir::Shape;
use std::fmt::Debug;
use std::ops::Range;
use std::sync::Arc;

/// What a value is trained for.
pub trait Loss: Debug + Send + Sync {
    /// The shape of what the value is compared with, for one example; `None` when it is compared with nothing.
    fn target_shape(&self, value: &Shape) -> Option<Vec<usize>>;

    /// The loss of a batch, and its gradient with respect to each element of the value.
    ///
    /// `shape` is the value's, batch first; `target` is empty where there is none.
    ///
    /// # Errors
    /// What makes the loss impossible to compute, such as a label that is no class.
    fn value_and_gradient(
        &self,
        value: &[f32],
        shape: &[usize],
        target: &[f32],
        gradient: &mut [f32],
    ) -> Result<f64, String>;
}

/// How parameters follow their gradients.
///
/// All trained parameters lie one behind the other, in the network's order, and so do their gradients and each vector of
/// the optimizer's state.
pub trait Update: Debug + Send + Sync {
    /// The names of the state vectors, of which each is as long as the parameters.
    fn slots(&self) -> &[&'static str];

    /// What state vectors are filled with before the first update.
    fn slot_start(&self) -> f32 {
        0.0
    }

    /// The factor of all gradients, given their norm: below 1 where the norm is clipped.
    fn factor(&self, _norm: f64) -> f32 {
        1.0
    }

    /// Moves a run of parameters, each by itself. Gradients may be changed.
    ///
    /// `update` counts the updates before this one; `range` says which of all trained parameters these are; `slots` are the
    /// run's parts of the state vectors.
    fn update(
        &self,
        update: u64,
        rate: f64,
        range: Range<usize>,
        parameters: &mut [f32],
        gradients: &mut [f32],
        slots: &mut [&mut [f32]],
    );
}

/// A term of the sum of losses.
#[derive(Debug, Clone)]
pub struct LossTerm {
    /// The output, or the layer, whose value the loss is of; none: the first that inference has, too.
    pub value: Option<String>,
    /// The factor.
    pub weight: f64,
    /// The loss.
    pub loss: Arc<dyn Loss>,
}

/// What a network is trained for, and how.
#[derive(Debug, Clone, Default)]
pub struct TrainingOptions {
    /// The terms of the sum that becomes small. Their targets are inputs of the program, in this order.
    pub losses: Vec<LossTerm>,
    /// How parameters follow their gradients; none: they stay as they are.
    pub update: Option<Arc<dyn Update>>,
    /// Parameters that are not trained: their full names, or those of layers or blocks that they belong to.
    pub frozen: Vec<String>,
    /// Layers whose values become outputs, too, under the layers' names.
    pub taps: Vec<String>,
    /// Inputs and layers with respect to whose values there are gradients, as outputs named `gradient of NAME`.
    pub gradients: Vec<String>,
    /// Instruction set, threads and passes.
    pub compile: CompileOptions,
}

/// Fuses what gradients leave alone: an activation whose derivative its output tells becomes part of what makes its input.
fn passes(graph: &mut TrainingGraph, options: &TrainingOptions) -> Result<(), crate::Error> {
    let _ = options.compile.passes()?;
    graph.layers.apply(crate::passes::FuseActivation);
    Ok(())
}
