//! Batch norm by the statistics of the batch, and its gradient (Ioffe and Szegedy, "Batch Normalization", 2015).
//!
//! A channel is one run of vectors for each block of examples. A task has one channel, or some adjacent ones of short runs,
//! so that what it reads the second time is still near. Lanes without an example are left out of all sums, and are made 0.

use super::super::state::{Control, Slot};
use super::sums::{LaneSums, add_lanes, examples_of, sum_lanes, total};
use super::{Memory, chunks};
use crate::Error;
use crate::engine::kernels::activation::Epilogue;
use crate::engine::kernels::{Call, Kernel};
use crate::engine::select::Layer;
use crate::engine::simd::{MAX_LANES, Simd, per_isa, unrolled};
use crate::engine::threads::Shared;
use cnn_ir::ops::BatchNormSpec;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// Vectors that are summed in f32 before the sum goes on in f64; they stay in the nearest cache.
const CHUNK: usize = 256;

/// The most channels of a task, and vectors of a block that are enough for one.
const MAX_GROUP: usize = 16;
const GROUP_VECTORS: usize = 64;

/// (x − μ) / √(σ² + ε) · γ + β with the mean and the biased variance of each channel's elements in the batch.
pub(crate) struct BatchNorm {
    map: Map,
    eps: f64,
    weight: Option<Slot>,
    bias: Option<Slot>,
    path: String,
    control: Arc<Control>,
    epilogue: Epilogue,
    code: (MomentsFn, NormalizeFn),
}

/// Running statistics and the batch's, of which they take a share at the end of each step.
#[derive(Debug)]
pub(crate) struct Running {
    mean: Slot,
    var: Slot,
    batch: Statistics,
    momentum: f64,
}

/// The batch's statistics of each channel.
#[derive(Debug, Clone)]
struct Statistics {
    mean: Slot,
    /// 1 / √(σ² + ε).
    factor: Slot,
    /// The variance without bias, as the running one follows it.
    var: Slot,
}

/// How a value lies in memory.
#[derive(Debug, Clone)]
struct Map {
    channels: usize,
    /// Vectors of a channel in one block.
    vectors: usize,
    lanes: usize,
    /// Channels of a task.
    group: usize,
    statistics: Statistics,
}

impl Map {
    fn new(layer: &Layer<'_>, memory: &Memory) -> Result<Self, Error> {
        let (channels, vectors) = (layer.input[0], layer.input[1..].iter().product::<usize>());
        let saved = memory.saved(layer, 3 * channels)?;
        let part = |number: usize| saved.part(number * channels..(number + 1) * channels);
        let statistics = Statistics { mean: part(0), factor: part(1), var: part(2) };
        let group = GROUP_VECTORS.div_ceil(vectors.max(1)).min(MAX_GROUP);
        Ok(Self { channels, vectors, lanes: layer.isa.lanes(), group, statistics })
    }

    /// A task's channels.
    fn group(&self, task: usize) -> Range<usize> {
        task * self.group..self.channels.min((task + 1) * self.group)
    }

    fn tasks(&self) -> usize {
        self.channels.div_ceil(self.group)
    }

    /// The elements of a channel in a block.
    fn run(&self, block: usize, channel: usize) -> Range<usize> {
        let run = self.vectors * self.lanes;
        let start = (block * self.channels + channel) * run;
        start..start + run
    }

    /// A factor for the lanes with an example, 0 for others.
    fn masked(factor: f32, count: usize) -> [f32; MAX_LANES] {
        std::array::from_fn(|lane| if lane < count { factor } else { 0.0 })
    }
}

impl Running {
    /// Lets the running statistics follow the batch's.
    pub fn follow(&self) {
        let follow = |running: &Slot, batch: &Slot| {
            // SAFETY: no kernel runs at the end of a step.
            let (running, batch) = unsafe { (running.get_mut(), batch.get()) };
            for (running, &batch) in running.iter_mut().zip(batch) {
                let (old, new) = (f64::from(*running), f64::from(batch));
                *running = ((1.0 - self.momentum) * old + self.momentum * new) as f32;
            }
        };
        follow(&self.mean, &self.batch.mean);
        follow(&self.var, &self.batch.var);
    }
}

impl BatchNorm {
    pub fn new(spec: &BatchNormSpec, layer: &Layer<'_>, memory: &Memory) -> Result<Self, Error> {
        let map = Map::new(layer, memory)?;
        let (mean, var) = (memory.value(layer, "running_mean")?, memory.value(layer, "running_var")?);
        let (weight, bias) = (memory.optional(layer, "weight"), memory.optional(layer, "bias"));
        if [Some(&mean), Some(&var), weight.as_ref(), bias.as_ref()]
            .into_iter()
            .flatten()
            .any(|slot| slot.len() != map.channels)
        {
            return Err(layer.error("its parameters do not have its sizes"));
        }
        memory.add_running(Running { mean, var, batch: map.statistics.clone(), momentum: spec.momentum });
        Ok(Self {
            map,
            eps: spec.eps,
            weight,
            bias,
            path: layer.path.to_owned(),
            control: memory.control.clone(),
            epilogue: layer.epilogue(),
            code: (moments_of(layer.isa), normalize_of(layer.isa)),
        })
    }

    /// Says that there is nothing to normalise by, and leaves no number behind that is none.
    fn refuse(&self, output: &mut [f32]) {
        let reason = "batch_norm takes the variance of each channel over the batch, but this batch is one example with one \
                      element per channel; use batches of at least 2 examples, or drop the last incomplete one";
        self.control.findings().failed.get_or_insert_with(|| (format!("`{}`", self.path), reason.to_owned()));
        output.fill(0.0);
        let Statistics { mean, factor, var } = &self.map.statistics;
        // SAFETY: nobody else uses the statistics while this kernel runs.
        [mean, factor, var].into_iter().for_each(|slot| unsafe { slot.get_mut() }.fill(0.0));
    }
}

impl Kernel for BatchNorm {
    fn may_overwrite(&self) -> usize {
        1
    }

    fn run(&self, call: Call<'_>) {
        let (map, examples) = (&self.map, self.control.settings().examples);
        let count = examples * map.vectors;
        if count < 2 {
            return self.refuse(call.output);
        }
        let (input, lanes, blocks) = (call.input, map.lanes, call.batch / map.lanes);
        let limits = self.epilogue.limits();
        // SAFETY: nobody writes parameters while this kernel runs.
        let (weight, bias) = unsafe { (self.weight.as_ref().map(|w| w.get()), self.bias.as_ref().map(|b| b.get())) };
        let threads = call.threads.for_work(4 * call.output.len());
        let output = Shared::new(call.output);
        threads.run(map.tasks(), |task, _| {
            let channels = map.group(task);
            let first = channels.start;
            // SAFETY: these channels are this task's alone, of which the input may lie in the output; the instruction set
            // was checked.
            unsafe {
                let from = |range: Range<usize>| match input.is_empty() {
                    true => output.part(range).as_ptr(),
                    false => input[range].as_ptr(),
                };
                let mut moments = [Moments::default(); MAX_GROUP];
                for block in 0..blocks {
                    let count = examples_of(block, lanes, examples);
                    for channel in channels.clone() {
                        let x = from(map.run(block, channel));
                        for chunk in chunks(map.vectors, CHUNK) {
                            let part = (self.code.0)(x.add(chunk.start * lanes), chunk.len(), count);
                            moments[channel - first].merge(part);
                        }
                    }
                }
                let mut factors = [0.0; MAX_GROUP];
                for channel in channels.clone() {
                    let Moments { mean, squares, .. } = moments[channel - first];
                    let factor = (1.0 / (squares / count as f64 + self.eps).sqrt()) as f32;
                    factors[channel - first] = factor;
                    let unbiased = (squares / (count - 1) as f64) as f32;
                    let Statistics { mean: to_mean, factor: to_factor, var } = &map.statistics;
                    to_mean.range_mut(channel..channel + 1).fill(mean as f32);
                    to_factor.range_mut(channel..channel + 1).fill(factor);
                    var.range_mut(channel..channel + 1).fill(unbiased);
                }
                for block in 0..blocks {
                    let count = examples_of(block, lanes, examples);
                    for channel in channels.clone() {
                        let gamma = weight.map_or(1.0, |weight| weight[channel]);
                        let run = Run {
                            mean: moments[channel - first].mean as f32,
                            factor: Map::masked(factors[channel - first] * gamma, count),
                            addend: Map::masked(bias.map_or(0.0, |bias| bias[channel]), count),
                            limits,
                        };
                        let range = map.run(block, channel);
                        let x = from(range.clone());
                        let y = output.part(range);
                        for (chunk, y) in chunks(map.vectors, CHUNK).zip(y.chunks_mut(CHUNK * lanes)) {
                            (self.code.1)(x.add(chunk.start * lanes), y.as_mut_ptr(), chunk.len(), &run);
                            if let Some(rest) = self.epilogue.beyond_limits() {
                                rest.apply(y);
                            }
                        }
                    }
                }
            }
        });
    }
}

impl fmt::Debug for BatchNorm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.epilogue.name("batch_norm", f)
    }
}

/// The gradient of batch norm: with x̂ = (x − μ) / √(σ² + ε) over n elements, dβ = Σ dy, dγ = Σ dy · x̂ and
/// dx = γ / √(σ² + ε) · (dy − dβ/n − x̂ · dγ/n).
pub(crate) struct Gradient {
    map: Map,
    weight: Option<Slot>,
    /// Where the parameters' gradients are added.
    weight_gradient: Option<Slot>,
    bias_gradient: Option<Slot>,
    control: Arc<Control>,
    code: (SumsFn, SpreadFn),
}

impl Gradient {
    pub fn new(layer: &Layer<'_>, memory: &Memory) -> Result<Self, Error> {
        Ok(Self {
            map: Map::new(layer, memory)?,
            weight: memory.optional(layer, "weight"),
            weight_gradient: memory.gradient(layer, "weight"),
            bias_gradient: memory.gradient(layer, "bias"),
            control: memory.control.clone(),
            code: (sums_of(layer.isa), spread_of(layer.isa)),
        })
    }
}

impl Kernel for Gradient {
    fn may_overwrite(&self) -> usize {
        1
    }

    fn run(&self, call: Call<'_>) {
        let (map, examples) = (&self.map, self.control.settings().examples);
        let (input, values, lanes, blocks) = (call.input, call.others.get(0), map.lanes, call.batch / map.lanes);
        let n = (examples * map.vectors).max(1) as f64;
        // SAFETY: nobody writes parameters and statistics while this kernel runs.
        let (weight, mean, factor) = unsafe {
            let Statistics { mean, factor, .. } = &map.statistics;
            (self.weight.as_ref().map(|w| w.get()), mean.get(), factor.get())
        };
        let threads = call.threads.for_work(6 * call.output.len());
        let output = Shared::new(call.output);
        threads.run(map.tasks(), |task, _| {
            let channels = map.group(task);
            let first = channels.start;
            // SAFETY: these channels are this task's alone, and the gradient may lie in the output; the instruction set was
            // checked.
            unsafe {
                let from = |range: Range<usize>| match input.is_empty() {
                    true => output.part(range).as_ptr(),
                    false => input[range].as_ptr(),
                };
                let mut sums = [Sums::default(); MAX_GROUP];
                for block in 0..blocks {
                    let count = examples_of(block, lanes, examples);
                    for channel in channels.clone() {
                        let range = map.run(block, channel);
                        let (dy, x) = (from(range.clone()), values[range].as_ptr());
                        for chunk in chunks(map.vectors, CHUNK) {
                            let at = chunk.start * lanes;
                            let sums = &mut sums[channel - first];
                            (self.code.0)(dy.add(at), x.add(at), chunk.len(), mean[channel], count, sums);
                        }
                    }
                }
                let mut means = [[0.0; 2]; MAX_GROUP];
                for channel in channels.clone() {
                    let Sums { dy, product } = &sums[channel - first];
                    let (dy, factor) = (total(dy), f64::from(factor[channel]));
                    let product = total(product) * factor;
                    means[channel - first] = [(dy / n) as f32, (product * factor / n) as f32];
                    for (slot, sum) in [(&self.weight_gradient, product), (&self.bias_gradient, dy)] {
                        let to = slot.as_ref().map(|slot| slot.range_mut(channel..channel + 1));
                        to.into_iter().flatten().for_each(|to| *to += sum as f32);
                    }
                }
                for block in 0..blocks {
                    let count = examples_of(block, lanes, examples);
                    for channel in channels.clone() {
                        let gamma = weight.map_or(1.0, |weight| weight[channel]);
                        let [dy_mean, product] = means[channel - first];
                        let run = SpreadRun {
                            mean: mean[channel],
                            dy_mean,
                            product,
                            factor: Map::masked(gamma * factor[channel], count),
                        };
                        let range = map.run(block, channel);
                        let (dy, x) = (from(range.clone()), values[range.clone()].as_ptr());
                        (self.code.1)(dy, x, output.part(range).as_mut_ptr(), map.vectors, &run);
                    }
                }
            }
        });
    }
}

impl fmt::Debug for Gradient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("batch_norm gradient")
    }
}

/// The number of some elements, their mean, and the sum of squared distances from it.
#[derive(Debug, Clone, Copy, Default)]
struct Moments {
    count: f64,
    mean: f64,
    squares: f64,
}

impl Moments {
    /// Those of these elements and others together (Chan, Golub and LeVeque, "Updating Formulae and a Pairwise Algorithm for
    /// Computing Sample Variances", 1979).
    fn merge(&mut self, other: Self) {
        let count = self.count + other.count;
        if other.count == 0.0 {
            return;
        }
        let distance = other.mean - self.mean;
        self.mean += distance * other.count / count;
        self.squares += other.squares + distance * distance * self.count * other.count / count;
        self.count = count;
    }
}

type MomentsFn = unsafe fn(*const f32, usize, usize) -> Moments;

per_isa!(fn moments_of(from: *const f32, vectors: usize, count: usize) -> Moments = moments_body);

/// The moments of the first `count` lanes of some vectors, from their distances to a mean that is rounded.
#[inline(always)]
unsafe fn moments_body<S: Simd>(from: *const f32, vectors: usize, count: usize) -> Moments {
    // SAFETY: there are so many vectors; the CPU has the instruction set.
    unsafe {
        let zero = S::splat(0.0);
        let mut sums = [zero; 4];
        let mut i = 0;
        while i + 4 <= vectors {
            unrolled!(k < 4 => { sums[k] = sums[k].add(S::load(from.add((i + k) * S::LANES))); }, 0 1 2 3);
            i += 4;
        }
        while i < vectors {
            sums[0] = sums[0].add(S::load(from.add(i * S::LANES)));
            i += 1;
        }
        let n = (vectors * count) as f64;
        let rough = (sum_lanes(sums[0].add(sums[1]).add(sums[2].add(sums[3])), count) / n) as f32;
        let mean = S::splat(rough);
        let (mut sums, mut squares) = ([zero; 4], [zero; 4]);
        let mut i = 0;
        while i + 4 <= vectors {
            unrolled!(k < 4 => {
                let distance = S::load(from.add((i + k) * S::LANES)).sub(mean);
                sums[k] = sums[k].add(distance);
                squares[k] = distance.mul_add(distance, squares[k]);
            }, 0 1 2 3);
            i += 4;
        }
        while i < vectors {
            let distance = S::load(from.add(i * S::LANES)).sub(mean);
            sums[0] = sums[0].add(distance);
            squares[0] = distance.mul_add(distance, squares[0]);
            i += 1;
        }
        let sum = sum_lanes(sums[0].add(sums[1]).add(sums[2].add(sums[3])), count);
        let squares = sum_lanes(squares[0].add(squares[1]).add(squares[2].add(squares[3])), count);
        Moments { count: n, mean: f64::from(rough) + sum / n, squares: (squares - sum * sum / n).max(0.0) }
    }
}

/// What a run of elements becomes: (x − mean) · factor + addend, within limits.
struct Run {
    mean: f32,
    factor: [f32; MAX_LANES],
    addend: [f32; MAX_LANES],
    limits: [f32; 2],
}

type NormalizeFn = unsafe fn(*const f32, *mut f32, usize, &Run);

per_isa!(fn normalize_of(from: *const f32, to: *mut f32, vectors: usize, run: &Run) = normalize_body);

#[inline(always)]
unsafe fn normalize_body<S: Simd>(from: *const f32, to: *mut f32, vectors: usize, run: &Run) {
    // SAFETY: both have so many vectors, and may be the same; the CPU has the instruction set.
    unsafe {
        let (mean, factor, addend) = (S::splat(run.mean), S::load(run.factor.as_ptr()), S::load(run.addend.as_ptr()));
        let [least, most] = run.limits.map(|limit| S::splat(limit));
        let mut i = 0;
        while i < vectors * S::LANES {
            let y = S::load(from.add(i)).sub(mean).mul_add(factor, addend);
            // NaN stays NaN: it is the second operand.
            most.min(least.max(y)).store(to.add(i));
            i += S::LANES;
        }
    }
}

/// For each lane Σ dy and Σ dy · (x − μ).
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    dy: LaneSums,
    product: LaneSums,
}

type SumsFn = unsafe fn(*const f32, *const f32, usize, f32, usize, &mut Sums);

per_isa!(
    fn sums_of(dy: *const f32, x: *const f32, vectors: usize, mean: f32, count: usize, sums: &mut Sums) = sums_body
);

#[inline(always)]
unsafe fn sums_body<S: Simd>(dy: *const f32, x: *const f32, vectors: usize, mean: f32, count: usize, sums: &mut Sums) {
    // SAFETY: both have so many vectors; the CPU has the instruction set.
    unsafe {
        let (zero, mean) = (S::splat(0.0), S::splat(mean));
        let (mut all, mut products) = ([zero; 4], [zero; 4]);
        let mut i = 0;
        while i + 4 <= vectors {
            unrolled!(k < 4 => {
                let at = (i + k) * S::LANES;
                let dy = S::load(dy.add(at));
                all[k] = all[k].add(dy);
                products[k] = S::load(x.add(at)).sub(mean).mul_add(dy, products[k]);
            }, 0 1 2 3);
            i += 4;
        }
        while i < vectors {
            let dy = S::load(dy.add(i * S::LANES));
            all[0] = all[0].add(dy);
            products[0] = S::load(x.add(i * S::LANES)).sub(mean).mul_add(dy, products[0]);
            i += 1;
        }
        add_lanes(all[0].add(all[1]).add(all[2].add(all[3])), count, &mut sums.dy);
        add_lanes(products[0].add(products[1]).add(products[2].add(products[3])), count, &mut sums.product);
    }
}

/// What a run of gradients becomes: (dy − dy_mean − (x − mean) · product) · factor.
struct SpreadRun {
    mean: f32,
    dy_mean: f32,
    product: f32,
    factor: [f32; MAX_LANES],
}

type SpreadFn = unsafe fn(*const f32, *const f32, *mut f32, usize, &SpreadRun);

per_isa!(fn spread_of(dy: *const f32, x: *const f32, dx: *mut f32, vectors: usize, run: &SpreadRun) = spread_body);

#[inline(always)]
unsafe fn spread_body<S: Simd>(dy: *const f32, x: *const f32, dx: *mut f32, vectors: usize, run: &SpreadRun) {
    // SAFETY: all have so many vectors, and the gradients may be in one place; the CPU has the instruction set.
    unsafe {
        let (mean, dy_mean, product) = (S::splat(run.mean), S::splat(run.dy_mean), S::splat(-run.product));
        let factor = S::load(run.factor.as_ptr());
        let mut i = 0;
        while i < vectors * S::LANES {
            let rest = S::load(dy.add(i)).sub(dy_mean);
            S::load(x.add(i)).sub(mean).mul_add(product, rest).mul(factor).store(dx.add(i));
            i += S::LANES;
        }
    }
}
