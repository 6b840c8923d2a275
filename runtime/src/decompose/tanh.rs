//! 2·σ(2x) − 1, within 2⁻²³ of tanh x.

use super::sigmoid::sigmoid;
use super::{DecomposeOp, Node, Primitives};
use cnn_ir::Shape;
use cnn_ir::ops::TanhSpec;

impl DecomposeOp for TanhSpec {
    fn decompose(&self, cx: &mut Primitives, inputs: &[Node], _: &[Node], _: &Shape) -> Node {
        let sigmoid = sigmoid(cx, &inputs[0], 2.0);
        let doubled = cx.scale(&sigmoid, 2.0);
        cx.offset(&doubled, -1.0)
    }
}
