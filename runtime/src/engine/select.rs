//! Which kernel runs a layer: one table, the first row that fits.

use super::Isa;
use super::kernels::Kernel;
use super::kernels::activation::{ElementWise, Epilogue};
use super::kernels::affine::ChannelAffine;
use super::kernels::arithmetic::Arithmetic;
use super::kernels::axes::{Conv3d, PaddedConv, conv1d};
use super::kernels::concat::Concat;
use super::kernels::conv_transpose::{self, ConvTranspose, PlainConvTranspose};
use super::kernels::conv2d::{self, Conv2d};
use super::kernels::conv2d_plain::PlainConv2d;
use super::kernels::dense::{self, Dense, PlainDense};
use super::kernels::extern_layer::Extern;
use super::kernels::gather::Gather;
use super::kernels::linear::Linear;
use super::kernels::local_response_norm::LocalResponseNorm;
use super::kernels::norm::Norm;
use super::kernels::pool::{GlobalAvgPool, Pool};
use super::kernels::pool_ranges::RangePool;
use super::kernels::prelu::Prelu;
use super::kernels::softmax::Softmax;
use crate::graph::Activation;
use crate::{Error, Weights};
use cnn_ir::Op;
use cnn_ir::ops::{BatchNormSpec, PadMode};

/// What a kernel is chosen by and made from.
#[derive(Debug)]
pub(crate) struct Layer<'a> {
    pub path: &'a str,
    pub op: &'a Op,
    /// Shapes of one example; `input` is the first of `inputs`.
    pub input: &'a [usize],
    pub inputs: &'a [&'a [usize]],
    pub output: &'a [usize],
    /// The full names of the op's parameters, in its order, then those of the batch norm.
    pub parameters: &'a [String],
    pub norm: Option<&'a BatchNormSpec>,
    pub activation: Option<Activation>,
    pub isa: Isa,
}

impl Layer<'_> {
    /// The full name of a parameter: `weight`, `bias`, ….
    pub fn parameter(&self, name: &str) -> Result<&str, Error> {
        let tensors = self.op.parameters();
        let found = tensors.iter().zip(self.parameters).find(|(tensor, _)| tensor.name == name);
        found.map(|(_, full)| full.as_str()).ok_or_else(|| self.error(&format!("the layer has no parameter `{name}`")))
    }

    /// What the kernel has to apply to its output.
    pub fn epilogue(&self) -> Epilogue {
        Epilogue::new(self.activation, self.isa)
    }

    pub fn error(&self, reason: &str) -> Error {
        Error::Graph { place: self.path.to_owned(), reason: reason.to_owned() }
    }
}

type Made = Result<Box<dyn Kernel>, Error>;

/// One choice.
struct Row {
    /// The operator's name.
    op: &'static str,
    isas: &'static [Isa],
    /// Whether the kernel can take a layer of this operator.
    applies: fn(&Layer<'_>) -> bool,
    make: fn(&Layer<'_>, &Weights) -> Made,
}

/// `Op | Op on isas if condition => kernel`.
macro_rules! table {
    ($($($op:ident)|+ on $isas:expr, if |$spec:ident, $layer:ident, $weights:ident| $condition:expr => $kernel:expr;)*) => {
        &[$($(Row {
            op: stringify!($op),
            isas: &$isas,
            applies: |$layer| match $layer.op {
                #[allow(unused_variables)]
                Op::$op($spec) => $condition,
                _ => false,
            },
            #[allow(unused_variables)]
            make: |$layer, $weights| match $layer.op {
                Op::$op($spec) => Ok(Box::new($kernel)),
                _ => Err($layer.error("the kernel is for another operator")),
            },
        }),+),*]
    };
}

static TABLE: &[Row] = table! {
    Conv1d | Conv2d | Conv3d on Isa::ALL, if |spec, layer, weights| spec.padding_mode != PadMode::Zeros
        => PaddedConv::new(spec, layer, weights)?;
    Conv2d on Isa::ALL, if |spec, layer, weights| conv2d::applies(spec, layer) => Conv2d::new(spec, layer, weights)?;
    Conv2d on Isa::ALL, if |spec, layer, weights| true => PlainConv2d::new(spec, layer, weights)?;
    Conv1d on Isa::ALL, if |spec, layer, weights| true => conv1d(spec, layer, weights)?;
    Conv3d on Isa::ALL, if |spec, layer, weights| true => Conv3d::new(spec, layer, weights)?;
    Dense on Isa::ALL, if |spec, layer, weights| dense::applies(spec, layer) => Dense::new(spec, layer, weights)?;
    Dense on Isa::ALL, if |spec, layer, weights| true => PlainDense::new(spec, layer, weights)?;
    MaxPool1d | MaxPool2d | MaxPool3d on Isa::ALL, if |spec, layer, weights| true => Pool::max(spec, layer)?;
    AvgPool1d | AvgPool2d | AvgPool3d on Isa::ALL, if |spec, layer, weights| true => Pool::avg(spec, layer)?;
    GlobalAvgPool1d | GlobalAvgPool2d | GlobalAvgPool3d on Isa::ALL, if |spec, layer, weights| true => GlobalAvgPool::new(layer.isa);
    Relu on Isa::ALL, if |spec, layer, weights| true => ElementWise::of(layer)?;
    Relu6 on Isa::ALL, if |spec, layer, weights| true => ElementWise::of(layer)?;
    LeakyRelu on Isa::ALL, if |spec, layer, weights| true => ElementWise::of(layer)?;
    Prelu on Isa::ALL, if |spec, layer, weights| true => Prelu::new(layer, weights)?;
    Elu on Isa::ALL, if |spec, layer, weights| true => ElementWise::of(layer)?;
    Silu on Isa::ALL, if |spec, layer, weights| true => ElementWise::of(layer)?;
    Gelu on Isa::ALL, if |spec, layer, weights| true => ElementWise::of(layer)?;
    Sigmoid on Isa::ALL, if |spec, layer, weights| true => ElementWise::of(layer)?;
    HardSigmoid on Isa::ALL, if |spec, layer, weights| true => ElementWise::of(layer)?;
    HardSwish on Isa::ALL, if |spec, layer, weights| true => ElementWise::of(layer)?;
    Tanh on Isa::ALL, if |spec, layer, weights| true => ElementWise::of(layer)?;
    Softmax on Isa::ALL, if |spec, layer, weights| true => Softmax::new(spec, layer);
    LogSoftmax on Isa::ALL, if |spec, layer, weights| true => Softmax::log(spec, layer);
    Add on Isa::ALL, if |spec, layer, weights| true => Arithmetic::add(layer);
    Mul on Isa::ALL, if |spec, layer, weights| true => Arithmetic::mul(layer);
    Concat on Isa::ALL, if |spec, layer, weights| true => Concat::new(spec, layer);
    BatchNorm on Isa::ALL, if |spec, layer, weights| true => ChannelAffine::batch_norm(spec, layer, weights)?;
    GroupNorm on Isa::ALL, if |spec, layer, weights| true => Norm::group(spec, layer, weights)?;
    LayerNorm on Isa::ALL, if |spec, layer, weights| true => Norm::layer(spec, layer, weights)?;
    InstanceNorm on Isa::ALL, if |spec, layer, weights| true => Norm::instance(spec, layer, weights)?;
    LocalResponseNorm on Isa::ALL, if |spec, layer, weights| true => LocalResponseNorm::new(spec, layer);
    AdaptiveAvgPool1d | AdaptiveAvgPool2d | AdaptiveAvgPool3d on Isa::ALL, if |spec, layer, weights| true => RangePool::avg(spec, layer)?;
    AdaptiveMaxPool1d | AdaptiveMaxPool2d | AdaptiveMaxPool3d on Isa::ALL, if |spec, layer, weights| true => RangePool::max(spec, layer)?;
    GlobalMaxPool1d | GlobalMaxPool2d | GlobalMaxPool3d on Isa::ALL, if |spec, layer, weights| true => RangePool::global_max(layer)?;
    FractionalMaxPool2d | FractionalMaxPool3d on Isa::ALL, if |spec, layer, weights| true
        => RangePool::fractional_max(spec, layer)?;
    ConvTranspose1d | ConvTranspose2d | ConvTranspose3d on Isa::ALL, if |spec, layer, weights| conv_transpose::applies(spec, layer)
        => ConvTranspose::new(spec, layer, weights)?;
    ConvTranspose1d | ConvTranspose2d | ConvTranspose3d on Isa::ALL, if |spec, layer, weights| true
        => PlainConvTranspose::new(spec, layer, weights)?;
    Upsample1d | Upsample2d | Upsample3d on Isa::ALL, if |spec, layer, weights| spec.mode.interpolates()
        => Linear::new(spec, layer)?;
    Upsample1d | Upsample2d | Upsample3d on Isa::ALL, if |spec, layer, weights| true => Gather::upsample(spec, layer)?;
    Pad1d | Pad2d | Pad3d on Isa::ALL, if |spec, layer, weights| true => Gather::pad(spec, layer)?;
    Crop1d | Crop2d | Crop3d on Isa::ALL, if |spec, layer, weights| true => Gather::crop(spec, layer)?;
    ChannelShuffle on Isa::ALL, if |spec, layer, weights| true => Gather::shuffle(spec, layer);
    Slice on Isa::ALL, if |spec, layer, weights| true => Gather::slice(spec, layer);
    Extern on Isa::ALL, if |spec, layer, weights| true => Extern::new(spec, layer)?;
};

/// Operators whose kernels apply an activation to what they make.
pub(crate) fn takes_activation(op: &Op) -> bool {
    let is_conv = matches!(op, Op::Conv1d(_) | Op::Conv2d(_) | Op::Conv3d(_));
    let is_transposed = matches!(op, Op::ConvTranspose1d(_) | Op::ConvTranspose2d(_) | Op::ConvTranspose3d(_));
    let is_norm = matches!(op, Op::BatchNorm(_) | Op::GroupNorm(_) | Op::LayerNorm(_) | Op::InstanceNorm(_));
    is_conv || is_transposed || is_norm || matches!(op, Op::Dense(_) | Op::Add(_) | Op::Mul(_))
}

/// Operators whose kernels fold a batch norm into their weights.
pub(crate) fn takes_batch_norm(op: &Op) -> bool {
    matches!(op, Op::Conv1d(_) | Op::Conv2d(_) | Op::Conv3d(_) | Op::Dense(_))
}

/// Operators that change nothing but the shape: no step, the output is the input.
pub(crate) fn is_alias(op: &Op) -> bool {
    matches!(op, Op::Flatten(_) | Op::Reshape(_) | Op::Dropout(_) | Op::Identity(_))
}

/// Makes the kernel of a layer.
///
/// # Errors
/// A layer that no row takes, or what the kernel refuses.
pub(crate) fn select(layer: &Layer<'_>, weights: &Weights) -> Made {
    let fits = |row: &&Row| row.op == layer.op.name() && row.isas.contains(&layer.isa) && (row.applies)(layer);
    match TABLE.iter().find(fits) {
        Some(row) => (row.make)(layer, weights),
        None => Err(layer.error(&format!("there is no kernel for {} on {}", layer.op.name(), layer.isa))),
    }
}
