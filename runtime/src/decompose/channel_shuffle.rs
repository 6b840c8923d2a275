//! Groups and the channels of a group, transposed.

use super::{DecomposeOp, Node, Primitives};
use cnn_ir::Shape;
use cnn_ir::ops::ChannelShuffleSpec;

impl DecomposeOp for ChannelShuffleSpec {
    fn decompose(&self, cx: &mut Primitives, inputs: &[Node], _: &[Node], output: &Shape) -> Node {
        let x = &inputs[0];
        let places = x.shape[1..].iter().product();
        let groups = x.reshape(&[self.groups, x.shape[0] / self.groups, places]);
        cx.contiguous(groups.view().permute(&[1, 0, 2])).reshape(output)
    }
}
