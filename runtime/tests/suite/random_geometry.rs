//! Ops that move, widen and pool rows, columns and channels, with random sizes and options.

use super::Problem;
use cnn_ir::ops::{
    AdaptiveAvgPool2dSpec, AdaptiveMaxPool2dSpec, ChannelShuffleSpec, ConvTranspose2dSpec, Crop2dSpec,
    FractionalMaxPool2dSpec, GlobalMaxPool2dSpec, Pad2dSpec, PadMode, ReshapeSpec, SliceSpec, Upsample2dSpec,
    UpsampleMode,
};
use cnn_ir::{Op, Shape};
use proptest::prelude::*;

/// A problem on a map that the oracle has solved.
pub fn problem() -> impl Strategy<Value = Problem> {
    let pair = |least: usize, most: usize| prop::array::uniform2(least..=most);
    let channels = (1..=4usize, 1..=3usize, 1..=3usize); // groups, inputs and outputs per group
    let sides = prop::array::uniform4(0..=3usize);
    let steps = (pair(1, 4), pair(1, 3), pair(0, 2)); // stride, dilation, output padding
    (0..11, 1..=3usize, pair(1, 9), channels, pair(1, 12), steps, sides, any::<[bool; 2]>(), 0..3usize).prop_filter_map(
        "the shape rule refuses it",
        |(kind, batch, [height, width], (groups, inner, outer), size, steps, sides, [flag, other_flag], choice)| {
            let (stride, dilation, output_padding) = steps;
            let channels = groups * inner;
            let op: Op = match kind {
                0 => AdaptiveAvgPool2dSpec::new(size).into(),
                1 => AdaptiveMaxPool2dSpec::new(size).into(),
                2 => GlobalMaxPool2dSpec::new().into(),
                3 => ConvTranspose2dSpec {
                    stride,
                    dilation,
                    output_padding,
                    groups,
                    padding: sides,
                    bias: flag,
                    ..ConvTranspose2dSpec::new(channels, groups * outer, size.map(|size| size.div_ceil(3)))
                }
                .into(),
                4 => Upsample2dSpec {
                    size: (choice == 0).then_some(size),
                    scale_factor: (choice != 0).then(|| [0, 1].map(|i| size[i] as f64 / stride[i] as f64)),
                    mode: if flag { UpsampleMode::Bilinear } else { UpsampleMode::Nearest },
                    align_corners: flag && other_flag,
                }
                .into(),
                5 => {
                    let mode = [PadMode::Zeros, PadMode::Reflect, PadMode::Circular][choice];
                    Pad2dSpec { mode, value: if flag && choice == 0 { 1.5 } else { 0.0 }, ..Pad2dSpec::new(sides) }
                        .into()
                }
                6 => Crop2dSpec::new(sides).into(),
                7 => ChannelShuffleSpec::new(groups).into(),
                8 => FractionalMaxPool2dSpec { seed: choice as u64, ..FractionalMaxPool2dSpec::new(dilation, size) }
                    .into(),
                9 => SliceSpec::new(choice, choice + inner).into(),
                _ => ReshapeSpec::new([width, channels, height]).into(),
            };
            let shape = [channels, height, width];
            op.output_shape(&[&Shape::new(&shape).ok()?]).ok()?;
            Some(Problem::computed("random", op, batch, &shape, 2.0))
        },
    )
}
