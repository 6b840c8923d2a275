//! Shapes that blocks, tiles and vectors get wrong, by every kernel that can be asked for on every instruction set.

// A test may panic.
#![allow(clippy::unwrap_used)]

mod suite;

use cnn_ir::ops::Conv2dSpec;
use cnn_ir::{BuildError, Builder};
use cnn_runtime::{Algorithm, CompileOptions, Error, Isa, LuminalBuilder, Session, StepInfo, Tensor, Weights};
use std::collections::HashSet;
use suite::formula;

/// The kernel that the cost model chooses first, then every other; each on one and on three threads in turn.
fn every_option(isa: Isa) -> impl Iterator<Item = CompileOptions> {
    let algorithms = std::iter::once(None).chain(Algorithm::ALL.map(Some));
    algorithms.enumerate().map(move |(i, algorithm)| CompileOptions {
        isa: Some(isa),
        algorithm,
        threads: Some([1, 3][i % 2]),
        ..CompileOptions::default()
    })
}

/// What a kernel may be off by, in units of what others may.
fn loss(options: &CompileOptions) -> f64 {
    // What tiles of 6×6 cost in precision.
    if options.algorithm.is_some_and(|algorithm| algorithm.to_string() == "winograd6") { 10.0 } else { 1.0 }
}

/// Runs a network with every kernel that can run a layer of it; `check` says what is wrong with an output.
fn run(
    isa: Isa,
    build: impl Fn(&mut LuminalBuilder) -> Result<(), BuildError>,
    weights: &Weights,
    input: &Tensor,
    check: impl Fn(f64, &[usize], &[f32]) -> Result<(), String>,
    seen: &mut HashSet<String>,
) -> Result<(), String> {
    let mut programs = HashSet::new();
    for options in every_option(isa) {
        let mut session = Session::new(&build, weights, &options).map_err(|e| e.to_string())?;
        if !programs.insert(session.program_text()) {
            continue; // No layer can be run by this kernel, or the cost model has chosen it.
        }
        match options.algorithm {
            Some(algorithm) => _ = seen.insert(algorithm.to_string()),
            None => {
                let chosen = |step: StepInfo| Some(step.choices.first()?.algorithm.to_owned());
                seen.extend(session.program().steps().filter_map(chosen));
            }
        }
        let outputs = session.run(&[input]).map_err(|e| e.to_string())?;
        let output = outputs.get(0);
        check(loss(&options), output.shape(), output.data()).map_err(|error| format!("{options:?}: {error}"))?;
    }
    Ok(())
}

fn run_all(isa: Isa) {
    let (mut wrong, mut seen) = (Vec::new(), HashSet::new());
    for problem in suite::adversarial::problems() {
        let check = |loss: f64, shape: &[usize], output: &[f32]| {
            suite::Problem { tolerance: problem.tolerance * loss, ..problem.clone() }.check(shape, output)
        };
        wrong.extend(run(isa, |b| problem.build(b), &problem.weights(), problem.inputs()[0], check, &mut seen).err());
    }
    for chain in suite::adversarial::chains() {
        let mut builder = LuminalBuilder::new();
        chain.build(&mut builder).unwrap();
        let weights = formula::weights(&builder.finish().unwrap());
        let expected = chain.solve(&weights);
        let check = |loss: f64, _: &[usize], output: &[f32]| {
            assert_eq!(output.len(), expected.len());
            let far = |&(found, right): &(&f32, &f64)| {
                let off = (f64::from(*found) - right).abs();
                off.is_nan() || off > 1e-5 * loss * right.abs().max(1.0)
            };
            let far = output.iter().zip(&expected).find(far);
            far.map_or(Ok(()), |(found, right)| Err(format!("{chain:?}: {found} is not {right}")))
        };
        wrong.extend(run(isa, |b| chain.build(b), &weights, &chain.input, check, &mut seen).err());
    }
    assert!(wrong.is_empty(), "{isa}: {} wrong:\n{}", wrong.len(), wrong.join("\n"));
    // Each kernel has had its turn.
    let missing: Vec<Algorithm> = Algorithm::ALL.into_iter().filter(|a| !seen.contains(&a.to_string())).collect();
    assert!(missing.is_empty(), "{isa}: never run: {missing:?}");
}

#[test]
fn portable_kernels_solve_adversarial_problems() {
    run_all(Isa::Portable);
}

#[test]
fn vector_kernels_solve_adversarial_problems() {
    Isa::available().filter(|&isa| isa != Isa::Portable).for_each(run_all);
}

#[test]
fn a_batch_of_none_is_an_error() {
    let build = |b: &mut LuminalBuilder| {
        let x = b.input("x", &[16, 3, 3])?;
        let y = b.layer("layer", Conv2dSpec { bias: false, ..Conv2dSpec::new(16, 16, [3, 3]) }, &[&x])?;
        b.output("y", &y)
    };
    let weight = Tensor::zeros(&[16, 16, 3, 3]).unwrap();
    let weights = Weights::from_tensors([("layer.weight".to_owned(), weight)]).unwrap();
    let empty = Tensor::zeros(&[0, 16, 3, 3]).unwrap();
    for options in Isa::available().flat_map(every_option) {
        let mut session = Session::new(build, &weights, &options).unwrap();
        assert!(matches!(session.run(&[&empty]), Err(Error::EmptyBatch { .. })), "{options:?}");
        // And the session goes on.
        assert_eq!(session.run(&[&Tensor::zeros(&[2, 16, 3, 3]).unwrap()]).unwrap().get(0).shape(), [2, 16, 1, 1]);
    }
}
