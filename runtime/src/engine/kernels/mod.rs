//! Kernels: what a step of a program does.

pub(crate) mod activation;
pub(crate) mod affine;
pub(crate) mod arithmetic;
pub(crate) mod axes;
pub(crate) mod blocked;
pub(crate) mod concat;
pub(crate) mod conv2d;
pub(crate) mod conv2d_copy;
pub(crate) mod conv2d_plain;
pub(crate) mod conv_transpose;
pub(crate) mod dense;
pub(crate) mod extern_layer;
pub(crate) mod gather;
pub(crate) mod gemm;
pub(crate) mod linear;
pub(crate) mod local_response_norm;
pub(crate) mod map;
pub(crate) mod math;
pub(crate) mod norm;
pub(crate) mod pool;
pub(crate) mod pool_ranges;
pub(crate) mod prelu;
pub(crate) mod prologue;
pub(crate) mod residual;
pub(crate) mod softmax;
pub(crate) mod split;

use super::program::Others;
use super::threads::Threads;
use std::fmt::Debug;

/// The code of one step, made for one layer: weights packed, geometry known, only the batch open.
pub(crate) trait Kernel: Debug + Send + Sync {
    /// f32 of scratch memory for this batch and number of threads; `usize::MAX` when they cannot be counted.
    fn scratch(&self, _batch: usize, _threads: usize) -> usize {
        0
    }

    /// Whether the kernel works in place: it gets no first input, but finds it in its output.
    fn in_place(&self) -> bool {
        false
    }

    /// How many inputs, from the first on, may be what the kernel finds in its output, when that spares memory; such an
    /// input changes places with the first.
    fn may_overwrite(&self) -> usize {
        0
    }

    /// Whether a block of examples, as many as a vector has lanes, can be computed without the others, with the same result.
    fn is_by_block(&self) -> bool {
        false
    }

    /// Computes the output. Never allocates.
    fn run(&self, call: Call<'_>);
}

impl Kernel for Box<dyn Kernel> {
    fn scratch(&self, batch: usize, threads: usize) -> usize {
        (**self).scratch(batch, threads)
    }

    fn in_place(&self) -> bool {
        (**self).in_place()
    }

    fn may_overwrite(&self) -> usize {
        (**self).may_overwrite()
    }

    fn is_by_block(&self) -> bool {
        (**self).is_by_block()
    }

    fn run(&self, call: Call<'_>) {
        (**self).run(call);
    }
}

/// What a kernel works on. Tensors are row-major, batch first.
pub(crate) struct Call<'a> {
    /// Examples.
    pub batch: usize,
    /// The first input; empty for a kernel in place.
    pub input: &'a [f32],
    /// The inputs behind the first.
    pub others: Others<'a>,
    /// The output. Holds garbage before, except for a kernel in place.
    pub output: &'a mut [f32],
    /// At least as many elements as the kernel asked for, 64-byte aligned, with garbage in them.
    pub scratch: &'a mut [f32],
    /// Who can share the work.
    pub threads: &'a Threads,
}

impl<'a> Call<'a> {
    /// Input and output of each example.
    pub fn examples(self) -> (impl Iterator<Item = (&'a [f32], &'a mut [f32])>, &'a mut [f32]) {
        let (from, to) = (self.input.len() / self.batch.max(1), self.output.len() / self.batch.max(1));
        let inputs = self.input.chunks_exact(from.max(1));
        (inputs.zip(self.output.chunks_exact_mut(to.max(1))), self.scratch)
    }
}
