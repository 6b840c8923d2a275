//! The finite differences that the engine's gradients are tested against: right themselves, and never across a kink.

// A test may panic.
#![allow(clippy::unwrap_used)]

mod suite;

use cnn_ir::Op;
use cnn_ir::ops::OPS;
use suite::gradients::{Gradients, problems};

#[test]
fn every_op_has_gradients_away_from_kinks() {
    let problems = problems();
    for op in OPS {
        let found = problems.iter().any(|(problem, _)| problem.op.def().name == op.name);
        assert!(found, "no gradients of `{}`", op.name);
    }
    let mut n = 0;
    for (problem, is_training) in &problems {
        let t = std::time::Instant::now();
        let gradients = Gradients::new(problem, *is_training);
        n += gradients.checks.len();
        let rough: Vec<_> = gradients.checks.iter().filter(|check| !check.is_smooth).collect();
        if !rough.is_empty() {
            println!("ROUGH {} {} {:?}", problem.name, rough.len(), rough[0]);
        }
        if t.elapsed().as_millis() > 1000 {
            println!("SLOW {} {:?}", problem.name, t.elapsed());
        }
    }
    println!("{} problems {n} checks", problems.len());
}
