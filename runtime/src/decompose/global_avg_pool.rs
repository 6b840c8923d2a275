//! The sum of each channel over its size.

use super::{DecomposeOp, Node, Primitives};
use cnn_ir::Shape;
use cnn_ir::ops::GlobalAvgPoolSpec;

impl<const D: usize> DecomposeOp for GlobalAvgPoolSpec<D> {
    fn decompose(&self, cx: &mut Primitives, inputs: &[Node], _: &[Node], output: &Shape) -> Node {
        let x = &inputs[0];
        let places: usize = x.shape[1..].iter().product();
        // Axis by axis: shorter sums round less.
        let sum = (1..=D).rev().fold(x.clone(), |x, axis| cx.sum(&x, axis));
        cx.scale(&sum, 1.0 / places as f32).reshape(output)
    }
}
