//! How much memory a network takes.

use crate::{Network, Parameter};

/// Bytes of an element; everything is f32.
const ELEMENT: u64 = 4;

/// The memory that one example takes, in bytes, everything being f32.
///
/// While a layer runs, what it takes, what it makes, and every value that a later layer or an output still needs are in
/// memory; inputs count from the beginning, and what exists in training only does not count. Nothing is computed in place and kernels need nothing of their own, so an
/// engine may do with less, or take more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Memory {
    /// Parameters and buffers; not per example.
    pub weights: u64,
    /// Values in memory at once, at most.
    pub peak: u64,
    /// The layer that runs then; the first one of several.
    pub peak_layer: Option<usize>,
    /// All values together, as when training keeps them.
    pub activations: u64,
}

impl Memory {
    /// Weights and peak together: what `memory` is in the language.
    pub fn total(&self) -> u64 {
        self.weights.saturating_add(self.peak)
    }
}

impl Network {
    /// The bytes of what a layer makes of one example.
    pub fn activation_bytes(&self, layer: usize) -> u64 {
        ELEMENT.saturating_mul(self.layers[layer].shape.elements() as u64)
    }

    /// The memory that one example takes; see [`Memory`].
    ///
    /// ```
    /// # use cnn_ir::{Builder, NetworkBuilder, ops::{DenseSpec, ReluSpec}};
    /// # fn main() -> Result<(), cnn_ir::BuildError> {
    /// let mut net = NetworkBuilder::new("Tiny");
    /// let x = net.input("x", &[100])?;
    /// let dense = net.layer("dense", DenseSpec::new(100, 10), &[&x])?;
    /// let relu = net.layer("relu", ReluSpec::new(), &[&dense])?;
    /// net.output("y", &relu)?;
    /// let memory = net.finish()?.memory();
    /// assert_eq!(memory.weights, 4 * (100 * 10 + 10));
    /// assert_eq!((memory.peak, memory.peak_layer), (4 * (100 + 10), Some(0)));
    /// # Ok(())
    /// # }
    /// ```
    pub fn memory(&self) -> Memory {
        let bytes = |value: usize| match value.checked_sub(self.inputs.len()) {
            None => ELEMENT.saturating_mul(self.inputs[value].shape.elements() as u64),
            Some(layer) => self.activation_bytes(layer),
        };
        // The layer after which a value is no longer needed; outputs are needed to the end.
        let mut last_use: Vec<usize> = (0..self.inputs.len()).map(|_| 0).chain(0..self.layers.len()).collect();
        for (index, layer) in self.layers.iter().enumerate().filter(|(_, layer)| !layer.train_only) {
            layer.inputs.iter().for_each(|value| last_use[value.index()] = index);
        }
        let outputs = self.outputs.iter().filter(|output| !output.train_only);
        outputs.for_each(|output| last_use[output.value.index()] = self.layers.len());
        let mut ending: Vec<Vec<usize>> = vec![Vec::new(); self.layers.len() + 1];
        last_use.iter().enumerate().for_each(|(value, &layer)| ending[layer].push(value));

        let elements = |parameter: &Parameter| parameter.shape.iter().fold(1, |n: u64, &d| n.saturating_mul(d as u64));
        let held = self.parameters().into_iter().filter(|parameter| !self.layers[parameter.layer].train_only);
        let weights = held.map(|parameter| elements(&parameter)).fold(0, u64::saturating_add).saturating_mul(ELEMENT);
        let mut live = (0..self.inputs.len()).map(bytes).fold(0, u64::saturating_add);
        let mut memory = Memory { weights, peak: live, peak_layer: None, activations: live };
        let layers = ending.iter().enumerate().take(self.layers.len());
        for (layer, ended) in layers.filter(|(layer, _)| !self.layers[*layer].train_only) {
            let made = self.activation_bytes(layer);
            live = live.saturating_add(made);
            memory.activations = memory.activations.saturating_add(made);
            if live > memory.peak {
                (memory.peak, memory.peak_layer) = (live, Some(layer));
            }
            live = ended.iter().fold(live, |live, &value| live.saturating_sub(bytes(value)));
        }
        memory
    }
}
