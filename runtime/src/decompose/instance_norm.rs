//! (x − μ) / √(σ² + ε) · γ + β over every channel.

use super::group_norm::{normalize, scale_channels};
use super::{DecomposeOp, Node, Primitives};
use cnn_ir::Shape;
use cnn_ir::ops::InstanceNormSpec;

impl DecomposeOp for InstanceNormSpec {
    fn decompose(&self, cx: &mut Primitives, inputs: &[Node], parameters: &[Node], output: &Shape) -> Node {
        let y = normalize(cx, &inputs[0], self.num_features, self.eps);
        scale_channels(cx, &y, parameters, self.num_features).reshape(output)
    }
}
