//! Gradients of convolutions, pools and what moves values, against differences of the oracle's float64 outputs.

// A test may panic.
#![allow(clippy::unwrap_used)]

mod suite;

use cnn_ir::ops::{Conv1dSpec, Conv2dSpec, Conv3dSpec, DenseSpec, ExternGradient, ExternLayer, ExternSpec, PadMode};
use cnn_ir::{Builder, NetworkBuilder, Op, Shape};
use cnn_runtime::training::{Loss, LossTerm, StepSettings, TrainingOptions, TrainingSession};
use cnn_runtime::{CompileOptions, Error, Isa, Tensor, Weights};
use std::sync::Arc;
use suite::{Problem, formula, oracle};

/// More examples than any vector has lanes, and a last vector that is not full on any instruction set.
const BATCH: usize = 19;

/// How far values are moved: so little that hardly any other element becomes a window's largest.
const STEP: f64 = 1.0 / (1 << 18) as f64;

/// Σ factor · value: its gradient is the factors.
#[derive(Debug)]
struct Product;

impl Loss for Product {
    fn target_shape(&self, value: &Shape) -> Option<Vec<usize>> {
        Some(value.to_vec())
    }

    fn value_and_gradient(&self, y: &[f32], _: &[usize], factors: &[f32], dy: &mut [f32]) -> Result<f64, String> {
        dy.copy_from_slice(factors);
        Ok(y.iter().zip(factors).map(|(y, f)| f64::from(*y) * f64::from(*f)).sum())
    }
}

/// An op on values from the formula, and the factors of its output.
struct Case {
    problem: Problem,
    /// The shapes of the inputs, without a batch.
    shapes: Vec<Vec<usize>>,
    inputs: Vec<Vec<f32>>,
    factors: Vec<f32>,
}

impl Case {
    fn new(problem: Problem) -> Self {
        let shapes: Vec<Vec<usize>> = problem.inputs.iter().map(|input| input.shape()[1..].to_vec()).collect();
        let values = |name: &str, shape: &[usize]| -> Vec<f32> {
            let values = formula::values(name, BATCH * shape.iter().product::<usize>());
            values.into_iter().map(|value| (2.0 * value) as f32).collect()
        };
        let inputs = shapes.iter().enumerate().map(|(i, shape)| values(&format!("gradient {i}"), shape)).collect();
        let factors = values("factors", &problem.output_shape[1..]);
        Self { problem, shapes, inputs, factors }
    }

    /// The gradients of the inputs, then of the parameters, for the first examples.
    fn gradients(&self, examples: usize, isa: Isa, threads: usize) -> Result<Vec<Vec<f32>>, String> {
        let mut builder = NetworkBuilder::new("Problem");
        self.problem.build(&mut builder).unwrap();
        let names: Vec<String> = (0..self.shapes.len()).map(|i| format!("x{i}")).collect();
        let options = TrainingOptions {
            losses: vec![LossTerm { value: None, weight: 1.0, loss: Arc::new(Product) }],
            gradients: names.clone(),
            compile: CompileOptions { isa: Some(isa), threads: Some(threads), ..CompileOptions::default() },
            ..TrainingOptions::default()
        };
        let network = builder.finish().unwrap();
        let mut session = TrainingSession::new(&network, &self.problem.weights(), &options)
            .map_err(|error| format!("{}: {error}", self.problem.name))?;
        let tensor = |shape: &[usize], data: &[f32]| {
            let shape = [&[examples], shape].concat();
            Tensor::new(&shape, data[..shape.iter().product()].to_vec()).unwrap()
        };
        let inputs: Vec<Tensor> = self.shapes.iter().zip(&self.inputs).map(|(s, data)| tensor(s, data)).collect();
        let factors = tensor(&self.problem.output_shape[1..], &self.factors);
        let inputs: Vec<&Tensor> = inputs.iter().collect();
        let mut steps = || {
            session.clear_gradients();
            session.step(&inputs, &[&factors], &StepSettings::default()).unwrap();
        };
        // Twice: nothing of the first step may be left.
        steps();
        steps();
        let of_inputs = names.iter().map(|name| session.output(&format!("gradient of {name}")).unwrap().into_data());
        let parameters = self.problem.op.parameters();
        let of_parameters =
            parameters.iter().map(|tensor| session.gradient(&format!("layer.{}", tensor.name)).unwrap().to_vec());
        Ok(of_inputs.chain(of_parameters).collect())
    }

    /// The loss of one example.
    fn loss(&self, example: usize, inputs: &[Vec<f32>], parameters: &[Vec<f32>]) -> f64 {
        let part = |data: &[f32], size: usize| data[example * size..(example + 1) * size].to_vec();
        let parts: Vec<Vec<f32>> =
            self.shapes.iter().zip(inputs).map(|(shape, data)| part(data, shape.iter().product())).collect();
        let views: Vec<_> = self.shapes.iter().zip(&parts).map(|(shape, data)| (&shape[..], &data[..])).collect();
        let output = oracle::solve(&self.problem.op, &views, parameters, &self.problem.output_shape[1..]);
        let factors = part(&self.factors, output.len());
        output.iter().zip(&factors).map(|(y, f)| y * f64::from(*f)).sum()
    }

    /// How much the loss of the first examples changes when values move along a direction, and how far each moves.
    fn difference(&self, examples: usize, value: usize, direction: &[f64]) -> (f64, Vec<f64>) {
        let mut values = [self.inputs.clone(), self.problem.parameters.clone()].concat();
        let start = values[value].clone();
        let mut at = |sign: f64| {
            values[value] =
                start.iter().zip(direction).map(|(v, d)| (f64::from(*v) + sign * STEP * d) as f32).collect();
            let (inputs, parameters) = values.split_at(self.inputs.len());
            let loss: f64 = (0..examples).map(|example| self.loss(example, inputs, parameters)).sum();
            (loss, values[value].clone())
        };
        let ((more, up), (less, down)) = (at(1.0), at(-1.0));
        (more - less, up.iter().zip(&down).map(|(up, down)| f64::from(*up) - f64::from(*down)).collect())
    }

    /// Says what is wrong with gradients of the first examples, if anything is.
    fn check(&self, examples: usize, gradients: &[Vec<f32>]) -> Result<(), String> {
        for (value, found) in gradients.iter().enumerate() {
            let everywhere: Vec<f64> = formula::values("direction", found.len());
            let single = |at: usize| (0..found.len()).map(|i| f64::from(u8::from(i == at))).collect::<Vec<f64>>();
            let singles = [0, found.len() / 2, found.len() - 1];
            for (number, direction) in [everywhere].into_iter().chain(singles.map(single)).enumerate() {
                let (expected, moved) = self.difference(examples, value, &direction);
                let terms = || found.iter().zip(&moved).map(|(g, d)| f64::from(*g) * d);
                let (sum, most): (f64, f64) = (terms().sum(), terms().map(f64::abs).sum());
                // A sum over places and examples can be much smaller than its terms.
                let allowed = 1e-5 * (most.max(expected.abs()) + STEP * examples as f64);
                if found.iter().any(|g| !g.is_finite()) || (sum - expected).abs() > allowed {
                    let name = &self.problem.name;
                    return Err(format!("{name}: value {value}, direction {number}: {sum:e}, not {expected:e}"));
                }
            }
        }
        Ok(())
    }
}

/// Whether the op is one of these: convolutions, pools, what moves values.
fn is_meant(op: &Op) -> bool {
    let name = op.name();
    ["Conv", "Pool", "Concat", "Slice", "Crop", "ChannelShuffle", "Pad", "Upsample", "Flatten", "Reshape"]
        .iter()
        .any(|part| name.contains(part))
}

fn wrong(cases: &[Case], isa: Isa) -> Vec<String> {
    let check = |case: &Case| {
        let all = case.gradients(BATCH, isa, 1)?;
        case.check(BATCH, &all)?;
        let one = case.gradients(1, isa, 1)?;
        case.check(1, &one)?;
        // What an example's gradient is depends on no other one, and nothing on the number of threads.
        let inputs = case.inputs.len();
        let alone = one[..inputs].iter().zip(&all).all(|(one, all)| one[..] == all[..one.len()]);
        let threads = case.gradients(BATCH, isa, 3)? == all;
        if alone && threads { Ok(()) } else { Err(format!("{}: {alone} {threads}", case.problem.name)) }
    };
    cases.iter().filter_map(|case| check(case).err()).collect()
}

fn check_all(problems: impl IntoIterator<Item = Problem>) {
    let cases: Vec<Case> = problems.into_iter().map(Case::new).collect();
    for isa in Isa::available() {
        let wrong = wrong(&cases, isa);
        assert!(wrong.is_empty(), "{isa}:\n{}", wrong.join("\n"));
    }
}

/// But for problems with numbers that are not finite, and those of an op and shapes that were seen.
#[test]
fn gradients_are_differences() {
    let mut seen = Vec::new();
    check_all(suite::problems().into_iter().filter(|problem| {
        let shapes: Vec<_> = problem.inputs.iter().map(|input| &input.shape()[1..]).collect();
        let key = format!("{} {shapes:?}", problem.op);
        let is_new = !seen.contains(&key);
        seen.push(key);
        is_new && is_meant(&problem.op) && problem.output.iter().all(|value| value.is_finite())
    }));
}

#[test]
fn gradients_pass_through_padding_that_is_not_of_zeros() {
    let mut cases: Vec<(Op, &[usize])> = Vec::new();
    for padding_mode in [PadMode::Reflect, PadMode::Replicate, PadMode::Circular] {
        let conv = Conv1dSpec { padding: [2, 1], padding_mode, ..Conv1dSpec::new(2, 3, [3]) };
        cases.push((conv.into(), &[2, 5]));
        let conv = Conv2dSpec { padding: [1, 2, 0, 2], stride: [2, 1], padding_mode, ..Conv2dSpec::new(2, 4, [3, 2]) };
        cases.push((Conv2dSpec { groups: 2, bias: false, ..conv }.into(), &[2, 4, 5]));
        let conv = Conv3dSpec { padding: [1, 0, 1, 1, 2, 0], padding_mode, ..Conv3dSpec::new(1, 2, [2, 3, 2]) };
        cases.push((conv.into(), &[1, 3, 2, 4]));
    }
    check_all(cases.into_iter().map(|(op, shape)| Problem::computed("padded", op, 1, shape, 2.0)));
}

/// y = x² with a gradient, or without one.
struct Square {
    has_gradient: bool,
}

impl ExternLayer for Square {
    fn forward(&self, _: &[usize], input: &[f32], output: &mut [f32]) {
        output.iter_mut().zip(input).for_each(|(y, x)| *y = x * x);
    }

    fn gradient(&self) -> Option<&dyn ExternGradient> {
        self.has_gradient.then_some(self)
    }
}

impl ExternGradient for Square {
    fn backward(&self, shape: &[usize], input: &[f32], output_gradient: &[f32], input_gradient: &mut [f32]) {
        assert_eq!(shape, [2]);
        for ((dx, dy), x) in input_gradient.iter_mut().zip(output_gradient).zip(input) {
            *dx = 2.0 * x * dy;
        }
    }
}

/// x → fc → square → y, with the parameters that are frozen.
fn squared(has_gradient: bool, frozen: &[&str], isa: Isa) -> Result<TrainingSession, Error> {
    let mut network = NetworkBuilder::new("Squared");
    let x = network.input("x", &[3])?;
    let hidden = network.layer("fc", DenseSpec { bias: false, ..DenseSpec::new(3, 2) }, &[&x])?;
    let square = ExternSpec::new("square", &[], [2], [2], Square { has_gradient });
    let y = network.layer("square", square, &[&hidden])?;
    network.output("y", &y)?;
    let weight = Tensor::new(&[2, 3], vec![1.0, 2.0, 3.0, -1.0, 0.0, 1.0])?;
    let options = TrainingOptions {
        losses: vec![LossTerm { value: None, weight: 1.0, loss: Arc::new(Product) }],
        frozen: frozen.iter().map(|&name| name.to_owned()).collect(),
        compile: CompileOptions { isa: Some(isa), ..CompileOptions::default() },
        ..TrainingOptions::default()
    };
    TrainingSession::new(&network.finish()?, &Weights::from_tensors([("fc.weight".to_owned(), weight)])?, &options)
}

#[test]
fn gradients_pass_through_extern_layers() {
    for isa in Isa::available() {
        for batch in [1, BATCH] {
            let mut session = squared(true, &[], isa).unwrap();
            let x = Tensor::new(&[batch, 3], [1.0, 1.0, 2.0].repeat(batch)).unwrap();
            let factors = Tensor::new(&[batch, 2], [1.0, 0.5].repeat(batch)).unwrap();
            session.step(&[&x], &[&factors], &StepSettings::default()).unwrap();
            assert_eq!(session.output("y").unwrap().data(), [81.0, 1.0].repeat(batch));
            // 2 · (9, 1) · (1, 0.5), times the input.
            let expected = [18.0, 18.0, 36.0, 1.0, 1.0, 2.0].map(|g| g * batch as f32);
            assert_eq!(session.gradient("fc.weight").unwrap(), expected, "{isa}");
        }
    }
}

#[test]
fn an_extern_layer_without_a_gradient_is_named() {
    let error = squared(false, &[], Isa::Portable).unwrap_err().to_string();
    assert!(error.contains("square") && error.contains("ExternLayer::gradient"), "{error}");
    assert!(squared(false, &["fc"], Isa::Portable).is_ok());
}
