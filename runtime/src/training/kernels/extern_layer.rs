//! A layer implemented outside of the engine, which knows examples and not lanes.

use super::super::state::Control;
use super::Memory;
use super::ends::{from_lanes, to_lanes};
use crate::Error;
use crate::engine::Isa;
use crate::engine::kernels::{Call, Kernel};
use crate::engine::select::Layer;
use crate::engine::threads::Shared;
use cnn_ir::ops::{ExternLayer, ExternSpec};
use std::fmt;
use std::sync::Arc;

/// Hands each example to the layer's own code, forward or backward.
pub(crate) struct Extern {
    name: String,
    is_gradient: bool,
    layer: Arc<dyn ExternLayer>,
    shape: Vec<usize>,
    /// Elements of an example of the input and of the output.
    input: usize,
    output: usize,
    control: Arc<Control>,
    isa: Isa,
}

impl Extern {
    pub fn new(spec: &ExternSpec, layer: &Layer<'_>, memory: &Memory) -> Result<Self, Error> {
        Ok(Self {
            name: spec.name.clone(),
            is_gradient: false,
            layer: crate::graph::extern_layer(layer.path, spec)?.clone(),
            shape: layer.input.to_vec(),
            input: layer.input.iter().product(),
            output: layer.output.iter().product(),
            control: memory.control.clone(),
            isa: layer.isa,
        })
    }

    pub fn gradient(spec: &ExternSpec, layer: &Layer<'_>, memory: &Memory) -> Result<Self, Error> {
        let forward = Self::new(spec, layer, memory)?;
        if forward.layer.gradient().is_none() {
            let reason = format!(
                "the extern layer `{}` has no gradient: implement `ExternLayer::gradient` for its type, or freeze all \
                 parameters before it",
                spec.name
            );
            return Err(layer.error(&reason));
        }
        Ok(Self { is_gradient: true, ..forward })
    }

    /// Elements of the values of a block that the code reads and of the one that it makes.
    fn sizes(&self) -> [usize; 3] {
        let (input, output) = (self.input * self.isa.lanes(), self.output * self.isa.lanes());
        if self.is_gradient { [output, input, input] } else { [input, 0, output] }
    }
}

impl Kernel for Extern {
    fn scratch(&self, _: usize, threads: usize) -> usize {
        self.sizes().iter().fold(0usize, |sum, size| sum.saturating_add(*size)).saturating_mul(threads)
    }

    fn run(&self, call: Call<'_>) {
        let (lanes, [first, second, made]) = (self.isa.lanes(), self.sizes());
        let examples = self.control.settings().examples;
        let scratch = Shared::new(call.scratch);
        let output = Shared::new(call.output);
        call.threads.run(call.batch / lanes, |block, worker| {
            let count = examples.saturating_sub(block * lanes).min(lanes);
            let all = first + second + made;
            // SAFETY: each block is one task's, and each worker has scratch of its own.
            let (scratch, to) = unsafe {
                (scratch.part(worker * all..(worker + 1) * all), output.part(block * made..(block + 1) * made))
            };
            let (a, rest) = scratch.split_at_mut(first);
            let (b, result) = rest.split_at_mut(second);
            let [a, b, result] = [a, b, result].map(|part| {
                let size = part.len() / lanes * count;
                &mut part[..size]
            });
            from_lanes(self.isa, &call.input[block * first..][..first], first / lanes, a);
            match self.layer.gradient().filter(|_| self.is_gradient) {
                Some(layer) => {
                    from_lanes(self.isa, &call.others.get(0)[block * second..][..second], self.input, b);
                    let examples = a.chunks_exact(self.output).zip(b.chunks_exact(self.input));
                    for ((dy, x), dx) in examples.zip(result.chunks_exact_mut(self.input)) {
                        layer.backward(&self.shape, x, dy, dx);
                    }
                }
                None => {
                    for (x, y) in a.chunks_exact(self.input).zip(result.chunks_exact_mut(self.output)) {
                        self.layer.forward(&self.shape, x, y);
                    }
                }
            }
            to_lanes(self.isa, result, made / lanes, to);
        });
    }
}

impl fmt::Debug for Extern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "extern {}{}", self.name, if self.is_gradient { " gradient" } else { "" })
    }
}
