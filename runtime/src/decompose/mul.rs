//! a · b · …, a factor per channel seen in the shape of the map.

use super::{DecomposeOp, Node, Primitives};
use cnn_ir::Shape;
use cnn_ir::ops::MulSpec;

impl DecomposeOp for MulSpec {
    fn decompose(&self, cx: &mut Primitives, inputs: &[Node], _: &[Node], output: &Shape) -> Node {
        let view = |x: &Node| match (x.shape == **output, &**output) {
            (false, &[channels, height, width]) => {
                x.reshape(&[channels]).view().broadcast(1, height).broadcast(2, width)
            }
            _ => x.view(),
        };
        let first = cx.contiguous(view(&inputs[0]));
        inputs[1..].iter().fold(first, |product, x| cx.mul(product.view(), view(x)))
    }
}
