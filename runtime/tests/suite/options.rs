//! Every option of every op, alone and together, against the oracle.

use super::Problem;
use cnn_ir::Op;
use cnn_ir::ops::{
    AvgPool2dSpec, Conv2dSpec, DenseSpec, DropoutSpec, ExternLayer, ExternSpec, FlattenSpec, GlobalAvgPool2dSpec,
    IdentitySpec, MaxPool2dSpec, ReluSpec, SigmoidSpec, SoftmaxSpec, TanhSpec,
};

fn conv() -> Conv2dSpec {
    Conv2dSpec::new(4, 6, [3, 3])
}

fn max() -> MaxPool2dSpec {
    MaxPool2dSpec::new([3, 3], [2, 2])
}

fn avg() -> AvgPool2dSpec {
    AvgPool2dSpec::new([3, 3], [2, 2])
}

/// A layer of somebody's own.
struct Mirror;

impl ExternLayer for Mirror {
    fn forward(&self, _: &[usize], input: &[f32], output: &mut [f32]) {
        output.iter_mut().zip(input.iter().rev()).for_each(|(y, x)| *y = x / 2.0);
    }
}

pub fn problems() -> Vec<Problem> {
    let mut cases: Vec<(Op, Vec<usize>)> = Vec::new();
    let mut on = |shape: &[usize], op: Op| cases.push((op, shape.to_vec()));

    let map = &[4, 9, 8];
    on(map, conv().into());
    on(map, Conv2dSpec { bias: false, ..conv() }.into());
    on(map, Conv2dSpec { kernel_size: [1, 1], ..conv() }.into());
    on(map, Conv2dSpec { kernel_size: [1, 1], stride: [2, 2], ..conv() }.into());
    on(map, Conv2dSpec { kernel_size: [5, 3], padding: [2, 2, 1, 1], ..conv() }.into());
    on(map, Conv2dSpec { kernel_size: [2, 4], ..conv() }.into());
    on(map, Conv2dSpec { kernel_size: [9, 8], ..conv() }.into());
    on(map, Conv2dSpec { stride: [2, 3], ..conv() }.into());
    on(map, Conv2dSpec { stride: [4, 1], padding: [1; 4], ..conv() }.into());
    on(map, Conv2dSpec { stride: [7, 9], ..conv() }.into());
    on(map, Conv2dSpec { padding: [1, 2, 0, 3], ..conv() }.into());
    on(map, Conv2dSpec { padding: [0, 1, 4, 0], stride: [2, 2], ..conv() }.into());
    on(map, Conv2dSpec { padding: [5; 4], ..conv() }.into()); // windows in padding alone
    on(map, Conv2dSpec { dilation: [2, 1], ..conv() }.into());
    on(map, Conv2dSpec { dilation: [4, 3], padding: [2; 4], ..conv() }.into()); // dilation larger than the kernel
    on(map, Conv2dSpec { dilation: [2, 3], stride: [3, 2], padding: [1, 0, 2, 3], ..conv() }.into());
    on(map, Conv2dSpec { groups: 2, ..conv() }.into());
    on(map, Conv2dSpec { groups: 2, bias: false, stride: [2, 1], padding: [1; 4], dilation: [1, 2], ..conv() }.into());
    on(map, Conv2dSpec { groups: 4, out_channels: 4, ..conv() }.into()); // depthwise
    on(map, Conv2dSpec { groups: 4, out_channels: 12, ..conv() }.into()); // depthwise, three outputs each
    on(map, Conv2dSpec { out_channels: 1, ..conv() }.into());
    on(&[1, 9, 8], Conv2dSpec { in_channels: 1, ..conv() }.into());
    on(&[4, 1, 1], Conv2dSpec { padding: [1; 4], ..conv() }.into());
    on(&[4, 3, 3], conv().into());
    on(&[4, 1, 16], Conv2dSpec { kernel_size: [1, 5], ..conv() }.into());
    on(&[17, 5, 6], Conv2dSpec::new(17, 33, [3, 3]).into()); // no round numbers
    // The table of output sizes: 8×8, 8×8, 4×4, 2×2.
    on(&[1, 8, 8], Conv2dSpec { padding: [1; 4], ..Conv2dSpec::new(1, 1, [3, 3]) }.into());
    on(&[1, 8, 8], Conv2dSpec { padding: [2, 2, 1, 1], ..Conv2dSpec::new(1, 1, [5, 3]) }.into());
    on(&[1, 8, 8], Conv2dSpec { padding: [1; 4], stride: [2, 2], ..Conv2dSpec::new(1, 1, [3, 3]) }.into());
    on(&[1, 8, 8], Conv2dSpec { padding: [0, 0, 1, 1], stride: [3, 4], ..Conv2dSpec::new(1, 1, [3, 5]) }.into());

    on(&[5], DenseSpec::new(5, 3).into());
    on(&[1], DenseSpec::new(1, 1).into());
    on(&[7], DenseSpec { bias: false, ..DenseSpec::new(7, 1) }.into());
    on(&[130], DenseSpec::new(130, 67).into());

    let map = &[3, 7, 8];
    on(map, max().into());
    on(map, MaxPool2dSpec { kernel_size: [2, 3], stride: [1, 3], ..max() }.into());
    on(map, MaxPool2dSpec { kernel_size: [1, 1], stride: [1, 1], ..max() }.into());
    on(map, MaxPool2dSpec { kernel_size: [7, 8], ..max() }.into());
    on(map, MaxPool2dSpec { kernel_size: [2, 2], stride: [3, 4], ..max() }.into()); // elements between the windows
    on(map, MaxPool2dSpec { padding: [1; 4], ..max() }.into());
    on(map, MaxPool2dSpec { padding: [1, 0, 0, 1], ..max() }.into());
    on(map, MaxPool2dSpec { dilation: [2, 3], ..max() }.into());
    on(map, MaxPool2dSpec { kernel_size: [2, 2], dilation: [5, 4], padding: [1; 4], ..max() }.into());
    on(map, MaxPool2dSpec { ceil_mode: true, ..max() }.into());
    on(map, MaxPool2dSpec { ceil_mode: true, kernel_size: [2, 2], stride: [4, 5], ..max() }.into());
    on(map, MaxPool2dSpec { ceil_mode: true, padding: [1, 1, 0, 1], dilation: [2, 2], stride: [3, 2], ..max() }.into());
    on(&[1, 5, 5], MaxPool2dSpec { ceil_mode: true, kernel_size: [1, 1], stride: [3, 3], ..max() }.into());
    on(&[2, 1, 1], MaxPool2dSpec { padding: [1; 4], ..max() }.into());
    // Every tap of the one window lies in padding, so the maximum is −∞, as in PyTorch.
    on(&[1, 1, 1], MaxPool2dSpec { kernel_size: [2, 2], dilation: [2, 2], padding: [1; 4], ..max() }.into());

    on(map, avg().into());
    on(map, AvgPool2dSpec { kernel_size: [2, 3], stride: [1, 3], ..avg() }.into());
    on(map, AvgPool2dSpec { kernel_size: [1, 1], stride: [3, 2], ..avg() }.into());
    on(map, AvgPool2dSpec { kernel_size: [7, 8], ..avg() }.into());
    on(map, AvgPool2dSpec { padding: [1; 4], ..avg() }.into());
    on(map, AvgPool2dSpec { padding: [1, 0, 0, 1], ..avg() }.into());
    on(map, AvgPool2dSpec { padding: [1; 4], count_include_pad: false, ..avg() }.into());
    on(map, AvgPool2dSpec { padding: [0, 1, 1, 0], count_include_pad: false, ..avg() }.into());
    on(map, AvgPool2dSpec { ceil_mode: true, ..avg() }.into());
    on(map, AvgPool2dSpec { ceil_mode: true, padding: [1; 4], ..avg() }.into());
    on(map, AvgPool2dSpec { ceil_mode: true, padding: [1, 0, 0, 1], count_include_pad: false, ..avg() }.into());
    on(map, AvgPool2dSpec { ceil_mode: true, kernel_size: [2, 2], stride: [4, 5], ..avg() }.into());
    on(map, AvgPool2dSpec { divisor_override: Some(5), padding: [1; 4], ..avg() }.into());
    on(map, AvgPool2dSpec { divisor_override: Some(1), ceil_mode: true, count_include_pad: false, ..avg() }.into());

    on(map, GlobalAvgPool2dSpec::new().into());
    on(&[4, 1, 1], GlobalAvgPool2dSpec::new().into());

    on(map, FlattenSpec::new().into());
    on(map, FlattenSpec { start_dim: 2, end_dim: None }.into());
    on(map, FlattenSpec { start_dim: 1, end_dim: Some(2) }.into());
    on(map, FlattenSpec { start_dim: 2, end_dim: Some(2) }.into());
    on(&[9], FlattenSpec::new().into());
    on(map, DropoutSpec::new().into());
    on(map, DropoutSpec { p: 1.0 }.into());

    for shape in [&[9][..], &[5, 3], map, &[2, 3, 2, 2, 3]] {
        on(shape, ExternSpec::new("mirror", &[], shape, shape, Mirror).into());
        on(shape, IdentitySpec::new().into());
        on(shape, ReluSpec::new().into());
        on(shape, SigmoidSpec::new().into());
        on(shape, TanhSpec::new().into());
        for dim in 1..=shape.len() {
            on(shape, SoftmaxSpec { dim }.into());
        }
    }

    // Batches of 1, 2 and 3 in turn.
    let cases = cases.into_iter().enumerate();
    cases.map(|(i, (op, shape))| Problem::computed(&format!("option {i}"), op, 1 + i % 3, &shape, 2.0)).collect()
}
