//! Σ over the kernel's taps of input × weight.

use super::window::Windows;
use super::{DecomposeOp, Node, Primitives};
use cnn_ir::Shape;
use cnn_ir::ops::Conv2dSpec;

impl DecomposeOp for Conv2dSpec {
    fn decompose(&self, cx: &mut Primitives, inputs: &[Node], parameters: &[Node], output: &Shape) -> Node {
        let windows =
            Windows { dilation: self.dilation, ..Windows::new(self.kernel_size, self.stride, self.padding, output) };
        let [kernel_height, kernel_width] = self.kernel_size;
        let places = output[1] * output[2];
        let weight =
            parameters[0].reshape(&[self.out_channels, self.in_channels / self.groups, kernel_height * kernel_width]);
        let x = windows.pad(cx, &inputs[0]);
        let mut sum: Option<Node> = None;
        for (row, x) in windows.taps(cx, &x, 0).iter().enumerate() {
            for (column, x) in windows.taps(cx, x, 1).iter().enumerate() {
                // The matrix product ignores slices, so the tap's weights are copied out.
                let weight = cx.contiguous(weight.view().slice(2, row * kernel_width + column, 1));
                let products = match self.groups {
                    1 => all_channels(cx, &x.reshape(&[self.in_channels, places]), &weight),
                    groups => by_group(cx, &x.reshape(&[groups, self.in_channels / groups, places]), &weight),
                };
                sum = Some(match sum {
                    None => products,
                    Some(sum) => cx.add(sum.view(), products.view()),
                });
            }
        }
        // A kernel has at least one tap.
        let mut y = sum.unwrap_or(x);
        let channels_last = self.groups == 1;
        if self.bias {
            let bias = parameters[1].view().broadcast(usize::from(!channels_last), places).broadcast_batch();
            y = cx.add(y.view(), bias);
        }
        if channels_last {
            y = cx.contiguous(y.view().permute(&[1, 0]));
        }
        y.reshape(output)
    }
}

/// `[I, P]` and `[O, I, 1]` → `[P, O]`, a matrix product.
fn all_channels(cx: &mut Primitives, x: &Node, weight: &Node) -> Node {
    let weight = weight.reshape(&[weight.shape[0], weight.shape[1]]);
    cx.matmul(x.view().permute(&[1, 0]), &weight)
}

/// `[G, I/G, P]` and `[O, I/G, 1]` → `[O, P]`: no matrix product of Luminal's has groups.
fn by_group(cx: &mut Primitives, x: &Node, weight: &Node) -> Node {
    let (groups, inner, places) = (x.shape[0], x.shape[1], x.shape[2]);
    let out_channels = weight.shape[0];
    let outer = out_channels / groups;
    let weight = weight.reshape(&[groups, outer, inner]).view().broadcast(3, places).broadcast_batch();
    let products = cx.mul(x.view().broadcast(1, outer), weight);
    cx.sum(&products, 2).reshape(&[out_channels, places])
}
