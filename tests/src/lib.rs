//! What the workspace's tests share: the formula behind the golden values, and random models.

pub mod formula;
pub mod random;

use cnn::{Error, Tensor};

/// The golden input.
///
/// # Errors
/// A shape with too many elements.
pub fn golden_input(shape: &[usize]) -> Result<Tensor, Error> {
    Tensor::new(shape, formula::input(shape))
}
