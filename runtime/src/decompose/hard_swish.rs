//! x · min(max(0, x + 3), 6) / 6.

use super::hard_sigmoid::hard_sigmoid;
use super::{DecomposeOp, Node, Primitives};
use cnn_ir::Shape;
use cnn_ir::ops::HardSwishSpec;

impl DecomposeOp for HardSwishSpec {
    fn decompose(&self, cx: &mut Primitives, inputs: &[Node], _: &[Node], _: &Shape) -> Node {
        let factor = hard_sigmoid(cx, &inputs[0]);
        cx.mul(inputs[0].view(), factor.view())
    }
}
