//! The operators with numbers that anyone can check by hand; most are from "Dive into Deep Learning", chapter 7.

use super::Problem;
use cnn_ir::ops::{AvgPool2dSpec, Conv2dSpec, DenseSpec, FlattenSpec, GlobalAvgPool2dSpec, MaxPool2dSpec, SoftmaxSpec};

/// n, n+1, …, m.
fn range(n: usize, m: usize) -> Vec<f32> {
    (n..=m).map(|v| v as f32).collect()
}

fn conv(in_channels: usize, out_channels: usize, kernel_size: [usize; 2]) -> Conv2dSpec {
    Conv2dSpec { bias: false, ..Conv2dSpec::new(in_channels, out_channels, kernel_size) }
}

fn max_pool(kernel_size: [usize; 2], stride: [usize; 2], padding: [usize; 4]) -> MaxPool2dSpec {
    MaxPool2dSpec { padding, ..MaxPool2dSpec::new(kernel_size, stride) }
}

pub fn problems() -> Vec<Problem> {
    let two = || [range(0, 8), range(1, 9)].concat();
    let edge = |column: usize| if (2..6).contains(&column) { 0.0 } else { 1.0 };
    let image: Vec<f32> = (0..48).map(|i| edge(i % 8)).collect();
    let transposed: Vec<f32> = (0..48).map(|i| edge(i / 6)).collect();
    let edges: Vec<f64> = (0..42).map(|i| [0.0, 1.0, 0.0, 0.0, 0.0, -1.0, 0.0][i % 7]).collect();
    let four = || range(0, 15);
    let pairs = || [range(0, 15), range(16, 31)].concat();
    vec![
        Problem::exact(
            "cross-correlation",
            conv(1, 1, [2, 2]),
            (&[1, 3, 3], range(0, 8)),
            &[&[0., 1., 2., 3.]],
            (&[1, 2, 2], &[19., 25., 37., 43.]),
        ),
        Problem::exact(
            "two input channels",
            conv(2, 1, [2, 2]),
            (&[2, 3, 3], two()),
            &[&[0., 1., 2., 3., 1., 2., 3., 4.]],
            (&[1, 2, 2], &[56., 72., 104., 120.]),
        ),
        Problem::exact(
            "three output channels",
            conv(2, 3, [2, 2]),
            (&[2, 3, 3], two()),
            &[&[0., 1., 2., 3., 1., 2., 3., 4., 1., 2., 3., 4., 2., 3., 4., 5., 2., 3., 4., 5., 3., 4., 5., 6.]],
            (&[3, 2, 2], &[56., 72., 104., 120., 76., 100., 148., 172., 96., 128., 192., 224.]),
        ),
        Problem::exact(
            "bias",
            Conv2dSpec::new(1, 2, [1, 1]),
            (&[1, 1, 2], vec![1., 2.]),
            &[&[3., 4.], &[10., 20.]],
            (&[2, 1, 2], &[13., 16., 24., 28.]),
        ),
        Problem::exact("vertical edges", conv(1, 1, [1, 2]), (&[1, 6, 8], image), &[&[1., -1.]], (&[1, 6, 7], &edges)),
        Problem::exact(
            "no vertical edges",
            conv(1, 1, [1, 2]),
            (&[1, 8, 6], transposed),
            &[&[1., -1.]],
            (&[1, 8, 5], &[0.; 40]),
        ),
        Problem { tolerance: 1e-6, ..Problem::computed("1×1 convolution", conv(3, 2, [1, 1]), 1, &[3, 3, 3], 1.0) },
        Problem::exact(
            "max pool",
            max_pool([2, 2], [1, 1], [0; 4]),
            (&[1, 3, 3], range(0, 8)),
            &[],
            (&[1, 2, 2], &[4., 5., 7., 8.]),
        ),
        Problem::exact(
            "average pool",
            AvgPool2dSpec::new([2, 2], [1, 1]),
            (&[1, 3, 3], range(0, 8)),
            &[],
            (&[1, 2, 2], &[2., 3., 5., 6.]),
        ),
        Problem::exact("max pool 3", max_pool([3, 3], [3, 3], [0; 4]), (&[1, 4, 4], four()), &[], (&[1, 1, 1], &[10.])),
        Problem::exact(
            "padded max pool",
            max_pool([3, 3], [2, 2], [1; 4]),
            (&[1, 4, 4], four()),
            &[],
            (&[1, 2, 2], &[5., 7., 13., 15.]),
        ),
        Problem::exact(
            "uneven max pool",
            max_pool([2, 3], [2, 3], [1; 4]),
            (&[1, 4, 4], four()),
            &[],
            (&[1, 3, 2], &[1., 3., 9., 11., 13., 15.]),
        ),
        Problem::exact(
            "max pool of two channels",
            max_pool([3, 3], [2, 1], [1; 4]),
            (&[2, 4, 4], pairs()),
            &[],
            (&[2, 2, 4], &[5., 6., 7., 7., 13., 14., 15., 15., 21., 22., 23., 23., 29., 30., 31., 31.]),
        ),
        Problem::exact(
            "dense",
            DenseSpec::new(2, 3),
            (&[2], vec![1., 2.]),
            &[&[1., 2., 3., 4., 5., 6.], &[0.5, 0., -1.]],
            (&[3], &[5.5, 11., 16.]),
        ),
        Problem::exact(
            "global average pool",
            GlobalAvgPool2dSpec::new(),
            (&[2, 4, 4], pairs()),
            &[],
            (&[2, 1, 1], &[7.5, 23.5]),
        ),
        Problem::exact("flatten", FlattenSpec::new(), (&[2, 2, 1], range(0, 3)), &[], (&[4], &[0., 1., 2., 3.])),
        Problem::exact("softmax", SoftmaxSpec::new(), (&[2], vec![0., f32::ln(3.0)]), &[], (&[2], &[0.25, 0.75])),
        // The window that would start behind the input is dropped; the one that starts in it is cut.
        Problem::exact(
            "ceil_mode",
            MaxPool2dSpec { ceil_mode: true, ..max_pool([1, 2], [3, 3], [0; 4]) },
            (&[1, 5, 4], range(0, 19)),
            &[],
            (&[1, 2, 2], &[1., 3., 13., 15.]),
        ),
        Problem::exact(
            "average over cut windows",
            AvgPool2dSpec { ceil_mode: true, ..AvgPool2dSpec::new([2, 2], [2, 2]) },
            (&[1, 3, 3], range(0, 8)),
            &[],
            (&[1, 2, 2], &[2., 3.5, 6.5, 8.]),
        ),
        Problem::exact(
            "average with padding",
            AvgPool2dSpec { padding: [1; 4], ..AvgPool2dSpec::new([2, 2], [2, 2]) },
            (&[1, 2, 2], vec![4., 8., 12., 16.]),
            &[],
            (&[1, 2, 2], &[1., 2., 3., 4.]),
        ),
        Problem::exact(
            "average without padding",
            AvgPool2dSpec { padding: [1; 4], count_include_pad: false, ..AvgPool2dSpec::new([2, 2], [2, 2]) },
            (&[1, 2, 2], vec![4., 8., 12., 16.]),
            &[],
            (&[1, 2, 2], &[4., 8., 12., 16.]),
        ),
    ]
}
