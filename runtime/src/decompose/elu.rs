//! max(0, x) + α·(e^min(0, x) − 1).

use super::relu::{relu, relu_of_negated};
use super::{DecomposeOp, Node, Primitives};
use cnn_ir::Shape;
use cnn_ir::ops::EluSpec;

impl DecomposeOp for EluSpec {
    fn decompose(&self, cx: &mut Primitives, inputs: &[Node], _: &[Node], _: &Shape) -> Node {
        let (above, below) = (relu(cx, &inputs[0]), relu_of_negated(cx, &inputs[0]));
        let exponent = cx.scale(&below, -std::f32::consts::LOG2_E);
        let power = cx.exp2(&exponent);
        let below = cx.offset(&power, -1.0);
        let below = cx.scale(&below, self.alpha as f32);
        cx.add(above.view(), below.view())
    }
}
