//! Large, infinite and absent numbers.

use super::Problem;
use cnn_ir::ops::{AvgPool2dSpec, MaxPool2dSpec, ReluSpec, SigmoidSpec, SoftmaxSpec, TanhSpec};

const INF: f32 = f32::INFINITY;
const NAN: f32 = f32::NAN;

pub fn problems() -> Vec<Problem> {
    let on = |name: &str, op: cnn_ir::Op, shape: &[usize], input: &[f32]| {
        Problem::computed_on(name, op, 1, shape, input.to_vec())
    };
    let line = [-INF, -1e38, -100.0, -88.8, -20.0, -1e-3, -0.0, 0.0, 1e-3, 20.0, 88.8, 100.0, 1e38, INF, NAN];
    let hole = [1.0, NAN, 3.0, -INF, 5.0, 6.0, -7.0, 8.0, INF, -INF, -INF, -2.0];
    let n = [line.len()];
    vec![
        on("special numbers", ReluSpec::new().into(), &n, &line),
        on("special numbers", SigmoidSpec::new().into(), &n, &line),
        on("special numbers", TanhSpec::new().into(), &n, &line),
        on("large numbers", SoftmaxSpec::new().into(), &[4], &[1000.0, 1001.0, -1000.0, 990.0]),
        on("minus infinity", SoftmaxSpec::new().into(), &[3], &[1.0, -INF, 2.0]),
        on("not a number", SoftmaxSpec::new().into(), &[3], &[1.0, NAN, 2.0]),
        on("plus infinity", SoftmaxSpec::new().into(), &[3], &[1.0, INF, 2.0]),
        on(
            "all negative",
            MaxPool2dSpec { padding: [1; 4], ..MaxPool2dSpec::new([2, 2], [2, 2]) }.into(),
            &[1, 2, 2],
            &[-1.0, -2.0, -3.0, -4.0],
        ),
        on("special numbers", MaxPool2dSpec::new([2, 2], [1, 1]).into(), &[1, 3, 4], &hole),
        on(
            "special numbers",
            MaxPool2dSpec { padding: [1; 4], ..MaxPool2dSpec::new([2, 2], [2, 1]) }.into(),
            &[1, 3, 4],
            &hole,
        ),
        on(
            "special numbers",
            AvgPool2dSpec { padding: [1; 4], ..AvgPool2dSpec::new([2, 2], [1, 1]) }.into(),
            &[1, 3, 4],
            &hole,
        ),
    ]
}
