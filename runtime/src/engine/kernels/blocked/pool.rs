//! Pooling over windows of blocked maps.

use super::window::{Operation, Rows, Windows, rows};
use crate::Error;
use crate::engine::Isa;
use crate::engine::kernels::pool::counts;
use crate::engine::kernels::split::split;
use crate::engine::kernels::{Call, Kernel};
use crate::engine::select::Layer;
use crate::engine::simd::{Simd, per_isa};
use crate::engine::threads::{Shared, Threads};
use cnn_ir::ops::{AvgPoolSpec, MaxPoolSpec};
use std::ops::Range;

/// Pooling over windows.
pub(crate) struct Pool {
    name: &'static str,
    windows: Windows,
    channels: usize,
    lanes: usize,
    code: Code,
    /// What each row and column of the output is multiplied by; none for a maximum.
    scales: Option<[Vec<f32>; 2]>,
}

type Code = unsafe fn(&Rows<'_>, Range<usize>);

impl Pool {
    /// A maximum.
    pub fn max(spec: &MaxPoolSpec<2, 4>, layer: &Layer<'_>) -> Result<Self, Error> {
        let MaxPoolSpec { kernel_size, stride, padding, dilation, .. } = *spec;
        Self::new("max_pool", [kernel_size, stride, dilation], padding, layer, max_code)
    }

    /// A mean.
    pub fn avg(spec: &AvgPoolSpec<2, 4>, layer: &Layer<'_>) -> Result<Self, Error> {
        let AvgPoolSpec { kernel_size, stride, padding, .. } = *spec;
        let pool = Self::new("avg_pool", [kernel_size, stride, [1; 2]], padding, layer, sum_code)?;
        let scales = |axis: usize| -> Vec<f32> {
            let sizes = [pool.windows.input[axis], pool.windows.output[axis]];
            let geometry = [kernel_size[axis], stride[axis], padding[2 * axis], padding[2 * axis + 1]];
            let divisors = match spec.divisor_override {
                Some(divisor) => vec![if axis == 0 { divisor as f32 } else { 1.0 }; sizes[1]],
                None => counts(sizes, geometry, spec.count_include_pad),
            };
            divisors.into_iter().map(f32::recip).collect()
        };
        let scales = Some([scales(0), scales(1)]);
        Ok(Self { scales, ..pool })
    }

    fn new(
        name: &'static str,
        [kernel, stride, dilation]: [[usize; 2]; 3],
        [top, _, left, _]: [usize; 4],
        layer: &Layer<'_>,
        code: fn(&Windows, Isa) -> Code,
    ) -> Result<Self, Error> {
        let (&[channels, height, width], &[_, out_height, out_width]) = (layer.input, layer.output) else {
            return Err(layer.error("the layer takes maps"));
        };
        let (padding, input, output) = ([top, left], [height, width], [out_height, out_width]);
        let windows = Windows { kernel, stride, dilation, padding, input, output };
        let code = code(&windows, layer.isa);
        Ok(Self { name, windows, channels, lanes: layer.isa.lanes(), code, scales: None })
    }

    pub(super) fn pool(&self, input: &[f32], output: &mut [f32], threads: &Threads) {
        let Windows { kernel, output: [_, out_width], .. } = self.windows;
        let row = out_width * self.lanes;
        let all = output.len() / row;
        let output = Shared::new(output);
        split(threads, all, row * kernel[0] * kernel[1], |range| {
            let null = std::ptr::null();
            let job = Rows {
                windows: &self.windows,
                blocks: self.channels.div_ceil(self.lanes),
                input: input.as_ptr(),
                output: output.as_ptr(),
                weight: null,
                bias: null,
                residual: null,
                scales: self.scales.as_ref().map_or([null; 2], |scales| [scales[0].as_ptr(), scales[1].as_ptr()]),
                low: f32::NEG_INFINITY,
                high: f32::INFINITY,
            };
            // SAFETY: the instruction set was checked before the kernel was made; input and output are maps of the layer's
            // shapes, and no other task has these rows.
            unsafe { (self.code)(&job, range) };
        });
    }
}

impl Kernel for Pool {
    fn run(&self, call: Call<'_>) {
        self.pool(call.input, call.output, call.threads);
    }
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

pub(super) struct Max;
impl Operation for Max {
    const WEIGHTED: bool = false;
    const START: f32 = f32::NEG_INFINITY;
    #[inline(always)]
    unsafe fn combine<S: Simd>(sum: S, x: S, _weight: S) -> S {
        // SAFETY: the CPU has the instruction set. As in PyTorch, NaN wins.
        unsafe { sum.max_or_nan(x) }
    }
}

pub(super) struct Sum;
impl Operation for Sum {
    const WEIGHTED: bool = false;
    const START: f32 = 0.0;
    #[inline(always)]
    unsafe fn combine<S: Simd>(sum: S, x: S, _weight: S) -> S {
        // SAFETY: the CPU has the instruction set.
        unsafe { sum.add(x) }
    }
}

/// Declares the choice of the code: common widths with their strides have their own.
macro_rules! codes {
    ($of:ident: $operation:ty, $($width:literal by $stride:literal: $name:ident $body:ident,)* else $any:ident $any_body:ident) => {
        fn $of(windows: &Windows, isa: Isa) -> Code {
            match (windows.kernel[1], windows.stride[1], windows.dilation[1]) {
                $(($width, $stride, 1) => $name(isa),)*
                _ => $any(isa),
            }
        }
        $(codes!($name $body $operation, $width, $stride);)*
        codes!($any $any_body $operation, 0, 0);
    };
    ($name:ident $body:ident $operation:ty, $width:literal, $stride:literal) => {
        per_isa!(fn $name(job: &Rows<'_>, range: Range<usize>) = $body);
        #[inline(always)]
        unsafe fn $body<S: Simd>(job: &Rows<'_>, range: Range<usize>) {
            // SAFETY: the caller keeps the conditions.
            unsafe { rows::<S, $operation, $width, $stride>(job, range) }
        }
    };
}

codes!(max_code: Max, 2 by 2: max2 max2_body, 3 by 1: max3 max3_body, 3 by 2: max3_stride2 max3_stride2_body, else max max_body);
codes!(sum_code: Sum, 2 by 2: sum2 sum2_body, 3 by 1: sum3 sum3_body, 3 by 2: sum3_stride2 sum3_stride2_body, else sum sum_body);

#[cfg(test)]
mod tests {
    use super::super::reference::{Case, pools, values};
    use super::*;

    /// The input; kernel, stride and dilation; top, bottom, left and right.
    type Geometry = ([usize; 3], [[usize; 2]; 3], [usize; 4]);

    const CASES: [Geometry; 12] = [
        ([1, 1, 1], [[1, 1], [1, 1], [1, 1]], [0; 4]),
        ([67, 3, 3], [[3, 3], [1, 1], [1, 1]], [1; 4]),
        ([17, 13, 37], [[3, 3], [2, 2], [1, 1]], [1; 4]),
        ([3, 12, 23], [[2, 2], [2, 2], [1, 1]], [0; 4]),
        ([16, 27, 27], [[3, 3], [2, 2], [1, 1]], [0; 4]),
        ([33, 28, 29], [[3, 3], [1, 1], [1, 1]], [1; 4]),
        ([8, 9, 31], [[5, 5], [3, 3], [1, 1]], [2; 4]),
        ([20, 11, 23], [[2, 3], [1, 2], [2, 3]], [1, 0, 1, 1]),
        ([5, 7, 19], [[4, 1], [2, 5], [1, 1]], [2, 1, 0, 0]),
        ([6, 1, 40], [[1, 7], [1, 4], [1, 1]], [0, 0, 3, 2]),
        ([9, 2, 2], [[2, 2], [1, 1], [1, 1]], [1; 4]),
        ([64, 56, 56], [[3, 3], [2, 2], [1, 1]], [0, 1, 0, 1]),
    ];

    /// Runs the pool and compares it with what `combine` makes of a window's elements and their places, padding included.
    fn check(
        case: &Case<'_>,
        kernel: &Pool,
        input: &[f32],
        batch: usize,
        threads: &[Threads],
        combine: impl Fn(&[f64], [Range<usize>; 2]) -> f64,
    ) {
        let Windows { kernel: size, stride, dilation, padding, input: [height, width], .. } = kernel.windows;
        let input: Vec<f32> = input.iter().copied().cycle().take(batch * kernel.channels * height * width).collect();
        let maps = [input];
        let found = case.run(&maps, threads, |maps, output, threads| kernel.pool(&maps[0], output, threads));
        case.check(&found, |example, channel, y, x| {
            let plane = &maps[0][(example * kernel.channels + channel) * height * width..][..height * width];
            let mut elements = Vec::new();
            for tap in 0..size[0] * size[1] {
                let row = (y * stride[0] + tap / size[1] * dilation[0]).wrapping_sub(padding[0]);
                let column = (x * stride[1] + tap % size[1] * dilation[1]).wrapping_sub(padding[1]);
                if row < height && column < width {
                    elements.push(f64::from(plane[row * width + column]));
                }
            }
            let [top, left] = [y * stride[0], x * stride[1]];
            combine(&elements, [top..top + size[0], left..left + size[1]])
        });
    }

    fn largest(elements: &[f64], _: [Range<usize>; 2]) -> f64 {
        elements.iter().fold(f64::NEG_INFINITY, |a, &b| if b > a || b.is_nan() { b } else { a })
    }

    #[test]
    fn a_maximum_is_the_formula() -> Result<(), Error> {
        let threads = pools();
        for isa in Isa::available() {
            for (number, (input, [kernel_size, stride, dilation], padding)) in CASES.into_iter().enumerate() {
                let bare = MaxPoolSpec::new(kernel_size, stride);
                let spec = MaxPoolSpec { padding, dilation, ceil_mode: number % 2 == 1, ..bare };
                let inputs: [&[usize]; 1] = [&input];
                let case = Case::new(spec.clone(), &inputs, isa);
                let kernel = Pool::max(&spec, &case.layer())?;
                let mut elements = values(input.iter().product(), 3);
                if number % 3 == 2 {
                    let special = [f32::NAN, f32::NEG_INFINITY, f32::INFINITY];
                    elements.iter_mut().step_by(41).zip(special.iter().cycle()).for_each(|(to, &value)| *to = value);
                }
                check(&case, &kernel, &elements, 1 + number % 3, &threads, largest);
            }
        }
        Ok(())
    }

    #[test]
    fn a_mean_is_the_formula() -> Result<(), Error> {
        let threads = pools();
        for isa in Isa::available() {
            for (number, (input, [kernel_size, stride, dilation], padding)) in CASES.into_iter().enumerate() {
                if dilation != [1, 1] {
                    continue;
                }
                for (count_include_pad, divisor_override) in [(true, None), (false, None), (true, Some(7))] {
                    let bare = AvgPoolSpec::new(kernel_size, stride);
                    let ceil_mode = number % 2 == 1;
                    let spec = AvgPoolSpec { padding, ceil_mode, count_include_pad, divisor_override, ..bare };
                    let inputs: [&[usize]; 1] = [&input];
                    let case = Case::new(spec.clone(), &inputs, isa);
                    let kernel = Pool::avg(&spec, &case.layer())?;
                    let elements = values(input.iter().product(), 4);
                    let ends = [input[1] + padding[0] + padding[1], input[2] + padding[2] + padding[3]];
                    check(&case, &kernel, &elements, 1 + number % 3, &threads, |elements, [rows, columns]| {
                        let padded = (rows.end.min(ends[0]) - rows.start) * (columns.end.min(ends[1]) - columns.start);
                        let count = if count_include_pad { padded } else { elements.len().max(1) };
                        elements.iter().sum::<f64>() / divisor_override.unwrap_or(count) as f64
                    });
                }
            }
        }
        Ok(())
    }
}
