//! Shapes and sizes that blocks, tiles and vectors get wrong: one pixel, prime sizes, channels that fill no block,
//! kernels and padding larger than the map, batches of 1 to 9; and what is fused before and behind a layer.

use super::{Problem, formula, oracle, wide};
use cnn_ir::ops::{
    AddSpec, AvgPool2dSpec, BatchNormSpec, ConcatSpec, Conv2dSpec, ConvTranspose2dSpec, DenseSpec, EluSpec,
    GeluApproximate, GeluSpec, GlobalAvgPool2dSpec, HardSigmoidSpec, HardSwishSpec, LeakyReluSpec, MaxPool2dSpec,
    MulSpec, PreluSpec, Relu6Spec, ReluSpec, SigmoidSpec, SiluSpec, SoftmaxSpec, TanhSpec,
};
use cnn_ir::{BuildError, Builder, Op, Shape};
use cnn_runtime::{Tensor, Weights};

fn conv(in_channels: usize, out_channels: usize, size: usize) -> Conv2dSpec {
    Conv2dSpec::new(in_channels, out_channels, [size; 2])
}

/// With padding that keeps the size of the map.
fn same(in_channels: usize, out_channels: usize, size: usize) -> Conv2dSpec {
    Conv2dSpec { padding: [size / 2; 4], ..conv(in_channels, out_channels, size) }
}

fn depthwise(channels: usize, size: usize) -> Conv2dSpec {
    Conv2dSpec { groups: channels, ..same(channels, channels, size) }
}

/// One layer each: the op, its input's shape, the batch.
pub fn problems() -> Vec<Problem> {
    let mut cases: Vec<(Op, [usize; 3], usize)> = vec![
        // One pixel.
        (same(1, 1, 3).into(), [1, 1, 1], 1),
        (same(16, 16, 3).into(), [16, 1, 1], 3),
        (same(67, 67, 3).into(), [67, 1, 1], 2),
        (conv(33, 17, 1).into(), [33, 1, 1], 9),
        (same(3, 65, 7).into(), [3, 1, 1], 1),
        (depthwise(37, 3).into(), [37, 1, 1], 2),
        (Conv2dSpec { stride: [5, 7], ..same(16, 16, 3) }.into(), [16, 1, 1], 1),
        // One row, one column, prime sizes.
        (same(16, 16, 3).into(), [16, 1, 31], 1),
        (same(16, 16, 3).into(), [16, 31, 1], 1),
        (same(5, 7, 3).into(), [5, 13, 29], 1),
        (same(32, 48, 3).into(), [32, 11, 23], 1),
        (same(17, 19, 5).into(), [17, 7, 13], 2),
        (conv(31, 37, 1).into(), [31, 13, 7], 2),
        (conv(32, 32, 1).into(), [32, 17, 19], 1),
        (Conv2dSpec { stride: [2, 2], ..conv(31, 29, 1) }.into(), [31, 13, 7], 2),
        (Conv2dSpec { stride: [2, 2], ..same(3, 23, 7) }.into(), [3, 37, 41], 1),
        (Conv2dSpec { stride: [4, 4], padding: [2; 4], ..conv(3, 29, 11) }.into(), [3, 47, 43], 1),
        (Conv2dSpec { stride: [3, 2], ..same(23, 29, 3) }.into(), [23, 17, 19], 1),
        (Conv2dSpec { dilation: [3, 5], padding: [3, 3, 5, 5], ..conv(19, 17, 3) }.into(), [19, 13, 17], 1),
        (Conv2dSpec { dilation: [7, 2], ..conv(16, 16, 2) }.into(), [16, 11, 5], 2),
        // Kernels and padding larger than the map.
        (Conv2dSpec { padding: [11, 10, 12, 9], ..conv(3, 5, 13) }.into(), [3, 3, 5], 1),
        (Conv2dSpec { padding: [13; 4], ..conv(16, 16, 3) }.into(), [16, 2, 3], 1),
        (Conv2dSpec { padding: [7; 4], ..conv(17, 16, 1) }.into(), [17, 3, 2], 1),
        (Conv2dSpec { padding: [9, 0, 0, 9], ..conv(32, 16, 3) }.into(), [32, 4, 4], 2),
        (Conv2dSpec { padding: [0, 3, 5, 0], stride: [2, 1], ..conv(16, 32, 3) }.into(), [16, 6, 6], 1),
        (Conv2dSpec { kernel_size: [1, 23], padding: [0, 0, 11, 11], ..conv(16, 16, 1) }.into(), [16, 3, 7], 1),
        (Conv2dSpec { kernel_size: [23, 1], padding: [11, 11, 0, 0], ..conv(16, 16, 1) }.into(), [16, 7, 3], 1),
        (Conv2dSpec { padding: [15; 4], groups: 19, ..conv(19, 19, 31) }.into(), [19, 5, 4], 1),
        (Conv2dSpec { padding: [6; 4], stride: [5, 5], ..depthwise(33, 3) }.into(), [33, 4, 9], 2),
        // Groups that fill blocks, and that do not.
        (Conv2dSpec { groups: 2, ..same(32, 32, 3) }.into(), [32, 7, 5], 2),
        (Conv2dSpec { groups: 2, ..same(64, 32, 1) }.into(), [64, 5, 7], 1),
        (Conv2dSpec { groups: 3, ..same(51, 33, 3) }.into(), [51, 5, 7], 1),
        (Conv2dSpec { groups: 16, ..same(64, 32, 3) }.into(), [64, 3, 5], 1),
        (Conv2dSpec { groups: 17, ..same(17, 51, 3) }.into(), [17, 5, 3], 2),
        // Pools at the edges.
        (MaxPool2dSpec::new([1, 1], [13, 13]).into(), [67, 13, 14], 1),
        (
            MaxPool2dSpec { padding: [1; 4], ceil_mode: true, ..MaxPool2dSpec::new([3, 3], [2, 2]) }.into(),
            [33, 1, 1],
            3,
        ),
        (MaxPool2dSpec { padding: [5; 4], ..MaxPool2dSpec::new([11, 11], [1, 1]) }.into(), [17, 3, 2], 1),
        (AvgPool2dSpec { padding: [6; 4], ..AvgPool2dSpec::new([13, 13], [2, 2]) }.into(), [31, 5, 7], 1),
        (AvgPool2dSpec { ceil_mode: true, ..AvgPool2dSpec::new([2, 2], [2, 2]) }.into(), [5, 1, 1], 2),
        (GlobalAvgPool2dSpec::new().into(), [67, 1, 1], 2),
        (GlobalAvgPool2dSpec::new().into(), [65, 13, 11], 1),
        (ConvTranspose2dSpec { stride: [3, 2], ..ConvTranspose2dSpec::new(17, 19, [2, 3]) }.into(), [17, 1, 5], 2),
    ];
    for batch in 1..=9 {
        cases.push((same(16, 16, 3).into(), [16, 5, 4], batch));
        cases.push((conv(19, 33, 1).into(), [19, 3, 3], batch));
        cases.push((Conv2dSpec { stride: [2, 2], ..same(3, 16, 7) }.into(), [3, 9, 8], batch));
        cases.push((depthwise(20, 3).into(), [20, 4, 5], batch));
        cases.push((MaxPool2dSpec::new([2, 2], [2, 2]).into(), [20, 4, 5], batch));
    }
    for channels in 1..=67 {
        let batch = 1 + channels % 2;
        cases.push((same(channels, 68 - channels, 3).into(), [channels, 3, 5], batch));
        cases.push((conv(channels, 1 + channels * 7 % 67, 1).into(), [channels, 2, 3], batch));
        cases.push((depthwise(channels, 3).into(), [channels, 2, 3], batch));
        if channels % 3 == 1 {
            let first = Conv2dSpec { stride: [2, 2], ..same(1 + channels % 4, channels, 5) };
            cases.push((first.into(), [1 + channels % 4, 4, 5], batch));
            cases.push((AvgPool2dSpec::new([2, 2], [1, 1]).into(), [channels, 2, 3], batch));
            cases.push((BatchNormSpec::new(channels).into(), [channels, 3, 1], batch));
        }
    }
    let solve = |(op, shape, batch): (Op, [usize; 3], usize)| Problem::computed("adversarial", op, batch, &shape, 1.0);
    let mut problems: Vec<Problem> = cases.into_iter().map(solve).collect();
    for features in [1, 2, 3, 7, 15, 16, 17, 31, 63, 65, 127, 129] {
        for batch in [1, 2, 9] {
            problems.push(Problem::computed(
                "adversarial",
                DenseSpec::new(features, 130 - features),
                batch,
                &[features],
                1.0,
            ));
        }
    }
    problems
}

/// Several layers, each on values before it; the last one's is the output.
#[derive(Debug)]
pub struct Chain {
    pub input: Tensor,
    /// Each op with the numbers of its inputs: 0 is the network's input, 1 what the first layer makes.
    layers: Vec<(Op, Vec<usize>)>,
}

fn activations() -> Vec<Op> {
    vec![
        ReluSpec::new().into(),
        Relu6Spec::new().into(),
        LeakyReluSpec { negative_slope: 0.25 }.into(),
        EluSpec { alpha: 0.5 }.into(),
        SiluSpec::new().into(),
        GeluSpec::new().into(),
        GeluSpec { approximate: GeluApproximate::Tanh }.into(),
        SigmoidSpec::new().into(),
        HardSigmoidSpec::new().into(),
        HardSwishSpec::new().into(),
        TanhSpec::new().into(),
        SoftmaxSpec::new().into(),
        PreluSpec::new().into(),
    ]
}

/// Two convolutions with what can be fused behind the second: a batch norm, a residual sum, every activation.
pub fn chains() -> Vec<Chain> {
    let kinds = [
        |c| same(c, c, 3),
        |c| same(c, c, 1),
        |c| depthwise(c, 3),
        |c| Conv2dSpec { groups: c / 16 + usize::from(c < 16), ..same(c, c, 5) },
    ];
    let mut chains = Vec::new();
    for (i, activation) in activations().into_iter().enumerate() {
        for (j, kind) in kinds.iter().enumerate() {
            let channels = [16, 32, 48, 5][(i + j) % 4];
            let size = [[1, 1], [7, 5], [2, 13]][(i + 2 * j) % 3];
            let first: (Op, Vec<usize>) = (same(3, channels, 3).into(), vec![0]);
            let second = (kind(channels).into(), vec![1]);
            let norm = (BatchNormSpec::new(channels).into(), vec![2]);
            let batch = 1 + (i + j) % 3;
            let mut chain = |layers| chains.push(Chain::new(batch, [3, size[0], size[1]], layers));
            chain(vec![first.clone(), second.clone(), (activation.clone(), vec![2])]);
            chain(vec![
                first.clone(),
                second.clone(),
                (AddSpec::new().into(), vec![2, 1]),
                (activation.clone(), vec![3]),
            ]);
            chain(vec![
                first.clone(),
                second.clone(),
                norm.clone(),
                (AddSpec::new().into(), vec![1, 3]),
                (activation.clone(), vec![4]),
            ]);
            // Fused behind the second; its input is read again behind it.
            chain(vec![
                first,
                second,
                norm,
                (activation.clone(), vec![3]),
                (ConcatSpec::new().into(), vec![1, 4, 1]),
                (MulSpec::new().into(), vec![5, 5]),
            ]);
        }
    }
    for (i, channels) in [1, 5, 16, 17, 31, 33, 48, 50, 67].into_iter().enumerate() {
        let (batch, size) = (1 + i, [[1, 1], [7, 5], [2, 13]][i % 3]);
        chains.extend(fused_before(channels, size, batch, &activations()[i]));
    }
    // More than one task has room for.
    chains.extend(fused_before(160, [33, 29], 1, &ReluSpec::new().into()));
    chains
}

/// Norms and factors before a pointwise convolution, and with a sum behind them; sums of sums.
fn fused_before(channels: usize, size: [usize; 2], batch: usize, activation: &Op) -> Vec<Chain> {
    let norm = || (BatchNormSpec::new(channels).into(), vec![0]);
    let mean = || (GlobalAvgPool2dSpec::new().into(), vec![0]);
    let product = |inputs: [usize; 2]| (MulSpec::new().into(), inputs.to_vec());
    let sum = |inputs: [usize; 2]| (AddSpec::new().into(), inputs.to_vec());
    let pointwise = |outputs, input| (conv(channels, outputs, 1).into(), vec![input]);
    let function = |input: usize| (activation.clone(), vec![input]);
    let chain = |layers| Chain::new(batch, [channels, size[0], size[1]], layers);
    vec![
        chain(vec![norm(), function(1), pointwise(68 - channels.min(67), 2), function(3)]),
        chain(vec![norm(), pointwise(channels, 1), sum([2, 0]), function(3)]),
        chain(vec![mean(), function(1), product([0, 2]), pointwise(17, 3)]),
        chain(vec![mean(), product([1, 0]), function(2), pointwise(channels, 3), sum([0, 4])]),
        chain(vec![mean(), product([0, 1]), sum([2, 0]), function(3)]),
        chain(vec![norm(), sum([0, 1]), function(2)]),
        chain(vec![norm(), sum([0, 0]), sum([2, 1]), sum([3, 1]), product([4, 0]), sum([1, 5])]),
    ]
}

impl Chain {
    fn new(batch: usize, shape: [usize; 3], layers: Vec<(Op, Vec<usize>)>) -> Self {
        Self { input: formula::input(&[&[batch], &shape[..]].concat()), layers }
    }

    /// Makes the network: layers `0`, `1`, … from `x` to `y`.
    pub fn build<B: Builder>(&self, builder: &mut B) -> Result<(), BuildError> {
        let mut values = vec![builder.input("x", &self.input.shape()[1..])?];
        for (i, (op, inputs)) in self.layers.iter().enumerate() {
            let inputs: Vec<&B::Value> = inputs.iter().map(|&input| &values[input]).collect();
            let value = builder.layer(&i.to_string(), op.clone(), &inputs)?;
            values.push(value);
        }
        builder.output("y", &values[self.layers.len()])
    }

    /// What the oracle makes of it, layer after layer.
    pub fn solve(&self, weights: &Weights) -> Vec<f64> {
        let examples = self.input.shape()[0];
        (0..examples).flat_map(|example| self.solve_example(example, weights)).collect()
    }

    fn solve_example(&self, example: usize, weights: &Weights) -> Vec<f64> {
        let shape = self.input.shape()[1..].to_vec();
        let mut values = vec![(shape, wide(self.input.view().example(example)))];
        let mut last = Vec::new();
        for (i, (op, inputs)) in self.layers.iter().enumerate() {
            let inputs: Vec<(&[usize], &[f64])> =
                inputs.iter().map(|&input| (&*values[input].0, &*values[input].1)).collect();
            let shapes: Vec<Shape> = inputs.iter().map(|(shape, _)| Shape::new(shape).unwrap()).collect();
            let output = op.output_shape(&shapes.iter().collect::<Vec<_>>()).unwrap().to_vec();
            let parameter = |name: &str| wide(weights.get(&format!("{i}.{name}")).unwrap().data());
            let parameters: Vec<Vec<f64>> = op.parameters().iter().map(|tensor| parameter(tensor.name)).collect();
            last = oracle::solve(op, &inputs, &parameters, &output);
            values.push((output, last.iter().map(|&v| f64::from(v as f32)).collect()));
        }
        last
    }
}
