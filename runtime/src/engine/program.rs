//! A compiled network: steps over one arena, only the batch left open.

use super::Isa;
use super::kernels::{Call, Kernel};
use crate::buffer::Buffer;
use crate::graph::Port;
use crate::{Error, Tensor};
use std::fmt;
use std::time::{Duration, Instant};

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

/// One kernel on its inputs. Offsets and lengths are for one example.
#[derive(Debug)]
pub(crate) struct Step {
    pub name: String,
    pub shape: cnn_ir::Shape,
    pub kernel: Box<dyn Kernel>,
    /// At least one.
    pub inputs: Vec<Source>,
    pub output: usize,
    pub output_elements: usize,
}

/// What a step is, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepInfo {
    /// The full name of the layer; of an output that is an input as it came, the output's.
    pub name: String,
    /// The kernel, and what it does besides: `conv2d_direct + Relu`.
    pub kernel: String,
    /// The output's shape for one example.
    pub shape: cnn_ir::Shape,
}

/// A value that a step reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Source {
    pub place: Place,
    pub elements: usize,
}

/// Where a step finds an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// An input of the network, by number.
    Input(usize),
    /// An offset into the arena.
    Arena(usize),
}

/// All that a step can read: the network's inputs, and the arena without the step's own output.
#[derive(Clone, Copy)]
struct Readable<'a> {
    batch: usize,
    inputs: &'a [&'a Tensor],
    before: &'a [f32],
    behind: &'a [f32],
    /// Where `behind` starts in the arena.
    start: usize,
}

impl<'a> Readable<'a> {
    /// A value, which the plan keeps apart from the output.
    fn get(&self, source: &Source) -> &'a [f32] {
        let elements = source.elements * self.batch;
        match source.place {
            Place::Input(i) => self.inputs[i].data(),
            Place::Arena(offset) if offset * self.batch < self.before.len() => {
                &self.before[offset * self.batch..][..elements]
            }
            Place::Arena(offset) => &self.behind[offset * self.batch - self.start..][..elements],
        }
    }
}

/// The inputs of a step behind the first.
#[derive(Clone, Copy)]
pub(crate) struct Others<'a> {
    sources: &'a [Source],
    readable: Readable<'a>,
}

impl<'a> Others<'a> {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.sources.len()
    }

    /// One of them; 0 is the step's second input.
    pub fn get(&self, index: usize) -> &'a [f32] {
        self.readable.get(&self.sources[index])
    }
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

    /// The steps, in the order in which they run.
    pub fn steps(&self) -> impl ExactSizeIterator<Item = StepInfo> {
        self.steps.iter().map(|Step { name, kernel, shape, .. }| StepInfo {
            name: name.clone(),
            kernel: format!("{kernel:?}"),
            shape: shape.clone(),
        })
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
        self.run_observed(inputs, batch, memory, || {})
    }

    /// Runs all steps as [`Program::run`] does, and says how long each took.
    pub(crate) fn run_timed(
        &self,
        inputs: &[&Tensor],
        batch: usize,
        memory: &mut Memory,
    ) -> Result<Vec<Duration>, Error> {
        let mut instants = Vec::with_capacity(self.steps.len() + 1);
        self.run_observed(inputs, batch, memory, || instants.push(Instant::now()))?;
        Ok(instants.windows(2).map(|pair| pair[1] - pair[0]).collect())
    }

    /// Runs all steps; `observe` is called before the first and after each, and costs nothing when it does nothing.
    fn run_observed(
        &self,
        inputs: &[&Tensor],
        batch: usize,
        memory: &mut Memory,
        mut observe: impl FnMut(),
    ) -> Result<(), Error> {
        memory.arena.grow(self.arena.saturating_mul(batch), "the values between layers")?;
        memory.scratch.grow(self.scratch(batch), "the kernels' scratch memory")?;
        let (arena, scratch) = (memory.arena.as_mut_slice(), memory.scratch.as_mut_slice());
        observe();
        for step in &self.steps {
            let to = step.output * batch..(step.output + step.output_elements) * batch;
            let Some((first, others)) = step.inputs.split_first() else { continue };
            let mut in_place = first.place == Place::Arena(step.output);
            if step.kernel.in_place() && !in_place {
                match first.place {
                    Place::Input(i) => arena[to.clone()].copy_from_slice(inputs[i].data()),
                    Place::Arena(from) => arena.copy_within(from * batch..(from + first.elements) * batch, to.start),
                }
                in_place = true;
            }
            let (before, rest) = arena.split_at_mut(to.start);
            let (output, behind) = rest.split_at_mut(to.len());
            let readable = Readable { batch, inputs, before, behind, start: to.end };
            let input = if in_place { &[] } else { readable.get(first) };
            step.kernel.run(Call { batch, input, others: Others { sources: others, readable }, output, scratch });
            observe();
        }
        Ok(())
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
        for Step { name, kernel, inputs, output, shape, .. } in &self.steps {
            write!(f, "{name} = {kernel:?} (")?;
            for (i, input) in inputs.iter().enumerate() {
                f.write_str(if i == 0 { "" } else { ", " })?;
                match input.place {
                    Place::Input(i) => f.write_str(&self.inputs[i].name)?,
                    Place::Arena(offset) => write!(f, "@{offset}")?,
                }
            }
            writeln!(f, ") -> b×{shape} @{output}")?;
        }
        for (output, offset) in self.outputs.iter().zip(&self.output_offsets) {
            writeln!(f, "output {}: b×{} @{offset}", output.name, output.shape)?;
        }
        Ok(())
    }
}
