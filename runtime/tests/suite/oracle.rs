//! Every op by its definition, in f64, one loop per axis.

use cnn_ir::ops::{
    AvgPool2dSpec, BatchNormSpec, Conv2dSpec, ConvSpec, GeluApproximate, LocalResponseNormSpec, MaxPool2dSpec, PadMode,
    PadSpec,
};
use cnn_ir::{Op, Shape};
use std::f64::consts::PI;

/// The output for one example. Inputs are shapes and elements.
pub fn solve(op: &Op, inputs: &[(&[usize], &[f64])], parameters: &[Vec<f64>], output_shape: &[usize]) -> Vec<f64> {
    let (shape, x) = inputs[0];
    let each = |f: fn(f64) -> f64| x.iter().map(|&v| f(v)).collect();
    match op {
        // Padding that is not of zeros: a pad, then a convolution without.
        Op::Conv1d(spec) if spec.padding_mode != PadMode::Zeros => padded(spec, shape, x, parameters, output_shape),
        Op::Conv2d(spec) if spec.padding_mode != PadMode::Zeros => padded(spec, shape, x, parameters, output_shape),
        Op::Conv3d(spec) if spec.padding_mode != PadMode::Zeros => padded(spec, shape, x, parameters, output_shape),
        Op::Conv2d(spec) => conv2d(spec, &Map::new(shape, x), parameters, output_shape),
        Op::Dense(spec) => (0..spec.out_features)
            .map(|o| {
                let row = &parameters[0][o * spec.in_features..][..spec.in_features];
                let bias = if spec.bias { parameters[1][o] } else { 0.0 };
                row.iter().zip(x).map(|(w, v)| w * v).sum::<f64>() + bias
            })
            .collect(),
        Op::MaxPool2d(spec) => max_pool2d(spec, &Map::new(shape, x), output_shape),
        Op::AvgPool2d(spec) => avg_pool2d(spec, &Map::new(shape, x), output_shape),
        Op::GlobalAvgPool1d(_) | Op::GlobalAvgPool2d(_) | Op::GlobalAvgPool3d(_) => {
            let places = shape[1..].iter().product::<usize>();
            x.chunks(places).map(|channel| channel.iter().sum::<f64>() / places as f64).collect()
        }
        Op::Flatten(_) | Op::Dropout(_) => x.to_vec(),
        // That of the options: the elements from the last to the first, halved.
        Op::Extern(_) => x.iter().rev().map(|v| v / 2.0).collect(),
        Op::Relu(_) => each(|v| if v.is_nan() { v } else { v.max(0.0) }),
        Op::Sigmoid(_) => each(|v| 1.0 / (1.0 + (-v).exp())),
        Op::Tanh(_) => each(f64::tanh),
        Op::Softmax(spec) => softmax(x, shape, spec.dim - 1),
        Op::LogSoftmax(spec) => log_softmax(x, shape, spec.dim - 1),
        Op::Relu6(_) => each(|v| if v.is_nan() { v } else { v.clamp(0.0, 6.0) }),
        Op::LeakyRelu(spec) => x.iter().map(|&v| if v < 0.0 { spec.negative_slope * v } else { v }).collect(),
        Op::Prelu(spec) => {
            let weight = |i: usize| parameters[0][if spec.num_parameters == 1 { 0 } else { i * shape[0] / x.len() }];
            x.iter().enumerate().map(|(i, &v)| if v < 0.0 { weight(i) * v } else { v }).collect()
        }
        Op::Elu(spec) => x.iter().map(|&v| if v < 0.0 { spec.alpha * v.exp_m1() } else { v }).collect(),
        Op::Silu(_) => each(|v| v / (1.0 + (-v).exp())),
        Op::Gelu(spec) if spec.approximate == GeluApproximate::None => each(|v| v * normal_distribution(v)),
        Op::Gelu(_) => each(|v| 0.5 * v * (1.0 + ((2.0 / PI).sqrt() * (v + 0.044715 * v.powi(3))).tanh())),
        Op::HardSigmoid(_) => each(hard_sigmoid),
        Op::HardSwish(_) => each(|v| v * hard_sigmoid(v)),
        Op::Identity(_) => x.to_vec(),
        Op::BatchNorm(spec) => batch_norm(spec, x, parameters),
        Op::GroupNorm(spec) => norm(x, x.len() / spec.num_groups, spec.eps, x.len() / spec.num_channels, parameters),
        Op::InstanceNorm(spec) => {
            let places = x.len() / spec.num_features;
            norm(x, places, spec.eps, places, parameters)
        }
        Op::LayerNorm(spec) => norm(x, product(&spec.normalized_shape), spec.eps, 1, parameters),
        Op::LocalResponseNorm(spec) => local_response_norm(spec, x, shape),
        Op::Add(_) => (0..x.len()).map(|i| inputs.iter().map(|(_, x)| x[i]).sum()).collect(),
        Op::Mul(_) => (0..output_shape.iter().product())
            .map(|i: usize| inputs.iter().map(|(_, x)| x[i * x.len() / product(output_shape)]).product())
            .collect(),
        Op::Concat(spec) => concat(inputs, spec.dim - 1),
        Op::Conv1d(_) | Op::Conv3d(_) | Op::MaxPool1d(_) | Op::MaxPool3d(_) | Op::AvgPool1d(_) | Op::AvgPool3d(_) => {
            super::oracle_axes::solve(op, shape, x, parameters, output_shape)
        }
        _ => super::oracle_geometry::solve(op, shape, x, parameters, output_shape),
    }
}

/// The same for the `i`-th example of a batch: shapes without the batch, elements of all examples.
pub fn solve_example(
    op: &Op,
    (i, batch): (usize, usize),
    inputs: &[(&[usize], &[f64])],
    parameters: &[Vec<f64>],
    output_shape: &[usize],
) -> Vec<f64> {
    let example = |&(shape, x): &(_, _)| -> (_, _) { (shape, part(x, i, batch)) };
    solve(op, &inputs.iter().map(example).collect::<Vec<_>>(), parameters, output_shape)
}

/// One of `parts` of equal length.
fn part(x: &[f64], i: usize, parts: usize) -> &[f64] {
    let size = x.len() / parts;
    &x[i * size..][..size]
}

fn padded<const D: usize, const S: usize>(
    spec: &ConvSpec<D, S>,
    shape: &[usize],
    x: &[f64],
    parameters: &[Vec<f64>],
    output_shape: &[usize],
) -> Vec<f64>
where
    Op: From<ConvSpec<D, S>> + From<PadSpec<D, S>>,
{
    let (pad, bare) = spec.split_padding().unwrap();
    let pad = Op::from(pad);
    let padded = pad.output_shape(&[&Shape::new(shape).unwrap()]).unwrap();
    let around = super::oracle_geometry::solve(&pad, shape, x, &[], &padded);
    solve(&bare.into(), &[(&*padded, &*around)], parameters, output_shape)
}

/// `[C, H, W]` that can be asked for places outside.
struct Map<'a> {
    size: [usize; 3],
    data: &'a [f64],
}

impl<'a> Map<'a> {
    fn new(shape: &[usize], data: &'a [f64]) -> Self {
        Self { size: shape.try_into().unwrap(), data }
    }

    /// The element `(y, x)` counted from `(top, left)` before the map; `None` outside.
    fn at(&self, channel: usize, [y, x]: [usize; 2], [top, left]: [usize; 2]) -> Option<f64> {
        let [_, height, width] = self.size;
        let (y, x) = (y.checked_sub(top)?, x.checked_sub(left)?);
        (y < height && x < width).then(|| self.data[(channel * height + y) * width + x])
    }
}

/// Calls `f` for every element of the output: channel, row, column.
fn for_each_place(output_shape: &[usize], mut f: impl FnMut(usize, [usize; 2]) -> f64) -> Vec<f64> {
    let [channels, height, width] = output_shape.try_into().unwrap();
    let mut output = Vec::new();
    for channel in 0..channels {
        for y in 0..height {
            for x in 0..width {
                output.push(f(channel, [y, x]));
            }
        }
    }
    output
}

fn conv2d(spec: &Conv2dSpec, input: &Map, parameters: &[Vec<f64>], output_shape: &[usize]) -> Vec<f64> {
    let [kernel_height, kernel_width] = spec.kernel_size;
    let (in_group, out_group) = (spec.in_channels / spec.groups, spec.out_channels / spec.groups);
    for_each_place(output_shape, |o, [y, x]| {
        let mut sum = if spec.bias { parameters[1][o] } else { 0.0 };
        for i in 0..in_group {
            for ky in 0..kernel_height {
                for kx in 0..kernel_width {
                    let place =
                        [y * spec.stride[0] + ky * spec.dilation[0], x * spec.stride[1] + kx * spec.dilation[1]];
                    let channel = o / out_group * in_group + i;
                    let weight = parameters[0][((o * in_group + i) * kernel_height + ky) * kernel_width + kx];
                    sum += weight * input.at(channel, place, [spec.padding[0], spec.padding[2]]).unwrap_or(0.0);
                }
            }
        }
        sum
    })
}

fn max_pool2d(spec: &MaxPool2dSpec, input: &Map, output_shape: &[usize]) -> Vec<f64> {
    for_each_place(output_shape, |c, [y, x]| {
        let mut largest = f64::NEG_INFINITY;
        for ky in 0..spec.kernel_size[0] {
            for kx in 0..spec.kernel_size[1] {
                let place = [y * spec.stride[0] + ky * spec.dilation[0], x * spec.stride[1] + kx * spec.dilation[1]];
                if let Some(v) = input.at(c, place, [spec.padding[0], spec.padding[2]])
                    && (v > largest || v.is_nan())
                {
                    largest = v; // nothing is larger than NaN
                }
            }
        }
        largest
    })
}

/// As PyTorch: windows are cut at the padded input's end, and `count_include_pad` decides what of the rest counts.
fn avg_pool2d(spec: &AvgPool2dSpec, input: &Map, output_shape: &[usize]) -> Vec<f64> {
    let [top, bottom, left, right] = spec.padding;
    for_each_place(output_shape, |c, [y, x]| {
        let (mut sum, mut inside, mut padded) = (0.0, 0, 0);
        for ky in 0..spec.kernel_size[0] {
            for kx in 0..spec.kernel_size[1] {
                let place = [y * spec.stride[0] + ky, x * spec.stride[1] + kx];
                if let Some(v) = input.at(c, place, [top, left]) {
                    sum += v;
                    inside += 1;
                }
                let [_, height, width] = input.size;
                padded += usize::from(place[0] < top + height + bottom && place[1] < left + width + right);
            }
        }
        let counted = if spec.count_include_pad { padded } else { inside };
        sum / spec.divisor_override.unwrap_or(counted) as f64
    })
}

/// `parameters` are weight and bias, if it is affine, then mean and variance.
fn batch_norm(spec: &BatchNormSpec, x: &[f64], parameters: &[Vec<f64>]) -> Vec<f64> {
    let (affine, statistics) = if spec.affine { parameters.split_at(2) } else { (&[][..], parameters) };
    let normalized = |i: usize| {
        let channel = i * spec.num_features / x.len();
        let y = (x[i] - statistics[0][channel]) / (statistics[1][channel] + spec.eps).sqrt();
        if spec.affine { y * affine[0][channel] + affine[1][channel] } else { y }
    };
    (0..x.len()).map(normalized).collect()
}

/// Batch norm in training: the output of the whole batch by the batch's own mean and (biased) variance, and the running
/// mean and (unbiased) variance afterwards. `x` has a batch of `batch` examples; `parameters` are those of the op.
pub fn batch_norm_training(
    spec: &BatchNormSpec,
    batch: usize,
    x: &[f64],
    parameters: &[Vec<f64>],
) -> (Vec<f64>, [Vec<f64>; 2]) {
    let (affine, running) = if spec.affine { parameters.split_at(2) } else { (&[][..], parameters) };
    let channels = spec.num_features;
    let places = x.len() / batch / channels;
    let channel = |i: usize| i / places % channels;
    let count = (batch * places) as f64;
    let mean_of =
        |f: &dyn Fn(usize) -> f64, c: usize| (0..x.len()).filter(|&i| channel(i) == c).map(f).sum::<f64>() / count;
    let mean: Vec<f64> = (0..channels).map(|c| mean_of(&|i| x[i], c)).collect();
    let variance: Vec<f64> = (0..channels).map(|c| mean_of(&|i| (x[i] - mean[c]).powi(2), c)).collect();
    let normalized = |i: usize| {
        let c = channel(i);
        let y = (x[i] - mean[c]) / (variance[c] + spec.eps).sqrt();
        if spec.affine { y * affine[0][c] + affine[1][c] } else { y }
    };
    let moved = |old: &[f64], new: &[f64], factor: f64| {
        old.iter().zip(new).map(|(old, new)| (1.0 - spec.momentum) * old + spec.momentum * factor * new).collect()
    };
    let statistics = [moved(&running[0], &mean, 1.0), moved(&running[1], &variance, count / (count - 1.0))];
    ((0..x.len()).map(normalized).collect(), statistics)
}

/// Every `part` adjacent elements by their own mean and variance; every `run` share a weight and a bias.
fn norm(x: &[f64], part: usize, eps: f64, run: usize, parameters: &[Vec<f64>]) -> Vec<f64> {
    let parameter = |index: usize, i: usize, none: f64| parameters.get(index).map_or(none, |p| p[i / run % p.len()]);
    let normalized = x.chunks(part).flat_map(|part| {
        let mean = part.iter().sum::<f64>() / part.len() as f64;
        let variance = part.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / part.len() as f64;
        part.iter().map(move |v| (v - mean) / (variance + eps).sqrt())
    });
    normalized.enumerate().map(|(i, y)| y * parameter(0, i, 1.0) + parameter(1, i, 0.0)).collect()
}

fn local_response_norm(spec: &LocalResponseNormSpec, x: &[f64], shape: &[usize]) -> Vec<f64> {
    let places = product(&shape[1..]);
    let normalized = |i: usize| {
        let (channel, place) = (i / places, i % places);
        // As PyTorch: padded by size/2 and (size−1)/2 channels of zeros, and the mean over `size` of them.
        let near = (0..shape[0]).filter(|c| c + spec.size / 2 >= channel && *c <= channel + (spec.size - 1) / 2);
        let sum: f64 = near.map(|c| x[c * places + place].powi(2)).sum();
        x[i] / (spec.k + spec.alpha * sum / spec.size as f64).powf(spec.beta)
    };
    (0..x.len()).map(normalized).collect()
}

fn hard_sigmoid(v: f64) -> f64 {
    if v.is_nan() { v } else { (v + 3.0).clamp(0.0, 6.0) / 6.0 }
}

/// ½ + φ(v)·Σ v^(2k+1) / (1·3·…·(2k+1)); beyond 6 the limit, which is near enough.
fn normal_distribution(v: f64) -> f64 {
    if v.is_nan() || v.abs() > 6.0 {
        return if v.is_nan() { v } else { f64::from(v > 0.0) };
    }
    let (mut term, mut sum) = (v, v);
    for k in 1..200 {
        term *= v * v / f64::from(2 * k + 1);
        sum += term;
    }
    0.5 + sum * (-v * v / 2.0).exp() / (2.0 * PI).sqrt()
}

fn product(sizes: &[usize]) -> usize {
    sizes.iter().product()
}

fn concat(inputs: &[(&[usize], &[f64])], axis: usize) -> Vec<f64> {
    let mut output = Vec::new();
    for outer in 0..product(&inputs[0].0[..axis]) {
        for (shape, x) in inputs {
            let length = product(&shape[axis..]);
            output.extend_from_slice(&x[outer * length..][..length]);
        }
    }
    output
}

fn log_softmax(x: &[f64], shape: &[usize], axis: usize) -> Vec<f64> {
    let (n, inner) = (shape[axis], product(&shape[axis + 1..]));
    let value = |i: usize| {
        let start = i / (n * inner) * n * inner + i % inner;
        let line = || (0..n).map(|k| x[start + k * inner]);
        let largest = line().fold(f64::NEG_INFINITY, f64::max);
        x[i] - largest - line().map(|v| (v - largest).exp()).sum::<f64>().ln()
    };
    (0..x.len()).map(value).collect()
}

fn softmax(x: &[f64], shape: &[usize], axis: usize) -> Vec<f64> {
    let inner: usize = shape[axis + 1..].iter().product();
    let mut output = vec![0.0; x.len()];
    for start in (0..x.len()).filter(|i| (i / inner).is_multiple_of(shape[axis])) {
        let line = || (0..shape[axis]).map(|k| start + k * inner);
        let largest = line().map(|i| x[i]).fold(f64::NEG_INFINITY, f64::max);
        let sum: f64 = line().map(|i| (x[i] - largest).exp()).sum();
        line().for_each(|i| output[i] = (x[i] - largest).exp() / sum);
    }
    output
}
