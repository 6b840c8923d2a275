//! The golden formula (`tests/src/formula.rs`), as tensors and weights.

#[path = "../../../tests/src/formula.rs"]
mod plain;

use cnn_runtime::{LayerGraph, Tensor, Weights};
pub use plain::values;

/// A parameter of the `layer`-th layer that owns any.
pub fn parameter(layer: usize, kind: &str, shape: &[usize]) -> Vec<f32> {
    plain::tensor(&format!("{layer}.{kind}"), kind, shape)
}

/// All weights of a network.
pub fn weights(graph: &LayerGraph) -> Weights {
    let list = graph.parameters().iter().map(|tensor| (tensor.name.as_str(), tensor.shape.as_slice()));
    let tensors = plain::parameters(list).into_iter();
    Weights::from_tensors(tensors.map(|(name, shape, data)| (name.to_owned(), Tensor::new(shape, data).unwrap())))
        .unwrap()
}

/// An input, batch first.
pub fn input(shape: &[usize]) -> Tensor {
    Tensor::new(shape, plain::input(shape)).unwrap()
}
