//! Every kernel that can be asked for, on every instruction set and on several threads, against the suite and the
//! reference.

// A test may panic.
#![allow(clippy::unwrap_used)]

mod suite;

use cnn_ir::ops::{
    AddSpec, BatchNormSpec, ConcatSpec, Conv2dSpec, GlobalAvgPool2dSpec, MaxPool2dSpec, PadMode, ReluSpec, SigmoidSpec,
};
use cnn_ir::{BuildError, Builder, ValueId};
use cnn_runtime::{Algorithm, CompileOptions, Isa, LuminalBuilder, Reference, Session, Tensor};
use suite::{Problem, formula};

fn every_option() -> impl Iterator<Item = CompileOptions> {
    let algorithms = std::iter::once(None).chain(Algorithm::ALL.map(Some));
    Isa::available().flat_map(move |isa| {
        let options = CompileOptions { isa: Some(isa), threads: Some(1), ..CompileOptions::default() };
        algorithms.clone().map(move |algorithm| CompileOptions { algorithm, ..options.clone() })
    })
}

#[test]
fn every_algorithm_solves_every_problem() {
    let problems = suite::problems();
    for options in every_option() {
        let wrong: Vec<String> = problems.iter().filter_map(|problem| solve(problem, &options).err()).collect();
        assert!(wrong.is_empty(), "{options:?}:\n{}", wrong.join("\n"));
    }
}

fn solve(problem: &Problem, options: &CompileOptions) -> Result<(), String> {
    let mut session = Session::new(|b| problem.build(b), &problem.weights(), options).map_err(|e| e.to_string())?;
    let outputs = session.run(&problem.inputs()).unwrap();
    // What tiles of 6×6 cost in precision.
    let loss = if options.algorithm.is_some_and(|algorithm| algorithm.to_string() == "winograd6") { 10.0 } else { 1.0 };
    let problem = Problem { tolerance: problem.tolerance * loss, ..problem.clone() };
    problem.check(outputs.get(0).shape(), outputs.get(0).data())
}

/// 3×3 convolution without a bias, batch norm.
fn conv(b: &mut LuminalBuilder, name: &str, channels: [usize; 2], x: &ValueId) -> Result<ValueId, BuildError> {
    let spec = Conv2dSpec { padding: [1; 4], bias: false, ..Conv2dSpec::new(channels[0], channels[1], [3, 3]) };
    let y = b.layer(name, spec, &[x])?;
    b.layer(&format!("{name}_norm"), BatchNormSpec::new(channels[1]), &[&y])
}

/// Dense and residual connections, whose values are parts of each other, are read in between and changed in place.
fn joins(b: &mut LuminalBuilder) -> Result<(), BuildError> {
    let x = b.input("x", &[3, 9, 7])?;
    let first = conv(b, "first", [3, 16], &x)?;
    let first = b.layer("first_relu", ReluSpec::new(), &[&first])?;
    let grown = conv(b, "grown", [16, 32], &first)?;
    let dense = b.layer("dense1", ConcatSpec::new(), &[&first, &grown])?;
    let more = conv(b, "more", [48, 16], &dense)?;
    let dense = b.layer("dense2", ConcatSpec::new(), &[&dense, &more])?;
    let normed = b.layer("normed", BatchNormSpec::new(64), &[&dense])?;
    let normed = b.layer("normed_relu", ReluSpec::new(), &[&normed])?;
    let pooled = b.layer("pooled", MaxPool2dSpec::new([2, 2], [2, 2]), &[&normed])?;
    // Joined twice, to itself, and with a width that fills no block.
    let odd = conv(b, "odd", [64, 5], &pooled)?;
    let odd = b.layer("odd_sigmoid", SigmoidSpec::new(), &[&odd])?;
    let mixed = b.layer("mixed", ConcatSpec::new(), &[&odd, &pooled, &odd, &pooled])?;
    let back = conv(b, "back", [138, 64], &mixed)?;
    let sum = b.layer("sum", AddSpec::new(), &[&back, &pooled])?;
    let sum = b.layer("sum_relu", ReluSpec::new(), &[&sum])?;
    let mirrored = Conv2dSpec { padding: [1; 4], padding_mode: PadMode::Reflect, ..Conv2dSpec::new(64, 5, [3, 3]) };
    let mirrored = b.layer("mirrored", mirrored, &[&pooled])?;
    b.output("mirrored", &mirrored)?;
    // A value and a part of it, joined and added.
    let whole = b.layer("whole", ConcatSpec::new(), &[&sum, &pooled])?;
    let again = b.layer("again", ConcatSpec::new(), &[&whole, &pooled])?;
    let alone = b.layer("alone", ConcatSpec::new(), &[&again])?;
    let twice = b.layer("twice", AddSpec::new(), &[&alone, &again])?;
    b.output("twice", &twice)?;
    let shortcut = b.layer("shortcut", Conv2dSpec::new(64, 64, [1, 1]), &[&sum])?;
    let main = conv(b, "main", [64, 64], &sum)?;
    let last = b.layer("last", AddSpec::new(), &[&shortcut, &main])?;
    let mean = b.layer("mean", GlobalAvgPool2dSpec::new(), &[&last])?;
    b.output("dense", &dense)?;
    b.output("odd", &odd)?;
    b.output("mean", &mean)
}

#[test]
fn joined_values_keep_apart() {
    let mut builder = LuminalBuilder::new();
    joins(&mut builder).unwrap();
    let graph = builder.finish().unwrap();
    let weights = formula::weights(&graph);
    let mut reference = Reference::new(graph, &weights).unwrap();
    let input = formula::input(&[3, 3, 9, 7]);
    let expected: Vec<Tensor> = reference.run(&[&input]).unwrap();
    for options in every_option() {
        let mut session = Session::new(joins, &weights, &options).unwrap();
        for batch in [3, 1, 2] {
            let part = Tensor::new(&[batch, 3, 9, 7], input.data()[..batch * 3 * 9 * 7].to_vec()).unwrap();
            let outputs = session.run(&[&part]).unwrap();
            for (i, expected) in expected.iter().enumerate() {
                let largest = expected.data().iter().fold(0.0f32, |most, v| most.max(v.abs()));
                for (found, right) in outputs.get(i).data().iter().zip(expected.data()) {
                    assert!((found - right).abs() <= 2e-5 * largest, "{options:?}, output {i}: {found} is not {right}");
                }
            }
        }
    }
}

/// A part of a joined value is made one example at a time, with as much scratch memory as one example needs: with several
/// threads that can be more than for the whole batch.
#[test]
fn one_example_of_a_batch_has_its_scratch_memory() {
    let build = |b: &mut LuminalBuilder| {
        let x = b.input("x", &[48, 32, 32])?;
        let y = conv(b, "y", [48, 48], &x)?;
        let joined = b.layer("joined", ConcatSpec::new(), &[&y, &x])?;
        b.output("joined", &joined)
    };
    let mut builder = LuminalBuilder::new();
    build(&mut builder).unwrap();
    let weights = formula::weights(&builder.finish().unwrap());
    let input = formula::input(&[2, 48, 32, 32]);
    for isa in Isa::available() {
        let run = |threads: usize| {
            let algorithm = Some("winograd2".parse().unwrap());
            let options = CompileOptions { isa: Some(isa), threads: Some(threads), algorithm, ..Default::default() };
            let mut session = Session::new(build, &weights, &options).unwrap();
            session.run(&[&input]).unwrap().get(0).to_tensor()
        };
        let one = run(1);
        for threads in [2, 3, 4, 8] {
            assert_eq!(run(threads), one, "{isa} on {threads} threads");
        }
    }
}

#[test]
fn threads_change_no_bit() {
    let mut builder = LuminalBuilder::new();
    joins(&mut builder).unwrap();
    let weights = formula::weights(&builder.finish().unwrap());
    let input = formula::input(&[2, 3, 9, 7]);
    for options in every_option() {
        let run = |threads: usize| {
            let options = CompileOptions { threads: Some(threads), ..options.clone() };
            let mut session = Session::new(joins, &weights, &options).unwrap();
            let outputs = session.run(&[&input]).unwrap();
            (0..outputs.len()).map(|i| outputs.get(i).to_tensor()).collect::<Vec<_>>()
        };
        let one = run(1);
        for threads in [2, 3, 5] {
            assert_eq!(run(threads), one, "{options:?} on {threads} threads");
        }
    }
}

#[test]
fn sessions_in_threads_of_the_host_share_a_pool() {
    let mut builder = LuminalBuilder::new();
    joins(&mut builder).unwrap();
    let weights = formula::weights(&builder.finish().unwrap());
    // Enough examples for layers to be shared among threads.
    let input = formula::input(&[8, 3, 9, 7]);
    let options = CompileOptions { threads: Some(3), ..CompileOptions::default() };
    let mut session = Session::new(joins, &weights, &options).unwrap();
    let expected = session.run(&[&input]).unwrap().get(2).to_tensor();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            let (mut session, input, expected) = (session.clone(), &input, &expected);
            scope.spawn(move || {
                for _ in 0..20 {
                    assert_eq!(session.run(&[input]).unwrap().get(2).to_tensor(), *expected);
                }
            });
        }
    });
}

#[test]
fn an_unknown_algorithm_is_an_error() {
    let error = "winograd3".parse::<Algorithm>().unwrap_err().to_string();
    assert!(
        error.starts_with("there is no algorithm `winograd3`; the algorithms are: plain, naive, blocked"),
        "{error}"
    );
}
