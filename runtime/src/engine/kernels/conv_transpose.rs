//! Transposed convolution: a matrix product gives what every element of the input adds to each tap of the kernel, and
//! the taps are added up where they lie in the output.

use super::axes::{before, in_volume, volume};
use super::conv2d::Conv2d;
use super::gemm::round_up;
use super::{Call, Kernel, activation::Epilogue};
use crate::engine::select::Layer;
use crate::engine::simd::{Simd, per_isa};
use crate::weights::SharedTensor;
use crate::{Error, Weights};
use cnn_ir::ops::{Conv2dSpec, ConvTransposeSpec};
use std::borrow::Cow;
use std::ops::Range;

/// Beyond this the products take too much memory: 128 MiB.
const MAX_ELEMENTS: usize = 1 << 25;

/// A transposed convolution of one layer.
pub(crate) struct ConvTranspose {
    /// A pointwise convolution to `out_channels`·kh·kw channels.
    products: Conv2d,
    scatter: unsafe fn(&Geometry, &[f32], &mut [f32]),
    geometry: Geometry,
    bias: Option<SharedTensor>,
    epilogue: Epilogue,
}

/// Where the products go. Axes are depth, height and width.
#[derive(Debug, Clone)]
struct Geometry {
    groups: usize,
    /// Channels of the input and of the output.
    channels: [usize; 2],
    kernel: [usize; 3],
    stride: [usize; 3],
    dilation: [usize; 3],
    /// What is cut off in front of each axis.
    padding: [usize; 3],
    input: [usize; 3],
    output: [usize; 3],
}

impl Geometry {
    fn new<const D: usize, const S: usize>(spec: &ConvTransposeSpec<D, S>, layer: &Layer<'_>) -> Result<Self, Error> {
        let ([in_channels, input @ ..], [out_channels, output @ ..]) =
            (volume(layer.input, layer)?, volume(layer.output, layer)?);
        Ok(Self {
            groups: spec.groups,
            channels: [in_channels, out_channels],
            kernel: in_volume(spec.kernel_size, 1),
            stride: in_volume(spec.stride, 1),
            dilation: in_volume(spec.dilation, 1),
            padding: in_volume::<_, D>(before(spec.padding), 0),
            input,
            output,
        })
    }

    /// Taps of the kernel.
    fn taps(&self) -> usize {
        self.kernel.iter().product()
    }

    /// Elements of one channel of the input and of the output.
    fn places(&self) -> [usize; 2] {
        [self.input, self.output].map(|sizes| sizes.iter().product())
    }

    /// For each axis, the places of the input whose product with a tap lies in the output, and where the first lies.
    fn reached(&self, tap: usize) -> [(Range<usize>, usize); 3] {
        let [_, height, width] = self.kernel;
        let taps = [tap / (height * width), tap / width % height, tap % width];
        std::array::from_fn(|axis| {
            let (stride, padding, shift) = (self.stride[axis], self.padding[axis], taps[axis] * self.dilation[axis]);
            let start = padding.saturating_sub(shift).div_ceil(stride);
            let end = (self.output[axis] + padding).saturating_sub(shift).div_ceil(stride).min(self.input[axis]);
            (start..end.max(start), (start * stride + shift).saturating_sub(padding))
        })
    }

    /// For each row of the input that a tap reaches: where it begins, and where the row of the output does.
    fn rows(&self, slices: (Range<usize>, usize), rows: (Range<usize>, usize)) -> impl Iterator<Item = [usize; 2]> {
        let ([_, height, width], [_, out_height, out_width]) = (self.input, self.output);
        let [deep, high, _] = self.stride;
        slices.0.enumerate().flat_map(move |(i, z)| {
            let plane = slices.1 + i * deep;
            rows.0
                .clone()
                .enumerate()
                .map(move |(j, y)| [(z * height + y) * width, (plane * out_height + rows.1 + j * high) * out_width])
        })
    }
}

/// Whether the kernel can take this layer.
pub(crate) fn applies<const D: usize, const S: usize>(spec: &ConvTransposeSpec<D, S>, layer: &Layer<'_>) -> bool {
    let sizes = spec.kernel_size.iter().chain(&layer.input[1..]);
    let elements = sizes.fold(spec.out_channels, |n, &size| n.saturating_mul(size));
    elements <= MAX_ELEMENTS
}

impl ConvTranspose {
    pub fn new<const D: usize, const S: usize>(
        spec: &ConvTransposeSpec<D, S>,
        layer: &Layer<'_>,
        weights: &Weights,
    ) -> Result<Self, Error> {
        let geometry = Geometry::new(spec, layer)?;
        let ([depth, height, width], [in_channels, out_channels]) = (geometry.input, geometry.channels);
        let product_channels = out_channels * geometry.taps();
        let pointwise =
            Conv2dSpec { groups: spec.groups, bias: false, ..Conv2dSpec::new(in_channels, product_channels, [1, 1]) };
        // The places of a pointwise convolution may be seen as a map.
        let (input, output) = ([in_channels, depth * height, width], [product_channels, depth * height, width]);
        let products = Layer { input: &input, output: &output, activations: &[], ..*layer };
        let products = Conv2d::arranged(&pointwise, &products, weights, "transposed, ", |w| transpose(w, &geometry))?;
        let bias = if spec.bias { Some(weights.shared(layer.parameter("bias")?)?) } else { None };
        Ok(Self { products, scatter: scatter_of(layer.isa), geometry, bias, epilogue: layer.epilogue() })
    }

    fn product_elements(&self) -> usize {
        let [places, _] = self.geometry.places();
        round_up(self.geometry.channels[1] * self.geometry.taps() * places)
    }
}

/// `[in, out / groups, taps]` as the `[out·taps, in / groups]` of the pointwise convolution.
fn transpose<'a>(weight: &'a [f32], geometry: &Geometry) -> Cow<'a, [f32]> {
    let [in_channels, _] = geometry.channels;
    let inner = in_channels / geometry.groups;
    let columns = weight.len() / in_channels;
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

impl Kernel for ConvTranspose {
    fn scratch(&self, batch: usize, threads: usize) -> usize {
        self.products.scratch(batch, threads).saturating_add(self.product_elements())
    }

    fn run(&self, call: Call<'_>) {
        let bias = self.bias.as_ref().map(SharedTensor::data);
        let ([depth, height, _], [_, out_places]) = (self.geometry.input, self.geometry.places());
        let (examples, scratch) = call.examples();
        let (products, scratch) = scratch.split_at_mut(self.product_elements());
        for (input, output) in examples {
            for group in 0..self.geometry.groups {
                self.products.run_block(group, 0..depth * height, input, products, scratch);
            }
            for (channel, plane) in output.chunks_exact_mut(out_places).enumerate() {
                plane.fill(bias.map_or(0.0, |bias| bias[channel]));
            }
            // SAFETY: the instruction set was checked before the kernel was made.
            unsafe { (self.scatter)(&self.geometry, products, output) };
            self.epilogue.apply(output);
        }
    }
}

impl std::fmt::Debug for ConvTranspose {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.epilogue.name("conv_transpose", f)
    }
}

per_isa! {
    /// Adds the products `[out_channels][taps][places]` up in the output.
    fn scatter_of(geometry: &Geometry, products: &[f32], output: &mut [f32]) = scatter_body
}

/// The loop over columns is left to the compiler to vectorise.
#[inline(always)]
unsafe fn scatter_body<S: Simd>(geometry: &Geometry, products: &[f32], output: &mut [f32]) {
    let ([places, out_places], [_, _, out_width]) = (geometry.places(), geometry.output);
    let channels = products.chunks_exact(geometry.taps() * places);
    for (products, plane) in channels.zip(output.chunks_exact_mut(out_places)) {
        for (tap, products) in products.chunks_exact(places).enumerate() {
            let [slices, rows, (columns, left)] = geometry.reached(tap);
            if columns.is_empty() {
                continue;
            }
            for [from, to] in geometry.rows(slices, rows) {
                let from = &products[from..][columns.clone()];
                let to = &mut plane[to..][left..out_width];
                match geometry.stride[2] {
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
pub(crate) struct PlainConvTranspose {
    geometry: Geometry,
    weight: SharedTensor,
    bias: Option<SharedTensor>,
    epilogue: Epilogue,
}

impl PlainConvTranspose {
    pub fn new<const D: usize, const S: usize>(
        spec: &ConvTransposeSpec<D, S>,
        layer: &Layer<'_>,
        weights: &Weights,
    ) -> Result<Self, Error> {
        let bias = if spec.bias { Some(weights.shared(layer.parameter("bias")?)?) } else { None };
        let weight = weights.shared(layer.parameter("weight")?)?;
        Ok(Self { geometry: Geometry::new(spec, layer)?, weight, bias, epilogue: layer.epilogue() })
    }

    /// Adds what one channel of the input gives to one of the output.
    fn add(&self, kernel: &[f32], input: &[f32], output: &mut [f32]) {
        for (tap, &weight) in kernel.iter().enumerate() {
            let [slices, rows, (columns, left)] = self.geometry.reached(tap);
            for [from, to] in self.geometry.rows(slices, rows) {
                for (j, x) in columns.clone().enumerate() {
                    output[to + left + j * self.geometry.stride[2]] += weight * input[from + x];
                }
            }
        }
    }
}

impl Kernel for PlainConvTranspose {
    fn run(&self, call: Call<'_>) {
        let ([places, out_places], taps) = (self.geometry.places(), self.geometry.taps());
        let [inner, outer] = self.geometry.channels.map(|channels| channels / self.geometry.groups);
        let (kernels, bias) = (self.weight.data(), self.bias.as_ref().map(SharedTensor::data));
        let (examples, _) = call.examples();
        for (input, output) in examples {
            for (channel, plane) in output.chunks_exact_mut(out_places).enumerate() {
                plane.fill(bias.map_or(0.0, |bias| bias[channel]));
                for from in channel / outer * inner..(channel / outer + 1) * inner {
                    let kernel = &kernels[(from * outer + channel % outer) * taps..][..taps];
                    self.add(kernel, &input[from * places..][..places], plane);
                }
            }
            self.epilogue.apply(output);
        }
    }
}

impl std::fmt::Debug for PlainConvTranspose {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.epilogue.name("conv_transpose_plain", f)
    }
}
