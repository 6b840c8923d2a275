//! The operators of the high-level graph: inputs, parameters, layers.
//!
//! They say what a network is. Passes, engines and [`Decompose`](crate::Decompose) replace them with something that
//! runs; Luminal's executor alone cannot run them.

use cnn_ir::ops::{
    AddSpec, BatchNormSpec, EluSpec, GeluApproximate, GeluSpec, HardSigmoidSpec, HardSwishSpec, LeakyReluSpec,
    Relu6Spec, ReluSpec, SigmoidSpec, SiluSpec, TanhSpec,
};
use cnn_ir::{Op, OpSpec, Shape, TensorSpec};
use luminal::op::{InputTensor, Operator};
use luminal::prelude::ShapeTracker;
use luminal::tensor::Tensor;
use std::fmt;

/// An input of the model: whoever runs the graph sets its tensor first.
#[derive(Clone, PartialEq)]
pub struct InputOp {
    /// The name.
    pub name: String,
    /// The position among the inputs.
    pub index: usize,
    /// The shape of one example.
    pub shape: Shape,
}

/// A parameter or buffer: whoever runs the graph sets it once and keeps it.
#[derive(Clone, PartialEq)]
pub struct ParameterOp {
    /// The full name, as in PyTorch's state dict: `layer1.0.conv1.weight`.
    pub name: String,
    /// The shape.
    pub shape: Vec<usize>,
}

/// One layer. Its sources are its values, then its parameters in the order of [`LayerOp::parameters`].
#[derive(Clone, PartialEq)]
pub struct LayerOp {
    /// The layer's full name.
    pub path: String,
    /// What it does.
    pub op: Op,
    /// The output's shape for one example.
    pub shape: Shape,
    /// A layer that a pass has put before the op: it takes the layer's values but for the residual one, and makes the
    /// op's. Its parameters come behind all others.
    pub prologue: Option<Box<LayerOp>>,
    /// A batch norm that a pass has folded in behind the op.
    pub norm: Option<BatchNormSpec>,
    /// Whether a pass has put a sum behind that: the last of the layer's values is added to the result.
    pub residual: bool,
    /// What a pass has fused behind that: each is applied to every element of the result, one after the other.
    pub activations: Vec<Activation>,
}

impl LayerOp {
    /// A layer as the network has it.
    pub fn new(path: String, op: Op, shape: Shape) -> Self {
        Self { path, op, shape, prologue: None, norm: None, residual: false, activations: Vec::new() }
    }

    /// The op's parameters, then those of the batch norm and of the prologue.
    pub fn parameters(&self) -> Vec<TensorSpec> {
        let norm = self.norm.as_ref().map(OpSpec::parameters);
        let prologue = self.prologue.as_ref().map(|layer| layer.parameters());
        let fused = norm.into_iter().chain(prologue).flatten();
        self.op.parameters().into_iter().chain(fused).collect()
    }
}

/// An element-wise function without trained parameters. See the specs of the same names.
#[derive(Debug, Clone, Copy, PartialEq)]
#[allow(missing_docs)]
pub enum Activation {
    Relu,
    Relu6,
    LeakyRelu { negative_slope: f64 },
    Elu { alpha: f64 },
    Silu,
    Gelu { approximate: GeluApproximate },
    Sigmoid,
    HardSigmoid,
    HardSwish,
    Tanh,
}

impl Activation {
    /// The activation that an op is, if it is one.
    pub fn from_op(op: &Op) -> Option<Self> {
        Some(match *op {
            Op::Relu(_) => Self::Relu,
            Op::Relu6(_) => Self::Relu6,
            Op::LeakyRelu(LeakyReluSpec { negative_slope }) => Self::LeakyRelu { negative_slope },
            Op::Elu(EluSpec { alpha }) => Self::Elu { alpha },
            Op::Silu(_) => Self::Silu,
            Op::Gelu(GeluSpec { approximate }) => Self::Gelu { approximate },
            Op::Sigmoid(_) => Self::Sigmoid,
            Op::HardSigmoid(_) => Self::HardSigmoid,
            Op::HardSwish(_) => Self::HardSwish,
            Op::Tanh(_) => Self::Tanh,
            _ => return None,
        })
    }

    /// The op that does the same.
    pub fn op(self) -> Op {
        match self {
            Self::Relu => ReluSpec::new().into(),
            Self::Relu6 => Relu6Spec::new().into(),
            Self::LeakyRelu { negative_slope } => LeakyReluSpec { negative_slope }.into(),
            Self::Elu { alpha } => EluSpec { alpha }.into(),
            Self::Silu => SiluSpec::new().into(),
            Self::Gelu { approximate } => GeluSpec { approximate }.into(),
            Self::Sigmoid => SigmoidSpec::new().into(),
            Self::HardSigmoid => HardSigmoidSpec::new().into(),
            Self::HardSwish => HardSwishSpec::new().into(),
            Self::Tanh => TanhSpec::new().into(),
        }
    }
}

impl fmt::Debug for InputOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "input {}", self.name)
    }
}

impl fmt::Debug for ParameterOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "parameter {}", self.name)
    }
}

impl fmt::Debug for LayerOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.path)?;
        if let Some(prologue) = &self.prologue {
            write!(f, "({prologue:?}) + ")?;
        }
        write!(f, "{}", self.op)?;
        if let Some(norm) = &self.norm {
            write!(f, " + {}", Op::from(norm.clone()))?;
        }
        if self.residual {
            write!(f, " + {}", Op::from(AddSpec::new()))?;
        }
        self.activations.iter().try_for_each(|activation| write!(f, " + {}", activation.op()))
    }
}

/// Luminal's executor knows no errors, so an operator that cannot run can only panic; `Session` and `Reference` never
/// let it come to that.
macro_rules! cannot_run {
    ($op:ident, $reason:literal) => {
        impl Operator for $op {
            fn process(&mut self, _: Vec<(InputTensor, ShapeTracker)>) -> Vec<Tensor> {
                panic!("{self:?} {}", $reason)
            }
        }
    };
}
cannot_run!(InputOp, "has no tensor: set it before every execution");
cannot_run!(ParameterOp, "has no tensor: set it before the first execution and list it in `no_delete`");
cannot_run!(LayerOp, "is a layer, not yet code: compile the graph with `Session` or decompose it with `Reference`");
