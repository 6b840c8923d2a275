//! Pooling over windows of different sizes: adaptive, global and fractional pools.
//!
//! Separable, as all pools are: the rows of a window are combined first, into one row; then its columns.

use super::axes::volume;
use super::pool::{Combine, Max, Sum};
use super::{Call, Kernel};
use crate::Error;
use crate::engine::select::Layer;
use crate::engine::simd::{Simd, per_isa};
use cnn_ir::ops::{AdaptiveAvgPoolSpec, AdaptiveMaxPoolSpec, FractionalMaxPoolSpec};
use std::ops::Range;

/// Pooling over ranges of each axis.
pub(crate) struct RangePool {
    name: &'static str,
    pool: Pool,
    windows: Windows,
}

type Pool = unsafe fn(&Windows, &[f32], &mut [f32], &mut [f32]);

struct Windows {
    /// Depth, height and width.
    input: [usize; 3],
    /// The ranges of depth, height and width: one for all channels, or one for each.
    ranges: Vec<Ranges>,
}

type Ranges = [Vec<Range<usize>>; 3];

impl RangePool {
    /// The mean of adaptive windows.
    pub fn avg<const D: usize>(spec: &AdaptiveAvgPoolSpec<D>, layer: &Layer<'_>) -> Result<Self, Error> {
        let ranges = |axis, n| spec.windows(axis, n).collect();
        Self::new::<D, _>("adaptive_avg_pool", mean_of(layer.isa), layer, 1, |_| ranges)
    }

    /// The maximum of adaptive windows.
    pub fn max<const D: usize>(spec: &AdaptiveMaxPoolSpec<D>, layer: &Layer<'_>) -> Result<Self, Error> {
        let ranges = |axis, n| spec.windows(axis, n).collect();
        Self::new::<D, _>("adaptive_max_pool", max_of(layer.isa), layer, 1, |_| ranges)
    }

    /// The maximum of each channel.
    pub fn global_max(layer: &Layer<'_>) -> Result<Self, Error> {
        let whole = |_, n| std::iter::once(0..n).collect();
        Self::new::<3, _>("global_max_pool", max_of(layer.isa), layer, 1, |_| whole)
    }

    /// The maximum of windows at random distances, which every channel has of its own.
    pub fn fractional_max<const D: usize>(spec: &FractionalMaxPoolSpec<D>, layer: &Layer<'_>) -> Result<Self, Error> {
        Self::new::<D, _>("fractional_max_pool", max_of(layer.isa), layer, layer.input[0], |channel| {
            move |axis, n| spec.windows(channel, axis, n).collect()
        })
    }

    /// `ranges` gives those of a channel along each of the last D axes that has `n` elements.
    fn new<const D: usize, R: Fn(usize, usize) -> Vec<Range<usize>>>(
        name: &'static str,
        pool: Pool,
        layer: &Layer<'_>,
        channels: usize,
        ranges: impl Fn(usize) -> R,
    ) -> Result<Self, Error> {
        let [_, depth, height, width] = volume(layer.input, layer)?;
        let input = [depth, height, width];
        let of_channel = |channel| {
            let ranges = ranges(channel);
            let along = |axis: usize| match (axis + D).checked_sub(3) {
                Some(own) => ranges(own, input[axis]),
                None => std::iter::once(0..1).collect(),
            };
            [along(0), along(1), along(2)]
        };
        let windows = Windows { input, ranges: (0..channels).map(of_channel).collect() };
        Ok(Self { name, pool, windows })
    }
}

impl Kernel for RangePool {
    fn scratch(&self, _batch: usize, _threads: usize) -> usize {
        self.windows.input[2]
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
    let [depth, height, width] = windows.input;
    let row = &mut row[..width];
    let mut output = output;
    for (input, [depths, rows, columns]) in
        input.chunks_exact(depth * height * width).zip(windows.ranges.iter().cycle())
    {
        let (plane, rest) = output.split_at_mut(depths.len() * rows.len() * columns.len());
        output = rest;
        let windows = depths.iter().flat_map(|depths| rows.iter().map(move |rows| (depths, rows)));
        for ((depths, rows), output) in windows.zip(plane.chunks_exact_mut(columns.len())) {
            row.fill(C::PADDING);
            for z in depths.clone() {
                let from = &input[(z * height + rows.start) * width..(z * height + rows.end) * width];
                for from in from.chunks_exact(width) {
                    for (to, &from) in row.iter_mut().zip(from) {
                        *to = C::combine(*to, from);
                    }
                }
            }
            for (columns, to) in columns.iter().zip(output) {
                let value = row[columns.clone()].iter().fold(C::PADDING, |value, &next| C::combine(value, next));
                *to = finish(value, depths.len() * rows.len() * columns.len());
            }
        }
    }
}
