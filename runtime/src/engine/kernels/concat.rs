//! Values joined along an axis.

use super::{Call, Kernel};
use crate::engine::select::Layer;
use cnn_ir::ops::ConcatSpec;

/// Copies its inputs to their places in the rows of a joined value.
pub(crate) struct Concat {
    /// Where each begins in a row.
    starts: Vec<usize>,
    /// Elements of a row.
    row: usize,
}

impl Concat {
    /// Joins all inputs of a layer.
    pub fn new(spec: &ConcatSpec, layer: &Layer<'_>) -> Self {
        let run = |shape: &[usize]| shape.iter().skip(spec.dim - 1).product::<usize>();
        let (mut starts, mut row) = (Vec::new(), 0);
        for shape in layer.inputs {
            starts.push(row);
            row += run(shape);
        }
        Self { starts, row }
    }

    /// Joins along the channels, where the value has so many elements for each example, and only what is not in its place.
    pub fn of_parts(starts: Vec<usize>, row: usize) -> Self {
        Self { starts, row }
    }
}

impl Kernel for Concat {
    fn run(&self, call: Call<'_>) {
        let rows = call.output.len() / self.row.max(1);
        for (i, &start) in self.starts.iter().enumerate() {
            let input = if i == 0 { call.input } else { call.others.get(i - 1) };
            let run = (input.len() / rows.max(1)).max(1);
            for (from, to) in input.chunks_exact(run).zip(call.output.chunks_exact_mut(self.row)) {
                to[start..start + run].copy_from_slice(from);
            }
        }
    }
}

impl std::fmt::Debug for Concat {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("concat")
    }
}
