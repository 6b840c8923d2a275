//! (x − μ) / √(σ² + ε) · γ + β.

use super::{DecomposeOp, Node, Primitives};
use cnn_ir::Shape;
use cnn_ir::ops::BatchNormSpec;

impl DecomposeOp for BatchNormSpec {
    fn decompose(&self, cx: &mut Primitives, inputs: &[Node], parameters: &[Node], output: &Shape) -> Node {
        let x = inputs[0].reshape(&[self.num_features, output.elements() / self.num_features]);
        let places = x.shape[1];
        let like_x = |parameter: &Node| parameter.view().broadcast(1, places).broadcast_batch();
        let (affine, statistics) = parameters.split_at(parameters.len() - 2);
        let variance = cx.offset(&statistics[1], self.eps as f32);
        let deviation = cx.sqrt(&variance);
        let mut scale = cx.recip(&deviation);
        if let [weight, _] = affine {
            scale = cx.mul(scale.view(), weight.view());
        }
        let negated = cx.scale(&statistics[0], -1.0);
        let centred = cx.add(x.view(), like_x(&negated));
        let mut y = cx.mul(centred.view(), like_x(&scale));
        if let [_, bias] = affine {
            y = cx.add(y.view(), like_x(bias));
        }
        y.reshape(output)
    }
}
