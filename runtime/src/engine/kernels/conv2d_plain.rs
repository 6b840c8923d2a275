//! Convolution without a copy and without vectors, for layers whose padding or dilation is too large for any copy.

use super::{Call, Kernel, activation::Epilogue};
use crate::engine::select::Layer;
use crate::weights::SharedTensor;
use crate::{Error, Weights};
use cnn_ir::ops::Conv2dSpec;

/// A convolution of one layer.
pub(crate) struct PlainConv2d {
    spec: Conv2dSpec,
    input: [usize; 3],
    output: [usize; 3],
    weight: SharedTensor,
    bias: Option<SharedTensor>,
    epilogue: Epilogue,
}

impl PlainConv2d {
    pub fn new(spec: &Conv2dSpec, layer: &Layer<'_>, weights: &Weights) -> Result<Self, Error> {
        let (Ok(input), Ok(output)) = (layer.input.try_into(), layer.output.try_into()) else {
            return Err(layer.error("a convolution takes maps"));
        };
        let (weight, bias) = (layer.weight(weights)?, layer.bias(weights)?);
        Ok(Self { spec: spec.clone(), input, output, weight, bias, epilogue: layer.epilogue() })
    }

    /// The sum of one output pixel over one kernel `[in_channels / groups][kh][kw]`.
    fn pixel(&self, kernel: &[f32], input: &[f32], y: usize, x: usize) -> f32 {
        let Conv2dSpec { kernel_size: [kh, kw], stride, padding, dilation, .. } = self.spec;
        let [_, height, width] = self.input;
        let mut sum = 0.0;
        for (kernel, plane) in kernel.chunks_exact(kh * kw).zip(input.chunks_exact(height * width)) {
            for (i, kernel) in kernel.chunks_exact(kw).enumerate() {
                // Wraps to a huge row above the map.
                let row = (y * stride[0] + i * dilation[0]).wrapping_sub(padding[0]);
                if row >= height {
                    continue;
                }
                for (j, &weight) in kernel.iter().enumerate() {
                    let column = (x * stride[1] + j * dilation[1]).wrapping_sub(padding[2]);
                    if column < width {
                        sum += weight * plane[row * width + column];
                    }
                }
            }
        }
        sum
    }
}

impl Kernel for PlainConv2d {
    fn run(&self, call: Call<'_>) {
        let ([_, height, width], [out_channels, out_height, out_width]) = (self.input, self.output);
        let in_group = self.spec.in_channels / self.spec.groups;
        let (kernels, bias) = (self.weight.data(), self.bias.as_ref().map(SharedTensor::data));
        let kernel_elements = kernels.len() / out_channels;
        let (examples, _) = call.examples();
        for (input, output) in examples {
            for (channel, plane) in output.chunks_exact_mut(out_height * out_width).enumerate() {
                let group = channel / (out_channels / self.spec.groups);
                let input = &input[group * in_group * height * width..][..in_group * height * width];
                let kernel = &kernels[channel * kernel_elements..][..kernel_elements];
                let bias = bias.map_or(0.0, |bias| bias[channel]);
                for (i, value) in plane.iter_mut().enumerate() {
                    *value = bias + self.pixel(kernel, input, i / out_width, i % out_width);
                }
            }
            self.epilogue.apply(output);
        }
    }
}

impl std::fmt::Debug for PlainConv2d {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.epilogue.name("conv2d_plain", f)
    }
}
