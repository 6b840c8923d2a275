//! Pooling of blocked maps over ranges of rows and columns: adaptive and global pools.

use super::pool::{Max, Sum};
use super::window::Operation;
use crate::Error;
use crate::engine::kernels::split::split;
use crate::engine::kernels::{Call, Kernel};
use crate::engine::select::Layer;
use crate::engine::simd::{Simd, per_isa};
use crate::engine::threads::{Shared, Threads};
use cnn_ir::ops::{AdaptiveAvgPoolSpec, AdaptiveMaxPoolSpec};
use std::ops::Range;

/// Pooling over ranges of both axes.
pub(crate) struct RangePool {
    name: &'static str,
    ranges: Ranges,
    lanes: usize,
    code: unsafe fn(&Ranges, *const f32, *mut f32),
}

/// The ranges, one for each row and column of the output.
struct Ranges {
    input: [usize; 2],
    rows: Vec<Range<usize>>,
    columns: Vec<Range<usize>>,
}

impl RangePool {
    /// The mean of adaptive windows.
    pub fn avg(spec: &AdaptiveAvgPoolSpec<2>, layer: &Layer<'_>) -> Result<Self, Error> {
        let windows = |axis, n| spec.windows(axis, n).collect();
        Self::new("adaptive_avg_pool", layer, mean_of(layer.isa), windows)
    }

    /// The maximum of adaptive windows.
    pub fn max(spec: &AdaptiveMaxPoolSpec<2>, layer: &Layer<'_>) -> Result<Self, Error> {
        let windows = |axis, n| spec.windows(axis, n).collect();
        Self::new("adaptive_max_pool", layer, max_of(layer.isa), windows)
    }

    /// The mean of each channel.
    pub fn global_avg(layer: &Layer<'_>) -> Result<Self, Error> {
        Self::new("global_avg_pool", layer, mean_of(layer.isa), |_, n| std::iter::once(0..n).collect())
    }

    /// The maximum of each channel.
    pub fn global_max(layer: &Layer<'_>) -> Result<Self, Error> {
        Self::new("global_max_pool", layer, max_of(layer.isa), |_, n| std::iter::once(0..n).collect())
    }

    /// `windows` gives the ranges along an axis that has `n` elements.
    fn new(
        name: &'static str,
        layer: &Layer<'_>,
        code: unsafe fn(&Ranges, *const f32, *mut f32),
        windows: impl Fn(usize, usize) -> Vec<Range<usize>>,
    ) -> Result<Self, Error> {
        let &[_, height, width] = layer.input else { return Err(layer.error("the layer takes maps")) };
        let ranges = Ranges { input: [height, width], rows: windows(0, height), columns: windows(1, width) };
        Ok(Self { name, ranges, lanes: layer.isa.lanes(), code })
    }

    pub(super) fn pool(&self, input: &[f32], output: &mut [f32], threads: &Threads) {
        let Ranges { input: [height, width], rows, columns } = &self.ranges;
        let (from, to) = (height * width * self.lanes, rows.len() * columns.len() * self.lanes);
        let planes = output.len() / to;
        let output = Shared::new(output);
        split(threads, planes, from.max(to), |planes| {
            for plane in planes {
                // SAFETY: the instruction set was checked before the kernel was made; input and output are blocked maps of
                // the layer's shapes, the ranges lie in the input, and no other task has this plane.
                unsafe { (self.code)(&self.ranges, input.as_ptr().add(plane * from), output.as_ptr().add(plane * to)) };
            }
        });
    }
}

impl Kernel for RangePool {
    fn run(&self, call: Call<'_>) {
        self.pool(call.input, call.output, call.threads);
    }
}

impl std::fmt::Debug for RangePool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

per_isa!(fn max_of(ranges: &Ranges, input: *const f32, output: *mut f32) = max_body);
per_isa!(fn mean_of(ranges: &Ranges, input: *const f32, output: *mut f32) = mean_body);

#[inline(always)]
unsafe fn max_body<S: Simd>(ranges: &Ranges, input: *const f32, output: *mut f32) {
    // SAFETY: the caller keeps the conditions.
    unsafe { plane::<S, Max>(ranges, input, output, false) }
}

#[inline(always)]
unsafe fn mean_body<S: Simd>(ranges: &Ranges, input: *const f32, output: *mut f32) {
    // SAFETY: the caller keeps the conditions.
    unsafe { plane::<S, Sum>(ranges, input, output, true) }
}

/// One block of channels; `is_mean` divides by the number of elements.
///
/// # Safety
/// The CPU has the vector's instruction set, the memory is that of a block, and the ranges lie in it.
#[inline(always)]
unsafe fn plane<S: Simd, O: Operation>(ranges: &Ranges, input: *const f32, output: *mut f32, is_mean: bool) {
    let Ranges { input: [_, width], rows, columns } = ranges;
    let mut to = output;
    for y in 0..rows.len() {
        for x in 0..columns.len() {
            let (rows, columns) = (&rows[y], &columns[x]);
            let (mut count, mut repeats) = (columns.end - columns.start, rows.end - rows.start);
            let elements = (count * repeats) as f32;
            if count == *width {
                (count, repeats) = (count * repeats, 1); // whole rows are adjacent
            }
            // SAFETY: the caller keeps the conditions.
            unsafe {
                let mut from = input.add((rows.start * width + columns.start) * S::LANES);
                let mut sums = [S::splat(O::START); 4];
                for _ in 0..repeats {
                    run::<S, O>(from, count, &mut sums);
                    from = from.wrapping_add(width * S::LANES);
                }
                let [a, b, c, d] = sums;
                let sum = O::combine(O::combine(a, b, a), O::combine(c, d, a), a);
                let result = if is_mean { sum.div(S::splat(elements)) } else { sum };
                result.store(to);
                to = to.wrapping_add(S::LANES);
            }
        }
    }
}

/// Combines adjacent pixels, in four chains so that none waits for another.
///
/// # Safety
/// The CPU has the vector's instruction set, and there are `count` pixels.
// Plain counted loops are what the compiler unrolls into registers.
#[allow(clippy::needless_range_loop)]
#[inline(always)]
unsafe fn run<S: Simd, O: Operation>(from: *const f32, count: usize, sums: &mut [S; 4]) {
    // SAFETY: only pixels below the count are read.
    unsafe {
        let mut pixel = 0;
        while pixel + 4 <= count {
            for i in 0..4 {
                sums[i] = O::combine(sums[i], S::load(from.add((pixel + i) * S::LANES)), sums[i]);
            }
            pixel += 4;
        }
        while pixel < count {
            sums[0] = O::combine(sums[0], S::load(from.add(pixel * S::LANES)), sums[0]);
            pixel += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::reference::{Case, pools, values};
    use super::*;
    use crate::engine::Isa;
    use cnn_ir::Op;
    use cnn_ir::ops::{GlobalAvgPoolSpec, GlobalMaxPoolSpec};

    /// The input, and the adaptive pool's output.
    const CASES: [([usize; 3], [usize; 2]); 7] = [
        ([1, 1, 1], [1, 1]),
        ([67, 7, 7], [1, 1]),
        ([17, 13, 11], [6, 4]),
        ([16, 6, 9], [7, 20]),
        ([5, 8, 8], [8, 8]),
        ([33, 3, 19], [3, 1]),
        ([256, 31, 33], [2, 5]),
    ];

    #[test]
    fn pools_over_ranges_are_the_formula() -> Result<(), Error> {
        let threads = pools();
        for isa in Isa::available() {
            for (number, (input, output_size)) in CASES.into_iter().enumerate() {
                let avg = AdaptiveAvgPoolSpec::new(output_size);
                let max = AdaptiveMaxPoolSpec::new(output_size);
                let inputs: [&[usize]; 1] = [&input];
                let ops: [Op; 4] = [
                    avg.clone().into(),
                    max.clone().into(),
                    GlobalAvgPoolSpec::<2>::new().into(),
                    GlobalMaxPoolSpec::<2>::new().into(),
                ];
                for op in ops {
                    let case = Case::new(op.clone(), &inputs, isa);
                    let layer = case.layer();
                    let kernel = match &op {
                        Op::AdaptiveAvgPool2d(spec) => RangePool::avg(spec, &layer)?,
                        Op::AdaptiveMaxPool2d(spec) => RangePool::max(spec, &layer)?,
                        Op::GlobalAvgPool2d(_) => RangePool::global_avg(&layer)?,
                        _ => RangePool::global_max(&layer)?,
                    };
                    let [channels, height, width] = input;
                    let mut map = values((1 + number % 3) * channels * height * width, 5);
                    if number == 3 {
                        map[40] = f32::NAN;
                    }
                    let maps = [map];
                    let run = |maps: &[Vec<f32>], output: &mut [f32], threads: &Threads| {
                        kernel.pool(&maps[0], output, threads)
                    };
                    let found = case.run(&maps, &threads, run);
                    case.check(&found, |example, channel, y, x| {
                        let plane = &maps[0][(example * channels + channel) * height * width..];
                        let (rows, columns) = match layer.output[1..] == output_size {
                            true => (avg.windows(0, height).nth(y), avg.windows(1, width).nth(x)),
                            false => (Some(0..height), Some(0..width)),
                        };
                        let columns = columns.unwrap();
                        let places = rows.unwrap().flat_map(|y| columns.clone().map(move |x| y * width + x));
                        let elements: Vec<f64> = places.map(|place| f64::from(plane[place])).collect();
                        match kernel.name.contains("avg") {
                            true => elements.iter().sum::<f64>() / elements.len() as f64,
                            false => {
                                elements.iter().fold(f64::NEG_INFINITY, |a, &b| if b > a || b.is_nan() { b } else { a })
                            }
                        }
                    });
                }
            }
        }
        Ok(())
    }
}
