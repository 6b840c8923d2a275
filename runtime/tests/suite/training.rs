//! Problems in training sessions.

use super::Problem;
use cnn_ir::{NetworkBuilder, Shape};
use cnn_runtime::training::{Loss, LossTerm, TrainingOptions, TrainingSession};
use cnn_runtime::{CompileOptions, Error, Isa};
use std::sync::Arc;

/// Σ y·t, whose gradient is the target t.
#[derive(Debug)]
pub struct Product;

impl Loss for Product {
    fn target_shape(&self, value: &Shape) -> Option<Vec<usize>> {
        Some(value.to_vec())
    }

    fn value_and_gradient(&self, y: &[f32], _: &[usize], t: &[f32], gradient: &mut [f32]) -> Result<f64, String> {
        gradient.copy_from_slice(t);
        // A window in padding alone is −∞.
        let finite = y.iter().zip(t).filter(|(y, _)| y.is_finite());
        Ok(finite.map(|(y, t)| f64::from(y * t)).sum())
    }
}

/// A session for the gradients of a problem's inputs and parameters: its target is the gradient of the output.
pub fn session(problem: &Problem, isa: Isa) -> Result<TrainingSession, Error> {
    let mut network = NetworkBuilder::new("Problem");
    problem.build(&mut network)?;
    let options = TrainingOptions {
        losses: vec![LossTerm { value: None, weight: 1.0, loss: Arc::new(Product) }],
        gradients: (0..problem.inputs.len()).map(|i| format!("x{i}")).collect(),
        compile: CompileOptions { isa: Some(isa), threads: Some(1), ..CompileOptions::default() },
        ..TrainingOptions::default()
    };
    TrainingSession::new(&network.finish()?, &problem.weights(), &options)
}
