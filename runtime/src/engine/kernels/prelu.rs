//! Rectified linear unit with a trained slope, in place.

use super::map::{MapFn, leaky_relu_of};
use super::{Call, Kernel};
use crate::engine::select::Layer;
use crate::engine::simd::{Simd, per_isa};
use crate::weights::SharedTensor;
use crate::{Error, Weights};

/// x at and above 0, the channel's weight times x below.
pub(crate) struct Prelu {
    weight: SharedTensor,
    /// Adjacent elements that share a weight.
    run: usize,
    map: MapFn,
    elements: unsafe fn(&mut [f32], &[f32]),
}

impl Prelu {
    pub fn new(layer: &Layer<'_>, weights: &Weights) -> Result<Self, Error> {
        let weight = weights.shared(layer.parameter("weight")?)?;
        let elements: usize = layer.output.iter().product();
        let run = elements / weight.data().len().max(1);
        Ok(Self { weight, run, map: leaky_relu_of(layer.isa), elements: elements_of(layer.isa) })
    }
}

impl Kernel for Prelu {
    fn in_place(&self) -> bool {
        true
    }

    fn run(&self, call: Call<'_>) {
        let weight = self.weight.data();
        for example in call.output.chunks_exact_mut(self.run * weight.len()) {
            // SAFETY: the instruction set was checked before the kernel was made.
            unsafe {
                if self.run == 1 {
                    (self.elements)(example, weight);
                } else {
                    for (run, &weight) in example.chunks_exact_mut(self.run).zip(weight) {
                        (self.map)(run, weight);
                    }
                }
            }
        }
    }
}

impl std::fmt::Debug for Prelu {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("prelu")
    }
}

per_isa!(fn elements_of(data: &mut [f32], weight: &[f32]) = elements_body);

/// Left to the compiler to vectorise.
///
/// # Safety
/// The CPU has the vector's instruction set.
#[inline(always)]
unsafe fn elements_body<S: Simd>(data: &mut [f32], weight: &[f32]) {
    for (x, &weight) in data.iter_mut().zip(weight) {
        *x = if *x < 0.0 { *x * weight } else { *x };
    }
}
