//! Functions of one element: as layers, in place, and at the end of other kernels.

use super::map::{MapFn, map_of};
use super::split::split;
use super::{Call, Kernel};
use crate::Error;
use crate::engine::Isa;
use crate::engine::select::Layer;
use crate::engine::threads::Shared;
use crate::graph::Activation;
use std::fmt;

/// Elements to which all functions of a chain are applied before the next: they stay in the nearest cache.
const BLOCK: usize = 4096;

/// Elements that touch this much of a function's work count as one of moving them.
const WEIGHT: usize = 4;

/// A layer that applies a function to every element, and what is fused behind it.
pub(crate) struct ElementWise(Epilogue);

impl ElementWise {
    /// The layer's op as a function.
    pub fn of(layer: &Layer<'_>) -> Result<Self, Error> {
        let activation = Activation::from_op(layer.op).ok_or_else(|| layer.error("it is no activation"))?;
        let activations: Vec<Activation> = [&[activation], layer.activations].concat();
        Ok(Self(Epilogue::new(&activations, layer.isa)))
    }
}

impl Kernel for ElementWise {
    fn is_by_block(&self) -> bool {
        true
    }

    fn in_place(&self) -> bool {
        true
    }

    fn run(&self, call: Call<'_>) {
        let elements = call.output.len();
        let output = Shared::new(call.output);
        split(call.threads, elements.div_ceil(BLOCK), WEIGHT * BLOCK, |blocks| {
            // SAFETY: no other task has these blocks.
            let part = unsafe { output.part(blocks.start * BLOCK..elements.min(blocks.end * BLOCK)) };
            self.0.apply(part);
        });
    }
}

impl fmt::Debug for ElementWise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.name("", f)
    }
}

/// What a kernel does to its output at the end: functions, one after the other; or nothing.
pub(crate) struct Epilogue(Vec<Function>);

impl Epilogue {
    pub fn new(activations: &[Activation], isa: Isa) -> Self {
        Self(activations.iter().map(|&activation| Function::new(activation, isa)).collect())
    }

    /// The least and the largest result, for kernels that apply limits in registers.
    pub fn limits(&self) -> [f32; 2] {
        self.0.first().and_then(Function::limits).unwrap_or([f32::NEG_INFINITY, f32::INFINITY])
    }

    /// What is left to do when the limits are applied.
    pub fn beyond_limits(&self) -> Option<Chain<'_>> {
        let limited = self.0.first().and_then(Function::limits).is_some();
        let rest = &self.0[usize::from(limited)..];
        (!rest.is_empty()).then_some(Chain(rest))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn apply(&self, data: &mut [f32]) {
        Chain(&self.0).apply(data);
    }

    /// Writes a kernel's name with its epilogue: `dense + Relu`.
    pub fn name(&self, kernel: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(kernel)?;
        for (i, function) in self.0.iter().enumerate() {
            let and = if i == 0 && kernel.is_empty() { "" } else { " + " };
            write!(f, "{and}{}", function.activation.op())?;
        }
        Ok(())
    }
}

/// Functions, of which each is applied to what the one before it makes.
#[derive(Clone, Copy)]
pub(crate) struct Chain<'a>(&'a [Function]);

impl Chain<'_> {
    /// Applies all of them to these elements.
    pub fn apply(&self, data: &mut [f32]) {
        match self.0 {
            [] => {}
            [function] => function.apply(data),
            functions => {
                for block in data.chunks_mut(BLOCK) {
                    functions.iter().for_each(|function| function.apply(block));
                }
            }
        }
    }
}

/// An activation as code.
struct Function {
    activation: Activation,
    code: MapFn,
    parameter: f32,
}

impl Function {
    fn new(activation: Activation, isa: Isa) -> Self {
        let (code, parameter) = map_of(activation, isa);
        Self { activation, code, parameter }
    }

    fn limits(&self) -> Option<[f32; 2]> {
        match self.activation {
            Activation::Relu => Some([0.0, f32::INFINITY]),
            Activation::Relu6 => Some([0.0, 6.0]),
            _ => None,
        }
    }

    fn apply(&self, data: &mut [f32]) {
        // SAFETY: the instruction set was checked before any kernel was made for it.
        unsafe { (self.code)(data, self.parameter) }
    }
}
