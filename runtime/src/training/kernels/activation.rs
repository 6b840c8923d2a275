//! Element-wise functions and their derivatives.

use crate::Error;
use crate::engine::kernels::activation::ElementWise;
use crate::engine::kernels::split::split;
use crate::engine::kernels::{Call, Kernel};
use crate::engine::select::Layer;
use crate::engine::simd::{Simd, per_isa};
use crate::engine::threads::Shared;
use crate::graph::Activation;
use std::fmt;

/// The layer itself.
pub(crate) fn forward(layer: &Layer<'_>) -> Result<ElementWise, Error> {
    ElementWise::of(layer)
}

/// dy · f'(x), of the function's output or its input.
pub(crate) struct Gradient {
    activation: Activation,
    code: GradientFn,
    parameter: f32,
}

type GradientFn = unsafe fn(*const f32, &[f32], &mut [f32], f32);

/// Elements of a block.
const BLOCK: usize = 4096;

impl Gradient {
    pub fn new(layer: &Layer<'_>) -> Result<Self, Error> {
        let activation = Activation::from_op(layer.op).ok_or_else(|| layer.error("it is no activation"))?;
        let (code, parameter): (GradientFn, f32) = match activation {
            Activation::Relu => (relu(layer.isa), 0.0),
            Activation::Sigmoid => (sigmoid(layer.isa), 0.0),
            Activation::Tanh => (tanh(layer.isa), 0.0),
            _ => return Err(layer.error("there is no gradient kernel for it")),
        };
        Ok(Self { activation, code, parameter })
    }
}

impl Kernel for Gradient {
    fn may_overwrite(&self) -> usize {
        1
    }

    fn run(&self, call: Call<'_>) {
        let (elements, values) = (call.output.len(), call.others.get(0));
        let output = Shared::new(call.output);
        split(call.threads, elements.div_ceil(BLOCK), 4 * BLOCK, |blocks| {
            let range = blocks.start * BLOCK..elements.min(blocks.end * BLOCK);
            // SAFETY: no other task has these blocks; the instruction set was checked. In place, what was in the output is
            // the gradient, and the code reads each element before it writes it.
            unsafe {
                let to = output.part(range.clone());
                let dy = match call.input.is_empty() {
                    true => to.as_ptr(),
                    false => call.input[range.clone()].as_ptr(),
                };
                (self.code)(dy, &values[range], to, self.parameter);
            }
        });
    }
}

impl fmt::Debug for Gradient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "gradient of {}", self.activation.op())
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
