//! Weights that ship with cnn. Their origin is told in `models/weights/README.md`.

use cnn::{Error, Weights};

/// The bytes of `lenet.safetensors`: LeNet trained on Fashion-MNIST.
pub const LENET: &[u8] = include_bytes!("../weights/lenet.safetensors");

/// [`LENET`], loaded.
///
/// # Errors
/// None but for damage to the bytes above.
pub fn lenet() -> Result<Weights, Error> {
    Weights::from_bytes(LENET)
}
