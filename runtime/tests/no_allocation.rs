//! Once the largest batch has been seen, a run allocates nothing, on the caller's thread and on all others.

// A test may panic.
#![allow(clippy::unwrap_used, clippy::panic)]

mod suite;

use cnn_ir::ops::{AddSpec, Conv2dSpec, DenseSpec, FlattenSpec, MaxPool2dSpec, ReluSpec};
use cnn_ir::{BuildError, Builder};
use cnn_runtime::training::StepSettings;
use cnn_runtime::{Algorithm, CompileOptions, Isa, LuminalBuilder, Session, Tensor};
use std::alloc::{GlobalAlloc, Layout, System};
use std::fmt::Display;
use std::sync::atomic::{AtomicUsize, Ordering};
use suite::{formula, lenet};

/// What all threads have asked for.
static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

/// Counts what is asked for.
struct Counting;

fn count() {
    ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
}

fn allocations() -> usize {
    ALLOCATIONS.load(Ordering::SeqCst)
}

// SAFETY: everything is passed on to the system's allocator; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: the caller's promise is passed on.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// One test alone, so that no other thread of the test program allocates while it counts.
#[test]
fn a_run_allocates_nothing() {
    batches_of_lenet();
    every_problem();
    every_algorithm_on_threads();
    training_steps();
    assert!(allocations() > 0, "the counter counts");
}

/// Runs until nothing has been allocated for so many runs in a row: the first makes room, and a thread of the pool may
/// start late.
fn settles(runs: usize, what: impl Display, mut run: impl FnMut()) {
    let mut quiet = 0;
    for _ in 0..20 * runs {
        let before = allocations();
        run();
        quiet = if allocations() == before { quiet + 1 } else { 0 };
        if quiet == runs {
            return;
        }
    }
    panic!("{what} goes on allocating");
}

fn batches_of_lenet() {
    let mut builder = LuminalBuilder::new();
    lenet::build(&mut builder).unwrap();
    let weights = formula::weights(&builder.finish().unwrap());
    let batches = [1, 8].map(|batch| formula::input(&[batch, 1, 28, 28]));
    for isa in Isa::available() {
        let options = CompileOptions { isa: Some(isa), threads: Some(3), ..Default::default() };
        let mut session = Session::new(lenet::build, &weights, &options).unwrap();
        let mut sum = 0.0;
        settles(20, isa, || {
            for images in &batches {
                let outputs = session.run(&[images]).unwrap();
                sum += outputs.by_name("logits").unwrap().examples().map(|logits| logits[0]).sum::<f32>();
            }
        });
        assert!(sum.is_finite());
    }
}

fn every_problem() {
    for problem in suite::problems() {
        let (weights, inputs) = (problem.weights(), problem.inputs());
        for isa in Isa::available() {
            let options = CompileOptions { isa: Some(isa), threads: Some(3), ..Default::default() };
            let mut session = Session::new(|b| problem.build(b), &weights, &options).unwrap();
            settles(2, format_args!("{} on {isa}", problem.name), || _ = session.run(&inputs).unwrap());
        }
    }
}

fn training_steps() {
    let mut steps = 0;
    for problem in suite::problems() {
        let inputs = problem.inputs();
        let shape = [&inputs[0].shape()[..1], &problem.output_shape[1..]].concat();
        let factors = Tensor::zeros(&shape).unwrap();
        for isa in Isa::available() {
            // Of extern layers some have no gradient.
            let Ok(mut session) = suite::training::session(&problem, isa) else { continue };
            let settings = StepSettings { updates: false, ..StepSettings::default() };
            let mut step = || session.step(&inputs, &[&factors], &settings);
            // What is refused, such as values that are not finite, takes a message.
            if step().is_ok() {
                settles(2, format_args!("training {} on {isa}", problem.name), || _ = step().unwrap());
                steps += 1;
            }
        }
    }
    assert!(steps > 0, "some problems can be trained");
}

/// Enough work for threads to share it.
fn wide(b: &mut LuminalBuilder) -> Result<(), BuildError> {
    let x = b.input("x", &[3, 40, 40])?;
    let conv = |groups, from, to| Conv2dSpec { padding: [1; 4], groups, ..Conv2dSpec::new(from, to, [3, 3]) };
    let first = b.layer("first", conv(1, 3, 64), &[&x])?;
    let apart = b.layer("apart", conv(64, 64, 64), &[&first])?;
    let main = b.layer("main", conv(1, 64, 64), &[&apart])?;
    let sum = b.layer("sum", AddSpec::new(), &[&main, &first])?;
    let sum = b.layer("relu", ReluSpec::new(), &[&sum])?;
    let pooled = b.layer("pooled", MaxPool2dSpec::new([2, 2], [2, 2]), &[&sum])?;
    let flat = b.layer("flat", FlattenSpec::new(), &[&pooled])?;
    let y = b.layer("fc", DenseSpec::new(64 * 20 * 20, 50), &[&flat])?;
    b.output("y", &y)
}

fn every_algorithm_on_threads() {
    let mut builder = LuminalBuilder::new();
    wide(&mut builder).unwrap();
    let weights = formula::weights(&builder.finish().unwrap());
    let input = formula::input(&[1, 3, 40, 40]);
    for isa in Isa::available() {
        for algorithm in std::iter::once(None).chain(Algorithm::ALL.map(Some)) {
            let options = CompileOptions { isa: Some(isa), algorithm, threads: Some(3), ..Default::default() };
            let mut session = Session::new(wide, &weights, &options).unwrap();
            // Which thread takes which task is chance.
            settles(5, format_args!("{options:?}"), || _ = session.run(&[&input]).unwrap());
        }
    }
}
