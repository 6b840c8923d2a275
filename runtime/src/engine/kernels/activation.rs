//! Element-wise layers, in place.

use super::map::{MapFn, map_of};
use super::{Call, Kernel};
use crate::Error;
use crate::engine::Isa;
use crate::engine::select::Layer;
use crate::graph::Activation;

/// Applies a function to every element.
pub(crate) struct ElementWise {
    activation: Activation,
    function: MapFn,
    parameter: f32,
}

impl ElementWise {
    pub fn new(activation: Activation, isa: Isa) -> Self {
        let (function, parameter) = map_of(activation, isa);
        Self { activation, function, parameter }
    }

    /// The layer's op as a function.
    pub fn of(layer: &Layer<'_>) -> Result<Self, Error> {
        let activation = Activation::from_op(layer.op);
        activation.map(|activation| Self::new(activation, layer.isa)).ok_or_else(|| layer.error("it is no activation"))
    }

    /// Applies the function to these elements.
    pub fn apply(&self, data: &mut [f32]) {
        // SAFETY: the instruction set was checked before any kernel was made for it.
        unsafe { (self.function)(data, self.parameter) }
    }
}

impl std::fmt::Debug for ElementWise {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.activation.op())
    }
}

impl Kernel for ElementWise {
    fn in_place(&self) -> bool {
        true
    }

    fn run(&self, call: Call<'_>) {
        self.apply(call.output);
    }
}

/// What a kernel does to its output at the end: an activation, or nothing.
pub(crate) struct Epilogue(Option<ElementWise>);

impl Epilogue {
    pub fn new(activation: Option<Activation>, isa: Isa) -> Self {
        Self(activation.map(|activation| ElementWise::new(activation, isa)))
    }

    /// The least and the largest result, for kernels that apply limits in registers.
    pub fn limits(&self) -> [f32; 2] {
        match self.0.as_ref().map(|function| function.activation) {
            Some(Activation::Relu) => [0.0, f32::INFINITY],
            Some(Activation::Relu6) => [0.0, 6.0],
            _ => [f32::NEG_INFINITY, f32::INFINITY],
        }
    }

    /// What is left to do when the limits are applied.
    pub fn beyond_limits(&self) -> Option<&ElementWise> {
        self.0.as_ref().filter(|function| !matches!(function.activation, Activation::Relu | Activation::Relu6))
    }

    pub fn apply(&self, data: &mut [f32]) {
        if let Some(function) = &self.0 {
            function.apply(data);
        }
    }

    /// Writes a kernel's name with its epilogue: `dense + Relu`.
    pub fn name(&self, kernel: &str, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(kernel)?;
        self.0.as_ref().map_or(Ok(()), |function| write!(f, " + {function:?}"))
    }
}
