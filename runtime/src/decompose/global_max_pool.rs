//! The largest element of each channel.

use super::axis::largest_in_windows;
use super::{DecomposeOp, Node, Primitives};
use cnn_ir::Shape;
use cnn_ir::ops::GlobalMaxPoolSpec;

impl<const D: usize> DecomposeOp for GlobalMaxPoolSpec<D> {
    fn decompose(&self, cx: &mut Primitives, inputs: &[Node], _: &[Node], _: &Shape) -> Node {
        let x = &inputs[0];
        let whole = std::array::from_fn::<_, D, _>(|axis| std::iter::once(0..x.shape[1 + axis]).collect());
        largest_in_windows(cx, x, &whole)
    }
}
