//! The reference against the suite, golden values and bad input.

// A test may panic.
#![allow(clippy::unwrap_used)]

mod suite;

use cnn_ir::Builder;
use cnn_ir::ops::{AvgPool2dSpec, Conv2dSpec, DropoutSpec, FlattenSpec, OPS, ReluSpec};
use cnn_runtime::graph::{Activation, LayerOp, layers};
use cnn_runtime::{Error, LuminalBuilder, Reference, Tensor, Weights};
use luminal::graph::Graph;
use luminal::prelude::{Compiler, ToIdsMut};
use proptest::test_runner::{Config as ProptestConfig, TestCaseError};
use suite::{Problem, formula, lenet};

/// Runs a problem; says what is wrong, if anything is.
fn solve(problem: &Problem) -> Result<(), String> {
    let mut builder = LuminalBuilder::new();
    problem.build(&mut builder).unwrap();
    let mut reference = Reference::new(builder.finish().unwrap(), &problem.weights()).unwrap();
    // Twice: nothing of the first execution may be left.
    reference.run(&problem.inputs()).unwrap();
    let outputs = reference.run(&problem.inputs()).unwrap();
    problem.check(outputs[0].shape(), outputs[0].data())
}

#[test]
fn solves_every_problem() {
    let problems = suite::problems();
    let failures: Vec<String> = problems.iter().filter_map(|problem| solve(problem).err()).collect();
    assert!(failures.is_empty(), "{} of {} failed:\n{}", failures.len(), problems.len(), failures.join("\n"));
}

#[test]
fn every_op_has_a_problem() {
    let problems = suite::problems();
    for op in OPS {
        assert!(problems.iter().any(|problem| problem.op.def().name == op.name), "no problem for `{}`", op.name);
    }
}

proptest::proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]
    #[test]
    fn solves_random_problems(problem in suite::random::problem()) {
        solve(&problem).map_err(TestCaseError::fail)?;
    }
}

#[test]
fn lenet_is_golden() {
    let mut builder = LuminalBuilder::new();
    lenet::build(&mut builder).unwrap();
    let graph = builder.finish().unwrap();
    let weights = formula::weights(&graph);
    let mut reference = Reference::new(graph, &weights).unwrap();
    let pair = formula::input(&[2, 1, 28, 28]);
    let outputs = reference.run(&[&pair]).unwrap();
    let golden = lenet::golden_output();
    assert_eq!(outputs[0].shape(), [2, 10]);
    for (found, right) in outputs[0].data().iter().zip(&golden) {
        assert!((f64::from(*found) - right).abs() < 1e-5, "{found} is not {right}");
    }
    // The same graph at other batches: each example by itself, and three.
    let examples: Vec<&[f32]> = pair.view().examples().collect();
    for (i, example) in examples.iter().enumerate() {
        let one = reference.run(&[&Tensor::new(&[1, 1, 28, 28], example.to_vec()).unwrap()]).unwrap();
        assert_eq!(one[0].data(), outputs[0].view().example(i));
    }
    let three = Tensor::new(&[3, 1, 28, 28], [examples[1], examples[0], examples[1]].concat()).unwrap();
    let three = reference.run(&[&three]).unwrap();
    assert_eq!(three[0].view().example(0), outputs[0].view().example(1));
    assert_eq!(three[0].view().example(1), outputs[0].view().example(0));
    assert_eq!(three[0].view().example(2), outputs[0].view().example(1));
}

#[test]
fn outputs_may_be_inputs_and_each_other() {
    let mut builder = LuminalBuilder::new();
    let x = builder.input("x", &[1, 2, 2]).unwrap();
    let unused = builder.input("unused", &[3]).unwrap();
    let dropped = builder.layer("drop", DropoutSpec::new(), &[&x]).unwrap();
    let flat = builder.layer("flat", FlattenSpec::new(), &[&dropped]).unwrap();
    let relu = builder.layer("relu", ReluSpec::new(), &[&flat]).unwrap();
    let again = builder.layer("again", FlattenSpec::new(), &[&relu]).unwrap();
    for (name, value) in [("x", &x), ("flat", &flat), ("relu", &relu), ("again", &again), ("unused", &unused)] {
        builder.output(name, value).unwrap();
    }
    let mut reference = Reference::new(builder.finish().unwrap(), &Weights::from_tensors([]).unwrap()).unwrap();
    let x = Tensor::new(&[2, 1, 2, 2], vec![1.0, -2.0, 3.0, -4.0, 5.0, 6.0, 7.0, -8.0]).unwrap();
    let unused = Tensor::new(&[2, 3], vec![9.0; 6]).unwrap();
    for _ in 0..2 {
        let outputs = reference.run(&[&x, &unused]).unwrap();
        assert_eq!(outputs[0], x);
        assert_eq!((outputs[1].shape(), outputs[1].data()), (&[2, 4][..], x.data()));
        assert_eq!(outputs[2].data(), [1.0, 0.0, 3.0, 0.0, 5.0, 6.0, 7.0, 0.0]);
        assert_eq!(outputs[3], outputs[2]);
        assert_eq!(outputs[4], unused);
    }
}

/// Fuses a tanh into every layer, as a pass does with the activation behind it.
struct FuseTanh;

impl Compiler for FuseTanh {
    fn compile<T: ToIdsMut>(&self, graph: &mut Graph, _: T) {
        let nodes: Vec<_> = layers(graph).map(|(node, ..)| node).collect();
        for node in nodes {
            let op = graph.graph.node_weight_mut(node).unwrap();
            op.as_any_mut().downcast_mut::<LayerOp>().unwrap().activations.push(Activation::Tanh);
        }
    }
}

#[test]
fn applies_fused_activations() {
    let mut builder = LuminalBuilder::new();
    let x = builder.input("x", &[3]).unwrap();
    let y = builder.layer("relu", ReluSpec::new(), &[&x]).unwrap();
    builder.output("y", &y).unwrap();
    let mut graph = builder.finish().unwrap();
    graph.apply(FuseTanh);
    let mut reference = Reference::new(graph, &Weights::from_tensors([]).unwrap()).unwrap();
    let outputs = reference.run(&[&Tensor::new(&[1, 3], vec![-1.0, 0.5, 2.0]).unwrap()]).unwrap();
    for (found, right) in outputs[0].data().iter().zip([0.0, 0.5f32.tanh(), 2f32.tanh()]) {
        assert!((found - right).abs() < 1e-6, "{found} is not {right}");
    }
}

#[test]
fn decomposed_text_names_primitives() {
    let mut builder = LuminalBuilder::new();
    let x = builder.input("x", &[1, 2, 2]).unwrap();
    let y =
        builder.layer("pool", AvgPool2dSpec { divisor_override: Some(2), ..AvgPool2dSpec::new([1, 2], [1, 2]) }, &[&x]);
    builder.output("y", &y.unwrap()).unwrap();
    let mut graph = builder.finish().unwrap();
    graph.decompose();
    let text = "\
%0 = input x -> b×1×2×2
%1 = Contiguous (%0) -> b×2×1×1×1
%2 = Contiguous (%0) -> b×2×1×1×1
%3 = Add (%1, %2) -> b×1×2×1
%4 = Constant(0.5) -> scalar
%5 = Mul (%3, %4) -> b×1×2×1
output y = %5
";
    assert_eq!(graph.to_string(), text);
}

#[test]
fn bad_input_is_an_error() {
    let mut builder = LuminalBuilder::new();
    let x = builder.input("x", &[1, 2, 2]).unwrap();
    let y = builder.layer("conv", Conv2dSpec::new(1, 1, [2, 2]), &[&x]).unwrap();
    builder.output("y", &y).unwrap();
    let graph = builder.finish().unwrap();
    let weights = formula::weights(&graph);
    let mut reference = Reference::new(graph, &weights).unwrap();
    let tensor = |shape: &[usize]| Tensor::zeros(shape).unwrap();
    assert!(matches!(reference.run(&[]), Err(Error::InputCount { expected: 1, found: 0 })));
    assert!(matches!(reference.run(&[&tensor(&[1, 2, 2])]), Err(Error::InputShape { .. })));
    assert!(matches!(reference.run(&[&tensor(&[])]), Err(Error::InputShape { .. })));
    assert!(matches!(reference.run(&[&tensor(&[0, 1, 2, 2])]), Err(Error::EmptyBatch { .. })));
    assert!(reference.run(&[&tensor(&[1, 1, 2, 2])]).is_ok());
}

#[test]
fn what_luminal_cannot_count_is_an_error() {
    // 30 000² padded elements are more than an i32 holds; the output has four.
    let wide = Conv2dSpec { padding: [30_000; 4], stride: [60_000; 2], ..Conv2dSpec::new(1, 1, [1, 1]) };
    // A graph of 10 000 taps would not fit the memory.
    let deep = Conv2dSpec::new(1, 1, [100, 100]);
    for spec in [wide, deep] {
        let mut builder = LuminalBuilder::new();
        let x = builder.input("x", &[1, 100, 100]).unwrap();
        let y = builder.layer("conv", spec, &[&x]).unwrap();
        builder.output("y", &y).unwrap();
        let graph = builder.finish().unwrap();
        let weights = formula::weights(&graph);
        let result = Reference::new(graph, &weights).and_then(|mut r| r.run(&[&Tensor::zeros(&[1, 1, 100, 100])?]));
        assert!(matches!(result, Err(Error::TensorTooLarge { .. } | Error::Graph { .. })));
    }
}
