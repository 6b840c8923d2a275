//! Element-wise functions and their derivatives.

use crate::Error;
use crate::engine::kernels::activation::ElementWise;
use crate::engine::kernels::split::split;
use crate::engine::kernels::{Call, Kernel, math};
use crate::engine::select::Layer;
use crate::engine::simd::{Simd, per_isa};
use crate::engine::threads::Shared;
use crate::graph::Activation;
use cnn_ir::ops::GeluApproximate;
use std::fmt;

/// The layer itself.
pub(crate) fn forward(layer: &Layer<'_>) -> Result<ElementWise, Error> {
    ElementWise::of(layer)
}

/// f'(x), of the function's output or its input.
pub(crate) struct Derivative {
    activation: Activation,
    code: DerivativeFn,
    parameter: f32,
}

type DerivativeFn = unsafe fn(*const f32, &[f32], &mut [f32], f32);

impl Derivative {
    pub fn new(layer: &Layer<'_>) -> Result<Self, Error> {
        let activation = Activation::from_op(layer.op).ok_or_else(|| layer.error("it is no activation"))?;
        let (code, parameter): (DerivativeFn, f32) = match activation {
            Activation::Relu => (relu(layer.isa), 0.0),
            Activation::Sigmoid => (sigmoid(layer.isa), 0.0),
            Activation::Tanh => (tanh(layer.isa), 0.0),
            Activation::Relu6 => (relu6(layer.isa), 0.0),
            Activation::LeakyRelu { negative_slope } => (leaky_relu(layer.isa), negative_slope as f32),
            Activation::Elu { alpha } if alpha < 0.0 => (elu_of_input(layer.isa), alpha as f32),
            Activation::Elu { alpha } => (elu(layer.isa), alpha as f32),
            Activation::Silu => (silu(layer.isa), 0.0),
            Activation::Gelu { approximate: GeluApproximate::None } => (gelu(layer.isa), 0.0),
            Activation::Gelu { approximate: GeluApproximate::Tanh } => (gelu_tanh(layer.isa), 0.0),
            Activation::HardSigmoid => (hard_sigmoid(layer.isa), 0.0),
            Activation::HardSwish => (hard_swish(layer.isa), 0.0),
        };
        Ok(Self { activation, code, parameter })
    }

    /// Multiplies a gradient by the derivatives at as many values, a multiple of the lanes.
    pub fn apply(&self, gradient: &mut [f32], values: &[f32]) {
        let values = &values[..gradient.len()];
        // SAFETY: there are as many values; the code reads each element before it writes it; the instruction set was checked.
        unsafe { (self.code)(gradient.as_ptr(), values, gradient, self.parameter) };
    }
}

impl fmt::Display for Derivative {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "gradient of {}", self.activation.op())
    }
}

/// dy · f'(x).
pub(crate) struct Gradient(Derivative);

/// Elements of a block.
const BLOCK: usize = 4096;

impl Gradient {
    pub fn new(layer: &Layer<'_>) -> Result<Self, Error> {
        Derivative::new(layer).map(Self)
    }
}

impl Kernel for Gradient {
    fn is_by_block(&self) -> bool {
        true
    }

    fn may_overwrite(&self) -> usize {
        1
    }

    fn run(&self, call: Call<'_>) {
        let (elements, values) = (call.output.len(), call.others.get(0));
        let output = Shared::new(call.output);
        split(call.threads, elements.div_ceil(BLOCK), 4 * BLOCK, |blocks| {
            let range = blocks.start * BLOCK..elements.min(blocks.end * BLOCK);
            // SAFETY: no other task has these blocks.
            let to = unsafe { output.part(range.clone()) };
            match call.input.is_empty() {
                true => self.0.apply(to, &values[range]),
                // SAFETY: there are as many gradients as values; the instruction set was checked.
                false => unsafe {
                    (self.0.code)(call.input[range.clone()].as_ptr(), &values[range], to, self.0.parameter);
                },
            }
        });
    }
}

impl fmt::Debug for Gradient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// A function of the gradient `g`, the value `v` (input or output, as the rules say) and a parameter `p`, for every vector.
macro_rules! derivative {
    ($(#[$meta:meta])* $name:ident $body:ident, |$g:ident, $v:ident, $p:ident| $result:expr) => {
        $(#[$meta])*
        #[inline(always)]
        unsafe fn $body<S: Simd>(dy: *const f32, values: &[f32], dx: &mut [f32], parameter: f32) {
            // SAFETY: all have as many elements, a multiple of the lanes; the CPU has the instruction set.
            unsafe {
                let $p = S::splat(parameter);
                let _ = $p;
                let mut i = 0;
                while i + S::LANES <= dx.len() {
                    let ($g, $v) = (S::load(dy.add(i)), S::load(values.as_ptr().add(i)));
                    let result: S = $result;
                    result.store(dx.as_mut_ptr().add(i));
                    i += S::LANES;
                }
            }
        }
        per_isa!(fn $name(dy: *const f32, values: &[f32], dx: &mut [f32], parameter: f32) = $body);
    };
}

derivative!(
    /// Of the output: 1 above 0, else 0.
    relu relu_body, |g, y, p| S::splat(0.0).select_less(y, g, S::splat(0.0)));
derivative!(
    /// Of the output: y · (1 − y).
    sigmoid sigmoid_body, |g, y, p| g.mul(y.mul(S::splat(1.0).sub(y))));
derivative!(
    /// Of the output: 1 − y².
    tanh tanh_body, |g, y, p| g.mul(S::splat(1.0).sub(y.mul(y))));
derivative!(
/// Of the output: 1 between 0 and 6, else 0.
relu6 relu6_body, |g, y, p| {
    let (zero, six) = (S::splat(0.0), S::splat(6.0));
    zero.select_less(y, y.select_less(six, g, zero), zero)
});
derivative!(
    /// Of the input, or of the output for a slope that is not negative: 1 above 0, else the slope.
    leaky_relu leaky_relu_body, |g, v, slope| S::splat(0.0).select_less(v, g, g.mul(slope)));
derivative!(
    /// Of the output: 1 above 0, else y + α.
    elu elu_body, |g, y, alpha| S::splat(0.0).select_less(y, g, g.mul(y.add(alpha))));
derivative!(
    /// Of the input: 1 above 0, else α · eˣ.
    elu_of_input elu_of_input_body, |g, x, alpha| S::splat(0.0).select_less(x, g, g.mul(alpha.mul(math::exp(x)))));
derivative!(
/// Of the input: σ(x) · (1 + x · (1 − σ(x))).
silu silu_body, |g, x, p| {
    let (one, sigmoid) = (S::splat(1.0), math::sigmoid(x));
    g.mul(sigmoid.mul(one.sub(sigmoid).mul_add(x, one)))
});
derivative!(
/// Of the input: Φ(x) + x · φ(x), with the normal distribution Φ and its density φ.
gelu gelu_body, |g, x, p| {
    // 1 / √(2π)
    const DENSITY: f32 = 0.398_942_3;
    let [below, power] = math::normal(x);
    g.mul(power.mul(S::splat(DENSITY)).mul_add(x, below))
});
derivative!(
/// Of the input: σ(v) + x · σ(v) · (1 − σ(v)) · v′ with v = 2 · √(2/π) · (x + 0.044715 · x³).
gelu_tanh gelu_tanh_body, |g, x, p| {
    let [linear, cubic] = math::GELU_TANH;
    let square = x.mul(x);
    let sigmoid = math::sigmoid(x.mul(square.mul_add(S::splat(cubic), S::splat(linear))));
    let slope = square.mul_add(S::splat(3.0 * cubic), S::splat(linear));
    let inner = sigmoid.mul(S::splat(1.0).sub(sigmoid));
    g.mul(x.mul(slope).mul_add(inner, sigmoid))
});
derivative!(
/// Of the input: 1/6 between −3 and 3, else 0.
hard_sigmoid hard_sigmoid_body, |g, x, p| {
    let (zero, three) = (S::splat(0.0), S::splat(3.0));
    let within = x.select_less(three, g.mul(S::splat(1.0 / 6.0)), zero);
    S::splat(-3.0).select_less(x, within, zero)
});
derivative!(
/// Of the input: x/3 + 1/2 between −3 and 3, 0 below, 1 above.
hard_swish hard_swish_body, |g, x, p| {
    let inside = g.mul(x.mul_add(S::splat(1.0 / 3.0), S::splat(0.5)));
    let above = x.select_less(S::splat(3.0), inside, g);
    S::splat(-3.0).select_less(x, above, S::splat(0.0))
});
