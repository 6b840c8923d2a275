//! A compiled network: steps over one arena, only the batch left open.

use super::Isa;
use super::kernels::{Call, Kernel};
use crate::buffer::Buffer;
use crate::graph::Port;
use crate::{Error, Tensor};
use std::fmt;
use std::ops::Range;

/// A compiled network. It holds packed weights and no memory of its own, so threads can share it.
#[derive(Debug)]
pub struct Program {
    pub(crate) isa: Isa,
    pub(crate) inputs: Vec<Port>,
    pub(crate) outputs: Vec<Port>,
    /// Where each output lies in the arena, per example.
    pub(crate) output_offsets: Vec<usize>,
    pub(crate) steps: Vec<Step>,
    /// Elements of the arena for one example.
    pub(crate) arena: usize,
}

/// One kernel on one value. Offsets and lengths are for one example.
#[derive(Debug)]
pub(crate) struct Step {
    pub name: String,
    pub shape: cnn_ir::Shape,
    pub kernel: Box<dyn Kernel>,
    pub input: Place,
    pub input_elements: usize,
    pub output: usize,
    pub output_elements: usize,
}

/// Where a step finds its input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// An input of the network, by number.
    Input(usize),
    /// An offset into the arena.
    Arena(usize),
}

/// What a program needs to run: the arena and scratch memory. Grows to the largest batch seen.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    pub arena: Buffer,
    scratch: Buffer,
}

impl Program {
    /// The inputs.
    pub fn inputs(&self) -> &[Port] {
        &self.inputs
    }

    /// The outputs.
    pub fn outputs(&self) -> &[Port] {
        &self.outputs
    }

    /// Where an output lies in the arena, per example.
    pub(crate) fn output_offset(&self, output: usize) -> Option<usize> {
        self.output_offsets.get(output).copied()
    }

    /// The instruction set that the program was compiled for.
    pub fn isa(&self) -> Isa {
        self.isa
    }

    /// Bytes of memory for intermediate values, outputs and scratch at this batch; weights and inputs not counted.
    /// `usize::MAX` when they cannot be counted.
    pub fn arena_bytes(&self, batch: usize) -> usize {
        let elements = self.arena.saturating_mul(batch).saturating_add(self.scratch(batch));
        elements.saturating_mul(size_of::<f32>())
    }

    fn scratch(&self, batch: usize) -> usize {
        self.steps.iter().map(|step| step.kernel.scratch(batch)).max().unwrap_or(0)
    }

    /// Runs all steps. The inputs have been checked against the program's and have this batch.
    ///
    /// # Errors
    /// Not enough memory for the batch.
    pub(crate) fn run(&self, inputs: &[&Tensor], batch: usize, memory: &mut Memory) -> Result<(), Error> {
        memory.arena.grow(self.arena.saturating_mul(batch), "the values between layers")?;
        memory.scratch.grow(self.scratch(batch), "the kernels' scratch memory")?;
        let (arena, scratch) = (memory.arena.as_mut_slice(), memory.scratch.as_mut_slice());
        for step in &self.steps {
            let to = step.output * batch..step.output * batch + step.output_elements * batch;
            match step.input {
                Place::Input(i) if step.kernel.in_place() => {
                    arena[to.clone()].copy_from_slice(inputs[i].data());
                    step.kernel.run(Call { batch, input: &[], output: &mut arena[to], scratch });
                }
                Place::Input(i) => {
                    step.kernel.run(Call { batch, input: inputs[i].data(), output: &mut arena[to], scratch });
                }
                Place::Arena(from) => {
                    let from = from * batch..from * batch + step.input_elements * batch;
                    if step.kernel.in_place() {
                        if from != to {
                            arena.copy_within(from, to.start);
                        }
                        step.kernel.run(Call { batch, input: &[], output: &mut arena[to], scratch });
                    } else {
                        let (input, output) = disjoint(arena, from, to);
                        step.kernel.run(Call { batch, input, output, scratch });
                    }
                }
            }
        }
        Ok(())
    }
}

/// Two ranges of a slice that the plan keeps apart.
fn disjoint(arena: &mut [f32], from: Range<usize>, to: Range<usize>) -> (&[f32], &mut [f32]) {
    if from.end <= to.start {
        let (before, after) = arena.split_at_mut(to.start);
        (&before[from], &mut after[..to.len()])
    } else {
        let (before, after) = arena.split_at_mut(from.start);
        (&after[..from.len()], &mut before[to])
    }
}

/// One step per line: `conv1 = conv2d_direct + Relu (image) -> b×6×28×28 @0`; `@` is the place in the arena.
impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = |elements: usize| elements.saturating_mul(size_of::<f32>());
        writeln!(
            f,
            "program for {}: {} steps, {} bytes per example and {} bytes of scratch",
            self.isa,
            self.steps.len(),
            bytes(self.arena),
            bytes(self.scratch(1))
        )?;
        for input in &self.inputs {
            writeln!(f, "input {}: b×{}", input.name, input.shape)?;
        }
        for Step { name, kernel, input, output, shape, .. } in &self.steps {
            write!(f, "{name} = {kernel:?} (")?;
            match *input {
                Place::Input(i) => f.write_str(&self.inputs[i].name)?,
                Place::Arena(offset) => write!(f, "@{offset}")?,
            }
            writeln!(f, ") -> b×{shape} @{output}")?;
        }
        for (output, offset) in self.outputs.iter().zip(&self.output_offsets) {
            writeln!(f, "output {}: b×{} @{offset}", output.name, output.shape)?;
        }
        Ok(())
    }
}
