//! a + b + ….

use super::{DecomposeOp, Node, Primitives};
use cnn_ir::Shape;
use cnn_ir::ops::AddSpec;

impl DecomposeOp for AddSpec {
    fn decompose(&self, cx: &mut Primitives, inputs: &[Node], _: &[Node], _: &Shape) -> Node {
        inputs[1..].iter().fold(inputs[0].clone(), |sum, x| cx.add(sum.view(), x.view()))
    }
}
