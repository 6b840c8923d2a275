//! A compiled network: steps over one arena, only the batch left open.

use super::Isa;
use super::kernels::{Call, Kernel};
use super::threads::{Shared, Threads};
use crate::buffer::{Buffer, LINE};
use crate::graph::Port;
use crate::{Error, Tensor};
use std::fmt;
use std::ops::Range;
use std::time::{Duration, Instant};

#[cfg(all(test, unix))]
#[path = "guard_tests.rs"]
mod guard_tests;

/// A compiled network. It holds packed weights and no memory of its own, so threads can share it.
#[derive(Debug)]
pub struct Program {
    pub(crate) isa: Isa,
    pub(crate) inputs: Vec<Port>,
    pub(crate) outputs: Vec<Port>,
    /// Where each output lies; all examples of it are adjacent.
    pub(crate) output_areas: Vec<Area>,
    pub(crate) steps: Vec<Step>,
    /// Runs of steps that can be done block by block: for as many examples as a vector has lanes one step after the other, so
    /// that what lies between them stays in a cache, and threads that have a block each need not wait for each other.
    pub(crate) chains: Vec<Range<usize>>,
    /// Elements of the arena for one example.
    pub(crate) arena: usize,
}

/// One kernel on its inputs.
#[derive(Debug)]
pub(crate) struct Step {
    pub name: String,
    pub shape: cnn_ir::Shape,
    pub kernel: Box<dyn Kernel>,
    pub choices: Vec<Choice>,
    /// At least one.
    pub inputs: Vec<Source>,
    pub output: Area,
}

/// Where a value lies in the arena: example `e` of a batch begins at `offset · batch + start + e · stride`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Area {
    /// Where what the value is a part of lies, per example.
    pub offset: usize,
    /// Elements from one example to the next.
    pub stride: usize,
    /// Where the value begins in what it is a part of.
    pub start: usize,
    /// Elements of one example.
    pub elements: usize,
}

impl Area {
    /// Whether the examples of a batch are adjacent.
    fn is_adjacent(&self, batch: usize) -> bool {
        batch == 1 || self.stride == self.elements
    }

    /// `count` adjacent examples from `first` on, in a run of this batch.
    fn range(&self, batch: usize, first: usize, count: usize) -> Range<usize> {
        let start = self.offset * batch + self.start + first * self.stride;
        start..start + self.elements * count
    }
}

/// What a step is, for people.
#[derive(Debug, Clone, PartialEq)]
pub struct StepInfo {
    /// The full name of the layer; of an output that is an input as it came, the output's.
    pub name: String,
    /// The kernel, and what it does besides: `conv2d_direct + Relu`.
    pub kernel: String,
    /// The output's shape for one example.
    pub shape: cnn_ir::Shape,
    /// The kernels that could run the layer, the chosen one first; empty where there was nothing to choose.
    pub choices: Vec<Choice>,
}

/// A kernel that could run a layer.
#[derive(Debug, Clone, PartialEq)]
pub struct Choice {
    /// Its name, as in [`Algorithm`](super::Algorithm).
    pub algorithm: &'static str,
    /// The seconds that the choice went by, for one example.
    pub seconds: f64,
    /// Whether they were measured; the cost model's otherwise.
    pub is_measured: bool,
}

/// `@64`, or `@64+16` for a part of what lies at 64.
impl fmt::Display for Area {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "@{}", self.offset)?;
        if self.start > 0 { write!(f, "+{}", self.start) } else { Ok(()) }
    }
}

/// Where a step finds an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// An input of the network, by number.
    Input(usize),
    /// A value in the arena.
    Arena(Area),
}

/// All that a step can read: the network's inputs, and the arena but for the step's own output.
#[derive(Clone, Copy)]
struct Readable<'a> {
    examples: Examples,
    inputs: &'a [&'a Tensor],
    arena: Shared<'a>,
    /// Where the output lies.
    output: (usize, usize),
}

impl<'a> Readable<'a> {
    /// A value, which the plan keeps apart from the output; an empty one if it does not.
    fn get(&self, source: &Source) -> &'a [f32] {
        match source {
            Source::Input(i) => self.examples.of_input(self.inputs[*i]),
            Source::Arena(area) => match self.examples.of(area) {
                range if range.end <= self.output.0 || range.start >= self.output.1 => {
                    // SAFETY: the step writes to its output alone, and steps that run beside it to other examples.
                    unsafe { self.arena.part(range) }
                }
                range => {
                    debug_assert!(false, "{range:?} is in the output {:?}", self.output);
                    &[]
                }
            },
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

    /// The first of them, and those behind.
    pub fn split_at(self, count: usize) -> (Self, Self) {
        let (first, behind) = self.sources.split_at(count);
        (Self { sources: first, ..self }, Self { sources: behind, ..self })
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
        self.steps.iter().map(|Step { name, kernel, shape, choices, .. }| StepInfo {
            name: name.clone(),
            kernel: format!("{kernel:?}"),
            shape: shape.clone(),
            choices: choices.clone(),
        })
    }

    /// Where all examples of an output lie in the arena.
    pub(crate) fn output_range(&self, output: usize, batch: usize) -> Option<Range<usize>> {
        self.output_areas.get(output).map(|area| area.range(batch, 0, batch))
    }

    /// The instruction set that the program was compiled for.
    pub fn isa(&self) -> Isa {
        self.isa
    }

    /// Bytes of memory for intermediate values, outputs and scratch at this batch and number of threads; weights and
    /// inputs not counted. `usize::MAX` when they cannot be counted.
    pub fn arena_bytes(&self, batch: usize, threads: usize) -> usize {
        let elements = self.arena.saturating_mul(batch).saturating_add(self.scratch(batch, threads));
        elements.saturating_mul(size_of::<f32>())
    }

    /// Bytes of all values that steps make at this batch, if each had memory of its own. `usize::MAX` when they cannot be
    /// counted.
    pub fn value_bytes(&self, batch: usize) -> usize {
        let elements = self.steps.iter().fold(0usize, |sum, step| sum.saturating_add(step.output.elements));
        elements.saturating_mul(batch).saturating_mul(size_of::<f32>())
    }

    fn scratch(&self, batch: usize, threads: usize) -> usize {
        let needed = |step: &Step| {
            let count = step.examples(batch);
            // A kernel may keep small work to one thread.
            step.kernel.scratch(count, threads).max(step.kernel.scratch(count, 1))
        };
        // Each worker's begins on a cache line.
        let own = |step: &Step| step.kernel.scratch(self.isa.lanes(), 1).checked_next_multiple_of(LINE);
        let of_block = |step: &Step| own(step).unwrap_or(usize::MAX).saturating_mul(threads);
        let of_chains = self.chains.iter().flat_map(|chain| &self.steps[chain.clone()]).map(of_block);
        self.steps.iter().map(needed).chain(of_chains).max().unwrap_or(0)
    }

    /// Runs all steps. The inputs have been checked against the program's and have this batch.
    ///
    /// # Errors
    /// Not enough memory for the batch.
    pub(crate) fn run(
        &self,
        inputs: &[&Tensor],
        batch: usize,
        memory: &mut Memory,
        threads: &Threads,
    ) -> Result<(), Error> {
        let (arena, scratch) = self.prepare(batch, memory, threads)?;
        let _running = threads.enter();
        let lanes = self.isa.lanes();
        // With enough blocks for each thread; otherwise they share each step's work.
        let is_cut = batch.is_multiple_of(lanes) && batch / lanes >= 2 * threads.count();
        let mut next = 0;
        while let Some(step) = self.steps.get(next) {
            let Some(chain) = self.chains.iter().find(|chain| is_cut && chain.start == next) else {
                step.run_all(inputs, batch, &Shared::new(arena), scratch, threads);
                next += 1;
                continue;
            };
            let (arena, own) = (Shared::new(arena), scratch.len() / threads.count() / LINE * LINE);
            let scratch = Shared::new(scratch);
            threads.run(batch / lanes, |block, worker| {
                let examples = Examples { batch, first: block * lanes, count: lanes };
                for step in &self.steps[chain.clone()] {
                    // SAFETY: each worker has a part of its own.
                    let scratch = unsafe { scratch.part(worker * own..(worker + 1) * own) };
                    step.run(inputs, examples, &arena, scratch, Threads::alone());
                }
            });
            next = chain.end;
        }
        Ok(())
    }

    /// Makes room.
    fn prepare<'a>(
        &self,
        batch: usize,
        memory: &'a mut Memory,
        threads: &Threads,
    ) -> Result<(&'a mut [f32], &'a mut [f32]), Error> {
        memory.arena.grow(self.arena.saturating_mul(batch), "the values between layers")?;
        memory.scratch.grow(self.scratch(batch, threads.count()), "the kernels' scratch memory")?;
        Ok((memory.arena.as_mut_slice(), memory.scratch.as_mut_slice()))
    }

    /// Runs one step after the other, and says how long each took.
    pub(crate) fn run_timed(
        &self,
        inputs: &[&Tensor],
        batch: usize,
        memory: &mut Memory,
        threads: &Threads,
    ) -> Result<Vec<Duration>, Error> {
        let (arena, scratch) = self.prepare(batch, memory, threads)?;
        let _running = threads.enter();
        let mut instants = Vec::with_capacity(self.steps.len() + 1);
        instants.push(Instant::now());
        for step in &self.steps {
            step.run_all(inputs, batch, &Shared::new(arena), scratch, threads);
            instants.push(Instant::now());
        }
        Ok(instants.windows(2).map(|pair| pair[1] - pair[0]).collect())
    }

    /// Runs the steps until `observe`, which is given each one's name and output, finds something.
    pub(crate) fn run_until<T>(
        &self,
        inputs: &[&Tensor],
        batch: usize,
        memory: &mut Memory,
        threads: &Threads,
        mut observe: impl FnMut(&str, &[f32]) -> Option<T>,
    ) -> Result<Option<T>, Error> {
        let (arena, scratch) = self.prepare(batch, memory, threads)?;
        for step in &self.steps {
            let count = step.examples(batch);
            for first in (0..batch).step_by(count) {
                let examples = Examples { batch, first, count };
                step.run(inputs, examples, &Shared::new(arena), scratch, threads);
                if let Some(found) = observe(&step.name, &arena[examples.of(&step.output)]) {
                    return Ok(Some(found));
                }
            }
        }
        Ok(None)
    }
}

/// Some of the examples of a batch.
#[derive(Debug, Clone, Copy)]
struct Examples {
    batch: usize,
    first: usize,
    count: usize,
}

impl Step {
    /// How many examples of a batch the step works on at once: a part of another value has its examples apart from each
    /// other, so they are taken one by one.
    pub(super) fn examples(&self, batch: usize) -> usize {
        if self.is_adjacent(batch) { batch } else { 1 }
    }

    fn is_adjacent(&self, batch: usize) -> bool {
        let input = |source: &Source| matches!(source, Source::Arena(area) if !area.is_adjacent(batch));
        self.output.is_adjacent(batch) && !self.inputs.iter().any(input)
    }

    /// Does the step for the whole batch.
    fn run_all(&self, inputs: &[&Tensor], batch: usize, arena: &Shared<'_>, scratch: &mut [f32], threads: &Threads) {
        let count = self.examples(batch);
        for first in (0..batch).step_by(count) {
            self.run(inputs, Examples { batch, first, count }, arena, scratch, threads);
        }
    }

    /// Does the step for some examples, of which nobody else uses what lies in the arena.
    fn run(&self, inputs: &[&Tensor], examples: Examples, arena: &Shared<'_>, scratch: &mut [f32], threads: &Threads) {
        let to = examples.of(&self.output);
        let Some((first, others)) = self.inputs.split_first() else { return };
        let mut in_place = *first == Source::Arena(self.output);
        // SAFETY: the examples are the caller's alone, and no other part is used with the output but those that `Readable`
        // gives, which are apart from it.
        let output = unsafe { arena.part(to.clone()) };
        let readable = Readable { examples, inputs, arena: *arena, output: (to.start, to.end) };
        if self.kernel.in_place() && !in_place {
            let from = readable.get(first);
            output.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
            in_place = true;
        }
        let input = if in_place { &[] } else { readable.get(first) };
        let others = Others { sources: others, readable };
        self.kernel.run(Call { batch: examples.count, input, others, output, scratch, threads });
    }
}

impl Examples {
    fn of(&self, area: &Area) -> Range<usize> {
        area.range(self.batch, self.first, self.count)
    }

    fn of_input<'a>(&self, input: &'a Tensor) -> &'a [f32] {
        let elements = input.data().len() / self.batch;
        &input.data()[self.first * elements..][..self.count * elements]
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
            bytes(self.scratch(1, 1))
        )?;
        for input in &self.inputs {
            writeln!(f, "input {}: b×{}", input.name, input.shape)?;
        }
        for Step { name, kernel, inputs, output, shape, .. } in &self.steps {
            write!(f, "{name} = {kernel:?} (")?;
            for (i, input) in inputs.iter().enumerate() {
                f.write_str(if i == 0 { "" } else { ", " })?;
                match input {
                    Source::Input(i) => f.write_str(&self.inputs[*i].name)?,
                    Source::Arena(area) => write!(f, "{area}")?,
                }
            }
            writeln!(f, ") -> b×{shape} {output}")?;
        }
        for (output, area) in self.outputs.iter().zip(&self.output_areas) {
            writeln!(f, "output {}: b×{} {area}", output.name, output.shape)?;
        }
        Ok(())
    }
}
