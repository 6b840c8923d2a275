//! Kernels on blocks of examples: element i of the block's examples is one vector.
//!
//! An op's file has its forward kernel and its gradient; [`forward`] and [`gradient`] are the table. A gradient kernel's
//! first input is the gradient of the layer's output; behind it come the layer's values and its output, as
//! [`rules`](super::rules) says.

mod activation;
mod arithmetic;
mod batch_norm;
mod conv;
mod conv_weights;
mod copy;
mod dense;
mod dropout;
pub(crate) mod ends;
mod extern_layer;
mod local_response_norm;
mod norm;
mod pool;
mod prelu;
mod separable;
mod softmax;
mod sums;
mod taps;
mod tile;
mod weight_tile;
mod windows;
mod winograd;
mod winograd_gradients;
mod winograd_transforms;

use super::ops::Of;
use super::state::{Control, Slot, State};
use crate::Error;
use crate::engine::kernels::Kernel;
use crate::engine::select::Layer;
use cnn_ir::Op;
use copy::Copy;
use separable::Separable;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

pub(crate) use activation::Derivative;
pub(crate) use batch_norm::Running;

type Made = Result<Box<dyn Kernel>, Error>;

/// Where parameters and what belongs to them lie.
pub(crate) struct Memory {
    pub control: Arc<Control>,
    /// Whether convolutions are computed as they are defined; see [`Target::exact`](crate::Target::exact).
    pub exact: bool,
    /// Values of parameters and buffers by their full names, and the gradients of those that are trained.
    pub parameters: HashMap<String, (Slot, Option<Slot>)>,
    /// What layers keep from forward to backward beside their values, such as statistics of the batch, by the layers' paths.
    pub saved: Mutex<HashMap<String, Slot>>,
    /// What follows the statistics of the batch at the end of a step, in the order of the layers.
    pub running: Mutex<Vec<Running>>,
}

impl Memory {
    /// The values of a parameter: `weight`, `bias`, ….
    pub fn value(&self, layer: &Layer<'_>, name: &str) -> Result<Slot, Error> {
        let found = self.parameters.get(layer.parameter(name)?);
        found.map(|(value, _)| value.clone()).ok_or_else(|| layer.error(&format!("its `{name}` has no memory")))
    }

    /// The values of a parameter that the layer may not have.
    pub fn optional(&self, layer: &Layer<'_>, name: &str) -> Option<Slot> {
        self.parameters.get(layer.parameter(name).ok()?).map(|(value, _)| value.clone())
    }

    /// The gradient of a parameter; `None` where there is no such parameter or it is not trained.
    pub fn gradient(&self, layer: &Layer<'_>, name: &str) -> Option<Slot> {
        self.parameters.get(layer.parameter(name).ok()?).and_then(|(_, gradient)| gradient.clone())
    }

    /// Adds running statistics that follow those of the batch at the end of each step.
    fn add_running(&self, running: Running) {
        self.running.lock().unwrap_or_else(PoisonError::into_inner).push(running);
    }

    /// Memory of this many elements that the layer's kernels share.
    pub fn saved(&self, layer: &Layer<'_>, elements: usize) -> Result<Slot, Error> {
        let mut saved = self.saved.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = saved.get(layer.path) {
            return Ok(slot.clone());
        }
        let slot = Slot::new(&State::new(elements)?, 0..elements);
        saved.insert(layer.path.to_owned(), slot.clone());
        Ok(slot)
    }
}

/// The kernel of a layer.
///
/// # Errors
/// A layer that the kernels cannot take.
pub(crate) fn forward(layer: &Layer<'_>, memory: &Memory) -> Made {
    Ok(match layer.op {
        Op::Conv1d(spec) => conv::forward(spec, layer, memory)?,
        Op::Conv2d(spec) => conv::forward(spec, layer, memory)?,
        Op::Conv3d(spec) => conv::forward(spec, layer, memory)?,
        Op::ConvTranspose1d(spec) => Box::new(conv::Conv::transposed(spec, layer, memory)?),
        Op::ConvTranspose2d(spec) => Box::new(conv::Conv::transposed(spec, layer, memory)?),
        Op::ConvTranspose3d(spec) => Box::new(conv::Conv::transposed(spec, layer, memory)?),
        Op::Dense(spec) => Box::new(dense::Dense::new(spec, layer, memory)?),
        Op::AvgPool1d(_) | Op::AvgPool2d(_) | Op::AvgPool3d(_) => Box::new(pool::Pool::new(layer, false)?),
        Op::MaxPool1d(_) | Op::MaxPool2d(_) | Op::MaxPool3d(_) => Box::new(pool::Pool::new(layer, false)?),
        Op::AdaptiveAvgPool1d(_) | Op::AdaptiveAvgPool2d(_) | Op::AdaptiveAvgPool3d(_) => {
            Box::new(pool::Pool::new(layer, false)?)
        }
        Op::AdaptiveMaxPool1d(_) | Op::AdaptiveMaxPool2d(_) | Op::AdaptiveMaxPool3d(_) => {
            Box::new(pool::Pool::new(layer, false)?)
        }
        Op::GlobalAvgPool1d(_) | Op::GlobalAvgPool2d(_) | Op::GlobalAvgPool3d(_) => {
            Box::new(pool::Pool::new(layer, false)?)
        }
        Op::GlobalMaxPool1d(_) | Op::GlobalMaxPool2d(_) | Op::GlobalMaxPool3d(_) => {
            Box::new(pool::Pool::new(layer, false)?)
        }
        Op::FractionalMaxPool2d(_) | Op::FractionalMaxPool3d(_) => Box::new(pool::Pool::new(layer, false)?),
        Op::Pad1d(spec) => Box::new(Separable::pad(spec, layer, false)?),
        Op::Pad2d(spec) => Box::new(Separable::pad(spec, layer, false)?),
        Op::Pad3d(spec) => Box::new(Separable::pad(spec, layer, false)?),
        Op::Crop1d(spec) => Box::new(Separable::crop(spec, layer, false)?),
        Op::Crop2d(spec) => Box::new(Separable::crop(spec, layer, false)?),
        Op::Crop3d(spec) => Box::new(Separable::crop(spec, layer, false)?),
        Op::Upsample1d(spec) => Box::new(Separable::upsample(spec, layer, false)?),
        Op::Upsample2d(spec) => Box::new(Separable::upsample(spec, layer, false)?),
        Op::Upsample3d(spec) => Box::new(Separable::upsample(spec, layer, false)?),
        Op::Concat(spec) => Box::new(Copy::concat(spec, layer)),
        Op::Slice(spec) => Box::new(Copy::slice(spec, layer, false)),
        Op::ChannelShuffle(spec) => Box::new(Copy::shuffle(spec, layer, false)),
        Op::Extern(spec) => Box::new(extern_layer::Extern::new(spec, layer, memory)?),
        Op::Add(_) => Box::new(arithmetic::Arithmetic::add(layer)),
        Op::Mul(_) => Box::new(arithmetic::Arithmetic::mul(layer)),
        Op::BatchNorm(spec) => Box::new(batch_norm::BatchNorm::new(spec, layer, memory)?),
        Op::GroupNorm(spec) => Box::new(norm::Norm::new(norm::Parts::group(spec, layer), layer, memory)?),
        Op::LayerNorm(spec) => Box::new(norm::Norm::new(norm::Parts::layer(spec, layer), layer, memory)?),
        Op::InstanceNorm(spec) => Box::new(norm::Norm::new(norm::Parts::instance(spec, layer), layer, memory)?),
        Op::LocalResponseNorm(spec) => Box::new(local_response_norm::LocalResponseNorm::new(spec, layer, memory)),
        Op::Softmax(spec) => Box::new(softmax::Softmax::new(spec.dim, false, layer)),
        Op::LogSoftmax(spec) => Box::new(softmax::Softmax::new(spec.dim, true, layer)),
        Op::Dropout(spec) => Box::new(dropout::Dropout::new(spec, layer, memory)),
        Op::Prelu(_) => Box::new(prelu::Prelu::new(layer, memory)?),
        Op::Relu(_) | Op::Relu6(_) | Op::LeakyRelu(_) | Op::Elu(_) | Op::Silu(_) | Op::Gelu(_) | Op::Sigmoid(_) => {
            Box::new(activation::forward(layer)?)
        }
        Op::HardSigmoid(_) | Op::HardSwish(_) | Op::Tanh(_) => Box::new(activation::forward(layer)?),
        Op::Flatten(_) | Op::Reshape(_) | Op::Identity(_) => {
            return Err(layer.error("it changes nothing but the shape, so it needs no kernel"));
        }
    })
}

/// The kernel of a layer's gradient. The layer is the one of the network: what is fused behind it has a gradient of its own.
/// Some kernels go on through the activation that made the layer's input, and take its derivative.
///
/// # Errors
/// A layer that the kernels cannot take.
pub(crate) fn gradient(layer: &Layer<'_>, of: Of, activation: &mut Option<Derivative>, memory: &Memory) -> Made {
    Ok(match (layer.op, of) {
        (Op::Conv1d(spec), Of::Input(_)) => conv::input_gradient(spec, layer, memory)?,
        (Op::Conv2d(spec), Of::Input(_)) => conv::input_gradient(spec, layer, memory)?,
        (Op::Conv3d(spec), Of::Input(_)) => conv::input_gradient(spec, layer, memory)?,
        (Op::Conv1d(spec), _) => conv::weight_gradient(spec, layer, memory)?,
        (Op::Conv2d(spec), _) => conv::weight_gradient(spec, layer, memory)?,
        (Op::Conv3d(spec), _) => conv::weight_gradient(spec, layer, memory)?,
        (Op::ConvTranspose1d(spec), Of::Input(_)) => Box::new(conv::Conv::transposed_input(spec, layer, memory)?),
        (Op::ConvTranspose2d(spec), Of::Input(_)) => Box::new(conv::Conv::transposed_input(spec, layer, memory)?),
        (Op::ConvTranspose3d(spec), Of::Input(_)) => Box::new(conv::Conv::transposed_input(spec, layer, memory)?),
        (Op::ConvTranspose1d(spec), _) => Box::new(conv::WeightGradient::transposed(spec, layer, memory)?),
        (Op::ConvTranspose2d(spec), _) => Box::new(conv::WeightGradient::transposed(spec, layer, memory)?),
        (Op::ConvTranspose3d(spec), _) => Box::new(conv::WeightGradient::transposed(spec, layer, memory)?),
        (Op::Dense(spec), Of::Input(_)) => Box::new(dense::Dense::input_gradient(spec, layer, memory)?),
        (Op::Dense(spec), _) => Box::new(dense::WeightGradient::new(spec, layer, memory)),
        (Op::AvgPool1d(_) | Op::AvgPool2d(_) | Op::AvgPool3d(_), _) => pool_gradient(layer, activation)?,
        (Op::MaxPool1d(_) | Op::MaxPool2d(_) | Op::MaxPool3d(_), _) => pool_gradient(layer, activation)?,
        (Op::AdaptiveAvgPool1d(_) | Op::AdaptiveAvgPool2d(_) | Op::AdaptiveAvgPool3d(_), _) => {
            pool_gradient(layer, activation)?
        }
        (Op::AdaptiveMaxPool1d(_) | Op::AdaptiveMaxPool2d(_) | Op::AdaptiveMaxPool3d(_), _) => {
            pool_gradient(layer, activation)?
        }
        (Op::GlobalAvgPool1d(_) | Op::GlobalAvgPool2d(_) | Op::GlobalAvgPool3d(_), _) => {
            pool_gradient(layer, activation)?
        }
        (Op::GlobalMaxPool1d(_) | Op::GlobalMaxPool2d(_) | Op::GlobalMaxPool3d(_), _) => {
            pool_gradient(layer, activation)?
        }
        (Op::FractionalMaxPool2d(_) | Op::FractionalMaxPool3d(_), _) => pool_gradient(layer, activation)?,
        (Op::Pad1d(spec), _) => Box::new(Separable::pad(spec, layer, true)?),
        (Op::Pad2d(spec), _) => Box::new(Separable::pad(spec, layer, true)?),
        (Op::Pad3d(spec), _) => Box::new(Separable::pad(spec, layer, true)?),
        (Op::Crop1d(spec), _) => Box::new(Separable::crop(spec, layer, true)?),
        (Op::Crop2d(spec), _) => Box::new(Separable::crop(spec, layer, true)?),
        (Op::Crop3d(spec), _) => Box::new(Separable::crop(spec, layer, true)?),
        (Op::Upsample1d(spec), _) => Box::new(Separable::upsample(spec, layer, true)?),
        (Op::Upsample2d(spec), _) => Box::new(Separable::upsample(spec, layer, true)?),
        (Op::Upsample3d(spec), _) => Box::new(Separable::upsample(spec, layer, true)?),
        (Op::Concat(spec), Of::Input(input)) => Box::new(Copy::concat_gradient(spec, layer, input)),
        (Op::Slice(spec), _) => Box::new(Copy::slice(spec, layer, true)),
        (Op::ChannelShuffle(spec), _) => Box::new(Copy::shuffle(spec, layer, true)),
        (Op::Extern(spec), _) => Box::new(extern_layer::Extern::gradient(spec, layer, memory)?),
        (Op::Mul(_), Of::Input(index)) => Box::new(arithmetic::ProductGradient::new(index, layer)?),
        (Op::BatchNorm(_), _) => Box::new(batch_norm::Gradient::new(layer, memory)?),
        (Op::GroupNorm(spec), _) => Box::new(norm::Gradient::new(norm::Parts::group(spec, layer), layer, memory)?),
        (Op::LayerNorm(spec), _) => Box::new(norm::Gradient::new(norm::Parts::layer(spec, layer), layer, memory)?),
        (Op::InstanceNorm(spec), _) => {
            Box::new(norm::Gradient::new(norm::Parts::instance(spec, layer), layer, memory)?)
        }
        (Op::LocalResponseNorm(spec), _) => Box::new(local_response_norm::Gradient::new(spec, layer, memory)),
        (Op::Softmax(spec), _) => Box::new(softmax::Gradient::new(spec.dim, false, layer)),
        (Op::LogSoftmax(spec), _) => Box::new(softmax::Gradient::new(spec.dim, true, layer)),
        (Op::Dropout(spec), _) => Box::new(dropout::Dropout::new(spec, layer, memory)),
        (Op::Prelu(_), _) => Box::new(prelu::Gradient::new(layer, memory)?),
        (op, _) if crate::graph::Activation::from_op(op).is_some() => Box::new(activation::Gradient::new(layer)?),
        (op, _) => return Err(layer.error(&format!("there is no gradient kernel for {}", op.name()))),
    })
}

/// The kernel of both gradients of a layer, where one kernel for them is faster than two: it reads the gradient of the layer's
/// output and the layer's value, and makes the gradient of that value.
///
/// # Errors
/// A layer that the kernels cannot take.
pub(crate) fn gradients(layer: &Layer<'_>, memory: &Memory) -> Result<Option<Box<dyn Kernel>>, Error> {
    match layer.op {
        Op::Conv2d(spec) => conv::gradients(spec, layer, memory),
        _ => Ok(None),
    }
}

fn pool_gradient(layer: &Layer<'_>, activation: &mut Option<Derivative>) -> Made {
    Ok(Box::new(pool::Pool::new(layer, true)?.through(activation.take())))
}

/// Cuts `0..total` into parts of at most `most`.
pub(crate) fn chunks(total: usize, most: usize) -> impl Iterator<Item = Range<usize>> + Clone {
    let most = most.max(1);
    (0..total.div_ceil(most)).map(move |number| number * most..total.min((number + 1) * most))
}
