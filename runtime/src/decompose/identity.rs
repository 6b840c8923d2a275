//! The value as it is.

use super::{DecomposeOp, Node, Primitives};
use cnn_ir::Shape;
use cnn_ir::ops::IdentitySpec;

impl DecomposeOp for IdentitySpec {
    fn decompose(&self, _: &mut Primitives, inputs: &[Node], _: &[Node], _: &Shape) -> Node {
        inputs[0].clone()
    }
}
