//! The right gradients of the problems, by central differences of the oracle in f64, and the checks that a backend's
//! gradients must pass.
//!
//! Differences with a step of h = 1e-6 are off by about h²·f‴/6 and by the rounding of f over h: both are below 1e-7 of
//! the derivative for every op here. They mean nothing across a kink (of a ReLU, or where another element becomes the
//! largest of a window), so a problem's inputs are moved [`apart`] first: any two elements of a tensor, and any element
//! and a whole number, where all kinks lie, are farther apart than 20 steps.

use super::{Problem, formula, oracle, wide};
use cnn_ir::Op;
use cnn_runtime::Tensor;

/// The most that a backend may be off by, relative to the larger of the derivative and what is usual in its tensor.
const TOLERANCE: f64 = 1e-4;

/// Half the distance of the two points of a difference.
const STEP: f64 = 1e-6;

/// A tensor that a gradient is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Of {
    Input(usize),
    Parameter(usize),
}

/// Where a derivative goes: along one element, or along all of a tensor by the formula's values of a key.
#[derive(Debug, Clone)]
pub enum Direction {
    Element(usize),
    Formula(String),
}

impl Direction {
    /// The elements that are moved, and how far.
    fn moves(&self, len: usize) -> Vec<(usize, f64)> {
        match self {
            Self::Element(i) => vec![(*i, 1.0)],
            Self::Formula(key) => formula::values(key, len).into_iter().enumerate().collect(),
        }
    }
}

/// One derivative of Σ dy·f(inputs, parameters).
#[derive(Debug, Clone)]
pub struct Check {
    pub of: Of,
    pub direction: Direction,
    pub expected: f64,
    /// What is usual along this direction: a smaller derivative is the difference of terms of this size.
    pub usual: f64,
    /// No kink lies between the two points of the difference.
    pub is_smooth: bool,
}

impl Check {
    /// How far a gradient is off.
    pub fn error(&self, gradient: &[f64]) -> f64 {
        let moves = self.direction.moves(gradient.len()).into_iter();
        let found: f64 = moves.map(|(i, distance)| gradient[i] * distance).sum();
        let error = (found - self.expected).abs() / self.expected.abs().max(self.usual);
        if error.is_nan() { f64::INFINITY } else { error }
    }
}

/// A problem and its gradients.
#[derive(Debug, Clone)]
pub struct Gradients {
    pub problem: Problem,
    /// Whether batch norm normalises by the batch.
    pub is_training: bool,
    /// The gradient of the output.
    pub dy: Vec<f32>,
    pub checks: Vec<Check>,
    /// Batch norm's running mean and variance after one step of training.
    pub statistics: Option<[Vec<f64>; 2]>,
}

impl Gradients {
    /// Those of a problem as it is, at inference or in training.
    pub fn new(problem: &Problem, is_training: bool) -> Self {
        let mut function = Function::new(problem, is_training);
        let statistics = function.statistics();
        let problem = Problem { output: function.output(None), ..problem.clone() };
        let checks = function.tensors().into_iter().flat_map(|of| function.checks(of)).collect();
        let dy = function.dy.iter().map(|&v| v as f32).collect();
        Self { problem, is_training, dy, checks, statistics }
    }

    /// Says what is wrong with a backend's gradients, if anything is.
    pub fn check(&self, mut gradient: impl FnMut(Of) -> Vec<f32>) -> Result<(), String> {
        for of in Function::new(&self.problem, self.is_training).tensors() {
            let found = wide(&gradient(of));
            for check in self.checks.iter().filter(|check| check.of == of) {
                let error = check.error(&found);
                if error > TOLERANCE {
                    return Err(format!("{}: {check:?} is off by {error:e}", self.problem.name));
                }
            }
        }
        Ok(())
    }
}

/// Every problem that has gradients, its inputs [`apart`]; batch norm twice, at inference and in training. Layers of
/// somebody's own have none; dropout in training is tested with the kernels.
pub fn problems() -> Vec<(Problem, bool)> {
    let mut problems = Vec::new();
    for problem in super::problems() {
        let ordinary = |x: &Tensor| x.data().iter().all(|v| v.abs() < 50.0);
        if matches!(problem.op, Op::Extern(_)) || !problem.inputs.iter().all(ordinary) {
            continue;
        }
        let inputs = problem.inputs.iter().map(|x| Tensor::new(x.shape(), apart(x.data())).unwrap()).collect();
        let problem = Problem { inputs, ..problem };
        // Two elements are normalised to ±1 whatever they are: their gradients are what is left of terms that cancel.
        let input = &problem.inputs[0];
        if matches!(problem.op, Op::BatchNorm(_)) && input.data().len() > 2 * input.shape()[1] {
            problems.push((problem.clone(), true));
        }
        problems.push((problem, false));
    }
    problems
}

/// The same order, but evenly spread, and no element near another or near a whole number.
fn apart(values: &[f32]) -> Vec<f32> {
    let largest = values.iter().fold(1.0, |a: f64, &v| a.max(f64::from(v).abs()));
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let distance = 2.0 * largest / values.len() as f64;
    let margin = (distance / 4.0).min(0.1);
    assert!(margin > 20.0 * STEP);
    let mut spread = vec![0.0; values.len()];
    for (rank, &i) in order.iter().enumerate() {
        let value = (rank as f64 + 0.5) * distance - largest;
        let beside = value - value.round();
        let moved = if beside.abs() < margin { value.round() + margin.copysign(beside) } else { value };
        spread[i] = moved as f32;
    }
    spread
}

/// A problem's op as a function of all its inputs and parameters.
struct Function<'a> {
    problem: &'a Problem,
    is_training: bool,
    dy: Vec<f64>,
    inputs: Vec<Vec<f64>>,
    parameters: Vec<Vec<f64>>,
}

impl<'a> Function<'a> {
    fn new(problem: &'a Problem, is_training: bool) -> Self {
        Self {
            problem,
            is_training,
            dy: formula::values("dy", problem.output_shape.iter().product()),
            inputs: problem.inputs.iter().map(|x| wide(x.data())).collect(),
            parameters: problem.parameters.iter().map(|p| wide(p)).collect(),
        }
    }

    /// The tensors that have gradients: all but running statistics.
    fn tensors(&self) -> Vec<Of> {
        let parameters = self.problem.op.parameters();
        let trained = (0..parameters.len()).filter(|&i| !parameters[i].name.starts_with("running"));
        (0..self.inputs.len()).map(Of::Input).chain(trained.map(Of::Parameter)).collect()
    }

    fn tensor(&mut self, of: Of) -> &mut Vec<f64> {
        match of {
            Of::Input(i) => &mut self.inputs[i],
            Of::Parameter(i) => &mut self.parameters[i],
        }
    }

    fn in_training(&self) -> Option<(Vec<f64>, [Vec<f64>; 2])> {
        match &self.problem.op {
            Op::BatchNorm(spec) if self.is_training => {
                Some(oracle::batch_norm_training(spec, self.problem.output_shape[0], &self.inputs[0], &self.parameters))
            }
            _ => None,
        }
    }

    fn statistics(&self) -> Option<[Vec<f64>; 2]> {
        self.in_training().map(|(_, statistics)| statistics)
    }

    /// The output of one example, or of all.
    fn output(&self, example: Option<usize>) -> Vec<f64> {
        if let Some((output, _)) = self.in_training() {
            return output;
        }
        let (problem, batch) = (self.problem, self.problem.output_shape[0]);
        let inputs = problem.inputs.iter().zip(&self.inputs).map(|(input, x)| (&input.shape()[1..], &**x));
        let inputs: Vec<(&[usize], &[f64])> = inputs.collect();
        let examples = example.map_or(0..batch, |i| i..i + 1);
        let solve =
            |i| oracle::solve_example(&problem.op, (i, batch), &inputs, &self.parameters, &problem.output_shape[1..]);
        examples.flat_map(solve).collect()
    }

    /// All elements of a short tensor; of a long one a sample, and some directions of all.
    fn checks(&mut self, of: Of) -> Vec<Check> {
        let len = self.tensor(of).len();
        let elements: Vec<usize> = if len <= 128 {
            (0..len).collect()
        } else {
            let places = formula::values("sample", 16).into_iter().enumerate();
            places.map(|(i, v)| ((i as f64 + (v + 1.0) / 2.0) / 16.0 * len as f64) as usize).collect()
        };
        let directions = if len <= 128 { 0 } else { 3 };
        let elements = elements.into_iter().map(Direction::Element);
        let directions = (0..directions).map(|i| Direction::Formula(format!("direction {i}")));
        let mut checks: Vec<Check> = elements.chain(directions).map(|direction| self.check(of, direction)).collect();
        let singles = checks.iter().filter(|check| matches!(check.direction, Direction::Element(_)));
        let squares: Vec<f64> = singles.map(|check| check.expected * check.expected).collect();
        // Where nearly all cancels, rounding is of what was there before.
        let usual = (squares.iter().sum::<f64>() / squares.len() as f64).sqrt().max(0.01);
        for check in &mut checks {
            let moved = check.direction.moves(len).iter().map(|(_, distance)| distance * distance).sum::<f64>();
            check.usual = usual * moved.sqrt();
        }
        checks
    }

    fn check(&mut self, of: Of, direction: Direction) -> Check {
        let batch = self.problem.output_shape[0];
        let start = self.tensor(of).clone();
        let example = match (of, &direction) {
            (Of::Input(_), Direction::Element(i)) if !self.is_training => Some(i * batch / start.len()),
            _ => None,
        };
        let moves = direction.moves(start.len());
        // Large numbers have large steps.
        let step = STEP * moves.iter().fold(1.0, |a: f64, &(i, _)| a.max(start[i].abs()));
        let mut at = |steps: f64| {
            let tensor = self.tensor(of);
            tensor.clone_from(&start);
            moves.iter().for_each(|&(i, distance)| tensor[i] += steps * step * distance);
            self.output(example)
        };
        let (below, here, above) = (at(-1.0), at(0.0), at(1.0));
        let dy = example.map_or(&*self.dy, |i| self.dy.chunks(self.dy.len() / batch).nth(i).unwrap());
        // A window in padding alone is −∞ on both sides.
        let slope = |(a, b): (&f64, &f64)| if a == b { 0.0 } else { (b - a) / (2.0 * step) };
        let expected = below.iter().zip(&above).map(slope).zip(dy).map(|(slope, dy)| slope * dy).sum();
        let bend = |i: usize| if below[i] == above[i] { 0.0 } else { (below[i] + above[i] - 2.0 * here[i]).abs() };
        let is_smooth = (0..here.len()).all(|i| bend(i) <= 0.01 * step);
        Check { of, direction, expected, usual: 0.0, is_smooth }
    }
}
