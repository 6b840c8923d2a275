//! Eight lanes with AVX2 and FMA.

use super::Simd;
use std::arch::x86_64::*;

/// 8 f32.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(crate) struct Avx2(__m256);

// In every block below, `Simd`'s condition holds: the CPU has AVX2 and FMA, and the caller's memory is valid.

impl Simd for Avx2 {
    const LANES: usize = 8;

    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        // SAFETY: see above.
        unsafe { Self(_mm256_set1_ps(value)) }
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: see above.
        unsafe { Self(_mm256_loadu_ps(from)) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: see above.
        unsafe { _mm256_storeu_ps(to, self.0) }
    }

    #[inline(always)]
    unsafe fn load_first(from: *const f32, n: usize) -> Self {
        // SAFETY: see above; lanes that the mask leaves out are not touched.
        unsafe { Self(_mm256_maskload_ps(from, first(n))) }
    }

    #[inline(always)]
    unsafe fn load_f16(from: *const u16) -> Self {
        // SAFETY: see above; every CPU with AVX2 that the engine takes has F16C.
        unsafe { Self(_mm256_cvtph_ps(_mm_loadu_si128(from.cast()))) }
    }

    #[inline(always)]
    unsafe fn load_bf16(from: *const u16) -> Self {
        // SAFETY: see above.
        unsafe {
            let bits = _mm256_cvtepu16_epi32(_mm_loadu_si128(from.cast()));
            Self(_mm256_castsi256_ps(_mm256_slli_epi32::<16>(bits)))
        }
    }

    #[inline(always)]
    unsafe fn store_first(self, to: *mut f32, n: usize) {
        // SAFETY: see above; lanes that the mask leaves out are not touched.
        unsafe { _mm256_maskstore_ps(to, first(n), self.0) }
    }

    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        // SAFETY: see above.
        unsafe { Self(_mm256_add_ps(self.0, other.0)) }
    }

    #[inline(always)]
    unsafe fn sub(self, other: Self) -> Self {
        // SAFETY: see above.
        unsafe { Self(_mm256_sub_ps(self.0, other.0)) }
    }

    #[inline(always)]
    unsafe fn mul(self, other: Self) -> Self {
        // SAFETY: see above.
        unsafe { Self(_mm256_mul_ps(self.0, other.0)) }
    }

    #[inline(always)]
    unsafe fn div(self, other: Self) -> Self {
        // SAFETY: see above.
        unsafe { Self(_mm256_div_ps(self.0, other.0)) }
    }

    #[inline(always)]
    unsafe fn mul_add(self, factor: Self, addend: Self) -> Self {
        // SAFETY: see above.
        unsafe { Self(_mm256_fmadd_ps(self.0, factor.0, addend.0)) }
    }

    #[inline(always)]
    unsafe fn max(self, other: Self) -> Self {
        // SAFETY: see above.
        unsafe { Self(_mm256_max_ps(self.0, other.0)) }
    }

    #[inline(always)]
    unsafe fn min(self, other: Self) -> Self {
        // SAFETY: see above.
        unsafe { Self(_mm256_min_ps(self.0, other.0)) }
    }

    #[inline(always)]
    unsafe fn max_or_nan(self, other: Self) -> Self {
        // SAFETY: see above. The maximum gives `other` when either is NaN; all bits set are a NaN.
        unsafe {
            let is_nan = _mm256_cmp_ps::<_CMP_UNORD_Q>(self.0, self.0);
            Self(_mm256_or_ps(_mm256_max_ps(self.0, other.0), is_nan))
        }
    }

    #[inline(always)]
    unsafe fn select_less(self, limit: Self, less: Self, otherwise: Self) -> Self {
        // SAFETY: see above.
        unsafe { Self(_mm256_blendv_ps(otherwise.0, less.0, _mm256_cmp_ps::<_CMP_LT_OQ>(self.0, limit.0))) }
    }

    #[inline(always)]
    unsafe fn abs(self) -> Self {
        // SAFETY: see above.
        unsafe { Self(_mm256_andnot_ps(_mm256_set1_ps(-0.0), self.0)) }
    }

    #[inline(always)]
    unsafe fn copysign(self, sign: Self) -> Self {
        // SAFETY: see above.
        unsafe {
            let mask = _mm256_set1_ps(-0.0);
            Self(_mm256_or_ps(_mm256_andnot_ps(mask, self.0), _mm256_and_ps(mask, sign.0)))
        }
    }

    #[inline(always)]
    unsafe fn exp2i(self) -> Self {
        // SAFETY: see above.
        unsafe {
            let exponent = _mm256_add_epi32(_mm256_cvtps_epi32(self.0), _mm256_set1_epi32(127));
            Self(_mm256_castsi256_ps(_mm256_slli_epi32::<23>(exponent)))
        }
    }

    #[inline(always)]
    unsafe fn transpose(from: *const f32, from_pitch: usize, to: *mut f32, to_pitch: usize) {
        // SAFETY: see above.
        unsafe {
            let zero = _mm256_setzero_ps();
            let (mut pairs, mut quads) = ([zero; 8], [zero; 8]);
            for i in 0..4 {
                let (a, b) = (
                    _mm256_loadu_ps(from.add(2 * i * from_pitch)),
                    _mm256_loadu_ps(from.add((2 * i + 1) * from_pitch)),
                );
                pairs[2 * i] = _mm256_unpacklo_ps(a, b);
                pairs[2 * i + 1] = _mm256_unpackhi_ps(a, b);
            }
            // quads[4i + k] holds, in its half h, column 4h + k of rows 4i to 4i + 3.
            for i in 0..4 {
                let place = i / 2 * 4 + i % 2;
                let (a, b) = (_mm256_castps_pd(pairs[place]), _mm256_castps_pd(pairs[place + 2]));
                quads[i * 2] = _mm256_castpd_ps(_mm256_unpacklo_pd(a, b));
                quads[i * 2 + 1] = _mm256_castpd_ps(_mm256_unpackhi_pd(a, b));
            }
            for k in 0..4 {
                let (above, below) = (quads[k], quads[4 + k]);
                _mm256_storeu_ps(to.add(k * to_pitch), _mm256_permute2f128_ps::<0x20>(above, below));
                _mm256_storeu_ps(to.add((4 + k) * to_pitch), _mm256_permute2f128_ps::<0x31>(above, below));
            }
        }
    }
}

/// A mask of the first `n` lanes.
#[inline(always)]
unsafe fn first(n: usize) -> __m256i {
    // SAFETY: the CPU has AVX2.
    unsafe {
        let lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
        _mm256_cmpgt_epi32(_mm256_set1_epi32(n as i32), lane)
    }
}
