//! 1 / (1 + 2^(−x·log₂e)).

use super::{DecomposeOp, Node, Primitives};
use cnn_ir::Shape;
use cnn_ir::ops::SigmoidSpec;

impl DecomposeOp for SigmoidSpec {
    fn decompose(&self, cx: &mut Primitives, inputs: &[Node], _: &[Node], _: &Shape) -> Node {
        sigmoid(cx, &inputs[0], 1.0)
    }
}

/// σ(factor · x). An overflowing power is ∞, whose reciprocal is the right 0.
pub fn sigmoid(cx: &mut Primitives, x: &Node, factor: f32) -> Node {
    let exponent = cx.scale(x, -factor * std::f32::consts::LOG2_E);
    let power = cx.exp2(&exponent);
    let divisor = cx.offset(&power, 1.0);
    cx.recip(&divisor)
}
