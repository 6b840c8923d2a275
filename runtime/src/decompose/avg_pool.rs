//! The sum of each window over the number of its elements.

use super::window::Windows;
use super::{DecomposeOp, Node, Primitives};
use cnn_ir::Shape;
use cnn_ir::ops::AvgPoolSpec;

impl<const D: usize, const S: usize> DecomposeOp for AvgPoolSpec<D, S> {
    fn decompose(&self, cx: &mut Primitives, inputs: &[Node], _: &[Node], output: &Shape) -> Node {
        let x = &inputs[0];
        let windows = Windows::new(self.kernel_size, self.stride, &self.padding, output);
        let sum = windows.sum(cx, x);
        if let Some(divisor) = self.divisor_override {
            return cx.scale(&sum, 1.0 / divisor as f32);
        }
        // What counts is 1, all else 0, so the sum of a window is its number of elements. What a last window of
        // `ceil_mode` covers beyond the padding never counts.
        let mut counted = [&[1], &x.shape[1..]].concat();
        let count = if self.count_include_pad {
            for axis in 0..D {
                counted[1 + axis] += self.padding[2 * axis] + self.padding[2 * axis + 1];
            }
            let ones = cx.ones(&counted);
            Windows { before: [0; D], ..windows }.sum(cx, &ones)
        } else {
            let ones = cx.ones(&counted);
            windows.sum(cx, &ones)
        };
        let share = cx.recip(&count.reshape(&output[1..]));
        cx.mul(sum.view(), share.view().broadcast(0, output[0]).broadcast_batch())
    }
}
