//! The largest element of each window.

use super::axis::largest_in_windows;
use super::{DecomposeOp, Node, Primitives};
use cnn_ir::Shape;
use cnn_ir::ops::AdaptiveMaxPoolSpec;

impl<const D: usize> DecomposeOp for AdaptiveMaxPoolSpec<D> {
    fn decompose(&self, cx: &mut Primitives, inputs: &[Node], _: &[Node], _: &Shape) -> Node {
        let x = &inputs[0];
        let windows = std::array::from_fn::<_, D, _>(|axis| self.windows(axis, x.shape[1 + axis]).collect());
        largest_in_windows(cx, x, &windows)
    }
}
