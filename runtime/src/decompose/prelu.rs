//! max(0, x) − w · max(0, −x).

use super::relu::{relu, relu_of_negated};
use super::{DecomposeOp, Node, Primitives};
use cnn_ir::Shape;
use cnn_ir::ops::PreluSpec;

impl DecomposeOp for PreluSpec {
    fn decompose(&self, cx: &mut Primitives, inputs: &[Node], parameters: &[Node], output: &Shape) -> Node {
        let x = inputs[0].reshape(&[output[0], output.elements() / output[0]]);
        let (above, below) = (relu(cx, &x), relu_of_negated(cx, &x));
        let weight = cx.scale(&parameters[0], -1.0);
        let weight = match self.num_parameters {
            1 => weight.reshape(&[]).view().broadcast(0, x.shape[0]),
            _ => weight.view(),
        };
        let below = cx.mul(below.view(), weight.broadcast(1, x.shape[1]).broadcast_batch());
        cx.add(above.view(), below.view()).reshape(output)
    }
}
