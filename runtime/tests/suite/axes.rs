//! Convolutions and pools over one axis and over three: every option against the oracle.

use super::Problem;
use cnn_ir::Op;
use cnn_ir::ops::{AvgPool1dSpec, AvgPool3dSpec, Conv1dSpec, Conv3dSpec, MaxPool1dSpec, MaxPool3dSpec};

pub fn problems() -> Vec<Problem> {
    let mut cases: Vec<(Op, Vec<usize>)> = Vec::new();
    let mut on = |shape: &[usize], op: Op| cases.push((op, shape.to_vec()));

    let sequence = &[4, 19];
    let conv = || Conv1dSpec::new(4, 6, [3]);
    on(sequence, conv().into());
    on(sequence, Conv1dSpec { bias: false, kernel_size: [1], ..conv() }.into());
    on(sequence, Conv1dSpec { stride: [2], padding: [1, 1], ..conv() }.into());
    on(sequence, Conv1dSpec { stride: [3], padding: [0, 4], dilation: [2], ..conv() }.into());
    on(sequence, Conv1dSpec { dilation: [8], padding: [5, 0], ..conv() }.into());
    on(sequence, Conv1dSpec { groups: 2, bias: false, ..conv() }.into());
    on(sequence, Conv1dSpec { groups: 4, out_channels: 8, kernel_size: [19], ..conv() }.into());
    on(&[1, 1], Conv1dSpec { padding: [1, 1], ..Conv1dSpec::new(1, 1, [3]) }.into());
    on(&[17, 40], Conv1dSpec::new(17, 33, [5]).into());
    let max = || MaxPool1dSpec::new([3], [2]);
    on(sequence, max().into());
    on(sequence, MaxPool1dSpec { padding: [1, 0], ..max() }.into());
    on(sequence, MaxPool1dSpec { dilation: [3], stride: [1], ..max() }.into());
    on(&[2, 20], MaxPool1dSpec { ceil_mode: true, padding: [1, 1], ..max() }.into());
    let avg = || AvgPool1dSpec::new([3], [2]);
    on(sequence, avg().into());
    on(sequence, AvgPool1dSpec { padding: [1, 0], ..avg() }.into());
    on(sequence, AvgPool1dSpec { padding: [1, 1], count_include_pad: false, ..avg() }.into());
    on(&[2, 20], AvgPool1dSpec { ceil_mode: true, padding: [0, 1], ..avg() }.into());

    let volume = &[4, 5, 6, 7];
    let conv = || Conv3dSpec::new(4, 6, [3, 2, 3]);
    on(volume, conv().into());
    on(volume, Conv3dSpec { bias: false, kernel_size: [1, 1, 1], ..conv() }.into());
    on(volume, Conv3dSpec { stride: [2, 1, 3], padding: [1; 6], ..conv() }.into());
    on(volume, Conv3dSpec { stride: [1, 2, 2], padding: [3, 0, 1, 2, 0, 4], ..conv() }.into());
    on(volume, Conv3dSpec { dilation: [2, 3, 1], padding: [0, 2, 0, 0, 1, 1], ..conv() }.into());
    on(volume, Conv3dSpec { groups: 2, bias: false, ..conv() }.into());
    on(volume, Conv3dSpec { groups: 4, out_channels: 4, stride: [2, 2, 2], ..conv() }.into());
    on(&[3, 4, 9, 8], Conv3dSpec { padding: [1; 6], ..Conv3dSpec::new(3, 5, [3, 3, 3]) }.into());
    on(&[1, 1, 1, 1], Conv3dSpec { padding: [1; 6], ..Conv3dSpec::new(1, 2, [3, 3, 3]) }.into());
    let max = || MaxPool3dSpec::new([2, 3, 2], [2, 2, 1]);
    on(volume, max().into());
    on(volume, MaxPool3dSpec { padding: [1, 0, 1, 1, 0, 1], ..max() }.into());
    on(volume, MaxPool3dSpec { dilation: [3, 2, 4], ..max() }.into());
    on(volume, MaxPool3dSpec { ceil_mode: true, ..MaxPool3dSpec::new([2, 2, 2], [2, 4, 3]) }.into());
    let avg = || AvgPool3dSpec::new([2, 3, 2], [2, 2, 1]);
    on(volume, avg().into());
    on(volume, AvgPool3dSpec { padding: [1, 0, 1, 1, 0, 1], ..avg() }.into());
    on(volume, AvgPool3dSpec { padding: [1, 0, 1, 1, 0, 1], count_include_pad: false, ..avg() }.into());
    on(volume, AvgPool3dSpec { ceil_mode: true, padding: [1, 1, 0, 1, 1, 0], ..avg() }.into());
    on(volume, AvgPool3dSpec { divisor_override: Some(5), padding: [1, 0, 1, 1, 0, 1], ..avg() }.into());

    // Batches of 1, 2 and 3 in turn.
    let cases = cases.into_iter().enumerate();
    cases.map(|(i, (op, shape))| Problem::computed(&format!("axes {i}"), op, 1 + i % 3, &shape, 2.0)).collect()
}
