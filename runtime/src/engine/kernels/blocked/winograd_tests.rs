//! Winograd's convolutions against the plain sum in f64.

use super::winograd::{Winograd, applies};
use crate::engine::Isa;
use crate::engine::select::Layer;
use crate::engine::threads::Threads;
use crate::graph::Activation;
use crate::{Error, Tensor, Weights};
use cnn_ir::Op;
use cnn_ir::ops::Conv2dSpec;

/// A layer with its weights.
pub(super) struct Problem {
    pub spec: Conv2dSpec,
    pub input: [usize; 3],
    pub output: [usize; 3],
    pub activation: Option<Activation>,
    pub residual: bool,
    pub weight: Vec<f32>,
    pub bias: Vec<f32>,
}

impl Problem {
    pub fn new([c, k]: [usize; 2], [height, width]: [usize; 2], padding: [usize; 4]) -> Self {
        let spec = Conv2dSpec { padding, ..Conv2dSpec::new(c, k, [3, 3]) };
        let output = [k, height + padding[0] + padding[1] - 2, width + padding[2] + padding[3] - 2];
        // The scale that keeps the variance behind a relu.
        let scale = (2.0 / (9 * c) as f32).sqrt();
        let weight = noise(k * c * 9, 1).into_iter().map(|w| w * scale).collect();
        Self { spec, input: [c, height, width], output, activation: None, residual: false, weight, bias: noise(k, 2) }
    }

    pub fn kernel(&self, m: usize, isa: Isa) -> Result<Winograd, Error> {
        let c = self.input[0];
        let tensors = [
            ("weight".to_owned(), Tensor::new(&[self.output[0], c, 3, 3], self.weight.clone())?),
            ("bias".to_owned(), Tensor::new(&[self.output[0]], self.bias.clone())?),
        ];
        let (op, parameters) = (Op::Conv2d(self.spec.clone()), ["weight".to_owned(), "bias".to_owned()]);
        let layer = Layer {
            path: "conv",
            op: &op,
            input: &self.input,
            inputs: &[&self.input],
            output: &self.output,
            parameters: &parameters,
            prologue: None,
            norm: None,
            residual: self.residual,
            activations: self.activation.as_slice(),
            isa,
        };
        assert!(applies(&self.spec, &layer, m));
        Winograd::new(&self.spec, &layer, &Weights::from_tensors(tensors)?, m)
    }

    /// The result for inputs in blocks, without those lanes that hold no channel.
    pub fn run(
        &self,
        kernel: &Winograd,
        isa: Isa,
        batch: usize,
        input: &[f32],
        residual: &[f32],
        threads: &Threads,
    ) -> Vec<f32> {
        let [input, residual] = [(input, self.input), (residual, self.output)]
            .map(|(map, shape)| if map.is_empty() { vec![] } else { block(map, shape, isa.lanes()) });
        let mut output =
            block(&vec![f32::NAN; batch * self.output.iter().product::<usize>()], self.output, isa.lanes());
        let mut scratch = vec![f32::NAN; kernel.scratch_elements(batch, threads.count())];
        let residual = self.residual.then_some(&residual[..]);
        kernel.convolve(batch, &input, residual, &mut output, &mut scratch, threads);
        unblock(&output, self.output, isa.lanes())
    }

    /// The same in f64.
    pub fn reference(&self, batch: usize, input: &[f32], residual: &[f32]) -> Vec<f64> {
        let ([c, height, width], [k, out_height, out_width]) = (self.input, self.output);
        let mut output = Vec::with_capacity(batch * k * out_height * out_width);
        for example in 0..batch {
            for out in 0..k {
                for (y, x) in (0..out_height).flat_map(|y| (0..out_width).map(move |x| (y, x))) {
                    let mut sum = f64::from(self.bias[out]);
                    for tap in 0..9 {
                        let (y, x) = (
                            (y + tap / 3).wrapping_sub(self.spec.padding[0]),
                            (x + tap % 3).wrapping_sub(self.spec.padding[2]),
                        );
                        if y < height && x < width {
                            for channel in 0..c {
                                let pixel = input[((example * c + channel) * height + y) * width + x];
                                sum += f64::from(pixel) * f64::from(self.weight[(out * c + channel) * 9 + tap]);
                            }
                        }
                    }
                    if self.residual {
                        sum += f64::from(residual[output.len()]);
                    }
                    output.push(match self.activation {
                        Some(Activation::Relu) => sum.max(0.0),
                        Some(Activation::Relu6) => sum.clamp(0.0, 6.0),
                        Some(Activation::Silu) => sum / (1.0 + (-sum).exp()),
                        _ => sum,
                    });
                }
            }
        }
        output
    }
}

/// Numbers between −√3 and √3 with variance 1, the same for every `seed`.
pub(super) fn noise(n: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1 << 24) as f32
    };
    (0..n).map(|_| (2.0 * next() - 1.0) * 3f32.sqrt()).collect()
}

/// Plain maps in blocks of channels, with NaN behind the last.
fn block(maps: &[f32], [channels, height, width]: [usize; 3], lanes: usize) -> Vec<f32> {
    let plane = height * width;
    let mut blocked = Vec::new();
    for map in maps.chunks_exact(channels * plane) {
        for block in 0..channels.div_ceil(lanes) {
            for pixel in 0..plane {
                let channel = |lane| map.get((block * lanes + lane) * plane + pixel);
                blocked.extend((0..lanes).map(|lane| channel(lane).copied().unwrap_or(f32::NAN)));
            }
        }
    }
    blocked
}

fn unblock(maps: &[f32], [channels, height, width]: [usize; 3], lanes: usize) -> Vec<f32> {
    let (plane, padded) = (height * width, channels.next_multiple_of(lanes));
    let map = |map: &[f32]| -> Vec<f32> {
        let element = |i: usize| map[(i / plane / lanes * plane + i % plane) * lanes + i / plane % lanes];
        (0..channels * plane).map(element).collect()
    };
    maps.chunks_exact(padded * plane).flat_map(map).collect()
}

/// The largest difference, relative to the largest expected element.
pub(super) fn difference(found: &[f32], expected: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let largest = expected.iter().fold(f64::MIN_POSITIVE, |largest, e| largest.max(e.abs()));
    found.iter().zip(expected).fold(0.0, |most: f64, (&f, e)| {
        let difference = (f64::from(f) - e).abs();
        if difference <= most { most } else { difference }
    }) / largest
}

const RELU: Option<Activation> = Some(Activation::Relu);
const RELU6: Option<Activation> = Some(Activation::Relu6);
const SILU: Option<Activation> = Some(Activation::Silu);

#[test]
fn equals_the_plain_sum() -> Result<(), Error> {
    // In and out channels; height and width; top, bottom, left, right; batch; residual; activation.
    let cases = [
        ([1, 1], [1, 1], [1, 1, 1, 1], 1, false, None),
        ([1, 1], [1, 1], [2, 2, 2, 2], 1, false, RELU),
        ([2, 3], [3, 3], [0, 0, 0, 0], 3, true, None),
        ([3, 5], [1, 7], [1, 1, 0, 0], 1, true, RELU),
        ([5, 2], [13, 1], [0, 2, 2, 1], 1, false, SILU),
        ([4, 4], [4, 4], [1, 1, 1, 1], 3, true, SILU),
        ([8, 9], [5, 3], [2, 0, 1, 2], 1, false, RELU6),
        ([7, 17], [7, 7], [1, 1, 1, 1], 1, true, RELU),
        ([15, 33], [11, 6], [0, 1, 2, 0], 1, false, None),
        ([16, 16], [14, 14], [1, 1, 1, 1], 1, true, RELU),
        ([16, 64], [8, 8], [1, 1, 1, 1], 3, false, RELU),
        ([17, 31], [23, 19], [1, 1, 1, 1], 1, false, None),
        ([31, 48], [12, 5], [2, 2, 2, 2], 1, true, None),
        ([33, 1], [6, 29], [1, 0, 0, 1], 1, false, RELU),
        ([48, 50], [9, 10], [0, 0, 2, 2], 1, false, None),
        ([64, 20], [7, 4], [1, 1, 1, 1], 9, false, None),
        ([67, 67], [10, 10], [1, 1, 1, 1], 1, true, RELU),
        ([3, 3], [5, 5], [1, 1, 1, 1], 0, true, SILU),
        // So much padding that whole patches lie outside.
        ([3, 4], [2, 3], [9, 0, 1, 13], 1, false, None),
        ([2, 18], [1, 1], [0, 11, 17, 1], 3, true, RELU),
        // More tiles than one block of them.
        ([1, 3], [97, 61], [1, 1, 1, 1], 1, false, None),
        ([40, 16], [30, 30], [1, 1, 1, 1], 3, false, None),
    ];
    let pools = [Threads::one(), Threads::new(3)?];
    for (channels, size, padding, batch, residual, activation) in cases {
        let problem = Problem { residual, activation, ..Problem::new(channels, size, padding) };
        let input = noise(batch * problem.input.iter().product::<usize>(), 3);
        let residual = noise(batch * problem.output.iter().product::<usize>(), 4);
        let expected = problem.reference(batch, &input, &residual);
        for isa in Isa::available() {
            for (m, tolerance) in [(2, 1e-6), (4, 5e-6), (6, 3e-5)] {
                let kernel = problem.kernel(m, isa)?;
                let [one, three] =
                    pools.each_ref().map(|threads| problem.run(&kernel, isa, batch, &input, &residual, threads));
                let difference = difference(&one, &expected);
                assert!(difference < tolerance, "{isa} m={m} {channels:?} {size:?} {padding:?}: {difference:e}");
                assert!(
                    one.iter().zip(&three).all(|(a, b)| a.to_bits() == b.to_bits()),
                    "{isa} m={m}: three threads differ"
                );
            }
        }
    }
    Ok(())
}
