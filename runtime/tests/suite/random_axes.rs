//! Ops over one axis and over three, with random sizes and options.

use super::Problem;
use cnn_ir::ops::{
    AdaptiveAvgPool1dSpec, AdaptiveAvgPool3dSpec, AdaptiveMaxPool1dSpec, AdaptiveMaxPool3dSpec, AvgPool1dSpec,
    AvgPool3dSpec, Conv1dSpec, Conv3dSpec, ConvTranspose1dSpec, ConvTranspose3dSpec, ConvTransposeSpec, Crop1dSpec,
    Crop3dSpec, FractionalMaxPool3dSpec, GlobalAvgPool1dSpec, GlobalAvgPool3dSpec, GlobalMaxPool1dSpec,
    GlobalMaxPool3dSpec, MaxPool1dSpec, MaxPool3dSpec, Pad1dSpec, Pad3dSpec, PadMode, PadSpec, Upsample1dSpec,
    Upsample3dSpec, UpsampleMode, UpsampleSpec,
};
use cnn_ir::{Op, Shape};
use proptest::prelude::*;

/// A problem on a sequence or a volume that the oracle has solved.
pub fn problem() -> impl Strategy<Value = Problem> {
    prop_oneof![windows(), moved()]
}

/// Convolutions and pools over windows.
fn windows() -> impl Strategy<Value = Problem> {
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
                    stride: [stride[0]],
                    padding: [first, second],
                    dilation: [dilation[0]],
                    groups,
                    bias: flag,
                    ..Conv1dSpec::new(channels, groups * outer, [kernel_size[0]])
                }
                .into(),
                1 => MaxPool1dSpec {
                    padding: [half[0], half[1]],
                    dilation: [dilation[0]],
                    ceil_mode: flag,
                    ..MaxPool1dSpec::new([kernel_size[0]], [stride[0]])
                }
                .into(),
                2 => AvgPool1dSpec {
                    padding: [half[0], half[1]],
                    ceil_mode: flag,
                    count_include_pad: other_flag,
                    ..AvgPool1dSpec::new([kernel_size[0]], [stride[0]])
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

/// Ops that move, widen and pool.
fn moved() -> impl Strategy<Value = Problem> {
    let triple = |least: usize, most: usize| prop::array::uniform3(least..=most);
    let channels = (1..=3usize, 1..=2usize, 1..=2usize); // groups, inputs and outputs per group
    let steps = (triple(1, 3), triple(1, 3), triple(1, 2), triple(0, 1)); // kernel, stride, dilation, output padding
    let sides = prop::array::uniform6(0..=2usize);
    (0..9, any::<bool>(), 1..=3usize, triple(1, 5), channels, triple(1, 7), steps, sides, (0..4usize, any::<bool>()))
        .prop_filter_map(
            "the shape rule refuses it",
            |(kind, is_long, batch, sizes, channels, size, steps, sides, more)| {
                let (groups, inner, outer) = channels;
                let (mode, flag) = more;
                let modes = [PadMode::Zeros, PadMode::Reflect, PadMode::Replicate, PadMode::Circular];
                let [length, ..] = size;
                let ends = [sides[0], sides[1]];
                let op: Op = match (kind, is_long) {
                    (0, true) => AdaptiveAvgPool1dSpec::new([length]).into(),
                    (0, false) => AdaptiveAvgPool3dSpec::new(size).into(),
                    (1, true) => AdaptiveMaxPool1dSpec::new([length]).into(),
                    (1, false) => AdaptiveMaxPool3dSpec::new(size).into(),
                    (2, true) => GlobalMaxPool1dSpec::new().into(),
                    (2, false) => GlobalMaxPool3dSpec::new().into(),
                    (3, true) => GlobalAvgPool1dSpec::new().into(),
                    (3, false) => GlobalAvgPool3dSpec::new().into(),
                    (4, true) => Crop1dSpec::new(ends).into(),
                    (4, false) => Crop3dSpec::new(sides).into(),
                    (5, true) => padded(Pad1dSpec::new(ends), modes[mode]).into(),
                    (5, false) => padded(Pad3dSpec::new(sides), modes[mode]).into(),
                    (6, true) => Upsample1dSpec::into(upsampled([length], [steps.1[0]], UpsampleMode::Linear, more)),
                    (6, false) => Upsample3dSpec::into(upsampled(size, steps.1, UpsampleMode::Trilinear, more)),
                    (7, true) => {
                        let spec = ConvTranspose1dSpec::new(groups * inner, groups * outer, [steps.0[0]]);
                        let (stride, dilation) = ([steps.1[0]], [steps.2[0]]);
                        let padding = ends;
                        let output_padding = [steps.3[0]];
                        ConvTransposeSpec { stride, dilation, padding, output_padding, groups, bias: flag, ..spec }
                            .into()
                    }
                    (7, false) => {
                        let (kernel_size, stride, dilation, output_padding) = steps;
                        let spec = ConvTranspose3dSpec::new(groups * inner, groups * outer, kernel_size);
                        ConvTransposeSpec {
                            stride,
                            dilation,
                            padding: sides,
                            output_padding,
                            groups,
                            bias: flag,
                            ..spec
                        }
                        .into()
                    }
                    _ => FractionalMaxPool3dSpec { seed: mode as u64, ..FractionalMaxPool3dSpec::new(steps.0, size) }
                        .into(),
                };
                let [depth, height, width] = sizes;
                let channels = groups * inner;
                let shape = if is_long { vec![channels, depth * width] } else { vec![channels, depth, height, width] };
                op.output_shape(&[&Shape::new(&shape).ok()?]).ok()?;
                Some(Problem::computed("random", op, batch, &shape, 2.0))
            },
        )
}

fn padded<const D: usize, const S: usize>(spec: PadSpec<D, S>, mode: PadMode) -> PadSpec<D, S> {
    PadSpec { mode, value: if mode == PadMode::Zeros { 1.5 } else { 0.0 }, ..spec }
}

fn upsampled<const D: usize>(
    size: [usize; D],
    parts: [usize; D],
    linear: UpsampleMode,
    (choice, align_corners): (usize, bool),
) -> UpsampleSpec<D> {
    let mode = [UpsampleMode::Nearest, UpsampleMode::NearestExact, linear, linear][choice];
    let factors = std::array::from_fn(|axis| size[axis] as f64 / parts[axis] as f64);
    UpsampleSpec {
        size: (choice % 2 == 0).then_some(size),
        scale_factor: (choice % 2 == 1).then_some(factors),
        mode,
        align_corners: align_corners && mode == linear,
    }
}
