//! Gradients of convolutions, pools and what moves values, against differences of the oracle's float64 outputs.

// A test may panic.
#![allow(clippy::unwrap_used)]

mod suite;

use cnn_ir::ops::{
    AdaptiveMaxPool2dSpec, Conv1dSpec, Conv2dSpec, Conv3dSpec, ConvTranspose2dSpec, DenseSpec, ExternGradient,
    ExternLayer, ExternSpec, FractionalMaxPool2dSpec, GlobalMaxPool2dSpec, MaxPool2dSpec, PadMode,
};
use cnn_ir::{Builder, NetworkBuilder, Op, Shape};
use cnn_runtime::training::{Loss, LossTerm, StepSettings, TrainingOptions, TrainingSession};
use cnn_runtime::{CompileOptions, Error, Isa, Tensor, Weights};
use proptest::prelude::*;
use std::sync::Arc;
use suite::training::session;
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
        let mut session =
            TrainingSession::new(&network, &self.problem.weights(), &options).map_err(|error| error.to_string())?;
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
        let exact = |data: &[f32]| data.iter().map(|&v| f64::from(v)).collect::<Vec<f64>>();
        let part = |data: &[f32], size: usize| exact(&data[example * size..(example + 1) * size]);
        let parts: Vec<Vec<f64>> =
            self.shapes.iter().zip(inputs).map(|(shape, data)| part(data, shape.iter().product())).collect();
        let views: Vec<_> = self.shapes.iter().zip(&parts).map(|(shape, data)| (&shape[..], &data[..])).collect();
        let parameters: Vec<Vec<f64>> = parameters.iter().map(|values| exact(values)).collect();
        let output = oracle::solve(&self.problem.op, &views, &parameters, &self.problem.output_shape[1..]);
        let factors = part(&self.factors, output.len());
        output.iter().zip(&factors).map(|(y, f)| y * f).sum()
    }

    /// How much the loss of the first examples changes when inputs and parameters move along these directions.
    fn difference(&self, examples: usize, directions: &[Vec<f64>]) -> Difference {
        let values = [self.inputs.clone(), self.problem.parameters.clone()].concat();
        let at = |sign: f64| {
            let moved = |(value, direction): (&Vec<f32>, &Vec<f64>)| -> Vec<f32> {
                value.iter().zip(direction).map(|(v, d)| (f64::from(*v) + sign * STEP * d) as f32).collect()
            };
            let values: Vec<Vec<f32>> = values.iter().zip(directions).map(moved).collect();
            let (inputs, parameters) = values.split_at(self.inputs.len());
            let loss: f64 = (0..examples).map(|example| self.loss(example, inputs, parameters)).sum();
            (loss, values)
        };
        let ((more, up), (less, down)) = (at(1.0), at(-1.0));
        let apart = |(up, down): (&Vec<f32>, &Vec<f32>)| {
            up.iter().zip(down).map(|(up, down)| f64::from(*up) - f64::from(*down)).collect()
        };
        Difference { examples, loss: more - less, moved: up.iter().zip(&down).map(apart).collect() }
    }

    /// Of the first example by each value and by one of its elements; of all examples by all values.
    fn differences(&self) -> Vec<Difference> {
        let lengths: Vec<usize> = self.inputs.iter().chain(&self.problem.parameters).map(Vec::len).collect();
        let all: Vec<Vec<f64>> =
            lengths.iter().enumerate().map(|(i, &n)| formula::values(&format!("direction {i}"), n)).collect();
        let mut differences = vec![self.difference(BATCH, &all)];
        for (value, &length) in lengths.iter().enumerate() {
            let mut single: Vec<Vec<f64>> = lengths.iter().map(|&n| vec![0.0; n]).collect();
            let mut alone = single.clone();
            alone[value].clone_from(&all[value]);
            let one = if value < self.inputs.len() { length / BATCH } else { length };
            single[value][one / 2] = 1.0;
            differences.extend([alone, single].map(|directions| self.difference(1, &directions)));
        }
        differences
    }
}

/// How the loss of the first examples changes when each element of inputs and parameters moves so far.
struct Difference {
    examples: usize,
    loss: f64,
    moved: Vec<Vec<f64>>,
}

impl Difference {
    /// Says what is wrong with gradients of the first examples, if anything is.
    fn check(&self, gradients: &[Vec<f32>]) -> Result<(), String> {
        let values = gradients.iter().zip(&self.moved);
        let terms = values.flat_map(|(g, d)| g.iter().zip(d).map(|(g, d)| f64::from(*g) * d));
        let (sum, most) = terms.fold((0.0, 0.0), |(sum, most), term| (sum + term, most + term.abs()));
        // A sum over places and examples can be much smaller than its terms.
        let allowed = 1e-5 * (most.max(self.loss.abs()) + STEP * self.examples as f64);
        match (sum - self.loss).abs() <= allowed {
            true => Ok(()),
            false => Err(format!("of {} examples {sum:e}, not {:e}", self.examples, self.loss)),
        }
    }
}

/// Whether the op is one of these: convolutions, pools, what moves values.
fn is_meant(op: &Op) -> bool {
    let name = op.name();
    ["Conv", "Pool", "Concat", "Slice", "Crop", "ChannelShuffle", "Pad", "Upsample", "Flatten", "Reshape"]
        .iter()
        .any(|part| name.contains(part))
}

/// What is wrong with the gradients of a case, if anything is.
fn check(case: &Case, differences: &[Difference], isa: Isa) -> Result<(), String> {
    let [one, all] = [case.gradients(1, isa, 1)?, case.gradients(BATCH, isa, 1)?];
    for difference in differences {
        difference.check(if difference.examples == 1 { &one } else { &all })?;
    }
    let inputs = case.inputs.len();
    if one[..inputs].iter().zip(&all).any(|(one, all)| one[..] != all[..one.len()]) {
        return Err("an example's gradient depends on the others".to_owned());
    }
    match case.gradients(BATCH, isa, 3)? == all {
        true => Ok(()),
        false => Err("gradients depend on the number of threads".to_owned()),
    }
}

fn check_all(problems: impl IntoIterator<Item = Problem>) {
    let mut wrong = Vec::new();
    for case in problems.into_iter().map(Case::new) {
        let differences = case.differences();
        let of = |isa| check(&case, &differences, isa).err().map(|e| format!("{} on {isa}: {e}", case.problem.name));
        wrong.extend(Isa::available().filter_map(of));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
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

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn gradients_of_random_problems_are_differences(problem in suite::random::problem()) {
        if is_meant(&problem.op) && problem.output.iter().all(|value| value.is_finite()) {
            check_all([problem]);
        }
    }
}

/// Rows and batches that are too large to be copied at once, and what is read where it lies.
#[test]
fn gradients_of_convolutions_in_pieces() {
    let padding = [1; 4];
    let cases: [(Op, &[usize]); 7] = [
        (Conv1dSpec { padding: [2, 1], ..Conv1dSpec::new(160, 2, [3]) }.into(), &[160, 61]),
        (Conv2dSpec { padding, ..Conv2dSpec::new(48, 2, [3, 3]) }.into(), &[48, 1, 80]),
        (Conv2dSpec { padding, stride: [2, 2], ..Conv2dSpec::new(48, 2, [3, 2]) }.into(), &[48, 1, 90]),
        (Conv2dSpec { padding, ..Conv2dSpec::new(2, 1, [3, 3]) }.into(), &[2, 66, 66]),
        // One tap, and sizes that stay, but a stride along an axis of one element.
        (Conv2dSpec { stride: [1, 2], ..Conv2dSpec::new(2, 3, [1, 1]) }.into(), &[2, 8, 1]),
        (ConvTranspose2dSpec { stride: [1, 2], ..ConvTranspose2dSpec::new(2, 3, [1, 1]) }.into(), &[2, 8, 1]),
        (ConvTranspose2dSpec { stride: [1, 2], ..ConvTranspose2dSpec::new(96, 2, [2, 3]) }.into(), &[96, 1, 60]),
    ];
    check_all(cases.into_iter().map(|(op, shape)| Problem::computed("large", op, 1, shape, 2.0)));
}

/// Kernels of 3×3 and 5×5 taps with few channels, whose tiles threads take alone, and with more, which they share.
#[test]
fn gradients_of_convolutions_by_winograd() {
    const TOGETHER: &str = "conv_winograd gradients";
    const APART: &str = "conv_winograd weight gradient";
    let cases: [(Op, &[usize], &str); 5] = [
        (Conv2dSpec::new(6, 16, [5, 5]).into(), &[6, 14, 14], TOGETHER),
        (Conv2dSpec { padding: [2; 4], ..Conv2dSpec::new(24, 26, [5, 5]) }.into(), &[24, 12, 12], APART),
        (Conv2dSpec { padding: [2, 1, 0, 2], ..Conv2dSpec::new(32, 30, [5, 5]) }.into(), &[32, 13, 15], APART),
        (Conv2dSpec { padding: [1, 0, 2, 1], ..Conv2dSpec::new(16, 7, [3, 3]) }.into(), &[16, 9, 11], TOGETHER),
        (Conv2dSpec { padding: [1, 0, 2, 1], ..Conv2dSpec::new(33, 30, [3, 3]) }.into(), &[33, 10, 10], APART),
    ];
    for (op, shape, step) in cases {
        let problem = Problem::computed("winograd", op, 1, shape, 2.0);
        // Short vectors of many channels fit into a cache, too.
        for isa in Isa::available().filter(|&isa| step == TOGETHER || isa != Isa::Portable) {
            let steps = session(&problem, isa).unwrap().program_text();
            assert!(steps.contains(step), "{steps}");
        }
        check_all([problem]);
    }
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

/// As in PyTorch; behind a ReLU, many elements of a window are equal.
#[test]
fn the_first_of_the_largest_gets_the_gradient() {
    let max = MaxPool2dSpec::new;
    let cases: [(Op, &[usize]); 6] = [
        (max([2, 2], [2, 2]).into(), &[0, 2, 8, 10]),
        (max([3, 3], [1, 1]).into(), &[0, 1, 4, 5]),
        (MaxPool2dSpec { padding: [1; 4], ..max([3, 3], [2, 2]) }.into(), &[0, 1, 4, 5]),
        (AdaptiveMaxPool2dSpec::new([1, 2]).into(), &[0, 2]),
        (FractionalMaxPool2dSpec::new([2, 2], [2, 2]).into(), &[0, 2, 8, 10]),
        (GlobalMaxPool2dSpec::new().into(), &[0]),
    ];
    for (op, first) in cases {
        let case = Case::new(Problem::computed("equal", op, 1, &[1, 4, 4], 1.0));
        let (inputs, factors) = (vec![vec![0.5; BATCH * 16]], vec![1.5; BATCH * first.len()]);
        let case = Case { inputs, factors, ..case };
        let expected: Vec<f32> = (0..16).map(|i| if first.contains(&i) { 1.5 } else { 0.0 }).collect();
        for isa in Isa::available() {
            let found = case.gradients(BATCH, isa, 1).unwrap();
            assert_eq!(found, [expected.repeat(BATCH)], "{} on {isa}", case.problem.name);
        }
    }
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
