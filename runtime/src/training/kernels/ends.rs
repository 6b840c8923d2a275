//! Where a training program ends: losses, the update of the parameters, and values as callers see them.

use super::super::state::{Control, Slot};
use super::super::{Loss, Update};
use crate::engine::Isa;
use crate::engine::kernels::{Call, Kernel};
use crate::engine::simd::{Simd, per_isa};
use crate::engine::threads::Shared;
use crate::training::ops::LossOp;
use cnn_ir::Shape;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// Turns examples into lanes: `[examples][elements]` into blocks of `[elements][lanes]`, zeros behind the last example.
pub(crate) fn to_lanes(isa: Isa, examples: &[f32], elements: usize, to: &mut [f32]) {
    let (lanes, code) = (isa.lanes(), transpose(isa));
    let blocks = to.chunks_exact_mut((elements * lanes).max(1));
    for (to, from) in blocks.zip(examples.chunks(elements * lanes)) {
        let count = from.len() / elements;
        let whole = if count == lanes { elements / lanes * lanes } else { 0 };
        for first in (0..whole).step_by(lanes) {
            // SAFETY: the block has `lanes` examples of at least `first + lanes` elements; the instruction set was checked.
            unsafe { code(from[first..].as_ptr(), elements, to[first * lanes..].as_mut_ptr(), lanes) };
        }
        for element in whole..elements {
            let vector = &mut to[element * lanes..][..lanes];
            vector.fill(0.0);
            for (lane, example) in from.chunks_exact(elements).enumerate() {
                vector[lane] = example[element];
            }
        }
    }
}

/// Turns lanes into examples, as many as there is room for.
pub(crate) fn from_lanes(isa: Isa, from: &[f32], elements: usize, examples: &mut [f32]) {
    let (lanes, code) = (isa.lanes(), transpose(isa));
    for (from, to) in from.chunks_exact((elements * lanes).max(1)).zip(examples.chunks_mut(elements * lanes)) {
        let count = to.len() / elements;
        let whole = if count == lanes { elements / lanes * lanes } else { 0 };
        for first in (0..whole).step_by(lanes) {
            // SAFETY: as in `to_lanes`.
            unsafe { code(from[first * lanes..].as_ptr(), lanes, to[first..].as_mut_ptr(), elements) };
        }
        for (lane, example) in to.chunks_exact_mut(elements).enumerate() {
            for element in whole..elements {
                example[element] = from[element * lanes + lane];
            }
        }
    }
}

per_isa!(fn transpose(from: *const f32, from_pitch: usize, to: *mut f32, to_pitch: usize) = transpose_body);

#[inline(always)]
unsafe fn transpose_body<S: Simd>(from: *const f32, from_pitch: usize, to: *mut f32, to_pitch: usize) {
    // SAFETY: the caller keeps the conditions.
    unsafe { S::transpose(from, from_pitch, to, to_pitch) }
}

/// A loss and its gradient. Works on examples one behind the other, as losses are defined.
pub(crate) struct LossKernel {
    name: String,
    index: usize,
    weight: f64,
    shape: Shape,
    loss: Arc<dyn Loss>,
    /// Elements of one example of the target.
    target: usize,
    control: Arc<Control>,
    isa: Isa,
    /// The shape of the batch, kept so that no run allocates.
    batch: Mutex<Vec<usize>>,
}

impl LossKernel {
    pub fn new(op: &LossOp, control: &Arc<Control>, isa: Isa) -> Self {
        let LossOp { name, index, weight, shape, loss } = op.clone();
        let batch = Mutex::new(std::iter::once(0).chain(shape.iter().copied()).collect());
        let target = loss.target_shape(&shape).map_or(0, |shape| shape.iter().product());
        Self { name, index, weight, shape, loss, target, control: control.clone(), isa, batch }
    }
}

impl Kernel for LossKernel {
    fn scratch(&self, batch: usize, _: usize) -> usize {
        let example = self.shape.elements().saturating_mul(2).saturating_add(self.target);
        example.saturating_mul(batch)
    }

    fn run(&self, call: Call<'_>) {
        let settings = self.control.settings();
        let (elements, examples) = (self.shape.elements(), settings.examples);
        let (value, rest) = call.scratch.split_at_mut(elements * examples);
        let (gradient, rest) = rest.split_at_mut(elements * examples);
        from_lanes(self.isa, call.input, elements, value);
        let target = &mut rest[..self.target * examples];
        if !target.is_empty() {
            from_lanes(self.isa, call.others.get(0), self.target, target);
        }
        let mut batch = self.batch.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(first) = batch.first_mut() {
            *first = examples;
        }
        let result = self.loss.value_and_gradient(value, &batch, target, gradient);
        let factor = (self.weight * f64::from(settings.scale)) as f32;
        if factor != 1.0 {
            gradient.iter_mut().for_each(|g| *g *= factor);
        }
        to_lanes(self.isa, gradient, elements, call.output);
        let mut findings = self.control.findings();
        let losses = findings.losses.len().max(self.index + 1);
        findings.losses.resize(losses, f64::NAN);
        match result {
            Ok(value) => findings.losses[self.index] = value,
            Err(reason) => {
                findings.failed.get_or_insert((format!("the loss of `{}`", self.name), reason));
            }
        }
    }
}

impl fmt::Debug for LossKernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "loss {:?}", self.loss)
    }
}

/// Moves the parameters, unless a loss or the gradients are not finite; clears the gradients then.
pub(crate) struct UpdateKernel {
    pub update: Arc<dyn Update>,
    pub parameters: Slot,
    pub gradients: Slot,
    /// The optimizer's vectors; at most [`MAX_SLOTS`].
    pub slots: Vec<Slot>,
    pub control: Arc<Control>,
}

/// The most state vectors of an optimizer.
pub(crate) const MAX_SLOTS: usize = 4;

/// Parameters that a task moves; squares of gradients are summed by as many.
const RUN: usize = 1 << 14;

impl Kernel for UpdateKernel {
    fn scratch(&self, _: usize, _: usize) -> usize {
        // A sum of squares for each run, in float64.
        2 * self.parameters.len().div_ceil(RUN)
    }

    fn run(&self, call: Call<'_>) {
        let settings = self.control.settings();
        let is_finite = {
            let findings = self.control.findings();
            findings.failed.is_none() && findings.losses.iter().all(|loss| loss.is_finite())
        };
        if !settings.updates || !is_finite {
            return;
        }
        let runs = self.parameters.len().div_ceil(RUN);
        let sums = Shared::new(call.scratch);
        // SAFETY: the gradients' kernels are done, and nobody else uses the state while this one runs.
        let (parameters, gradients) = unsafe { (self.parameters.get_mut(), self.gradients.get_mut()) };
        let threads = call.threads.for_work(32 * gradients.len());
        threads.run(runs, |run, _| {
            let range = run * RUN..gradients.len().min((run + 1) * RUN);
            let sum = sum_of_squares(&gradients[range]);
            // SAFETY: each run has two elements of its own.
            let to = unsafe { sums.part(2 * run..2 * run + 2) };
            let bits = sum.to_bits();
            [to[0], to[1]] = [f32::from_bits(bits as u32), f32::from_bits((bits >> 32) as u32)];
        });
        // SAFETY: the tasks are done.
        let sums = unsafe { sums.part(0..2 * runs) };
        let sum_of = |pair: &[f32]| f64::from_bits(u64::from(pair[0].to_bits()) | u64::from(pair[1].to_bits()) << 32);
        let norm = sums.chunks_exact(2).map(sum_of).sum::<f64>().sqrt();
        self.control.findings().gradient_norm = Some(norm);
        if !norm.is_finite() {
            return;
        }
        let factor = self.update.factor(norm);
        let elements = parameters.len();
        let (parameters, gradients) = (Shared::new(parameters), Shared::new(gradients));
        threads.run(runs, |run, _| {
            let range = run * RUN..elements.min((run + 1) * RUN);
            // SAFETY: runs do not overlap, and the state is this kernel's alone.
            unsafe {
                let (parameters, gradients) = (parameters.part(range.clone()), gradients.part(range.clone()));
                if factor != 1.0 {
                    gradients.iter_mut().for_each(|g| *g *= factor);
                }
                let mut slots: [&mut [f32]; MAX_SLOTS] = Default::default();
                for (slot, to) in self.slots.iter().zip(&mut slots) {
                    *to = slot.range_mut(range.clone());
                }
                let slots = &mut slots[..self.slots.len().min(MAX_SLOTS)];
                self.update.update(settings.update, settings.rate, range, parameters, gradients, slots);
                gradients.fill(0.0);
            }
        });
    }
}

/// In several sums, which the compiler makes vectors of.
fn sum_of_squares(values: &[f32]) -> f64 {
    let mut sums = [0.0f64; 16];
    let (chunks, rest) = values.as_chunks::<16>();
    for chunk in chunks {
        sums.iter_mut().zip(chunk).for_each(|(sum, &value)| *sum += f64::from(value) * f64::from(value));
    }
    sums.iter().sum::<f64>() + rest.iter().map(|&value| f64::from(value) * f64::from(value)).sum::<f64>()
}

impl fmt::Debug for UpdateKernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "update {:?}", self.update)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lanes_and_examples_are_each_others_inverse() {
        for isa in Isa::available() {
            let lanes = isa.lanes();
            for (examples, elements) in [(1, 1), (lanes, lanes), (lanes + 1, 3), (2 * lanes, 2 * lanes + 5), (3, 40)] {
                let values: Vec<f32> = (1..=examples * elements).map(|i| i as f32).collect();
                let mut vectors = vec![f32::NAN; examples.next_multiple_of(lanes) * elements];
                to_lanes(isa, &values, elements, &mut vectors);
                let at = |example: usize, element: usize| {
                    vectors[(example / lanes * elements + element) * lanes + example % lanes]
                };
                for example in 0..examples.next_multiple_of(lanes) {
                    for element in 0..elements {
                        let expected = if example < examples { values[example * elements + element] } else { 0.0 };
                        assert_eq!(at(example, element), expected, "{isa}: {examples}×{elements}");
                    }
                }
                let mut back = vec![0.0; values.len()];
                from_lanes(isa, &vectors, elements, &mut back);
                assert_eq!(back, values);
            }
        }
    }
}
