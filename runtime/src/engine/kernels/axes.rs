//! Layers over one axis and over three: as volumes, whose missing axes in front have the size 1, or made of kernels for
//! maps.

use super::gather::Gather;
use super::gemm::round_up;
use super::{Call, Kernel};
use crate::engine::select::{Layer, select};
use crate::{Error, Weights};
use cnn_ir::ops::{Conv1dSpec, Conv2dSpec, Conv3dSpec, ConvSpec, PadSpec};
use cnn_ir::{Op, Shape};

/// Channels, depth, height and width of a value over at most three axes.
pub(crate) fn volume(shape: &[usize], layer: &Layer<'_>) -> Result<[usize; 4], Error> {
    match shape.split_first() {
        Some((&channels, sizes)) if sizes.len() <= 3 => {
            let [depth, height, width] = std::array::from_fn(|axis| from_behind(sizes, axis).unwrap_or(1));
            Ok([channels, depth, height, width])
        }
        _ => Err(layer.error("the layer takes values over at most three axes")),
    }
}

/// What holds for depth, height and width: `values` for the last axes, `fill` for those in front.
pub(crate) fn in_volume<T: Copy, const D: usize>(values: [T; D], fill: T) -> [T; 3] {
    std::array::from_fn(|axis| from_behind(&values, axis).unwrap_or(fill))
}

/// The value of an axis of a volume, when those in front are missing.
fn from_behind<T: Copy>(values: &[T], axis: usize) -> Option<T> {
    (axis + values.len()).checked_sub(3).and_then(|index| values.get(index)).copied()
}

/// What is in front of each axis, of what is before and after it.
pub(crate) fn before<const D: usize, const S: usize>(sides: [usize; S]) -> [usize; D] {
    std::array::from_fn(|axis| sides[2 * axis])
}

/// The kernel of a convolution of sequences: the same of maps of one row.
pub(crate) fn conv1d(spec: &Conv1dSpec, layer: &Layer<'_>, weights: &Weights) -> Result<Box<dyn Kernel>, Error> {
    let (&[channels, length], &[out_channels, out_length]) = (layer.input, layer.output) else {
        return Err(layer.error("the layer takes sequences"));
    };
    let map = Conv2dSpec {
        stride: [1, spec.stride[0]],
        padding: [0, 0, spec.padding[0], spec.padding[1]],
        dilation: [1, spec.dilation[0]],
        groups: spec.groups,
        bias: spec.bias,
        ..Conv2dSpec::new(spec.in_channels, spec.out_channels, [1, spec.kernel_size[0]])
    };
    over_maps(&map.into(), [channels, 1, length], [out_channels, 1, out_length], layer, weights)
}

/// A convolution of volumes: the slices of the input under the kernel are stacked as channels, and a convolution of maps
/// makes one slice of the output. The weight is the same, element by element.
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
        let ([kernel, kernel_height, kernel_width], [front, _, top, bottom, left, right]) =
            (spec.kernel_size, spec.padding);
        let stack =
            channels.checked_mul(kernel).ok_or_else(|| layer.error("the slices under the kernel are too many"))?;
        let slice = Conv2dSpec {
            stride: [spec.stride[1], spec.stride[2]],
            padding: [top, bottom, left, right],
            dilation: [spec.dilation[1], spec.dilation[2]],
            groups: spec.groups,
            bias: spec.bias,
            ..Conv2dSpec::new(stack, out_channels, [kernel_height, kernel_width])
        };
        let (input, output) = ([stack, height, width], [out_channels, out_height, out_width]);
        Ok(Self {
            slice: over_maps(&slice.into(), input, output, layer, weights)?,
            kernel,
            dilation: spec.dilation[0],
            stride: spec.stride[0],
            front,
            input: [channels, depth, height * width],
            output: [out_channels, out_depth, out_height * out_width],
        })
    }

    /// Elements of the stack and of one slice of the output.
    fn buffers(&self) -> [usize; 2] {
        let ([channels, _, elements], [out_channels, _, out_elements]) = (self.input, self.output);
        [round_up((channels * self.kernel).saturating_mul(elements)), round_up(out_channels * out_elements)]
    }
}

impl Kernel for Conv3d {
    fn scratch(&self, _batch: usize, threads: usize) -> usize {
        let [stack, slice] = self.buffers();
        stack.saturating_add(slice).saturating_add(self.slice.scratch(1, threads))
    }

    fn run(&self, call: Call<'_>) {
        let ([channels, depth, elements], [out_channels, out_depth, out_elements]) = (self.input, self.output);
        let [stack_size, slice_size] = self.buffers();
        let (others, threads) = (call.others, call.threads);
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
                let (from, to, scratch) = (&*stack, &mut *slice, &mut *scratch);
                self.slice.run(Call { batch: 1, input: from, others, output: to, scratch, threads });
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

/// A convolution whose padding is not of zeros: the input is padded, then a convolution goes without.
pub(crate) struct PaddedConv {
    pad: Gather,
    conv: Box<dyn Kernel>,
    /// Elements of the padded input, of one example.
    between: usize,
}

impl PaddedConv {
    pub fn new<const D: usize, const S: usize>(
        spec: &ConvSpec<D, S>,
        layer: &Layer<'_>,
        weights: &Weights,
    ) -> Result<Self, Error>
    where
        Op: From<ConvSpec<D, S>> + From<PadSpec<D, S>>,
    {
        let (pad, bare) = spec.split_padding().ok_or_else(|| layer.error("the padding is of zeros"))?;
        let shape = Shape::new(layer.input).and_then(|input| Op::from(pad.clone()).output_shape(&[&input]));
        let padded = shape.map_err(|fault| layer.error(&fault.message))?;
        let outer = Layer { output: &padded, ..*layer };
        let inner = Layer { op: &bare.into(), input: &padded, inputs: &[&padded], ..*layer };
        Ok(Self { pad: Gather::pad(&pad, &outer)?, conv: select(&inner, weights)?, between: padded.elements() })
    }
}

impl Kernel for PaddedConv {
    fn scratch(&self, _batch: usize, threads: usize) -> usize {
        round_up(self.between).saturating_add(self.conv.scratch(1, threads))
    }

    fn run(&self, call: Call<'_>) {
        let (others, threads) = (call.others, call.threads);
        let (examples, scratch) = call.examples();
        let (between, scratch) = scratch.split_at_mut(round_up(self.between));
        let between = &mut between[..self.between];
        for (input, output) in examples {
            self.pad.run(Call { batch: 1, input, others, output: &mut *between, scratch: &mut [], threads });
            self.conv.run(Call { batch: 1, input: &*between, others, output, scratch: &mut *scratch, threads });
        }
    }
}

impl std::fmt::Debug for PaddedConv {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "padded {:?}", self.conv)
    }
}

/// The kernel of an op over maps, for a layer that has it as its part.
fn over_maps(
    op: &Op,
    input: [usize; 3],
    output: [usize; 3],
    layer: &Layer<'_>,
    weights: &Weights,
) -> Result<Box<dyn Kernel>, Error> {
    select(&Layer { op, input: &input, inputs: &[&input], output: &output, ..*layer }, weights)
}
