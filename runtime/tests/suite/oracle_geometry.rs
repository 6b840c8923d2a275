//! Ops that move, widen and pool sequences, maps, volumes and channels, by their definitions in PyTorch's documentation,
//! in f64. What has fewer axes is a volume whose first ones have the size 1.

use cnn_ir::Op;
use cnn_ir::ops::{ConvTransposeSpec, CropSpec, FractionalMaxPoolSpec, PadMode, PadSpec, UpsampleMode, UpsampleSpec};

/// Channels, depth, height and width.
type Volume = [usize; 4];

/// The output for one example of shape `shape`.
pub fn solve(op: &Op, shape: &[usize], x: &[f64], parameters: &[Vec<f64>], output_shape: &[usize]) -> Vec<f64> {
    let channels_of = |channels: Vec<usize>| {
        let places = x.len() / shape[0];
        channels.into_iter().flat_map(|channel| x[channel * places..][..places].to_vec()).collect()
    };
    match op {
        Op::ChannelShuffle(spec) => {
            let group = shape[0] / spec.groups;
            return channels_of((0..group).flat_map(|j| (0..spec.groups).map(move |i| i * group + j)).collect());
        }
        Op::Slice(spec) => return channels_of((spec.start..spec.end).collect()),
        Op::Reshape(_) => return x.to_vec(),
        _ => {}
    }
    let (input, output) = (volume(shape), volume(output_shape));
    match op {
        Op::AdaptiveAvgPool1d(_) | Op::AdaptiveAvgPool2d(_) | Op::AdaptiveAvgPool3d(_) => {
            adaptive(input, x, output, |window| {
                let count = window.len() as f64;
                window.into_iter().sum::<f64>() / count
            })
        }
        Op::AdaptiveMaxPool1d(_) | Op::AdaptiveMaxPool2d(_) | Op::AdaptiveMaxPool3d(_) => {
            adaptive(input, x, output, largest)
        }
        Op::GlobalMaxPool1d(_) | Op::GlobalMaxPool2d(_) | Op::GlobalMaxPool3d(_) => adaptive(input, x, output, largest),
        Op::FractionalMaxPool2d(spec) => fractional(spec, input, x, output),
        Op::FractionalMaxPool3d(spec) => fractional(spec, input, x, output),
        Op::ConvTranspose1d(spec) => conv_transpose(spec, input, x, parameters, output),
        Op::ConvTranspose2d(spec) => conv_transpose(spec, input, x, parameters, output),
        Op::ConvTranspose3d(spec) => conv_transpose(spec, input, x, parameters, output),
        Op::Upsample1d(spec) => upsample(spec, input, x, output),
        Op::Upsample2d(spec) => upsample(spec, input, x, output),
        Op::Upsample3d(spec) => upsample(spec, input, x, output),
        Op::Pad1d(spec) => pad(spec, input, x, output),
        Op::Pad2d(spec) => pad(spec, input, x, output),
        Op::Pad3d(spec) => pad(spec, input, x, output),
        Op::Crop1d(spec) => crop(spec, input, x, output),
        Op::Crop2d(spec) => crop(spec, input, x, output),
        Op::Crop3d(spec) => crop(spec, input, x, output),
        // No output is right: the problem fails.
        _ => Vec::new(),
    }
}

fn volume(shape: &[usize]) -> Volume {
    let missing = vec![1; 4 - shape.len()];
    [&shape[..1], &missing, &shape[1..]].concat().try_into().unwrap()
}

/// What holds for an axis (from 1) of a volume, of what is told for the last ones.
fn of_axis<T: Copy>(values: &[T], axis: usize, missing: T) -> T {
    (axis + values.len()).checked_sub(4).map_or(missing, |i| values[i])
}

/// The same of what is told before and after each axis: before.
fn before(sides: &[usize], axis: usize) -> usize {
    of_axis(&sides.iter().step_by(2).copied().collect::<Vec<_>>(), axis, 0)
}

/// Calls `f` for every element of the output.
fn each_place(shape: Volume, f: impl FnMut(Volume) -> f64) -> Vec<f64> {
    let [_, d, h, w] = shape;
    let elements: usize = shape.iter().product();
    (0..elements).map(|i| [i / (d * h * w), i / (h * w) % d, i / w % h, i % w]).map(f).collect()
}

fn index([_, d, h, w]: Volume, [c, z, y, x]: Volume) -> usize {
    ((c * d + z) * h + y) * w + x
}

/// The elements of a box, given by the places along each axis.
fn elements(shape: Volume, x: &[f64], c: usize, places: [Vec<usize>; 3]) -> Vec<f64> {
    let [slices, rows, columns] = places;
    let mut found = Vec::new();
    for &z in &slices {
        for &y in &rows {
            found.extend(columns.iter().map(|&column| x[index(shape, [c, z, y, column])]));
        }
    }
    found
}

/// Nothing is larger than NaN.
fn largest(window: Vec<f64>) -> f64 {
    window.into_iter().fold(f64::NEG_INFINITY, |a, b| if a.is_nan() || a > b { a } else { b })
}

/// start = ⌊i·n/outputs⌋, end = ⌈(i+1)·n/outputs⌉ on each axis.
fn adaptive(shape: Volume, x: &[f64], output: Volume, combine: impl Fn(Vec<f64>) -> f64) -> Vec<f64> {
    each_place(output, |place| {
        let places = [1, 2, 3].map(|axis| {
            let (n, outputs, i) = (shape[axis] as f64, output[axis] as f64, place[axis] as f64);
            ((i * n / outputs).floor() as usize..((i + 1.0) * n / outputs).ceil() as usize).collect()
        });
        combine(elements(shape, x, place[0], places))
    })
}

/// Graham's pseudorandom regions with PyTorch's ends, the samples of each channel from the seed. Places are found in f32,
/// as PyTorch finds them.
fn fractional<const D: usize>(spec: &FractionalMaxPoolSpec<D>, shape: Volume, x: &[f64], output: Volume) -> Vec<f64> {
    let sample = |i: usize| {
        // splitmix64's (i + 1)-th number.
        let mut z = spec.seed.wrapping_add(0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(i as u64 + 1));
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 40) as f32 / 16_777_216.0
    };
    each_place(output, |place| {
        let places = [1, 2, 3].map(|axis| {
            let Some(own) = (axis + D).checked_sub(4) else { return vec![0] };
            let (i, outputs, kernel) = (place[axis], output[axis], spec.kernel_size[own]);
            let room = shape[axis] - kernel;
            let start = if i == outputs - 1 {
                room
            } else {
                // The samples of a map begin with its width, those of a volume with its depth.
                let (alpha, u) =
                    (room as f32 / (outputs - 1) as f32, sample(place[0] * D + if D == 2 { 1 - own } else { own }));
                ((i as f32 + u) * alpha).floor() as usize - (u * alpha).floor() as usize
            };
            (start..start + kernel).collect()
        });
        largest(elements(shape, x, place[0], places))
    })
}

/// Every element of the input adds its multiple of the kernel to the output.
fn conv_transpose<const D: usize, const S: usize>(
    spec: &ConvTransposeSpec<D, S>,
    shape: Volume,
    x: &[f64],
    parameters: &[Vec<f64>],
    output_shape: Volume,
) -> Vec<f64> {
    let kernel = [1, 2, 3].map(|axis| of_axis(&spec.kernel_size, axis, 1));
    let taps: usize = kernel.iter().product();
    let (inner, outer) = (spec.in_channels / spec.groups, spec.out_channels / spec.groups);
    let mut output = each_place(output_shape, |[c, ..]| if spec.bias { parameters[1][c] } else { 0.0 });
    let mut value = x.iter();
    each_place(shape, |place| {
        let (channel, value) = (place[0], value.next().unwrap());
        for (o, tap) in (0..outer).flat_map(|o| (0..taps).map(move |tap| (o, tap))) {
            let at = [tap / (kernel[1] * kernel[2]), tap / kernel[2] % kernel[1], tap % kernel[2]];
            let to = [1, 2, 3].map(|axis| {
                let (stride, dilation) = (of_axis(&spec.stride, axis, 1), of_axis(&spec.dilation, axis, 1));
                (place[axis] * stride + at[axis - 1] * dilation).checked_sub(before(&spec.padding, axis))
            });
            if let [Some(z), Some(y), Some(x)] = to
                && z < output_shape[1]
                && y < output_shape[2]
                && x < output_shape[3]
            {
                let weight = parameters[0][(channel * outer + o) * taps + tap];
                output[index(output_shape, [channel / inner * outer + o, z, y, x])] += value * weight;
            }
        }
        0.0
    });
    output
}

/// `torch.nn.functional.interpolate`. Places for `Nearest` are found in f32, as PyTorch finds them.
fn upsample<const D: usize>(spec: &UpsampleSpec<D>, shape: Volume, x: &[f64], output: Volume) -> Vec<f64> {
    let scale = |axis: usize| match spec.scale_factor {
        _ if spec.align_corners && output[axis] == 1 => 0.0,
        _ if spec.align_corners => (shape[axis] - 1) as f64 / (output[axis] - 1) as f64,
        Some(scale) => 1.0 / of_axis(&scale, axis, 1.0),
        None => shape[axis] as f64 / output[axis] as f64,
    };
    each_place(output, |place| {
        // Two places along each axis and the share of the second.
        let pairs = [1, 2, 3].map(|axis| {
            let (i, last) = (place[axis], shape[axis] - 1);
            let corner = match spec.mode {
                UpsampleMode::Nearest => Some(0.0),
                UpsampleMode::NearestExact => Some(0.5),
                _ => None,
            };
            if let Some(corner) = corner {
                let at = (((i as f32 + corner) * scale(axis) as f32) as usize).min(last);
                return (at, at, 0.0);
            }
            let centre = if spec.align_corners { 0.0 } else { 0.5 };
            let at = ((i as f64 + centre) * scale(axis) - centre).clamp(0.0, last as f64);
            (at as usize, (at as usize + 1).min(last), at.fract())
        });
        (0..8)
            .map(|corner| {
                let mut share = 1.0;
                let [z, y, column] = [0, 1, 2].map(|axis| {
                    let (first, second, weight) = pairs[axis];
                    let is_second = corner >> axis & 1 == 1;
                    share *= if is_second { weight } else { 1.0 - weight };
                    if is_second { second } else { first }
                });
                // An infinite element whose share is nothing does not count.
                if share == 0.0 { 0.0 } else { share * x[index(shape, [place[0], z, y, column])] }
            })
            .sum()
    })
}

fn pad<const D: usize, const S: usize>(spec: &PadSpec<D, S>, shape: Volume, x: &[f64], output: Volume) -> Vec<f64> {
    each_place(output, |place| {
        let places = [1, 2, 3].map(|axis| {
            let (n, i) = (shape[axis] as i64, place[axis] as i64 - before(&spec.padding, axis) as i64);
            match spec.mode {
                PadMode::Zeros => (0..n).contains(&i).then_some(i as usize),
                PadMode::Reflect => Some((n - 1 - (n - 1 - i.abs()).abs()) as usize),
                PadMode::Replicate => Some(i.clamp(0, n - 1) as usize),
                PadMode::Circular => Some(i.rem_euclid(n) as usize),
            }
        });
        match places {
            [Some(z), Some(y), Some(column)] => x[index(shape, [place[0], z, y, column])],
            _ => spec.value,
        }
    })
}

fn crop<const D: usize, const S: usize>(spec: &CropSpec<D, S>, shape: Volume, x: &[f64], output: Volume) -> Vec<f64> {
    each_place(output, |place| {
        let [z, y, column] = [1, 2, 3].map(|axis| place[axis] + before(&spec.sides, axis));
        x[index(shape, [place[0], z, y, column])]
    })
}
