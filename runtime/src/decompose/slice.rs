//! The channels in between.

use super::{DecomposeOp, Node, Primitives};
use cnn_ir::Shape;
use cnn_ir::ops::SliceSpec;

impl DecomposeOp for SliceSpec {
    fn decompose(&self, cx: &mut Primitives, inputs: &[Node], _: &[Node], _: &Shape) -> Node {
        cx.contiguous(inputs[0].view().slice(0, self.start, self.end - self.start))
    }
}
