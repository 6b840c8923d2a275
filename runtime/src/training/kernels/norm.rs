//! Norms by the statistics of one example: group, layer and instance norm, and their gradients.
//!
//! Each lane has its own mean and variance. Lanes without an example are divided by infinity, so that nothing comes of them.

use super::super::state::{Control, Slot};
use super::Memory;
use super::sums::{LaneSums, add_lanes, examples_of, total};
use crate::Error;
use crate::engine::kernels::activation::Epilogue;
use crate::engine::kernels::split::split;
use crate::engine::kernels::{Call, Kernel};
use crate::engine::select::Layer;
use crate::engine::simd::{MAX_LANES, Simd, per_isa};
use crate::engine::threads::Shared;
use cnn_ir::ops::{GroupNormSpec, InstanceNormSpec, LayerNormSpec};
use std::fmt;
use std::sync::Arc;

/// Vectors that are summed in f32 before the sum goes on in f64.
const CHUNK: usize = 256;

/// What is normalised together.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Parts {
    name: &'static str,
    /// Elements that share a mean and a variance.
    part: usize,
    /// Adjacent elements that share a weight and a bias.
    run: usize,
    /// All elements of an example.
    elements: usize,
    eps: f64,
    lanes: usize,
}

impl Parts {
    pub fn group(spec: &GroupNormSpec, layer: &Layer<'_>) -> Self {
        let plane = plane(layer);
        Self::new("group_norm", [spec.num_channels / spec.num_groups.max(1) * plane, plane], spec.eps, layer)
    }

    pub fn instance(spec: &InstanceNormSpec, layer: &Layer<'_>) -> Self {
        Self::new("instance_norm", [plane(layer); 2], spec.eps, layer)
    }

    pub fn layer(spec: &LayerNormSpec, layer: &Layer<'_>) -> Self {
        Self::new("layer_norm", [spec.normalized_shape.iter().product(), 1], spec.eps, layer)
    }

    fn new(name: &'static str, [part, run]: [usize; 2], eps: f64, layer: &Layer<'_>) -> Self {
        let elements = layer.output.iter().product();
        Self { name, part: part.max(1), run: run.max(1), elements, eps, lanes: layer.isa.lanes() }
    }

    /// Parts of an example.
    fn count(&self) -> usize {
        self.elements / self.part
    }

    /// A part's weights, or biases: null where there are none.
    fn first(&self, values: Option<&[f32]>, part: usize) -> *const f32 {
        let runs = self.part / self.run;
        values.map_or(std::ptr::null(), |values| values[part * runs % values.len()..][..runs].as_ptr())
    }

    /// Refuses parameters that are not one for each run of the parts that they are for.
    fn check(&self, slots: [&Option<Slot>; 2], layer: &Layer<'_>) -> Result<(), Error> {
        let runs = self.part / self.run;
        let fits = |slot: &Slot| slot.len() == runs || slot.len() == self.elements / self.run;
        match slots.into_iter().flatten().all(fits) {
            true => Ok(()),
            false => Err(layer.error("its parameters do not have its sizes")),
        }
    }
}

/// Elements of one channel.
fn plane(layer: &Layer<'_>) -> usize {
    layer.output.iter().skip(1).product()
}

/// The layer itself: (x − μ) / √(σ² + ε) · γ + β.
pub(crate) struct Norm {
    parts: Parts,
    weight: Option<Slot>,
    bias: Option<Slot>,
    control: Arc<Control>,
    epilogue: Epilogue,
    code: (StatisticsFn, NormalizeFn),
}

impl Norm {
    pub fn new(parts: Parts, layer: &Layer<'_>, memory: &Memory) -> Result<Self, Error> {
        let (weight, bias) = (memory.optional(layer, "weight"), memory.optional(layer, "bias"));
        parts.check([&weight, &bias], layer)?;
        let code = (statistics_of(layer.isa), normalize_of(layer.isa));
        Ok(Self { parts, weight, bias, control: memory.control.clone(), epilogue: layer.epilogue(), code })
    }
}

impl Kernel for Norm {
    fn may_overwrite(&self) -> usize {
        1
    }

    fn run(&self, call: Call<'_>) {
        let (parts, input, examples) = (&self.parts, call.input, self.control.settings().examples);
        let (lanes, count, size) = (parts.lanes, parts.count(), parts.part * parts.lanes);
        let limits = self.epilogue.limits();
        // SAFETY: nobody writes parameters while this kernel runs.
        let (weight, bias) = unsafe { (self.weight.as_ref().map(|w| w.get()), self.bias.as_ref().map(|b| b.get())) };
        let (all, output) = (call.batch / lanes * count, Shared::new(call.output));
        split(call.threads, all, 4 * size, |range| {
            for number in range {
                let (block, part) = (number / count, number % count);
                // SAFETY: each part is one task's alone, and the input may lie there; the instruction set was checked.
                unsafe {
                    let to = output.part(number * size..(number + 1) * size);
                    let from = if input.is_empty() { to.as_ptr() } else { input[number * size..].as_ptr() };
                    let mut statistics = [0.0; 2 * MAX_LANES];
                    let examples = examples_of(block, lanes, examples);
                    (self.code.0)(from, parts.part, parts.eps, examples, statistics.as_mut_ptr());
                    let (weight, bias) = (parts.first(weight, part), parts.first(bias, part));
                    let runs = Runs { count: parts.part / parts.run, run: parts.run, weight };
                    (self.code.1)(from, to.as_mut_ptr(), statistics.as_ptr(), &runs, bias, limits);
                    if let Some(rest) = self.epilogue.beyond_limits() {
                        rest.apply(to);
                    }
                }
            }
        });
    }
}

impl fmt::Debug for Norm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.epilogue.name(self.parts.name, f)
    }
}

/// The gradient of a norm: with x̂ = (x − μ) / √(σ² + ε) and g = dy · γ over the n elements of a part,
/// dx = (g − Σ g / n − x̂ · Σ g · x̂ / n) / √(σ² + ε); dγ = Σ dy · x̂ and dβ = Σ dy over all that share them.
pub(crate) struct Gradient {
    parts: Parts,
    weight: Option<Slot>,
    /// Where the parameters' gradients are added.
    weight_gradient: Option<Slot>,
    bias_gradient: Option<Slot>,
    control: Arc<Control>,
    code: (StatisticsFn, SpreadFn, SumsFn),
}

impl Gradient {
    pub fn new(parts: Parts, layer: &Layer<'_>, memory: &Memory) -> Result<Self, Error> {
        let weight = memory.optional(layer, "weight");
        let (weight_gradient, bias_gradient) = (memory.gradient(layer, "weight"), memory.gradient(layer, "bias"));
        parts.check([&weight, &bias_gradient], layer)?;
        let code = (statistics_of(layer.isa), spread_of(layer.isa), sums_of(layer.isa));
        Ok(Self { parts, weight, weight_gradient, bias_gradient, control: memory.control.clone(), code })
    }

    /// Adds the parameters' gradients, each of which is one task's.
    fn parameters(&self, call: &Call<'_>, statistics: &[f32]) {
        let parts = &self.parts;
        let Some(weights) = self.weight_gradient.as_ref().or(self.bias_gradient.as_ref()).map(Slot::len) else {
            return;
        };
        let (runs, in_part, size) = (parts.elements / parts.run, parts.part / parts.run, parts.run * parts.lanes);
        let (dy, x, examples) = (call.input, call.others.get(0), self.control.settings().examples);
        let blocks = call.batch / parts.lanes;
        split(call.threads, weights, 4 * call.input.len() / weights.max(1), |range| {
            for weight in range {
                let (mut all, mut products) = ([0.0; MAX_LANES], [0.0; MAX_LANES]);
                for run in (weight..runs).step_by(weights) {
                    for block in 0..blocks {
                        let at = (block * runs + run) * size;
                        let statistics = &statistics[(block * parts.count() + run / in_part) * 2 * parts.lanes..];
                        let count = examples_of(block, parts.lanes, examples);
                        let (dy, x, s) = (dy[at..].as_ptr(), x[at..].as_ptr(), statistics.as_ptr());
                        // SAFETY: the run has so many vectors; the instruction set was checked.
                        unsafe { (self.code.2)(dy, x, s, parts.run, count, &mut all, &mut products) };
                    }
                }
                for (slot, sums) in [(&self.weight_gradient, &products), (&self.bias_gradient, &all)] {
                    // SAFETY: each weight is one task's alone.
                    let to = slot.as_ref().map(|slot| unsafe { slot.range_mut(weight..weight + 1) });
                    to.into_iter().flatten().for_each(|to| *to += total(sums) as f32);
                }
            }
        });
    }
}

impl Kernel for Gradient {
    fn scratch(&self, batch: usize, _: usize) -> usize {
        // The statistics of each part.
        batch.saturating_mul(2 * self.parts.count())
    }

    fn run(&self, mut call: Call<'_>) {
        let (parts, examples) = (&self.parts, self.control.settings().examples);
        let (lanes, count, size) = (parts.lanes, parts.count(), parts.part * parts.lanes);
        let (dy, x) = (call.input, call.others.get(0));
        // SAFETY: nobody writes parameters while this kernel runs.
        let weight = unsafe { self.weight.as_ref().map(|w| w.get()) };
        let scratch = std::mem::take(&mut call.scratch);
        let (all, output, statistics) =
            (call.batch / lanes * count, Shared::new(std::mem::take(&mut call.output)), Shared::new(scratch));
        split(call.threads, all, 6 * size, |range| {
            for number in range {
                let (block, part) = (number / count, number % count);
                // SAFETY: each part is one task's alone; the instruction set was checked.
                unsafe {
                    let statistics = statistics.part(number * 2 * lanes..(number + 1) * 2 * lanes);
                    let dx = output.part(number * size..(number + 1) * size).as_mut_ptr();
                    let (dy, x) = (dy[number * size..].as_ptr(), x[number * size..].as_ptr());
                    let examples = examples_of(block, lanes, examples);
                    (self.code.0)(x, parts.part, parts.eps, examples, statistics.as_mut_ptr());
                    let weight = parts.first(weight, part);
                    let runs = Runs { count: parts.part / parts.run, run: parts.run, weight };
                    (self.code.1)(dy, x, dx, statistics.as_ptr(), &runs);
                }
            }
        });
        self.parameters(&call, scratch);
    }
}

impl fmt::Debug for Gradient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} gradient", self.parts.name)
    }
}

/// The runs of a part, and the weight of each; null for ones.
struct Runs {
    count: usize,
    run: usize,
    weight: *const f32,
}

type StatisticsFn = unsafe fn(*const f32, usize, f64, usize, *mut f32);

per_isa!(
    /// The means of some vectors, and behind them 1 / √(σ² + ε); 0 behind the first `count` lanes.
    fn statistics_of(from: *const f32, vectors: usize, eps: f64, count: usize, to: *mut f32) = statistics_body
);

#[inline(always)]
unsafe fn statistics_body<S: Simd>(from: *const f32, vectors: usize, eps: f64, count: usize, to: *mut f32) {
    // SAFETY: there are so many vectors, and room for two; the CPU has the instruction set.
    unsafe {
        let n = vectors as f64;
        let mut sums = [0.0; MAX_LANES];
        let mut i = 0;
        while i < vectors {
            let end = if i + CHUNK < vectors { i + CHUNK } else { vectors };
            let mut sum = S::splat(0.0);
            while i < end {
                sum = sum.add(S::load(from.add(i * S::LANES)));
                i += 1;
            }
            add_lanes(sum, S::LANES, &mut sums);
        }
        let mut lane = 0;
        while lane < S::LANES {
            *to.add(lane) = (sums[lane] / n) as f32;
            lane += 1;
        }
        // Distances from means that are rounded: what they are off by comes out again.
        let mean = S::load(to);
        let (mut sums, mut squares) = ([0.0; MAX_LANES], [0.0; MAX_LANES]);
        let mut i = 0;
        while i < vectors {
            let end = if i + CHUNK < vectors { i + CHUNK } else { vectors };
            let (mut sum, mut square) = (S::splat(0.0), S::splat(0.0));
            while i < end {
                let distance = S::load(from.add(i * S::LANES)).sub(mean);
                sum = sum.add(distance);
                square = distance.mul_add(distance, square);
                i += 1;
            }
            add_lanes(sum, S::LANES, &mut sums);
            add_lanes(square, S::LANES, &mut squares);
        }
        let mut lane = 0;
        while lane < S::LANES {
            let variance = ((squares[lane] - sums[lane] * sums[lane] / n) / n).max(0.0);
            let factor = if lane < count { (1.0 / (variance + eps).sqrt()) as f32 } else { 0.0 };
            *to.add(S::LANES + lane) = factor;
            lane += 1;
        }
    }
}

type NormalizeFn = unsafe fn(*const f32, *mut f32, *const f32, &Runs, *const f32, [f32; 2]);

per_isa!(
    fn normalize_of(
        from: *const f32,
        to: *mut f32,
        statistics: *const f32,
        runs: &Runs,
        bias: *const f32,
        limits: [f32; 2],
    ) = normalize_body
);

#[inline(always)]
unsafe fn normalize_body<S: Simd>(
    from: *const f32,
    to: *mut f32,
    statistics: *const f32,
    runs: &Runs,
    bias: *const f32,
    limits: [f32; 2],
) {
    // SAFETY: both have all runs' vectors, and may be the same; the CPU has the instruction set.
    unsafe {
        let (mean, factor) = (S::load(statistics), S::load(statistics.add(S::LANES)));
        let (least, most) = (S::splat(limits[0]), S::splat(limits[1]));
        let (mut i, mut run) = (0, 0);
        while run < runs.count {
            let factor = if runs.weight.is_null() { factor } else { factor.mul(S::splat(*runs.weight.add(run))) };
            let addend = S::splat(if bias.is_null() { 0.0 } else { *bias.add(run) });
            run += 1;
            while i < run * runs.run {
                let y = S::load(from.add(i * S::LANES)).sub(mean).mul_add(factor, addend);
                // NaN stays NaN: it is the second operand.
                most.min(least.max(y)).store(to.add(i * S::LANES));
                i += 1;
            }
        }
    }
}

type SpreadFn = unsafe fn(*const f32, *const f32, *mut f32, *const f32, &Runs);

per_isa!(
    fn spread_of(dy: *const f32, x: *const f32, dx: *mut f32, statistics: *const f32, runs: &Runs) = spread_body
);

#[inline(always)]
unsafe fn spread_body<S: Simd>(dy: *const f32, x: *const f32, dx: *mut f32, statistics: *const f32, runs: &Runs) {
    // SAFETY: all have all runs' vectors; the CPU has the instruction set.
    unsafe {
        let (mean, factor) = (S::load(statistics), S::load(statistics.add(S::LANES)));
        let zero = S::splat(0.0);
        let (mut all, mut products) = ([0.0; MAX_LANES], [0.0; MAX_LANES]);
        let (mut sum, mut product, mut since) = (zero, zero, 0);
        let (mut i, mut run) = (0, 0);
        while run < runs.count {
            let weight = S::splat(if runs.weight.is_null() { 1.0 } else { *runs.weight.add(run) });
            run += 1;
            while i < run * runs.run {
                let g = S::load(dy.add(i * S::LANES)).mul(weight);
                sum = sum.add(g);
                product = S::load(x.add(i * S::LANES)).sub(mean).mul_add(g, product);
                (i, since) = (i + 1, since + 1);
                if since == CHUNK {
                    add_lanes(sum, S::LANES, &mut all);
                    add_lanes(product, S::LANES, &mut products);
                    (sum, product, since) = (zero, zero, 0);
                }
            }
        }
        add_lanes(sum, S::LANES, &mut all);
        add_lanes(product, S::LANES, &mut products);
        let n = (runs.count * runs.run) as f64;
        let (mut sums, mut slopes) = ([0.0f32; MAX_LANES], [0.0f32; MAX_LANES]);
        let mut lane = 0;
        while lane < S::LANES {
            let factor = f64::from(*statistics.add(S::LANES + lane));
            sums[lane] = (all[lane] / n) as f32;
            slopes[lane] = (-products[lane] * factor * factor / n) as f32;
            lane += 1;
        }
        let (sum, slope) = (S::load(sums.as_ptr()), S::load(slopes.as_ptr()));
        let (mut i, mut run) = (0, 0);
        while run < runs.count {
            let weight = S::splat(if runs.weight.is_null() { 1.0 } else { *runs.weight.add(run) });
            run += 1;
            while i < run * runs.run {
                let g = S::load(dy.add(i * S::LANES)).mul(weight).sub(sum);
                let x = S::load(x.add(i * S::LANES)).sub(mean);
                x.mul_add(slope, g).mul(factor).store(dx.add(i * S::LANES));
                i += 1;
            }
        }
    }
}

type SumsFn = unsafe fn(*const f32, *const f32, *const f32, usize, usize, &mut LaneSums, &mut LaneSums);

per_isa!(
    /// Adds Σ dy and Σ dy · x̂ of the first `count` lanes.
    fn sums_of(
        dy: *const f32,
        x: *const f32,
        statistics: *const f32,
        vectors: usize,
        count: usize,
        all: &mut LaneSums,
        products: &mut LaneSums,
    ) = sums_body
);

#[inline(always)]
unsafe fn sums_body<S: Simd>(
    dy: *const f32,
    x: *const f32,
    statistics: *const f32,
    vectors: usize,
    count: usize,
    all: &mut LaneSums,
    products: &mut LaneSums,
) {
    // SAFETY: both have so many vectors; the CPU has the instruction set.
    unsafe {
        let (mean, factor) = (S::load(statistics), S::load(statistics.add(S::LANES)));
        let mut i = 0;
        while i < vectors {
            let end = if i + CHUNK < vectors { i + CHUNK } else { vectors };
            let (mut sum, mut product) = (S::splat(0.0), S::splat(0.0));
            while i < end {
                let g = S::load(dy.add(i * S::LANES));
                sum = sum.add(g);
                product = S::load(x.add(i * S::LANES)).sub(mean).mul_add(g, product);
                i += 1;
            }
            add_lanes(sum, count, all);
            add_lanes(product.mul(factor), count, products);
        }
    }
}
