//! Element-wise functions on vectors. [`super::map`] states their errors.

use crate::engine::simd::Simd;

/// eˣ. Overflows to ∞ and underflows gradually to 0; NaN stays NaN.
///
/// x = n·ln 2 + r with |r| ≤ ln 2 / 2; eʳ = 1 + r + r²·p(r), p of degree 4 fitted to least relative error (own fit).
///
/// # Safety
/// The CPU has the vector's instruction set.
#[inline(always)]
pub(crate) unsafe fn exp<S: Simd>(x: S) -> S {
    // 1.5·2²³: adding and subtracting it rounds to the nearest whole number.
    const ROUND: f32 = 12_582_912.0;
    // ln 2 in two parts, the first short enough for exact products with n.
    const LN2_HIGH: f32 = 0.693_359_4;
    const LN2_LOW: f32 = -2.121_944_4e-4;
    // SAFETY: the CPU has the instruction set.
    unsafe {
        // Beyond these the result is ∞ or 0. NaN passes: it is the second operand.
        let x = S::splat(89.0).min(S::splat(-104.0).max(x));
        let round = S::splat(ROUND);
        let n = x.mul_add(S::splat(std::f32::consts::LOG2_E), round).sub(round);
        let r = n.mul_add(S::splat(-LN2_HIGH), x);
        let r = n.mul_add(S::splat(-LN2_LOW), r);
        let p = S::splat(1.395_06e-3);
        let p = p.mul_add(r, S::splat(8.368_954e-3));
        let p = p.mul_add(r, S::splat(4.166_620_6e-2));
        let p = p.mul_add(r, S::splat(1.666_651_8e-1));
        let p = p.mul_add(r, S::splat(0.5));
        let p = p.mul_add(r.mul(r), r).add(S::splat(1.0));
        p.scale(n)
    }
}

/// 1 / (1 + e⁻ˣ), from e^−|x| so that nothing overflows.
///
/// # Safety
/// The CPU has the vector's instruction set.
#[inline(always)]
pub(crate) unsafe fn sigmoid<S: Simd>(x: S) -> S {
    // SAFETY: the CPU has the instruction set.
    unsafe {
        let zero = S::splat(0.0);
        let one = S::splat(1.0);
        let t = exp(zero.sub(x.abs()));
        x.select_less(zero, t, one).quotient(one.add(t))
    }
}

/// tanh x: x + x³·p(x²) below 0.625, p of degree 4 (own fit); else (1 − t) / (1 + t) with t = e^−2|x|.
///
/// # Safety
/// The CPU has the vector's instruction set.
#[inline(always)]
pub(crate) unsafe fn tanh<S: Simd>(x: S) -> S {
    // SAFETY: the CPU has the instruction set.
    unsafe {
        let a = x.abs();
        let u = x.mul(x);
        let p = S::splat(-5.717_037e-3);
        let p = p.mul_add(u, S::splat(2.065_057_9e-2));
        let p = p.mul_add(u, S::splat(-5.374_349_7e-2));
        let p = p.mul_add(u, S::splat(1.333_149_1e-1));
        let p = p.mul_add(u, S::splat(-3.333_328_4e-1));
        let near = a.mul(u).mul_add(p, a);
        let t = exp(a.mul(S::splat(-2.0)));
        let one = S::splat(1.0);
        let far = one.sub(t).div(one.add(t));
        a.select_less(S::splat(0.625), near, far).copysign(x)
    }
}

/// x at and above 0, α·(eˣ − 1) below: x + x²·p(x) above −0.7, p of degree 5 fitted to least relative error (own fit).
///
/// # Safety
/// The CPU has the vector's instruction set.
#[inline(always)]
pub(crate) unsafe fn elu<S: Simd>(x: S, alpha: S) -> S {
    // SAFETY: the CPU has the instruction set.
    unsafe {
        let p = S::splat(1.466_634_8e-4);
        let p = p.mul_add(x, S::splat(1.341_890_7e-3));
        let p = p.mul_add(x, S::splat(8.311_662e-3));
        let p = p.mul_add(x, S::splat(4.166_153e-2));
        let p = p.mul_add(x, S::splat(0.166_666_1));
        let p = p.mul_add(x, S::splat(0.499_999_97));
        let near = p.mul_add(x.mul(x), x);
        let far = exp(x).sub(S::splat(1.0));
        let below = x.select_less(S::splat(-0.7), far, near);
        x.select_less(S::splat(0.0), alpha.mul(below), x)
    }
}

/// x · Φ(x).
///
/// # Safety
/// The CPU has the vector's instruction set.
#[inline(always)]
pub(crate) unsafe fn gelu<S: Simd>(x: S) -> S {
    // SAFETY: the CPU has the instruction set.
    unsafe { x.mul(normal(x)[0]) }
}

/// Φ(x), the normal distribution, and e^(−x²/2). With a = |x| and t = 1 / (1 + 0.3·a), Φ(−a) = e^(−a²/2) · t·p(t), p of degree
/// 9 fitted to least relative error (own fit) up to 14, where x · Φ(x) is 0.
///
/// # Safety
/// The CPU has the vector's instruction set.
#[inline(always)]
pub(crate) unsafe fn normal<S: Simd>(x: S) -> [S; 2] {
    const P: [f32; 10] = [
        0.119_686_63,
        0.119_572_83,
        0.110_227_39,
        0.078_425_266,
        0.096_058_73,
        -0.079_249_01,
        0.191_583_7,
        -0.228_069,
        0.112_376_414,
        -0.020_612_946,
    ];
    // SAFETY: the CPU has the instruction set.
    unsafe {
        let (zero, one) = (S::splat(0.0), S::splat(1.0));
        // NaN passes: it is the second operand.
        let a = S::splat(15.0).min(x.abs());
        let square = a.mul(a);
        // What rounding took from the square; 0 where multiply-add rounds twice.
        let lost = a.mul_add(a, zero.sub(square));
        let power = exp(square.mul(S::splat(-0.5)));
        let power = power.mul_add(lost.mul(S::splat(-0.5)), power);
        let t = one.div(a.mul_add(S::splat(0.3), one));
        let mut p = S::splat(P[9]);
        let mut i = 9;
        while i > 0 {
            i -= 1;
            p = p.mul_add(t, S::splat(P[i]));
        }
        let tail = power.mul(p.mul(t));
        [x.select_less(zero, tail, one.sub(tail)), power]
    }
}

/// 2·√(2/π), rounded down, and that times 0.044715, rounded up: together they leave the smallest error.
pub(crate) const GELU_TANH: [f32; 2] = [1.595_769, 0.071_354_82];

/// x · σ(2u) with u = √(2/π)·(x + 0.044715·x³), which is ½·x·(1 + tanh u).
///
/// # Safety
/// The CPU has the vector's instruction set.
#[inline(always)]
pub(crate) unsafe fn gelu_tanh<S: Simd>(x: S) -> S {
    let [linear, cubic] = GELU_TANH;
    // SAFETY: the CPU has the instruction set.
    unsafe {
        let factor = x.mul(x).mul_add(S::splat(cubic), S::splat(linear));
        x.mul(sigmoid(x.mul(factor)))
    }
}
