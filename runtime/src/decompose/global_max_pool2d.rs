//! The largest element of each channel.

use super::axis::largest_in_windows;
use super::{DecomposeOp, Node, Primitives};
use cnn_ir::Shape;
use cnn_ir::ops::GlobalMaxPool2dSpec;

impl DecomposeOp for GlobalMaxPool2dSpec {
    fn decompose(&self, cx: &mut Primitives, inputs: &[Node], _: &[Node], _: &Shape) -> Node {
        let whole = [1, 2].map(|axis| std::iter::once(0..inputs[0].shape[axis]).collect());
        largest_in_windows(cx, &inputs[0], &whole)
    }
}
