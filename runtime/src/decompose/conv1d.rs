//! The same over a map of one row.

use super::conv2d::conv2d;
use super::{DecomposeOp, Node, Primitives};
use cnn_ir::Shape;
use cnn_ir::ops::Conv1dSpec;

impl DecomposeOp for Conv1dSpec {
    fn decompose(&self, cx: &mut Primitives, inputs: &[Node], parameters: &[Node], output: &Shape) -> Node {
        let x = &inputs[0];
        let map = x.reshape(&[x.shape[0], 1, x.shape[1]]);
        conv2d(&self.as_2d(), cx, &map, parameters, &[output[0], 1, output[1]]).reshape(output)
    }
}
