//! Sliding windows: what convolutions and pools share.

use super::primitives::{Node, Primitives};

/// Windows over the D axes behind the channels.
#[derive(Clone, Copy)]
pub struct Windows<const D: usize> {
    pub kernel_size: [usize; D],
    pub stride: [usize; D],
    pub dilation: [usize; D],
    /// What is in front of the input on each axis.
    pub before: [usize; D],
    /// Windows along each axis.
    pub outputs: [usize; D],
}

impl<const D: usize> Windows<D> {
    /// Padding is before and after each axis. What is behind follows from the output.
    pub fn new(kernel_size: [usize; D], stride: [usize; D], padding: &[usize], output: &[usize]) -> Self {
        let before = std::array::from_fn(|axis| padding[2 * axis]);
        Self { kernel_size, stride, dilation: [1; D], before, outputs: std::array::from_fn(|axis| output[1 + axis]) }
    }

    /// The value `[C, H, W]` with as many zeros around it as the windows reach.
    pub fn pad(&self, cx: &mut Primitives, x: &Node) -> Node {
        let mut padded = x.view();
        for axis in 0..D {
            let reach =
                (self.outputs[axis] - 1) * self.stride[axis] + self.dilation[axis] * (self.kernel_size[axis] - 1) + 1;
            let after = reach.saturating_sub(self.before[axis] + x.shape[1 + axis]);
            if (self.before[axis], after) != (0, 0) {
                padded = padded.pad(1 + axis, self.before[axis], after);
            }
        }
        if padded.shape() == x.shape { x.clone() } else { cx.contiguous(padded) }
    }

    /// The elements at each place of the kernel along one axis (from 0) of a padded value.
    fn taps_along(&self, cx: &mut Primitives, x: &Node, axis: usize) -> Vec<Node> {
        let (kernel, stride, dilation) = (self.kernel_size[axis], self.stride[axis], self.dilation[axis]);
        let outputs = self.outputs[axis];
        let mut shape = x.shape.clone();
        shape[1 + axis] = outputs;
        let mut x = x.around(1 + axis);
        if x.shape[1] == outputs && kernel == 1 {
            return vec![x.reshape(&shape)];
        }
        // Luminal has no strides: the axis is seen as blocks of `stride` elements, and one of each block is taken.
        let blocks = x.shape[1].div_ceil(stride).max(dilation * (kernel - 1) / stride + outputs);
        if x.shape[1] != blocks * stride {
            let missing = blocks * stride - x.shape[1];
            x = cx.contiguous(x.view().pad(1, 0, missing));
        }
        let x = x.reshape(&[x.shape[0], blocks, stride, x.shape[2]]);
        let starts = (0..kernel).map(|tap| tap * dilation);
        let tap = |start| x.view().slice(1, start / stride, outputs).slice(2, start % stride, 1);
        starts.map(|start| cx.contiguous(tap(start)).reshape(&shape)).collect()
    }

    /// The elements at each place of the kernel, in the order of its memory.
    pub fn taps(&self, cx: &mut Primitives, x: &Node) -> Vec<Node> {
        (0..D).fold(vec![x.clone()], |taps, axis| taps.iter().flat_map(|x| self.taps_along(cx, x, axis)).collect())
    }

    /// All elements of each window of a padded value combined by twos, axis by axis.
    pub fn fold(&self, cx: &mut Primitives, x: &Node, combine: fn(&mut Primitives, &Node, &Node) -> Node) -> Node {
        (0..D).fold(x.clone(), |x, axis| {
            let taps = self.taps_along(cx, &x, axis);
            taps.into_iter().reduce(|a, b| combine(cx, &a, &b)).unwrap_or(x)
        })
    }

    /// The sum over each window.
    pub fn sum(&self, cx: &mut Primitives, x: &Node) -> Node {
        let padded = self.pad(cx, x);
        self.fold(cx, &padded, |cx, a, b| cx.add(a.view(), b.view()))
    }
}
