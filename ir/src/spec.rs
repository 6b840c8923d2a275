//! What every op has: fields, a shape rule, parameters and a cost.

use crate::{Cost, Fault, Op, OpDef, Reach, Shape};
use std::fmt::Debug;

/// The specification of one op. See [`crate::ops`] for the list.
pub trait OpSpec: Debug + Clone + PartialEq + Into<Op> {
    /// The op's name in the language, its parameters and how it is made from a call.
    const DEF: OpDef;

    /// The operator's name, as in `Conv2d`.
    const NAME: &'static str;

    /// Whether the op joins several values: those of its branches, or the current one and those that are named.
    const JOINS: bool = false;

    /// Names that other frameworks have for it, in lower case, without `_` and `2d`.
    const ALIASES: &'static [&'static str] = &[];

    /// The fields in declaration order.
    fn fields(&self) -> Vec<Field>;

    /// The one shape rule: the output's shape for these inputs' shapes, without the batch.
    ///
    /// # Errors
    /// Inputs or fields that have no meaning together.
    fn output_shape(&self, inputs: &[&Shape]) -> Result<Shape, Fault>;

    /// What one element of the output depends on in each input, along the axes behind the channels.
    fn reach(&self, _input: &Shape, _output: &Shape) -> Reach {
        Reach::Point
    }

    /// The tensors this op owns, buffers included, in PyTorch's order.
    fn parameters(&self) -> Vec<TensorSpec> {
        Vec::new()
    }

    /// Multiply-accumulate operations for one example, given the output's shape.
    fn macs(&self, _output: &Shape) -> u64 {
        0
    }

    /// The cost for one example.
    fn cost(&self, output: &Shape) -> Cost {
        let tensors = self.parameters();
        let params =
            tensors.iter().filter(|tensor| tensor.trainable).map(TensorSpec::elements).fold(0, u64::saturating_add);
        Cost { params, macs: self.macs(output) }
    }
}

/// One field of a spec: its name and its value as a Rust literal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// The field's name.
    pub name: &'static str,
    /// The value, as Rust writes it: `6`, `[5, 5]`, `true`, `0.5`, `PadMode::Reflect`.
    pub value: String,
    /// Its type, as Rust writes it.
    pub ty: &'static str,
    /// Whether `new` takes the field as an argument.
    pub required: bool,
    /// Whether the value is what `new` sets by itself.
    pub default: bool,
}

impl Field {
    /// The value as a table shows it: `[5, 5]` as `5`, `[5, 3]` as `5×3`, `Some(3)` as `3`, `PadMode::Reflect` as `reflect`.
    pub fn compact(&self) -> String {
        let value = self.value.as_str();
        let inner = value.strip_prefix("Some(").and_then(|rest| rest.strip_suffix(')')).unwrap_or(value);
        if let Some((_, variant)) = inner.split_once("::") {
            return variant.to_lowercase();
        }
        let list = inner.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let Some(list) = list else { return inner.to_owned() };
        let items: Vec<&str> = list.split(", ").collect();
        match items.split_first() {
            Some((first, rest)) if rest.iter().all(|item| item == first) => (*first).to_owned(),
            _ => items.join("×"),
        }
    }
}

/// A tensor that an op owns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorSpec {
    /// `weight`, `bias`, … as in PyTorch's state dict.
    pub name: &'static str,
    /// The shape: OIHW for convolutions, `[out, in]` for dense layers.
    pub shape: Vec<usize>,
    /// Whether training moves it along its gradient; if not, it is a buffer, such as a running mean.
    pub trainable: bool,
}

impl TensorSpec {
    /// A trainable tensor from its name and shape.
    pub fn new(name: &'static str, shape: &[usize]) -> Self {
        Self { name, shape: shape.to_vec(), trainable: true }
    }

    /// A buffer: it belongs to the state, but has no gradient and is not counted among the parameters.
    pub fn buffer(name: &'static str, shape: &[usize]) -> Self {
        Self { trainable: false, ..Self::new(name, shape) }
    }

    /// The number of elements, saturating.
    pub fn elements(&self) -> u64 {
        self.shape.iter().fold(1u64, |n, &d| n.saturating_mul(d as u64))
    }
}

/// Declares a spec: the fields that `new` takes, then the others with their defaults. It may have sizes, such as the number
/// of its axes.
macro_rules! spec {
    (
        $(#[$meta:meta])*
        $spec:ident $(<$($size:ident),+>)? {
            $($(#[$req_meta:meta])* $req:ident: $req_ty:ty,)*
            ;
            $($(#[$opt_meta:meta])* $opt:ident: $opt_ty:ty = $default:expr,)*
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq)]
        pub struct $spec $(<$(const $size: usize),+>)? {
            $($(#[$req_meta])* pub $req: $req_ty,)*
            $($(#[$opt_meta])* pub $opt: $opt_ty,)*
        }

        impl $(<$(const $size: usize),+>)? $spec $(<$($size),+>)? {
            /// The spec with PyTorch's defaults for all other fields.
            #[allow(clippy::new_without_default)]
            pub fn new($($req: $req_ty),*) -> Self {
                Self { $($req,)* $($opt: $default,)* }
            }

            fn list_fields(&self) -> Vec<$crate::Field> {
                vec![
                    $($crate::Field {
                        name: stringify!($req),
                        value: format!("{:?}", self.$req),
                        ty: stringify!($req_ty),
                        required: true,
                        default: false,
                    },)*
                    $($crate::Field {
                        name: stringify!($opt),
                        value: format!("{:?}", self.$opt),
                        ty: stringify!($opt_ty),
                        required: false,
                        default: self.$opt == $default,
                    },)*
                ]
            }
        }
    };
}
pub(crate) use spec;

/// Declares a choice between ways of doing something: each variant with its word in the language.
macro_rules! choice {
    (
        $(#[$meta:meta])*
        $choice:ident {
            $($(#[$variant_meta:meta])* $variant:ident = $word:literal,)*
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $choice {
            $($(#[$variant_meta])* $variant,)*
        }

        impl $choice {
            /// The words of the language, in the order of the variants.
            pub const WORDS: &'static [&'static str] = &[$($word),*];

            /// The choice that a word stands for.
            pub fn from_word(word: &str) -> Option<Self> {
                match word {
                    $($word => Some(Self::$variant),)*
                    _ => None,
                }
            }
        }

        /// As Rust writes it, with the type: the value of a [`Field`](crate::Field).
        impl std::fmt::Debug for $choice {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                match self { $(Self::$variant => f.write_str(concat!(stringify!($choice), "::", stringify!($variant))),)* }
            }
        }
    };
}
pub(crate) use choice;
