//! The inner rows and columns.

use super::{DecomposeOp, Node, Primitives};
use cnn_ir::Shape;
use cnn_ir::ops::CropSpec;

impl<const D: usize, const S: usize> DecomposeOp for CropSpec<D, S> {
    fn decompose(&self, cx: &mut Primitives, inputs: &[Node], _: &[Node], output: &Shape) -> Node {
        let inside = (0..D).fold(inputs[0].view(), |x, axis| x.slice(1 + axis, self.sides[2 * axis], output[1 + axis]));
        cx.contiguous(inside)
    }
}
