//! Vectors of f32, one type per instruction set, and the macro that compiles a kernel for each.
//!
//! A kernel is written once, generic over [`Simd`] and `#[inline(always)]`. [`per_isa!`] wraps it in one function per
//! instruction set, so that the vector operations are inlined where their instructions are enabled. No closures and
//! no `std` iterators in kernels: those are not always inlined, and a call per vector is ruinous.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod portable;

#[cfg(target_arch = "x86_64")]
pub(crate) use avx2::Avx2;
#[cfg(target_arch = "x86_64")]
pub(crate) use avx512::Avx512;
pub(crate) use portable::Portable;

/// The most lanes a vector has.
pub(crate) const MAX_LANES: usize = 16;

/// A vector of f32.
///
/// # Safety
/// Every function needs a CPU with the type's instruction set, and valid memory for what it loads and stores, at any
/// alignment.
pub(crate) trait Simd: Copy {
    const LANES: usize;
    unsafe fn splat(value: f32) -> Self;
    unsafe fn load(from: *const f32) -> Self;
    unsafe fn store(self, to: *mut f32);
    /// Loads the first `n` < LANES lanes and touches no others; the rest is zero.
    unsafe fn load_first(from: *const f32, n: usize) -> Self;
    /// Loads as many f16 as there are lanes, all of them finite.
    unsafe fn load_f16(from: *const u16) -> Self;
    /// Loads as many bf16 as there are lanes.
    unsafe fn load_bf16(from: *const u16) -> Self;
    /// Stores the first `n` < LANES lanes and touches no others.
    unsafe fn store_first(self, to: *mut f32, n: usize);
    unsafe fn add(self, other: Self) -> Self;
    unsafe fn sub(self, other: Self) -> Self;
    unsafe fn mul(self, other: Self) -> Self;
    unsafe fn div(self, other: Self) -> Self;
    /// `self · factor + addend`, rounded once where the instruction set can.
    unsafe fn mul_add(self, factor: Self, addend: Self) -> Self;
    /// The larger lane; `other` when either is NaN.
    unsafe fn max(self, other: Self) -> Self;
    /// The smaller lane; `other` when either is NaN.
    unsafe fn min(self, other: Self) -> Self;
    /// The larger lane; NaN when either is NaN.
    unsafe fn max_or_nan(self, other: Self) -> Self;
    /// `self < limit ? less : otherwise`; NaN is not less.
    unsafe fn select_less(self, limit: Self, less: Self, otherwise: Self) -> Self;
    unsafe fn abs(self) -> Self;
    /// The magnitude of `self` with the sign of `sign`.
    unsafe fn copysign(self, sign: Self) -> Self;
    /// 2ⁿ for whole n from −126 to 127.
    unsafe fn exp2i(self) -> Self;
    /// self / divisor within a unit in the last place, for normal numbers.
    #[inline(always)]
    unsafe fn quotient(self, divisor: Self) -> Self {
        // SAFETY: the caller's CPU has the instruction set.
        unsafe { self.div(divisor) }
    }
    /// self · 2ⁿ for whole n from −150 to 128.
    #[inline(always)]
    unsafe fn scale(self, n: Self) -> Self {
        // SAFETY: the caller's CPU has the instruction set.
        unsafe {
            // In two factors: n reaches beyond the exponents of one. Adding and subtracting 1.5·2²³ rounds.
            let round = Self::splat(12_582_912.0);
            let half = n.mul_add(Self::splat(0.5), round).sub(round);
            self.mul(half.exp2i()).mul(n.sub(half).exp2i())
        }
    }
    /// Transposes a square of LANES rows, which are `from_pitch` elements apart, into rows `to_pitch` apart.
    unsafe fn transpose(from: *const f32, from_pitch: usize, to: *mut f32, to_pitch: usize);
}

/// Brings a cache line into the second-level cache. Any address will do.
#[inline(always)]
pub(crate) fn prefetch(address: *const f32) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
        // SAFETY: a prefetch reads nothing that the program sees and never faults.
        unsafe { _mm_prefetch::<_MM_HINT_T1>(address.cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = address;
}

/// The sum of all lanes, always in the same order.
#[inline(always)]
pub(crate) unsafe fn reduce_add<S: Simd>(vector: S) -> f32 {
    let mut lanes = [0.0; MAX_LANES];
    // SAFETY: no type has more than MAX_LANES lanes; the CPU has the instruction set.
    unsafe { vector.store(lanes.as_mut_ptr()) };
    let mut width = S::LANES / 2;
    while width > 0 {
        for i in 0..width {
            lanes[i] += lanes[i + width];
        }
        width /= 2;
    }
    lanes[0]
}

/// Compiles the generic function `$body` for every instruction set, as `$name(isa)`.
///
/// The pointer that it gives may be called on a CPU that has `isa`, under the conditions of the body.
macro_rules! per_isa {
    ($(#[$meta:meta])* $vis:vis fn $name:ident($($arg:ident: $ty:ty),* $(,)?) $(-> $ret:ty)? = $body:ident) => {
        $(#[$meta])*
        $vis fn $name(isa: $crate::engine::Isa) -> unsafe fn($($ty),*) $(-> $ret)? {
            use $crate::engine::{Isa, simd};
            unsafe fn portable($($arg: $ty),*) $(-> $ret)? {
                // SAFETY: the caller keeps the body's conditions.
                unsafe { $body::<simd::Portable>($($arg),*) }
            }
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma")]
            unsafe fn avx2($($arg: $ty),*) $(-> $ret)? {
                // SAFETY: the CPU has AVX2 and FMA, and the caller keeps the body's conditions.
                unsafe { $body::<simd::Avx2>($($arg),*) }
            }
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f,avx2,fma")]
            unsafe fn avx512($($arg: $ty),*) $(-> $ret)? {
                // SAFETY: the CPU has AVX-512F, and the caller keeps the body's conditions.
                unsafe { $body::<simd::Avx512>($($arg),*) }
            }
            match isa {
                #[cfg(target_arch = "x86_64")]
                Isa::Avx512 => avx512,
                #[cfg(target_arch = "x86_64")]
                Isa::Avx2 => avx2,
                _ => portable,
            }
        }
    };
}
pub(crate) use per_isa;

/// `$body` for i = 0, 1, … below `$count`, a constant of at most 17, written out: a loop of many steps is not unrolled before
/// the compiler decides that an array which it indexes cannot live in registers.
macro_rules! unrolled {
    ($i:ident < $count:tt => $body:block) => {
        $crate::engine::simd::unrolled!($i < $count => $body, 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16)
    };
    ($i:ident < $count:tt => $body:block, $($step:literal)*) => {
        $(if $step < $count {
            let $i = $step;
            $body
        })*
    };
}
pub(crate) use unrolled;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Isa;

    per_isa!(fn transpose_of(from: *const f32, from_pitch: usize, to: *mut f32, to_pitch: usize) = transpose_body);
    per_isa!(fn max_of(a: &[f32; MAX_LANES], b: &[f32; MAX_LANES], to: &mut [f32; MAX_LANES]) = max_body);

    #[inline(always)]
    unsafe fn transpose_body<S: Simd>(from: *const f32, from_pitch: usize, to: *mut f32, to_pitch: usize) {
        // SAFETY: the caller keeps the conditions.
        unsafe { S::transpose(from, from_pitch, to, to_pitch) }
    }

    #[inline(always)]
    unsafe fn max_body<S: Simd>(a: &[f32; MAX_LANES], b: &[f32; MAX_LANES], to: &mut [f32; MAX_LANES]) {
        // SAFETY: no type has more than MAX_LANES lanes.
        unsafe { S::load(a.as_ptr()).max_or_nan(S::load(b.as_ptr())).store(to.as_mut_ptr()) }
    }

    #[test]
    fn a_transpose_swaps_rows_and_columns() {
        for isa in Isa::available() {
            let (lanes, from_pitch, to_pitch) = (isa.lanes(), 19, 23);
            let from: Vec<f32> = (0..from_pitch * lanes).map(|i| i as f32).collect();
            let mut to = vec![-1.0; to_pitch * lanes];
            // SAFETY: both have LANES rows; this CPU has the instruction set.
            unsafe { transpose_of(isa)(from.as_ptr(), from_pitch, to.as_mut_ptr(), to_pitch) };
            for (i, &found) in to.iter().enumerate() {
                let (row, column) = (i / to_pitch, i % to_pitch);
                assert_eq!(found, if column < lanes { from[column * from_pitch + row] } else { -1.0 }, "{isa} {i}");
            }
        }
    }

    #[test]
    fn nan_is_the_larger() {
        let values = [f32::NAN, f32::NEG_INFINITY, -1.0, -0.0, 2.0, f32::INFINITY];
        for isa in Isa::available() {
            for a in values {
                for b in values {
                    let mut found = [0.0; MAX_LANES];
                    // SAFETY: this CPU has the instruction set.
                    unsafe { max_of(isa)(&[a; MAX_LANES], &[b; MAX_LANES], &mut found) };
                    let nan = a.is_nan() || b.is_nan();
                    assert!(
                        if nan { found[0].is_nan() } else { found[0] == a.max(b) },
                        "{isa}: {a} and {b}: {}",
                        found[0]
                    );
                }
            }
        }
    }
}
