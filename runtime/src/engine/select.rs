//! Which kernels can run a layer: one table.

use super::Isa;
use super::assign::Way;
use super::cost::cost;
use super::kernels::Kernel;
use super::kernels::activation::{ElementWise, Epilogue};
use super::kernels::affine::ChannelAffine;
use super::kernels::arithmetic::Arithmetic;
use super::kernels::axes::{Conv3d, PaddedConv, conv1d};
use super::kernels::blocked::channels::{ChannelMap, Product};
use super::kernels::blocked::depthwise::{self, Depthwise};
use super::kernels::blocked::winograd::{self, Winograd};
use super::kernels::blocked::{self, conv2d::BlockedConv2d};
use super::kernels::concat::Concat;
use super::kernels::conv_transpose::{self, ConvTranspose, PlainConvTranspose};
use super::kernels::conv2d::{self, Conv2d};
use super::kernels::conv2d_plain::PlainConv2d;
use super::kernels::dense::Dense;
use super::kernels::extern_layer::Extern;
use super::kernels::gather::Gather;
use super::kernels::linear::Linear;
use super::kernels::local_response_norm::LocalResponseNorm;
use super::kernels::norm::Norm;
use super::kernels::pool::{GlobalAvgPool, Pool};
use super::kernels::pool_ranges::RangePool;
use super::kernels::prelu::Prelu;
use super::kernels::prologue::Prologue;
use super::kernels::residual::Residual;
use super::kernels::softmax::Softmax;
use super::layout::Layout;
use crate::graph::{Activation, LayerOp};
use crate::{Error, WeightDtype, Weights};
use cnn_ir::Op;
use cnn_ir::ops::{BatchNormSpec, ConcatSpec, ConvSpec, PadMode};

/// What a kernel is chosen by and made from.
#[derive(Debug)]
pub(crate) struct Layer<'a> {
    pub path: &'a str,
    pub op: &'a Op,
    /// Shapes of one example; `input` is the first of `inputs`.
    pub input: &'a [usize],
    pub inputs: &'a [&'a [usize]],
    pub output: &'a [usize],
    /// The full names of the op's parameters, in its order, then those of the batch norm and of the prologue.
    pub parameters: &'a [String],
    /// A layer that takes the inputs but for the residual, and makes the op's one, of the shape of the first.
    pub prologue: Option<&'a LayerOp>,
    pub norm: Option<&'a BatchNormSpec>,
    /// Whether a last input is added to the output, in its shape and layout, before the activation.
    pub residual: bool,
    pub activations: &'a [Activation],
    pub isa: Isa,
}

impl Layer<'_> {
    /// The full name of a parameter: `weight`, `bias`, ….
    pub fn parameter(&self, name: &str) -> Result<&str, Error> {
        let tensors = self.op.parameters();
        let found = tensors.iter().zip(self.parameters).find(|(tensor, _)| tensor.name == name);
        found.map(|(_, full)| full.as_str()).ok_or_else(|| self.error(&format!("the layer has no parameter `{name}`")))
    }

    /// Whether the values can lie in these layouts: only maps can be blocked.
    fn fits(&self, &(takes, makes): &(Layout, Layout)) -> bool {
        let is_map = |shape: &&[usize]| shape.len() == 3;
        (takes == Layout::Plain || self.inputs.iter().all(is_map)) && (makes == Layout::Plain || is_map(&self.output))
    }

    /// The layer that comes before the op, when there is one.
    pub fn before(&self) -> Option<Layer<'_>> {
        let prologue = self.prologue?;
        Some(Layer {
            path: &prologue.path,
            op: &prologue.op,
            inputs: self.inputs.get(..self.inputs.len() - usize::from(self.residual))?,
            output: self.input,
            parameters: self.parameters.get(self.parameters.len().checked_sub(prologue.parameters().len())?..)?,
            prologue: None,
            norm: None,
            residual: false,
            activations: &prologue.activations,
            ..*self
        })
    }

    /// Whether nothing is to be done beside the op that only some kernels do.
    fn is_bare(&self) -> bool {
        !self.residual && self.prologue.is_none()
    }

    /// What the kernel has to apply to its output.
    pub fn epilogue(&self) -> Epilogue {
        Epilogue::new(self.activations, self.isa)
    }

    pub fn error(&self, reason: &str) -> Error {
        Error::Graph { place: self.path.to_owned(), reason: reason.to_owned() }
    }
}

type Made = Result<Box<dyn Kernel>, Error>;

/// One choice.
pub(crate) struct Row {
    /// The operator's name.
    op: &'static str,
    /// The kernel's name in choices: `CNN_ALGORITHM=winograd4`.
    pub algorithm: &'static str,
    pub flow: Flow,
    /// Whether the kernel can take a layer of this operator.
    applies: fn(&Layer<'_>) -> bool,
    make: fn(&Layer<'_>, &Weights) -> Made,
}

/// The layouts that a kernel takes and makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flow {
    Plain,
    Blocked,
    /// Plain inputs, a blocked output.
    Enter,
    /// All the same, either.
    Either,
}

impl Flow {
    /// Layouts of the inputs and of the output.
    pub fn layouts(self) -> &'static [(Layout, Layout)] {
        const PLAIN: (Layout, Layout) = (Layout::Plain, Layout::Plain);
        const BLOCKED: (Layout, Layout) = (Layout::Blocked, Layout::Blocked);
        match self {
            Flow::Plain => &[PLAIN],
            Flow::Blocked => &[BLOCKED],
            Flow::Enter => &[(Layout::Plain, Layout::Blocked)],
            Flow::Either => &[PLAIN, BLOCKED],
        }
    }
}

/// `Op | Op: algorithm Flow, if |spec, layer, weights| condition => kernel`.
macro_rules! table {
    ($($($op:ident)|+: $algorithm:ident $flow:ident, if |$spec:ident, $layer:ident, $weights:ident| $condition:expr => $kernel:expr;)*) => {
        &[$($(Row {
            op: stringify!($op),
            algorithm: stringify!($algorithm),
            flow: Flow::$flow,
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
    Conv1d | Conv2d | Conv3d: plain Plain, if |spec, layer, weights| !pads_zeros(spec) && layer.is_bare()
        => PaddedConv::new(spec, layer, weights)?;
    Conv2d: blocked Blocked, if |spec, layer, weights| blocked::conv2d::applies(spec, layer) => BlockedConv2d::new(spec, layer, weights)?;
    Conv2d: depthwise Blocked, if |spec, layer, weights| layer.prologue.is_none() && depthwise::applies(spec, layer) => Depthwise::new(spec, layer, weights)?;
    Conv2d: winograd2 Blocked, if |spec, layer, weights| winograd::applies(spec, layer, 2) => Winograd::new(spec, layer, weights, 2)?;
    Conv2d: winograd4 Blocked, if |spec, layer, weights| winograd::applies(spec, layer, 4) => Winograd::new(spec, layer, weights, 4)?;
    Conv2d: winograd6 Blocked, if |spec, layer, weights| winograd::applies(spec, layer, 6) => Winograd::new(spec, layer, weights, 6)?;
    Conv2d: first Enter, if |spec, layer, weights| blocked::conv2d::applies_first(spec, layer) => BlockedConv2d::first(spec, layer, weights)?;
    Conv2d: plain Plain, if |spec, layer, weights| layer.residual => Residual::new(layer, weights)?;
    Conv2d: plain Plain, if |spec, layer, weights| layer.prologue.is_some() => Prologue::new(layer, weights)?;
    Conv2d: plain Plain, if |spec, layer, weights| pads_zeros(spec) && layer.is_bare() && conv2d::applies(spec, layer) => Conv2d::new(spec, layer, weights)?;
    Conv2d: naive Plain, if |spec, layer, weights| pads_zeros(spec) && layer.is_bare() => PlainConv2d::new(spec, layer, weights)?;
    Conv1d: plain Plain, if |spec, layer, weights| pads_zeros(spec) => conv1d(spec, layer, weights)?;
    Conv3d: plain Plain, if |spec, layer, weights| pads_zeros(spec) => Conv3d::new(spec, layer, weights)?;
    Dense: plain Plain, if |spec, layer, weights| true => Dense::new(spec, layer, weights, WeightDtype::F32)?;
    Dense: f16 Plain, if |spec, layer, weights| true => Dense::new(spec, layer, weights, WeightDtype::F16)?;
    Dense: bf16 Plain, if |spec, layer, weights| true => Dense::new(spec, layer, weights, WeightDtype::Bf16)?;
    MaxPool2d: blocked Blocked, if |spec, layer, weights| true => blocked::pool::Pool::max(spec, layer)?;
    AvgPool2d: blocked Blocked, if |spec, layer, weights| true => blocked::pool::Pool::avg(spec, layer)?;
    GlobalAvgPool2d: blocked Blocked, if |spec, layer, weights| true => blocked::pool_ranges::RangePool::global_avg(layer)?;
    GlobalMaxPool2d: blocked Blocked, if |spec, layer, weights| true => blocked::pool_ranges::RangePool::global_max(layer)?;
    AdaptiveAvgPool2d: blocked Blocked, if |spec, layer, weights| true => blocked::pool_ranges::RangePool::avg(spec, layer)?;
    AdaptiveMaxPool2d: blocked Blocked, if |spec, layer, weights| true => blocked::pool_ranges::RangePool::max(spec, layer)?;
    MaxPool1d | MaxPool2d | MaxPool3d: plain Plain, if |spec, layer, weights| true => Pool::max(spec, layer)?;
    AvgPool1d | AvgPool2d | AvgPool3d: plain Plain, if |spec, layer, weights| true => Pool::avg(spec, layer)?;
    GlobalAvgPool1d | GlobalAvgPool2d | GlobalAvgPool3d: plain Plain, if |spec, layer, weights| true => GlobalAvgPool::new(layer.isa);
    Relu: plain Either, if |spec, layer, weights| true => ElementWise::of(layer)?;
    Relu6: plain Either, if |spec, layer, weights| true => ElementWise::of(layer)?;
    LeakyRelu: plain Either, if |spec, layer, weights| true => ElementWise::of(layer)?;
    Prelu: blocked Blocked, if |spec, layer, weights| true => ChannelMap::prelu(layer, weights)?;
    Prelu: plain Plain, if |spec, layer, weights| true => Prelu::new(layer, weights)?;
    Elu: plain Either, if |spec, layer, weights| true => ElementWise::of(layer)?;
    Silu: plain Either, if |spec, layer, weights| true => ElementWise::of(layer)?;
    Gelu: plain Either, if |spec, layer, weights| true => ElementWise::of(layer)?;
    Sigmoid: plain Either, if |spec, layer, weights| true => ElementWise::of(layer)?;
    HardSigmoid: plain Either, if |spec, layer, weights| true => ElementWise::of(layer)?;
    HardSwish: plain Either, if |spec, layer, weights| true => ElementWise::of(layer)?;
    Tanh: plain Either, if |spec, layer, weights| true => ElementWise::of(layer)?;
    Softmax: plain Plain, if |spec, layer, weights| true => Softmax::new(spec, layer);
    LogSoftmax: plain Plain, if |spec, layer, weights| true => Softmax::log(spec, layer);
    Add: plain Either, if |spec, layer, weights| true => Arithmetic::add(layer);
    Mul: blocked Blocked, if |spec, layer, weights| true => Product::new(layer);
    Mul: plain Plain, if |spec, layer, weights| true => Arithmetic::mul(layer);
    Concat: blocked Blocked, if |spec, layer, weights| joins_blocks(spec, layer) => Concat::new(spec, layer);
    Concat: plain Plain, if |spec, layer, weights| true => Concat::new(spec, layer);
    BatchNorm: blocked Blocked, if |spec, layer, weights| true => ChannelMap::batch_norm(spec, layer, weights)?;
    BatchNorm: plain Plain, if |spec, layer, weights| true => ChannelAffine::batch_norm(spec, layer, weights)?;
    GroupNorm: plain Plain, if |spec, layer, weights| true => Norm::group(spec, layer, weights)?;
    LayerNorm: plain Plain, if |spec, layer, weights| true => Norm::layer(spec, layer, weights)?;
    InstanceNorm: plain Plain, if |spec, layer, weights| true => Norm::instance(spec, layer, weights)?;
    LocalResponseNorm: plain Plain, if |spec, layer, weights| true => LocalResponseNorm::new(spec, layer);
    AdaptiveAvgPool1d | AdaptiveAvgPool2d | AdaptiveAvgPool3d: plain Plain, if |spec, layer, weights| true => RangePool::avg(spec, layer)?;
    AdaptiveMaxPool1d | AdaptiveMaxPool2d | AdaptiveMaxPool3d: plain Plain, if |spec, layer, weights| true => RangePool::max(spec, layer)?;
    GlobalMaxPool1d | GlobalMaxPool2d | GlobalMaxPool3d: plain Plain, if |spec, layer, weights| true => RangePool::global_max(layer)?;
    FractionalMaxPool2d | FractionalMaxPool3d: plain Plain, if |spec, layer, weights| true
        => RangePool::fractional_max(spec, layer)?;
    ConvTranspose1d | ConvTranspose2d | ConvTranspose3d: plain Plain, if |spec, layer, weights| conv_transpose::applies(spec, layer)
        => ConvTranspose::new(spec, layer, weights)?;
    ConvTranspose1d | ConvTranspose2d | ConvTranspose3d: plain Plain, if |spec, layer, weights| true
        => PlainConvTranspose::new(spec, layer, weights)?;
    Upsample1d | Upsample2d | Upsample3d: plain Plain, if |spec, layer, weights| spec.mode.interpolates()
        => Linear::new(spec, layer)?;
    Upsample1d | Upsample2d | Upsample3d: plain Plain, if |spec, layer, weights| true => Gather::upsample(spec, layer)?;
    Pad1d | Pad2d | Pad3d: plain Plain, if |spec, layer, weights| true => Gather::pad(spec, layer)?;
    Crop1d | Crop2d | Crop3d: plain Plain, if |spec, layer, weights| true => Gather::crop(spec, layer)?;
    ChannelShuffle: plain Plain, if |spec, layer, weights| true => Gather::shuffle(spec, layer);
    Slice: plain Plain, if |spec, layer, weights| true => Gather::slice(spec, layer);
    Extern: plain Plain, if |spec, layer, weights| true => Extern::new(spec, layer)?;
};

/// Whether a convolution's padding is of zeros; [`PaddedConv`] makes any other kind first.
fn pads_zeros<const D: usize, const S: usize>(spec: &ConvSpec<D, S>) -> bool {
    spec.padding_mode == PadMode::Zeros
}

/// Whether the parts of a concatenation are whole blocks of channels, but for the last.
fn joins_blocks(spec: &ConcatSpec, layer: &Layer<'_>) -> bool {
    let is_whole = |shape: &&[usize]| shape.first().is_some_and(|channels| channels.is_multiple_of(layer.isa.lanes()));
    spec.dim == 1 && layer.inputs.split_last().is_some_and(|(_, parts)| parts.iter().all(is_whole))
}

/// Operators whose kernels apply an activation to what they make.
pub(crate) fn takes_activation(op: &Op) -> bool {
    let is_conv = matches!(op, Op::Conv1d(_) | Op::Conv2d(_) | Op::Conv3d(_));
    let is_transposed = matches!(op, Op::ConvTranspose1d(_) | Op::ConvTranspose2d(_) | Op::ConvTranspose3d(_));
    let is_norm = matches!(op, Op::BatchNorm(_) | Op::GroupNorm(_) | Op::LayerNorm(_) | Op::InstanceNorm(_));
    let is_activation = Activation::from_op(op).is_some();
    is_conv || is_transposed || is_norm || is_activation || matches!(op, Op::Dense(_) | Op::Add(_) | Op::Mul(_))
}

/// Operators all of whose kernels can add another value to what they make.
pub(crate) fn takes_residual(op: &Op) -> bool {
    matches!(op, Op::Conv2d(_) | Op::Mul(_) | Op::BatchNorm(_))
}

/// Operators whose kernels can do another layer first: pointwise convolutions, which read every pixel once.
pub(crate) fn takes_prologue(op: &Op) -> bool {
    let Op::Conv2d(spec) = op else { return false };
    let is_pointwise = spec.kernel_size == [1, 1] && spec.stride == [1, 1] && spec.padding == [0; 4];
    is_pointwise && spec.groups == 1 && pads_zeros(spec)
}

/// Operators whose kernels fold a batch norm into their weights.
pub(crate) fn takes_batch_norm(op: &Op) -> bool {
    matches!(op, Op::Conv1d(_) | Op::Conv2d(_) | Op::Conv3d(_) | Op::Dense(_))
}

/// Operators that change nothing but the shape: no step, the output is the input.
pub(crate) fn is_alias(op: &Op) -> bool {
    matches!(op, Op::Flatten(_) | Op::Reshape(_) | Op::Dropout(_) | Op::Identity(_))
}

/// A kernel that can run a layer.
pub(crate) struct Candidate {
    row: &'static Row,
    pub way: Way,
    /// Whether the cost was measured.
    pub is_measured: bool,
}

impl Candidate {
    /// The kernel's name in choices.
    pub fn algorithm(&self) -> &'static str {
        self.row.algorithm
    }

    /// Makes the kernel.
    ///
    /// # Errors
    /// What the kernel refuses.
    pub fn make(&self, layer: &Layer<'_>, weights: &Weights) -> Made {
        (self.row.make)(layer, weights)
    }
}

/// All kernels that can run a layer; of those for the same layouts the preferred first.
///
/// # Errors
/// A layer that no row takes.
pub(crate) fn candidates(layer: &Layer<'_>) -> Result<Vec<Candidate>, Error> {
    let fits = |row: &&Row| row.op == layer.op.name() && (row.applies)(layer);
    let ways = |row: &'static Row| {
        row.flow.layouts().iter().filter(|layouts| layer.fits(layouts)).map(move |&(takes, makes)| {
            let cost = cost(layer, row.algorithm);
            Candidate { row, way: Way { takes, makes, cost }, is_measured: false }
        })
    };
    let candidates: Vec<Candidate> = TABLE.iter().filter(fits).flat_map(ways).collect();
    match candidates.is_empty() {
        true => Err(layer.error(&format!("there is no kernel for {} on {}", layer.op.name(), layer.isa))),
        false => Ok(candidates),
    }
}

/// Makes the plain kernel of a layer: the first row that takes it.
///
/// # Errors
/// A layer that no row takes, or what the kernel refuses.
pub(crate) fn select(layer: &Layer<'_>, weights: &Weights) -> Made {
    let plain = |candidate: &&Candidate| (candidate.way.takes, candidate.way.makes) == (Layout::Plain, Layout::Plain);
    match candidates(layer)?.iter().find(plain) {
        Some(candidate) => candidate.make(layer, weights),
        None => Err(layer.error(&format!("there is no plain kernel for {}", layer.op.name()))),
    }
}
