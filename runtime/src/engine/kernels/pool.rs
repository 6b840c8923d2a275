//! Pooling over windows and over whole maps.
//!
//! Both kinds of window are separable: the rows of a window are combined first, into one padded row; then its columns.

use super::axes::{before, in_volume, volume};
use super::{Call, Kernel};
use crate::Error;
use crate::engine::Isa;
use crate::engine::select::Layer;
use crate::engine::simd::{Simd, per_isa, reduce_add};
use cnn_ir::ops::{AvgPoolSpec, MaxPoolSpec};

/// Pooling over windows.
pub(crate) struct Pool {
    name: &'static str,
    pool: unsafe fn(&Window, &[f32], &mut [f32], &mut [f32]),
    window: Window,
}

/// The geometry of a pool, for depth, height and width.
#[derive(Debug, Clone)]
struct Window {
    kernel: [usize; 3],
    stride: [usize; 3],
    /// Front, top and left.
    padding: [usize; 3],
    dilation: [usize; 3],
    input: [usize; 3],
    output: [usize; 3],
    /// The number to divide by is the product of the slice's, the row's and the column's entry; empty for a maximum.
    divisors: [Vec<f32>; 3],
}

impl Window {
    /// Columns that the windows cover, padding included.
    fn columns(&self) -> usize {
        (self.output[2] - 1) * self.stride[2] + (self.kernel[2] - 1) * self.dilation[2] + 1
    }
}

impl Pool {
    /// A maximum.
    pub fn max<const D: usize, const S: usize>(spec: &MaxPoolSpec<D, S>, layer: &Layer<'_>) -> Result<Self, Error> {
        let MaxPoolSpec { kernel_size, stride, padding, dilation, .. } = *spec;
        Self::new("max_pool", max_of(layer.isa), [kernel_size, stride, dilation], padding, layer)
    }

    /// A mean.
    pub fn avg<const D: usize, const S: usize>(spec: &AvgPoolSpec<D, S>, layer: &Layer<'_>) -> Result<Self, Error> {
        let AvgPoolSpec { kernel_size, stride, padding, .. } = *spec;
        let mut pool = Self::new("avg_pool", sum_of(layer.isa), [kernel_size, stride, [1; D]], padding, layer)?;
        let after = in_volume::<_, D>(std::array::from_fn(|axis| padding[2 * axis + 1]), 0);
        let window = &mut pool.window;
        window.divisors = std::array::from_fn(|axis| match spec.divisor_override {
            Some(divisor) => vec![if axis == 0 { divisor as f32 } else { 1.0 }; window.output[axis]],
            None => {
                let geometry = [window.kernel[axis], window.stride[axis], window.padding[axis], after[axis]];
                counts([window.input[axis], window.output[axis]], geometry, spec.count_include_pad)
            }
        });
        Ok(pool)
    }

    fn new<const D: usize, const S: usize>(
        name: &'static str,
        pool: unsafe fn(&Window, &[f32], &mut [f32], &mut [f32]),
        [kernel, stride, dilation]: [[usize; D]; 3],
        padding: [usize; S],
        layer: &Layer<'_>,
    ) -> Result<Self, Error> {
        let ([_, input @ ..], [_, output @ ..]) = (volume(layer.input, layer)?, volume(layer.output, layer)?);
        let window = Window {
            kernel: in_volume(kernel, 1),
            stride: in_volume(stride, 1),
            padding: in_volume::<_, D>(before(padding), 0),
            dilation: in_volume(dilation, 1),
            input,
            output,
            divisors: Default::default(),
        };
        Ok(Self { name, pool, window })
    }
}

/// PyTorch's count of the elements that each window averages over along one axis, of `input` elements in and `output` out:
/// what lies beyond the padding never counts, the padding itself when it is included.
pub(super) fn counts(
    [input, output]: [usize; 2],
    [kernel, stride, before, after]: [usize; 4],
    include_padding: bool,
) -> Vec<f32> {
    let count = |i: usize| {
        let start = i * stride;
        let end = (start + kernel).min(input + before + after);
        match include_padding {
            true => end - start,
            false => end.min(input + before).saturating_sub(start.max(before)).max(1),
        }
    };
    (0..output).map(|i| count(i) as f32).collect()
}

impl Kernel for Pool {
    fn scratch(&self, _batch: usize, _threads: usize) -> usize {
        self.window.columns()
    }

    fn run(&self, call: Call<'_>) {
        // SAFETY: the instruction set was checked before the kernel was made.
        unsafe { (self.pool)(&self.window, call.input, call.output, call.scratch) };
    }
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

per_isa!(fn max_of(window: &Window, input: &[f32], output: &mut [f32], row: &mut [f32]) = max_body);
per_isa!(fn sum_of(window: &Window, input: &[f32], output: &mut [f32], row: &mut [f32]) = sum_body);

#[inline(always)]
unsafe fn max_body<S: Simd>(window: &Window, input: &[f32], output: &mut [f32], row: &mut [f32]) {
    pool_maps::<Max>(window, input, output, row);
}

#[inline(always)]
unsafe fn sum_body<S: Simd>(window: &Window, input: &[f32], output: &mut [f32], row: &mut [f32]) {
    pool_maps::<Sum>(window, input, output, row);
}

/// How two elements of a window become one. Loops over it are left to the compiler to vectorise.
pub(super) trait Combine {
    /// What changes nothing.
    const PADDING: f32;
    fn combine(a: f32, b: f32) -> f32;
}

pub(super) struct Max;
impl Combine for Max {
    const PADDING: f32 = f32::NEG_INFINITY;
    #[inline(always)]
    fn combine(a: f32, b: f32) -> f32 {
        // As in PyTorch, NaN wins.
        if b > a || b.is_nan() { b } else { a }
    }
}

pub(super) struct Sum;
impl Combine for Sum {
    const PADDING: f32 = 0.0;
    #[inline(always)]
    fn combine(a: f32, b: f32) -> f32 {
        a + b
    }
}

#[inline(always)]
fn pool_maps<C: Combine>(window: &Window, input: &[f32], output: &mut [f32], row: &mut [f32]) {
    let [depth, height, width] = window.input;
    let [_, out_height, out_width] = window.output;
    let row = &mut row[..window.columns()];
    let left = window.padding[2].min(row.len());
    let inside = width.min(row.len() - left);
    row[..left].fill(C::PADDING);
    row[left + inside..].fill(C::PADDING);
    let channels = output.chunks_exact_mut(window.output.iter().product());
    for (input, output) in input.chunks_exact(depth * height * width).zip(channels) {
        for (place, output) in output.chunks_exact_mut(out_width).enumerate() {
            let (z, y) = (place / out_height, place % out_height);
            combine_rows::<C>(window, [z, y], input, &mut row[left..left + inside]);
            match window.stride[2] {
                1 => combine_columns::<C, 1>(window, row, output),
                2 => combine_columns::<C, 2>(window, row, output),
                _ => combine_columns::<C, 0>(window, row, output),
            }
            let [slices, rows, columns] = &window.divisors;
            if let (Some(&slices), Some(&rows)) = (slices.get(z), rows.get(y)) {
                for (value, &columns) in output.iter_mut().zip(columns) {
                    *value /= slices * rows * columns;
                }
            }
        }
    }
}

/// Combines the rows of the windows of output row `y` of slice `z`.
#[inline(always)]
fn combine_rows<C: Combine>(window: &Window, [z, y]: [usize; 2], input: &[f32], row: &mut [f32]) {
    let [depth, height, width] = window.input;
    let mut first = true;
    // Wraps to a huge place in front of the volume.
    let source = |axis: usize, place: usize, tap: usize| {
        (place * window.stride[axis] + tap * window.dilation[axis]).wrapping_sub(window.padding[axis])
    };
    for tap in 0..window.kernel[0] * window.kernel[1] {
        let (z, y) = (source(0, z, tap / window.kernel[1]), source(1, y, tap % window.kernel[1]));
        if z >= depth || y >= height {
            continue;
        }
        let from = &input[(z * height + y) * width..][..row.len()];
        if first {
            row.copy_from_slice(from);
            first = false;
        } else {
            for (to, &from) in row.iter_mut().zip(from) {
                *to = C::combine(*to, from);
            }
        }
    }
    if first {
        row.fill(C::PADDING);
    }
}

/// Combines the columns of each window; `STRIDE` 0 stands for any.
#[inline(always)]
fn combine_columns<C: Combine, const STRIDE: usize>(window: &Window, row: &[f32], output: &mut [f32]) {
    let stride = if STRIDE == 0 { window.stride[2] } else { STRIDE };
    let span = (output.len() - 1) * stride + 1;
    for k in 0..window.kernel[2] {
        let from = &row[k * window.dilation[2]..][..span];
        if k == 0 {
            for (i, to) in output.iter_mut().enumerate() {
                *to = from[i * stride];
            }
        } else {
            for (i, to) in output.iter_mut().enumerate() {
                *to = C::combine(*to, from[i * stride]);
            }
        }
    }
}

/// The mean of each channel.
pub(crate) struct GlobalAvgPool {
    mean: unsafe fn(&[f32], &mut [f32]),
}

impl GlobalAvgPool {
    pub fn new(isa: Isa) -> Self {
        Self { mean: mean_of(isa) }
    }
}

impl Kernel for GlobalAvgPool {
    fn run(&self, call: Call<'_>) {
        // SAFETY: the instruction set was checked before the kernel was made.
        unsafe { (self.mean)(call.input, call.output) };
    }
}

impl std::fmt::Debug for GlobalAvgPool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("global_avg_pool")
    }
}

per_isa!(fn mean_of(input: &[f32], output: &mut [f32]) = mean_body);

/// # Safety
/// The CPU has the vector's instruction set.
// Plain counted loops are what the compiler unrolls into registers.
#[allow(clippy::needless_range_loop)]
#[inline(always)]
unsafe fn mean_body<S: Simd>(input: &[f32], output: &mut [f32]) {
    let n = input.len() / output.len().max(1);
    for (map, mean) in input.chunks_exact(n.max(1)).zip(output) {
        let start = map.as_ptr();
        let mut i = 0;
        // SAFETY: i + 4·LANES ≤ n in the first loop, i + LANES ≤ n in the second, i + rest = n behind it.
        unsafe {
            let mut sums = [S::splat(0.0); 4];
            while i + 4 * S::LANES <= n {
                for v in 0..4 {
                    sums[v] = sums[v].add(S::load(start.add(i + v * S::LANES)));
                }
                i += 4 * S::LANES;
            }
            while i + S::LANES <= n {
                sums[0] = sums[0].add(S::load(start.add(i)));
                i += S::LANES;
            }
            if i < n {
                sums[1] = sums[1].add(S::load_first(start.add(i), n - i));
            }
            *mean = reduce_add(sums[0].add(sums[1]).add(sums[2].add(sums[3]))) / n as f32;
        }
    }
}
