//! Every op's gradients against finite differences of the oracle in f64.

// A test may panic.
#![allow(clippy::unwrap_used)]

mod suite;

use cnn_ir::Op;
use cnn_ir::ops::OPS;
use cnn_runtime::training::{StepSettings, TrainingSession};
use cnn_runtime::{Error, Isa, Tensor};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use suite::Problem;
use suite::gradients::{Gradients, Of, problems};
use suite::training::session;

#[test]
fn every_op_has_gradients() {
    let problems = problems();
    for op in OPS {
        let found = problems.iter().any(|(problem, _)| problem.op.def().name == op.name);
        assert!(found, "no gradients of `{}`", op.name);
    }
}

/// What is wrong with an instruction set's gradients of a problem.
fn error(gradients: &Gradients, isa: Isa) -> Option<String> {
    let run = || -> Result<Result<(), String>, Error> {
        let (problem, inputs) = (&gradients.problem, gradients.problem.inputs());
        let mut session = session(problem, isa)?;
        let dy = Tensor::new(&problem.output_shape, gradients.dy.clone())?;
        session.step(&inputs, &[&dy], &StepSettings { updates: false, ..StepSettings::default() })?;
        let names = problem.op.parameters();
        let result = gradients.check(|of| match of {
            Of::Input(i) => session.output(&format!("gradient of x{i}")).unwrap().data().to_vec(),
            Of::Parameter(i) => session.gradient(&format!("layer.{}", names[i].name)).unwrap().to_vec(),
        });
        Ok(result.and_then(|()| statistics(gradients, &session)))
    };
    let result = run().map_err(|error| format!("{}: {error}", gradients.problem.name));
    result.and_then(|result| result).err().map(|text| format!("{isa}: {text}"))
}

/// The running mean and variance after a step.
fn statistics(gradients: &Gradients, session: &TrainingSession) -> Result<(), String> {
    for (name, expected) in ["running_mean", "running_var"].into_iter().zip(gradients.statistics.iter().flatten()) {
        let found = session.parameter(&format!("layer.{name}")).unwrap();
        for (found, right) in found.iter().zip(expected) {
            if (f64::from(*found) - right).abs() > 1e-5 * right.abs().max(1.0) {
                return Err(format!("{}: {name} is {found}, not {right}", gradients.problem.name));
            }
        }
    }
    Ok(())
}

/// What is wrong with the gradients of a problem.
fn errors(problem: &Problem, is_training: bool) -> Vec<String> {
    let gradients = Gradients::new(problem, is_training);
    if let Some(rough) = gradients.checks.iter().find(|check| !check.is_smooth) {
        return vec![format!("{}: there is a kink at {rough:?}", problem.name)];
    }
    // A session normalises by the batch and drops out: neither is the function of inference.
    let is_compared = match &problem.op {
        Op::BatchNorm(_) => is_training,
        Op::Dropout(spec) => spec.p == 0.0,
        _ => true,
    };
    Isa::available().filter(|_| is_compared).filter_map(|isa| error(&gradients, isa)).collect()
}

#[test]
fn gradients_are_those_of_the_oracle() {
    let (problems, next) = (problems(), AtomicUsize::new(0));
    let work = || {
        let mut wrong = Vec::new();
        while let Some((problem, is_training)) = problems.get(next.fetch_add(1, Ordering::Relaxed)) {
            wrong.extend(errors(problem, *is_training));
        }
        wrong
    };
    let wrong: Vec<String> = thread::scope(|scope| {
        let threads = thread::available_parallelism().map_or(1, usize::from);
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    assert!(wrong.is_empty(), "{} are wrong of {} problems:\n{}", wrong.len(), problems.len(), wrong.join("\n"));
}
