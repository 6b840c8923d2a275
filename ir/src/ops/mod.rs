//! The list of ops.
//!
//! An op is a spec with PyTorch's fields, one shape rule, its parameters and one cost rule, in a file of its own here;
//! and a decomposition and kernels in the runtime. [`for_each_op!`](crate::for_each_op) is the one list: everything
//! that must know all ops is generated from it.

mod axes;
mod inputs;

use crate::spec::OpSpec;
use crate::{Args, Cost, Fault, Field, Fix, Param, Reach, Shape, TensorSpec, codes};

/// Calls a macro with the list of ops: `Variant file Spec`, one per line.
#[macro_export]
macro_rules! for_each_op {
    ($callback:ident) => {
        $callback! {
            Conv2d conv2d Conv2dSpec,
            Dense dense DenseSpec,
            MaxPool2d max_pool2d MaxPool2dSpec,
            AvgPool2d avg_pool2d AvgPool2dSpec,
            GlobalAvgPool2d global_avg_pool2d GlobalAvgPool2dSpec,
            Flatten flatten FlattenSpec,
            Dropout dropout DropoutSpec,
            Relu relu ReluSpec,
            Sigmoid sigmoid SigmoidSpec,
            Tanh tanh TanhSpec,
            Softmax softmax SoftmaxSpec,
            LogSoftmax log_softmax LogSoftmaxSpec,
            Relu6 relu6 Relu6Spec,
            LeakyRelu leaky_relu LeakyReluSpec,
            Prelu prelu PreluSpec,
            Elu elu EluSpec,
            Silu silu SiluSpec,
            Gelu gelu GeluSpec,
            HardSigmoid hard_sigmoid HardSigmoidSpec,
            HardSwish hard_swish HardSwishSpec,
            Add add AddSpec,
            Mul mul MulSpec,
            Concat concat ConcatSpec,
            Identity identity IdentitySpec,
            BatchNorm batch_norm BatchNormSpec,
            GroupNorm group_norm GroupNormSpec,
            LayerNorm layer_norm LayerNormSpec,
            InstanceNorm instance_norm InstanceNormSpec,
            LocalResponseNorm local_response_norm LocalResponseNormSpec,
            AdaptiveAvgPool2d adaptive_avg_pool2d AdaptiveAvgPool2dSpec,
            AdaptiveMaxPool2d adaptive_max_pool2d AdaptiveMaxPool2dSpec,
            GlobalMaxPool2d global_max_pool2d GlobalMaxPool2dSpec,
            FractionalMaxPool2d fractional_max_pool2d FractionalMaxPool2dSpec,
            ConvTranspose2d conv_transpose2d ConvTranspose2dSpec,
            Upsample2d upsample2d Upsample2dSpec,
            Pad2d pad2d Pad2dSpec,
            Crop2d crop2d Crop2dSpec,
            ChannelShuffle channel_shuffle ChannelShuffleSpec,
            Slice slice SliceSpec,
            Reshape reshape ReshapeSpec,
            Conv1d conv1d Conv1dSpec,
            Conv3d conv3d Conv3dSpec,
            MaxPool1d max_pool1d MaxPool1dSpec,
            MaxPool3d max_pool3d MaxPool3dSpec,
            AvgPool1d avg_pool1d AvgPool1dSpec,
            AvgPool3d avg_pool3d AvgPool3dSpec,
            Extern extern_layer ExternSpec,
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

macro_rules! define_ops {
    ($($variant:ident $file:ident $spec:ident,)*) => {
        $(mod $file; pub use $file::$spec;)*

        /// One operation with its fields.
        #[derive(Debug, Clone, PartialEq)]
        pub enum Op {
            $(#[doc = concat!("See [`", stringify!($spec), "`].")] $variant($spec),)*
        }

        $(impl From<$spec> for Op {
            fn from(spec: $spec) -> Self { Op::$variant(spec) }
        })*

        const ALL: &[OpDef] = &[$($spec::DEF),*];

        impl OpDef {
            /// Whether the op joins several values; see [`OpSpec::JOINS`].
            pub fn joins(&self) -> bool {
                [$(($spec::DEF.name, $spec::JOINS)),*].contains(&(self.name, true))
            }

            /// The op that other frameworks call so; see [`OpSpec::ALIASES`].
            pub fn find_alias(name: &str) -> Option<&'static OpDef> {
                let aliases = [$(($spec::DEF.name, $spec::ALIASES)),*];
                let (ours, _) = aliases.into_iter().find(|(_, aliases)| aliases.contains(&name))?;
                Self::find(ours)
            }
        }

        impl Op {
            /// The operator's name, as in `Conv2d`.
            pub fn name(&self) -> &'static str {
                match self { $(Op::$variant(_) => $spec::NAME,)* }
            }

            /// What the language knows of this op.
            pub fn def(&self) -> OpDef {
                match self { $(Op::$variant(_) => $spec::DEF,)* }
            }

            /// The fields in declaration order.
            pub fn fields(&self) -> Vec<Field> {
                match self { $(Op::$variant(spec) => spec.fields(),)* }
            }

            /// The shape rule; see [`OpSpec::output_shape`].
            ///
            /// # Errors
            /// Inputs or fields that have no meaning together.
            pub fn output_shape(&self, inputs: &[&Shape]) -> Result<Shape, Fault> {
                match self { $(Op::$variant(spec) => spec.output_shape(inputs),)* }
            }

            /// What one element of the output depends on in each input; see [`OpSpec::reach`].
            pub fn reach(&self, input: &Shape, output: &Shape) -> Reach {
                match self { $(Op::$variant(spec) => spec.reach(input, output),)* }
            }

            /// The tensors this op owns.
            pub fn parameters(&self) -> Vec<TensorSpec> {
                match self { $(Op::$variant(spec) => spec.parameters(),)* }
            }

            /// The cost for one example, given the output's shape.
            pub fn cost(&self, output: &Shape) -> Cost {
                match self { $(Op::$variant(spec) => spec.cost(output),)* }
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

pub use extern_layer::ExternLayer;

pub use gelu::GeluApproximate;
pub use pad2d::PadMode;
pub use upsample2d::{UpsampleMode, UpsampleTap};

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
            text.push_str(&format!("{separator}{name} {}", compact(&field.value)));
        }
        text
    }
}

/// Fields that hold sizes of the input.
const NAMES_OF_SIZES: &[&str] = &["num_features", "num_channels", "normalized_shape"];

/// `[5, 5]` as `5`, `[5, 3]` as `5×3`, `Some(3)` as `3`, `PadMode::Reflect` as `reflect`.
fn compact(value: &str) -> String {
    let inner = value.strip_prefix("Some(").and_then(|rest| rest.strip_suffix(')')).unwrap_or(value);
    if let Some((_, variant)) = inner.split_once("::") {
        return variant.to_lowercase();
    }
    let Some(list) = inner.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) else { return inner.to_owned() };
    let items: Vec<&str> = list.split(", ").collect();
    match items.split_first() {
        Some((first, rest)) if rest.iter().all(|item| item == first) => (*first).to_owned(),
        _ => items.join("×"),
    }
}

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

/// PyTorch's rule for pools: padding of at most half of the kernel, so that no window lies in padding alone.
fn check_pool_padding(kernel: [usize; 2], padding: [usize; 4]) -> Result<(), Fault> {
    for (axis, name) in ["height", "width"].into_iter().enumerate() {
        let most = kernel[axis] / 2;
        let side = padding[2 * axis].max(padding[2 * axis + 1]);
        if side > most {
            return Err(Fault::new(
                &codes::BAD_ARGUMENT,
                format!("padding {side} is more than half of the kernel's {name}"),
            )
            .about("padding")
            .figure(format!("kernel {name} {} / 2 = {most}", kernel[axis]))
            .advice(format!("use at most {most}")));
        }
    }
    Ok(())
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
