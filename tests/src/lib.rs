//! What the workspace's tests share: the formula behind the golden values.

pub mod formula;

use cnn::{Error, Tensor, Weights};

/// The golden weights of a network, from the list of its parameters' names and shapes.
///
/// # Errors
/// A parameter with too many elements.
pub fn golden_weights(parameters: &[(&str, &[usize])]) -> Result<Weights, Error> {
    let tensors = formula::parameters(parameters.iter().copied())
        .into_iter()
        .map(|(name, shape, data)| Ok((name.to_owned(), Tensor::new(shape, data)?)));
    Weights::from_tensors(tensors.collect::<Result<Vec<_>, Error>>()?)
}

/// The golden input.
///
/// # Errors
/// A shape with too many elements.
pub fn golden_input(shape: &[usize]) -> Result<Tensor, Error> {
    Tensor::new(shape, formula::input(shape))
}
