//! What each op's gradients read: the one place to look when an op is added.

use super::ops::Of;
use cnn_ir::Op;

/// How an op's gradients come to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rule {
    /// The gradient with respect to a value.
    pub input: InputRule,
    /// That with respect to the parameters.
    pub parameters: ParameterRule,
}

/// How the gradient with respect to a value comes to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum InputRule {
    /// It is the output's gradient, perhaps in another shape.
    Same,
    /// A kernel makes it.
    Kernel(Reads),
}

/// How the gradient with respect to the parameters comes to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ParameterRule {
    /// There are no trained parameters.
    None,
    /// A kernel of its own makes it.
    Apart(Reads),
    /// The kernel of the input's gradient makes it, too.
    Together,
}

/// What a gradient kernel reads besides the gradient of the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reads {
    /// The layer's values.
    pub inputs: bool,
    /// The layer's output.
    pub output: bool,
}

const NOTHING: Reads = Reads { inputs: false, output: false };
const INPUTS: Reads = Reads { inputs: true, output: false };
const OUTPUT: Reads = Reads { inputs: false, output: true };
const BOTH: Reads = Reads { inputs: true, output: true };

/// The rule of an op.
pub(crate) fn rule(op: &Op) -> Rule {
    use InputRule::{Kernel, Same};
    use ParameterRule::{Apart, None, Together};
    let (input, parameters) = match op {
        Op::Conv1d(_) | Op::Conv2d(_) | Op::Conv3d(_) | Op::Dense(_) => (Kernel(NOTHING), Apart(INPUTS)),
        Op::ConvTranspose1d(_) | Op::ConvTranspose2d(_) | Op::ConvTranspose3d(_) => (Kernel(NOTHING), Apart(INPUTS)),
        Op::Flatten(_) | Op::Reshape(_) | Op::Identity(_) | Op::Add(_) => (Same, None),
        // Where a negative factor turns the order round, the output does not tell on which side of 0 the input was.
        Op::LeakyRelu(spec) if spec.negative_slope < 0.0 => (Kernel(INPUTS), None),
        Op::Elu(spec) if spec.alpha < 0.0 => (Kernel(INPUTS), None),
        // What the output tells needs no input, so that the activation can be part of what makes its input.
        Op::Relu(_) | Op::Relu6(_) | Op::LeakyRelu(_) | Op::Elu(_) => (Kernel(OUTPUT), None),
        Op::Sigmoid(_) | Op::Tanh(_) | Op::Softmax(_) | Op::LogSoftmax(_) => (Kernel(OUTPUT), None),
        Op::Silu(_) | Op::Gelu(_) | Op::HardSigmoid(_) | Op::HardSwish(_) => (Kernel(INPUTS), None),
        Op::Prelu(_) => (Kernel(INPUTS), Together),
        Op::Mul(_) => (Kernel(INPUTS), None),
        Op::BatchNorm(_) | Op::GroupNorm(_) | Op::LayerNorm(_) | Op::InstanceNorm(_) => (Kernel(INPUTS), Together),
        Op::LocalResponseNorm(_) => (Kernel(INPUTS), None),
        Op::MaxPool1d(_) | Op::MaxPool2d(_) | Op::MaxPool3d(_) => (Kernel(BOTH), None),
        Op::AdaptiveMaxPool1d(_) | Op::AdaptiveMaxPool2d(_) | Op::AdaptiveMaxPool3d(_) => (Kernel(BOTH), None),
        Op::GlobalMaxPool1d(_) | Op::GlobalMaxPool2d(_) | Op::GlobalMaxPool3d(_) => (Kernel(BOTH), None),
        Op::FractionalMaxPool2d(_) | Op::FractionalMaxPool3d(_) => (Kernel(BOTH), None),
        Op::Extern(_) => (Kernel(INPUTS), None),
        Op::AvgPool1d(_) | Op::AvgPool2d(_) | Op::AvgPool3d(_) => (Kernel(NOTHING), None),
        Op::AdaptiveAvgPool1d(_) | Op::AdaptiveAvgPool2d(_) | Op::AdaptiveAvgPool3d(_) => (Kernel(NOTHING), None),
        Op::GlobalAvgPool1d(_) | Op::GlobalAvgPool2d(_) | Op::GlobalAvgPool3d(_) => (Kernel(NOTHING), None),
        Op::Upsample1d(_) | Op::Upsample2d(_) | Op::Upsample3d(_) => (Kernel(NOTHING), None),
        Op::Pad1d(_) | Op::Pad2d(_) | Op::Pad3d(_) | Op::Crop1d(_) | Op::Crop2d(_) | Op::Crop3d(_) => {
            (Kernel(NOTHING), None)
        }
        Op::Dropout(_) | Op::Concat(_) | Op::ChannelShuffle(_) | Op::Slice(_) => (Kernel(NOTHING), None),
    };
    // A norm without scale and shift has none to train.
    let trains = op.parameters().iter().any(|tensor| tensor.trainable);
    Rule { input, parameters: if trains { parameters } else { None } }
}

impl Rule {
    /// What the gradient reads.
    pub fn reads(&self, of: Of) -> Reads {
        match (of, self.parameters, self.input) {
            (Of::Parameters, ParameterRule::Apart(reads), _) => reads,
            (_, _, InputRule::Kernel(reads)) => reads,
            (_, _, InputRule::Same) => NOTHING,
        }
    }
}
