//! Over the depth, then over the rows and columns of each slice.

use super::avg_pool2d::avg_pool2d;
use super::{DecomposeOp, Node, Primitives};
use cnn_ir::Shape;
use cnn_ir::ops::AvgPool3dSpec;

impl DecomposeOp for AvgPool3dSpec {
    fn decompose(&self, cx: &mut Primitives, inputs: &[Node], _: &[Node], output: &Shape) -> Node {
        let [channels, depth, height, width] = [0, 1, 2, 3].map(|axis| inputs[0].shape[axis]);
        let [over_depth, over_slices] = self.steps();
        let x = inputs[0].reshape(&[channels, depth, height * width]);
        let x = avg_pool2d(&over_depth, cx, &x, &[channels, output[1], height * width]);
        let x = x.reshape(&[channels * output[1], height, width]);
        avg_pool2d(&over_slices, cx, &x, &[channels * output[1], output[2], output[3]]).reshape(output)
    }
}
