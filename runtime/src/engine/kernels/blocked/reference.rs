//! What the tests of blocked kernels share: a layer with some weights, and maps in both layouts.

use crate::engine::Isa;
use crate::engine::select::Layer;
use crate::engine::threads::Threads;
use crate::graph::Activation;
use crate::{Tensor, Weights};
use cnn_ir::{Op, Shape};

/// A layer of one kind.
#[derive(Debug)]
pub(super) struct Case<'a> {
    op: Op,
    inputs: &'a [&'a [usize]],
    output: Shape,
    pub isa: Isa,
    pub activation: Option<Activation>,
    pub residual: bool,
    parameters: Vec<String>,
    pub weights: Weights,
}

impl<'a> Case<'a> {
    pub fn new(op: impl Into<Op>, inputs: &'a [&'a [usize]], isa: Isa) -> Self {
        let op = op.into();
        let shapes: Vec<Shape> = inputs.iter().map(|sizes| Shape::new(sizes).unwrap()).collect();
        let output = op.output_shape(&shapes.iter().collect::<Vec<_>>()).unwrap();
        let tensors = op.parameters();
        let made = tensors.iter().enumerate().map(|(i, tensor)| {
            let mut data = values(tensor.shape.iter().product(), 10 + i);
            if tensor.name == "running_var" {
                data.iter_mut().for_each(|v| *v = v.abs() + 0.5);
            }
            (tensor.name.to_string(), Tensor::new(&tensor.shape, data).unwrap())
        });
        let weights = Weights::from_tensors(made).unwrap();
        let parameters = tensors.iter().map(|tensor| tensor.name.to_string()).collect();
        Self { op, inputs, output, isa, activation: None, residual: false, parameters, weights }
    }

    pub fn layer(&self) -> Layer<'_> {
        Layer {
            path: "layer",
            op: &self.op,
            input: self.inputs[0],
            inputs: self.inputs,
            output: &self.output,
            parameters: &self.parameters,
            prologue: None,
            norm: None,
            activations: self.activation.as_slice(),
            residual: self.residual,
            isa: self.isa,
        }
    }

    /// A parameter's elements.
    pub fn parameter(&self, name: &str) -> Vec<f64> {
        self.weights.get(name).unwrap().data().iter().map(|&v| f64::from(v)).collect()
    }

    /// Runs a kernel on blocked maps, `inputs` being plain. The result is plain, and the same for any number of threads.
    pub fn run(
        &self,
        inputs: &[Vec<f32>],
        pools: &[Threads],
        run: impl Fn(&[Vec<f32>], &mut [f32], &Threads),
    ) -> Vec<f32> {
        let lanes = self.isa.lanes();
        let shapes = self.inputs.iter().copied().chain(std::iter::repeat(&*self.output));
        let blocked: Vec<Vec<f32>> =
            inputs.iter().zip(shapes).map(|(map, shape)| to_blocked(map, shape, lanes)).collect();
        let batch = inputs[0].len() / self.inputs[0].iter().product::<usize>();
        let padded = self.output[0].next_multiple_of(lanes) * self.output[1..].iter().product::<usize>();
        let outputs = pools.iter().map(|threads| {
            let mut output = vec![f32::NAN; batch * padded];
            run(&blocked, &mut output, threads);
            from_blocked(&output, &self.output, lanes)
        });
        let outputs: Vec<Vec<f32>> = outputs.collect();
        for output in &outputs {
            let same = output.iter().zip(&outputs[0]).all(|(a, b)| a.to_bits() == b.to_bits());
            assert!(same, "the number of threads makes a difference: {self:?}");
        }
        outputs.into_iter().next().unwrap()
    }

    /// Checks a result, the formula giving each element of it: example, channel, row and column.
    pub fn check(&self, found: &[f32], formula: impl Fn(usize, usize, usize, usize) -> f64) {
        let [channels, height, width] = *self.output else { panic!("{self:?} makes no map") };
        let place =
            |i: usize| (i / width / height / channels, i / width / height % channels, i / width % height, i % width);
        let expected: Vec<f64> = (0..found.len()).map(place).map(|(b, c, y, x)| formula(b, c, y, x)).collect();
        let largest =
            expected.iter().fold(1e-3, |largest: f64, v| if v.is_finite() { largest.max(v.abs()) } else { largest });
        for (i, (&found, &expected)) in found.iter().zip(&expected).enumerate() {
            let found = f64::from(found);
            let close = found == expected || (found - expected).abs() <= 2e-6 * largest;
            assert!(close || found.is_nan() && expected.is_nan(), "{:?}: {found}, not {expected}: {self:?}", place(i));
        }
    }
}

/// Some numbers between −2 and 2, others for another seed.
pub(super) fn values(count: usize, seed: usize) -> Vec<f32> {
    let mut state = (seed as u32).wrapping_mul(2_654_435_761);
    let next = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 22) as f32 - 2.0
    };
    (0..count).map(next).collect()
}

/// Blocked maps, with NaN behind the last channel, where nothing may look.
pub(super) fn to_blocked(plain: &[f32], shape: &[usize], lanes: usize) -> Vec<f32> {
    let (channels, pixels) = (shape[0], shape[1..].iter().product::<usize>());
    let padded = channels.next_multiple_of(lanes);
    let element = |i: usize| {
        let (lane, pixel, plane) = (i % lanes, i / lanes % pixels, i / lanes / pixels);
        let (example, channel) = (plane / (padded / lanes), plane % (padded / lanes) * lanes + lane);
        if channel < channels { plain[(example * channels + channel) * pixels + pixel] } else { f32::NAN }
    };
    (0..plain.len() / channels * padded).map(element).collect()
}

pub(super) fn from_blocked(blocked: &[f32], shape: &[usize], lanes: usize) -> Vec<f32> {
    let (channels, pixels) = (shape[0], shape[1..].iter().product::<usize>());
    let padded = channels.next_multiple_of(lanes);
    let element = |i: usize| {
        let (pixel, channel, example) = (i % pixels, i / pixels % channels, i / pixels / channels);
        blocked[((example * padded / lanes + channel / lanes) * pixels + pixel) * lanes + channel % lanes]
    };
    (0..blocked.len() / padded * channels).map(element).collect()
}

/// A pool of one thread and one of three.
pub(super) fn pools() -> [Threads; 2] {
    [Threads::one(), Threads::new(3).unwrap()]
}
