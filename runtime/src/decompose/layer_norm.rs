//! (x − μ) / √(σ² + ε) · γ + β over the last axes.

use super::group_norm::normalize;
use super::{DecomposeOp, Node, Primitives};
use cnn_ir::Shape;
use cnn_ir::ops::LayerNormSpec;

impl DecomposeOp for LayerNormSpec {
    fn decompose(&self, cx: &mut Primitives, inputs: &[Node], parameters: &[Node], output: &Shape) -> Node {
        let size = self.normalized_shape.iter().product();
        let parts = output.elements() / size;
        let mut y = normalize(cx, &inputs[0], parts, self.eps);
        let like_y = |parameter: &Node| parameter.reshape(&[size]).view().broadcast(0, parts).broadcast_batch();
        if let Some(weight) = parameters.first() {
            y = cx.mul(y.view(), like_y(weight));
        }
        if let Some(bias) = parameters.get(1) {
            y = cx.add(y.view(), like_y(bias));
        }
        y.reshape(output)
    }
}
