//! Pooling over windows of different sizes: adaptive, global and fractional pools.
//!
//! Separable, as all pools are: the rows of a window are combined first, into one row; then its columns.

use super::pool::{Combine, Max, Sum};
use super::{Call, Kernel};
use crate::Error;
use crate::engine::select::Layer;
use crate::engine::simd::{Simd, per_isa};
use cnn_ir::ops::{AdaptiveAvgPool2dSpec, AdaptiveMaxPool2dSpec, FractionalMaxPool2dSpec};
use std::ops::Range;

/// Pooling over ranges of rows and of columns.
pub(crate) struct RangePool {
    name: &'static str,
    pool: unsafe fn(&Windows, &[f32], &mut [f32], &mut [f32]),
    windows: Windows,
}

struct Windows {
    /// Height and width.
    input: [usize; 2],
    rows: Vec<Range<usize>>,
    columns: Vec<Range<usize>>,
}

impl RangePool {
    /// The mean of adaptive windows.
    pub fn avg(spec: &AdaptiveAvgPool2dSpec, layer: &Layer<'_>) -> Result<Self, Error> {
        Self::new("adaptive_avg_pool", mean_of(layer.isa), layer, |axis, n| spec.windows(axis, n).collect())
    }

    /// The maximum of adaptive windows.
    pub fn max(spec: &AdaptiveMaxPool2dSpec, layer: &Layer<'_>) -> Result<Self, Error> {
        Self::new("adaptive_max_pool", max_of(layer.isa), layer, |axis, n| spec.windows(axis, n).collect())
    }

    /// The maximum of each map.
    pub fn global_max(layer: &Layer<'_>) -> Result<Self, Error> {
        Self::new("global_max_pool", max_of(layer.isa), layer, |_, n| std::iter::once(0..n).collect())
    }

    /// The maximum of windows at random distances.
    pub fn fractional_max(spec: &FractionalMaxPool2dSpec, layer: &Layer<'_>) -> Result<Self, Error> {
        Self::new("fractional_max_pool", max_of(layer.isa), layer, |axis, n| spec.windows(axis, n).collect())
    }

    fn new(
        name: &'static str,
        pool: unsafe fn(&Windows, &[f32], &mut [f32], &mut [f32]),
        layer: &Layer<'_>,
        ranges: impl Fn(usize, usize) -> Vec<Range<usize>>,
    ) -> Result<Self, Error> {
        let &[_, height, width] = layer.input else { return Err(layer.error("a pool takes maps")) };
        let windows = Windows { input: [height, width], rows: ranges(0, height), columns: ranges(1, width) };
        Ok(Self { name, pool, windows })
    }
}

impl Kernel for RangePool {
    fn scratch(&self, _batch: usize) -> usize {
        self.windows.input[1]
    }

    fn run(&self, call: Call<'_>) {
        // SAFETY: the instruction set was checked before the kernel was made.
        unsafe { (self.pool)(&self.windows, call.input, call.output, call.scratch) };
    }
}

impl std::fmt::Debug for RangePool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

per_isa!(fn max_of(windows: &Windows, input: &[f32], output: &mut [f32], row: &mut [f32]) = max_body);
per_isa!(fn mean_of(windows: &Windows, input: &[f32], output: &mut [f32], row: &mut [f32]) = mean_body);

#[inline(always)]
unsafe fn max_body<S: Simd>(windows: &Windows, input: &[f32], output: &mut [f32], row: &mut [f32]) {
    pool_maps::<Max>(windows, input, output, row, |largest, _| largest);
}

#[inline(always)]
unsafe fn mean_body<S: Simd>(windows: &Windows, input: &[f32], output: &mut [f32], row: &mut [f32]) {
    pool_maps::<Sum>(windows, input, output, row, |sum, count| sum / count as f32);
}

#[inline(always)]
fn pool_maps<C: Combine>(
    windows: &Windows,
    input: &[f32],
    output: &mut [f32],
    row: &mut [f32],
    finish: impl Fn(f32, usize) -> f32,
) {
    let [height, width] = windows.input;
    let row = &mut row[..width];
    let maps = output.chunks_exact_mut(windows.rows.len() * windows.columns.len());
    for (input, output) in input.chunks_exact(height * width).zip(maps) {
        for (rows, output) in windows.rows.iter().zip(output.chunks_exact_mut(windows.columns.len())) {
            row.fill(C::PADDING);
            for from in input[rows.start * width..rows.end * width].chunks_exact(width) {
                for (to, &from) in row.iter_mut().zip(from) {
                    *to = C::combine(*to, from);
                }
            }
            for (columns, to) in windows.columns.iter().zip(output) {
                let value = row[columns.clone()].iter().fold(C::PADDING, |value, &next| C::combine(value, next));
                *to = finish(value, rows.len() * columns.len());
            }
        }
    }
}
