//! Activations with every option, and at numbers that are large, infinite or absent.

use super::Problem;
use cnn_ir::Op;
use cnn_ir::ops::{
    EluSpec, GeluApproximate, GeluSpec, HardSigmoidSpec, HardSwishSpec, IdentitySpec, LeakyReluSpec, LogSoftmaxSpec,
    PreluSpec, Relu6Spec, SiluSpec,
};

const INF: f32 = f32::INFINITY;
const NAN: f32 = f32::NAN;

fn ops() -> Vec<Op> {
    vec![
        IdentitySpec::new().into(),
        Relu6Spec::new().into(),
        LeakyReluSpec::new().into(),
        LeakyReluSpec { negative_slope: 0.25 }.into(),
        LeakyReluSpec { negative_slope: -0.5 }.into(),
        EluSpec::new().into(),
        EluSpec { alpha: 0.25 }.into(),
        SiluSpec::new().into(),
        GeluSpec::new().into(),
        GeluSpec { approximate: GeluApproximate::Tanh }.into(),
        HardSigmoidSpec::new().into(),
        HardSwishSpec::new().into(),
    ]
}

pub fn problems() -> Vec<Problem> {
    let mut problems = Vec::new();
    let line = [-INF, -1e38, -100.0, -88.8, -20.0, -1e-3, -0.0, 0.0, 1e-3, 5.9, 6.1, 20.0, 88.8, 100.0, 1e38, INF, NAN];
    for op in ops() {
        problems.push(Problem::computed_on("special numbers", op.clone(), 1, &[line.len()], line.to_vec()));
        // Far enough for every kink.
        problems.push(Problem::computed("activation", op.clone(), 2, &[3, 7, 11], 8.0));
        problems.push(Problem::computed("activation", op, 1, &[33], 1.0));
    }
    let weights = |num_parameters| PreluSpec { num_parameters, ..PreluSpec::new() };
    for shape in [&[3][..], &[3, 5], &[3, 7, 11], &[3, 1, 1], &[1, 5, 5], &[3, 2, 3, 4]] {
        problems.push(Problem::computed("prelu", weights(1), 2, shape, 2.0));
        problems.push(Problem::computed("prelu", weights(shape[0]), 3, shape, 2.0));
        for dim in 1..=shape.len() {
            problems.push(Problem::computed("log_softmax", LogSoftmaxSpec { dim }, 2, shape, 2.0));
        }
    }
    for input in [[1000.0, 1001.0, -1000.0, 990.0], [1.0, -INF, 2.0, 3.0], [1.0, NAN, 2.0, 3.0], [1.0, INF, 2.0, 3.0]] {
        problems.push(Problem::computed_on("special", LogSoftmaxSpec::new(), 1, &[4], input.to_vec()));
        problems.push(Problem::computed_on("special", LogSoftmaxSpec::new(), 1, &[4, 1, 1], input.to_vec()));
        problems.push(Problem::computed_on("special", LogSoftmaxSpec::new(), 1, &[2, 2], input.to_vec()));
    }
    problems
}
