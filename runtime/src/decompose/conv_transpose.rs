//! A convolution of the input with zeros between its elements, the kernel turned by half a circle.

use super::conv::convolve;
use super::window::Windows;
use super::{DecomposeOp, Node, Primitives};
use cnn_ir::Shape;
use cnn_ir::ops::ConvTransposeSpec;

impl<const D: usize, const S: usize> DecomposeOp for ConvTransposeSpec<D, S> {
    fn decompose(&self, cx: &mut Primitives, inputs: &[Node], parameters: &[Node], output: &Shape) -> Node {
        let groups = self.groups;
        // What the kernel reaches beyond the first element, less what is cut off; below zero, the input is cut.
        let reach: [usize; D] = std::array::from_fn(|axis| self.dilation[axis] * (self.kernel_size[axis] - 1));
        let first: [usize; D] = std::array::from_fn(|axis| self.padding[2 * axis]);
        let mut x = inputs[0].clone();
        for axis in 0..D {
            x = spread(cx, &x, 1 + axis, self.stride[axis]);
            let cut = first[axis].saturating_sub(reach[axis]);
            if cut > 0 {
                // With the rows that output_padding adds, there are more than are cut.
                x = cx.contiguous(x.view().pad(1 + axis, 0, self.output_padding[axis]));
                x = cx.contiguous(x.view().slice(1 + axis, cut, x.shape[1 + axis] - cut));
            }
        }
        let windows = Windows {
            kernel_size: self.kernel_size,
            stride: [1; D],
            dilation: self.dilation,
            before: std::array::from_fn(|axis| reach[axis].saturating_sub(first[axis])),
            outputs: std::array::from_fn(|axis| output[1 + axis]),
        };
        let [inner, outer] = [self.in_channels / groups, self.out_channels / groups];
        let taps = self.kernel_size.iter().product();
        let weight = parameters[0].reshape(&[groups, inner, outer, taps]);
        let turned = |cx: &mut Primitives, tap: usize| {
            let tap = weight.view().slice(3, taps - 1 - tap, 1).permute(&[0, 2, 1, 3]);
            cx.contiguous(tap).reshape(&[groups * outer, inner, 1])
        };
        let bias = self.bias.then(|| &parameters[1]);
        convolve(cx, &windows, &x, groups, turned, bias, output)
    }
}

/// `stride` − 1 zeros behind every element of an axis.
fn spread(cx: &mut Primitives, x: &Node, axis: usize, stride: usize) -> Node {
    let mut shape = x.shape.clone();
    shape[axis] *= stride;
    let x = x.around(axis);
    let apart = x.reshape(&[x.shape[0], x.shape[1], 1, x.shape[2]]);
    if stride == 1 { x.reshape(&shape) } else { cx.contiguous(apart.view().pad(2, 0, stride - 1)).reshape(&shape) }
}
