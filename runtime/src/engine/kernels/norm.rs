//! Norms by the statistics of the value itself, in place: group, instance and layer norm.

use super::{Call, Kernel, activation::Epilogue};
use crate::engine::select::Layer;
use crate::engine::simd::{MAX_LANES, Simd, per_isa, reduce_add};
use crate::weights::SharedTensor;
use crate::{Error, Weights};
use cnn_ir::ops::{GroupNormSpec, InstanceNormSpec, LayerNormSpec};

/// Elements that are summed in f32 before the sum goes on in f64.
const BLOCK: usize = 1024;

/// (x − μ) / √(σ² + ε) · γ + β over adjacent elements.
pub(crate) struct Norm {
    name: &'static str,
    /// Elements that share a mean and a variance.
    part: usize,
    /// Adjacent elements that share a weight and a bias.
    run: usize,
    eps: f64,
    weight: Option<SharedTensor>,
    bias: Option<SharedTensor>,
    code: Code,
    epilogue: Epilogue,
}

struct Code {
    sum: unsafe fn(&[f32], f32) -> f32,
    sum_squares: unsafe fn(&[f32], f32) -> f32,
    run: unsafe fn(&mut [f32], &Run),
    elements: unsafe fn(&mut [f32], &Run, &[f32], &[f32]),
}

/// What one run of elements becomes: (x − mean) · factor + addend.
struct Run {
    mean: f32,
    factor: f32,
    addend: f32,
}

impl Norm {
    pub fn group(spec: &GroupNormSpec, layer: &Layer<'_>, weights: &Weights) -> Result<Self, Error> {
        let plane = plane(layer);
        Self::new("group_norm", [spec.num_channels / spec.num_groups * plane, plane], spec.eps, layer, weights)
    }

    pub fn instance(spec: &InstanceNormSpec, layer: &Layer<'_>, weights: &Weights) -> Result<Self, Error> {
        Self::new("instance_norm", [plane(layer); 2], spec.eps, layer, weights)
    }

    pub fn layer(spec: &LayerNormSpec, layer: &Layer<'_>, weights: &Weights) -> Result<Self, Error> {
        Self::new("layer_norm", [spec.normalized_shape.iter().product(), 1], spec.eps, layer, weights)
    }

    fn new(
        name: &'static str,
        [part, run]: [usize; 2],
        eps: f64,
        layer: &Layer<'_>,
        weights: &Weights,
    ) -> Result<Self, Error> {
        let shared = |name| layer.parameter(name).ok().map(|name| weights.shared(name)).transpose();
        let isa = layer.isa;
        let code =
            Code { sum: sum_of(isa), sum_squares: sum_squares_of(isa), run: run_of(isa), elements: elements_of(isa) };
        let (weight, bias) = (shared("weight")?, shared("bias")?);
        Ok(Self { name, part, run, eps, weight, bias, code, epilogue: layer.epilogue() })
    }

    /// The mean and 1 / √(σ² + ε), in two passes.
    fn statistics(&self, part: &[f32]) -> (f32, f32) {
        let total = |sum: unsafe fn(&[f32], f32) -> f32, mean: f32| {
            let mut total = 0.0;
            for block in part.chunks(BLOCK) {
                // SAFETY: the instruction set was checked before the kernel was made.
                total += f64::from(unsafe { sum(block, mean) });
            }
            total / part.len() as f64
        };
        let mean = total(self.code.sum, 0.0) as f32;
        let variance = total(self.code.sum_squares, mean);
        (mean, (1.0 / (variance + self.eps).sqrt()) as f32)
    }
}

/// Elements of one channel.
fn plane(layer: &Layer<'_>) -> usize {
    layer.output.iter().skip(1).product()
}

impl Kernel for Norm {
    fn in_place(&self) -> bool {
        true
    }

    fn run(&self, call: Call<'_>) {
        let (weight, bias) =
            (self.weight.as_ref().map(SharedTensor::data), self.bias.as_ref().map_or(&[][..], SharedTensor::data));
        for (number, part) in call.output.chunks_exact_mut(self.part).enumerate() {
            let (mean, factor) = self.statistics(part);
            let whole = Run { mean, factor, addend: 0.0 };
            // SAFETY: the instruction set was checked before the kernel was made.
            unsafe {
                match weight {
                    None => (self.code.run)(part, &whole),
                    Some(weight) => {
                        let runs = self.part / self.run;
                        let first = number * runs % weight.len();
                        let weight = &weight[first..first + runs];
                        let bias = bias.get(first..first + runs).unwrap_or(&[]);
                        if self.run == 1 {
                            (self.code.elements)(part, &whole, weight, bias);
                        } else {
                            for (i, run) in part.chunks_exact_mut(self.run).enumerate() {
                                let addend = bias.get(i).copied().unwrap_or(0.0);
                                (self.code.run)(run, &Run { mean, factor: factor * weight[i], addend });
                            }
                        }
                    }
                }
            }
            self.epilogue.apply(part);
        }
    }
}

impl std::fmt::Debug for Norm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.epilogue.name(self.name, f)
    }
}

per_isa!(fn sum_of(data: &[f32], mean: f32) -> f32 = sum_body);
per_isa!(fn sum_squares_of(data: &[f32], mean: f32) -> f32 = sum_squares_body);
per_isa!(fn run_of(data: &mut [f32], run: &Run) = run_body);
per_isa!(fn elements_of(data: &mut [f32], run: &Run, weight: &[f32], bias: &[f32]) = elements_body);

/// # Safety
/// The CPU has the vector's instruction set.
#[inline(always)]
unsafe fn sum_body<S: Simd>(data: &[f32], _: f32) -> f32 {
    let (start, n) = (data.as_ptr(), data.len());
    let mut i = 0;
    // SAFETY: i + LANES ≤ n in the loop and i + rest = n after it; the CPU has the instruction set.
    unsafe {
        let mut sum = S::splat(0.0);
        while i + S::LANES <= n {
            sum = sum.add(S::load(start.add(i)));
            i += S::LANES;
        }
        if i < n {
            sum = sum.add(S::load_first(start.add(i), n - i));
        }
        reduce_add(sum)
    }
}

/// # Safety
/// The CPU has the vector's instruction set.
#[inline(always)]
unsafe fn sum_squares_body<S: Simd>(data: &[f32], mean: f32) -> f32 {
    let (start, n) = (data.as_ptr(), data.len());
    let mut i = 0;
    // SAFETY: i + LANES ≤ n in the loop and i + rest = n after it; the CPU has the instruction set.
    unsafe {
        let mean = S::splat(mean);
        let mut sum = S::splat(0.0);
        while i + S::LANES <= n {
            let x = S::load(start.add(i)).sub(mean);
            sum = x.mul_add(x, sum);
            i += S::LANES;
        }
        if i < n {
            // Only the lanes in use may enter the sum.
            let mut lanes = [0.0f32; MAX_LANES];
            S::load_first(start.add(i), n - i).sub(mean).store_first(lanes.as_mut_ptr(), n - i);
            let x = S::load(lanes.as_ptr());
            sum = x.mul_add(x, sum);
        }
        reduce_add(sum)
    }
}

/// # Safety
/// The CPU has the vector's instruction set.
#[inline(always)]
unsafe fn run_body<S: Simd>(data: &mut [f32], run: &Run) {
    let (start, n) = (data.as_mut_ptr(), data.len());
    let mut i = 0;
    // SAFETY: i + LANES ≤ n in the loop and i + rest = n after it; the CPU has the instruction set.
    unsafe {
        let (mean, factor, addend) = (S::splat(run.mean), S::splat(run.factor), S::splat(run.addend));
        while i + S::LANES <= n {
            S::load(start.add(i)).sub(mean).mul_add(factor, addend).store(start.add(i));
            i += S::LANES;
        }
        if i < n {
            let x = S::load_first(start.add(i), n - i);
            x.sub(mean).mul_add(factor, addend).store_first(start.add(i), n - i);
        }
    }
}

/// A weight for each element, and a bias if the slice is not empty. Left to the compiler to vectorise.
///
/// # Safety
/// The CPU has the vector's instruction set.
#[inline(always)]
unsafe fn elements_body<S: Simd>(data: &mut [f32], run: &Run, weight: &[f32], bias: &[f32]) {
    if bias.is_empty() {
        for (x, &w) in data.iter_mut().zip(weight) {
            *x = (*x - run.mean) * run.factor * w;
        }
    } else {
        for ((x, &w), &b) in data.iter_mut().zip(weight).zip(bias) {
            *x = (*x - run.mean) * run.factor * w + b;
        }
    }
}
