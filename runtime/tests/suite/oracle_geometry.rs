//! Ops that move, widen and pool rows, columns and channels, by their definitions in PyTorch's documentation, in f64.

use cnn_ir::Op;
use cnn_ir::ops::{ConvTranspose2dSpec, FractionalMaxPool2dSpec, Pad2dSpec, PadMode, Upsample2dSpec, UpsampleMode};

/// The output for one example of shape `shape`.
pub fn solve(op: &Op, shape: &[usize], x: &[f64], parameters: &[Vec<f64>], output_shape: &[usize]) -> Vec<f64> {
    match op {
        Op::AdaptiveAvgPool2d(_) => adaptive(shape, x, output_shape, |window| {
            let count = window.len() as f64;
            window.into_iter().sum::<f64>() / count
        }),
        Op::AdaptiveMaxPool2d(_) | Op::GlobalMaxPool2d(_) => adaptive(shape, x, output_shape, largest),
        Op::FractionalMaxPool2d(spec) => fractional(spec, shape, x, output_shape),
        Op::ConvTranspose2d(spec) => conv_transpose2d(spec, shape, x, parameters, output_shape),
        Op::Upsample2d(spec) => upsample2d(spec, shape, x, output_shape),
        Op::Pad2d(spec) => pad2d(spec, shape, x, output_shape),
        Op::Crop2d(spec) => each_place(output_shape, |[c, row, column]| {
            x[(c * shape[1] + row + spec.sides[0]) * shape[2] + column + spec.sides[2]]
        }),
        Op::ChannelShuffle(spec) => {
            let places = x.len() / shape[0];
            let group = shape[0] / spec.groups;
            let channels = (0..group).flat_map(|j| (0..spec.groups).map(move |i| i * group + j));
            channels.flat_map(|channel| x[channel * places..][..places].to_vec()).collect()
        }
        Op::Slice(spec) => {
            let places = x.len() / shape[0];
            x[spec.start * places..spec.end * places].to_vec()
        }
        Op::Reshape(_) => x.to_vec(),
        // No output is right: the problem fails.
        _ => Vec::new(),
    }
}

/// Calls `f` for every element of the output: channel, row, column.
fn each_place(output_shape: &[usize], mut f: impl FnMut([usize; 3]) -> f64) -> Vec<f64> {
    let [channels, height, width] = output_shape.try_into().unwrap();
    (0..channels * height * width).map(|i| f([i / (height * width), i / width % height, i % width])).collect()
}

/// Nothing is larger than NaN.
fn largest(window: Vec<f64>) -> f64 {
    window.into_iter().fold(f64::NEG_INFINITY, |a, b| if a.is_nan() || a > b { a } else { b })
}

/// start = ⌊i·n/outputs⌋, end = ⌈(i+1)·n/outputs⌉ on each axis.
fn adaptive(shape: &[usize], x: &[f64], output_shape: &[usize], combine: impl Fn(Vec<f64>) -> f64) -> Vec<f64> {
    each_place(output_shape, |[c, row, column]| {
        let bounds = |axis: usize, i: usize| {
            let (n, outputs) = (shape[axis] as f64, output_shape[axis] as f64);
            (i as f64 * n / outputs).floor() as usize..((i + 1) as f64 * n / outputs).ceil() as usize
        };
        let at = |y: usize, x_: usize| x[(c * shape[1] + y) * shape[2] + x_];
        combine(bounds(1, row).flat_map(|y| bounds(2, column).map(move |x| at(y, x))).collect())
    })
}

/// Graham's pseudorandom regions with PyTorch's ends, the samples from the seed. Places are found in f32, as PyTorch
/// finds them.
fn fractional(spec: &FractionalMaxPool2dSpec, shape: &[usize], x: &[f64], output_shape: &[usize]) -> Vec<f64> {
    let sample = |i: u64| {
        // splitmix64's (i + 1)-th number.
        let mut z = spec.seed.wrapping_add(0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(i + 1));
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 40) as f32 / 16_777_216.0
    };
    let start = |axis: usize, i: usize| {
        let (outputs, room) = (output_shape[axis], shape[axis] - spec.kernel_size[axis - 1]);
        if i == outputs - 1 {
            return room;
        }
        let (alpha, u) = (room as f32 / (outputs - 1) as f32, sample(2 - axis as u64));
        ((i as f32 + u) * alpha).floor() as usize - (u * alpha).floor() as usize
    };
    each_place(output_shape, |[c, row, column]| {
        let (top, left) = (start(1, row), start(2, column));
        let [height, width] = spec.kernel_size;
        largest(
            (0..height * width).map(|i| x[(c * shape[1] + top + i / width) * shape[2] + left + i % width]).collect(),
        )
    })
}

/// Every element of the input adds its multiple of the kernel to the output.
fn conv_transpose2d(
    spec: &ConvTranspose2dSpec,
    shape: &[usize],
    x: &[f64],
    parameters: &[Vec<f64>],
    output_shape: &[usize],
) -> Vec<f64> {
    let [kh, kw] = spec.kernel_size;
    let (inner, outer) = (spec.in_channels / spec.groups, spec.out_channels / spec.groups);
    let mut output = each_place(output_shape, |[c, ..]| if spec.bias { parameters[1][c] } else { 0.0 });
    for (i, &value) in x.iter().enumerate() {
        let (channel, row, column) = (i / (shape[1] * shape[2]), i / shape[2] % shape[1], i % shape[2]);
        for o in 0..outer {
            for tap in 0..kh * kw {
                let y = (row * spec.stride[0] + tap / kw * spec.dilation[0]).checked_sub(spec.padding[0]);
                let x = (column * spec.stride[1] + tap % kw * spec.dilation[1]).checked_sub(spec.padding[2]);
                if let (Some(y), Some(x)) = (y, x)
                    && y < output_shape[1]
                    && x < output_shape[2]
                {
                    let to = channel / inner * outer + o;
                    let weight = parameters[0][(channel * outer + o) * kh * kw + tap];
                    output[(to * output_shape[1] + y) * output_shape[2] + x] += value * weight;
                }
            }
        }
    }
    output
}

/// `torch.nn.functional.interpolate`. Places for `Nearest` are found in f32, as PyTorch finds them.
fn upsample2d(spec: &Upsample2dSpec, shape: &[usize], x: &[f64], output_shape: &[usize]) -> Vec<f64> {
    let scale = |axis: usize| match spec.scale_factor {
        _ if spec.align_corners && output_shape[axis] == 1 => 0.0,
        _ if spec.align_corners => (shape[axis] - 1) as f64 / (output_shape[axis] - 1) as f64,
        Some(scale) => 1.0 / scale[axis - 1],
        None => shape[axis] as f64 / output_shape[axis] as f64,
    };
    let at = |c: usize, row: usize, column: usize| x[(c * shape[1] + row) * shape[2] + column];
    each_place(output_shape, |[c, row, column]| {
        if spec.mode == UpsampleMode::Nearest {
            let place = |axis: usize, i: usize| ((i as f32 * scale(axis) as f32) as usize).min(shape[axis] - 1);
            return at(c, place(1, row), place(2, column));
        }
        let place = |axis: usize, i: usize| {
            let centre = if spec.align_corners { 0.0 } else { 0.5 };
            ((i as f64 + centre) * scale(axis) - centre).clamp(0.0, (shape[axis] - 1) as f64)
        };
        let (y, x) = (place(1, row), place(2, column));
        let (above, left) = (y.floor() as usize, x.floor() as usize);
        let (below, right) = ((above + 1).min(shape[1] - 1), (left + 1).min(shape[2] - 1));
        let (down, over) = (y.fract(), x.fract());
        (at(c, above, left) * (1.0 - over) + at(c, above, right) * over) * (1.0 - down)
            + (at(c, below, left) * (1.0 - over) + at(c, below, right) * over) * down
    })
}

fn pad2d(spec: &Pad2dSpec, shape: &[usize], x: &[f64], output_shape: &[usize]) -> Vec<f64> {
    each_place(output_shape, |[c, row, column]| {
        let place = |axis: usize, i: usize| {
            let (n, i) = (shape[axis] as i64, i as i64 - spec.padding[2 * axis - 2] as i64);
            match spec.mode {
                PadMode::Zeros => (0..n).contains(&i).then_some(i as usize),
                PadMode::Reflect => Some((n - 1 - (n - 1 - i.abs()).abs()) as usize),
                PadMode::Replicate => Some(i.clamp(0, n - 1) as usize),
            }
        };
        match (place(1, row), place(2, column)) {
            (Some(row), Some(column)) => x[(c * shape[1] + row) * shape[2] + column],
            _ => spec.value,
        }
    })
}
