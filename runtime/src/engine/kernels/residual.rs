//! A value added to what another kernel makes.

use super::arithmetic::Arithmetic;
use super::{Call, Kernel};
use crate::engine::select::{Layer, select};
use crate::{Error, Weights};

/// A kernel, and behind it a sum and an activation: for kernels that do not add it themselves.
#[derive(Debug)]
pub(crate) struct Residual {
    kernel: Box<dyn Kernel>,
    sum: Arithmetic,
}

impl Residual {
    pub fn new(layer: &Layer<'_>, weights: &Weights) -> Result<Self, Error> {
        let Some((_, inputs)) = layer.inputs.split_last() else {
            return Err(layer.error("it adds a value that it does not have"));
        };
        let kernel = select(&Layer { inputs, residual: false, activations: &[], ..*layer }, weights)?;
        Ok(Self { kernel, sum: Arithmetic::add(&Layer { inputs: &[layer.output; 2], ..*layer }) })
    }
}

impl Kernel for Residual {
    fn scratch(&self, batch: usize, threads: usize) -> usize {
        self.kernel.scratch(batch, threads)
    }

    fn run(&self, call: Call<'_>) {
        let Call { batch, input, others, output, scratch, threads } = call;
        let (others, residual) = others.split_at(others.len() - 1);
        self.kernel.run(Call { batch, input, others, output: &mut *output, scratch: &mut *scratch, threads });
        self.sum.run(Call { batch, input: &[], others: residual, output, scratch, threads });
    }
}
