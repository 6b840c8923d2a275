//! min(max(0, x + 3), 6) / 6.

use super::relu6::clamp_to_six;
use super::{DecomposeOp, Node, Primitives};
use cnn_ir::Shape;
use cnn_ir::ops::HardSigmoidSpec;

impl DecomposeOp for HardSigmoidSpec {
    fn decompose(&self, cx: &mut Primitives, inputs: &[Node], _: &[Node], _: &Shape) -> Node {
        hard_sigmoid(cx, &inputs[0])
    }
}

/// min(max(0, x + 3), 6) / 6.
pub fn hard_sigmoid(cx: &mut Primitives, x: &Node) -> Node {
    let shifted = cx.offset(x, 3.0);
    let clamped = clamp_to_six(cx, &shifted);
    cx.scale(&clamped, 1.0 / 6.0)
}
