//! max(0, x) − slope · max(0, −x).

use super::relu::{relu, relu_of_negated};
use super::{DecomposeOp, Node, Primitives};
use cnn_ir::Shape;
use cnn_ir::ops::LeakyReluSpec;

impl DecomposeOp for LeakyReluSpec {
    fn decompose(&self, cx: &mut Primitives, inputs: &[Node], _: &[Node], _: &Shape) -> Node {
        let (above, below) = (relu(cx, &inputs[0]), relu_of_negated(cx, &inputs[0]));
        let below = cx.scale(&below, -self.negative_slope as f32);
        cx.add(above.view(), below.view())
    }
}
