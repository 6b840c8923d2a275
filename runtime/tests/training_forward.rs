//! What a network computes while it is trained: the same as ever, but for the ops that training changes.

// A test may panic.
#![allow(clippy::unwrap_used)]

mod suite;

use cnn_ir::NetworkBuilder;
use cnn_runtime::training::{StepSettings, TrainingOptions, TrainingSession};
use cnn_runtime::{CompileOptions, Isa};
use suite::Problem;

/// Ops that mean something else while training: statistics of the batch, elements left out.
const CHANGED: [&str; 2] = ["BatchNorm", "Dropout"];

/// Ops whose training kernels are still to come.
const LATER: [&str; 8] =
    ["GroupNorm", "InstanceNorm", "LayerNorm", "LocalResponseNorm", "LogSoftmax", "Mul", "Prelu", "Softmax"];

/// Runs a problem; says what is wrong, if anything is.
fn solve(problem: &Problem, isa: Isa) -> Result<(), String> {
    let mut builder = NetworkBuilder::new("Problem");
    problem.build(&mut builder).map_err(|error| error.to_string())?;
    let network = builder.finish().map_err(|error| error.to_string())?;
    let compile = CompileOptions { isa: Some(isa), ..CompileOptions::default() };
    let options = TrainingOptions { compile, ..TrainingOptions::default() };
    let mut session =
        TrainingSession::new(&network, &problem.weights(), &options).map_err(|error| error.to_string())?;
    // Twice: nothing of the first run may be left.
    for _ in 0..2 {
        session
            .step(&problem.inputs(), &[], &StepSettings::default())
            .map_err(|error| format!("{}: {error}", problem.name))?;
    }
    let output = session.output("y").unwrap();
    problem.check(output.shape(), output.data())
}

#[test]
fn solves_every_problem() {
    let mut problems = suite::problems();
    problems.retain(|problem| !CHANGED.contains(&problem.op.name()) && !LATER.contains(&problem.op.name()));
    for isa in Isa::available() {
        let wrong: Vec<_> = problems.iter().filter_map(|problem| solve(problem, isa).err()).collect();
        assert!(wrong.is_empty(), "{isa}:\n{}", wrong.join("\n"));
    }
}
