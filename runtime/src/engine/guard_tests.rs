//! Every kernel on values that lie between pages that fault when they are touched, with NaN in all memory that holds
//! nothing yet: reading or writing an element outside ends the test program, reading garbage makes a wrong output.

// A test may panic.
#![allow(clippy::unwrap_used)]

use super::{Area, Examples, Source};
use crate::engine::threads::Shared;
use crate::engine::{Algorithm, Isa, Program, Target, Threads, collapse};
use crate::guard::{Edge, Pages, guarded};
use crate::{LuminalBuilder, PassSwitches, Tensor, Weights};
use cnn_ir::BuildError;
use std::collections::{HashMap, HashSet};

#[path = "../../tests/suite/mod.rs"]
mod suite;

use suite::{Problem, formula};

type Build<'a> = &'a dyn Fn(&mut LuminalBuilder) -> Result<(), BuildError>;

fn compile(build: Build<'_>, weights: &Weights, target: &Target) -> Program {
    let mut builder = LuminalBuilder::new();
    build(&mut builder).unwrap();
    let mut graph = builder.finish().unwrap();
    PassSwitches::default().run(&mut graph).unwrap();
    let program = collapse(&mut graph, weights, target, &Threads::one()).unwrap();
    drop(graph);
    std::sync::Arc::try_unwrap(program).unwrap()
}

/// Weights of which the last ends before a page that faults, and which lie where they are used.
fn guarded_weights(weights: &Weights) -> Weights {
    let bytes = weights.to_safetensors().unwrap();
    assert!(bytes.len().is_multiple_of(4), "the header is padded, and what comes behind it is f32");
    let elements = bytes.len() / 4;
    // The weights want bytes that live for ever.
    let pages = Box::leak(Box::new(Pages::new(Pages::room(elements, 1))));
    let start = pages.place(elements, 1, Edge::Back, 0.0);
    let place = &mut pages.as_mut_slice()[start..start + elements];
    // SAFETY: f32 are bytes, too.
    let place = unsafe { std::slice::from_raw_parts_mut(place.as_mut_ptr().cast::<u8>(), bytes.len()) };
    place.copy_from_slice(&bytes);
    Weights::from_bytes(&*place).unwrap()
}

/// Moves every value of a program, the inputs too, to a place of its own. Gives the inputs' areas.
fn spread(program: &mut Program, batch: usize, edge: Edge) -> (Pages, Vec<Area>) {
    let inputs: Vec<usize> = program.inputs.iter().map(|port| port.shape.elements()).collect();
    // What a value is a part of is known by where it lies and by its size.
    let mut values = HashSet::new();
    for step in &program.steps {
        values.insert((step.output.offset, step.output.stride));
    }
    let sizes = inputs.iter().copied().chain(values.iter().map(|(_, stride)| *stride));
    let mut pages = Pages::new(sizes.map(|elements| Pages::room(elements * batch, batch)).sum());
    let mut offset = |elements: usize| pages.place(elements * batch, batch, edge, f32::NAN) / batch;
    let inputs: Vec<Area> = inputs
        .into_iter()
        .map(|elements| Area { offset: offset(elements), stride: elements, start: 0, elements })
        .collect();
    let offsets: HashMap<(usize, usize), usize> =
        values.into_iter().map(|(old, stride)| ((old, stride), offset(stride))).collect();
    let move_area = |area: &mut Area| area.offset = offsets[&(area.offset, area.stride)];
    for step in &mut program.steps {
        move_area(&mut step.output);
        for source in &mut step.inputs {
            match source {
                Source::Input(i) => *source = Source::Arena(inputs[*i]),
                Source::Arena(area) => move_area(area),
            }
        }
    }
    program.output_areas.iter_mut().for_each(move_area);
    (pages, inputs)
}

/// The first output.
fn run(mut program: Program, inputs: &[&Tensor], edge: Edge, threads: &Threads) -> Vec<f32> {
    let batch = inputs[0].shape()[0];
    let (mut pages, areas) = spread(&mut program, batch, edge);
    let arena = pages.as_mut_slice();
    for (area, input) in areas.iter().zip(inputs) {
        arena[area.range(batch, 0, batch)].copy_from_slice(input.data());
    }
    for step in &program.steps {
        let count = step.examples(batch);
        // Scratch memory begins and ends on a line.
        let elements = step.kernel.scratch(count, threads.count()).next_multiple_of(crate::buffer::LINE);
        let mut scratch = Pages::new(Pages::room(elements, 1));
        let place = scratch.place(elements, 1, if edge == Edge::Back { edge } else { Edge::Front }, f32::NAN);
        let scratch = &mut scratch.as_mut_slice()[place..place + elements];
        for first in (0..batch).step_by(count) {
            step.run(&[], Examples { batch, first, count }, &Shared::new(arena), scratch, threads);
        }
    }
    arena[program.output_areas[0].range(batch, 0, batch)].to_vec()
}

/// Runs network number `number` with every kernel that can run a layer of it, and checks the first output.
fn check(
    isa: Isa,
    number: usize,
    build: Build<'_>,
    weights: &Weights,
    inputs: &[&Tensor],
    check: impl Fn(f64, &[f32]),
) {
    // The end of a value is the more likely to be missed; beginnings take turns.
    let edges = [Edge::Back, [Edge::Front, Edge::Unaligned][number % 2]];
    let mut texts = HashSet::new();
    let threads = [Threads::one(), Threads::new(3).unwrap()];
    let weights = guarded_weights(weights);
    for algorithm in std::iter::once(None).chain(Algorithm::ALL.map(Some)) {
        let target = Target { isa, algorithm, ..Target::default() };
        for (i, edge) in edges.into_iter().enumerate() {
            let program = guarded(edge, || compile(build, &weights, &target));
            if i == 0 && !texts.insert(program.to_string()) {
                break; // The same kernels as before.
            }
            let loss = if algorithm.is_some_and(|algorithm| algorithm.to_string() == "winograd6") { 10.0 } else { 1.0 };
            check(loss, &run(program, inputs, edge, &threads[(i + number / 2) % 2]));
        }
    }
}

fn check_all(isa: Isa, problems: &[Problem]) {
    for (number, problem) in problems.iter().enumerate() {
        check(isa, number, &|b| problem.build(b), &problem.weights(), &problem.inputs(), |loss, output| {
            let problem = Problem { tolerance: problem.tolerance * loss, ..problem.clone() };
            let result = problem.check(&problem.output_shape, output);
            assert!(result.is_ok(), "{isa}: {result:?}");
        });
    }
}

#[test]
fn kernels_stay_inside_on_every_problem() {
    let problems = suite::problems();
    Isa::available().for_each(|isa| check_all(isa, &problems));
}

#[test]
fn kernels_stay_inside_on_adversarial_problems() {
    let problems = suite::adversarial::problems();
    Isa::available().for_each(|isa| check_all(isa, &problems));
}

#[test]
fn kernels_stay_inside_on_chains() {
    for (number, chain) in suite::adversarial::chains().iter().enumerate() {
        let mut builder = LuminalBuilder::new();
        chain.build(&mut builder).unwrap();
        let weights = formula::weights(&builder.finish().unwrap());
        let expected = chain.solve(&weights);
        for isa in Isa::available() {
            check(isa, number, &|b| chain.build(b), &weights, &[&chain.input], |loss, output| {
                for (found, right) in output.iter().zip(&expected) {
                    let off = (f64::from(*found) - right).abs();
                    assert!(off <= 1e-5 * loss * right.abs().max(1.0), "{isa}, {chain:?}: {found} is not {right}");
                }
            });
        }
    }
}
