//! Local response norm.

use super::{Call, Kernel};
use crate::engine::select::Layer;
use crate::engine::simd::{Simd, per_isa};
use cnn_ir::ops::LocalResponseNormSpec;

/// x / (k + α/n · Σ x²)^β.
pub(crate) struct LocalResponseNorm {
    code: unsafe fn(&Geometry, &[f32], &mut [f32]),
    geometry: Geometry,
}

struct Geometry {
    channels: usize,
    /// Elements of one channel.
    plane: usize,
    /// Channels before and behind.
    before: usize,
    behind: usize,
    /// α/n.
    factor: f32,
    k: f32,
    beta: f32,
}

impl LocalResponseNorm {
    pub fn new(spec: &LocalResponseNormSpec, layer: &Layer<'_>) -> Self {
        let channels = layer.input.first().copied().unwrap_or(1);
        let geometry = Geometry {
            channels,
            plane: layer.input.iter().skip(1).product(),
            before: spec.size / 2,
            behind: (spec.size - 1) / 2,
            factor: (spec.alpha / spec.size as f64) as f32,
            k: spec.k as f32,
            beta: spec.beta as f32,
        };
        Self { code: norm_of(layer.isa), geometry }
    }
}

impl Kernel for LocalResponseNorm {
    fn run(&self, call: Call<'_>) {
        // SAFETY: the instruction set was checked before the kernel was made.
        unsafe { (self.code)(&self.geometry, call.input, call.output) };
    }
}

impl std::fmt::Debug for LocalResponseNorm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("local_response_norm")
    }
}

per_isa!(fn norm_of(geometry: &Geometry, input: &[f32], output: &mut [f32]) = norm_body);

/// The loops are left to the compiler to vectorise.
///
/// # Safety
/// The CPU has the vector's instruction set.
#[inline(always)]
unsafe fn norm_body<S: Simd>(geometry: &Geometry, input: &[f32], output: &mut [f32]) {
    let &Geometry { channels, plane, before, behind, factor, k, beta } = geometry;
    let example = channels * plane;
    for (input, output) in input.chunks_exact(example).zip(output.chunks_exact_mut(example)) {
        for (channel, sum) in output.chunks_exact_mut(plane).enumerate() {
            let first = channel.saturating_sub(before);
            let last = channel.saturating_add(behind).min(channels - 1);
            sum.fill(0.0);
            for x in input[first * plane..(last + 1) * plane].chunks_exact(plane) {
                for (sum, &x) in sum.iter_mut().zip(x) {
                    *sum += x * x;
                }
            }
            let x = &input[channel * plane..][..plane];
            // The exponent of AlexNet and GoogLeNet is two roots away; any other needs a power.
            if beta == 0.75 {
                for (y, &x) in sum.iter_mut().zip(x) {
                    let root = (k + factor * *y).sqrt();
                    *y = x / (root * root.sqrt());
                }
            } else {
                for (y, &x) in sum.iter_mut().zip(x) {
                    *y = x / (k + factor * *y).powf(beta);
                }
            }
        }
    }
}
