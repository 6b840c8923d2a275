//! Values joined along an axis.

use super::{Call, Kernel};
use crate::engine::select::Layer;
use cnn_ir::ops::ConcatSpec;

/// Copies some values to their places in a joined value.
pub(crate) struct Join {
    /// Where each begins in the joined value.
    starts: Vec<usize>,
    /// Elements of one example of the joined value.
    whole: usize,
}

impl Join {
    pub fn new(starts: Vec<usize>, whole: usize) -> Self {
        Self { starts, whole }
    }
}

impl Kernel for Join {
    fn run(&self, call: Call<'_>) {
        for (i, &start) in self.starts.iter().enumerate() {
            let input = if i == 0 { call.input } else { call.others.get(i - 1) };
            let elements = input.len() / call.batch.max(1);
            for (from, to) in input.chunks_exact(elements.max(1)).zip(call.output.chunks_exact_mut(self.whole)) {
                to[start..start + elements].copy_from_slice(from);
            }
        }
    }
}

impl std::fmt::Debug for Join {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("concat")
    }
}

/// Copies every input to its place.
pub(crate) struct Concat {
    /// Adjacent elements that each input gives at a time.
    runs: Vec<usize>,
}

impl Concat {
    pub fn new(spec: &ConcatSpec, layer: &Layer<'_>) -> Self {
        let run = |shape: &&[usize]| shape.iter().skip(spec.dim - 1).product();
        Self { runs: layer.inputs.iter().map(run).collect() }
    }
}

impl Kernel for Concat {
    fn run(&self, call: Call<'_>) {
        let row: usize = self.runs.iter().sum();
        let mut start = 0;
        for (i, &run) in self.runs.iter().enumerate() {
            let input = if i == 0 { call.input } else { call.others.get(i - 1) };
            for (from, to) in input.chunks_exact(run).zip(call.output.chunks_exact_mut(row)) {
                to[start..start + run].copy_from_slice(from);
            }
            start += run;
        }
    }
}

impl std::fmt::Debug for Concat {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("concat")
    }
}
