//! A layer before another kernel, whose result lies in scratch memory: for kernels that do not do it themselves.

use super::gemm::round_up;
use super::{Call, Kernel};
use crate::engine::select::{Layer, select};
use crate::{Error, Weights};

/// A kernel, and the one that makes its input.
#[derive(Debug)]
pub(crate) struct Prologue {
    before: Box<dyn Kernel>,
    kernel: Box<dyn Kernel>,
    /// Inputs of the kernel before, but for the first.
    others: usize,
    /// What it makes of one example.
    elements: usize,
}

impl Prologue {
    pub fn new(layer: &Layer<'_>, weights: &Weights) -> Result<Self, Error> {
        let before = layer.before().ok_or_else(|| layer.error("it has not the inputs of what comes before it"))?;
        let parameters = &layer.parameters[..layer.parameters.len() - before.parameters.len()];
        let behind = Layer { inputs: &[layer.input], parameters, prologue: None, ..*layer };
        Ok(Self {
            before: select(&before, weights)?,
            kernel: select(&behind, weights)?,
            others: before.inputs.len() - 1,
            elements: layer.input.iter().product(),
        })
    }
}

impl Kernel for Prologue {
    fn scratch(&self, batch: usize, threads: usize) -> usize {
        let kernels = self.kernel.scratch(batch, threads).max(self.before.scratch(batch, threads));
        round_up(self.elements.saturating_mul(batch)).saturating_add(kernels)
    }

    fn run(&self, call: Call<'_>) {
        let Call { batch, input, others, output, scratch, threads } = call;
        let (map, scratch) = scratch.split_at_mut(round_up(self.elements * batch));
        let map = &mut map[..self.elements * batch];
        let (factors, others) = others.split_at(self.others);
        if self.before.in_place() {
            map.copy_from_slice(input);
        }
        self.before.run(Call { batch, input, others: factors, output: &mut *map, scratch: &mut *scratch, threads });
        self.kernel.run(Call { batch, input: map, others, output, scratch, threads });
    }
}
