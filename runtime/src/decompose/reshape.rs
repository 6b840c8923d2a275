//! The same elements in another shape.

use super::{DecomposeOp, Node, Primitives};
use cnn_ir::Shape;
use cnn_ir::ops::ReshapeSpec;

impl DecomposeOp for ReshapeSpec {
    fn decompose(&self, _: &mut Primitives, inputs: &[Node], _: &[Node], output: &Shape) -> Node {
        inputs[0].reshape(output)
    }
}
