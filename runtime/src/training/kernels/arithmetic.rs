//! Sums and products of values, and the product's gradients.
//!
//! A factor `[C, 1, 1]` beside maps is one vector for each channel of a block. Sums have no gradient kernel: each value's
//! gradient is the sum's.

use crate::Error;
use crate::engine::Threads;
use crate::engine::kernels::activation::Epilogue;
use crate::engine::kernels::split::split;
use crate::engine::kernels::{Call, Kernel};
use crate::engine::program::Others;
use crate::engine::select::Layer;
use crate::engine::simd::{MAX_LANES, Simd, per_isa};
use crate::engine::threads::Shared;
use std::fmt;
use std::ops::Range;

/// Elements that all operands are applied to before the next are begun: they stay in the nearest cache.
const CHUNK: usize = 4096;

type CombineFn = unsafe fn(*const f32, *const f32, *mut f32, usize);

/// Where the elements of a value lie: runs of one channel and block, cut into chunks.
struct Runs {
    /// Elements of a run; all elements where no value has one factor for each channel.
    run: usize,
    lanes: usize,
    /// `to = a ∘ b`, element by element.
    combine: CombineFn,
    /// `to = a · b`, the same vector b for all.
    scale: CombineFn,
}

impl Runs {
    fn new(layer: &Layer<'_>, combine: CombineFn) -> Self {
        let elements = |shape: &[usize]| shape.iter().product::<usize>();
        let (output, lanes) = (elements(layer.output), layer.isa.lanes());
        let has_factors = layer.inputs.iter().any(|shape| elements(shape) < output);
        let run = if has_factors { layer.output[1..].iter().product::<usize>() * lanes } else { usize::MAX };
        Self { run, lanes, combine, scale: scale_of(layer.isa) }
    }

    /// Calls `task` for every chunk with its range and the number of its run.
    fn each_chunk(&self, threads: &Threads, whole: usize, task: impl Fn(Range<usize>, usize) + Sync) {
        let run = self.run.min(whole).max(1);
        let chunks = run.div_ceil(CHUNK);
        split(threads, whole / run * chunks, 2 * run.min(CHUNK), |units| {
            for unit in units {
                let (number, first) = (unit / chunks, unit % chunks * CHUNK);
                task(number * run + first..number * run + run.min(first + CHUNK), number);
            }
        });
    }

    /// Applies a value to a chunk.
    ///
    /// # Safety
    /// `from` and `to` have as many elements as the range.
    unsafe fn apply(
        &self,
        from: *const f32,
        value: &[f32],
        whole: usize,
        range: &Range<usize>,
        number: usize,
        to: *mut f32,
    ) {
        // SAFETY: the value has the range's elements, or a vector for each run; the instruction set was checked.
        unsafe {
            match value.len() == whole {
                true => (self.combine)(from, value[range.clone()].as_ptr(), to, range.len()),
                false => (self.scale)(from, value[number * self.lanes..][..self.lanes].as_ptr(), to, range.len()),
            }
        }
    }
}

/// The sum or the product of two or more values.
pub(crate) struct Arithmetic {
    name: &'static str,
    runs: Runs,
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

    fn new(name: &'static str, combine: CombineFn, layer: &Layer<'_>) -> Self {
        let runs = Runs::new(layer, combine);
        Self { name, runs, terms: layer.inputs.len(), epilogue: layer.epilogue() }
    }
}

impl Kernel for Arithmetic {
    fn may_overwrite(&self) -> usize {
        self.terms
    }

    fn run(&self, call: Call<'_>) {
        let (input, others, whole) = (call.input, call.others, call.output.len());
        let output = Shared::new(call.output);
        self.runs.each_chunk(call.threads, whole, |range, number| {
            // SAFETY: each chunk is one task's alone, and the first value may lie there.
            unsafe {
                let to = output.part(range.clone());
                let mut from = match input.len() {
                    0 => to.as_ptr(),
                    length if length == whole => input[range.clone()].as_ptr(),
                    _ => {
                        let factor = &input[number * self.runs.lanes..][..self.runs.lanes];
                        to.chunks_exact_mut(self.runs.lanes).for_each(|to| to.copy_from_slice(factor));
                        to.as_ptr()
                    }
                };
                for i in 0..others.len() {
                    self.runs.apply(from, others.get(i), whole, &range, number, to.as_mut_ptr());
                    from = to.as_ptr();
                }
                self.epilogue.apply(to);
            }
        });
    }
}

impl fmt::Debug for Arithmetic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.epilogue.name(self.name, f)
    }
}

/// The gradient of a product with respect to one value: that of the output times all other values; summed over each channel
/// where the value has one factor for it.
pub(crate) struct ProductGradient {
    runs: Runs,
    index: usize,
    /// Whether the value has one factor for each channel.
    is_factor: bool,
    sum: unsafe fn(*const f32, usize, *mut f32),
}

impl ProductGradient {
    pub fn new(index: usize, layer: &Layer<'_>) -> Result<Self, Error> {
        let shape = layer.inputs.get(index).ok_or_else(|| layer.error("it has no such value"))?;
        let elements = |shape: &[usize]| shape.iter().product::<usize>();
        let is_factor = elements(shape) < elements(layer.output);
        Ok(Self { runs: Runs::new(layer, mul_of(layer.isa)), index, is_factor, sum: sum_of(layer.isa) })
    }

    /// `to = dy · all other values` for a chunk.
    ///
    /// # Safety
    /// `dy` and `to` have as many elements as the range.
    unsafe fn product(
        &self,
        mut dy: *const f32,
        values: Others<'_>,
        whole: usize,
        range: &Range<usize>,
        number: usize,
        to: *mut f32,
    ) {
        for i in (0..values.len()).filter(|&i| i != self.index) {
            // SAFETY: the caller keeps the conditions.
            unsafe { self.runs.apply(dy, values.get(i), whole, range, number, to) };
            dy = to;
        }
    }
}

impl Kernel for ProductGradient {
    fn scratch(&self, _: usize, threads: usize) -> usize {
        if self.is_factor { CHUNK.saturating_mul(threads) } else { 0 }
    }

    fn may_overwrite(&self) -> usize {
        usize::from(!self.is_factor)
    }

    fn run(&self, call: Call<'_>) {
        let (input, values, lanes) = (call.input, call.others, self.runs.lanes);
        let output = Shared::new(call.output);
        if !self.is_factor {
            let whole = values.get(self.index).len();
            return self.runs.each_chunk(call.threads, whole, |range, number| {
                // SAFETY: each chunk is one task's alone, and the gradient may lie there.
                unsafe {
                    let to = output.part(range.clone());
                    let dy = if input.is_empty() { to.as_ptr() } else { input[range.clone()].as_ptr() };
                    self.product(dy, values, whole, &range, number, to.as_mut_ptr());
                }
            });
        }
        let (whole, run, scratch) = (input.len(), self.runs.run, Shared::new(call.scratch));
        call.threads.for_work(2 * whole).run(whole / run, |number, worker| {
            // SAFETY: each worker has its own scratch, each task its own sum; the instruction set was checked.
            unsafe {
                let products = scratch.part(worker * CHUNK..(worker + 1) * CHUNK);
                let to = output.part(number * lanes..(number + 1) * lanes);
                to.fill(0.0);
                for chunk in super::chunks(run, CHUNK) {
                    let range = number * run + chunk.start..number * run + chunk.end;
                    let dy = input[range.clone()].as_ptr();
                    self.product(dy, values, whole, &range, number, products.as_mut_ptr());
                    (self.sum)(products.as_ptr(), range.len(), to.as_mut_ptr());
                }
            }
        });
    }
}

impl fmt::Debug for ProductGradient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("mul gradient")
    }
}

/// `to = $name(a, b)` for all elements, a multiple of the lanes; any of them may be the same.
macro_rules! combine {
    ($name:ident $body:ident, |$a:ident, $b:ident| $result:expr, $step:expr) => {
        #[inline(always)]
        unsafe fn $body<S: Simd>(a: *const f32, b: *const f32, to: *mut f32, elements: usize) {
            // SAFETY: the operands have so many elements; the CPU has the instruction set.
            unsafe {
                let mut i = 0;
                while i < elements {
                    let ($a, $b) = (S::load(a.add(i)), S::load(b.add(i * $step)));
                    $result.store(to.add(i));
                    i += S::LANES;
                }
            }
        }
        per_isa!(fn $name(a: *const f32, b: *const f32, to: *mut f32, elements: usize) = $body);
    };
}
combine!(add_of add_body, |a, b| a.add(b), 1);
combine!(mul_of mul_body, |a, b| a.mul(b), 1);
combine!(scale_of scale_body, |a, b| a.mul(b), 0);

per_isa!(fn sum_of(from: *const f32, elements: usize, to: *mut f32) = sum_body);

/// Adds the sum of all vectors to one.
#[inline(always)]
unsafe fn sum_body<S: Simd>(from: *const f32, elements: usize, to: *mut f32) {
    // SAFETY: there are so many elements; the CPU has the instruction set.
    unsafe {
        let mut sums = [S::splat(0.0); 2];
        let mut i = 0;
        while i + 2 * S::LANES <= elements {
            sums[0] = sums[0].add(S::load(from.add(i)));
            sums[1] = sums[1].add(S::load(from.add(i + S::LANES)));
            i += 2 * S::LANES;
        }
        if i < elements {
            sums[0] = sums[0].add(S::load(from.add(i)));
        }
        S::load(to).add(sums[0].add(sums[1])).store(to);
    }
}

const _: () = assert!(CHUNK.is_multiple_of(MAX_LANES));
