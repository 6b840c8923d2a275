//! Ops that move, widen and pool rows, columns and channels: numbers published with their definitions, and every
//! option against the oracle.

use super::Problem;
use cnn_ir::Op;
use cnn_ir::ops::{
    AdaptiveAvgPool2dSpec, AdaptiveMaxPool2dSpec, ChannelShuffleSpec, ConvTranspose2dSpec, Crop2dSpec,
    FractionalMaxPool2dSpec, GlobalMaxPool2dSpec, Pad2dSpec, PadMode, ReshapeSpec, SliceSpec, Upsample2dSpec,
    UpsampleMode,
};

pub fn problems() -> Vec<Problem> {
    let mut problems = published();
    problems.extend(special());
    let cases = options().into_iter().enumerate();
    // Batches of 1, 2 and 3 in turn.
    problems
        .extend(cases.map(|(i, (op, shape))| Problem::computed(&format!("geometry {i}"), op, 1 + i % 3, &shape, 2.0)));
    problems
}

/// n, n+1, …, m.
fn range(n: usize, m: usize) -> Vec<f32> {
    (n..=m).map(|v| v as f32).collect()
}

fn transpose(in_channels: usize, out_channels: usize, kernel_size: [usize; 2]) -> ConvTranspose2dSpec {
    ConvTranspose2dSpec { bias: false, ..ConvTranspose2dSpec::new(in_channels, out_channels, kernel_size) }
}

fn by(scale: f64, mode: UpsampleMode) -> Upsample2dSpec {
    Upsample2dSpec { scale_factor: Some([scale; 2]), mode, ..Upsample2dSpec::new() }
}

fn to(size: [usize; 2], mode: UpsampleMode) -> Upsample2dSpec {
    Upsample2dSpec { size: Some(size), mode, ..Upsample2dSpec::new() }
}

use PadMode::{Reflect, Replicate};
use UpsampleMode::{Bilinear, Nearest};

/// Examples from PyTorch's documentation of `Upsample`, `ReflectionPad2d`, `ReplicationPad2d` and `ChannelShuffle`, and
/// from "Dive into Deep Learning", section 14.10, for the transposed convolution.
fn published() -> Vec<Problem> {
    let two = || (&[1, 2, 2][..], range(1, 4));
    let three = || (&[1, 3, 3][..], range(0, 8));
    let exact =
        |name, op: Op, input, shape: &[usize], output: &[f64]| Problem::exact(name, op, input, &[], (shape, output));
    let (a, b) = (4.0 / 3.0, 5.0 / 3.0);
    let kernel: &[f32] = &[0., 1., 2., 3.];
    let transposed = |name, spec: ConvTranspose2dSpec, size: usize, output: &[f64]| {
        Problem::exact(name, spec, (&[1, 2, 2], range(0, 3)), &[kernel], (&[1, size, size], output))
    };
    vec![
        exact(
            "nearest",
            by(2.0, Nearest).into(),
            two(),
            &[1, 4, 4],
            &[1., 1., 2., 2., 1., 1., 2., 2., 3., 3., 4., 4., 3., 3., 4., 4.],
        ),
        exact(
            "bilinear",
            by(2.0, Bilinear).into(),
            two(),
            &[1, 4, 4],
            &[1., 1.25, 1.75, 2., 1.5, 1.75, 2.25, 2.5, 2.5, 2.75, 3.25, 3.5, 3., 3.25, 3.75, 4.],
        ),
        exact(
            "align_corners",
            Upsample2dSpec { align_corners: true, ..by(2.0, Bilinear) }.into(),
            two(),
            &[1, 4, 4],
            &[1., a, b, 2., b, 2., 1. + a, 1. + b, 1. + a, 1. + b, 3., 2. + a, 3., 2. + a, 2. + b, 4.],
        ),
        exact(
            "reflection",
            Pad2dSpec { mode: Reflect, ..Pad2dSpec::new([2; 4]) }.into(),
            three(),
            &[1, 7, 7],
            &[
                8., 7., 6., 7., 8., 7., 6., 5., 4., 3., 4., 5., 4., 3., 2., 1., 0., 1., 2., 1., 0., 5., 4., 3., 4., 5.,
                4., 3., 8., 7., 6., 7., 8., 7., 6., 5., 4., 3., 4., 5., 4., 3., 2., 1., 0., 1., 2., 1., 0.,
            ],
        ),
        exact(
            "uneven reflection",
            Pad2dSpec { mode: Reflect, ..Pad2dSpec::new([2, 0, 1, 1]) }.into(),
            three(),
            &[1, 5, 5],
            &[7., 6., 7., 8., 7., 4., 3., 4., 5., 4., 1., 0., 1., 2., 1., 4., 3., 4., 5., 4., 7., 6., 7., 8., 7.],
        ),
        exact(
            "uneven replication",
            Pad2dSpec { mode: Replicate, ..Pad2dSpec::new([2, 0, 1, 1]) }.into(),
            three(),
            &[1, 5, 5],
            &[0., 0., 1., 2., 2., 0., 0., 1., 2., 2., 0., 0., 1., 2., 2., 3., 3., 4., 5., 5., 6., 6., 7., 8., 8.],
        ),
        exact(
            "shuffle",
            ChannelShuffleSpec::new(2).into(),
            (&[4, 1, 2], range(1, 8)),
            &[4, 1, 2],
            &[1., 2., 5., 6., 3., 4., 7., 8.],
        ),
        transposed("transposed", transpose(1, 1, [2, 2]), 3, &[0., 0., 1., 0., 4., 6., 4., 12., 9.]),
        transposed(
            "transposed, apart",
            ConvTranspose2dSpec { stride: [2, 2], ..transpose(1, 1, [2, 2]) },
            4,
            &[0., 0., 0., 1., 0., 0., 2., 3., 0., 2., 0., 3., 4., 6., 6., 9.],
        ),
        transposed("transposed, cut", ConvTranspose2dSpec { padding: [1; 4], ..transpose(1, 1, [2, 2]) }, 1, &[4.]),
        exact("adaptive average", AdaptiveAvgPool2dSpec::new([1, 2]).into(), three(), &[1, 1, 2], &[3.5, 4.5]),
        exact("adaptive maximum", AdaptiveMaxPool2dSpec::new([2, 1]).into(), three(), &[1, 2, 1], &[5., 8.]),
        exact("global maximum", GlobalMaxPool2dSpec::new().into(), three(), &[1, 1, 1], &[8.]),
        exact("crop", Crop2dSpec::new([1, 0, 0, 2]).into(), three(), &[1, 2, 1], &[3., 6.]),
        exact("slice", SliceSpec::new(1, 3).into(), (&[4, 1, 2], range(0, 7)), &[2, 1, 2], &[2., 3., 4., 5.]),
        exact(
            "reshape",
            ReshapeSpec::new([4, 2]).into(),
            (&[8], range(0, 7)),
            &[4, 2],
            &[0., 1., 2., 3., 4., 5., 6., 7.],
        ),
    ]
}

/// Numbers that are infinite or none stay where they are.
fn special() -> Vec<Problem> {
    const INF: f32 = f32::INFINITY;
    let hole = [1.0, f32::NAN, 3.0, -INF, 5.0, 6.0, -7.0, 8.0, INF, -INF, -INF, -2.0];
    let ops: [Op; 11] = [
        FractionalMaxPool2dSpec::new([2, 2], [2, 3]).into(),
        AdaptiveAvgPool2dSpec::new([2, 3]).into(),
        AdaptiveMaxPool2dSpec::new([2, 3]).into(),
        AdaptiveMaxPool2dSpec::new([3, 4]).into(),
        GlobalMaxPool2dSpec::new().into(),
        by(1.5, Nearest).into(),
        Pad2dSpec { value: -3.0, ..Pad2dSpec::new([1; 4]) }.into(),
        Pad2dSpec { mode: Reflect, ..Pad2dSpec::new([2, 1, 0, 3]) }.into(),
        Pad2dSpec { mode: Replicate, ..Pad2dSpec::new([2, 1, 0, 3]) }.into(),
        Crop2dSpec::new([1, 0, 1, 0]).into(),
        SliceSpec::new(0, 1).into(),
    ];
    ops.into_iter().map(|op| Problem::computed_on("special numbers", op, 1, &[1, 3, 4], hole.to_vec())).collect()
}

fn options() -> Vec<(Op, Vec<usize>)> {
    let mut cases: Vec<(Op, Vec<usize>)> = Vec::new();
    let mut on = |shape: &[usize], op: Op| cases.push((op, shape.to_vec()));

    let map = &[3, 7, 8];
    for size in [[1, 1], [7, 8], [2, 3], [3, 5], [6, 4], [1, 8], [9, 20]] {
        on(map, AdaptiveAvgPool2dSpec::new(size).into());
        on(map, AdaptiveMaxPool2dSpec::new(size).into());
    }
    on(&[2, 1, 1], AdaptiveAvgPool2dSpec::new([3, 2]).into());
    on(&[2, 24, 32], AdaptiveAvgPool2dSpec::new([6, 8]).into());
    on(map, GlobalMaxPool2dSpec::new().into());
    on(&[4, 1, 1], GlobalMaxPool2dSpec::new().into());
    on(&[2, 5, 37], GlobalMaxPool2dSpec::new().into());

    for (kernel, size) in [([2, 3], [4, 3]), ([1, 1], [7, 8]), ([7, 8], [1, 1]), ([3, 2], [1, 6]), ([2, 2], [6, 7])] {
        for seed in [0, 1, 12_345] {
            on(map, FractionalMaxPool2dSpec { seed, ..FractionalMaxPool2dSpec::new(kernel, size) }.into());
        }
    }
    on(&[2, 40, 31], FractionalMaxPool2dSpec::new([2, 3], [28, 22]).into());

    let map = &[4, 5, 6];
    let transpose = || ConvTranspose2dSpec::new(4, 6, [3, 3]);
    on(map, transpose().into());
    on(map, ConvTranspose2dSpec { bias: false, ..transpose() }.into());
    on(map, ConvTranspose2dSpec { kernel_size: [1, 1], ..transpose() }.into());
    on(map, ConvTranspose2dSpec { kernel_size: [2, 4], ..transpose() }.into());
    on(map, ConvTranspose2dSpec { kernel_size: [2, 2], stride: [2, 2], ..transpose() }.into());
    on(map, ConvTranspose2dSpec { kernel_size: [1, 2], stride: [3, 4], ..transpose() }.into()); // gaps
    on(map, ConvTranspose2dSpec { stride: [2, 3], ..transpose() }.into());
    on(map, ConvTranspose2dSpec { padding: [1; 4], ..transpose() }.into());
    on(map, ConvTranspose2dSpec { padding: [1, 2, 0, 3], ..transpose() }.into());
    on(map, ConvTranspose2dSpec { padding: [3, 1, 3, 3], ..transpose() }.into()); // more than the kernel reaches
    on(map, ConvTranspose2dSpec { stride: [2, 2], padding: [1; 4], output_padding: [1, 1], ..transpose() }.into());
    on(map, ConvTranspose2dSpec { stride: [3, 2], output_padding: [2, 1], ..transpose() }.into());
    on(map, ConvTranspose2dSpec { dilation: [2, 3], ..transpose() }.into());
    on(
        map,
        ConvTranspose2dSpec { dilation: [2, 3], output_padding: [1, 2], padding: [2, 0, 1, 4], ..transpose() }.into(),
    );
    on(map, ConvTranspose2dSpec { dilation: [3, 2], stride: [2, 3], padding: [1; 4], ..transpose() }.into());
    on(map, ConvTranspose2dSpec { groups: 2, ..transpose() }.into());
    on(map, ConvTranspose2dSpec { groups: 2, bias: false, stride: [2, 1], padding: [1; 4], ..transpose() }.into());
    on(map, ConvTranspose2dSpec { groups: 4, out_channels: 4, ..transpose() }.into()); // depthwise
    on(map, ConvTranspose2dSpec { groups: 4, out_channels: 12, stride: [2, 2], ..transpose() }.into());
    on(map, ConvTranspose2dSpec { out_channels: 1, ..transpose() }.into());
    on(&[1, 5, 6], ConvTranspose2dSpec { in_channels: 1, ..transpose() }.into());
    on(&[4, 1, 1], ConvTranspose2dSpec { kernel_size: [4, 4], ..transpose() }.into());
    let uneven = ConvTranspose2dSpec { stride: [2, 3], dilation: [3, 1], padding: [2, 0, 1, 1], ..transpose() };
    on(&[4, 1, 2], ConvTranspose2dSpec { kernel_size: [2, 2], output_padding: [2, 0], ..uneven }.into());
    // All that is left of the input is what output_padding adds: the bias.
    let beyond = ConvTranspose2dSpec { kernel_size: [1, 1], dilation: [4, 4], output_padding: [3, 3], ..transpose() };
    on(&[4, 2, 2], ConvTranspose2dSpec { padding: [3, 0, 2, 0], ..beyond }.into());
    on(&[17, 5, 6], ConvTranspose2dSpec { stride: [2, 2], ..ConvTranspose2dSpec::new(17, 33, [2, 2]) }.into());

    let map = &[2, 5, 6];
    for mode in [Nearest, Bilinear] {
        for scale in [1.0, 2.0, 3.0, 1.5, 2.3, 0.5, 0.7] {
            on(map, by(scale, mode).into());
        }
        on(map, Upsample2dSpec { scale_factor: Some([2.0, 1.25]), mode, ..Upsample2dSpec::new() }.into());
        for size in [[1, 1], [5, 6], [10, 18], [13, 4], [7, 35]] {
            on(map, to(size, mode).into());
        }
        on(&[1, 1, 1], to([3, 4], mode).into());
    }
    for size in [[1, 1], [5, 6], [9, 11], [3, 17]] {
        on(map, Upsample2dSpec { align_corners: true, ..to(size, Bilinear) }.into());
    }
    on(map, Upsample2dSpec { align_corners: true, ..by(2.5, Bilinear) }.into());
    on(&[1, 1, 3], Upsample2dSpec { align_corners: true, ..by(2.0, Bilinear) }.into());

    for mode in [PadMode::Zeros, Reflect, Replicate] {
        for padding in [[0; 4], [1; 4], [2, 0, 0, 3], [4, 3, 5, 5]] {
            on(map, Pad2dSpec { mode, ..Pad2dSpec::new(padding) }.into());
        }
    }
    on(map, Pad2dSpec { value: 1.5, ..Pad2dSpec::new([1, 2, 3, 4]) }.into());
    on(map, Pad2dSpec { value: -0.5, ..Pad2dSpec::new([0; 4]) }.into());
    on(&[1, 1, 1], Pad2dSpec { mode: Replicate, ..Pad2dSpec::new([2, 1, 3, 0]) }.into());

    on(map, Crop2dSpec::new([0; 4]).into());
    on(map, Crop2dSpec::new([1; 4]).into());
    on(map, Crop2dSpec::new([4, 0, 2, 3]).into());

    for shape in [&[12][..], &[12, 3], &[12, 2, 5], &[12, 2, 1, 2, 3]] {
        for groups in [1, 2, 3, 4, 12] {
            on(shape, ChannelShuffleSpec::new(groups).into());
        }
        for (start, end) in [(0, 12), (0, 1), (11, 12), (3, 8)] {
            on(shape, SliceSpec::new(start, end).into());
        }
        on(shape, ReshapeSpec::new(shape).into());
        on(shape, ReshapeSpec::new([shape.iter().product::<usize>()]).into());
        on(shape, ReshapeSpec::new([4, shape.iter().product::<usize>() / 4]).into());
    }
    cases
}
