//! Once the largest batch has been seen, a run allocates nothing.

// A test may panic.
#![allow(clippy::unwrap_used)]

mod suite;

use cnn_runtime::{CompileOptions, Isa, LuminalBuilder, Session};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use suite::{formula, lenet};

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

/// Counts what each thread asks for.
struct Counting;

fn count() {
    // Threads that end have no counter any more.
    let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
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

#[test]
fn a_run_allocates_nothing() {
    let mut builder = LuminalBuilder::new();
    lenet::build(&mut builder).unwrap();
    let weights = formula::weights(&builder.finish().unwrap());
    let batches = [1, 8].map(|batch| formula::input(&[batch, 1, 28, 28]));
    for isa in Isa::available() {
        let options = CompileOptions { isa: Some(isa), ..Default::default() };
        let mut session = Session::new(lenet::build, &weights, &options).unwrap();
        for images in &batches {
            session.run(&[images]).unwrap();
        }
        let before = ALLOCATIONS.get();
        let mut sum = 0.0;
        for _ in 0..10 {
            for images in &batches {
                let outputs = session.run(&[images]).unwrap();
                sum += outputs.by_name("logits").unwrap().examples().map(|logits| logits[0]).sum::<f32>();
            }
        }
        assert_eq!(ALLOCATIONS.get() - before, 0, "{isa}");
        assert!(sum.is_finite());
    }
    assert!(ALLOCATIONS.get() > 0, "the counter counts");
}

#[test]
fn no_kernel_allocates() {
    for problem in suite::problems() {
        let (weights, inputs) = (problem.weights(), problem.inputs());
        for isa in Isa::available() {
            let options = CompileOptions { isa: Some(isa), ..Default::default() };
            let mut session = Session::new(|b| problem.build(b), &weights, &options).unwrap();
            session.run(&inputs).unwrap();
            let before = ALLOCATIONS.get();
            session.run(&inputs).unwrap();
            assert_eq!(ALLOCATIONS.get() - before, 0, "{} on {isa}", problem.name);
        }
    }
}
