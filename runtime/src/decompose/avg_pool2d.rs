//! The sum of each window over the number of its elements.

use super::window::Windows;
use super::{DecomposeOp, Node, Primitives};
use cnn_ir::Shape;
use cnn_ir::ops::AvgPool2dSpec;

impl DecomposeOp for AvgPool2dSpec {
    fn decompose(&self, cx: &mut Primitives, inputs: &[Node], _: &[Node], output: &Shape) -> Node {
        avg_pool2d(self, cx, &inputs[0], output)
    }
}

/// `[C, H, W]` to the output's `[C, H', W']`.
pub fn avg_pool2d(spec: &AvgPool2dSpec, cx: &mut Primitives, x: &Node, output: &[usize]) -> Node {
    let windows = Windows::new(spec.kernel_size, spec.stride, spec.padding, output);
    let sum = windows.sum(cx, x);
    if let Some(divisor) = spec.divisor_override {
        return cx.scale(&sum, 1.0 / divisor as f32);
    }
    // What counts is 1, all else 0, so the sum of a window is its number of elements. What a last window of
    // `ceil_mode` covers beyond the padding never counts.
    let [height, width] = [x.shape[1], x.shape[2]];
    let [top, bottom, left, right] = spec.padding;
    let count = if spec.count_include_pad {
        let ones = cx.ones(&[1, height + top + bottom, width + left + right]);
        Windows { before: [0, 0], ..windows }.sum(cx, &ones)
    } else {
        let ones = cx.ones(&[1, height, width]);
        windows.sum(cx, &ones)
    };
    let share = cx.recip(&count.reshape(&output[1..]));
    cx.mul(sum.view(), share.view().broadcast(0, output[0]).broadcast_batch())
}
