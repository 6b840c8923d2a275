//! Transposed convolution: a matrix product gives what every element of the input adds to each tap of the kernel, and
//! the taps are added up where they lie in the output.

use super::conv2d::Conv2d;
use super::gemm::round_up;
use super::{Call, Kernel, activation::Epilogue};
use crate::engine::select::Layer;
use crate::engine::simd::{Simd, per_isa};
use crate::weights::SharedTensor;
use crate::{Error, Weights};
use cnn_ir::ops::{Conv2dSpec, ConvTranspose2dSpec};
use std::borrow::Cow;
use std::ops::Range;

/// Beyond this the products take too much memory: 128 MiB.
const MAX_ELEMENTS: usize = 1 << 25;

/// A transposed convolution of one layer.
pub(crate) struct ConvTranspose2d {
    /// A pointwise convolution to `out_channels`·kh·kw channels.
    products: Conv2d,
    scatter: unsafe fn(&Geometry, &[f32], &mut [f32]),
    geometry: Geometry,
    bias: Option<SharedTensor>,
    epilogue: Epilogue,
}

/// Where the products go.
#[derive(Debug, Clone)]
struct Geometry {
    spec: ConvTranspose2dSpec,
    input: [usize; 3],
    output: [usize; 3],
}

impl Geometry {
    fn new(spec: &ConvTranspose2dSpec, layer: &Layer<'_>) -> Result<Self, Error> {
        match (layer.input.try_into(), layer.output.try_into()) {
            (Ok(input), Ok(output)) => Ok(Self { spec: spec.clone(), input, output }),
            _ => Err(layer.error("a transposed convolution takes maps")),
        }
    }

    /// The rows (axis 0) or columns (1) of the input whose product with a tap lies in the output, and where the first
    /// of them lies.
    fn reached(&self, axis: usize, tap: usize) -> (Range<usize>, usize) {
        let (n, outputs) = (self.input[1 + axis], self.output[1 + axis]);
        let (stride, padding) = (self.spec.stride[axis], self.spec.padding[2 * axis]);
        let shift = tap * self.spec.dilation[axis];
        let start = padding.saturating_sub(shift).div_ceil(stride);
        let end = (outputs + padding).saturating_sub(shift).div_ceil(stride).min(n);
        (start..end.max(start), (start * stride + shift).saturating_sub(padding))
    }
}

/// Elements of the products of one example.
fn product_elements(spec: &ConvTranspose2dSpec, layer: &Layer<'_>) -> Option<usize> {
    let places = layer.input[1..].iter().product::<usize>();
    let [height, width] = spec.kernel_size;
    spec.out_channels.checked_mul(height)?.checked_mul(width)?.checked_mul(places)
}

/// Whether the kernel can take this layer.
pub(crate) fn applies(spec: &ConvTranspose2dSpec, layer: &Layer<'_>) -> bool {
    product_elements(spec, layer).is_some_and(|elements| elements <= MAX_ELEMENTS)
}

impl ConvTranspose2d {
    pub fn new(spec: &ConvTranspose2dSpec, layer: &Layer<'_>, weights: &Weights) -> Result<Self, Error> {
        let geometry = Geometry::new(spec, layer)?;
        let taps = spec.kernel_size[0] * spec.kernel_size[1];
        let [in_channels, height, width] = geometry.input;
        let pointwise = Conv2dSpec {
            groups: spec.groups,
            bias: false,
            ..Conv2dSpec::new(in_channels, spec.out_channels * taps, [1, 1])
        };
        let output = [spec.out_channels * taps, height, width];
        let products = Layer { output: &output, activation: None, ..*layer };
        let products = Conv2d::arranged(&pointwise, &products, weights, "transposed, ", |w| transpose(w, spec))?;
        let bias = if spec.bias { Some(weights.shared(layer.parameter("bias")?)?) } else { None };
        Ok(Self { products, scatter: scatter_of(layer.isa), geometry, bias, epilogue: layer.epilogue() })
    }

    fn product_elements(&self) -> usize {
        let [_, height, width] = self.geometry.input;
        let [kernel_height, kernel_width] = self.geometry.spec.kernel_size;
        round_up(self.geometry.spec.out_channels * kernel_height * kernel_width * height * width)
    }
}

/// `[in, out / groups, kh, kw]` as the `[out·kh·kw, in / groups]` of the pointwise convolution.
fn transpose<'a>(weight: &'a [f32], spec: &ConvTranspose2dSpec) -> Cow<'a, [f32]> {
    let inner = spec.in_channels / spec.groups;
    let columns = weight.len() / spec.in_channels;
    let mut transposed = vec![0.0; weight.len()];
    for (group, to) in weight.chunks_exact(inner * columns).zip(transposed.chunks_exact_mut(inner * columns)) {
        for (channel, row) in group.chunks_exact(columns).enumerate() {
            for (column, &value) in row.iter().enumerate() {
                to[column * inner + channel] = value;
            }
        }
    }
    Cow::Owned(transposed)
}

impl Kernel for ConvTranspose2d {
    fn scratch(&self, batch: usize) -> usize {
        self.products.scratch(batch).saturating_add(self.product_elements())
    }

    fn run(&self, call: Call<'_>) {
        let bias = self.bias.as_ref().map(SharedTensor::data);
        let [_, height, out_height, out_width] =
            [self.geometry.input[0], self.geometry.input[1], self.geometry.output[1], self.geometry.output[2]];
        let (examples, scratch) = call.examples();
        let (products, scratch) = scratch.split_at_mut(self.product_elements());
        for (input, output) in examples {
            for group in 0..self.geometry.spec.groups {
                self.products.run_block(group, 0..height, input, products, scratch);
            }
            for (channel, plane) in output.chunks_exact_mut(out_height * out_width).enumerate() {
                plane.fill(bias.map_or(0.0, |bias| bias[channel]));
            }
            // SAFETY: the instruction set was checked before the kernel was made.
            unsafe { (self.scatter)(&self.geometry, products, output) };
            self.epilogue.apply(output);
        }
    }
}

impl std::fmt::Debug for ConvTranspose2d {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.epilogue.name("conv_transpose2d", f)
    }
}

per_isa! {
    /// Adds the products `[out_channels][kh][kw][H][W]` up in the output.
    fn scatter_of(geometry: &Geometry, products: &[f32], output: &mut [f32]) = scatter_body
}

/// The loop over columns is left to the compiler to vectorise.
#[inline(always)]
unsafe fn scatter_body<S: Simd>(geometry: &Geometry, products: &[f32], output: &mut [f32]) {
    let Geometry { spec, input: [_, height, width], output: [_, out_height, out_width] } = geometry;
    let [kernel_height, kernel_width] = spec.kernel_size;
    let channels = products.chunks_exact(kernel_height * kernel_width * height * width);
    for (products, plane) in channels.zip(output.chunks_exact_mut(out_height * out_width)) {
        for (tap, products) in products.chunks_exact(height * width).enumerate() {
            let (rows, top) = geometry.reached(0, tap / kernel_width);
            let (columns, left) = geometry.reached(1, tap % kernel_width);
            if columns.is_empty() {
                continue;
            }
            for (i, y) in rows.enumerate() {
                let from = &products[y * width..][columns.clone()];
                let to = &mut plane[(top + i * spec.stride[0]) * out_width..][left..*out_width];
                match spec.stride[1] {
                    1 => add_apart::<1>(from, to, 1),
                    2 => add_apart::<2>(from, to, 2),
                    stride => add_apart::<0>(from, to, stride),
                }
            }
        }
    }
}

/// Adds elements to every `stride`-th place; `STRIDE` 0 stands for any.
#[inline(always)]
fn add_apart<const STRIDE: usize>(from: &[f32], to: &mut [f32], stride: usize) {
    let stride = if STRIDE == 0 { stride } else { STRIDE };
    let to = &mut to[..(from.len() - 1) * stride + 1];
    for (i, &value) in from.iter().enumerate() {
        to[i * stride] += value;
    }
}

/// A transposed convolution that needs no memory, for layers whose products would need too much.
pub(crate) struct PlainConvTranspose2d {
    geometry: Geometry,
    weight: SharedTensor,
    bias: Option<SharedTensor>,
    epilogue: Epilogue,
}

impl PlainConvTranspose2d {
    pub fn new(spec: &ConvTranspose2dSpec, layer: &Layer<'_>, weights: &Weights) -> Result<Self, Error> {
        let bias = if spec.bias { Some(weights.shared(layer.parameter("bias")?)?) } else { None };
        let weight = weights.shared(layer.parameter("weight")?)?;
        Ok(Self { geometry: Geometry::new(spec, layer)?, weight, bias, epilogue: layer.epilogue() })
    }

    /// Adds what one channel of the input gives to one of the output, by a kernel `[kh][kw]`.
    fn add(&self, kernel: &[f32], input: &[f32], output: &mut [f32]) {
        let Geometry { spec, input: [_, _, width], output: [_, _, out_width] } = &self.geometry;
        for (tap, &weight) in kernel.iter().enumerate() {
            let (rows, top) = self.geometry.reached(0, tap / spec.kernel_size[1]);
            let (columns, left) = self.geometry.reached(1, tap % spec.kernel_size[1]);
            for (i, y) in rows.enumerate() {
                for (j, x) in columns.clone().enumerate() {
                    let place = (top + i * spec.stride[0]) * out_width + left + j * spec.stride[1];
                    output[place] += weight * input[y * width + x];
                }
            }
        }
    }
}

impl Kernel for PlainConvTranspose2d {
    fn run(&self, call: Call<'_>) {
        let Geometry { spec, input: [_, height, width], output: [_, out_height, out_width] } = &self.geometry;
        let (inner, outer) = (spec.in_channels / spec.groups, spec.out_channels / spec.groups);
        let taps = spec.kernel_size[0] * spec.kernel_size[1];
        let (kernels, bias) = (self.weight.data(), self.bias.as_ref().map(SharedTensor::data));
        let (examples, _) = call.examples();
        for (input, output) in examples {
            for (channel, plane) in output.chunks_exact_mut(out_height * out_width).enumerate() {
                plane.fill(bias.map_or(0.0, |bias| bias[channel]));
                for from in channel / outer * inner..(channel / outer + 1) * inner {
                    let kernel = &kernels[(from * outer + channel % outer) * taps..][..taps];
                    self.add(kernel, &input[from * height * width..][..height * width], plane);
                }
            }
            self.epilogue.apply(output);
        }
    }
}

impl std::fmt::Debug for PlainConvTranspose2d {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.epilogue.name("conv_transpose2d_plain", f)
    }
}
