//! x·Wᵀ + b.

use super::{DecomposeOp, Node, Primitives};
use cnn_ir::Shape;
use cnn_ir::ops::DenseSpec;

impl DecomposeOp for DenseSpec {
    fn decompose(&self, cx: &mut Primitives, inputs: &[Node], parameters: &[Node], output: &Shape) -> Node {
        let row = inputs[0].reshape(&[1, self.in_features]);
        let mut y = cx.matmul(row.view(), &parameters[0]).reshape(output);
        if self.bias {
            y = cx.add(y.view(), parameters[1].view().broadcast_batch());
        }
        y
    }
}
