//! The same over a map of one row.

use super::avg_pool2d::avg_pool2d;
use super::{DecomposeOp, Node, Primitives};
use cnn_ir::Shape;
use cnn_ir::ops::AvgPool1dSpec;

impl DecomposeOp for AvgPool1dSpec {
    fn decompose(&self, cx: &mut Primitives, inputs: &[Node], _: &[Node], output: &Shape) -> Node {
        let x = &inputs[0];
        let map = x.reshape(&[x.shape[0], 1, x.shape[1]]);
        avg_pool2d(&self.as_2d(), cx, &map, &[output[0], 1, output[1]]).reshape(output)
    }
}
