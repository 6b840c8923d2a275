//! Σ over the kernel's taps of input × weight.

use super::pad::pad;
use super::window::Windows;
use super::{DecomposeOp, Node, Primitives};
use cnn_ir::Shape;
use cnn_ir::ops::ConvSpec;

impl<const D: usize, const S: usize> DecomposeOp for ConvSpec<D, S> {
    fn decompose(&self, cx: &mut Primitives, inputs: &[Node], parameters: &[Node], output: &Shape) -> Node {
        if let Some((around, bare)) = self.split_padding() {
            let padded = pad(&around, cx, &inputs[0]);
            return bare.decompose(cx, &[padded], parameters, output);
        }
        let windows =
            Windows { dilation: self.dilation, ..Windows::new(self.kernel_size, self.stride, &self.padding, output) };
        let taps = self.kernel_size.iter().product();
        let weight = parameters[0].reshape(&[self.out_channels, self.in_channels / self.groups, taps]);
        // The matrix product ignores slices, so the tap's weights are copied out.
        let weights = |cx: &mut Primitives, tap: usize| cx.contiguous(weight.view().slice(2, tap, 1));
        let bias = self.bias.then(|| &parameters[1]);
        convolve(cx, &windows, &inputs[0], self.groups, weights, bias, output)
    }
}

/// Σ over the taps of the windows' elements × the tap's weights, which are `[O, I/G, 1]`.
pub fn convolve<const D: usize>(
    cx: &mut Primitives,
    windows: &Windows<D>,
    x: &Node,
    groups: usize,
    weights: impl Fn(&mut Primitives, usize) -> Node,
    bias: Option<&Node>,
    output: &Shape,
) -> Node {
    let (in_channels, places) = (x.shape[0], output[1..].iter().product());
    let x = windows.pad(cx, x);
    let mut sum: Option<Node> = None;
    for (tap, x) in windows.taps(cx, &x).iter().enumerate() {
        let weight = weights(cx, tap);
        let products = match groups {
            1 => all_channels(cx, &x.reshape(&[in_channels, places]), &weight),
            groups => by_group(cx, &x.reshape(&[groups, in_channels / groups, places]), &weight),
        };
        sum = Some(match sum {
            None => products,
            Some(sum) => cx.add(sum.view(), products.view()),
        });
    }
    // A kernel has at least one tap.
    let mut y = sum.unwrap_or(x);
    let channels_last = groups == 1;
    if let Some(bias) = bias {
        let bias = bias.view().broadcast(usize::from(!channels_last), places).broadcast_batch();
        y = cx.add(y.view(), bias);
    }
    if channels_last {
        y = cx.contiguous(y.view().permute(&[1, 0]));
    }
    y.reshape(output)
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
