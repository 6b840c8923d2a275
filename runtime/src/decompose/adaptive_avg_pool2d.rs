//! The mean of each window.

use super::axis::mean_windows;
use super::{DecomposeOp, Node, Primitives};
use cnn_ir::Shape;
use cnn_ir::ops::AdaptiveAvgPool2dSpec;

impl DecomposeOp for AdaptiveAvgPool2dSpec {
    fn decompose(&self, cx: &mut Primitives, inputs: &[Node], _: &[Node], _: &Shape) -> Node {
        let windows = [0, 1].map(|axis| self.windows(axis, inputs[0].shape[1 + axis]).collect());
        mean_windows(cx, &inputs[0], &windows)
    }
}
