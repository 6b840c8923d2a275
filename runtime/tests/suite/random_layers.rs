//! Norms, activations and joins on random shapes.

use super::Problem;
use cnn_ir::Op;
use cnn_ir::ops::{
    AddSpec, BatchNormSpec, ConcatSpec, EluSpec, GeluApproximate, GeluSpec, GroupNormSpec, HardSigmoidSpec,
    HardSwishSpec, InstanceNormSpec, LayerNormSpec, LeakyReluSpec, LocalResponseNormSpec, LogSoftmaxSpec, MulSpec,
    PreluSpec, Relu6Spec, ReluSpec, SigmoidSpec, SiluSpec, TanhSpec,
};
use proptest::prelude::*;

/// A problem that the oracle has solved.
pub fn problem() -> impl Strategy<Value = Problem> {
    prop_oneof![norms(), joins(), on_any_shape()]
}

/// A shape of one to four axes.
fn shape() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(1..=9usize, 1..=4)
}

/// An element-wise function without trained parameters.
pub fn activation() -> impl Strategy<Value = Op> {
    let plain: [Op; 8] = [
        ReluSpec::new().into(),
        Relu6Spec::new().into(),
        SiluSpec::new().into(),
        GeluSpec::new().into(),
        GeluSpec { approximate: GeluApproximate::Tanh }.into(),
        SigmoidSpec::new().into(),
        HardSigmoidSpec::new().into(),
        HardSwishSpec::new().into(),
    ];
    prop_oneof![
        prop::sample::select(plain.to_vec()),
        Just(TanhSpec::new().into()),
        (-1.0..2.0f64).prop_map(|negative_slope| LeakyReluSpec { negative_slope }.into()),
        (-1.0..2.0f64).prop_map(|alpha| EluSpec { alpha }.into()),
    ]
}

fn on_any_shape() -> impl Strategy<Value = Problem> {
    (activation(), shape(), 1..=3usize, 0..3, any::<prop::sample::Index>()).prop_map(
        |(op, shape, batch, kind, index)| {
            let op = match kind {
                0 => op,
                1 => PreluSpec { num_parameters: if index.index(2) == 0 { 1 } else { shape[0] }, ..PreluSpec::new() }
                    .into(),
                _ => LogSoftmaxSpec { dim: 1 + index.index(shape.len()) }.into(),
            };
            Problem::computed("random", op, batch, &shape, 4.0)
        },
    )
}

fn norms() -> impl Strategy<Value = Problem> {
    let options = (1e-3..1.0f64, any::<[bool; 2]>(), any::<prop::sample::Index>());
    (0..5, 1..=3usize, 1..=4usize, 1..=3usize, shape(), options).prop_map(
        |(kind, batch, groups, inner, mut shape, (eps, [affine, bias], index))| {
            shape[0] = groups * inner;
            let channels = shape[0];
            let axes = 1 + index.index(shape.len());
            let op: Op = match kind {
                0 => BatchNormSpec { eps, affine, ..BatchNormSpec::new(channels) }.into(),
                1 => GroupNormSpec { eps, affine, ..GroupNormSpec::new(groups, channels) }.into(),
                2 => {
                    let spec = LayerNormSpec::new(&shape[shape.len() - axes..]);
                    LayerNormSpec { eps, elementwise_affine: affine, bias, ..spec }.into()
                }
                3 => {
                    shape.push(2); // more than one element per channel
                    InstanceNormSpec { eps, affine, ..InstanceNormSpec::new(channels) }.into()
                }
                _ => {
                    shape.push(1); // more than one axis
                    let size = 1 + index.index(2 * channels);
                    LocalResponseNormSpec { alpha: eps, beta: eps + 0.5, k: 1.0, size }.into()
                }
            };
            Problem::computed("random", op, batch, &shape, 2.0)
        },
    )
}

fn joins() -> impl Strategy<Value = Problem> {
    let sizes = prop::collection::vec((1..=5usize, any::<bool>()), 2..=5);
    (0..3, 1..=3usize, shape(), sizes, any::<prop::sample::Index>()).prop_map(|(kind, batch, shape, sizes, index)| {
        let axis = index.index(shape.len());
        let input = |&(size, flag): &(usize, bool)| match (kind, flag, &shape[..]) {
            (0, _, _) => {
                let mut shape = shape.clone();
                shape[axis] = size;
                shape
            }
            (1, true, &[channels, _, _]) => vec![channels, 1, 1],
            _ => shape.clone(),
        };
        let shapes: Vec<Vec<usize>> = sizes.iter().map(input).collect();
        let shapes: Vec<&[usize]> = shapes.iter().map(Vec::as_slice).collect();
        let op: Op = match kind {
            0 => ConcatSpec { dim: 1 + axis }.into(),
            1 => MulSpec::new().into(),
            _ => AddSpec::new().into(),
        };
        Problem::of_several("random", op, batch, &shapes)
    })
}
