//! Depthwise convolution: one kernel for each channel.

use super::window::{Operation, Rows, Windows, rows};
use crate::buffer::Buffer;
use crate::engine::kernels::activation::Epilogue;
use crate::engine::kernels::split::split;
use crate::engine::kernels::{Call, Kernel};
use crate::engine::select::Layer;
use crate::engine::simd::{Simd, per_isa};
use crate::engine::threads::{Shared, Threads};
use crate::{Error, Weights};
use cnn_ir::ops::{Conv2dSpec, PadMode};
use std::ops::Range;
use std::sync::Arc;

/// A convolution of blocked maps with as many groups as channels.
pub(crate) struct Depthwise {
    windows: Windows,
    channels: usize,
    lanes: usize,
    code: Code,
    /// `[blocks][taps][lanes]`, zero behind the last channel.
    weight: Arc<Buffer>,
    /// `[blocks][lanes]`, likewise.
    bias: Arc<Buffer>,
    residual: bool,
    epilogue: Epilogue,
}

/// Elements of the output to which an activation is applied while they are in the nearest cache.
const NEAR: usize = 4096;

type Code = unsafe fn(&Rows<'_>, Range<usize>);

/// Whether the kernel can take this layer.
pub(crate) fn applies(spec: &Conv2dSpec, layer: &Layer<'_>) -> bool {
    let channels = [spec.in_channels, spec.out_channels];
    layer.input.len() == 3 && spec.padding_mode == PadMode::Zeros && channels == [spec.groups; 2]
}

impl Depthwise {
    pub fn new(spec: &Conv2dSpec, layer: &Layer<'_>, weights: &Weights) -> Result<Self, Error> {
        let (&[channels, height, width], &[_, out_height, out_width]) = (layer.input, layer.output) else {
            return Err(layer.error("the layer takes maps"));
        };
        let [top, _, left, _] = spec.padding;
        let windows = Windows {
            kernel: spec.kernel_size,
            stride: spec.stride,
            dilation: spec.dilation,
            padding: [top, left],
            input: [height, width],
            output: [out_height, out_width],
        };
        let (lanes, taps) = (layer.isa.lanes(), spec.kernel_size.iter().product());
        let elements = channels.next_multiple_of(lanes).saturating_mul(taps);
        let weight = layer.packed_weight(weights, &format!("depthwise by {lanes}"), elements, |weight, to| {
            pack(&weight.folded(), taps, lanes, to.as_mut_slice());
            Ok(())
        })?;
        let bias = layer.blocked_bias(weights)?;
        let code = code_of(&windows, layer);
        Ok(Self { windows, channels, lanes, code, weight, bias, residual: layer.residual, epilogue: layer.epilogue() })
    }

    pub(super) fn convolve(&self, input: &[f32], residual: Option<&[f32]>, output: &mut [f32], threads: &Threads) {
        let Windows { kernel, output: [out_height, out_width], .. } = self.windows;
        let row = out_width * self.lanes;
        let [low, high] = self.epilogue.limits();
        let all = output.len() / row;
        debug_assert!(all.is_multiple_of(out_height * self.channels.div_ceil(self.lanes)));
        let output = Shared::new(output);
        split(threads, all, row * kernel[0] * kernel[1], |range| {
            let job = Rows {
                windows: &self.windows,
                blocks: self.channels.div_ceil(self.lanes),
                input: input.as_ptr(),
                output: output.as_ptr(),
                weight: self.weight.as_slice().as_ptr(),
                bias: self.bias.as_slice().as_ptr(),
                residual: residual.map_or(std::ptr::null(), <[f32]>::as_ptr),
                scales: [std::ptr::null(); 2],
                low,
                high,
            };
            let step = if self.epilogue.beyond_limits().is_some() { NEAR.div_ceil(row) } else { range.len() };
            for first in range.clone().step_by(step.max(1)) {
                let rows = first..range.end.min(first + step);
                let place = rows.start * row..rows.end * row;
                // SAFETY: the instruction set was checked before the kernel was made; input, residual and output are maps
                // of the layer's shapes, and no other task has these rows.
                unsafe { (self.code)(&job, rows) };
                if let Some(function) = self.epilogue.beyond_limits() {
                    // SAFETY: as above.
                    function.apply(unsafe { output.part(place) });
                }
            }
        });
    }
}

impl Kernel for Depthwise {
    fn run(&self, call: Call<'_>) {
        let residual = self.residual.then(|| call.others.get(0));
        self.convolve(call.input, residual, call.output, call.threads);
    }
}

impl std::fmt::Debug for Depthwise {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.epilogue.name("conv2d_depthwise", f)
    }
}

/// `[channels][taps]` to `[blocks][taps][lanes]`; what is behind the last channel stays.
fn pack(values: &[f32], taps: usize, lanes: usize, to: &mut [f32]) {
    for (channel, from) in values.chunks_exact(taps.max(1)).enumerate() {
        for (tap, &value) in from.iter().enumerate() {
            to[(channel / lanes * taps + tap) * lanes + channel % lanes] = value;
        }
    }
}

/// The code for this kernel's width and stride: common ones have their own.
fn code_of(windows: &Windows, layer: &Layer<'_>) -> Code {
    let isa = layer.isa;
    match (windows.kernel[1], windows.stride[1], windows.dilation[1]) {
        (3, 1, 1) => width3_of(isa),
        (3, 2, 1) => width3_stride2_of(isa),
        (5, 1, 1) => width5_of(isa),
        (5, 2, 1) => width5_stride2_of(isa),
        (7, 1, 1) => width7_of(isa),
        _ => any_of(isa),
    }
}

struct MulAdd;
impl Operation for MulAdd {
    const WEIGHTED: bool = true;
    const START: f32 = 0.0;
    #[inline(always)]
    unsafe fn combine<S: Simd>(sum: S, x: S, weight: S) -> S {
        // SAFETY: the CPU has the instruction set.
        unsafe { x.mul_add(weight, sum) }
    }
}

/// Declares the code for a width and a stride.
macro_rules! code {
    ($($of:ident $body:ident $width:literal $stride:literal;)*) => {$(
        per_isa!(fn $of(job: &Rows<'_>, range: Range<usize>) = $body);
        #[inline(always)]
        unsafe fn $body<S: Simd>(job: &Rows<'_>, range: Range<usize>) {
            // SAFETY: the caller keeps the conditions.
            unsafe { rows::<S, MulAdd, $width, $stride>(job, range) }
        }
    )*};
}

code! {
    width3_of width3_body 3 1;
    width3_stride2_of width3_stride2_body 3 2;
    width5_of width5_body 5 1;
    width5_stride2_of width5_stride2_body 5 2;
    width7_of width7_body 7 1;
    any_of any_body 0 0;
}

#[cfg(test)]
mod tests {
    use super::super::reference::{Case, pools, values};
    use super::*;
    use crate::engine::Isa;
    use crate::graph::Activation;

    /// The input; kernel, stride and dilation; top, bottom, left and right.
    type Geometry = ([usize; 3], [[usize; 2]; 3], [usize; 4]);

    const CASES: [Geometry; 16] = [
        ([1, 1, 1], [[1, 1], [1, 1], [1, 1]], [0; 4]),
        ([67, 1, 1], [[3, 3], [1, 1], [1, 1]], [1; 4]),
        ([3, 13, 17], [[3, 3], [1, 1], [1, 1]], [1; 4]),
        ([17, 13, 37], [[3, 3], [2, 2], [1, 1]], [1; 4]),
        ([16, 14, 14], [[3, 3], [2, 2], [1, 1]], [0, 1, 0, 1]),
        ([33, 7, 7], [[5, 5], [1, 1], [1, 1]], [2; 4]),
        ([8, 28, 29], [[5, 5], [2, 2], [1, 1]], [2; 4]),
        ([20, 11, 23], [[7, 7], [1, 1], [1, 1]], [3; 4]),
        ([5, 9, 31], [[7, 7], [2, 2], [1, 1]], [3; 4]),
        ([40, 5, 5], [[3, 3], [1, 1], [2, 2]], [2; 4]),
        ([4, 19, 19], [[2, 4], [3, 1], [1, 3]], [0, 2, 5, 1]),
        ([9, 3, 2], [[3, 2], [1, 1], [1, 1]], [7, 5, 9, 6]),
        ([6, 2, 50], [[1, 3], [1, 5], [1, 7]], [3, 0, 0, 20]),
        ([2, 8, 8], [[3, 3], [4, 4], [1, 1]], [0; 4]),
        ([21, 1, 40], [[1, 9], [1, 1], [1, 1]], [0, 0, 4, 4]),
        ([144, 56, 56], [[3, 3], [1, 1], [1, 1]], [1; 4]),
    ];

    #[test]
    fn it_is_the_formula_for_every_isa_and_number_of_threads() -> Result<(), Error> {
        let pools = pools();
        for isa in Isa::available() {
            for (number, (input, [kernel_size, stride, dilation], padding)) in CASES.into_iter().enumerate() {
                let bare = Conv2dSpec::new(input[0], input[0], kernel_size);
                let spec = Conv2dSpec { stride, dilation, padding, groups: input[0], bias: number % 3 > 0, ..bare };
                let inputs: [&[usize]; 1] = [&input];
                let mut case = Case::new(spec.clone(), &inputs, isa);
                case.activation = [None, Some(Activation::Relu6), Some(Activation::HardSwish)][number % 3];
                case.residual = number % 2 == 1;
                for batch in [1, 3] {
                    check(&spec, input, &case, batch, &pools)?;
                }
            }
        }
        Ok(())
    }

    fn check(
        spec: &Conv2dSpec,
        [channels, height, width]: [usize; 3],
        case: &Case<'_>,
        batch: usize,
        pools: &[Threads],
    ) -> Result<(), Error> {
        assert!(applies(spec, &case.layer()));
        let kernel = Depthwise::new(spec, &case.layer(), &case.weights)?;
        let input = values(batch * channels * height * width, 1);
        let residual = values(batch * case.layer().output.iter().product::<usize>(), 2);
        let maps = [input, residual];
        let found = case.run(&maps, pools, |maps, output, threads| {
            kernel.convolve(&maps[0], case.residual.then_some(&maps[1]), output, threads);
        });
        let bias = if spec.bias { case.parameter("bias") } else { vec![0.0; channels] };
        let (weight, [input, residual]) = (case.parameter("weight"), &maps);
        case.check(&found, |example, channel, y, x| {
            let plane = example * channels + channel;
            let mut sum = bias[channel];
            for tap in 0..spec.kernel_size.iter().product() {
                let (ky, kx) = (tap / spec.kernel_size[1], tap % spec.kernel_size[1]);
                let row = (y * spec.stride[0] + ky * spec.dilation[0]).wrapping_sub(spec.padding[0]);
                let column = (x * spec.stride[1] + kx * spec.dilation[1]).wrapping_sub(spec.padding[2]);
                if row < height && column < width {
                    let weight = weight[channel * spec.kernel_size.iter().product::<usize>() + tap];
                    sum += weight * f64::from(input[(plane * height + row) * width + column]);
                }
            }
            let [_, out_height, out_width] = *case.layer().output else { return f64::NAN };
            sum += if case.residual { f64::from(residual[(plane * out_height + y) * out_width + x]) } else { 0.0 };
            match case.activation {
                Some(Activation::Relu6) => sum.clamp(0.0, 6.0),
                Some(_) => sum * (sum + 3.0).clamp(0.0, 6.0) / 6.0,
                None => sum,
            }
        });
        Ok(())
    }
}
