//! The largest element of each window.

use super::axis::largest_in_windows;
use super::{DecomposeOp, Node, Primitives};
use cnn_ir::Shape;
use cnn_ir::ops::FractionalMaxPool2dSpec;

impl DecomposeOp for FractionalMaxPool2dSpec {
    fn decompose(&self, cx: &mut Primitives, inputs: &[Node], _: &[Node], _: &Shape) -> Node {
        let windows = [0, 1].map(|axis| self.windows(axis, inputs[0].shape[1 + axis]).collect());
        largest_in_windows(cx, &inputs[0], &windows)
    }
}
