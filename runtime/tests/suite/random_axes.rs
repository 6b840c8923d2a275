//! Convolutions and pools over one axis and over three, with random sizes and options.

use super::Problem;
use cnn_ir::ops::{AvgPool1dSpec, AvgPool3dSpec, Conv1dSpec, Conv3dSpec, MaxPool1dSpec, MaxPool3dSpec};
use cnn_ir::{Op, Shape};
use proptest::prelude::*;

/// A problem on a sequence or a volume that the oracle has solved.
pub fn problem() -> impl Strategy<Value = Problem> {
    let triple = |most: usize| prop::array::uniform3(1..=most);
    let channels = (1..=3usize, 1..=2usize, 1..=2usize); // groups, inputs and outputs per group
    let window = (triple(3), triple(3), triple(2), any::<[u8; 6]>());
    (0..6, 1..=3usize, triple(6), channels, window, any::<[bool; 2]>(), prop::option::of(1..9usize)).prop_filter_map(
        "the shape rule refuses it",
        |(
            kind,
            batch,
            [depth, height, width],
            (groups, inner, outer),
            window,
            [flag, other_flag],
            divisor_override,
        )| {
            let (kernel_size, stride, dilation, sides) = window;
            let channels = groups * inner;
            let within = |most: fn(usize) -> usize| {
                let mut padding = [0; 6];
                for (i, side) in padding.iter_mut().enumerate() {
                    *side = usize::from(sides[i]) % (most(kernel_size[i / 2]) + 1);
                }
                padding
            };
            let (padding, half) = (within(|size| size), within(|size| size / 2));
            let [first, second, ..] = padding;
            let op: Op = match kind {
                0 => Conv1dSpec {
                    stride: stride[0],
                    padding: [first, second],
                    dilation: dilation[0],
                    groups,
                    bias: flag,
                    ..Conv1dSpec::new(channels, groups * outer, kernel_size[0])
                }
                .into(),
                1 => MaxPool1dSpec {
                    padding: [half[0], half[1]],
                    dilation: dilation[0],
                    ceil_mode: flag,
                    ..MaxPool1dSpec::new(kernel_size[0], stride[0])
                }
                .into(),
                2 => AvgPool1dSpec {
                    padding: [half[0], half[1]],
                    ceil_mode: flag,
                    count_include_pad: other_flag,
                    ..AvgPool1dSpec::new(kernel_size[0], stride[0])
                }
                .into(),
                3 => Conv3dSpec {
                    stride,
                    padding,
                    dilation,
                    groups,
                    bias: flag,
                    ..Conv3dSpec::new(channels, groups * outer, kernel_size)
                }
                .into(),
                4 => MaxPool3dSpec {
                    padding: half,
                    dilation,
                    ceil_mode: flag,
                    ..MaxPool3dSpec::new(kernel_size, stride)
                }
                .into(),
                _ => AvgPool3dSpec {
                    padding: half,
                    ceil_mode: flag,
                    count_include_pad: other_flag,
                    divisor_override,
                    ..AvgPool3dSpec::new(kernel_size, stride)
                }
                .into(),
            };
            let shape = if kind < 3 { vec![channels, depth * width] } else { vec![channels, depth, height, width] };
            op.output_shape(&[&Shape::new(&shape).ok()?]).ok()?;
            Some(Problem::computed("random", op, batch, &shape, 2.0))
        },
    )
}
