//! Values joined along an axis.

use super::{Call, Kernel};
use crate::engine::select::Layer;
use cnn_ir::ops::ConcatSpec;

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
