//! The geometry that convolutions and pools share.

use crate::ops::axes::{axis_name, set_axes};
use crate::{Fault, Fix, Shape, codes};
use std::ops::Range;

/// Padding as written, before it is known what `same` amounts to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Padding<const S: usize> {
    /// Before and after each axis: top, bottom, left, right.
    Sides([usize; S]),
    /// PyTorch's `same`: output as large as the input; stride 1 only; an odd row or column goes to the bottom or right.
    Same,
    /// TensorFlow's `SAME`: ⌈input / stride⌉ outputs; an odd row or column goes to the bottom or right.
    SameTf,
}

/// A window that slides over D axes, with S = 2·D sides.
#[derive(Debug, Clone, Copy)]
pub struct Window<const D: usize, const S: usize> {
    /// Sizes of the kernel.
    pub kernel_size: [usize; D],
    /// Step between outputs.
    pub stride: [usize; D],
    /// Before and after each axis: top, bottom, left, right.
    pub padding: [usize; S],
    /// Distance between taps; 1 = none.
    pub dilation: [usize; D],
    /// Round the number of outputs up instead of down, as PyTorch does.
    pub ceil_mode: bool,
}

impl<const D: usize, const S: usize> Window<D, S> {
    /// Sizes of the output: ⌊(n + p − d(k−1) − 1)/s⌋ + 1 on each axis, `p` being both sides together.
    ///
    /// With `ceil_mode` the division rounds up, but the last window must start inside the input or its first padding
    /// (PyTorch's `pooling_output_shape`).
    pub fn output_size(&self, input: [usize; D]) -> Result<[usize; D], Fault> {
        let mut output = [0; D];
        for axis in 0..D {
            let (n, k, s, d) = (input[axis], self.kernel_size[axis], self.stride[axis], self.dilation[axis]);
            let (before, after) = (self.padding[2 * axis], self.padding[2 * axis + 1]);
            if k == 0 || s == 0 || d == 0 {
                return Err(Fault::new(&codes::BAD_ARGUMENT, "kernel, stride and dilation must be at least 1"));
            }
            let Some(padded) = n.checked_add(before).and_then(|v| v.checked_add(after)) else {
                return Err(Fault::new(&codes::TOO_LARGE, "the padded input is too large").about("padding"));
            };
            let Some(extent) = d.checked_mul(k - 1).and_then(|v| v.checked_add(1)) else {
                return Err(Fault::new(&codes::TOO_LARGE, "the dilated kernel is too large").about("kernel"));
            };
            // Rounding up, PyTorch lets a last window reach past the padded input, and so a first one.
            let reach = if self.ceil_mode { padded.saturating_add(s - 1) } else { padded };
            if extent > reach {
                return Err(self.too_large(axis, n, padded, extent));
            }
            let outputs = (reach - extent) / s + 1;
            output[axis] = if self.ceil_mode && (outputs - 1) * s >= n + before { outputs - 1 } else { outputs };
        }
        Ok(output)
    }

    fn too_large(&self, axis: usize, n: usize, padded: usize, extent: usize) -> Fault {
        let (k, d, name) = (self.kernel_size[axis], self.dilation[axis], axis_name(D, axis));
        let pad = padded - n;
        let input = if pad == 0 { "input" } else { "padded input" };
        let mut fault = Fault::new(
            &codes::KERNEL_TOO_LARGE,
            format!("the kernel does not fit: its {name} is {extent}, the {input}'s is {padded}"),
        )
        .about("kernel");
        if d > 1 {
            fault = fault.figure(format!("kernel {k} with dilation {d} spans {d}·({k}−1)+1 = {extent}"));
        }
        fault = fault.figure(match pad {
            0 => format!("input {name} {n}, no padding"),
            _ => format!("input {name} {n} + padding {pad} = {padded}"),
        });
        if d == 1 {
            let mut kernel = self.kernel_size;
            if kernel == [k; D] {
                kernel = [padded; D];
            } else {
                kernel[axis] = padded;
            }
            fault.fix(set_axes("kernel", kernel, format!("the largest {name} that fits is {padded}")))
        } else {
            fault.advice("use a smaller kernel, less dilation or more padding")
        }
    }

    /// Resolves `same` and `same_tf` for this window over an input of these sizes.
    pub fn resolve_padding(&self, padding: Padding<S>, input: [usize; D]) -> Result<[usize; S], Fault> {
        let mut sides = [0; S];
        match padding {
            Padding::Sides(sides) => return Ok(sides),
            Padding::Same if self.stride != [1; D] => {
                let stride = self.stride.map(|size| size.to_string()).join(", ");
                return Err(Fault::new(&codes::BAD_ARGUMENT, format!("padding `same` needs stride 1, not ({stride})"))
                    .about("padding")
                    .fix(Fix::SetArgument {
                        advice: "for a stride, TensorFlow's rule has a name of its own".into(),
                        name: "padding",
                        value: "same_tf".into(),
                    }));
            }
            Padding::Same | Padding::SameTf => {}
        }
        for axis in 0..D {
            let (n, s) = (input[axis], self.stride[axis]);
            let extent = self.dilation[axis].saturating_mul(self.kernel_size[axis].saturating_sub(1)).saturating_add(1);
            let outputs = n.div_ceil(s.max(1));
            let total = ((outputs - 1) * s).saturating_add(extent).saturating_sub(n);
            sides[2 * axis] = total / 2;
            sides[2 * axis + 1] = total - total / 2;
        }
        Ok(sides)
    }
}

/// The windows of adaptive pooling along an axis of `n` elements: ⌊i·n/outputs⌋ to before ⌈(i+1)·n/outputs⌉, as PyTorch.
pub(crate) fn adaptive_windows(n: usize, outputs: usize) -> impl Iterator<Item = Range<usize>> + Clone {
    (0..outputs).map(move |i| i * n / outputs..((i + 1) * n).div_ceil(outputs))
}

/// The single input of a layer.
pub(crate) fn single_input<'a>(layer: &str, inputs: &[&'a Shape]) -> Result<&'a Shape, Fault> {
    match inputs {
        [shape] => Ok(shape),
        _ => Err(Fault::new(&codes::SHAPE_MISMATCH, format!("`{layer}` takes one input, not {}", inputs.len()))),
    }
}
