//! Sliding windows: what convolutions and pools share.

use super::primitives::{Node, Primitives};

/// Windows over the two last axes of a map.
#[derive(Clone, Copy)]
pub struct Windows {
    pub kernel_size: [usize; 2],
    pub stride: [usize; 2],
    pub dilation: [usize; 2],
    /// Rows above and columns left of the input.
    pub before: [usize; 2],
    /// Windows along each axis.
    pub outputs: [usize; 2],
}

impl Windows {
    /// Padding is top, bottom, left, right. What is below and right follows from the output.
    pub fn new(kernel_size: [usize; 2], stride: [usize; 2], padding: [usize; 4], output: &[usize]) -> Self {
        let before = [padding[0], padding[2]];
        Self { kernel_size, stride, dilation: [1, 1], before, outputs: [output[1], output[2]] }
    }

    /// The map `[C, H, W]` with as many zeros around it as the windows reach.
    pub fn pad(&self, cx: &mut Primitives, x: &Node) -> Node {
        let padding = [0, 1].map(|axis| {
            let reach =
                (self.outputs[axis] - 1) * self.stride[axis] + self.dilation[axis] * (self.kernel_size[axis] - 1) + 1;
            (self.before[axis], reach.saturating_sub(self.before[axis] + x.shape[1 + axis]))
        });
        if padding == [(0, 0), (0, 0)] {
            return x.clone();
        }
        cx.contiguous(x.view().pad(1, padding[0].0, padding[0].1).pad(2, padding[1].0, padding[1].1))
    }

    /// The elements at each place of the kernel, along the rows (0) or columns (1) of a padded map.
    pub fn taps(&self, cx: &mut Primitives, x: &Node, axis: usize) -> Vec<Node> {
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

    /// All elements of each window of a padded map combined by twos: rows first, then columns.
    pub fn fold(&self, cx: &mut Primitives, x: &Node, combine: fn(&mut Primitives, &Node, &Node) -> Node) -> Node {
        (0..2).fold(x.clone(), |x, axis| {
            let taps = self.taps(cx, &x, axis);
            taps.into_iter().reduce(|a, b| combine(cx, &a, &b)).unwrap_or(x)
        })
    }

    /// The sum over each window of a map.
    pub fn sum(&self, cx: &mut Primitives, x: &Node) -> Node {
        let padded = self.pad(cx, x);
        self.fold(cx, &padded, |cx, a, b| cx.add(a.view(), b.view()))
    }
}
