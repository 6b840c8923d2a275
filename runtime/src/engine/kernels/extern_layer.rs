//! A layer implemented outside of the engine.

use super::{Call, Kernel};
use crate::Error;
use crate::engine::select::Layer;
use cnn_ir::ops::{ExternLayer, ExternSpec};
use std::fmt;
use std::sync::Arc;

/// Hands each example to the layer's own code.
pub(crate) struct Extern {
    name: String,
    shape: Vec<usize>,
    layer: Arc<dyn ExternLayer>,
}

impl Extern {
    pub fn new(spec: &ExternSpec, layer: &Layer<'_>) -> Result<Self, Error> {
        let implementation = crate::graph::extern_layer(layer.path, spec)?;
        Ok(Self { name: spec.name.clone(), shape: layer.input.to_vec(), layer: implementation.clone() })
    }
}

impl Kernel for Extern {
    fn run(&self, call: Call<'_>) {
        for (input, output) in call.examples().0 {
            self.layer.forward(&self.shape, input, output);
        }
    }
}

impl fmt::Debug for Extern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "extern {}", self.name)
    }
}
