//! Rows of a weight become vectors whose lanes are the rows.

use crate::engine::simd::{MAX_LANES, Simd, per_isa};
use std::ops::Range;

/// Rows, at most LANES, of a weight that is to be multiplied by factors.
pub(super) struct Rows<'a> {
    /// From the first row on.
    pub elements: &'a [f32],
    /// From one row to the next.
    pub pitch: usize,
    pub count: usize,
    /// One per row, or none.
    pub factors: &'a [f64],
}

impl Rows<'_> {
    /// The factors of all lanes.
    #[inline(always)]
    pub fn lane_factors(&self) -> [f64; MAX_LANES] {
        let mut factors = [1.0; MAX_LANES];
        for (to, &factor) in factors.iter_mut().zip(self.factors) {
            *to = factor;
        }
        factors
    }
}

/// Some columns of the rows as `[column][lane]`; zeros stand in the lanes behind the last row.
///
/// # Safety
/// The CPU has the vector's instruction set, and there is room for the columns at `to`.
#[inline(always)]
pub(super) unsafe fn interleave<S: Simd>(rows: &Rows<'_>, columns: Range<usize>, to: *mut f32) {
    let Range { start, end } = columns;
    let mut column = start;
    // All rows have all columns.
    if rows.count == S::LANES && end <= rows.pitch && (S::LANES - 1) * rows.pitch + end <= rows.elements.len() {
        while column + S::LANES <= end {
            // SAFETY: see the condition above; the caller has room for the columns.
            unsafe {
                let to = to.add((column - start) * S::LANES);
                S::transpose(rows.elements.as_ptr().add(column), rows.pitch, to, S::LANES);
            }
            column += S::LANES;
        }
    }
    while column < end {
        for lane in 0..S::LANES {
            let element = if lane < rows.count { rows.elements.get(lane * rows.pitch + column) } else { None };
            // SAFETY: the caller has room for the columns.
            unsafe { *to.add((column - start) * S::LANES + lane) = element.copied().unwrap_or(0.0) };
        }
        column += 1;
    }
}

/// Rows to be spread as vectors.
pub(super) struct Spread<'a> {
    pub rows: Rows<'a>,
    /// The place of each column.
    pub places: &'a [usize],
    /// From one place to the next.
    pub pitch: usize,
}

per_isa! {
    /// Writes all columns to their places.
    pub(super) fn spread_of(spread: &Spread<'_>, to: &mut [f32]) = spread_body
}

/// # Safety
/// The CPU has the vector's instruction set.
// Counted loops over lanes are what the compiler makes vectors of.
#[allow(clippy::needless_range_loop)]
#[inline(always)]
unsafe fn spread_body<S: Simd>(spread: &Spread<'_>, to: &mut [f32]) {
    let factors = spread.rows.lane_factors();
    let mut vectors = [[0.0f32; MAX_LANES]; MAX_LANES];
    let mut first = 0;
    for places in spread.places.chunks(S::LANES) {
        // SAFETY: there is room for LANES columns; the caller keeps the other condition.
        unsafe { interleave::<S>(&spread.rows, first..first + places.len(), vectors.as_mut_ptr().cast()) };
        let vectors = vectors.as_flattened();
        for i in 0..places.len() {
            let (from, to) = (&vectors[i * S::LANES..][..S::LANES], &mut to[places[i] * spread.pitch..][..S::LANES]);
            for lane in 0..S::LANES {
                to[lane] = (f64::from(from[lane]) * factors[lane]) as f32;
            }
        }
        first += places.len();
    }
}
