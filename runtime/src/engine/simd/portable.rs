//! Four lanes in plain Rust; the compiler makes vectors of them where it can (SSE2, NEON).

use super::Simd;

/// Four f32.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(crate) struct Portable([f32; 4]);

macro_rules! lanes {
    ($i:ident => $lane:expr) => {{
        let mut out = [0.0; 4];
        let mut $i = 0;
        while $i < 4 {
            out[$i] = $lane;
            $i += 1;
        }
        Portable(out)
    }};
}

impl Simd for Portable {
    const LANES: usize = 4;

    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        Self([value; 4])
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller gives four valid f32.
        Self(unsafe { from.cast::<[f32; 4]>().read_unaligned() })
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the caller gives room for four f32.
        unsafe { to.cast::<[f32; 4]>().write_unaligned(self.0) }
    }

    #[inline(always)]
    unsafe fn load_first(from: *const f32, n: usize) -> Self {
        // SAFETY: only the first n are read, which the caller gives.
        lanes!(i => if i < n { unsafe { *from.add(i) } } else { 0.0 })
    }

    #[inline(always)]
    unsafe fn load_f16(from: *const u16) -> Self {
        // SAFETY: the caller gives four valid f16.
        let halves = unsafe { from.cast::<[u16; 4]>().read_unaligned() };
        lanes!(i => {
            let bits = u32::from(halves[i]);
            // The exponents' biases differ by 112; the product makes normal numbers of subnormal ones, too.
            let magnitude = f32::from_bits((bits & 0x7fff) << 13) * f32::from_bits((112 + 127) << 23);
            f32::from_bits(magnitude.to_bits() | (bits & 0x8000) << 16)
        })
    }

    #[inline(always)]
    unsafe fn load_bf16(from: *const u16) -> Self {
        // SAFETY: the caller gives four valid bf16.
        let halves = unsafe { from.cast::<[u16; 4]>().read_unaligned() };
        lanes!(i => f32::from_bits(u32::from(halves[i]) << 16))
    }

    #[inline(always)]
    unsafe fn store_first(self, to: *mut f32, n: usize) {
        for (i, &lane) in self.0.iter().take(n).enumerate() {
            // SAFETY: only the first n are written, for which the caller gives room.
            unsafe { *to.add(i) = lane };
        }
    }

    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        lanes!(i => self.0[i] + other.0[i])
    }

    #[inline(always)]
    unsafe fn sub(self, other: Self) -> Self {
        lanes!(i => self.0[i] - other.0[i])
    }

    #[inline(always)]
    unsafe fn mul(self, other: Self) -> Self {
        lanes!(i => self.0[i] * other.0[i])
    }

    #[inline(always)]
    unsafe fn div(self, other: Self) -> Self {
        lanes!(i => self.0[i] / other.0[i])
    }

    #[inline(always)]
    unsafe fn mul_add(self, factor: Self, addend: Self) -> Self {
        // Where the baseline has no fused instruction, `f32::mul_add` is a slow call.
        if cfg!(any(target_arch = "aarch64", target_feature = "fma")) {
            lanes!(i => self.0[i].mul_add(factor.0[i], addend.0[i]))
        } else {
            lanes!(i => self.0[i] * factor.0[i] + addend.0[i])
        }
    }

    #[inline(always)]
    unsafe fn max(self, other: Self) -> Self {
        lanes!(i => if self.0[i] > other.0[i] { self.0[i] } else { other.0[i] })
    }

    #[inline(always)]
    unsafe fn min(self, other: Self) -> Self {
        lanes!(i => if self.0[i] < other.0[i] { self.0[i] } else { other.0[i] })
    }

    #[inline(always)]
    unsafe fn max_or_nan(self, other: Self) -> Self {
        lanes!(i => {
            let larger = if self.0[i] > other.0[i] { self.0[i] } else { other.0[i] };
            if self.0[i].is_nan() { self.0[i] } else { larger }
        })
    }

    #[inline(always)]
    unsafe fn select_less(self, limit: Self, less: Self, otherwise: Self) -> Self {
        lanes!(i => if self.0[i] < limit.0[i] { less.0[i] } else { otherwise.0[i] })
    }

    #[inline(always)]
    unsafe fn abs(self) -> Self {
        lanes!(i => self.0[i].abs())
    }

    #[inline(always)]
    unsafe fn copysign(self, sign: Self) -> Self {
        lanes!(i => self.0[i].copysign(sign.0[i]))
    }

    #[inline(always)]
    unsafe fn exp2i(self) -> Self {
        // Adding 2²³ + 127 leaves n + 127 in the low bits of the fraction.
        lanes!(i => f32::from_bits((self.0[i] + 8_388_735.0).to_bits() << 23))
    }

    #[inline(always)]
    unsafe fn transpose(from: *const f32, from_pitch: usize, to: *mut f32, to_pitch: usize) {
        for i in 0..4 {
            for k in 0..4 {
                // SAFETY: the caller gives four rows of four f32 on both sides.
                unsafe { *to.add(k * to_pitch + i) = *from.add(i * from_pitch + k) };
            }
        }
    }
}
