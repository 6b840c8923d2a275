//! min(max(0, x), 6).

use super::relu::relu;
use super::{DecomposeOp, Node, Primitives};
use cnn_ir::Shape;
use cnn_ir::ops::Relu6Spec;

impl DecomposeOp for Relu6Spec {
    fn decompose(&self, cx: &mut Primitives, inputs: &[Node], _: &[Node], _: &Shape) -> Node {
        clamp_to_six(cx, &inputs[0])
    }
}

/// min(max(0, x), 6), the minimum being −max(−x, −6).
pub fn clamp_to_six(cx: &mut Primitives, x: &Node) -> Node {
    let positive = relu(cx, x);
    let negated = cx.scale(&positive, -1.0);
    let ones = cx.ones(&x.shape);
    let limit = cx.scale(&ones, -6.0);
    let limit = cx.contiguous(limit.view().broadcast_batch());
    let clamped = cx.maximum(&negated, &limit);
    let clamped = cx.scale(&clamped, -1.0);
    let mark = cx.nan_mark(x);
    cx.add(clamped.view(), mark.view())
}
