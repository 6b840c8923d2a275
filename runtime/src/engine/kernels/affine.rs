//! One factor and one addend per channel, in place, and a value added: batch norm that could not be folded.

use super::arithmetic::{Combine, add_of};
use super::{Call, Kernel, activation::Epilogue};
use crate::engine::fold::Affine;
use crate::engine::select::Layer;
use crate::engine::simd::{Simd, per_isa};
use crate::{Error, Weights};
use cnn_ir::ops::BatchNormSpec;

/// y = factor · x + addend.
pub(crate) struct ChannelAffine {
    factors: Vec<f32>,
    addends: Vec<f32>,
    /// Elements of one map.
    plane: usize,
    map: unsafe fn(&mut [f32], f32, f32),
    vector: unsafe fn(&mut [f32], &[f32], &[f32]),
    /// For the residual.
    add: Option<Combine>,
    epilogue: Epilogue,
}

impl ChannelAffine {
    pub fn batch_norm(spec: &BatchNormSpec, layer: &Layer<'_>, weights: &Weights) -> Result<Self, Error> {
        let [factors, addends] = Affine::new(spec, layer.parameters, weights)?.to_f32();
        let plane = layer.output.iter().skip(1).product();
        let (map, vector) = (map_of(layer.isa), vector_of(layer.isa));
        let add = layer.residual.then(|| add_of(layer.isa));
        Ok(Self { factors, addends, plane, map, vector, add, epilogue: layer.epilogue() })
    }
}

impl Kernel for ChannelAffine {
    fn in_place(&self) -> bool {
        true
    }

    fn run(&self, call: Call<'_>) {
        let residual = self.add.map(|add| (add, call.others.get(0)));
        let finish = |part: &mut [f32], start: usize| {
            if let Some((add, residual)) = residual {
                // SAFETY: the instruction set was checked before the kernel was made.
                unsafe { add(part, &residual[start..]) };
            }
            self.epilogue.apply(part);
        };
        let elements = self.factors.len() * self.plane;
        for (number, example) in call.output.chunks_exact_mut(elements).enumerate() {
            let start = number * elements;
            if self.plane == 1 {
                // SAFETY: the instruction set was checked before the kernel was made; all have one length.
                unsafe { (self.vector)(example, &self.factors, &self.addends) };
                finish(example, start);
                continue;
            }
            let channels = self.factors.iter().zip(&self.addends);
            for (channel, (map, (&factor, &addend))) in example.chunks_exact_mut(self.plane).zip(channels).enumerate() {
                // SAFETY: the instruction set was checked before the kernel was made.
                unsafe { (self.map)(map, factor, addend) };
                finish(map, start + channel * self.plane);
            }
        }
    }
}

impl std::fmt::Debug for ChannelAffine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.epilogue.name("channel_affine", f)
    }
}

per_isa!(pub(crate) fn map_of(data: &mut [f32], factor: f32, addend: f32) = map_body);
per_isa!(pub(crate) fn vector_of(data: &mut [f32], factors: &[f32], addends: &[f32]) = vector_body);

/// # Safety
/// The CPU has the vector's instruction set.
#[inline(always)]
unsafe fn map_body<S: Simd>(data: &mut [f32], factor: f32, addend: f32) {
    let (start, n) = (data.as_mut_ptr(), data.len());
    let mut i = 0;
    // SAFETY: i + LANES ≤ n in the loop and i + rest = n after it; the CPU has the instruction set.
    unsafe {
        let (factor, addend) = (S::splat(factor), S::splat(addend));
        while i + S::LANES <= n {
            S::load(start.add(i)).mul_add(factor, addend).store(start.add(i));
            i += S::LANES;
        }
        if i < n {
            S::load_first(start.add(i), n - i).mul_add(factor, addend).store_first(start.add(i), n - i);
        }
    }
}

/// # Safety
/// The CPU has the vector's instruction set; the slices have one length.
#[inline(always)]
unsafe fn vector_body<S: Simd>(data: &mut [f32], factors: &[f32], addends: &[f32]) {
    let (start, n) = (data.as_mut_ptr(), data.len());
    let (factors, addends) = (factors.as_ptr(), addends.as_ptr());
    let mut i = 0;
    // SAFETY: i + LANES ≤ n in the loop and i + rest = n after it, for all three; the CPU has the instruction set.
    unsafe {
        while i + S::LANES <= n {
            let y = S::load(start.add(i)).mul_add(S::load(factors.add(i)), S::load(addends.add(i)));
            y.store(start.add(i));
            i += S::LANES;
        }
        if i < n {
            let rest = n - i;
            let (factor, addend) = (S::load_first(factors.add(i), rest), S::load_first(addends.add(i), rest));
            S::load_first(start.add(i), rest).mul_add(factor, addend).store_first(start.add(i), rest);
        }
    }
}
