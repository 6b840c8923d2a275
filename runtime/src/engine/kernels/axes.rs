//! Layers over one axis and over three, made of kernels for maps.

use super::gemm::round_up;
use super::{Call, Kernel};
use crate::engine::select::{Layer, select};
use crate::{Error, Weights};
use cnn_ir::Op;
use cnn_ir::ops::Conv3dSpec;

/// The kernel of a layer over sequences, as maps of one row.
pub(crate) fn over_row(op: Op, layer: &Layer<'_>, weights: &Weights) -> Result<Box<dyn Kernel>, Error> {
    match (layer.input, layer.output) {
        (&[channels, length], &[out_channels, out_length]) => {
            over_maps(&op, [channels, 1, length], [out_channels, 1, out_length], layer, weights)
        }
        _ => Err(layer.error("the layer takes sequences")),
    }
}

/// A convolution of volumes: the slices of the input under the kernel are stacked as channels, and a convolution of maps makes one
/// slice of the output.
pub(crate) struct Conv3d {
    slice: Box<dyn Kernel>,
    /// Slices under the kernel, from one to the next, between two outputs, and of padding in front.
    kernel: usize,
    dilation: usize,
    stride: usize,
    front: usize,
    /// Channels, depth, and elements of a slice.
    input: [usize; 3],
    output: [usize; 3],
}

impl Conv3d {
    pub fn new(spec: &Conv3dSpec, layer: &Layer<'_>, weights: &Weights) -> Result<Self, Error> {
        let (&[channels, depth, height, width], &[out_channels, out_depth, out_height, out_width]) =
            (layer.input, layer.output)
        else {
            return Err(layer.error("the layer takes volumes"));
        };
        let (op, kernel) = (Op::from(spec.slice()), spec.kernel_size[0]);
        let stack = [channels * kernel, height, width];
        Ok(Self {
            slice: over_maps(&op, stack, [out_channels, out_height, out_width], layer, weights)?,
            kernel,
            dilation: spec.dilation[0],
            stride: spec.stride[0],
            front: spec.padding[0],
            input: [channels, depth, height * width],
            output: [out_channels, out_depth, out_height * out_width],
        })
    }

    /// Elements of the stack and of one slice of the output.
    fn buffers(&self) -> [usize; 2] {
        let ([channels, _, elements], [out_channels, _, out_elements]) = (self.input, self.output);
        [round_up(channels * self.kernel * elements), round_up(out_channels * out_elements)]
    }
}

impl Kernel for Conv3d {
    fn scratch(&self, _batch: usize) -> usize {
        let [stack, slice] = self.buffers();
        stack.saturating_add(slice).saturating_add(self.slice.scratch(1))
    }

    fn run(&self, call: Call<'_>) {
        let ([channels, depth, elements], [out_channels, out_depth, out_elements]) = (self.input, self.output);
        let [stack_size, slice_size] = self.buffers();
        let others = call.others;
        let (examples, scratch) = call.examples();
        let (stack, scratch) = scratch.split_at_mut(stack_size);
        let (slice, scratch) = scratch.split_at_mut(slice_size);
        let (stack, slice) =
            (&mut stack[..channels * self.kernel * elements], &mut slice[..out_channels * out_elements]);
        for (input, output) in examples {
            for place in 0..out_depth {
                for (to, from) in
                    stack.chunks_exact_mut(self.kernel * elements).zip(input.chunks_exact(depth * elements))
                {
                    for (tap, to) in to.chunks_exact_mut(elements).enumerate() {
                        // Wraps to a huge slice in front of the volume.
                        let source = (place * self.stride + tap * self.dilation).wrapping_sub(self.front);
                        match from.chunks_exact(elements).nth(source) {
                            Some(from) => to.copy_from_slice(from),
                            None => to.fill(0.0),
                        }
                    }
                }
                self.slice.run(Call { batch: 1, input: &*stack, others, output: &mut *slice, scratch: &mut *scratch });
                let channels = output.chunks_exact_mut(out_depth * out_elements);
                for (to, from) in channels.zip(slice.chunks_exact(out_elements)) {
                    to[place * out_elements..][..out_elements].copy_from_slice(from);
                }
            }
        }
    }
}

impl std::fmt::Debug for Conv3d {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "slices of {:?}", self.slice)
    }
}

/// A pool of volumes: over the depth, then over the rows and columns of each slice.
pub(crate) struct Pool3d {
    steps: [Box<dyn Kernel>; 2],
    /// Elements between the steps, of one example.
    between: usize,
}

impl Pool3d {
    pub fn new(steps: [Op; 2], layer: &Layer<'_>, weights: &Weights) -> Result<Self, Error> {
        let (&[channels, depth, height, width], &[_, out_depth, out_height, out_width]) = (layer.input, layer.output)
        else {
            return Err(layer.error("the layer takes volumes"));
        };
        let [over_depth, over_slices] = &steps;
        let places = height * width;
        let slices = channels * out_depth;
        let first = over_maps(over_depth, [channels, depth, places], [channels, out_depth, places], layer, weights)?;
        let second = over_maps(over_slices, [slices, height, width], [slices, out_height, out_width], layer, weights)?;
        Ok(Self { steps: [first, second], between: slices * places })
    }
}

impl Kernel for Pool3d {
    fn scratch(&self, _batch: usize) -> usize {
        let [first, second] = &self.steps;
        round_up(self.between).saturating_add(first.scratch(1).max(second.scratch(1)))
    }

    fn run(&self, call: Call<'_>) {
        let others = call.others;
        let (examples, scratch) = call.examples();
        let (between, scratch) = scratch.split_at_mut(round_up(self.between));
        let between = &mut between[..self.between];
        for (input, output) in examples {
            self.steps[0].run(Call { batch: 1, input, others, output: &mut *between, scratch: &mut *scratch });
            self.steps[1].run(Call { batch: 1, input: &*between, others, output, scratch: &mut *scratch });
        }
    }
}

impl std::fmt::Debug for Pool3d {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} of depth and slices", self.steps[0])
    }
}

/// The kernel of an op over maps, for a layer that has it as its part.
pub(crate) fn over_maps(
    op: &Op,
    input: [usize; 3],
    output: [usize; 3],
    layer: &Layer<'_>,
    weights: &Weights,
) -> Result<Box<dyn Kernel>, Error> {
    select(&Layer { op, input: &input, inputs: &[&input], output: &output, ..*layer }, weights)
}
