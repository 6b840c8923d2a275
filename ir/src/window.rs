//! The geometry that convolutions and pools share.

use crate::{Fault, Fix, Shape, codes};
use std::ops::Range;

/// Padding as written, before it is known what `same` amounts to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Padding {
    /// Top, bottom, left, right.
    Sides([usize; 4]),
    /// PyTorch's `same`: output as large as the input; stride 1 only; an odd row or column goes to the bottom or right.
    Same,
    /// TensorFlow's `SAME`: ⌈input / stride⌉ outputs; an odd row or column goes to the bottom or right.
    SameTf,
}

/// A sliding window over the two spatial axes.
#[derive(Debug, Clone, Copy)]
pub struct Window {
    /// Height and width of the kernel.
    pub kernel_size: [usize; 2],
    /// Step between outputs.
    pub stride: [usize; 2],
    /// Top, bottom, left, right.
    pub padding: [usize; 4],
    /// Distance between taps; 1 = none.
    pub dilation: [usize; 2],
    /// Round the number of outputs up instead of down, as PyTorch does.
    pub ceil_mode: bool,
}

const AXES: [&str; 2] = ["height", "width"];

impl Window {
    /// Rows and columns of the output: ⌊(n + p − d(k−1) − 1)/s⌋ + 1 on each axis, `p` being both sides together.
    ///
    /// With `ceil_mode` the division rounds up, but the last window must start inside the input or its first padding
    /// (PyTorch's `pooling_output_shape`).
    pub fn output_size(&self, input: [usize; 2]) -> Result<[usize; 2], Fault> {
        let mut output = [0; 2];
        for axis in 0..2 {
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
        let (k, d, name) = (self.kernel_size[axis], self.dilation[axis], AXES[axis]);
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
            fault.fix(Fix::SetArgument {
                advice: format!("the largest {name} that fits is {padded}"),
                name: "kernel",
                value: if self.kernel_size[0] == self.kernel_size[1] {
                    padded.to_string()
                } else {
                    let mut kernel = self.kernel_size;
                    kernel[axis] = padded;
                    format!("({}, {})", kernel[0], kernel[1])
                },
            })
        } else {
            fault.advice("use a smaller kernel, less dilation or more padding")
        }
    }

    /// Resolves `same` and `same_tf` for this window over an input of the given height and width.
    pub fn resolve_padding(&self, padding: Padding, input: [usize; 2]) -> Result<[usize; 4], Fault> {
        let mut sides = [0; 4];
        match padding {
            Padding::Sides(sides) => return Ok(sides),
            Padding::Same if self.stride != [1, 1] => {
                let [h, w] = self.stride;
                return Err(Fault::new(&codes::BAD_ARGUMENT, format!("padding `same` needs stride 1, not ({h}, {w})"))
                    .about("padding")
                    .fix(Fix::SetArgument {
                        advice: "for a stride, TensorFlow's rule has a name of its own".into(),
                        name: "padding",
                        value: "same_tf".into(),
                    }));
            }
            Padding::Same | Padding::SameTf => {}
        }
        for axis in 0..2 {
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

/// Channels, height and width of the single input of a layer that works on maps.
pub(crate) fn map_input(layer: &str, inputs: &[&Shape]) -> Result<[usize; 3], Fault> {
    let shape = single_input(layer, inputs)?;
    shape.as_map().ok_or_else(|| {
        Fault::new(
            &codes::BAD_RANK,
            format!("`{layer}` takes a map (channels, height, width), but the value here is {shape}"),
        )
        .advice(if shape.len() == 1 {
            "after `flatten` or `dense` there are no rows and columns left; move this layer before them"
        } else {
            "give the input three sizes, channels first"
        })
    })
}

/// The single input of a layer.
pub(crate) fn single_input<'a>(layer: &str, inputs: &[&'a Shape]) -> Result<&'a Shape, Fault> {
    match inputs {
        [shape] => Ok(shape),
        _ => Err(Fault::new(&codes::SHAPE_MISMATCH, format!("`{layer}` takes one input, not {}", inputs.len()))),
    }
}
