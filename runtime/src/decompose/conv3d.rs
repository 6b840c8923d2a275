//! A convolution of maps for each slice of the output, the slices under the kernel being channels.

use super::axis::{join, take};
use super::conv2d::conv2d;
use super::{DecomposeOp, Node, Primitives};
use cnn_ir::Shape;
use cnn_ir::ops::Conv3dSpec;

impl DecomposeOp for Conv3dSpec {
    fn decompose(&self, cx: &mut Primitives, inputs: &[Node], parameters: &[Node], output: &Shape) -> Node {
        let [channels, depth, height, width] = [0, 1, 2, 3].map(|axis| inputs[0].shape[axis]);
        let ([front, back, ..], kernel_depth) = (self.padding, self.kernel_size[0]);
        let x = inputs[0].reshape(&[channels, depth, height * width]);
        let x = cx.contiguous(x.view().pad(1, front, back));
        let slices = (0..output[1]).map(|slice| {
            let table: Vec<usize> =
                (0..kernel_depth).map(|tap| slice * self.stride[0] + tap * self.dilation[0]).collect();
            let stack = take(cx, &x, 1, &table).reshape(&[channels * kernel_depth, height, width]);
            let slice = conv2d(&self.slice(), cx, &stack, parameters, &[output[0], output[2], output[3]]);
            slice.reshape(&[output[0], 1, output[2] * output[3]])
        });
        let slices: Vec<Node> = slices.collect();
        join(cx, slices, 1).unwrap_or(x).reshape(output)
    }
}
