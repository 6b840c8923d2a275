//! The engine against the suite, golden values and itself, on every instruction set of this CPU.

// A test may panic.
#![allow(clippy::unwrap_used)]

mod suite;

use cnn_ir::ops::{
    AddSpec, BatchNormSpec, ConcatSpec, Conv2dSpec, ConvTranspose2dSpec, DenseSpec, DropoutSpec, FlattenSpec, MulSpec,
    ReluSpec, SigmoidSpec, SoftmaxSpec, TanhSpec,
};
use cnn_ir::{BuildError, Builder, Op};
use cnn_runtime::{CompileOptions, Error, Isa, LayerGraph, LuminalBuilder, PassSwitches, Session, Tensor, Weights};
use suite::{Problem, formula, lenet};

type Build = fn(&mut LuminalBuilder) -> Result<(), BuildError>;

fn options(isa: Isa, passes: &str) -> CompileOptions {
    CompileOptions { isa: Some(isa), passes: Some(passes.parse::<PassSwitches>().unwrap()), ..Default::default() }
}

fn graph(build: Build) -> LayerGraph {
    let mut builder = LuminalBuilder::new();
    build(&mut builder).unwrap();
    builder.finish().unwrap()
}

/// A network with the formula's weights.
fn session(build: Build, options: &CompileOptions) -> Session {
    Session::new(build, &formula::weights(&graph(build)), options).unwrap()
}

/// Runs a problem; says what is wrong, if anything is.
fn solve(problem: &Problem, options: &CompileOptions) -> Result<(), String> {
    let mut session = Session::new(|b| problem.build(b), &problem.weights(), options).map_err(|e| e.to_string())?;
    // Twice: nothing of the first run may be left.
    session.run(&problem.inputs()).unwrap();
    let outputs = session.run(&problem.inputs()).unwrap();
    problem.check(outputs.get(0).shape(), outputs.get(0).data())
}

fn solve_all(problems: &[Problem]) {
    for isa in Isa::available() {
        let wrong: Vec<_> = problems.iter().filter_map(|problem| solve(problem, &options(isa, "")).err()).collect();
        assert!(wrong.is_empty(), "{isa}:\n{}", wrong.join("\n"));
    }
}

#[test]
fn solves_every_problem() {
    solve_all(&suite::problems());
}

#[test]
fn lenet_matches_the_golden_output() {
    let golden = lenet::golden_output();
    for isa in Isa::available() {
        for passes in ["", "-all", "-drop_identity", "-fuse_activation"] {
            let mut session = session(lenet::build, &options(isa, passes));
            let outputs = session.run(&[&formula::input(&[2, 1, 28, 28])]).unwrap();
            let logits = outputs.by_name("logits").unwrap();
            assert_eq!(logits.shape(), [2, 10]);
            for (&found, &right) in logits.data().iter().zip(&golden) {
                assert!((f64::from(found) - right).abs() < 1e-5, "{isa} {passes}: {found} is not {right}");
            }
        }
    }
}

/// Sizes at and around the tiles' edges, where an index could leave its buffer.
#[test]
fn solves_convolutions_around_every_edge() {
    let mut problems = Vec::new();
    let mut add = |spec: Conv2dSpec, height: usize, width: usize| {
        let shape = [spec.in_channels, height, width];
        problems.push(Problem::computed("edge", spec, 1, &shape, 1.0));
    };
    for channels in [1, 2, 5, 6, 7, 8, 9, 13, 16, 17, 67] {
        add(Conv2dSpec::new(channels, 3, [1, 1]), 1, 1);
        add(Conv2dSpec::new(3, channels, [1, 1]), 3, 43);
        add(Conv2dSpec::new(3, channels, [3, 3]), 5, 19);
        add(Conv2dSpec { groups: channels, padding: [1; 4], ..Conv2dSpec::new(channels, channels, [3, 3]) }, 4, 4);
    }
    for width in (1..=20).chain([31, 32, 33, 47, 48, 49, 63, 64, 65, 127, 128, 129, 130]) {
        add(Conv2dSpec::new(1, 1, [1, 1]), 1, width);
        add(Conv2dSpec::new(2, 9, [1, 1]), 1, width);
        add(Conv2dSpec { padding: [1; 4], ..Conv2dSpec::new(1, 4, [3, 3]) }, 2, width);
        add(Conv2dSpec { padding: [0, 2, 3, 1], stride: [3, 2], ..Conv2dSpec::new(2, 3, [2, 5]) }, 7, width);
    }
    solve_all(&problems);
}

#[test]
fn solves_dense_layers_around_every_edge() {
    let mut problems = Vec::new();
    for features in [1, 3, 7, 8, 9, 15, 16, 17, 31, 33, 64, 127, 128, 129, 257] {
        for batch in [1, 2, 3, 7, 8, 9, 17] {
            problems.push(Problem::computed("edge", DenseSpec::new(5, features), batch, &[5], 1.0));
        }
        problems.push(Problem::computed("edge", DenseSpec::new(features, 2), 1, &[features], 1.0));
    }
    solve_all(&problems);
}

/// Padding and dilation for which a padded copy would take gigabytes.
#[test]
fn solves_convolutions_that_no_copy_can_hold() {
    let far = 20_000;
    let dilated = Conv2dSpec { padding: [far; 4], dilation: [far, far], ..Conv2dSpec::new(1, 2, [3, 3]) };
    let strided = Conv2dSpec { padding: [far; 4], stride: [far, far], ..Conv2dSpec::new(2, 2, [2, 2]) };
    let problems =
        [Problem::computed("far", dilated, 2, &[1, 3, 4], 1.0), Problem::computed("far", strided, 1, &[2, 5, 3], 1.0)];
    solve_all(&problems);
}

/// An image so large that it is copied in blocks of rows.
#[test]
fn solves_a_convolution_in_blocks() {
    let spec = Conv2dSpec { padding: [1, 2, 0, 3], stride: [2, 1], ..Conv2dSpec::new(16, 3, [3, 3]) };
    solve_all(&[Problem::computed("blocks", spec, 1, &[16, 150, 200], 1.0)]);
}

/// A map so large that what its elements add to the taps of the kernel would take 144 MB.
#[test]
fn solves_a_transposed_convolution_that_no_memory_is_worth() {
    let spec = ConvTranspose2dSpec { padding: [600; 4], ..ConvTranspose2dSpec::new(1, 1, [5, 5]) };
    solve_all(&[Problem::computed("large", spec, 1, &[1, 1200, 1200], 1.0)]);
}

#[test]
fn no_kernel_mixes_examples() {
    for problem in suite::problems().into_iter().filter(|problem| problem.output_shape[0] > 1) {
        for isa in Isa::available() {
            let mut session = Session::new(|b| problem.build(b), &problem.weights(), &options(isa, "")).unwrap();
            let together = session.run(&problem.inputs()).unwrap().get(0).to_tensor();
            for (i, expected) in together.view().examples().enumerate() {
                let one = |input: &&Tensor| {
                    let shape = [&[1], &input.shape()[1..]].concat();
                    Tensor::new(&shape, input.view().example(i).to_vec()).unwrap()
                };
                let inputs: Vec<Tensor> = problem.inputs().iter().map(one).collect();
                let alone = session.run(&inputs.iter().collect::<Vec<_>>()).unwrap();
                let same = |(a, b): (&f32, &f32)| a.to_bits() == b.to_bits();
                assert!(alone.get(0).data().iter().zip(expected).all(same), "{} on {isa}", problem.name);
            }
        }
    }
}

#[test]
fn an_example_does_not_depend_on_its_batch() {
    for isa in Isa::available() {
        let mut session = session(lenet::build, &options(isa, ""));
        let images = formula::input(&[9, 1, 28, 28]);
        let together = session.run(&[&images]).unwrap().get(0).to_tensor();
        for (i, image) in images.view().examples().enumerate() {
            let image = Tensor::new(&[1, 1, 28, 28], image.to_vec()).unwrap();
            assert_eq!(session.run(&[&image]).unwrap().get(0).data(), together.view().example(i), "{isa}");
        }
    }
}

/// Norms behind layers with and without a bias, one that cannot be folded, and activations behind them.
fn norms(b: &mut LuminalBuilder) -> Result<(), BuildError> {
    let x = b.input("x", &[4, 6, 5])?;
    let conv = b.layer("conv", Conv2dSpec { groups: 2, ..Conv2dSpec::new(4, 6, [3, 3]) }, &[&x])?;
    let bn = b.layer("bn", BatchNormSpec::new(6), &[&conv])?;
    let relu = b.layer("relu", ReluSpec::new(), &[&bn])?;
    // Too far apart for any copy: the plain kernel.
    let far = Conv2dSpec { padding: [20_000; 4], dilation: [20_000; 2], bias: false, ..Conv2dSpec::new(6, 3, [3, 3]) };
    let far = b.layer("far", far, &[&relu])?;
    let bn = b.layer("bn2", BatchNormSpec { affine: false, ..BatchNormSpec::new(3) }, &[&far])?;
    let flat = b.layer("flat", FlattenSpec::new(), &[&bn])?;
    let dense = b.layer("dense", DenseSpec::new(36, 7), &[&flat])?;
    let bn = b.layer("bn3", BatchNormSpec { eps: 0.1, ..BatchNormSpec::new(7) }, &[&dense])?;
    let again = b.layer("bn4", BatchNormSpec::new(7), &[&bn])?;
    let tanh = b.layer("tanh", TanhSpec::new(), &[&again])?;
    b.output("relu", &relu)?;
    b.output("y", &tanh)
}

#[test]
fn folded_norms_change_nothing() {
    let x = formula::input(&[3, 4, 6, 5]);
    let weights = formula::weights(&graph(norms));
    // The reference cannot pad this far.
    let mut unfolded = Session::new(norms, &weights, &options(Isa::Portable, "-all")).unwrap();
    let expected = unfolded.run(&[&x]).unwrap();
    for isa in Isa::available() {
        for (passes, left) in [("", 1), ("-all", 4), ("-fold_batch_norm", 4), ("-fuse_activation", 1)] {
            let mut session = Session::new(norms, &weights, &options(isa, passes)).unwrap();
            assert_eq!(session.program_text().matches("channel_affine").count(), left, "{passes}");
            let outputs = session.run(&[&x]).unwrap();
            for i in 0..expected.len() {
                for (&found, &right) in outputs.get(i).data().iter().zip(expected.get(i).data()) {
                    assert!((found - right).abs() < 1e-5, "{isa} {passes}: {found} is not {right}");
                }
            }
        }
    }
}

/// Several outputs, one value read twice, aliases, an output that is an input, a layer nobody needs.
fn web(b: &mut LuminalBuilder) -> Result<(), BuildError> {
    let x = b.input("x", &[2, 2, 3])?;
    let unused = b.input("unused", &[3])?;
    let conv = b.layer("conv", Conv2dSpec::new(2, 4, [1, 1]), &[&x])?;
    let relu = b.layer("relu", ReluSpec::new(), &[&conv])?;
    let sigmoid = b.layer("sigmoid", SigmoidSpec::new(), &[&conv])?;
    let dropped = b.layer("dropped", DropoutSpec::new(), &[&relu])?;
    let flat = b.layer("flat", FlattenSpec::new(), &[&dropped])?;
    let soft = b.layer("soft", SoftmaxSpec::new(), &[&flat])?;
    b.layer("nobody", ReluSpec::new(), &[&sigmoid])?;
    // One addend read later, one twice at once, both read for the last time, and an input of the network.
    let sum = b.layer("sum", AddSpec::new(), &[&relu, &sigmoid])?;
    let twice = b.layer("twice", AddSpec::new(), &[&sum, &sum])?;
    let sum = b.layer("last", AddSpec::new(), &[&twice, &sum])?;
    let product = b.layer("product", MulSpec::new(), &[&x, &x, &x])?;
    let sum = b.layer("tanh", TanhSpec::new(), &[&sum])?;
    let joined = b.layer("joined", ConcatSpec::new(), &[&sum, &product, &x])?;
    for (name, value) in
        [("x", &x), ("flat", &flat), ("soft", &soft), ("sigmoid", &sigmoid), ("same", &flat), ("unused", &unused)]
    {
        b.output(name, value)?;
    }
    b.output("joined", &joined)
}

#[test]
fn values_that_are_still_needed_are_kept() {
    let x = formula::input(&[3, 2, 2, 3]);
    let unused = formula::input(&[3, 3]);
    let run = |passes: &str| {
        let mut session = session(web, &options(Isa::detect(), passes));
        let outputs = session.run(&[&x, &unused]).unwrap();
        (0..outputs.len()).map(|i| outputs.get(i).to_tensor()).collect::<Vec<_>>()
    };
    let outputs = run("");
    assert_eq!((outputs[0].shape(), outputs[0].data()), (x.shape(), x.data()));
    assert_eq!(outputs[5], unused);
    assert_eq!(outputs[1], outputs[4]);
    assert!(outputs[1].data().iter().all(|&v| v >= 0.0));
    for (i, joined) in outputs[6].view().examples().enumerate() {
        let (relu, sigmoid, x) = (outputs[1].view().example(i), outputs[3].view().example(i), x.view().example(i));
        let sums = relu.iter().zip(sigmoid).map(|(a, b)| (3.0 * (a + b)).tanh());
        let expected = sums.chain(x.iter().map(|v| v * v * v)).chain(x.iter().copied());
        assert!(joined.iter().zip(expected).all(|(found, right)| (found - right).abs() < 1e-6));
    }
    for soft in outputs[2].view().examples() {
        assert!((soft.iter().sum::<f32>() - 1.0).abs() < 1e-6);
    }
    for passes in ["-all", "-drop_identity", "-fuse_activation"] {
        assert_eq!(run(passes), outputs, "{passes}");
    }
}

#[test]
fn bad_input_is_an_error() {
    let mut session = session(lenet::build, &CompileOptions::default());
    let tensor = |shape: &[usize]| Tensor::zeros(shape).unwrap();
    let message = |session: &mut Session, inputs: &[&Tensor]| session.run(inputs).unwrap_err().to_string();
    assert_eq!(message(&mut session, &[]), "the network takes 1 inputs, not 0");
    assert_eq!(
        message(&mut session, &[&tensor(&[1, 28, 28])]),
        "the input `image` must have the shape [batch, 1, 28, 28], not [1, 28, 28]; the first size is the batch"
    );
    assert_eq!(
        message(&mut session, &[&tensor(&[0, 1, 28, 28])]),
        "the input `image` has a batch of 0; give at least one example"
    );
    assert!(session.run(&[&tensor(&[1, 1, 28, 28])]).is_ok());
}

#[test]
fn inputs_must_share_a_batch() {
    let mut session = session(web, &CompileOptions::default());
    let (x, unused) = (formula::input(&[2, 2, 2, 3]), formula::input(&[3, 3]));
    assert!(matches!(session.run(&[&x, &unused]), Err(Error::BatchMismatch { expected: 2, found: 3, .. })));
}

#[test]
fn memory_that_is_not_there_is_an_error() {
    // 1.6 billion elements between two layers: 512 examples would take 3 TB.
    fn wide(b: &mut LuminalBuilder) -> Result<(), BuildError> {
        let x = b.input("x", &[1, 2, 2])?;
        let y = b.layer("conv", Conv2dSpec { padding: [20_000; 4], ..Conv2dSpec::new(1, 1, [1, 1]) }, &[&x])?;
        b.output("y", &y)
    }
    let mut session = session(wide, &CompileOptions::default());
    assert!(session.arena_bytes(1) > 6_000_000_000);
    assert_eq!(session.arena_bytes(usize::MAX), usize::MAX);
    let batch = formula::input(&[1 << 20, 1, 2, 2]);
    assert!(matches!(session.run(&[&batch]), Err(Error::OutOfMemory { .. })));
}

#[test]
fn an_unknown_or_absent_instruction_set_is_an_error() {
    let error = "avx9".parse::<Isa>().unwrap_err().to_string();
    assert!(error.starts_with("the instruction set `avx9` is not known; this CPU has: portable"), "{error}");
    for isa in Isa::ALL.into_iter().filter(|isa| !isa.is_available()) {
        let result = Session::new(lenet::build, &Weights::from_tensors([]).unwrap(), &options(isa, ""));
        assert!(matches!(result, Err(Error::Isa { .. })));
    }
}

#[test]
fn threads_run_clones() {
    fn is_send<T: Send>(_: &T) {}
    let mut session = session(lenet::build, &CompileOptions::default());
    is_send(&session);
    let images = formula::input(&[3, 1, 28, 28]);
    let expected = session.run(&[&images]).unwrap().get(0).to_tensor();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            let (mut session, images, expected) = (session.clone(), &images, &expected);
            scope.spawn(move || {
                for _ in 0..20 {
                    assert_eq!(session.run(&[images]).unwrap().get(0).data(), expected.data());
                }
            });
        }
    });
}

#[test]
fn every_op_has_a_kernel_or_is_an_alias() {
    let ops: Vec<Op> = suite::problems().into_iter().map(|problem| problem.op).collect();
    for op in cnn_ir::ops::OPS {
        assert!(ops.iter().any(|known| known.def().name == op.name), "no problem for `{}`", op.name);
    }
}
