//! Σ over the kernel's taps of input × weight.

use super::window::Windows;
use super::{DecomposeOp, Node, Primitives};
use cnn_ir::Shape;
use cnn_ir::ops::Conv2dSpec;

impl DecomposeOp for Conv2dSpec {
    fn decompose(&self, cx: &mut Primitives, inputs: &[Node], parameters: &[Node], output: &Shape) -> Node {
        conv2d(self, cx, &inputs[0], parameters, output)
    }
}

/// `[C, H, W]` to the output's `[O, H', W']`.
pub fn conv2d(spec: &Conv2dSpec, cx: &mut Primitives, x: &Node, parameters: &[Node], output: &[usize]) -> Node {
    let windows =
        Windows { dilation: spec.dilation, ..Windows::new(spec.kernel_size, spec.stride, spec.padding, output) };
    let taps = spec.kernel_size[0] * spec.kernel_size[1];
    let weight = parameters[0].reshape(&[spec.out_channels, spec.in_channels / spec.groups, taps]);
    // The matrix product ignores slices, so the tap's weights are copied out.
    let weights = |cx: &mut Primitives, tap: usize| cx.contiguous(weight.view().slice(2, tap, 1));
    let bias = spec.bias.then(|| &parameters[1]);
    convolve(cx, &windows, x, spec.groups, weights, bias, output)
}

/// Σ over the taps, row by row, of the windows' elements × the tap's weights, which are `[O, I/G, 1]`.
pub fn convolve(
    cx: &mut Primitives,
    windows: &Windows,
    x: &Node,
    groups: usize,
    weights: impl Fn(&mut Primitives, usize) -> Node,
    bias: Option<&Node>,
    output: &[usize],
) -> Node {
    let (in_channels, places) = (x.shape[0], output[1] * output[2]);
    let x = windows.pad(cx, x);
    let mut sum: Option<Node> = None;
    for (row, x) in windows.taps(cx, &x, 0).iter().enumerate() {
        for (column, x) in windows.taps(cx, x, 1).iter().enumerate() {
            let weight = weights(cx, row * windows.kernel_size[1] + column);
            let products = match groups {
                1 => all_channels(cx, &x.reshape(&[in_channels, places]), &weight),
                groups => by_group(cx, &x.reshape(&[groups, in_channels / groups, places]), &weight),
            };
            sum = Some(match sum {
                None => products,
                Some(sum) => cx.add(sum.view(), products.view()),
            });
        }
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
