//! The stable codes of the faults that ops and networks raise. The language adds its own.

use std::fmt;

/// A kind of error: a stable name and the explanation that `cnn explain` prints.
#[derive(PartialEq, Eq)]
pub struct Code {
    /// The name, `cnn::snake_case`.
    pub name: &'static str,
    /// What it means, why it is an error and how to mend it; a few lines.
    pub explanation: &'static str,
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

macro_rules! codes {
    ($($(#[doc = $doc:literal])* $name:ident = $text:literal;)*) => {
        $(
            $(#[doc = $doc])*
            pub static $name: Code = Code { name: $text, explanation: concat!($($doc, "\n"),*) };
        )*
        /// Every code of this crate.
        pub static ALL: &[&Code] = &[$(&$name),*];
    };
}

codes! {
    /// An argument has a value that the layer cannot take: a size of zero, a probability above one, a padding
    /// larger than half of a pooling window. Likewise an argument of a loss, an optimizer or an initialiser, and a setting
    /// of `train { … }`. The message says which values are allowed.
    BAD_ARGUMENT = "cnn::bad_argument";

    /// The value that reaches a layer has the wrong number of axes: `conv` and the pools take maps (channels, height,
    /// width), `dense` takes a vector. Between the two belongs a `flatten`.
    BAD_RANK = "cnn::bad_rank";

    /// A shape is empty or has a size of zero. Shapes are channels first, without the batch: `[1, 28, 28]`.
    BAD_SHAPE = "cnn::bad_shape";

    /// `groups` must divide both the channels that come in and the channels that go out: each group sees its own
    /// share of the input and makes its own share of the output.
    GROUPS_MISMATCH = "cnn::groups_mismatch";

    /// The window of a convolution or a pool does not fit into the padded input, so there would be no output. Use a
    /// smaller kernel or dilation, more padding, or fewer strides before this layer.
    KERNEL_TOO_LARGE = "cnn::kernel_too_large";

    /// Values that meet do not fit: `add` and `mul` take values of one shape (`mul` also C×1×1 beside C×H×W), `concat`
    /// values that differ on its own axis alone. Usually a stride, a padding or the channels differ between branches.
    /// In calls on a `Builder` it also tells of a layer that was made for another shape than the one it was given.
    SHAPE_MISMATCH = "cnn::shape_mismatch";

    /// Two layers of one block have the same name, so their parameters could not be told apart.
    DUPLICATE_NAME = "cnn::duplicate_name";

    /// A network needs at least one input and one output.
    INCOMPLETE_NETWORK = "cnn::incomplete_network";

    /// What is applied again must be an earlier layer or block instance with the same parameters: same names, same
    /// shapes. In the language `share name` sees to that; a hand-written call on a `Builder` must name one itself.
    NOT_SHARED = "cnn::not_shared";

    /// A value made within `train_only { … }` is not there when the network only predicts, so nothing outside of
    /// `train_only` may depend on it.
    TRAIN_ONLY_VALUE = "cnn::train_only_value";

    /// A tensor, a network or a total is larger than the engines can count. One tensor may have 2 147 483 647
    /// elements, one network 100 000 layers.
    TOO_LARGE = "cnn::too_large";
}
