//! Windows that slide over blocked maps, for depthwise convolution and pools: one vector of channels at each pixel.
//!
//! A row of the output is cut into tiles of columns, which are computed in registers from the taps inside the input; those
//! whose windows lie wholly inside it need no check. Nothing is copied. Every sum runs over the taps in their order.

use crate::engine::simd::{Simd, unrolled};
use std::ops::Range;

/// The geometry of the windows, for height and width.
#[derive(Debug, Clone)]
pub(super) struct Windows {
    pub kernel: [usize; 2],
    pub stride: [usize; 2],
    pub dilation: [usize; 2],
    /// Top and left.
    pub padding: [usize; 2],
    pub input: [usize; 2],
    pub output: [usize; 2],
}

/// The most pixels of a row that a tile reads: seven columns, five taps wide, two apart.
const READ: usize = 17;

/// What to compute: rows of the output in blocked layout, numbered through all planes.
pub(super) struct Rows<'a> {
    pub windows: &'a Windows,
    /// Planes of one example.
    pub blocks: usize,
    pub input: *const f32,
    pub output: *mut f32,
    /// `[blocks][taps][LANES]` and `[blocks][LANES]`, for operations that use them.
    pub weight: *const f32,
    pub bias: *const f32,
    /// Null, or laid out as the output and added to it.
    pub residual: *const f32,
    /// What each row and column of the output is multiplied by; null for none.
    pub scales: [*const f32; 2],
    /// The least and the largest result.
    pub low: f32,
    pub high: f32,
}

/// What is done with the elements of a window.
pub(super) trait Operation {
    const WEIGHTED: bool;
    /// The result of a window without elements, when there is no bias. Combined with anything, with any finite weight, it
    /// changes nothing.
    const START: f32;
    /// # Safety
    /// The CPU has the vector's instruction set.
    unsafe fn combine<S: Simd>(sum: S, x: S, weight: S) -> S;
}

impl Windows {
    /// The taps along an axis that fall into the input for this place of the output, and where the first of them reads.
    #[inline(always)]
    fn taps(&self, axis: usize, place: usize) -> (Range<usize>, usize) {
        let (start, padding, dilation) = (place * self.stride[axis], self.padding[axis], self.dilation[axis]);
        let first = padding.saturating_sub(start).div_ceil(dilation);
        let end = (self.input[axis] + padding).saturating_sub(start).div_ceil(dilation).min(self.kernel[axis]);
        // In the input when there is any such tap.
        (first.min(end)..end, (start + first * dilation).wrapping_sub(padding))
    }

    /// Columns of the output whose windows lie wholly inside the input.
    fn inner_columns(&self) -> Range<usize> {
        let (stride, padding, width) = (self.stride[1], self.padding[1], self.output[1]);
        let reach = (self.kernel[1] - 1) * self.dilation[1];
        let end = (self.input[1] + padding).saturating_sub(reach).div_ceil(stride).min(width);
        padding.div_ceil(stride).min(end)..end
    }
}

/// Computes a range of rows. `K` and `STRIDE` are the kernel's width and the stride of columns that are not dilated; 0 stands
/// for any.
///
/// # Safety
/// The CPU has the vector's instruction set; `job` describes valid memory, and no one else writes these rows.
#[inline(always)]
pub(super) unsafe fn rows<S: Simd, O: Operation, const K: usize, const STRIDE: usize>(
    job: &Rows<'_>,
    range: Range<usize>,
) {
    let windows = job.windows;
    let ([height, width], [out_height, out_width]) = (windows.input, windows.output);
    let inner = windows.inner_columns();
    for row in range {
        let (plane, y) = (row / out_height, row % out_height);
        let (block, (taps, first)) = (plane % job.blocks, windows.taps(0, y));
        // SAFETY: rows and columns are those of the output; taps are those in the input, and are read only when there are any.
        unsafe {
            let mut line = Line {
                job,
                input: job.input.wrapping_add((plane * height).wrapping_add(first).wrapping_mul(width * S::LANES)),
                weight: job.weight,
                taps: taps.len(),
                start: S::splat(O::START),
                scale: 1.0,
                place: row * out_width,
            };
            if O::WEIGHTED {
                let row = block * windows.kernel[0] + taps.start;
                line.weight = job.weight.add(row * windows.kernel[1] * S::LANES);
                line.start = S::load(job.bias.add(block * S::LANES));
            }
            if !job.scales[0].is_null() {
                line.scale = *job.scales[0].add(y);
            }
            let mut x = 0;
            // Seven columns and what they read fit thirty-two registers, and divide the maps of common networks.
            while S::LANES == 16 && x + 7 <= out_width {
                line.columns::<O, K, STRIDE, 7>(x, &inner);
                x += 7;
            }
            while x + 4 <= out_width {
                line.columns::<O, K, STRIDE, 4>(x, &inner);
                x += 4;
            }
            if x + 2 <= out_width {
                line.columns::<O, K, STRIDE, 2>(x, &inner);
                x += 2;
            }
            if x < out_width {
                line.columns::<O, K, STRIDE, 1>(x, &inner);
            }
        }
    }
}

/// One row of the output.
struct Line<'a, S> {
    job: &'a Rows<'a>,
    /// The row of the input under the first tap, and that tap's row of the weights.
    input: *const f32,
    weight: *const f32,
    /// Rows of taps.
    taps: usize,
    start: S,
    scale: f32,
    /// Pixels of the output before the row.
    place: usize,
}

// Plain counted loops are what the compiler unrolls into registers.
#[allow(clippy::needless_range_loop)]
impl<S: Simd> Line<'_, S> {
    /// `P` columns from `x` on; `inner` are those whose windows lie inside the input.
    ///
    /// # Safety
    /// As for [`rows`].
    #[inline(always)]
    unsafe fn columns<O: Operation, const K: usize, const STRIDE: usize, const P: usize>(
        &self,
        x: usize,
        inner: &Range<usize>,
    ) {
        // SAFETY: the caller keeps the conditions; a tile that is not at an edge has its windows inside the input.
        unsafe {
            match inner.start <= x && x + P <= inner.end {
                true => self.tile::<O, K, STRIDE, P, false>(x),
                false => self.tile::<O, K, STRIDE, P, true>(x),
            }
        }
    }

    /// `P` columns from `x` on; what they read outside the input, which is at an edge only, changes no result.
    ///
    /// # Safety
    /// As for [`rows`].
    #[inline(always)]
    unsafe fn tile<O: Operation, const K: usize, const STRIDE: usize, const P: usize, const EDGE: bool>(
        &self,
        x: usize,
    ) {
        let windows = self.job.windows;
        let [width, stride, dilation] = [windows.input[1], windows.stride[1], windows.dilation[1]];
        let first = (x * stride).wrapping_sub(windows.padding[1]);
        // SAFETY: the caller keeps the conditions.
        unsafe {
            let mut sums = [self.start; P];
            let mut input = self.input.wrapping_add(first.wrapping_mul(S::LANES));
            let mut weight = self.weight;
            for _ in 0..self.taps {
                if K > 0 {
                    // What neighbouring windows share is read once.
                    let mut read = [S::splat(O::START); READ];
                    unrolled!(i < ((P - 1) * STRIDE + K) => {
                        read[i] = self.read::<O, EDGE>(input, first, i, width);
                    });
                    unrolled!(k < K => {
                        let w = if O::WEIGHTED { S::load(weight.add(k * S::LANES)) } else { self.start };
                        for p in 0..P {
                            sums[p] = O::combine(sums[p], read[p * STRIDE + k], w);
                        }
                    });
                } else {
                    for k in 0..windows.kernel[1] {
                        let w = if O::WEIGHTED { S::load(weight.add(k * S::LANES)) } else { self.start };
                        for p in 0..P {
                            let x = self.read::<O, EDGE>(input, first, p * stride + k * dilation, width);
                            sums[p] = O::combine(sums[p], x, w);
                        }
                    }
                }
                input = input.wrapping_add(windows.dilation[0] * width * S::LANES);
                if O::WEIGHTED {
                    weight = weight.add(windows.kernel[1] * S::LANES);
                }
            }
            for p in 0..P {
                self.finish(sums[p], x + p);
            }
        }
    }

    /// The pixel `i` behind column `first` of a row of the input, at `row`.
    ///
    /// # Safety
    /// As for [`rows`]; the pixel lies in the row unless this is an `EDGE`.
    #[inline(always)]
    unsafe fn read<O: Operation, const EDGE: bool>(&self, row: *const f32, first: usize, i: usize, width: usize) -> S {
        // SAFETY: the pixel lies in the row.
        unsafe {
            match EDGE && first.wrapping_add(i) >= width {
                true => S::splat(O::START),
                false => S::load(row.wrapping_add(i * S::LANES)),
            }
        }
    }

    /// # Safety
    /// As for [`rows`].
    #[inline(always)]
    unsafe fn finish(&self, sum: S, x: usize) {
        let &Rows { output, residual, scales, low, high, .. } = self.job;
        let place = (self.place + x) * S::LANES;
        // SAFETY: the caller keeps the conditions.
        unsafe {
            let mut y = sum;
            if !scales[1].is_null() {
                y = y.mul(S::splat(self.scale * *scales[1].add(x)));
            }
            if !residual.is_null() {
                y = y.add(S::load(residual.add(place)));
            }
            // NaN stays NaN: it is the second operand.
            S::splat(high).min(S::splat(low).max(y)).store(output.add(place));
        }
    }
}
