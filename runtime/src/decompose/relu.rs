//! max(0, x).

use super::{DecomposeOp, Node, Primitives};
use cnn_ir::Shape;
use cnn_ir::ops::ReluSpec;

impl DecomposeOp for ReluSpec {
    fn decompose(&self, cx: &mut Primitives, inputs: &[Node], _: &[Node], _: &Shape) -> Node {
        relu(cx, &inputs[0])
    }
}

/// max(0, x).
pub fn relu(cx: &mut Primitives, x: &Node) -> Node {
    // Padding is the 0 to compare with. x · (x > 0), Luminal's own form, is NaN at −∞.
    let with_zero = cx.contiguous(x.reshape(&[x.elements(), 1]).view().pad(1, 0, 1));
    let positive = cx.max(&with_zero, 1).reshape(&x.shape);
    let mark = cx.nan_mark(x);
    cx.add(positive.view(), mark.view())
}

/// max(0, −x).
pub fn relu_of_negated(cx: &mut Primitives, x: &Node) -> Node {
    let negated = cx.scale(x, -1.0);
    relu(cx, &negated)
}
