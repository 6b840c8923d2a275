//! Means and maxima of windows, and their gradients.

use super::activation::Derivative;
use super::windows::{Span, Spans, Windows};
use crate::Error;
use crate::engine::kernels::{Call, Kernel};
use crate::engine::select::Layer;
use crate::engine::simd::{Simd, per_isa};
use crate::engine::threads::Shared;
use cnn_ir::Op;
use cnn_ir::ops::{AdaptiveAvgPoolSpec, AdaptiveMaxPoolSpec, AvgPoolSpec, FractionalMaxPoolSpec, MaxPoolSpec};
use std::fmt;
use std::ops::Range;

/// Pooling over windows, or its gradient.
pub(crate) struct Pool {
    name: &'static str,
    is_gradient: bool,
    windows: Windows,
    /// For each place what a sum is multiplied by; empty for maxima.
    factors: Vec<f32>,
    /// Whether the gradient has elements that are in no window.
    has_gaps: bool,
    /// Whether a row of windows completes rows of the gradient.
    is_by_row: bool,
    /// What the gradient goes through next.
    derivative: Option<Derivative>,
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
    is_by_row: bool,
    /// What the gradient is multiplied by, at these values.
    derivative: Option<(&'a Derivative, &'a [f32])>,
    /// What is pooled, or the gradient of the result.
    from: &'a [f32],
    /// What was pooled, and the result; for gradients of maxima alone.
    x: &'a [f32],
    y: &'a [f32],
    to: &'a mut [f32],
}

impl Pool {
    /// The layer itself or its gradient.
    pub fn new(layer: &Layer<'_>, is_gradient: bool) -> Result<Self, Error> {
        match layer.op {
            Op::AvgPool1d(spec) => Self::avg(spec, layer, is_gradient),
            Op::AvgPool2d(spec) => Self::avg(spec, layer, is_gradient),
            Op::AvgPool3d(spec) => Self::avg(spec, layer, is_gradient),
            Op::MaxPool1d(spec) => Self::max(spec, layer, is_gradient),
            Op::MaxPool2d(spec) => Self::max(spec, layer, is_gradient),
            Op::MaxPool3d(spec) => Self::max(spec, layer, is_gradient),
            Op::AdaptiveAvgPool1d(spec) => Self::adaptive_avg(spec, layer, is_gradient),
            Op::AdaptiveAvgPool2d(spec) => Self::adaptive_avg(spec, layer, is_gradient),
            Op::AdaptiveAvgPool3d(spec) => Self::adaptive_avg(spec, layer, is_gradient),
            Op::AdaptiveMaxPool1d(spec) => Self::adaptive_max(spec, layer, is_gradient),
            Op::AdaptiveMaxPool2d(spec) => Self::adaptive_max(spec, layer, is_gradient),
            Op::AdaptiveMaxPool3d(spec) => Self::adaptive_max(spec, layer, is_gradient),
            Op::FractionalMaxPool2d(spec) => Self::fractional_max(spec, layer, is_gradient),
            Op::FractionalMaxPool3d(spec) => Self::fractional_max(spec, layer, is_gradient),
            Op::GlobalAvgPool1d(_) | Op::GlobalAvgPool2d(_) | Op::GlobalAvgPool3d(_) => {
                Ok(Self::mean("global_avg_pool", Windows::whole(layer)?, elements, layer, is_gradient))
            }
            Op::GlobalMaxPool1d(_) | Op::GlobalMaxPool2d(_) | Op::GlobalMaxPool3d(_) => {
                Ok(Self::largest("global_max_pool", Windows::whole(layer)?, layer, is_gradient))
            }
            _ => Err(layer.error("it is no pooling")),
        }
    }

    fn avg<const D: usize, const S: usize>(
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

    fn adaptive_avg<const D: usize>(
        spec: &AdaptiveAvgPoolSpec<D>,
        layer: &Layer<'_>,
        is_gradient: bool,
    ) -> Result<Self, Error> {
        let windows = Windows::ranges::<D>(layer, 1, |_, axis, size| spec.windows(axis, size).collect())?;
        Ok(Self::mean("adaptive_avg_pool", windows, elements, layer, is_gradient))
    }

    fn max<const D: usize, const S: usize>(
        spec: &MaxPoolSpec<D, S>,
        layer: &Layer<'_>,
        is_gradient: bool,
    ) -> Result<Self, Error> {
        let windows = Windows::sliding(layer, spec.kernel_size, spec.stride, spec.dilation, spec.padding)?;
        Ok(Self::largest("max_pool", windows, layer, is_gradient))
    }

    fn adaptive_max<const D: usize>(
        spec: &AdaptiveMaxPoolSpec<D>,
        layer: &Layer<'_>,
        is_gradient: bool,
    ) -> Result<Self, Error> {
        let windows = Windows::ranges::<D>(layer, 1, |_, axis, size| spec.windows(axis, size).collect())?;
        Ok(Self::largest("adaptive_max_pool", windows, layer, is_gradient))
    }

    fn fractional_max<const D: usize>(
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
        let is_by_row = !has_gaps && windows.are_apart();
        let (derivative, lanes) = (None, layer.isa.lanes());
        Self { name, is_gradient, windows, factors, has_gaps, is_by_row, derivative, code, lanes }
    }

    /// The gradient that goes through an activation before the pooling, too; the activation's values are the last input.
    pub fn through(self, derivative: Option<Derivative>) -> Self {
        Self { derivative, ..self }
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
        let derivative =
            self.derivative.as_ref().map(|derivative| (derivative, call.others.get(call.others.len() - 1)));
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
                    is_by_row: self.is_by_row,
                    derivative: derivative.map(|(derivative, values)| (derivative, &values[part(large)])),
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
        write!(f, "{}{}", self.name, if self.is_gradient { " gradient" } else { "" })?;
        self.derivative.as_ref().map_or(Ok(()), |derivative| write!(f, " + {derivative}"))
    }
}

impl Map<'_> {
    /// Puts the rows of the gradient that a row of windows completes through the derivative, while they are in the first cache.
    #[inline(always)]
    fn finish_rows(&mut self, [d, h]: [Span; 2], lanes: usize) {
        let [_, height, width] = self.input;
        if self.is_by_row && self.derivative.is_some() {
            for slice in d.start..d.start + d.count {
                let row = |h: usize| (slice * height + h) * width * lanes;
                self.finish(row(h.start)..row(h.start + h.count));
            }
        }
    }

    /// Puts the whole gradient through the derivative where that was not done by rows.
    #[inline(always)]
    fn finish_all(&mut self) {
        if !self.is_by_row {
            self.finish(0..self.to.len());
        }
    }

    fn finish(&mut self, elements: Range<usize>) {
        if let Some((derivative, values)) = self.derivative {
            derivative.apply(&mut self.to[elements.clone()], &values[elements]);
        }
    }
}

/// Calls `$each` with every place's number and its window, and `$end` behind each row of them.
macro_rules! each_place {
    ($map:ident, $place:ident, $window:ident => $each:block $row:ident => $end:block) => {
        let spans = $map.spans;
        let [depths, rows, columns] = [&spans[0][..], &spans[1][..], &spans[2][..]];
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
                let $row = [depths[d], rows[h]];
                $end
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
        } _row => {});
    }
}

#[inline(always)]
unsafe fn spread_body<S: Simd, const K: usize, const APART: bool>(mut map: Map<'_>) {
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
        } row => { map.finish_rows(row, S::LANES); });
        map.finish_all();
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
        } _row => {});
    }
}

/// The gradient goes to the first of the largest, as in PyTorch.
#[inline(always)]
unsafe fn to_largest_body<S: Simd, const K: usize, const APART: bool>(mut map: Map<'_>) {
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
        } row => { map.finish_rows(row, S::LANES); });
        map.finish_all();
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
