//! Element-wise layers of blocked maps with numbers of each channel's own: batch norm that is not folded, PReLU, products with
//! one factor per channel; and with a value added.

use crate::buffer::Buffer;
use crate::engine::Isa;
use crate::engine::fold::Affine;
use crate::engine::kernels::activation::Epilogue;
use crate::engine::kernels::split::split;
use crate::engine::kernels::{Call, Kernel};
use crate::engine::select::Layer;
use crate::engine::simd::{Simd, per_isa};
use crate::engine::threads::{Shared, Threads};
use crate::{Error, Weights};
use cnn_ir::Op;
use cnn_ir::ops::BatchNormSpec;
use std::ptr::null;

/// Adjacent pixels of one block of channels: y = f(x, a, b) + r within the limits.
struct Run {
    /// What comes in, one vector for each pixel; or the same for all, when the step is 0.
    x: *const f32,
    x_step: usize,
    /// Likewise.
    a: *const f32,
    a_step: usize,
    /// One vector.
    b: *const f32,
    /// One vector for each pixel, or null.
    r: *const f32,
    y: *mut f32,
    pixels: usize,
    limits: [f32; 2],
}

type Code = unsafe fn(&Run);

/// The most pixels of a run: it stays in the nearest cache.
const RUN: usize = 256;

/// Blocked maps cut into runs.
struct Maps {
    blocks: usize,
    pixels: usize,
    lanes: usize,
}

impl Maps {
    fn of(layer: &Layer<'_>) -> Self {
        let lanes = layer.isa.lanes();
        let channels = layer.output.first().copied().unwrap_or(1);
        Self { blocks: channels.div_ceil(lanes), pixels: layer.output.iter().skip(1).product(), lanes }
    }

    /// Calls `task` with every run of the maps: the plane, where the run begins in the maps, and its elements.
    fn each(&self, maps: &mut [f32], threads: &Threads, task: impl Fn(usize, usize, &mut [f32]) + Sync) {
        let runs = self.pixels.div_ceil(RUN);
        let planes = maps.len() / (self.pixels * self.lanes);
        let maps = Shared::new(maps);
        split(threads, planes * runs, RUN * self.lanes, |parts| {
            for part in parts {
                let (plane, first) = (part / runs, part % runs * RUN);
                let start = (plane * self.pixels + first) * self.lanes;
                let elements = RUN.min(self.pixels - first) * self.lanes;
                // SAFETY: no other task has this run.
                task(plane, start, unsafe { maps.part(start..start + elements) });
            }
        });
    }
}

/// A function of an element and two numbers of its channel.
pub(crate) struct ChannelMap {
    name: &'static str,
    maps: Maps,
    /// `[blocks][lanes]`, zero behind the last channel.
    a: Buffer,
    b: Buffer,
    code: Code,
    residual: bool,
    epilogue: Epilogue,
}

impl ChannelMap {
    /// What comes before another layer: batch norm, or the product with factors that are a value; see [`Self::apply`].
    pub fn prologue(layer: &Layer<'_>, weights: &Weights) -> Result<Self, Error> {
        match layer.op {
            Op::BatchNorm(spec) => Self::batch_norm(spec, layer, weights),
            Op::Mul(_) => Self::new("mul", layer, &[], &[], mul_add_of(layer.isa)),
            _ => Err(layer.error("it cannot come before another layer")),
        }
    }

    /// Batch norm: a factor and an addend.
    pub fn batch_norm(spec: &BatchNormSpec, layer: &Layer<'_>, weights: &Weights) -> Result<Self, Error> {
        let [factors, addends] = Affine::new(spec, layer.parameters, weights)?.to_f32();
        Self::new("channel_affine", layer, &factors, &addends, mul_add_of(layer.isa))
    }

    /// x at and above 0, the channel's weight times x below.
    pub fn prelu(layer: &Layer<'_>, weights: &Weights) -> Result<Self, Error> {
        let weight = weights.get(layer.parameter("weight")?)?;
        Self::new("prelu", layer, weight.data(), &[], prelu_of(layer.isa))
    }

    /// One number of `a` and `b` for each channel, or one for all.
    fn new(name: &'static str, layer: &Layer<'_>, a: &[f32], b: &[f32], code: Code) -> Result<Self, Error> {
        let maps = Maps::of(layer);
        let channels = layer.output.first().copied().unwrap_or(1);
        let padded = |values: &[f32]| {
            let mut buffer = Buffer::zeros(maps.blocks * maps.lanes, "packed weights")?;
            for (i, to) in buffer.as_mut_slice().iter_mut().take(channels).enumerate() {
                *to = values.get(i).or(values.first()).copied().unwrap_or(0.0);
            }
            Ok::<_, Error>(buffer)
        };
        let (a, b) = (padded(a)?, padded(b)?);
        Ok(Self { name, maps, a, b, code, residual: layer.residual, epilogue: layer.epilogue() })
    }

    /// Makes pixels of one block of channels, of as many pixels `x`; `factors`, when given, in place of the map's own.
    pub fn apply(&self, block: usize, factors: Option<&[f32]>, x: &[f32], y: &mut [f32]) {
        let lanes = self.maps.lanes;
        let a = factors.unwrap_or(&self.a.as_slice()[block * lanes..]);
        let pixels = x.len().min(y.len()) / lanes;
        // SAFETY: `x` and `y` have so many pixels.
        unsafe { self.run(block, &a[..lanes], x.as_ptr(), null(), &mut y[..pixels * lanes]) };
    }

    /// # Safety
    /// As many pixels as in `y` can be read at `x`, and at `r`, unless that is null.
    unsafe fn run(&self, block: usize, a: &[f32], x: *const f32, r: *const f32, y: &mut [f32]) {
        let lanes = self.maps.lanes;
        let (a, b) = (a.as_ptr(), self.b.as_slice()[block * lanes..].as_ptr());
        let (pixels, limits) = (y.len() / lanes, self.epilogue.limits());
        // SAFETY: the instruction set was checked before the kernel was made; `a` and `b` are vectors, and the caller
        // keeps the rest.
        unsafe { (self.code)(&Run { x, x_step: lanes, a, a_step: 0, b, r, y: y.as_mut_ptr(), pixels, limits }) };
        if let Some(function) = self.epilogue.beyond_limits() {
            function.apply(y);
        }
    }

    /// `input` is empty when it is in the output.
    fn map(&self, input: &[f32], residual: Option<&[f32]>, output: &mut [f32], threads: &Threads) {
        self.maps.each(output, threads, |plane, start, y| {
            let part = start..start + y.len();
            let block = plane % self.maps.blocks;
            let a = &self.a.as_slice()[block * self.maps.lanes..];
            let x = if input.is_empty() { y.as_mut_ptr().cast_const() } else { input[part.clone()].as_ptr() };
            let r = residual.map_or(null(), |residual| residual[part].as_ptr());
            // SAFETY: the run lies in the maps.
            unsafe { self.run(block, a, x, r, y) };
        });
    }
}

impl Kernel for ChannelMap {
    fn may_overwrite(&self) -> usize {
        1
    }

    fn run(&self, call: Call<'_>) {
        let residual = self.residual.then(|| call.others.get(0));
        self.map(call.input, residual, call.output, call.threads);
    }
}

impl std::fmt::Debug for ChannelMap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.epilogue.name(self.name, f)
    }
}

/// The product of two or more maps, some of which may have one pixel: one factor for each channel.
pub(crate) struct Product {
    maps: Maps,
    factors: usize,
    /// Whether one more map is added.
    residual: bool,
    code: Code,
    epilogue: Epilogue,
}

impl Product {
    pub fn new(layer: &Layer<'_>) -> Self {
        let (residual, code) = (layer.residual, mul_of(layer.isa));
        let factors = layer.inputs.len() - usize::from(residual);
        Self { maps: Maps::of(layer), factors, residual, code, epilogue: layer.epilogue() }
    }

    /// `first` is empty when it is in the output; `other` gives the inputs behind it, the residual as the last.
    fn multiply<'a>(
        &self,
        first: &[f32],
        other: impl Fn(usize) -> &'a [f32] + Sync,
        output: &mut [f32],
        threads: &Threads,
    ) {
        let (lanes, whole) = (self.maps.lanes, output.len());
        // Where a run of an input begins, and the step from pixel to pixel.
        let place = |input: &[f32], plane: usize, start: usize| match input.len() == whole {
            true => (input[start..].as_ptr(), lanes),
            false => (input[plane * lanes..].as_ptr(), 0),
        };
        self.maps.each(output, threads, |plane, start, y| {
            for i in 0..self.factors - 1 {
                let is_last = i + 2 == self.factors;
                let (x, x_step) = match i {
                    0 if !first.is_empty() => place(first, plane, start),
                    _ => (y.as_mut_ptr().cast_const(), lanes),
                };
                let (a, a_step) = place(other(i), plane, start);
                let limits = if is_last { self.epilogue.limits() } else { [f32::NEG_INFINITY, f32::INFINITY] };
                let r = if is_last && self.residual { other(i + 1)[start..][..y.len()].as_ptr() } else { null() };
                // SAFETY: the instruction set was checked before the kernel was made; the run lies in the maps, and the
                // factors are those of its channels.
                unsafe {
                    let pixels = y.len() / lanes;
                    (self.code)(&Run { x, x_step, a, a_step, b: a, r, y: y.as_mut_ptr(), pixels, limits });
                }
            }
            if let Some(function) = self.epilogue.beyond_limits() {
                function.apply(y);
            }
        });
    }
}

impl Kernel for Product {
    fn may_overwrite(&self) -> usize {
        self.factors
    }

    fn run(&self, call: Call<'_>) {
        let others = call.others;
        self.multiply(call.input, |i| others.get(i), call.output, call.threads);
    }
}

impl std::fmt::Debug for Product {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.epilogue.name("mul", f)
    }
}

/// Declares a function of `x`, `a` and `b` for every instruction set.
macro_rules! map {
    (fn $of:ident($simd:ident: $x:ident, $a:ident, $b:ident) = $value:expr) => {
        fn $of(isa: Isa) -> Code {
            /// # Safety
            /// The CPU has the vector's instruction set, and the run's memory is valid.
            #[inline(always)]
            unsafe fn body<$simd: Simd>(run: &Run) {
                let &Run { x, x_step, a, a_step, b, r, y, pixels, limits: [low, high] } = run;
                let mut pixel = 0;
                // SAFETY: the caller keeps the conditions.
                unsafe {
                    let ($b, low, high) = ($simd::load(b), $simd::splat(low), $simd::splat(high));
                    while pixel < pixels {
                        let ($x, $a) = ($simd::load(x.add(pixel * x_step)), $simd::load(a.add(pixel * a_step)));
                        let mut value = $value;
                        if !r.is_null() {
                            value = value.add($simd::load(r.add(pixel * $simd::LANES)));
                        }
                        // NaN stays NaN: it is the second operand.
                        high.min(low.max(value)).store(y.add(pixel * $simd::LANES));
                        pixel += 1;
                    }
                }
            }
            per_isa!(fn all(run: &Run) = body);
            all(isa)
        }
    };
}

map!(fn mul_add_of(S: x, a, b) = x.mul_add(a, b));
map!(fn prelu_of(S: x, a, b) = x.select_less(b, x.mul(a), x)); // `b` is zero
map!(fn mul_of(S: x, a, _b) = x.mul(a));

#[cfg(test)]
mod tests {
    use super::super::reference::{Case, pools, values};
    use super::*;
    use crate::graph::Activation;
    use cnn_ir::ops::{MulSpec, PreluSpec};

    const SHAPES: [[usize; 3]; 6] = [[1, 1, 1], [67, 1, 1], [17, 5, 7], [16, 1, 300], [3, 19, 31], [96, 40, 40]];
    const ACTIVATIONS: [Option<Activation>; 3] = [None, Some(Activation::Relu), Some(Activation::HardSigmoid)];

    fn finish(activation: Option<Activation>, y: f64) -> f64 {
        match activation {
            None => y,
            Some(Activation::Relu) => y.max(0.0),
            Some(_) => (y + 3.0).clamp(0.0, 6.0) / 6.0,
        }
    }

    #[test]
    fn batch_norm_and_prelu_are_the_formula_also_in_place_and_with_a_sum() -> Result<(), Error> {
        let threads = pools();
        for isa in Isa::available() {
            for (number, shape) in SHAPES.into_iter().enumerate() {
                let [channels, height, width] = shape;
                let inputs: [&[usize]; 1] = [&shape];
                let norm = BatchNormSpec::new(channels);
                let mut case = Case::new(norm.clone(), &inputs, isa);
                case.activation = ACTIVATIONS[number % 3];
                case.residual = number % 2 == 0;
                let prelu =
                    PreluSpec { num_parameters: if number % 2 == 0 { channels } else { 1 }, ..PreluSpec::new() };
                let prelu_case = Case::new(prelu, &inputs, isa);
                let kernels = [
                    (ChannelMap::batch_norm(&norm, &case.layer(), &case.weights)?, &case),
                    (ChannelMap::prelu(&prelu_case.layer(), &prelu_case.weights)?, &prelu_case),
                ];
                let maps = [6, 7].map(|seed| values((1 + number % 3) * channels * height * width, seed));
                for (kernel, case) in kernels {
                    for in_place in [false, true] {
                        let found = case.run(&maps, &threads, |maps, output, threads| {
                            if in_place {
                                output.copy_from_slice(&maps[0]);
                            }
                            let residual = case.residual.then_some(&maps[1][..]);
                            kernel.map(if in_place { &[] } else { &maps[0] }, residual, output, threads);
                        });
                        case.check(&found, |example, channel, y, x| {
                            let [element, residual] = [&maps[0], &maps[1]]
                                .map(|map| f64::from(map[((example * channels + channel) * height + y) * width + x]));
                            if kernel.name == "prelu" {
                                let weight = case.parameter("weight");
                                return if element < 0.0 { element * weight[channel % weight.len()] } else { element };
                            }
                            let [mean, variance, weight, bias] = ["running_mean", "running_var", "weight", "bias"]
                                .map(|name| case.parameter(name)[channel]);
                            let residual = if case.residual { residual } else { 0.0 };
                            let normed = (element - mean) / (variance + norm.eps).sqrt() * weight + bias;
                            finish(case.activation, normed + residual)
                        });
                    }
                }
            }
        }
        Ok(())
    }

    #[test]
    fn products_take_maps_and_factors_in_any_order() {
        let threads = pools();
        for isa in Isa::available() {
            for (number, shape) in SHAPES.into_iter().enumerate() {
                let [channels, height, width] = shape;
                let factors = [channels, 1, 1];
                // The last time the third is added.
                let orders = [[&shape, &factors, &shape], [&factors, &factors, &shape], [&factors, &shape, &shape]];
                for (order, inputs) in orders.into_iter().enumerate() {
                    let inputs: [&[usize]; 3] = inputs.map(|shape| shape.as_slice());
                    let mut case = Case::new(MulSpec::new(), &inputs, isa);
                    case.activation = ACTIVATIONS[number % 3];
                    case.residual = order == 2;
                    let kernel = Product::new(&case.layer());
                    let batch = 1 + number % 3;
                    let value =
                        |(seed, shape): (usize, &&[usize])| values(batch * shape.iter().product::<usize>(), seed);
                    let maps: Vec<Vec<f32>> = inputs.iter().enumerate().map(value).collect();
                    let in_place = number % 2 == 0 && order == 0;
                    let found = case.run(&maps, &threads, |maps, output, threads| {
                        if in_place {
                            output.copy_from_slice(&maps[0]);
                        }
                        let first = if in_place { &[] } else { &maps[0][..] };
                        kernel.multiply(first, |i| &maps[i + 1], output, threads);
                    });
                    case.check(&found, |example, channel, y, x| {
                        let plane = example * channels + channel;
                        let element = |map: &Vec<f32>| match map.len() == batch * channels {
                            true => f64::from(map[plane]),
                            false => f64::from(map[(plane * height + y) * width + x]),
                        };
                        let factors = 3 - usize::from(case.residual);
                        let sum = maps[factors..].iter().map(element).sum::<f64>();
                        finish(case.activation, maps[..factors].iter().map(element).product::<f64>() + sum)
                    });
                }
            }
        }
    }
}
