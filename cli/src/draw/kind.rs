//! What a layer looks like: its kind, and the words that stand for it.

use cnn::Op;

/// The kind of an op: one colour each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Convolutions.
    Conv,
    /// Fully connected layers.
    Dense,
    /// Pooling and resampling.
    Pool,
    /// Normalisation.
    Norm,
    /// Element-wise functions.
    Activation,
    /// Dropout: nothing outside of training.
    Dropout,
    /// What joins values.
    Join,
    /// What only moves elements.
    Shape,
    /// A whole block, folded into a box.
    Block,
    /// Layers implemented in Rust, and words about a box.
    Other,
}

impl Kind {
    /// The kind of an op.
    pub fn of(op: &Op) -> Self {
        Self::of_name(op.def().name)
    }

    /// The kind of an op by its name in the language.
    pub fn of_name(name: &str) -> Self {
        match name {
            _ if name.starts_with("conv") => Self::Conv,
            _ if name.contains("pool") => Self::Pool,
            _ if name.ends_with("norm") => Self::Norm,
            "dense" => Self::Dense,
            "upsample" => Self::Pool,
            "dropout" => Self::Dropout,
            "add" | "mul" | "concat" => Self::Join,
            "flatten" | "reshape" | "pad" | "crop" | "channel_shuffle" | "slice" | "identity" => Self::Shape,
            "relu" | "relu6" | "leaky_relu" | "prelu" | "elu" | "gelu" | "silu" | "sigmoid" | "hard_sigmoid"
            | "hard_swish" | "tanh" | "softmax" | "log_softmax" => Self::Activation,
            _ => Self::Other,
        }
    }

    /// Whether such a layer starts a box of its own; the others are rows beneath the one before.
    pub fn heads_a_box(self) -> bool {
        matches!(self, Self::Conv | Self::Dense | Self::Pool | Self::Block | Self::Other)
    }

    /// The fill: light, and of different brightness, so that a copy in black and white can be read as well.
    pub fn fill(self) -> &'static str {
        match self {
            Self::Conv => "#c6dcf5",
            Self::Dense => "#d9caf0",
            Self::Pool => "#f6cbbf",
            Self::Norm => "#dfeed6",
            Self::Activation => "#fdf1c4",
            Self::Dropout => "#efefef",
            Self::Join => "#ffffff",
            Self::Shape => "#e2e5ea",
            Self::Block => "#d3e6e6",
            Self::Other => "#ffffff",
        }
    }
}

/// Fields that a picture leaves out: told by the shapes, or of no weight.
const LEFT_OUT: &[&str] = &[
    "padding",
    "output_padding",
    "bias",
    "ceil_mode",
    "count_include_pad",
    "eps",
    "momentum",
    "affine",
    "num_features",
    "num_channels",
    "normalized_shape",
    "num_parameters",
    "init",
    "seed",
    "start_dim",
    "end_dim",
    "align_corners",
    "alpha",
    "beta",
    "k",
];

/// The words for a layer, as papers have them: `conv 3×3, 64, stride 2`.
pub fn words(op: &Op) -> String {
    if Kind::of(op) == Kind::Other {
        return op.summary();
    }
    let fields = op.fields();
    let value = |name: &str| fields.iter().find(|field| field.name == name).map(|field| field.value.as_str());
    let groups = value("groups").filter(|groups| *groups != "1");
    let depthwise = groups.is_some() && groups == value("in_channels");
    let mut text = op.def().name.to_owned();
    if depthwise {
        text = format!("depthwise {text}");
    }
    let kernel = value("kernel_size").map(|kernel| sizes(kernel, fields_rank(op.name())));
    let out = value("out_channels").or(value("out_features")).map(str::to_owned);
    let mut parts: Vec<String> = kernel.into_iter().chain(out).collect();
    let pool = Kind::of(op) == Kind::Pool;
    for field in &fields {
        let told =
            matches!(field.name, "kernel_size") || field.name.starts_with("in_") || field.name.starts_with("out_");
        let same_stride = pool && field.name == "stride" && Some(field.value.as_str()) == value("kernel_size");
        let depth = depthwise && field.name == "groups";
        if field.default || told || same_stride || depth || LEFT_OUT.contains(&field.name) {
            continue;
        }
        let name = field.name.replace('_', " ");
        parts.push(match field.name {
            "p" | "output_size" | "size" | "negative_slope" | "num_groups" | "sides" => field.compact(),
            _ => format!("{name} {}", field.compact()),
        });
    }
    if !parts.is_empty() {
        text.push(' ');
        text.push_str(&parts.join(", "));
    }
    text
}

/// Over how many axes an operator slides, from its name: `Conv2d`.
fn fields_rank(name: &str) -> usize {
    name.strip_suffix('d').and_then(|rest| rest.chars().last()?.to_digit(10)).map_or(1, |rank| rank as usize)
}

/// A kernel's sizes, all of them: `3×3`.
fn sizes(value: &str, rank: usize) -> String {
    let inner = value.trim_start_matches('[').trim_end_matches(']');
    if inner.contains(", ") { inner.replace(", ", "×") } else { vec![inner; rank.max(1)].join("×") }
}
