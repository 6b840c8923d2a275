//! The sum of each channel over its size.

use super::{DecomposeOp, Node, Primitives};
use cnn_ir::Shape;
use cnn_ir::ops::GlobalAvgPool2dSpec;

impl DecomposeOp for GlobalAvgPool2dSpec {
    fn decompose(&self, cx: &mut Primitives, inputs: &[Node], _: &[Node], output: &Shape) -> Node {
        let x = &inputs[0];
        let places = x.shape[1] * x.shape[2];
        // Rows first, then columns: shorter sums round less.
        let rows = cx.sum(x, 2);
        let sum = cx.sum(&rows, 1);
        cx.scale(&sum, 1.0 / places as f32).reshape(output)
    }
}
