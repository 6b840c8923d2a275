//! Sums and products of values, element by element, and a product with a value added.

use super::{Call, Kernel, activation::Epilogue};
use crate::engine::select::Layer;
use crate::engine::simd::{Simd, per_isa};

/// Elements that are finished before the next are begun, so that they stay in the nearest cache.
const BLOCK: usize = 4096;

/// `output ∘= input`.
pub(super) type Combine = unsafe fn(&mut [f32], &[f32]);

/// The sum or the product of two or more values.
pub(crate) struct Arithmetic {
    name: &'static str,
    combine: Combine,
    add: Combine,
    scale: unsafe fn(&mut [f32], f32),
    /// Elements of one map when some inputs have one factor for each, otherwise [`BLOCK`].
    block: usize,
    /// Inputs but for the residual, which is added to the rest.
    terms: usize,
    epilogue: Epilogue,
}

impl Arithmetic {
    pub fn add(layer: &Layer<'_>) -> Self {
        Self::new("add", add_of(layer.isa), layer)
    }

    pub fn mul(layer: &Layer<'_>) -> Self {
        Self::new("mul", mul_of(layer.isa), layer)
    }

    fn new(name: &'static str, combine: Combine, layer: &Layer<'_>) -> Self {
        let elements = |shape: &[usize]| shape.iter().product::<usize>();
        let output = elements(layer.output);
        let smallest = layer.inputs.iter().map(|shape| elements(shape)).min().unwrap_or(output);
        let block = if smallest < output { output / smallest } else { BLOCK };
        let terms = layer.inputs.len() - usize::from(layer.residual);
        let (add, scale) = (add_of(layer.isa), scale_of(layer.isa));
        Self { name, combine, add, scale, block, terms, epilogue: layer.epilogue() }
    }
}

impl Kernel for Arithmetic {
    fn may_overwrite(&self) -> usize {
        self.terms
    }

    fn run(&self, call: Call<'_>) {
        let whole = call.output.len();
        for (number, output) in call.output.chunks_mut(self.block).enumerate() {
            let start = number * self.block;
            match call.input {
                [] => {} // it is in the output
                input if input.len() == whole => output.copy_from_slice(&input[start..][..output.len()]),
                factors => output.fill(factors[number]),
            }
            for i in 0..call.others.len() {
                let input = call.others.get(i);
                // SAFETY: the instruction set was checked before the kernel was made.
                unsafe {
                    match input.len() == whole {
                        _ if i + 1 == self.terms => (self.add)(output, &input[start..]),
                        true => (self.combine)(output, &input[start..]),
                        false => (self.scale)(output, input[number]),
                    }
                }
            }
            self.epilogue.apply(output);
        }
    }
}

impl std::fmt::Debug for Arithmetic {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.epilogue.name(self.name, f)
    }
}

// The loops are left to the compiler to vectorise.
per_isa!(pub(super) fn add_of(output: &mut [f32], input: &[f32]) = add_body);
per_isa!(fn mul_of(output: &mut [f32], input: &[f32]) = mul_body);
per_isa!(fn scale_of(output: &mut [f32], factor: f32) = scale_body);

#[inline(always)]
unsafe fn add_body<S: Simd>(output: &mut [f32], input: &[f32]) {
    for (y, &x) in output.iter_mut().zip(input) {
        *y += x;
    }
}

#[inline(always)]
unsafe fn mul_body<S: Simd>(output: &mut [f32], input: &[f32]) {
    for (y, &x) in output.iter_mut().zip(input) {
        *y *= x;
    }
}

#[inline(always)]
unsafe fn scale_body<S: Simd>(output: &mut [f32], factor: f32) {
    for y in output {
        *y *= factor;
    }
}
