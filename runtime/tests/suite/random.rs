//! Layers with random sizes and options, whatever their shape rules allow.

use super::Problem;
use cnn_ir::ops::{AvgPool2dSpec, Conv2dSpec, MaxPool2dSpec};
use cnn_ir::{Op, Shape};
use proptest::prelude::*;

/// A problem that the oracle has solved.
pub fn problem() -> impl Strategy<Value = Problem> {
    prop_oneof![
        windows(),
        super::random_layers::problem(),
        super::random_geometry::problem(),
        super::random_axes::problem()
    ]
}

/// Convolutions and pools.
fn windows() -> impl Strategy<Value = Problem> {
    let pair = |most: usize| prop::array::uniform2(1..=most);
    // Groups, inputs and outputs per group; some fill blocks of channels.
    let few = (1..=4usize, 1..=3usize, 1..=3usize);
    let channels =
        prop_oneof![4 => few, 1 => (1..=2usize, 8..=20usize, 8..=20usize), 1 => (8..=40usize, Just(1), Just(1))];
    let window = (pair(4), pair(4), pair(3), prop::array::uniform4(0..=3usize));
    (0..3, 1..=3usize, pair(9), channels, window, any::<[bool; 2]>(), prop::option::of(1..9usize)).prop_filter_map(
        "the window does not fit",
        |(kind, batch, [height, width], (groups, inner, outer), window, [flag, other_flag], divisor_override)| {
            let (kernel_size, stride, dilation, padding) = window;
            let channels = groups * inner;
            let [top, bottom, left, right] = padding;
            let [rows, columns] = kernel_size.map(|size| size / 2);
            let pool_padding = [top.min(rows), bottom.min(rows), left.min(columns), right.min(columns)];
            let op: Op = match kind {
                0 => Conv2dSpec {
                    stride,
                    padding,
                    dilation,
                    groups,
                    bias: flag,
                    ..Conv2dSpec::new(channels, groups * outer, kernel_size)
                }
                .into(),
                1 => MaxPool2dSpec {
                    padding: pool_padding,
                    dilation,
                    ceil_mode: flag,
                    ..MaxPool2dSpec::new(kernel_size, stride)
                }
                .into(),
                _ => AvgPool2dSpec {
                    padding: pool_padding,
                    ceil_mode: flag,
                    count_include_pad: other_flag,
                    divisor_override,
                    ..AvgPool2dSpec::new(kernel_size, stride)
                }
                .into(),
            };
            let shape = [channels, height, width];
            op.output_shape(&[&Shape::new(&shape).ok()?]).ok()?;
            Some(Problem::computed("random", op, batch, &shape, 2.0))
        },
    )
}
