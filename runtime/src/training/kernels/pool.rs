//! Means and maxima of windows, and their gradients.

use super::windows::{Span, Spans, Windows};
use crate::Error;
use crate::engine::kernels::{Call, Kernel};
use crate::engine::select::Layer;
use crate::engine::simd::{Simd, per_isa};
use crate::engine::threads::Shared;
use cnn_ir::ops::{AdaptiveAvgPoolSpec, AdaptiveMaxPoolSpec, AvgPoolSpec, FractionalMaxPoolSpec, MaxPoolSpec};
use std::fmt;

/// Pooling over windows, or its gradient.
pub(crate) struct Pool {
    name: &'static str,
    is_gradient: bool,
    windows: Windows,
    /// For each place what a sum is multiplied by; empty for maxima.
    factors: Vec<f32>,
    /// Whether the gradient has elements that are in no window.
    has_gaps: bool,
    code: PoolFn,
    lanes: usize,
}

type PoolFn = unsafe fn(Map<'_>);

/// What one channel of a block of examples is pooled from, or its gradient.
struct Map<'a> {
    input: [usize; 3],
    spans: &'a Spans,
    factors: &'a [f32],
    has_gaps: bool,
    /// What is pooled, or the gradient of the result.
    from: &'a [f32],
    /// What was pooled, and the result; for gradients of maxima alone.
    x: &'a [f32],
    y: &'a [f32],
    to: &'a mut [f32],
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
        Ok(Self::mean("avg_pool", windows, divisor, layer, is_gradient))
    }

    pub fn adaptive_avg<const D: usize>(
        spec: &AdaptiveAvgPoolSpec<D>,
        layer: &Layer<'_>,
        is_gradient: bool,
    ) -> Result<Self, Error> {
        let windows = Windows::ranges::<D>(layer, 1, |_, axis, size| spec.windows(axis, size).collect())?;
        Ok(Self::mean("adaptive_avg_pool", windows, elements, layer, is_gradient))
    }

    pub fn global_avg(layer: &Layer<'_>, is_gradient: bool) -> Result<Self, Error> {
        Ok(Self::mean("global_avg_pool", Windows::whole(layer)?, elements, layer, is_gradient))
    }

    pub fn max<const D: usize, const S: usize>(
        spec: &MaxPoolSpec<D, S>,
        layer: &Layer<'_>,
        is_gradient: bool,
    ) -> Result<Self, Error> {
        let windows = Windows::sliding(layer, spec.kernel_size, spec.stride, spec.dilation, spec.padding)?;
        Ok(Self::largest("max_pool", windows, layer, is_gradient))
    }

    pub fn adaptive_max<const D: usize>(
        spec: &AdaptiveMaxPoolSpec<D>,
        layer: &Layer<'_>,
        is_gradient: bool,
    ) -> Result<Self, Error> {
        let windows = Windows::ranges::<D>(layer, 1, |_, axis, size| spec.windows(axis, size).collect())?;
        Ok(Self::largest("adaptive_max_pool", windows, layer, is_gradient))
    }

    pub fn global_max(layer: &Layer<'_>, is_gradient: bool) -> Result<Self, Error> {
        Ok(Self::largest("global_max_pool", Windows::whole(layer)?, layer, is_gradient))
    }

    pub fn fractional_max<const D: usize>(
        spec: &FractionalMaxPoolSpec<D>,
        layer: &Layer<'_>,
        is_gradient: bool,
    ) -> Result<Self, Error> {
        let ranges = |channel, axis, size| spec.windows(channel, axis, size).collect();
        let channels = layer.input.first().copied().unwrap_or(1);
        let windows = Windows::ranges::<D>(layer, channels, ranges)?;
        Ok(Self::largest("fractional_max_pool", windows, layer, is_gradient))
    }

    /// The mean of windows, of which each has a divisor. They are the same for all channels.
    fn mean(
        name: &'static str,
        windows: Windows,
        divisor: impl Fn([Span; 3]) -> usize,
        layer: &Layer<'_>,
        is_gradient: bool,
    ) -> Self {
        let mut factors = Vec::with_capacity(windows.elements()[1]);
        windows.places(|_, spans| factors.push(1.0 / divisor(spans).max(1) as f32));
        let code = match (is_gradient, windows.are(2), windows.are_apart()) {
            (false, true, _) => mean_of_pairs(layer.isa),
            (false, false, _) => mean(layer.isa),
            (true, true, true) => spread_to_pairs(layer.isa),
            (true, false, true) => spread_apart(layer.isa),
            (true, _, false) => spread(layer.isa),
        };
        Self::make(name, windows, factors, code, layer, is_gradient)
    }

    /// The largest of each window.
    fn largest(name: &'static str, windows: Windows, layer: &Layer<'_>, is_gradient: bool) -> Self {
        let code = match (is_gradient, windows.are(2), windows.are_apart()) {
            (false, true, _) => largest_of_pairs(layer.isa),
            (false, false, _) => largest(layer.isa),
            (true, true, true) => to_largest_of_pairs(layer.isa),
            (true, false, true) => to_largest_apart(layer.isa),
            (true, _, false) => to_largest(layer.isa),
        };
        Self::make(name, windows, Vec::new(), code, layer, is_gradient)
    }

    fn make(
        name: &'static str,
        windows: Windows,
        factors: Vec<f32>,
        code: PoolFn,
        layer: &Layer<'_>,
        is_gradient: bool,
    ) -> Self {
        let has_gaps = !windows.cover();
        Self { name, is_gradient, windows, factors, has_gaps, code, lanes: layer.isa.lanes() }
    }
}

/// The elements of a window.
fn elements([d, h, w]: [Span; 3]) -> usize {
    d.count * h.count * w.count
}

impl Kernel for Pool {
    fn is_by_block(&self) -> bool {
        true
    }

    fn run(&self, call: Call<'_>) {
        let channels = self.windows.channels;
        let maps = call.batch / self.lanes * channels;
        let [large, small] = self.windows.elements().map(|elements| elements * self.lanes);
        let (from, to) = if self.is_gradient { (small, large) } else { (large, small) };
        let [x, y] = [0, 1].map(|i| if i < call.others.len() { call.others.get(i) } else { &[] });
        let output = Shared::new(call.output);
        call.threads.for_work(maps * large).run(maps, |map, _| {
            let part = |size: usize| map * size..(map + 1) * size;
            // SAFETY: each map is one task's alone; windows lie within it, and the instruction set was checked.
            unsafe {
                (self.code)(Map {
                    input: self.windows.input,
                    spans: self.windows.of(map % channels),
                    factors: &self.factors,
                    has_gaps: self.has_gaps,
                    from: &call.input[part(from)],
                    x: x.get(part(large)).unwrap_or(&[]),
                    y: y.get(part(small)).unwrap_or(&[]),
                    to: output.part(part(to)),
                });
            }
        });
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.name, if self.is_gradient { " gradient" } else { "" })
    }
}

/// Calls `$each` with every place's number and its window.
macro_rules! each_place {
    ($map:ident, $place:ident, $window:ident => $each:block) => {
        let [depths, rows, columns] = [&$map.spans[0][..], &$map.spans[1][..], &$map.spans[2][..]];
        let ($place, mut d) = (&mut 0usize, 0);
        while d < depths.len() {
            let mut h = 0;
            while h < rows.len() {
                let mut w = 0;
                while w < columns.len() {
                    let $window = [depths[d], rows[h], columns[w]];
                    $each * $place += 1;
                    w += 1;
                }
                h += 1;
            }
            d += 1;
        }
    };
}

/// Calls `$each` with the distance of each element of a window, and `$end` behind each of its rows. A `K` that is not 0 is
/// the window's height and width.
macro_rules! each_element {
    ($map:ident, $window:ident, $at:ident => $each:block $end:block) => {
        let ([d, h, w], [_, height, width]) = ($window, $map.input);
        let (slices, rows, columns) = if K > 0 { (1, K, K) } else { (d.count, h.count, w.count) };
        let [d_step, h_step, w_step] = if K > 0 { [1; 3] } else { [d.step, h.step, w.step] };
        let mut i = 0;
        while i < slices {
            let mut j = 0;
            while j < rows {
                let row = ((d.start + i * d_step) * height + h.start + j * h_step) * width + w.start;
                let mut k = 0;
                while k < columns {
                    let $at = (row + k * w_step) * S::LANES;
                    $each
                    k += 1;
                }
                $end
                j += 1;
            }
            i += 1;
        }
    };
}

/// Sums of rows first, which loses less than one long sum.
#[inline(always)]
unsafe fn mean_body<S: Simd, const K: usize>(map: Map<'_>) {
    // SAFETY: the caller keeps the conditions.
    unsafe {
        each_place!(map, place, window => {
            let (mut sum, mut row) = (S::splat(0.0), S::splat(0.0));
            each_element!(map, window, at => { row = row.add(S::load(map.from.as_ptr().add(at))); } {
                sum = sum.add(row);
                row = S::splat(0.0);
            });
            sum.mul(S::splat(map.factors[*place])).store(map.to.as_mut_ptr().add(*place * S::LANES));
        });
    }
}

#[inline(always)]
unsafe fn spread_body<S: Simd, const K: usize, const APART: bool>(map: Map<'_>) {
    if !APART || map.has_gaps {
        map.to.fill(0.0);
    }
    // SAFETY: the caller keeps the conditions.
    unsafe {
        each_place!(map, place, window => {
            let share = S::load(map.from.as_ptr().add(*place * S::LANES)).mul(S::splat(map.factors[*place]));
            each_element!(map, window, at => {
                let to = map.to.as_mut_ptr().add(at);
                if APART { share.store(to) } else { S::load(to).add(share).store(to) }
            } {});
        });
    }
}

#[inline(always)]
unsafe fn largest_body<S: Simd, const K: usize>(map: Map<'_>) {
    // SAFETY: the caller keeps the conditions.
    unsafe {
        each_place!(map, place, window => {
            let mut most = S::splat(f32::NEG_INFINITY);
            each_element!(map, window, at => { most = most.max_or_nan(S::load(map.from.as_ptr().add(at))); } {});
            most.store(map.to.as_mut_ptr().add(*place * S::LANES));
        });
    }
}

/// The gradient goes to the first of the largest, as in PyTorch.
#[inline(always)]
unsafe fn to_largest_body<S: Simd, const K: usize, const APART: bool>(map: Map<'_>) {
    if !APART || map.has_gaps {
        map.to.fill(0.0);
    }
    // SAFETY: the caller keeps the conditions.
    unsafe {
        let zero = S::splat(0.0);
        each_place!(map, place, window => {
            let most = S::load(map.y.as_ptr().add(*place * S::LANES));
            let mut left = S::load(map.from.as_ptr().add(*place * S::LANES));
            each_element!(map, window, at => {
                let value = S::load(map.x.as_ptr().add(at));
                let to = map.to.as_mut_ptr().add(at);
                let share = value.select_less(most, zero, left);
                left = value.select_less(most, left, zero);
                if APART { share.store(to) } else { S::load(to).add(share).store(to) }
            } {});
        });
    }
}

/// The functions above for windows that are known to be 2×2, that are known to be apart, and for all others.
macro_rules! codes {
    ($($name:ident $of_isa:ident = $body:ident<$($parameter:literal),*>;)*) => {$(
        #[inline(always)]
        unsafe fn $of_isa<S: Simd>(map: Map<'_>) {
            // SAFETY: the caller keeps the conditions.
            unsafe { $body::<S, $($parameter),*>(map) }
        }
        per_isa!(fn $name(map: Map<'_>) = $of_isa);
    )*};
}
codes! {
    mean mean_any = mean_body<0>;
    mean_of_pairs mean_pairs = mean_body<2>;
    spread spread_any = spread_body<0, false>;
    spread_apart spread_to_apart = spread_body<0, true>;
    spread_to_pairs spread_pairs = spread_body<2, true>;
    largest largest_any = largest_body<0>;
    largest_of_pairs largest_pairs = largest_body<2>;
    to_largest to_largest_any = to_largest_body<0, false>;
    to_largest_apart to_largest_of_apart = to_largest_body<0, true>;
    to_largest_of_pairs to_largest_pairs = to_largest_body<2, true>;
}
