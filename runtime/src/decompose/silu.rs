//! x · σ(x).

use super::sigmoid::sigmoid;
use super::{DecomposeOp, Node, Primitives};
use cnn_ir::Shape;
use cnn_ir::ops::SiluSpec;

impl DecomposeOp for SiluSpec {
    fn decompose(&self, cx: &mut Primitives, inputs: &[Node], _: &[Node], _: &Shape) -> Node {
        let sigmoid = sigmoid(cx, &inputs[0], 1.0);
        cx.mul(inputs[0].view(), sigmoid.view())
    }
}
