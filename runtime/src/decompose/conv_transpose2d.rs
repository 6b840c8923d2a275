//! A convolution of the input with zeros between its elements, the kernel turned by half a circle.

use super::conv2d::convolve;
use super::window::Windows;
use super::{DecomposeOp, Node, Primitives};
use cnn_ir::Shape;
use cnn_ir::ops::ConvTranspose2dSpec;

impl DecomposeOp for ConvTranspose2dSpec {
    fn decompose(&self, cx: &mut Primitives, inputs: &[Node], parameters: &[Node], output: &Shape) -> Node {
        let (groups, [kernel_height, kernel_width]) = (self.groups, self.kernel_size);
        let mut x = spread(cx, &inputs[0], self.stride);
        // What the kernel reaches beyond the first element, less what is cut off; below zero, the input is cut.
        let reach = [0, 1].map(|axis| self.dilation[axis] * (self.kernel_size[axis] - 1));
        let first = [self.padding[0], self.padding[2]];
        for axis in 0..2 {
            let cut = first[axis].saturating_sub(reach[axis]);
            if cut > 0 {
                // With the rows that output_padding adds, there are more than are cut.
                x = cx.contiguous(x.view().pad(1 + axis, 0, self.output_padding[axis]));
                x = cx.contiguous(x.view().slice(1 + axis, cut, x.shape[1 + axis] - cut));
            }
        }
        let windows = Windows {
            kernel_size: self.kernel_size,
            stride: [1, 1],
            dilation: self.dilation,
            before: [0, 1].map(|axis| reach[axis].saturating_sub(first[axis])),
            outputs: [output[1], output[2]],
        };
        let [inner, outer] = [self.in_channels / groups, self.out_channels / groups];
        let weight = parameters[0].reshape(&[groups, inner, outer, kernel_height * kernel_width]);
        let taps = kernel_height * kernel_width;
        let turned = |cx: &mut Primitives, tap: usize| {
            let tap = weight.view().slice(3, taps - 1 - tap, 1).permute(&[0, 2, 1, 3]);
            cx.contiguous(tap).reshape(&[groups * outer, inner, 1])
        };
        let bias = self.bias.then(|| &parameters[1]);
        convolve(cx, &windows, &x, groups, turned, bias, output)
    }
}

/// A map with `stride` − 1 zeros behind every element of both axes.
fn spread(cx: &mut Primitives, x: &Node, stride: [usize; 2]) -> Node {
    if stride == [1, 1] {
        return x.clone();
    }
    let [channels, height, width] = [x.shape[0], x.shape[1], x.shape[2]];
    let apart = x.reshape(&[channels, height, 1, width, 1]);
    let apart = cx.contiguous(apart.view().pad(2, 0, stride[0] - 1).pad(4, 0, stride[1] - 1));
    apart.reshape(&[channels, height * stride[0], width * stride[1]])
}
