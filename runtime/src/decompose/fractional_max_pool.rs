//! The largest element of each window; every channel has its own.

use super::axis::{join, largest_in_windows};
use super::{DecomposeOp, Node, Primitives};
use cnn_ir::Shape;
use cnn_ir::ops::FractionalMaxPoolSpec;

impl<const D: usize> DecomposeOp for FractionalMaxPoolSpec<D> {
    fn decompose(&self, cx: &mut Primitives, inputs: &[Node], _: &[Node], _: &Shape) -> Node {
        let x = &inputs[0];
        let channels = (0..x.shape[0]).map(|channel| {
            let windows =
                std::array::from_fn::<_, D, _>(|axis| self.windows(channel, axis, x.shape[1 + axis]).collect());
            let plane = cx.contiguous(x.view().slice(0, channel, 1));
            largest_in_windows(cx, &plane, &windows)
        });
        let channels: Vec<Node> = channels.collect();
        join(cx, channels, 0).unwrap_or_else(|| x.clone())
    }
}
