//! The problems that every backend must solve: one op each, an input, and the right output.
//!
//! The right output is written down where a number is published, and computed by [`oracle`] elsewhere.

// Each test program uses a part of the suite, and a test may panic.
#![allow(dead_code, unused_imports, clippy::unwrap_used)]

mod activations;
pub mod adversarial;
mod axes;
pub mod formula;
mod geometry;
pub mod gradients;
pub mod lenet;
mod norms;
mod operators;
mod options;
pub mod oracle;
mod oracle_axes;
mod oracle_geometry;
pub mod random;
mod random_axes;
mod random_geometry;
pub mod random_layers;
mod several;
mod special;
pub mod training;

use cnn_ir::{BuildError, Builder, Op, Shape};
use cnn_runtime::{Tensor, Weights};

/// One op applied to one input, or to several.
#[derive(Debug, Clone)]
pub struct Problem {
    pub name: String,
    pub op: Op,
    /// The inputs, batch first.
    pub inputs: Vec<Tensor>,
    /// The op's parameters in its order.
    pub parameters: Vec<Vec<f32>>,
    /// The output's shape, batch first.
    pub output_shape: Vec<usize>,
    pub output: Vec<f64>,
    /// How far an element may be off, relative to the larger of it and 1.
    pub tolerance: f64,
}

/// Every problem.
pub fn problems() -> Vec<Problem> {
    [
        operators::problems(),
        options::problems(),
        several::problems(),
        activations::problems(),
        norms::problems(),
        special::problems(),
        geometry::problems(),
        axes::problems(),
    ]
    .concat()
}

fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&v| f64::from(v)).collect()
}

impl Problem {
    /// A problem with everything given: input and parameters are flat, shapes have no batch, the batch is 1.
    pub fn exact(
        name: &str,
        op: impl Into<Op>,
        (shape, input): (&[usize], Vec<f32>),
        parameters: &[&[f32]],
        (output_shape, output): (&[usize], &[f64]),
    ) -> Self {
        let with_batch = |shape: &[usize]| [&[1], shape].concat();
        Self {
            name: name.to_owned(),
            op: op.into(),
            inputs: vec![Tensor::new(&with_batch(shape), input).unwrap()],
            parameters: parameters.iter().map(|values| values.to_vec()).collect(),
            output_shape: with_batch(output_shape),
            output: output.to_vec(),
            tolerance: 1e-6,
        }
    }

    /// A problem on an input and parameters from the formula, solved by the oracle. Values reach from −`scale` to
    /// `scale`.
    pub fn computed(name: &str, op: impl Into<Op>, batch: usize, shape: &[usize], scale: f64) -> Self {
        let input = formula::values("input", batch * shape.iter().product::<usize>());
        Self::computed_on(name, op, batch, shape, input.iter().map(|v| (v * scale) as f32).collect())
    }

    /// A problem on this input, solved by the oracle.
    pub fn computed_on(name: &str, op: impl Into<Op>, batch: usize, shape: &[usize], input: Vec<f32>) -> Self {
        Self::solved(name, op.into(), vec![Tensor::new(&[&[batch], shape].concat(), input).unwrap()])
    }

    /// A problem on several inputs from the formula, solved by the oracle. Values reach from −2 to 2.
    pub fn of_several(name: &str, op: impl Into<Op>, batch: usize, shapes: &[&[usize]]) -> Self {
        let input = |(i, shape): (usize, &&[usize])| {
            let values = formula::values(&format!("input {i}"), batch * shape.iter().product::<usize>());
            let values = values.iter().map(|v| (v * 2.0) as f32).collect();
            Tensor::new(&[&[batch], *shape].concat(), values).unwrap()
        };
        Self::solved(name, op.into(), shapes.iter().enumerate().map(input).collect())
    }

    fn solved(name: &str, op: Op, inputs: Vec<Tensor>) -> Self {
        let parameters: Vec<Vec<f32>> =
            op.parameters().iter().map(|tensor| formula::parameter(0, tensor.name, &tensor.shape)).collect();
        let shapes: Vec<Shape> = inputs.iter().map(|input| Shape::new(&input.shape()[1..]).unwrap()).collect();
        let output_shape = op.output_shape(&shapes.iter().collect::<Vec<_>>()).unwrap();
        let batch = inputs[0].shape()[0];
        let data: Vec<Vec<f64>> = inputs.iter().map(|x| wide(x.data())).collect();
        let owned: Vec<Vec<f64>> = parameters.iter().map(|p| wide(p)).collect();
        let whole: Vec<(&[usize], &[f64])> = shapes.iter().zip(&data).map(|(shape, x)| (&**shape, &**x)).collect();
        let example = |i| oracle::solve_example(&op, (i, batch), &whole, &owned, &output_shape);
        let output = (0..batch).flat_map(example).collect();
        Self {
            name: format!("{name}: {op}"),
            op,
            inputs: inputs.clone(),
            parameters,
            output_shape: [&[batch], &*output_shape].concat(),
            output,
            tolerance: 1e-5,
        }
    }

    /// Makes the network: one layer, named `layer`, from `x0`, `x1`, … to `y`.
    pub fn build<B: Builder>(&self, builder: &mut B) -> Result<(), BuildError> {
        let inputs = self.declare_inputs(builder)?;
        let y = builder.layer("layer", self.op.clone(), &inputs.iter().collect::<Vec<_>>())?;
        builder.output("y", &y)
    }

    pub fn declare_inputs<B: Builder>(&self, builder: &mut B) -> Result<Vec<B::Value>, BuildError> {
        let inputs = self.inputs.iter().enumerate();
        inputs.map(|(i, input)| builder.input(&format!("x{i}"), &input.shape()[1..])).collect()
    }

    pub fn weights(&self) -> Weights {
        let tensors = self.op.parameters().into_iter().zip(&self.parameters).map(|(tensor, values)| {
            (format!("layer.{}", tensor.name), Tensor::new(&tensor.shape, values.clone()).unwrap())
        });
        Weights::from_tensors(tensors).unwrap()
    }

    /// The inputs, as sessions take them.
    pub fn inputs(&self) -> Vec<&Tensor> {
        self.inputs.iter().collect()
    }

    /// Says what is wrong with an output, if anything is.
    pub fn check(&self, shape: &[usize], output: &[f32]) -> Result<(), String> {
        if shape != self.output_shape || output.len() != self.output.len() {
            return Err(format!("{}: shape {shape:?}, not {:?}", self.name, self.output_shape));
        }
        for (i, (&found, &right)) in output.iter().zip(&self.output).enumerate() {
            let found = f64::from(found);
            let same = found == right
                || (found.is_nan() && right.is_nan())
                || (found - right).abs() <= self.tolerance * right.abs().max(1.0);
            if !same {
                return Err(format!("{}: element {i} is {found}, not {right}", self.name));
            }
        }
        Ok(())
    }
}
