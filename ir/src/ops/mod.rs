//! The list of ops.
//!
//! An op is a spec with PyTorch's fields, one shape rule, its parameters and one cost rule, in a file of its own here;
//! and a decomposition and kernels in the runtime. [`for_each_op!`](crate::for_each_op) is the one list: everything
//! that must know all ops is generated from it.

pub(crate) mod axes;
mod inputs;

use crate::spec::OpSpec;
use crate::{Args, Cost, Fault, Field, Fix, Param, Reach, Shape, TensorSpec, codes};

/// Calls a macro with the list of ops: `file: Variant Spec;`, one op of the language per line. An op over one, two or three
/// axes has a variant for each.
#[macro_export]
macro_rules! for_each_op {
    ($callback:ident) => {
        $callback! {
            conv: Conv1d Conv1dSpec, Conv2d Conv2dSpec, Conv3d Conv3dSpec;
            dense: Dense DenseSpec;
            max_pool: MaxPool1d MaxPool1dSpec, MaxPool2d MaxPool2dSpec, MaxPool3d MaxPool3dSpec;
            avg_pool: AvgPool1d AvgPool1dSpec, AvgPool2d AvgPool2dSpec, AvgPool3d AvgPool3dSpec;
            global_avg_pool: GlobalAvgPool1d GlobalAvgPool1dSpec, GlobalAvgPool2d GlobalAvgPool2dSpec, GlobalAvgPool3d GlobalAvgPool3dSpec;
            flatten: Flatten FlattenSpec;
            dropout: Dropout DropoutSpec;
            relu: Relu ReluSpec;
            sigmoid: Sigmoid SigmoidSpec;
            tanh: Tanh TanhSpec;
            softmax: Softmax SoftmaxSpec;
            log_softmax: LogSoftmax LogSoftmaxSpec;
            relu6: Relu6 Relu6Spec;
            leaky_relu: LeakyRelu LeakyReluSpec;
            prelu: Prelu PreluSpec;
            elu: Elu EluSpec;
            silu: Silu SiluSpec;
            gelu: Gelu GeluSpec;
            hard_sigmoid: HardSigmoid HardSigmoidSpec;
            hard_swish: HardSwish HardSwishSpec;
            add: Add AddSpec;
            mul: Mul MulSpec;
            concat: Concat ConcatSpec;
            identity: Identity IdentitySpec;
            batch_norm: BatchNorm BatchNormSpec;
            group_norm: GroupNorm GroupNormSpec;
            layer_norm: LayerNorm LayerNormSpec;
            instance_norm: InstanceNorm InstanceNormSpec;
            local_response_norm: LocalResponseNorm LocalResponseNormSpec;
            adaptive_avg_pool: AdaptiveAvgPool1d AdaptiveAvgPool1dSpec, AdaptiveAvgPool2d AdaptiveAvgPool2dSpec, AdaptiveAvgPool3d AdaptiveAvgPool3dSpec;
            adaptive_max_pool: AdaptiveMaxPool1d AdaptiveMaxPool1dSpec, AdaptiveMaxPool2d AdaptiveMaxPool2dSpec, AdaptiveMaxPool3d AdaptiveMaxPool3dSpec;
            global_max_pool: GlobalMaxPool1d GlobalMaxPool1dSpec, GlobalMaxPool2d GlobalMaxPool2dSpec, GlobalMaxPool3d GlobalMaxPool3dSpec;
            fractional_max_pool: FractionalMaxPool2d FractionalMaxPool2dSpec, FractionalMaxPool3d FractionalMaxPool3dSpec;
            conv_transpose: ConvTranspose1d ConvTranspose1dSpec, ConvTranspose2d ConvTranspose2dSpec, ConvTranspose3d ConvTranspose3dSpec;
            upsample: Upsample1d Upsample1dSpec, Upsample2d Upsample2dSpec, Upsample3d Upsample3dSpec;
            pad: Pad1d Pad1dSpec, Pad2d Pad2dSpec, Pad3d Pad3dSpec;
            crop: Crop1d Crop1dSpec, Crop2d Crop2dSpec, Crop3d Crop3dSpec;
            channel_shuffle: ChannelShuffle ChannelShuffleSpec;
            slice: Slice SliceSpec;
            reshape: Reshape ReshapeSpec;
            extern_layer: Extern ExternSpec;
        }
    };
}

/// What the language knows of an op: its name, its parameters and how a call becomes a spec.
#[derive(Debug, Clone, Copy)]
pub struct OpDef {
    /// The name in the language: `conv`.
    pub name: &'static str,
    /// One line of documentation.
    pub doc: &'static str,
    /// The parameters in positional order.
    pub params: &'static [Param],
    /// Makes the op from bound arguments and the shapes of its inputs.
    pub from_call: fn(&Args, &[&Shape]) -> Result<Op, Fault>,
}

impl OpDef {
    /// The op of this name in the language.
    ///
    /// ```
    /// assert!(cnn_ir::OpDef::find("conv").is_some());
    /// assert!(cnn_ir::OpDef::find("convolution").is_none());
    /// ```
    pub fn find(name: &str) -> Option<&'static OpDef> {
        OPS.iter().find(|def| def.name == name)
    }
}

/// The definition of an op, which all its forms share.
macro_rules! definition {
    ($spec:ident $($form:ident)*) => {
        $spec::DEF
    };
}

macro_rules! define_ops {
    ($($file:ident: $($variant:ident $spec:ident),+;)*) => {
        $(mod $file; $(pub use $file::$spec;)+)*

        /// One operation with its fields.
        #[derive(Debug, Clone, PartialEq)]
        pub enum Op {
            $($(#[doc = concat!("See [`", stringify!($spec), "`].")] $variant($spec),)+)*
        }

        $($(impl From<$spec> for Op {
            fn from(spec: $spec) -> Self { Op::$variant(spec) }
        })+)*

        const ALL: &[OpDef] = &[$(definition!($($spec)+)),*];

        impl OpDef {
            /// Whether the op joins several values; see [`OpSpec::JOINS`].
            pub fn joins(&self) -> bool {
                [$($(($spec::DEF.name, $spec::JOINS)),+),*].contains(&(self.name, true))
            }

            /// The op that other frameworks call so; see [`OpSpec::ALIASES`].
            pub fn find_alias(name: &str) -> Option<&'static OpDef> {
                let aliases = [$($(($spec::DEF.name, $spec::ALIASES)),+),*];
                let (ours, _) = aliases.into_iter().find(|(_, aliases)| aliases.contains(&name))?;
                Self::find(ours)
            }
        }

        impl Op {
            /// The operator's name, as in `Conv2d`.
            pub fn name(&self) -> &'static str {
                match self { $($(Op::$variant(_) => $spec::NAME,)+)* }
            }

            /// What the language knows of this op.
            pub fn def(&self) -> OpDef {
                match self { $($(Op::$variant(_) => $spec::DEF,)+)* }
            }

            /// The fields in declaration order.
            pub fn fields(&self) -> Vec<Field> {
                match self { $($(Op::$variant(spec) => spec.fields(),)+)* }
            }

            /// The shape rule; see [`OpSpec::output_shape`].
            ///
            /// # Errors
            /// Inputs or fields that have no meaning together.
            pub fn output_shape(&self, inputs: &[&Shape]) -> Result<Shape, Fault> {
                match self { $($(Op::$variant(spec) => spec.output_shape(inputs),)+)* }
            }

            /// What one element of the output depends on in each input; see [`OpSpec::reach`].
            pub fn reach(&self, input: &Shape, output: &Shape) -> Reach {
                match self { $($(Op::$variant(spec) => spec.reach(input, output),)+)* }
            }

            /// The tensors this op owns.
            pub fn parameters(&self) -> Vec<TensorSpec> {
                match self { $($(Op::$variant(spec) => spec.parameters(),)+)* }
            }

            /// The cost for one example, given the output's shape.
            pub fn cost(&self, output: &Shape) -> Cost {
                match self { $($(Op::$variant(spec) => spec.cost(output),)+)* }
            }
        }
    };
}
for_each_op!(define_ops);

/// Every op of the language, in the order of the list, but the last: extern layers are called by names of their own.
pub static OPS: &[OpDef] = match ALL {
    [ops @ .., _] => ops,
    [] => &[],
};

pub use adaptive_avg_pool::AdaptiveAvgPoolSpec;
pub use adaptive_max_pool::AdaptiveMaxPoolSpec;
pub use avg_pool::AvgPoolSpec;
pub use conv::ConvSpec;
pub use conv_transpose::ConvTransposeSpec;
pub use crop::CropSpec;
pub use extern_layer::{ExternGradient, ExternLayer};
pub use fractional_max_pool::FractionalMaxPoolSpec;
pub use gelu::GeluApproximate;
pub use global_avg_pool::GlobalAvgPoolSpec;
pub use global_max_pool::GlobalMaxPoolSpec;
pub use max_pool::MaxPoolSpec;
pub use pad::{PadMode, PadSpec};
pub use upsample::{UpsampleMode, UpsampleSpec, UpsampleTap};

/// `Conv2d { in_channels: 1, out_channels: 6, kernel_size: [5, 5] }`: fields at their default are left out.
impl std::fmt::Display for Op {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())?;
        let mut separator = " { ";
        for field in self.fields().iter().filter(|field| !field.default) {
            write!(f, "{separator}{}: {}", field.name, field.value)?;
            separator = ", ";
        }
        if separator == ", " { f.write_str(" }") } else { Ok(()) }
    }
}

impl Op {
    /// The op as a table shows it: `conv kernel 5, padding 2`. Sizes that the shapes tell and defaults are left out.
    ///
    /// ```
    /// use cnn_ir::{Op, ops::Conv2dSpec};
    /// let mut spec = Conv2dSpec::new(3, 8, [5, 3]);
    /// spec.padding = [2, 2, 2, 2];
    /// assert_eq!(Op::from(spec).summary(), "conv kernel 5×3, padding 2");
    /// ```
    pub fn summary(&self) -> String {
        if let Op::Extern(spec) = self {
            return spec.summary();
        }
        let mut text = self.def().name.to_owned();
        let told_by_shapes = |field: &Field| {
            let name = field.name;
            name.starts_with("in_") || name.starts_with("out_") || NAMES_OF_SIZES.contains(&name)
        };
        let fields = self.fields().into_iter().filter(|field| !field.default && !told_by_shapes(field));
        for (index, field) in fields.enumerate() {
            let separator = if index == 0 { " " } else { ", " };
            let name = field.name.strip_suffix("_size").unwrap_or(field.name);
            text.push_str(&format!("{separator}{name} {}", field.compact()));
        }
        text
    }
}

/// Fields that hold sizes of the input.
const NAMES_OF_SIZES: &[&str] = &["num_features", "num_channels", "normalized_shape"];

/// The body of `output_shape` for ops that keep their input's shape.
fn same_shape(layer: &str, inputs: &[&Shape]) -> Result<Shape, Fault> {
    crate::window::single_input(layer, inputs).cloned()
}

/// Declares an element-wise activation without fields.
macro_rules! activation {
    ($(#[$meta:meta])* $name:literal $language:literal $spec:ident, $doc:literal $(, aliases $($alias:literal)+)?) => {
        $crate::spec::spec! {
            $(#[$meta])*
            $spec { ; }
        }

        impl $crate::OpSpec for $spec {
            const NAME: &'static str = $name;
            $(const ALIASES: &'static [&'static str] = &[$($alias),+];)?
            const DEF: $crate::OpDef = $crate::OpDef {
                name: $language,
                doc: $doc,
                params: &[],
                from_call: |_, _| Ok($spec::new().into()),
            };

            fn fields(&self) -> Vec<$crate::Field> {
                self.list_fields()
            }

            fn output_shape(&self, inputs: &[&$crate::Shape]) -> Result<$crate::Shape, $crate::Fault> {
                super::same_shape($language, inputs)
            }
        }
    };
}
use activation;

/// An axis as written, negative ones counted from the end, the batch being 0, as an axis from 1 to `rank`.
fn normalize_dim(name: &'static str, dim: i64, rank: usize) -> Result<usize, Fault> {
    let rank = rank as i64;
    let axis = if dim < 0 { dim.saturating_add(rank + 1) } else { dim };
    if (1..=rank).contains(&axis) {
        return Ok(axis as usize);
    }
    let message = match axis {
        0 => format!("`{name}` is {dim}, but axis 0 is the batch"),
        _ => format!("`{name}` is {dim}, but the value has axes 1 to {rank}"),
    };
    Err(Fault::new(&codes::BAD_ARGUMENT, message)
        .about(name)
        .advice(format!("use 1 to {rank}, or -1 for the last axis")))
}

/// What norms add to the variance is a number of at least 0.
fn check_eps(eps: f64) -> Result<(), Fault> {
    if eps >= 0.0 && eps.is_finite() {
        return Ok(());
    }
    Err(Fault::new(&codes::BAD_ARGUMENT, format!("`eps` must be at least 0, not {eps}")).about("eps"))
}

/// Groups divide the channels that come in and those that go out.
fn check_groups(groups: usize, in_channels: usize, out_channels: usize) -> Result<(), Fault> {
    let rest = |channels: usize| channels.checked_rem(groups).unwrap_or(channels);
    if groups > 0 && rest(in_channels) == 0 && rest(out_channels) == 0 {
        return Ok(());
    }
    let message = format!("{groups} groups do not divide {in_channels} input and {out_channels} output channels");
    Err(Fault::new(&codes::GROUPS_MISMATCH, message)
        .about("groups")
        .figure(format!("{in_channels} mod {groups} = {}", rest(in_channels)))
        .figure(format!("{out_channels} mod {groups} = {}", rest(out_channels)))
        .fix(nearest_divisor("groups", groups, in_channels, out_channels)))
}

/// The fix for groups that do not divide both channel counts: the nearest number that does.
fn nearest_divisor(name: &'static str, wanted: usize, a: usize, b: usize) -> Fix {
    let gcd = gcd(a, b);
    let mut best = 1usize;
    let mut divisor = 1;
    while divisor * divisor <= gcd {
        if gcd.is_multiple_of(divisor) {
            for candidate in [divisor, gcd / divisor] {
                if candidate.abs_diff(wanted) < best.abs_diff(wanted) {
                    best = candidate;
                }
            }
        }
        divisor += 1;
    }
    Fix::SetArgument { advice: format!("the nearest that divides both is {best}"), name, value: best.to_string() }
}

pub(crate) fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}
