//! Norms, activations, softmax, products and dropout in training: values and gradients of single layers.

#![allow(clippy::unwrap_used, clippy::panic)]

mod suite;

use cnn_ir::ops::{
    AddSpec, BatchNormSpec, DenseSpec, DropoutSpec, EluSpec, GeluApproximate, GeluSpec, GroupNormSpec, HardSigmoidSpec,
    HardSwishSpec, InstanceNormSpec, LayerNormSpec, LeakyReluSpec, LocalResponseNormSpec, LogSoftmaxSpec, MulSpec,
    PreluSpec, Relu6Spec, ReluSpec, ReshapeSpec, SigmoidSpec, SiluSpec, SoftmaxSpec, TanhSpec,
};
use cnn_ir::{Builder, NetworkBuilder, Op, Shape};
use cnn_runtime::training::{Loss, LossTerm, StepSettings, TrainingOptions, TrainingSession};
use cnn_runtime::{CompileOptions, Error, Isa, Tensor, Weights};
use std::sync::Arc;
use suite::formula;

/// Σ y · t: the target is the gradient.
#[derive(Debug)]
struct Weighted;

impl Loss for Weighted {
    fn target_shape(&self, value: &Shape) -> Option<Vec<usize>> {
        Some(value.to_vec())
    }

    fn value_and_gradient(&self, y: &[f32], _: &[usize], t: &[f32], dy: &mut [f32]) -> Result<f64, String> {
        dy.copy_from_slice(t);
        Ok(y.iter().zip(t).map(|(&y, &t)| f64::from(y) * f64::from(t)).sum())
    }
}

/// An op on inputs of these shapes, and an activation behind it.
struct Case {
    op: Op,
    shapes: Vec<Vec<usize>>,
    then: Option<Op>,
}

/// What a step makes: the output, the gradients of the inputs, those of the parameters.
type Found = Vec<Vec<f32>>;

/// From this, inputs and parameters are half a step away from every multiple of their step.
const STEP: f32 = 1.0 / 256.0;

fn between_steps(name: &str, count: usize, scale: f32) -> Vec<f32> {
    formula::values(name, count).iter().map(|v| (((v * 512.0) as f32).floor() + 0.5) * STEP * scale).collect()
}

impl Case {
    fn session(&self, isa: Isa, threads: usize, weights: &Weights) -> TrainingSession {
        let mut network = NetworkBuilder::new("Net");
        let inputs: Vec<_> =
            self.shapes.iter().enumerate().map(|(i, s)| network.input(&format!("x{i}"), s).unwrap()).collect();
        let mut y = network.layer("layer", self.op.clone(), &inputs.iter().collect::<Vec<_>>()).unwrap();
        if let Some(then) = &self.then {
            y = network.layer("then", then.clone(), &[&y]).unwrap();
        }
        network.output("y", &y).unwrap();
        let options = TrainingOptions {
            losses: vec![LossTerm { value: None, weight: 1.0, loss: Arc::new(Weighted) }],
            gradients: (0..self.shapes.len()).map(|i| format!("x{i}")).collect(),
            compile: CompileOptions { isa: Some(isa), threads: Some(threads), ..CompileOptions::default() },
            ..TrainingOptions::default()
        };
        TrainingSession::new(&network.finish().unwrap(), weights, &options).unwrap()
    }

    fn output_shape(&self) -> Shape {
        let shapes: Vec<Shape> = self.shapes.iter().map(|shape| Shape::new(shape).unwrap()).collect();
        self.op.output_shape(&shapes.iter().collect::<Vec<_>>()).unwrap()
    }

    fn inputs(&self, batch: usize) -> Vec<Vec<f32>> {
        let elements = |shape: &Vec<usize>| batch * shape.iter().product::<usize>();
        self.shapes.iter().enumerate().map(|(i, s)| between_steps(&format!("x{i}"), elements(s), 4.0)).collect()
    }

    fn parameters(&self) -> Vec<Vec<f32>> {
        let values = |tensor: &cnn_ir::TensorSpec| between_steps(tensor.name, tensor.shape.iter().product(), 1.0);
        self.op.parameters().iter().map(values).collect()
    }

    fn weights(&self) -> Weights {
        let tensors = self.op.parameters().into_iter().zip(self.parameters());
        let tensors = tensors.map(|(t, v)| (format!("layer.{}", t.name), Tensor::new(&t.shape, v).unwrap()));
        Weights::from_tensors(tensors).unwrap()
    }

    fn target(&self, batch: usize) -> Vec<f32> {
        formula::values("target", batch * self.output_shape().elements()).iter().map(|&v| v as f32).collect()
    }

    fn found(&self, isa: Isa, threads: usize, batch: usize) -> Found {
        let mut session = self.session(isa, threads, &self.weights());
        let tensor = |shape: &[usize], data| Tensor::new(&[&[batch], shape].concat(), data).unwrap();
        let inputs: Vec<Tensor> = self.shapes.iter().zip(self.inputs(batch)).map(|(s, x)| tensor(s, x)).collect();
        let target = tensor(&self.output_shape(), self.target(batch));
        session.step(&inputs.iter().collect::<Vec<_>>(), &[&target], &StepSettings::default()).unwrap();
        let mut found = vec![session.output("y").unwrap().into_data()];
        found.extend((0..self.shapes.len()).map(|i| session.output(&format!("gradient of x{i}")).unwrap().into_data()));
        found.extend(
            self.op
                .parameters()
                .iter()
                .filter(|p| p.trainable)
                .map(|p| session.gradient(&format!("layer.{}", p.name)).unwrap().to_vec()),
        );
        found
    }

    /// The output of some examples, in float64.
    fn solve(&self, inputs: &[&[f32]], parameters: &[Vec<f32>], batch: usize) -> Vec<f64> {
        let shape = self.output_shape();
        let mut output: Vec<f64> = match &self.op {
            Op::BatchNorm(spec) => batch_norm(spec, inputs[0], parameters, &self.shapes[0]),
            op => (0..batch)
                .flat_map(|example| {
                    let wide = |values: &[f32]| values.iter().map(|&v| f64::from(v)).collect::<Vec<f64>>();
                    let of = |(x, s): (&&[f32], &Vec<usize>)| {
                        let elements = s.iter().product::<usize>();
                        wide(&x[example * elements..(example + 1) * elements])
                    };
                    let parts: Vec<Vec<f64>> = inputs.iter().zip(&self.shapes).map(of).collect();
                    let views: Vec<_> = self.shapes.iter().zip(&parts).map(|(s, x)| (&s[..], &x[..])).collect();
                    let parameters: Vec<Vec<f64>> = parameters.iter().map(|p| wide(p)).collect();
                    suite::oracle::solve(op, &views, &parameters, &shape)
                })
                .collect(),
        };
        match &self.then {
            Some(Op::Relu(_)) => output.iter_mut().for_each(|v| *v = v.max(0.0)),
            Some(Op::Tanh(_)) => output.iter_mut().for_each(|v| *v = v.tanh()),
            _ => {}
        }
        output
    }

    /// The same as [`Case::found`], by central differences in float64.
    fn right(&self, batch: usize) -> Vec<Vec<f64>> {
        let (inputs, parameters, target) = (self.inputs(batch), self.parameters(), self.target(batch));
        let loss = |inputs: &[&[f32]], parameters: &[Vec<f32>], first: usize, count: usize| {
            let elements = target.len() / batch;
            let output = self.solve(inputs, parameters, count);
            output.iter().zip(&target[first * elements..]).map(|(y, &t)| y * f64::from(t)).sum::<f64>()
        };
        let slices: Vec<&[f32]> = inputs.iter().map(|x| &x[..]).collect();
        let mut right = vec![self.solve(&slices, &parameters, batch)];
        let alone = !matches!(self.op, Op::BatchNorm(_));
        for (number, x) in inputs.iter().enumerate() {
            let of_example = x.len() / batch;
            let gradient = (0..x.len()).map(|i| {
                let (first, count) = if alone { (i / of_example, 1) } else { (0, batch) };
                let mut moved: Vec<Vec<f32>> = inputs
                    .iter()
                    .map(|x| x[first * x.len() / batch..(first + count) * x.len() / batch].to_vec())
                    .collect();
                let i = i - first * of_example;
                let mut at = |by: f32| {
                    moved[number][i] += by;
                    let views: Vec<&[f32]> = moved.iter().map(|x| &x[..]).collect();
                    let loss = loss(&views, &parameters, first, count);
                    moved[number][i] -= by;
                    loss
                };
                (at(STEP / 8.0) - at(-STEP / 8.0)) / f64::from(STEP / 4.0)
            });
            right.push(gradient.collect());
        }
        for (number, spec) in self.op.parameters().iter().enumerate().filter(|(_, spec)| spec.trainable) {
            let gradient = (0..spec.shape.iter().product()).map(|i| {
                let mut moved = parameters.clone();
                let mut at = |by: f32| {
                    moved[number][i] += by;
                    let loss = loss(&slices, &moved, 0, batch);
                    moved[number][i] -= by;
                    loss
                };
                (at(STEP / 8.0) - at(-STEP / 8.0)) / f64::from(STEP / 4.0)
            });
            right.push(gradient.collect());
        }
        right
    }
}

/// Batch norm by the statistics of the batch, in float64.
fn batch_norm(spec: &BatchNormSpec, x: &[f32], parameters: &[Vec<f32>], shape: &[usize]) -> Vec<f64> {
    let (channels, places) = (shape[0], shape[1..].iter().product::<usize>());
    let channel = |i: usize| i / places % channels;
    let values = |c: usize| x.iter().enumerate().filter(move |(i, _)| channel(*i) == c).map(|(_, &v)| f64::from(v));
    let statistics = |c: usize| {
        let n = values(c).count() as f64;
        let mean = values(c).sum::<f64>() / n;
        (mean, values(c).map(|v| (v - mean).powi(2)).sum::<f64>() / n)
    };
    let statistics: Vec<(f64, f64)> = (0..channels).map(statistics).collect();
    let normalize = |(i, &v): (usize, &f32)| {
        let (mean, var) = statistics[channel(i)];
        let y = (f64::from(v) - mean) / (var + spec.eps).sqrt();
        match spec.affine {
            true => y * f64::from(parameters[0][channel(i)]) + f64::from(parameters[1][channel(i)]),
            false => y,
        }
    };
    x.iter().enumerate().map(normalize).collect()
}

fn case(op: impl Into<Op>, shapes: &[&[usize]]) -> Case {
    Case { op: op.into(), shapes: shapes.iter().map(|shape| shape.to_vec()).collect(), then: None }
}

fn then(op: impl Into<Op>, shapes: &[&[usize]], then: impl Into<Op>) -> Case {
    Case { then: Some(then.into()), ..case(op, shapes) }
}

fn cases() -> Vec<Case> {
    let batch_norm = BatchNormSpec::new;
    let plain = |channels| BatchNormSpec { affine: false, ..batch_norm(channels) };
    let lrn = |size| LocalResponseNormSpec { alpha: 0.3, ..LocalResponseNormSpec::new(size) };
    let gelu = |approximate| GeluSpec { approximate };
    let leaky = |negative_slope| LeakyReluSpec { negative_slope };
    let (map, vector): (&[usize], &[usize]) = (&[3, 2, 3], &[7]);
    vec![
        case(batch_norm(3), &[map]),
        case(batch_norm(7), &[vector]),
        case(plain(3), &[map]),
        case(BatchNormSpec { eps: 0.5, ..batch_norm(3) }, &[map]),
        then(batch_norm(3), &[map], ReluSpec::new()),
        then(batch_norm(7), &[vector], TanhSpec::new()),
        case(GroupNormSpec::new(2, 4), &[&[4, 2, 3]]),
        case(GroupNormSpec { affine: false, ..GroupNormSpec::new(1, 4) }, &[&[4, 2, 3]]),
        case(GroupNormSpec::new(3, 9), &[&[9]]),
        then(GroupNormSpec::new(2, 4), &[&[4, 5]], ReluSpec::new()),
        case(LayerNormSpec::new([3, 2, 3]), &[map]),
        case(LayerNormSpec::new([3]), &[map]),
        case(LayerNormSpec { bias: false, ..LayerNormSpec::new([2, 3]) }, &[map]),
        case(LayerNormSpec { elementwise_affine: false, ..LayerNormSpec::new([7]) }, &[vector]),
        then(LayerNormSpec::new([7]), &[vector], TanhSpec::new()),
        case(InstanceNormSpec::new(3), &[map]),
        case(InstanceNormSpec { affine: true, ..InstanceNormSpec::new(3) }, &[map]),
        case(lrn(3), &[&[5, 2, 3]]),
        case(LocalResponseNormSpec { beta: 0.6, k: 2.0, ..lrn(4) }, &[&[5, 4]]),
        case(LocalResponseNormSpec { k: 0.0, ..lrn(3) }, &[&[3, 3, 4]]),
        case(SoftmaxSpec::new(), &[vector]),
        case(SoftmaxSpec { dim: 2 }, &[map]),
        case(LogSoftmaxSpec::new(), &[vector]),
        case(LogSoftmaxSpec { dim: 1 }, &[map]),
        case(LogSoftmaxSpec { dim: 3 }, &[map]),
        case(ReluSpec::new(), &[&[23]]),
        case(Relu6Spec::new(), &[&[23]]),
        case(leaky(0.1), &[&[23]]),
        case(leaky(-0.5), &[&[23]]),
        case(EluSpec { alpha: 0.7 }, &[&[23]]),
        case(EluSpec { alpha: -0.7 }, &[&[23]]),
        case(SigmoidSpec::new(), &[&[23]]),
        case(TanhSpec::new(), &[&[23]]),
        case(SiluSpec::new(), &[&[23]]),
        case(gelu(GeluApproximate::None), &[&[23]]),
        case(gelu(GeluApproximate::Tanh), &[&[23]]),
        case(HardSigmoidSpec::new(), &[&[23]]),
        case(HardSwishSpec::new(), &[&[23]]),
        case(PreluSpec::new(), &[map]),
        case(PreluSpec { num_parameters: 3, ..PreluSpec::new() }, &[map]),
        case(PreluSpec { num_parameters: 7, ..PreluSpec::new() }, &[vector]),
        case(MulSpec::new(), &[map, map]),
        case(MulSpec::new(), &[map, &[3, 1, 1]]),
        case(MulSpec::new(), &[&[3, 1, 1], map]),
        case(MulSpec::new(), &[map, &[3, 1, 1], map]),
        then(MulSpec::new(), &[vector, vector, vector], ReluSpec::new()),
        case(AddSpec::new(), &[map, map, map]),
        then(AddSpec::new(), &[vector, vector], ReluSpec::new()),
    ]
}

#[test]
fn values_and_gradients_are_right() {
    for case in cases() {
        // Full and incomplete blocks of every width.
        for batch in [1, 19] {
            let is_vector = case.shapes[0].len() == 1;
            let batch = if matches!(case.op, Op::BatchNorm(_)) && is_vector { batch + 1 } else { batch };
            let right = case.right(batch);
            for isa in Isa::available() {
                let found = case.found(isa, 1, batch);
                assert_eq!(found.len(), right.len());
                for (what, (found, right)) in found.iter().zip(&right).enumerate() {
                    assert_eq!(found.len(), right.len());
                    for (i, (&found, &right)) in found.iter().zip(right).enumerate() {
                        let (off, name) = ((f64::from(found) - right).abs(), &case.op);
                        let at = format!("{name} on {isa}, batch {batch}: value {what} at {i}");
                        assert!(off <= 2e-5 * right.abs().max(1.0), "{at} is {found}, not {right}");
                    }
                }
            }
        }
    }
}

#[test]
fn threads_change_nothing() {
    let batch = 2 * Isa::detect().lanes() + 3;
    let map: &[usize] = &[40, 23, 24];
    let cases = [
        case(BatchNormSpec::new(40), &[map]),
        case(BatchNormSpec::new(22_080), &[&[22_080]]),
        case(GroupNormSpec::new(8, 40), &[map]),
        case(LayerNormSpec::new([24]), &[map]),
        case(LocalResponseNormSpec::new(5), &[map]),
        case(SoftmaxSpec { dim: 1 }, &[map]),
        case(PreluSpec::new(), &[map]),
        case(MulSpec::new(), &[map, &[40, 1, 1]]),
        case(AddSpec::new(), &[map, map]),
        case(DropoutSpec { p: 0.3 }, &[map]),
    ];
    for case in cases {
        let [alone, shared] = [1, 3].map(|threads| case.found(Isa::detect(), threads, batch));
        assert!(alone == shared, "{}", case.op);
    }
}

/// A session of a network of one input, of which `make` adds the rest.
fn session_of(
    shape: &[usize],
    weights: Vec<(&str, Tensor)>,
    make: impl FnOnce(&mut NetworkBuilder, cnn_ir::ValueId) -> cnn_ir::ValueId,
) -> TrainingSession {
    let mut network = NetworkBuilder::new("Net");
    let x = network.input("x", shape).unwrap();
    let y = make(&mut network, x);
    network.output("y", &y).unwrap();
    let options = TrainingOptions {
        losses: vec![LossTerm { value: None, weight: 1.0, loss: Arc::new(Weighted) }],
        gradients: vec!["x".to_owned()],
        ..TrainingOptions::default()
    };
    let weights = weights.into_iter().map(|(name, tensor)| (name.to_owned(), tensor));
    TrainingSession::new(&network.finish().unwrap(), &Weights::from_tensors(weights).unwrap(), &options).unwrap()
}

#[test]
fn gradients_of_a_value_that_is_read_twice_are_summed() {
    let mut session = session_of(&[3], Vec::new(), |network, x| {
        let square = network.layer("square", MulSpec::new(), &[&x, &x]).unwrap();
        network.layer("add", AddSpec::new(), &[&square, &x]).unwrap()
    });
    let [x, dy] = [[1.0, -2.0, 0.5], [1.0, 2.0, 3.0]].map(|data| Tensor::new(&[1, 3], data.to_vec()).unwrap());
    session.step(&[&x], &[&dy], &StepSettings::default()).unwrap();
    // (2x + 1) · dy
    assert_eq!(session.output("gradient of x").unwrap().data(), [3.0, -6.0, 6.0]);
}

/// Norms divide by 0 in lanes without an example, which are zeros.
#[test]
fn nothing_comes_of_lanes_without_an_example() {
    let norms: [Op; 3] = [
        LayerNormSpec { elementwise_affine: false, eps: 0.0, ..LayerNormSpec::new([3, 2]) }.into(),
        InstanceNormSpec { eps: 0.0, ..InstanceNormSpec::new(3) }.into(),
        LocalResponseNormSpec { k: 0.0, ..LocalResponseNormSpec::new(2) }.into(),
    ];
    for norm in norms {
        let weights = vec![("first.weight", Tensor::new(&[6, 6], between_steps("weight", 36, 1.0)).unwrap())];
        let dense = DenseSpec { bias: false, ..DenseSpec::new(6, 6) };
        let mut session = session_of(&[6], weights, |network, x| {
            let y = network.layer("first", dense, &[&x]).unwrap();
            let y = network.layer("map", ReshapeSpec::new([3, 2]), &[&y]).unwrap();
            network.layer("norm", norm.clone(), &[&y]).unwrap()
        });
        let x = Tensor::new(&[1, 6], between_steps("x", 6, 1.0)).unwrap();
        let dy = Tensor::new(&[1, 3, 2], between_steps("dy", 6, 1.0)).unwrap();
        session.step(&[&x], &[&dy], &StepSettings::default()).unwrap();
        let gradient = session.gradient("first.weight").unwrap();
        assert!(gradient.iter().all(|v| v.is_finite()) && gradient.iter().any(|&v| v != 0.0), "{norm}: {gradient:?}");
    }
}

#[test]
fn derivatives_at_kinks_are_pytorchs() {
    let (leaky, negative) = (LeakyReluSpec { negative_slope: 0.5 }, LeakyReluSpec { negative_slope: -0.5 });
    // x and the derivative there.
    let cases: &[(Op, &[(f32, f32)])] = &[
        (ReluSpec::new().into(), &[(0.0, 0.0)]),
        (Relu6Spec::new().into(), &[(0.0, 0.0), (6.0, 0.0)]),
        (leaky.into(), &[(0.0, 0.5)]),
        (negative.into(), &[(0.0, -0.5)]),
        (EluSpec { alpha: 0.5 }.into(), &[(0.0, 0.5)]),
        (HardSigmoidSpec::new().into(), &[(-3.0, 0.0), (3.0, 0.0)]),
        (HardSwishSpec::new().into(), &[(-3.0, 0.0), (3.0, 1.0)]),
    ];
    for isa in Isa::available() {
        for (op, points) in cases {
            for &(x, expected) in *points {
                let case = case(op.clone(), &[&[1]]);
                let mut session = case.session(isa, 1, &case.weights());
                let [x, one] = [x, 1.0].map(|value| Tensor::new(&[1, 1], vec![value]).unwrap());
                session.step(&[&x], &[&one], &StepSettings::default()).unwrap();
                let found = session.output("gradient of x0").unwrap();
                assert_eq!(found.data(), [expected], "{op} on {isa} at {:?}", x.data());
            }
        }
    }
}

/// Running statistics of one channel in a session of batch norm.
fn running(session: &TrainingSession) -> [f32; 2] {
    ["layer.running_mean", "layer.running_var"].map(|name| session.parameter(name).unwrap()[0])
}

fn batch_norm_session(spec: BatchNormSpec, shape: &[usize]) -> TrainingSession {
    let tensors = [("weight", 1.0), ("bias", 0.0), ("running_mean", 0.5), ("running_var", 2.0)];
    let tensors = tensors
        .map(|(name, value)| (format!("layer.{name}"), Tensor::new(&[shape[0]], vec![value; shape[0]]).unwrap()));
    case(spec, &[shape]).session(Isa::detect(), 1, &Weights::from_tensors(tensors).unwrap())
}

#[test]
fn running_statistics_follow_the_batch() {
    let mut session = batch_norm_session(BatchNormSpec { momentum: 0.25, ..BatchNormSpec::new(1) }, &[1, 2]);
    let x = Tensor::new(&[2, 1, 2], vec![1.0, 2.0, 3.0, 6.0]).unwrap();
    let zero = Tensor::zeros(&[2, 1, 2]).unwrap();
    // Mean 3, and the variance without bias 14/3.
    session.step(&[&x], &[&zero], &StepSettings { updates: false, ..StepSettings::default() }).unwrap();
    assert_eq!(running(&session), [0.75 * 0.5 + 0.25 * 3.0, 0.75 * 2.0 + 0.25 * 14.0 / 3.0]);

    let before = running(&session);
    let infinite = Tensor::new(&[2, 1, 2], vec![f32::INFINITY; 4]).unwrap();
    let result = session.step(&[&x], &[&infinite], &StepSettings::default());
    assert!(matches!(result, Err(Error::NotFinite { .. })), "{result:?}");
    assert_eq!(running(&session), before, "a step without a finite loss leaves the statistics alone");
}

#[test]
fn one_value_per_channel_has_no_variance() {
    let mut session = batch_norm_session(BatchNormSpec::new(2), &[2]);
    let [x, dy] = [1.0, 1.0].map(|value| Tensor::new(&[1, 2], vec![value; 2]).unwrap());
    let message = session.step(&[&x], &[&dy], &StepSettings::default()).unwrap_err().to_string();
    assert!(message.contains("`layer`") && message.contains("batches of at least 2"), "{message}");
    assert_eq!(running(&session), [0.5, 2.0]);
    assert_eq!(session.gradient("layer.bias").unwrap(), [0.0; 2]);
}

#[test]
fn a_variance_far_below_the_mean_is_exact() {
    let mut session = batch_norm_session(BatchNormSpec { momentum: 1.0, ..BatchNormSpec::new(1) }, &[1, 40, 40]);
    let noise = formula::values("noise", 4 * 1600);
    let x: Vec<f32> = noise.iter().map(|v| 1000.0 + *v as f32).collect();
    let exact = |f: &dyn Fn(f64) -> f64| x.iter().map(|&v| f(f64::from(v))).sum::<f64>();
    let mean = exact(&|v| v) / x.len() as f64;
    let var = exact(&|v| (v - mean).powi(2)) / (x.len() - 1) as f64;
    let [x, dy] = [x, vec![1.0; 6400]].map(|data| Tensor::new(&[4, 1, 40, 40], data).unwrap());
    session.step(&[&x], &[&dy], &StepSettings::default()).unwrap();
    let [found_mean, found_var] = running(&session).map(f64::from);
    assert!((found_mean / mean - 1.0).abs() < 1e-7, "{found_mean}, not {mean}");
    assert!((found_var / var - 1.0).abs() < 1e-6, "{found_var}, not {var}");
}

/// The output and the input's gradient of dropout on ones.
fn dropped(p: f64, isa: Isa, seed: u64, batch: usize, elements: usize) -> [Vec<f32>; 2] {
    let case = case(DropoutSpec { p }, &[&[elements]]);
    let mut session = case.session(isa, 1, &case.weights());
    let ones = Tensor::new(&[batch, elements], vec![1.0; batch * elements]).unwrap();
    session.step(&[&ones], &[&ones], &StepSettings { seed, ..StepSettings::default() }).unwrap();
    ["y", "gradient of x0"].map(|name| session.output(name).unwrap().into_data())
}

#[test]
fn dropout_drops_its_share_of_the_elements() {
    let (batch, elements) = (37, 1000);
    for p in [0.0, 0.1, 0.5, 1.0] {
        let [first, gradient] = dropped(p, Isa::detect(), 1, batch, elements);
        assert_eq!(first, gradient, "the gradient is of the same elements");
        let kept = if p < 1.0 { (1.0 / (1.0 - p)) as f32 } else { 0.0 };
        assert!(first.iter().all(|&v| v == 0.0 || v == kept));
        for isa in Isa::available() {
            assert_eq!(dropped(p, isa, 1, batch, elements)[0], first, "{isa}");
        }
        // How often neighbours agree: elements, examples, steps of 2 in both, and steps of training.
        let is_dropped = |values: &[f32], i: usize| values[i] == 0.0;
        let n = batch * elements;
        let all = [(1, "elements"), (2, "elements"), (elements, "examples"), (2 * elements, "examples")];
        let bound = |share: f64, n: usize| 5.0 * (share * (1.0 - share) / n as f64).sqrt();
        let share = (0..n).filter(|&i| is_dropped(&first, i)).count() as f64 / n as f64;
        assert!((share - p).abs() <= bound(p, n), "{share} instead of {p}");
        let both = p * p;
        for (distance, what) in all {
            let count =
                (0..n - distance).filter(|&i| is_dropped(&first, i) && is_dropped(&first, i + distance)).count();
            let found = count as f64 / (n - distance) as f64;
            assert!((found - both).abs() <= bound(both, n), "{what}: {found} instead of {both}");
        }
        let [other, _] = dropped(p, Isa::detect(), 2, batch, elements);
        let found = (0..n).filter(|&i| is_dropped(&first, i) && is_dropped(&other, i)).count() as f64 / n as f64;
        assert!((found - both).abs() <= bound(both, n), "steps: {found} instead of {both}");
    }
}
