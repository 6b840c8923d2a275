//! Softmax along one axis, in place.

use super::{Call, Kernel, math};
use crate::engine::select::Layer;
use crate::engine::simd::{MAX_LANES, Simd, per_isa, reduce_add};
use cnn_ir::ops::SoftmaxSpec;

/// Softmax along an axis of `n` elements that lie `inner` apart.
pub(crate) struct Softmax {
    softmax: unsafe fn(&mut [f32], usize, usize),
    n: usize,
    inner: usize,
}

impl Softmax {
    pub fn new(spec: &SoftmaxSpec, layer: &Layer<'_>) -> Self {
        let (before, after) = layer.input.split_at(spec.dim.min(layer.input.len()));
        let n = before.last().copied().unwrap_or(1);
        let softmax = softmax_of(layer.isa);
        Self { softmax, n, inner: after.iter().product() }
    }
}

impl Kernel for Softmax {
    fn in_place(&self) -> bool {
        true
    }

    fn run(&self, call: Call<'_>) {
        // SAFETY: the instruction set was checked before the kernel was made.
        unsafe { (self.softmax)(call.output, self.n, self.inner) };
    }
}

impl std::fmt::Debug for Softmax {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("softmax")
    }
}

per_isa!(fn softmax_of(data: &mut [f32], n: usize, inner: usize) = softmax_body);

/// # Safety
/// The CPU has the vector's instruction set.
#[inline(always)]
unsafe fn softmax_body<S: Simd>(data: &mut [f32], n: usize, inner: usize) {
    for data in data.chunks_exact_mut(n * inner) {
        if inner == 1 {
            // SAFETY: the CPU has the instruction set.
            unsafe { softmax_row::<S>(data) };
            continue;
        }
        let mut i = 0;
        while i < inner {
            let lanes = S::LANES.min(inner - i);
            // SAFETY: the CPU has the instruction set; lanes i to i + lanes of each of the n rows are inside.
            unsafe { softmax_columns::<S>(data.as_mut_ptr().add(i), n, inner, lanes) };
            i += lanes;
        }
    }
}

/// Softmax of adjacent elements.
///
/// # Safety
/// The CPU has the vector's instruction set.
#[inline(always)]
unsafe fn softmax_row<S: Simd>(row: &mut [f32]) {
    // NaN need not win here: it comes through in the sum.
    let max = row.iter().fold(f32::NEG_INFINITY, |max, &x| if x > max { x } else { max });
    let n = row.len();
    let start = row.as_mut_ptr();
    let mut total = 0.0;
    let mut i = 0;
    // SAFETY: i + LANES ≤ n in the loop, i + rest = n after it; the CPU has the instruction set.
    unsafe {
        let max = S::splat(max);
        let mut sum = S::splat(0.0);
        while i + S::LANES <= n {
            let e = math::exp(S::load(start.add(i)).sub(max));
            e.store(start.add(i));
            sum = sum.add(e);
            i += S::LANES;
        }
        if i < n {
            // Only the lanes in use may enter the sum.
            let mut lanes = [0.0f32; MAX_LANES];
            math::exp(S::load_first(start.add(i), n - i).sub(max)).store_first(lanes.as_mut_ptr(), n - i);
            S::load(lanes.as_ptr()).store_first(start.add(i), n - i);
            sum = sum.add(S::load(lanes.as_ptr()));
        }
        total += reduce_add(sum);
    }
    for value in row {
        *value /= total;
    }
}

/// Softmax of up to LANES columns at once, each of `n` elements `stride` apart.
///
/// # Safety
/// The CPU has the vector's instruction set; `lanes` f32 at each of the n places are valid.
#[inline(always)]
unsafe fn softmax_columns<S: Simd>(data: *mut f32, n: usize, stride: usize, lanes: usize) {
    // SAFETY: only the lanes that the caller vouches for are touched.
    unsafe {
        let mut max = S::splat(f32::NEG_INFINITY);
        for i in 0..n {
            max = load_lanes::<S>(data.add(i * stride), lanes).max(max);
        }
        let mut sum = S::splat(0.0);
        for i in 0..n {
            let e = math::exp(load_lanes::<S>(data.add(i * stride), lanes).sub(max));
            store_lanes(e, data.add(i * stride), lanes);
            sum = sum.add(e);
        }
        for i in 0..n {
            store_lanes(load_lanes::<S>(data.add(i * stride), lanes).div(sum), data.add(i * stride), lanes);
        }
    }
}

#[inline(always)]
unsafe fn load_lanes<S: Simd>(from: *const f32, lanes: usize) -> S {
    // SAFETY: the caller gives this many lanes.
    unsafe { if lanes == S::LANES { S::load(from) } else { S::load_first(from, lanes) } }
}

#[inline(always)]
unsafe fn store_lanes<S: Simd>(vector: S, to: *mut f32, lanes: usize) {
    // SAFETY: the caller gives this many lanes.
    unsafe { if lanes == S::LANES { vector.store(to) } else { vector.store_first(to, lanes) } }
}
