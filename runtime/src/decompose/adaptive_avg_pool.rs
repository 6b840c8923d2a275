//! The mean of each window.

use super::axis::mean_windows;
use super::{DecomposeOp, Node, Primitives};
use cnn_ir::Shape;
use cnn_ir::ops::AdaptiveAvgPoolSpec;

impl<const D: usize> DecomposeOp for AdaptiveAvgPoolSpec<D> {
    fn decompose(&self, cx: &mut Primitives, inputs: &[Node], _: &[Node], _: &Shape) -> Node {
        let x = &inputs[0];
        let windows = std::array::from_fn::<_, D, _>(|axis| self.windows(axis, x.shape[1 + axis]).collect());
        mean_windows(cx, x, &windows)
    }
}
