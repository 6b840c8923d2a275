//! The convolution against plain sums in f64, over shapes that no cut fits.

use super::*;
use crate::Tensor;
use crate::engine::Isa;
use crate::graph::Activation;
use cnn_ir::{Op, OpSpec, Shape};

#[derive(Clone, Copy)]
struct Case {
    channels: [usize; 2],
    map: [usize; 2],
    kernel: [usize; 2],
    stride: [usize; 2],
    dilation: [usize; 2],
    padding: [usize; 4],
    groups: usize,
    bias: bool,
    residual: bool,
    activation: Option<Activation>,
}

/// A case by its channels, map, kernel, stride and padding.
const fn case(
    channels: [usize; 2],
    map: [usize; 2],
    kernel: [usize; 2],
    stride: [usize; 2],
    padding: [usize; 4],
) -> Case {
    Case {
        channels,
        map,
        kernel,
        stride,
        padding,
        dilation: [1, 1],
        groups: 1,
        bias: true,
        residual: false,
        activation: None,
    }
}

const RELU: Option<Activation> = Some(Activation::Relu);

const CASES: &[Case] = &[
    // Pointwise.
    case([1, 1], [1, 1], [1, 1], [1, 1], [0; 4]),
    case([67, 67], [1, 1], [1, 1], [1, 1], [0; 4]),
    case([16, 32], [7, 7], [1, 1], [1, 1], [0; 4]),
    Case { residual: true, activation: RELU, ..case([33, 50], [13, 11], [1, 1], [1, 1], [0; 4]) },
    Case { activation: Some(Activation::Silu), ..case([5, 19], [3, 5], [1, 1], [1, 1], [0; 4]) },
    Case { groups: 2, ..case([64, 32], [5, 5], [1, 1], [1, 1], [0; 4]) },
    case([400, 17], [13, 14], [1, 1], [1, 1], [0; 4]),
    // 1×1 with a copy.
    case([17, 35], [9, 8], [1, 1], [2, 2], [0; 4]),
    case([3, 4], [5, 6], [1, 1], [3, 2], [1, 0, 2, 1]),
    // 3×3.
    case([1, 1], [1, 1], [3, 3], [1, 1], [1; 4]),
    case([16, 16], [7, 7], [3, 3], [1, 1], [1; 4]),
    Case { residual: true, ..case([67, 33], [7, 7], [3, 3], [1, 1], [1; 4]) },
    Case { activation: Some(Activation::Relu6), ..case([31, 16], [4, 4], [3, 3], [1, 1], [1; 4]) },
    Case { residual: true, activation: Some(Activation::Silu), ..case([2, 65], [14, 13], [3, 3], [1, 1], [1; 4]) },
    case([64, 18], [37, 29], [3, 3], [1, 1], [1; 4]),
    case([19, 23], [17, 17], [3, 3], [2, 2], [1; 4]),
    Case { groups: 3, residual: true, ..case([48, 96], [9, 10], [3, 3], [1, 1], [1; 4]) },
    Case { bias: false, ..case([4, 6], [11, 5], [3, 3], [1, 1], [2, 0, 1, 3]) },
    Case { dilation: [2, 3], ..case([7, 9], [12, 13], [3, 3], [1, 1], [2, 2, 3, 3]) },
    Case { dilation: [2, 2], ..case([7, 9], [12, 13], [3, 3], [2, 3], [1; 4]) },
    // Others.
    case([3, 20], [23, 19], [7, 7], [2, 2], [3; 4]),
    case([1, 5], [28, 28], [5, 5], [1, 1], [0; 4]),
    case([3, 16], [35, 31], [11, 11], [4, 4], [2; 4]),
    case([2, 3], [10, 9], [2, 4], [3, 1], [5, 0, 0, 7]),
    case([9, 2], [2, 3], [2, 3], [4, 4], [0; 4]),
    Case { dilation: [1, 4], ..case([1, 1], [1, 40], [1, 7], [1, 2], [0, 0, 9, 9]) },
    case([2, 2], [3, 3], [13, 15], [2, 1], [6, 7, 8, 9]),
];

#[test]
fn equals_the_plain_sum() -> Result<(), Error> {
    for case in CASES {
        for isa in Isa::available() {
            for is_plain in [false, true] {
                if !is_plain || (case.groups == 1 && !case.residual && case.stride[1] != 3) {
                    check(case, isa, is_plain)?;
                }
            }
        }
    }
    Ok(())
}

#[test]
fn refuses_groups_that_fill_no_blocks_and_maps_that_are_too_large() {
    let isa = Isa::detect();
    let (wide, map) = ([1, 1 << 10, 1 << 24], [isa.lanes() + 2, 4, 4]);
    let groups = Conv2dSpec { groups: 2, ..Conv2dSpec::new(map[0], map[0], [1, 1]) };
    assert!(Plan::new(&groups, &map, &map, isa, false).is_none());
    let huge = Conv2dSpec { padding: [1; 4], ..Conv2dSpec::new(1, 1, [3, 3]) };
    assert!(Plan::new(&huge, &wide, &wide, isa, true).is_none());
}

fn check(case: &Case, isa: Isa, is_plain: bool) -> Result<(), Error> {
    let Case { channels: [inputs, outputs], map, kernel, .. } = *case;
    let spec = Conv2dSpec {
        stride: case.stride,
        dilation: case.dilation,
        padding: case.padding,
        groups: case.groups,
        bias: case.bias,
        ..Conv2dSpec::new(inputs, outputs, kernel)
    };
    let shape = [inputs, map[0], map[1]];
    let output_shape = spec.output_shape(&[&Shape::new(&shape).unwrap()]).unwrap();
    let op = Op::Conv2d(spec.clone());
    let weight_shape = [outputs, inputs / case.groups, kernel[0], kernel[1]];
    // Small whole numbers, whose sums are exact.
    let whole = |n: usize, seed: usize| (0..n).map(|i| ((i * 7 + i / 5 + seed) % 9) as f32 - 4.0).collect::<Vec<f32>>();
    let (weight, bias) = (whole(weight_shape.iter().product(), 1), whole(outputs, 2));
    let mut tensors = vec![("weight".to_owned(), Tensor::new(&weight_shape, weight.clone())?)];
    if case.bias {
        tensors.push(("bias".to_owned(), Tensor::new(&[outputs], bias.clone())?));
    }
    let weights = Weights::from_tensors(tensors)?;
    let layer = Layer {
        path: "test",
        op: &op,
        input: &shape,
        inputs: &[&shape],
        output: &output_shape,
        parameters: &["weight".to_owned(), "bias".to_owned()][..1 + usize::from(case.bias)],
        prologue: None,
        norm: None,
        residual: case.residual,
        activations: case.activation.as_slice(),
        isa,
    };
    let convolution = match is_plain {
        false => BlockedConv2d::new(&spec, &layer, &weights)?,
        true => BlockedConv2d::first(&spec, &layer, &weights)?,
    };
    for batch in [1, 3] {
        let input = whole(batch * shape.iter().product::<usize>(), 3);
        let residual = whole(batch * output_shape.elements(), 4);
        let given = if is_plain { input.clone() } else { blocked(&input, &shape, batch, isa.lanes()) };
        let added = blocked(&residual, &output_shape, batch, isa.lanes());
        let expected: Vec<f64> = (0..batch * output_shape.elements())
            .map(|i| {
                let example = i / output_shape.elements();
                let place = [i / output_shape[2] / output_shape[1], i / output_shape[2], i];
                let [channel, y, x] = [0, 1, 2].map(|axis| place[axis] % output_shape[axis]);
                let input = &input[example * shape.iter().product::<usize>()..];
                let mut sum = plain_sum(&spec, input, shape, &weight, [channel, y, x]);
                sum += if case.bias { f64::from(bias[channel]) } else { 0.0 };
                sum += if case.residual { f64::from(residual[i]) } else { 0.0 };
                match case.activation {
                    Some(Activation::Relu) => sum.max(0.0),
                    Some(Activation::Relu6) => sum.clamp(0.0, 6.0),
                    Some(_) => sum / (1.0 + (-sum).exp()),
                    None => sum,
                }
            })
            .collect();
        let mut results = Vec::new();
        for threads in [1, 3] {
            let mut scratch = vec![f32::NAN; convolution.scratch(batch, threads)];
            let mut output = vec![f32::NAN; added.len()];
            let residual = case.residual.then_some(&added[..]);
            convolution.compute(batch, &given, [None, residual], &mut output, &mut scratch, &Threads::new(threads)?);
            results.push(plain(&output, &output_shape, batch, isa.lanes()));
        }
        let place = format!("{convolution:?} {isa} {spec:?} on {map:?}, batch {batch}");
        for (i, (&found, &expected)) in results[0].iter().zip(&expected).enumerate() {
            // The sums are exact; silu is not.
            let bound = if case.activation == Some(Activation::Silu) { 1e-5 * expected.abs().max(1e-3) } else { 0.0 };
            assert!((f64::from(found) - expected).abs() <= bound, "{place}: {found} for {expected} at {i}");
        }
        assert!(results.windows(2).all(|pair| pair[0] == pair[1]), "{place}: threads disagree");
    }
    Ok(())
}

/// One element of the output, without bias.
fn plain_sum(spec: &Conv2dSpec, input: &[f32], map: [usize; 3], weight: &[f32], [channel, y, x]: [usize; 3]) -> f64 {
    let ([kh, kw], inputs) = (spec.kernel_size, spec.in_channels / spec.groups);
    let group = channel / (spec.out_channels / spec.groups);
    let mut sum = 0.0;
    for step in 0..inputs * kh * kw {
        let (i, row, column) = (step / (kh * kw), step / kw % kh, step % kw);
        let row = (y * spec.stride[0] + row * spec.dilation[0]).wrapping_sub(spec.padding[0]);
        let column = (x * spec.stride[1] + column * spec.dilation[1]).wrapping_sub(spec.padding[2]);
        if row < map[1] && column < map[2] {
            let value = input[((group * inputs + i) * map[1] + row) * map[2] + column];
            sum += f64::from(value) * f64::from(weight[channel * inputs * kh * kw + step]);
        }
    }
    sum
}

/// A plain map in blocks; NaN behind the last channel.
fn blocked(plain: &[f32], shape: &[usize], batch: usize, lanes: usize) -> Vec<f32> {
    let (channels, plane) = (shape[0], shape[1] * shape[2]);
    let blocks = channels.div_ceil(lanes);
    let value = |i: usize| {
        let (example, block, pixel, lane) =
            (i / (blocks * plane * lanes), i / (plane * lanes) % blocks, i / lanes % plane, i % lanes);
        let channel = block * lanes + lane;
        if channel < channels { plain[(example * channels + channel) * plane + pixel] } else { f32::NAN }
    };
    (0..batch * blocks * plane * lanes).map(value).collect()
}

fn plain(blocked: &[f32], shape: &[usize], batch: usize, lanes: usize) -> Vec<f32> {
    let (channels, plane) = (shape[0], shape[1] * shape[2]);
    let blocks = channels.div_ceil(lanes);
    let value = |i: usize| {
        let (example, channel, pixel) = (i / (channels * plane), i / plane % channels, i % plane);
        blocked[((example * blocks + channel / lanes) * plane + pixel) * lanes + channel % lanes]
    };
    (0..batch * channels * plane).map(value).collect()
}
