//! Means and maxima of windows, and their gradients.

use super::windows::{Span, Windows};
use crate::Error;
use crate::engine::Isa;
use crate::engine::kernels::{Call, Kernel};
use crate::engine::select::Layer;
use crate::engine::simd::{Simd, per_isa};
use crate::engine::threads::Shared;
use cnn_ir::ops::{AvgPoolSpec, MaxPoolSpec};
use std::fmt;

/// Which pooling, and whether it is the layer or its gradient.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Does {
    Mean,
    MeanGradient,
    Max,
    MaxGradient,
}

/// Pooling over windows, or its gradient.
pub(crate) struct Pool {
    does: Does,
    windows: Windows,
    /// For each place what a sum is multiplied by; empty for maxima.
    factors: Vec<f32>,
    isa: Isa,
}

impl Pool {
    pub fn avg<const D: usize, const S: usize>(
        spec: &AvgPoolSpec<D, S>,
        layer: &Layer<'_>,
        is_gradient: bool,
    ) -> Result<Self, Error> {
        let windows = Windows::sliding(layer, spec.kernel_size, spec.stride, [1; D], spec.padding)?;
        let divisor = |[d, h, w]: [Span; 3]| match (spec.divisor_override, spec.count_include_pad) {
            (Some(divisor), _) => divisor,
            (None, true) => d.padded * h.padded * w.padded,
            (None, false) => d.count * h.count * w.count,
        };
        Ok(Self::mean(windows, divisor, layer, is_gradient))
    }

    pub fn max<const D: usize, const S: usize>(
        spec: &MaxPoolSpec<D, S>,
        layer: &Layer<'_>,
        is_gradient: bool,
    ) -> Result<Self, Error> {
        let windows = Windows::sliding(layer, spec.kernel_size, spec.stride, spec.dilation, spec.padding)?;
        Ok(Self::largest(windows, layer, is_gradient))
    }

    /// The mean of windows, of which each has a divisor.
    fn mean(windows: Windows, divisor: impl Fn([Span; 3]) -> usize, layer: &Layer<'_>, is_gradient: bool) -> Self {
        let mut factors = Vec::with_capacity(windows.elements()[1]);
        windows.places(|_, spans| factors.push(1.0 / divisor(spans).max(1) as f32));
        let does = if is_gradient { Does::MeanGradient } else { Does::Mean };
        Self { does, windows, factors, isa: layer.isa }
    }

    /// The largest of each window.
    fn largest(windows: Windows, layer: &Layer<'_>, is_gradient: bool) -> Self {
        let does = if is_gradient { Does::MaxGradient } else { Does::Max };
        Self { does, windows, factors: Vec::new(), isa: layer.isa }
    }
}

impl Kernel for Pool {
    fn run(&self, call: Call<'_>) {
        let lanes = self.isa.lanes();
        let maps = call.batch / lanes * self.windows.channels;
        let [large, small] = self.windows.elements().map(|elements| elements * lanes);
        let output = Shared::new(call.output);
        let threads = call.threads.for_work(maps * large);
        threads.run(maps, |map, _| {
            let [large, small] = [map * large..(map + 1) * large, map * small..(map + 1) * small];
            // SAFETY: each map is one task's alone; windows lie within it, and the instruction set was checked.
            unsafe {
                match self.does {
                    Does::Mean => mean(self.isa)(&self.windows, &self.factors, &call.input[large], output.part(small)),
                    Does::MeanGradient => {
                        spread(self.isa)(&self.windows, &self.factors, &call.input[small], output.part(large));
                    }
                    Does::Max => largest(self.isa)(&self.windows, &call.input[large], output.part(small)),
                    Does::MaxGradient => {
                        let (x, y) = (&call.others.get(0)[large.clone()], &call.others.get(1)[small.clone()]);
                        to_largest(self.isa)(&self.windows, &call.input[small], x, y, output.part(large));
                    }
                }
            }
        });
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.does {
            Does::Mean => "avg_pool",
            Does::MeanGradient => "avg_pool gradient",
            Does::Max => "max_pool",
            Does::MaxGradient => "max_pool gradient",
        })
    }
}

/// Calls `$each` with the distance of each element of a window.
macro_rules! each_element {
    ($windows:ident, $spans:expr, $at:ident => $each:block) => {
        let ([d, h, w], [_, height, width]) = ($spans, $windows.input);
        let mut i = 0;
        while i < d.count {
            let mut j = 0;
            while j < h.count {
                let row = ((d.start + i * d.step) * height + h.start + j * h.step) * width + w.start;
                let mut k = 0;
                while k < w.count {
                    let $at = (row + k * w.step) * S::LANES;
                    $each
                    k += 1;
                }
                j += 1;
            }
            i += 1;
        }
    };
}

/// Calls `$each` with every place's distance in the output and its windows.
macro_rules! each_place {
    ($windows:ident, $place:ident, $spans:ident => $each:block) => {
        let mut $place = 0;
        let mut d = 0;
        while d < $windows.output[0] {
            let mut h = 0;
            while h < $windows.output[1] {
                let mut w = 0;
                while w < $windows.output[2] {
                    let $spans = [$windows.spans[0][d], $windows.spans[1][h], $windows.spans[2][w]];
                    $each
                    $place += 1;
                    w += 1;
                }
                h += 1;
            }
            d += 1;
        }
    };
}

#[inline(always)]
unsafe fn mean_body<S: Simd>(windows: &Windows, factors: &[f32], from: &[f32], to: &mut [f32]) {
    // SAFETY: the caller keeps the conditions.
    unsafe {
        each_place!(windows, place, spans => {
            let mut sum = S::splat(0.0);
            each_element!(windows, spans, at => { sum = sum.add(S::load(from.as_ptr().add(at))); });
            sum.mul(S::splat(factors[place])).store(to.as_mut_ptr().add(place * S::LANES));
        });
    }
}
per_isa!(fn mean(windows: &Windows, factors: &[f32], from: &[f32], to: &mut [f32]) = mean_body);

#[inline(always)]
unsafe fn spread_body<S: Simd>(windows: &Windows, factors: &[f32], dy: &[f32], dx: &mut [f32]) {
    dx.fill(0.0);
    // SAFETY: the caller keeps the conditions.
    unsafe {
        each_place!(windows, place, spans => {
            let share = S::load(dy.as_ptr().add(place * S::LANES)).mul(S::splat(factors[place]));
            each_element!(windows, spans, at => {
                let to = dx.as_mut_ptr().add(at);
                S::load(to).add(share).store(to);
            });
        });
    }
}
per_isa!(fn spread(windows: &Windows, factors: &[f32], dy: &[f32], dx: &mut [f32]) = spread_body);

#[inline(always)]
unsafe fn largest_body<S: Simd>(windows: &Windows, from: &[f32], to: &mut [f32]) {
    // SAFETY: the caller keeps the conditions.
    unsafe {
        each_place!(windows, place, spans => {
            let mut most = S::splat(f32::NEG_INFINITY);
            each_element!(windows, spans, at => { most = most.max_or_nan(S::load(from.as_ptr().add(at))); });
            most.store(to.as_mut_ptr().add(place * S::LANES));
        });
    }
}
per_isa!(fn largest(windows: &Windows, from: &[f32], to: &mut [f32]) = largest_body);

/// The gradient goes to the first of the largest, as in PyTorch.
#[inline(always)]
unsafe fn to_largest_body<S: Simd>(windows: &Windows, dy: &[f32], x: &[f32], y: &[f32], dx: &mut [f32]) {
    dx.fill(0.0);
    // SAFETY: the caller keeps the conditions.
    unsafe {
        let zero = S::splat(0.0);
        each_place!(windows, place, spans => {
            let most = S::load(y.as_ptr().add(place * S::LANES));
            let mut left = S::load(dy.as_ptr().add(place * S::LANES));
            each_element!(windows, spans, at => {
                let value = S::load(x.as_ptr().add(at));
                let to = dx.as_mut_ptr().add(at);
                S::load(to).add(value.select_less(most, zero, left)).store(to);
                left = value.select_less(most, left, zero);
            });
        });
    }
}
per_isa!(fn to_largest(windows: &Windows, dy: &[f32], x: &[f32], y: &[f32], dx: &mut [f32]) = to_largest_body);
