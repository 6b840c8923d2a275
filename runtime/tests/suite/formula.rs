//! Weights and inputs that any language can repeat, as the golden values were made with.
//!
//! value(key, i) = 2u − 1 with u = the top 24 bits of splitmix64(fnv1a64(key) + i), over 2²⁴.

use cnn_runtime::{LayerGraph, Tensor, Weights};

/// The first `n` values of a key.
pub fn values(key: &str, n: usize) -> Vec<f64> {
    let start =
        key.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |h, byte| (h ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
    (0..n as u64).map(|i| (splitmix64(start.wrapping_add(i)) >> 40) as f64 / (1 << 24) as f64 * 2.0 - 1.0).collect()
}

fn splitmix64(state: u64) -> u64 {
    let z = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A parameter of the `layer`-th layer that owns any: weights within √(3 / fan-in), biases within 0.1.
pub fn parameter(layer: usize, kind: &str, shape: &[usize]) -> Vec<f32> {
    let scale = match kind {
        "weight" => (3.0 / shape[1..].iter().product::<usize>() as f64).sqrt(),
        _ => 0.1,
    };
    let values = values(&format!("{layer}.{kind}"), shape.iter().product());
    values.iter().map(|value| (value * scale) as f32).collect()
}

/// All weights of a network.
pub fn weights(graph: &LayerGraph) -> Weights {
    let (mut layers, mut owner) = (0, None);
    let tensors = graph.parameters().iter().map(|tensor| {
        let (path, kind) = tensor.name.rsplit_once('.').unwrap();
        if owner.replace(path).is_some_and(|last| last != path) {
            layers += 1;
        }
        (tensor.name.clone(), Tensor::new(&tensor.shape, parameter(layers, kind, &tensor.shape)).unwrap())
    });
    Weights::from_tensors(tensors).unwrap()
}

/// An input, batch first.
pub fn input(shape: &[usize]) -> Tensor {
    let values = values("input", shape.iter().product());
    Tensor::new(shape, values.iter().map(|value| *value as f32).collect()).unwrap()
}
