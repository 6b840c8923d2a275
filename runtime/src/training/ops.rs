//! The operators that training adds to a graph of layers: losses, gradients and the update of the parameters.

use super::{Loss, Update};
use crate::graph::LayerOp;
use cnn_ir::Shape;
use luminal::op::{InputTensor, Operator};
use luminal::prelude::ShapeTracker;
use luminal::tensor::Tensor;
use std::fmt;
use std::sync::Arc;

/// A loss of one value: makes the gradient of the weighted loss with respect to that value. Its sources are the value and
/// what it is compared with.
#[derive(Clone)]
pub struct LossOp {
    /// The name of the value.
    pub name: String,
    /// The position among the losses.
    pub index: usize,
    /// The factor of the loss.
    pub weight: f64,
    /// The value's shape for one example.
    pub shape: Shape,
    /// What it computes.
    pub loss: Arc<dyn Loss>,
}

/// With respect to what a layer's gradient is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Of {
    /// One of the layer's values, by number.
    Input(usize),
    /// The trained parameters. Their gradients are added to what is in their memory; the node's own value has no elements.
    Parameters,
    /// The first value and the trained parameters together, for ops that need the one for the other.
    Both,
}

/// The gradient of a layer: what its output's gradient becomes. Its sources are that gradient, then the layer's values and
/// its output as far as they are read.
#[derive(Clone, PartialEq)]
pub struct GradientOp {
    /// The layer, as it is in the network.
    pub layer: LayerOp,
    /// With respect to what.
    pub of: Of,
    /// The shapes of the layer's values.
    pub inputs: Vec<Shape>,
    /// The full names of the layer's parameters, in its order.
    pub parameters: Vec<String>,
}

impl GradientOp {
    /// The shape of what it makes for one example; `None` when that has no elements.
    pub fn shape(&self) -> Option<&Shape> {
        match self.of {
            Of::Input(index) => self.inputs.get(index),
            Of::Both => self.inputs.first(),
            Of::Parameters => None,
        }
    }
}

/// Several steps that have to be done, as one: Luminal counts the sources of a node in a byte.
#[derive(Clone, PartialEq)]
pub struct AllOp;

/// Moves all trained parameters at once. Its sources are what has made their gradients.
#[derive(Clone)]
pub struct UpdateOp {
    /// How the parameters follow their gradients.
    pub update: Arc<dyn Update>,
}

impl PartialEq for LossOp {
    fn eq(&self, other: &Self) -> bool {
        let of = |op: &Self| (op.name.clone(), op.index, op.weight, op.shape.clone());
        of(self) == of(other) && Arc::ptr_eq(&self.loss, &other.loss)
    }
}

impl PartialEq for UpdateOp {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.update, &other.update)
    }
}

impl fmt::Debug for LossOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "loss of {}: ", self.name)?;
        if self.weight != 1.0 {
            write!(f, "{} · ", self.weight)?;
        }
        write!(f, "{:?}", self.loss)
    }
}

impl fmt::Debug for GradientOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = match self.of {
            Of::Input(_) if self.inputs.len() == 1 => "input".to_owned(),
            Of::Input(index) => format!("input {index}"),
            Of::Parameters => "parameters".to_owned(),
            Of::Both => "input and parameters".to_owned(),
        };
        write!(f, "gradient of {}: {} by {of}", self.layer.path, self.layer.op.name())
    }
}

impl fmt::Debug for AllOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("all of")
    }
}

impl fmt::Debug for UpdateOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "update: {:?}", self.update)
    }
}

macro_rules! cannot_run {
    ($($op:ident),*) => {$(
        impl Operator for $op {
            fn process(&mut self, _: Vec<(InputTensor, ShapeTracker)>) -> Vec<Tensor> {
                // Luminal's executor knows no errors; `TrainingSession` never lets it come to that.
                panic!("{self:?} is not yet code: compile the graph with `TrainingSession`")
            }
        }
    )*};
}
cannot_run!(LossOp, GradientOp, AllOp, UpdateOp);
