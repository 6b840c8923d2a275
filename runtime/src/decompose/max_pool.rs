//! The largest element of each window.

use super::window::Windows;
use super::{DecomposeOp, Node, Primitives};
use cnn_ir::Shape;
use cnn_ir::ops::MaxPoolSpec;

impl<const D: usize, const S: usize> DecomposeOp for MaxPoolSpec<D, S> {
    fn decompose(&self, cx: &mut Primitives, inputs: &[Node], _: &[Node], output: &Shape) -> Node {
        let x = &inputs[0];
        let windows =
            Windows { dilation: self.dilation, ..Windows::new(self.kernel_size, self.stride, &self.padding, output) };
        let mut padded = windows.pad(cx, x);
        if padded.shape != x.shape {
            // Padding reads as 0 and must lose: log₂ of a mask is 0 inside and −∞ outside.
            let ones = cx.ones(&[&[1], &x.shape[1..]].concat());
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
}
