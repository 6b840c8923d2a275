//! Engine and reference agree on random layers and on random chains of them.

// A test may panic.
#![allow(clippy::unwrap_used)]

mod suite;

use cnn_ir::ops::{AddSpec, BatchNormSpec, DenseSpec, FlattenSpec, MaxPool2dSpec, ReluSpec, SigmoidSpec, SoftmaxSpec};
use cnn_ir::{BuildError, Builder, Op};
use cnn_runtime::{Algorithm, CompileOptions, Isa, LuminalBuilder, PassSwitches, Reference, Session};
use proptest::prelude::*;
use suite::{Problem, formula};

/// A kernel for all layers that it can run, or what the cost model chooses, on one thread or three.
fn way() -> impl Strategy<Value = (Option<Algorithm>, usize)> {
    (prop::option::of(prop::sample::select(&Algorithm::ALL[..])), prop::sample::select(&[1, 3][..]))
}

/// What an algorithm may be off by, in units of what others may.
fn loss(algorithm: Option<Algorithm>) -> f32 {
    // What tiles of 6×6 cost in precision.
    if algorithm.is_some_and(|algorithm| algorithm.to_string() == "winograd6") { 10.0 } else { 1.0 }
}

fn agree(expected: &[f32], found: &[f32], loss: f32, place: &str) -> Result<(), TestCaseError> {
    prop_assert_eq!(expected.len(), found.len());
    for (i, (&e, &f)) in expected.iter().zip(found).enumerate() {
        // A window in padding alone has the maximum −∞, of which softmax makes NaN.
        let same = e == f || (e.is_nan() && f.is_nan()) || (e - f).abs() <= 2e-5 * loss * e.abs().max(1.0);
        prop_assert!(same, "{place}: element {i} is {f}, the reference has {e}");
    }
    Ok(())
}

/// What comes behind a random layer.
#[derive(Debug, Clone)]
struct Behind {
    norm: bool,
    activation: Op,
    /// Whether the layer's own output is added behind the activation, and whether the sum is added to itself.
    residual: [bool; 2],
    features: usize,
}

fn behind() -> impl Strategy<Value = Behind> {
    let activation = prop_oneof![3 => suite::random_layers::activation(), 1 => Just(SoftmaxSpec::new().into())];
    (any::<bool>(), activation, any::<[bool; 2]>(), 1..40usize)
        .prop_map(|(norm, activation, residual, features)| Behind { norm, activation, residual, features })
}

/// A layer, a norm, an activation, a join, and a dense layer where the value is a map.
fn build<B: Builder>(builder: &mut B, first: &Problem, behind: &Behind) -> Result<(), BuildError> {
    let inputs = first.declare_inputs(builder)?;
    let shape = &first.output_shape[1..];
    let made = builder.layer("first", first.op.clone(), &inputs.iter().collect::<Vec<_>>())?;
    let mut value = made.clone();
    if behind.norm {
        value = builder.layer("norm", BatchNormSpec::new(shape[0]), &[&value])?;
    }
    value = builder.layer("activation", behind.activation.clone(), &[&value])?;
    for (name, _) in ["residual", "twice"].into_iter().zip(behind.residual).filter(|(_, on)| *on) {
        let other = if name == "twice" { value.clone() } else { made.clone() };
        value = builder.layer(name, AddSpec::new(), &[&other, &value])?;
        value = builder.layer(&format!("{name}_relu"), ReluSpec::new(), &[&value])?;
    }
    builder.output("map", &value)?;
    let &[c, h, w] = shape else { return Ok(()) };
    value = builder.layer("pool", MaxPool2dSpec::new([1, 1], [1, 2]), &[&value])?;
    value = builder.layer("flatten", FlattenSpec::new(), &[&value])?;
    value = builder.layer("dense", DenseSpec::new(c * h * w.div_ceil(2), behind.features), &[&value])?;
    value = builder.layer("sigmoid", SigmoidSpec::new(), &[&value])?;
    builder.output("y", &value)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn engine_and_reference_agree(problem in suite::random::problem(), behind in behind(), (algorithm, threads) in way()) {
        let mut builder = LuminalBuilder::new();
        build(&mut builder, &problem, &behind).unwrap();
        let graph = builder.finish().unwrap();
        let weights = formula::weights(&graph);
        let expected = Reference::new(graph, &weights).unwrap().run(&problem.inputs()).unwrap();
        for isa in Isa::available() {
            for passes in ["", "-all,+winograd,+blocked"] {
                let passes = Some(passes.parse::<PassSwitches>().unwrap());
                let options =
                    CompileOptions { isa: Some(isa), passes, algorithm, threads: Some(threads), ..Default::default() };
                let build = |b: &mut LuminalBuilder| build(b, &problem, &behind);
                let mut session = Session::new(build, &weights, &options).unwrap();
                let outputs = session.run(&problem.inputs()).unwrap();
                for (i, expected) in expected.iter().enumerate() {
                    prop_assert_eq!(expected.shape(), outputs.get(i).shape());
                    agree(expected.data(), outputs.get(i).data(), loss(algorithm), &format!("{} on {options:?}", problem.name))?;
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn engine_solves_random_problems(problem in suite::random::problem(), (algorithm, threads) in way()) {
        let tolerance = problem.tolerance * f64::from(loss(algorithm));
        let problem = Problem { tolerance, ..problem };
        for isa in Isa::available() {
            let options = CompileOptions { isa: Some(isa), algorithm, threads: Some(threads), ..Default::default() };
            let mut session = Session::new(|b| problem.build(b), &problem.weights(), &options).unwrap();
            let outputs = session.run(&problem.inputs()).unwrap();
            let result = problem.check(outputs.get(0).shape(), outputs.get(0).data());
            prop_assert!(result.is_ok(), "{options:?}: {result:?}");
        }
    }
}
