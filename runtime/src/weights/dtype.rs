//! How the weights of dense layers are stored.

use crate::Error;
use half::slice::{HalfBitsSliceExt, HalfFloatSliceExt};
use half::{bf16, f16};
use std::fmt;
use std::str::FromStr;

/// The type in which the weights of dense layers are stored: 16 bits take half the memory, and half the time where
/// memory limits the layer. Sums are of f32, and so are the weights of all other layers and all values.
///
/// Weights are rounded once, to the nearest. That changes an output y = Σ w·x + b by no more than Σ e(w)·|x|, where
/// e(w) is what rounding changes a weight: at most 2⁻¹¹·|w| for `F16`, or 2⁻²⁵ where that is more (below 2⁻¹⁴), and
/// 2⁻⁸·|w| for `Bf16`.
///
/// ```
/// use cnn_runtime::{CompileOptions, WeightDtype};
///
/// # fn main() -> Result<(), cnn_runtime::Error> {
/// let options = CompileOptions { weight_dtype: "f16".parse()?, ..CompileOptions::default() };
/// assert_eq!(options.weight_dtype, WeightDtype::F16);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum WeightDtype {
    /// As they are.
    #[default]
    F32,
    /// IEEE 754 binary16: 11 significant bits, at most 65504; larger weights are an error.
    F16,
    /// The upper half of f32: 8 significant bits.
    Bf16,
}

impl WeightDtype {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::F32, Self::F16, Self::Bf16];

    /// Bytes of a weight.
    pub(crate) fn bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 | Self::Bf16 => 2,
        }
    }

    /// Writes the bits of 16-bit weights of equally many elements.
    ///
    /// # Errors
    /// The first element that becomes infinite or is no number.
    pub(crate) fn round(self, elements: &[f32], to: &mut [u16]) -> Result<(), f32> {
        // All bits of the exponent: infinite, or no number.
        let infinite = match self {
            Self::Bf16 => {
                to.reinterpret_cast_mut::<bf16>().convert_from_f32_slice(elements);
                0x7f80
            }
            Self::F32 | Self::F16 => {
                to.reinterpret_cast_mut::<f16>().convert_from_f32_slice(elements);
                0x7c00
            }
        };
        match to.iter().zip(elements).find(|(bits, _)| **bits & infinite == infinite) {
            Some((_, &element)) => Err(element),
            None => Ok(()),
        }
    }
}

/// `f32`, `f16`, `bf16`.
impl fmt::Display for WeightDtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Bf16 => "bf16",
        })
    }
}

impl FromStr for WeightDtype {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        let found = Self::ALL.into_iter().find(|dtype| dtype.to_string() == name);
        found.ok_or_else(|| Error::UnknownWeightDtype {
            name: name.to_owned(),
            known: Self::ALL.map(|dtype| dtype.to_string()).join(", "),
        })
    }
}
