//! The inner rows and columns.

use super::{DecomposeOp, Node, Primitives};
use cnn_ir::Shape;
use cnn_ir::ops::Crop2dSpec;

impl DecomposeOp for Crop2dSpec {
    fn decompose(&self, cx: &mut Primitives, inputs: &[Node], _: &[Node], output: &Shape) -> Node {
        let [top, _, left, _] = self.sides;
        cx.contiguous(inputs[0].view().slice(1, top, output[1]).slice(2, left, output[2]))
    }
}
