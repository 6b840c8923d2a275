//! Sums over lanes: of the examples that there are, in float64, always in the same order.

use crate::engine::simd::{MAX_LANES, Simd};

/// How many lanes of a block are examples of the batch.
pub(crate) fn examples_of(block: usize, lanes: usize, examples: usize) -> usize {
    examples.saturating_sub(block * lanes).min(lanes)
}

/// A sum for each lane.
pub(crate) type LaneSums = [f64; MAX_LANES];

/// Adds the first `count` lanes of a vector to sums.
///
/// # Safety
/// The CPU has the vector's instruction set; there are so many lanes.
#[inline(always)]
pub(crate) unsafe fn add_lanes<S: Simd>(vector: S, count: usize, sums: &mut LaneSums) {
    let mut lanes = [0.0f32; MAX_LANES];
    // SAFETY: no type has more than MAX_LANES lanes.
    unsafe { vector.store(lanes.as_mut_ptr()) };
    let count = count.min(MAX_LANES);
    if count == S::LANES {
        let mut lane = 0;
        while lane < S::LANES {
            sums[lane] += f64::from(lanes[lane]);
            lane += 1;
        }
    } else {
        let mut lane = 0;
        while lane < count {
            sums[lane] += f64::from(lanes[lane]);
            lane += 1;
        }
    }
}

/// The sum of the first `count` lanes of a vector.
///
/// # Safety
/// See [`add_lanes`].
#[inline(always)]
pub(crate) unsafe fn sum_lanes<S: Simd>(vector: S, count: usize) -> f64 {
    let mut sums = [0.0; MAX_LANES];
    // SAFETY: the caller keeps the conditions.
    unsafe { add_lanes(vector, count, &mut sums) };
    total(&sums)
}

/// The sum of all lanes' sums.
#[inline(always)]
pub(crate) fn total(sums: &LaneSums) -> f64 {
    let mut sums = *sums;
    let mut width = MAX_LANES / 2;
    while width > 0 {
        let mut lane = 0;
        while lane < width {
            sums[lane] += sums[lane + width];
            lane += 1;
        }
        width /= 2;
    }
    sums[0]
}
