//! Activations: a function of one element, applied to every element in place.
//!
//! Largest error against f64, measured by the test below over every 997th bit pattern of f32 whose result is a normal
//! number, in units in the last place: exp 1.01, sigmoid 2.18, tanh 1.49, elu 1.06 (without fused multiply-add exp 0.97,
//! elu 1.34). Over results of at least 1e-30: silu 2.82, gelu 6.12 (without fused multiply-add 61.14), gelu by tanh 138.98;
//! the large ones far below 0, where rounding the exponent of e counts.

use super::math;
use crate::engine::Isa;
use crate::engine::simd::{Simd, per_isa};
use crate::graph::Activation;
use cnn_ir::ops::GeluApproximate;

/// Applies a function with one parameter, which many do not use, to every element.
pub(crate) type MapFn = unsafe fn(&mut [f32], f32);

/// The function that applies an activation to every element in place, and its parameter.
pub(crate) fn map_of(activation: Activation, isa: Isa) -> (MapFn, f32) {
    match activation {
        Activation::Relu => (relu_of(isa), 0.0),
        Activation::Relu6 => (relu6_of(isa), 0.0),
        Activation::LeakyRelu { negative_slope } => (leaky_relu_of(isa), negative_slope as f32),
        Activation::Elu { alpha } => (elu_of(isa), alpha as f32),
        Activation::Silu => (silu_of(isa), 0.0),
        Activation::Gelu { approximate: GeluApproximate::None } => (gelu_of(isa), 0.0),
        Activation::Gelu { approximate: GeluApproximate::Tanh } => (gelu_tanh_of(isa), 0.0),
        Activation::Sigmoid => (sigmoid_of(isa), 0.0),
        Activation::HardSigmoid => (hard_sigmoid_of(isa), 0.0),
        Activation::HardSwish => (hard_swish_of(isa), 0.0),
        Activation::Tanh => (tanh_of(isa), 0.0),
    }
}

/// A function of one element.
trait Map {
    /// # Safety
    /// The CPU has the vector's instruction set.
    unsafe fn map<S: Simd>(x: S, parameter: S) -> S;
}

#[inline(always)]
unsafe fn map_all<S: Simd, M: Map>(data: &mut [f32], parameter: f32) {
    let (start, n) = (data.as_mut_ptr(), data.len());
    let mut i = 0;
    // SAFETY: i + LANES ≤ n in the loop and i + rest = n after it; the CPU has the instruction set.
    unsafe {
        let parameter = S::splat(parameter);
        while i + S::LANES <= n {
            M::map(S::load(start.add(i)), parameter).store(start.add(i));
            i += S::LANES;
        }
        if i < n {
            M::map(S::load_first(start.add(i), n - i), parameter).store_first(start.add(i), n - i);
        }
    }
}

/// Declares a map: its functions by instruction set, and what it does to a vector.
macro_rules! map {
    ($(#[$meta:meta])* $vis:vis fn $of:ident($x:ident: $simd:ident, $parameter:ident) = $value:expr) => {
        $(#[$meta])*
        $vis fn $of(isa: Isa) -> MapFn {
            struct This;
            impl Map for This {
                #[inline(always)]
                unsafe fn map<$simd: Simd>($x: $simd, $parameter: $simd) -> $simd {
                    // SAFETY: the CPU has the instruction set.
                    unsafe { $value }
                }
            }
            #[inline(always)]
            unsafe fn body<S: Simd>(data: &mut [f32], parameter: f32) {
                // SAFETY: the CPU has the instruction set.
                unsafe { map_all::<S, This>(data, parameter) }
            }
            per_isa!(fn all(data: &mut [f32], parameter: f32) = body);
            all(isa)
        }
    };
}

// NaN stays NaN in all of them: where it matters it is the second operand.
map!(fn relu_of(x: S, _p) = S::splat(0.0).max(x));
map!(fn relu6_of(x: S, _p) = S::splat(6.0).min(S::splat(0.0).max(x)));
map!(
    /// x at and above 0, the parameter times x below.
    pub(crate) fn leaky_relu_of(x: S, slope) = x.select_less(S::splat(0.0), x.mul(slope), x)
);
map!(fn elu_of(x: S, alpha) = math::elu(x, alpha));
map!(fn silu_of(x: S, _p) = x.mul(math::sigmoid(x)));
map!(fn gelu_of(x: S, _p) = math::gelu(x));
map!(fn gelu_tanh_of(x: S, _p) = math::gelu_tanh(x));
map!(fn sigmoid_of(x: S, _p) = math::sigmoid(x));
map!(fn hard_sigmoid_of(x: S, _p) = hard_sigmoid(x));
map!(fn hard_swish_of(x: S, _p) = x.mul(hard_sigmoid(x)));
map!(fn tanh_of(x: S, _p) = math::tanh(x));

/// min(max(0, x + 3), 6) / 6.
///
/// # Safety
/// The CPU has the vector's instruction set.
#[inline(always)]
unsafe fn hard_sigmoid<S: Simd>(x: S) -> S {
    // SAFETY: the CPU has the instruction set.
    unsafe { S::splat(6.0).min(S::splat(0.0).max(x.add(S::splat(3.0)))).div(S::splat(6.0)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    map!(fn exp_of(x: S, _p) = math::exp(x));

    /// What the errors may not exceed, in ulp: with fused multiply-add, and without.
    const MAX_ULP: [(&str, [f64; 2]); 7] = [
        ("exp", [1.02, 0.98]),
        ("sigmoid", [2.2, 2.2]),
        ("tanh", [1.5, 1.5]),
        ("silu", [2.83, 2.83]),
        ("elu", [1.07, 1.35]),
        ("gelu", [6.2, 61.2]),
        ("gelu tanh", [139.0, 139.0]),
    ];

    const NORMAL: f64 = f32::MIN_POSITIVE as f64;
    /// Below this, factors of the product are no longer normal numbers.
    const TINY: f64 = 1e-30;

    /// The normal distribution at −a for a ≥ 0: its series near 0, Laplace's continued fraction farther out.
    fn tail(a: f64) -> f64 {
        let density = (-a * a / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt();
        if a < 2.0 {
            let terms = (1..60).scan(a, |term, i| {
                *term *= a * a / f64::from(2 * i + 1);
                Some(*term)
            });
            0.5 - density * (a + terms.sum::<f64>())
        } else {
            density / (1..100).rev().fold(a, |fraction, i| a + f64::from(i) / fraction)
        }
    }

    fn normal_distribution(x: f64) -> f64 {
        if x < 0.0 { tail(-x) } else { 1.0 - tail(x) }
    }

    /// The largest error in ulp over results that are at least this large.
    fn max_ulp(function: MapFn, least: f64, exact: fn(f64) -> f64) -> f64 {
        let inputs: Vec<f32> = (0..u32::MAX).step_by(997).map(f32::from_bits).filter(|x| !x.is_nan()).collect();
        let mut outputs = inputs.clone();
        // SAFETY: the callers pass functions for instruction sets that this CPU has.
        unsafe { function(&mut outputs, 1.0) };
        let mut worst = 0.0f64;
        for (&x, &y) in inputs.iter().zip(&outputs) {
            let exact = exact(f64::from(x));
            if exact.abs() < least || exact.abs() > f64::from(f32::MAX) {
                assert!(
                    (f64::from(y) - exact).abs() < least / 10.0 || f64::from(y) == exact || y == f32::INFINITY,
                    "{x} → {y}"
                );
                continue;
            }
            let ulp = 2f64.powf(exact.abs().log2().floor() - 23.0);
            worst = worst.max((f64::from(y) - exact).abs() / ulp);
        }
        worst
    }

    #[test]
    fn errors_stay_within_the_stated_ulp() {
        for isa in Isa::available() {
            let found = [
                max_ulp(exp_of(isa), NORMAL, f64::exp),
                max_ulp(sigmoid_of(isa), NORMAL, |x| 1.0 / (1.0 + (-x).exp())),
                max_ulp(tanh_of(isa), NORMAL, f64::tanh),
                max_ulp(silu_of(isa), TINY, |x| x / (1.0 + (-x).exp())),
                max_ulp(elu_of(isa), NORMAL, |x| if x < 0.0 { x.exp_m1() } else { x }),
                max_ulp(gelu_of(isa), TINY, |x| x * normal_distribution(x)),
                max_ulp(gelu_tanh_of(isa), TINY, |x| {
                    let u = (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044_715 * x.powi(3));
                    x / (1.0 + (-2.0 * u).exp())
                }),
            ];
            for (found, (name, stated)) in found.iter().zip(MAX_ULP) {
                println!("{isa}: {name} {found:.2} ulp");
                let stated = stated[usize::from(isa == Isa::Portable)];
                assert!(*found <= stated, "{isa}: {name} {found} > {stated}");
            }
        }
    }

    #[test]
    fn special_values() {
        for isa in Isa::available() {
            let values = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 0.0, -0.0, 1e30, -1e30];
            let run = |function: MapFn| {
                let mut data = values;
                // SAFETY: this CPU has the instruction set.
                unsafe { function(&mut data, 1.0) };
                assert!(data[0].is_nan(), "{isa}");
                data[1..].to_vec()
            };
            assert_eq!(run(relu_of(isa)), [f32::INFINITY, 0.0, 0.0, 0.0, 1e30, 0.0], "{isa}");
            assert_eq!(run(sigmoid_of(isa)), [1.0, 0.0, 0.5, 0.5, 1.0, 0.0], "{isa}");
            assert_eq!(run(tanh_of(isa)), [1.0, -1.0, 0.0, 0.0, 1.0, -1.0], "{isa}");
            assert_eq!(run(exp_of(isa)), [f32::INFINITY, 0.0, 1.0, 1.0, f32::INFINITY, 0.0], "{isa}");
        }
    }

    #[test]
    fn every_length_touches_nothing_else() {
        for isa in Isa::available() {
            for n in 0..40 {
                let mut data = vec![-1.0f32; n + 16];
                // SAFETY: this CPU has the instruction set.
                unsafe { relu_of(isa)(&mut data[..n], 0.0) };
                assert!(data[..n].iter().all(|&v| v == 0.0) && data[n..].iter().all(|&v| v == -1.0), "{isa} {n}");
            }
        }
    }
}
