//! Softmax and its logarithm along one axis, in place.
//!
//! Largest error against f64, measured by the test below over lines of 2 to 1000 elements from −20 to 20: softmax 18.9 units
//! in the last place, times one plus the element's distance from the largest, whose rounding the exponent makes larger; its
//! logarithm 3.1 units in the last place of one plus its magnitude.

use super::{Call, Kernel, math};
use crate::engine::select::Layer;
use crate::engine::simd::{MAX_LANES, Simd, per_isa, reduce_add};
use cnn_ir::ops::{LogSoftmaxSpec, SoftmaxSpec};

/// Softmax along an axis of `n` elements that lie `inner` apart, or its logarithm.
pub(crate) struct Softmax {
    name: &'static str,
    softmax: unsafe fn(&mut [f32], usize, usize),
    n: usize,
    inner: usize,
}

impl Softmax {
    pub fn new(spec: &SoftmaxSpec, layer: &Layer<'_>) -> Self {
        Self::along("softmax", softmax_of(layer.isa), spec.dim, layer)
    }

    pub fn log(spec: &LogSoftmaxSpec, layer: &Layer<'_>) -> Self {
        Self::along("log_softmax", log_softmax_of(layer.isa), spec.dim, layer)
    }

    fn along(name: &'static str, softmax: unsafe fn(&mut [f32], usize, usize), dim: usize, layer: &Layer<'_>) -> Self {
        let (before, after) = layer.input.split_at(dim.min(layer.input.len()));
        Self { name, softmax, n: before.last().copied().unwrap_or(1), inner: after.iter().product() }
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
        f.write_str(self.name)
    }
}

per_isa!(
    /// Softmax of as many columns as there are lanes, each of `n` elements `stride` apart.
    pub(crate) fn softmax_columns_of(data: *mut f32, n: usize, stride: usize) = softmax_columns_body
);
per_isa!(
    /// The logarithm of that.
    pub(crate) fn log_softmax_columns_of(data: *mut f32, n: usize, stride: usize) = log_softmax_columns_body
);
per_isa!(fn softmax_of(data: &mut [f32], n: usize, inner: usize) = softmax_body);
per_isa!(fn log_softmax_of(data: &mut [f32], n: usize, inner: usize) = log_softmax_body);

#[inline(always)]
unsafe fn softmax_columns_body<S: Simd>(data: *mut f32, n: usize, stride: usize) {
    // SAFETY: the caller keeps the same conditions.
    unsafe { softmax_columns::<S, false>(data, n, stride, S::LANES) }
}

#[inline(always)]
unsafe fn log_softmax_columns_body<S: Simd>(data: *mut f32, n: usize, stride: usize) {
    // SAFETY: the caller keeps the same conditions.
    unsafe { softmax_columns::<S, true>(data, n, stride, S::LANES) }
}

#[inline(always)]
unsafe fn softmax_body<S: Simd>(data: &mut [f32], n: usize, inner: usize) {
    // SAFETY: the caller keeps the same conditions.
    unsafe { each_line::<S, false>(data, n, inner) }
}

#[inline(always)]
unsafe fn log_softmax_body<S: Simd>(data: &mut [f32], n: usize, inner: usize) {
    // SAFETY: the caller keeps the same conditions.
    unsafe { each_line::<S, true>(data, n, inner) }
}

/// # Safety
/// The CPU has the vector's instruction set.
#[inline(always)]
unsafe fn each_line<S: Simd, const LOG: bool>(data: &mut [f32], n: usize, inner: usize) {
    for data in data.chunks_exact_mut(n * inner) {
        if inner == 1 {
            // SAFETY: the CPU has the instruction set.
            unsafe { softmax_row::<S, LOG>(data) };
            continue;
        }
        let mut i = 0;
        while i < inner {
            let lanes = S::LANES.min(inner - i);
            // SAFETY: the CPU has the instruction set; lanes i to i + lanes of each of the n rows are inside.
            unsafe { softmax_columns::<S, LOG>(data.as_mut_ptr().add(i), n, inner, lanes) };
            i += lanes;
        }
    }
}

/// Softmax of adjacent elements, or its logarithm.
///
/// # Safety
/// The CPU has the vector's instruction set.
#[inline(always)]
unsafe fn softmax_row<S: Simd, const LOG: bool>(row: &mut [f32]) {
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
            let shifted = S::load(start.add(i)).sub(max);
            let e = math::exp(shifted);
            (if LOG { shifted } else { e }).store(start.add(i));
            sum = sum.add(e);
            i += S::LANES;
        }
        if i < n {
            // Only the lanes in use may enter the sum.
            let mut lanes = [0.0f32; MAX_LANES];
            let shifted = S::load_first(start.add(i), n - i).sub(max);
            math::exp(shifted).store_first(lanes.as_mut_ptr(), n - i);
            let e = S::load(lanes.as_ptr());
            (if LOG { shifted } else { e }).store_first(start.add(i), n - i);
            sum = sum.add(e);
        }
        total += reduce_add(sum);
    }
    if LOG {
        let logarithm = total.ln();
        row.iter_mut().for_each(|value| *value -= logarithm);
    } else {
        row.iter_mut().for_each(|value| *value /= total);
    }
}

/// Softmax of up to LANES columns at once, each of `n` elements `stride` apart.
///
/// # Safety
/// The CPU has the vector's instruction set; `lanes` f32 at each of the n places are valid.
#[inline(always)]
unsafe fn softmax_columns<S: Simd, const LOG: bool>(data: *mut f32, n: usize, stride: usize, lanes: usize) {
    // SAFETY: only the lanes that the caller vouches for are touched.
    unsafe {
        let mut max = S::splat(f32::NEG_INFINITY);
        for i in 0..n {
            max = load_lanes::<S>(data.add(i * stride), lanes).max(max);
        }
        let mut sum = S::splat(0.0);
        for i in 0..n {
            let shifted = load_lanes::<S>(data.add(i * stride), lanes).sub(max);
            let e = math::exp(shifted);
            store_lanes(if LOG { shifted } else { e }, data.add(i * stride), lanes);
            sum = sum.add(e);
        }
        if LOG {
            let mut logarithms = [0.0f32; MAX_LANES];
            sum.store(logarithms.as_mut_ptr());
            logarithms.iter_mut().for_each(|value| *value = value.ln());
            sum = S::load(logarithms.as_ptr());
        }
        for i in 0..n {
            let value = load_lanes::<S>(data.add(i * stride), lanes);
            store_lanes(if LOG { value.sub(sum) } else { value.div(sum) }, data.add(i * stride), lanes);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Isa;

    /// What the errors may not exceed: see above.
    const MAX_ULP: [f64; 2] = [18.9, 3.1];

    /// The largest errors of softmax and of its logarithm over lines of `n` elements that lie `inner` apart.
    fn max_ulp(isa: Isa, n: usize, inner: usize) -> [f64; 2] {
        let mut seed = 1u32;
        let mut next = || {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 8) as f32 / (1 << 23) as f32 * 20.0 - 20.0
        };
        let input: Vec<f32> = (0..n * inner).map(|_| next()).collect();
        let (mut soft, mut log) = (input.clone(), input.clone());
        // SAFETY: this CPU has the instruction set.
        unsafe {
            softmax_of(isa)(&mut soft, n, inner);
            log_softmax_of(isa)(&mut log, n, inner);
        }
        let mut worst = [0.0f64; 2];
        for column in 0..inner {
            let line = || (0..n).map(|i| i * inner + column);
            let max = line().map(|i| f64::from(input[i])).fold(f64::NEG_INFINITY, f64::max);
            let total: f64 = line().map(|i| (f64::from(input[i]) - max).exp()).sum();
            for i in line() {
                let distance = max - f64::from(input[i]);
                let exact = [(-distance).exp() / total, -distance - total.ln()];
                let ulp = |value: f64| 2f64.powf(value.abs().log2().floor() - 23.0);
                let errors = [(f64::from(soft[i]) - exact[0]).abs(), (f64::from(log[i]) - exact[1]).abs()];
                worst[0] = worst[0].max(errors[0] / ulp(exact[0]) / (1.0 + distance));
                worst[1] = worst[1].max(errors[1] / ulp(1.0 - exact[1]));
            }
        }
        worst
    }

    #[test]
    fn errors_stay_within_the_stated_ulp() {
        for isa in Isa::available() {
            let sizes = [2, 3, 10, 17, 100, 1000].into_iter().flat_map(|n| [1, 40].map(|inner| (n, inner)));
            let worst = sizes.map(|(n, inner)| max_ulp(isa, n, inner));
            let worst = worst.fold([0.0f64; 2], |a, b| [a[0].max(b[0]), a[1].max(b[1])]);
            println!("{isa}: softmax {:.2}, log softmax {:.2} ulp", worst[0], worst[1]);
            assert!(worst[0] <= MAX_ULP[0] && worst[1] <= MAX_ULP[1], "{isa}: {worst:?}");
        }
    }
}
