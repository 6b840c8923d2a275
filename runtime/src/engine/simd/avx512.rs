//! Sixteen lanes with AVX-512F.

use super::Simd;
use std::arch::x86_64::*;

/// 16 f32.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(crate) struct Avx512(__m512);

// In every block below, `Simd`'s condition holds: the CPU has AVX-512F, and the caller's memory is valid.

impl Simd for Avx512 {
    const LANES: usize = 16;

    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        // SAFETY: see above.
        unsafe { Self(_mm512_set1_ps(value)) }
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: see above.
        unsafe { Self(_mm512_loadu_ps(from)) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: see above.
        unsafe { _mm512_storeu_ps(to, self.0) }
    }

    #[inline(always)]
    unsafe fn load_first(from: *const f32, n: usize) -> Self {
        // SAFETY: see above; lanes that the mask leaves out are not touched.
        unsafe { Self(_mm512_maskz_loadu_ps((1 << n) - 1, from)) }
    }

    #[inline(always)]
    unsafe fn load_f16(from: *const u16) -> Self {
        // SAFETY: see above.
        unsafe { Self(_mm512_cvtph_ps(_mm256_loadu_si256(from.cast()))) }
    }

    #[inline(always)]
    unsafe fn load_bf16(from: *const u16) -> Self {
        // SAFETY: see above.
        unsafe {
            let bits = _mm512_cvtepu16_epi32(_mm256_loadu_si256(from.cast()));
            Self(_mm512_castsi512_ps(_mm512_slli_epi32::<16>(bits)))
        }
    }

    #[inline(always)]
    unsafe fn store_first(self, to: *mut f32, n: usize) {
        // SAFETY: see above; lanes that the mask leaves out are not touched.
        unsafe { _mm512_mask_storeu_ps(to, (1 << n) - 1, self.0) }
    }

    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        // SAFETY: see above.
        unsafe { Self(_mm512_add_ps(self.0, other.0)) }
    }

    #[inline(always)]
    unsafe fn sub(self, other: Self) -> Self {
        // SAFETY: see above.
        unsafe { Self(_mm512_sub_ps(self.0, other.0)) }
    }

    #[inline(always)]
    unsafe fn mul(self, other: Self) -> Self {
        // SAFETY: see above.
        unsafe { Self(_mm512_mul_ps(self.0, other.0)) }
    }

    #[inline(always)]
    unsafe fn div(self, other: Self) -> Self {
        // SAFETY: see above.
        unsafe { Self(_mm512_div_ps(self.0, other.0)) }
    }

    #[inline(always)]
    unsafe fn mul_add(self, factor: Self, addend: Self) -> Self {
        // SAFETY: see above.
        unsafe { Self(_mm512_fmadd_ps(self.0, factor.0, addend.0)) }
    }

    #[inline(always)]
    unsafe fn max(self, other: Self) -> Self {
        // SAFETY: see above.
        unsafe { Self(_mm512_max_ps(self.0, other.0)) }
    }

    #[inline(always)]
    unsafe fn min(self, other: Self) -> Self {
        // SAFETY: see above.
        unsafe { Self(_mm512_min_ps(self.0, other.0)) }
    }

    #[inline(always)]
    unsafe fn max_or_nan(self, other: Self) -> Self {
        // SAFETY: see above. The maximum gives `other` when either is NaN, and is not taken where `self` is.
        unsafe {
            let ordered = _mm512_cmp_ps_mask::<_CMP_ORD_Q>(self.0, self.0);
            Self(_mm512_mask_max_ps(self.0, ordered, self.0, other.0))
        }
    }

    #[inline(always)]
    unsafe fn select_less(self, limit: Self, less: Self, otherwise: Self) -> Self {
        // SAFETY: see above.
        unsafe { Self(_mm512_mask_blend_ps(_mm512_cmp_ps_mask::<_CMP_LT_OQ>(self.0, limit.0), otherwise.0, less.0)) }
    }

    #[inline(always)]
    unsafe fn abs(self) -> Self {
        // SAFETY: see above.
        unsafe { Self(_mm512_abs_ps(self.0)) }
    }

    #[inline(always)]
    unsafe fn copysign(self, sign: Self) -> Self {
        // SAFETY: see above.
        unsafe {
            let mask = _mm512_set1_epi32(i32::MIN);
            // 0xca: where the mask is set the sign's bit, elsewhere the magnitude's.
            let bits =
                _mm512_ternarylogic_epi32::<0xca>(mask, _mm512_castps_si512(sign.0), _mm512_castps_si512(self.0));
            Self(_mm512_castsi512_ps(bits))
        }
    }

    #[inline(always)]
    unsafe fn exp2i(self) -> Self {
        // SAFETY: see above.
        unsafe {
            let exponent = _mm512_add_epi32(_mm512_cvtps_epi32(self.0), _mm512_set1_epi32(127));
            Self(_mm512_castsi512_ps(_mm512_slli_epi32::<23>(exponent)))
        }
    }

    #[inline(always)]
    unsafe fn quotient(self, divisor: Self) -> Self {
        // SAFETY: see above. What the first 14 bits leave over doubles them.
        unsafe {
            let reciprocal = _mm512_rcp14_ps(divisor.0);
            let first = _mm512_mul_ps(self.0, reciprocal);
            let rest = _mm512_fnmadd_ps(first, divisor.0, self.0);
            Self(_mm512_fmadd_ps(rest, reciprocal, first))
        }
    }

    #[inline(always)]
    unsafe fn scale(self, n: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm512_scalef_ps(self.0, n.0) })
    }

    #[inline(always)]
    unsafe fn transpose(from: *const f32, from_pitch: usize, to: *mut f32, to_pitch: usize) {
        // SAFETY: see above.
        unsafe {
            let zero = _mm512_setzero_ps();
            let (mut pairs, mut quads) = ([zero; 16], [zero; 16]);
            for i in 0..8 {
                let (a, b) = (
                    _mm512_loadu_ps(from.add(2 * i * from_pitch)),
                    _mm512_loadu_ps(from.add((2 * i + 1) * from_pitch)),
                );
                pairs[2 * i] = _mm512_unpacklo_ps(a, b);
                pairs[2 * i + 1] = _mm512_unpackhi_ps(a, b);
            }
            // quads[4i + k] holds, in its quarter q, column 4q + k of rows 4i to 4i + 3.
            for i in 0..8 {
                let place = i / 2 * 4 + i % 2;
                let (a, b) = (_mm512_castps_pd(pairs[place]), _mm512_castps_pd(pairs[place + 2]));
                quads[i * 2] = _mm512_castpd_ps(_mm512_unpacklo_pd(a, b));
                quads[i * 2 + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(a, b));
            }
            for k in 0..4 {
                let [a, b, c, d] = [quads[k], quads[4 + k], quads[8 + k], quads[12 + k]];
                let (even, odd) = (_mm512_shuffle_f32x4::<0x88>(a, b), _mm512_shuffle_f32x4::<0xdd>(a, b));
                let (even_below, odd_below) = (_mm512_shuffle_f32x4::<0x88>(c, d), _mm512_shuffle_f32x4::<0xdd>(c, d));
                let mut to = to.add(k * to_pitch);
                for row in [
                    _mm512_shuffle_f32x4::<0x88>(even, even_below),
                    _mm512_shuffle_f32x4::<0x88>(odd, odd_below),
                    _mm512_shuffle_f32x4::<0xdd>(even, even_below),
                    _mm512_shuffle_f32x4::<0xdd>(odd, odd_below),
                ] {
                    _mm512_storeu_ps(to, row);
                    to = to.wrapping_add(4 * to_pitch);
                }
            }
        }
    }
}
