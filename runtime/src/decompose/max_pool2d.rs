//! The largest element of each window.

use super::window::Windows;
use super::{DecomposeOp, Node, Primitives};
use cnn_ir::Shape;
use cnn_ir::ops::MaxPool2dSpec;

impl DecomposeOp for MaxPool2dSpec {
    fn decompose(&self, cx: &mut Primitives, inputs: &[Node], _: &[Node], output: &Shape) -> Node {
        max_pool2d(self, cx, &inputs[0], output)
    }
}

/// `[C, H, W]` to the output's `[C, H', W']`.
pub fn max_pool2d(spec: &MaxPool2dSpec, cx: &mut Primitives, x: &Node, output: &[usize]) -> Node {
    let windows =
        Windows { dilation: spec.dilation, ..Windows::new(spec.kernel_size, spec.stride, spec.padding, output) };
    let mut padded = windows.pad(cx, x);
    if padded.shape != x.shape {
        // Padding reads as 0 and must lose: log₂ of a mask is 0 inside and −∞ outside.
        let ones = cx.ones(&[1, x.shape[1], x.shape[2]]);
        let mask = windows.pad(cx, &ones);
        let mask = cx.log2(&mask.reshape(&mask.shape[1..]));
        let mask = mask.view().broadcast(0, x.shape[0]).broadcast_batch();
        padded = cx.add(padded.view(), mask);
    }
    let largest = windows.fold(cx, &padded, |cx, a, b| cx.maximum(a, b));
    // In PyTorch NaN wins.
    let mark = cx.nan_mark(x);
    let mark = windows.sum(cx, &mark);
    cx.add(largest.view(), mark.view())
}
