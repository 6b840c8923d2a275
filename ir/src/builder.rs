//! The calls that make a network.

use crate::{Fault, Op};

/// The calls that make a network. Generated code and [`Network::replay`](crate::Network::replay) make the same ones.
pub trait Builder {
    /// A value: an input, or what a layer makes.
    type Value: Clone;

    /// Declares an input of this shape, without the batch.
    ///
    /// # Errors
    /// A shape that is none.
    fn input(&mut self, name: &str, shape: &[usize]) -> Result<Self::Value, BuildError>;

    /// Applies an op to values; `name` is the label or position within the current block.
    ///
    /// # Errors
    /// Inputs the op cannot take.
    fn layer(&mut self, name: &str, op: impl Into<Op>, inputs: &[&Self::Value]) -> Result<Self::Value, BuildError>;

    /// Applies an earlier layer again, with its parameters: the one named `of` in this block or the nearest around it.
    ///
    /// # Errors
    /// No such layer; one whose parameters have other shapes; inputs the op cannot take.
    fn share_layer(
        &mut self,
        name: &str,
        of: &str,
        op: impl Into<Op>,
        inputs: &[&Self::Value],
    ) -> Result<Self::Value, BuildError>;

    /// Enters an instance of a block.
    fn begin_block(&mut self, name: &str, definition: &str);

    /// Enters an earlier instance again, named `of` in this block or the nearest around it: the same layers follow, and
    /// have its parameters.
    ///
    /// # Errors
    /// No such instance.
    fn begin_shared_block(&mut self, name: &str, of: &str, definition: &str) -> Result<(), BuildError>;

    /// Leaves the current block instance.
    fn end_block(&mut self);

    /// From here on layers and outputs exist in training only.
    fn begin_train_only(&mut self);

    /// The end of what exists in training only.
    fn end_train_only(&mut self);

    /// Declares an output.
    ///
    /// # Errors
    /// A name already taken.
    fn output(&mut self, name: &str, value: &Self::Value) -> Result<(), BuildError>;

    /// An instance of a block, with what `body` makes in it.
    ///
    /// # Errors
    /// Those of `body`.
    fn block<T>(
        &mut self,
        name: &str,
        definition: &str,
        body: impl FnOnce(&mut Self) -> Result<T, BuildError>,
    ) -> Result<T, BuildError> {
        self.begin_block(name, definition);
        let made = body(self)?;
        self.end_block();
        Ok(made)
    }

    /// An earlier instance again; see [`Builder::begin_shared_block`].
    ///
    /// # Errors
    /// No such instance, and the errors of `body`.
    fn share_block<T>(
        &mut self,
        name: &str,
        of: &str,
        definition: &str,
        body: impl FnOnce(&mut Self) -> Result<T, BuildError>,
    ) -> Result<T, BuildError> {
        self.begin_shared_block(name, of, definition)?;
        let made = body(self)?;
        self.end_block();
        Ok(made)
    }

    /// Layers and outputs that exist in training only.
    ///
    /// # Errors
    /// Those of `body`.
    fn train_only<T>(&mut self, body: impl FnOnce(&mut Self) -> Result<T, BuildError>) -> Result<T, BuildError> {
        self.begin_train_only();
        let made = body(self)?;
        self.end_train_only();
        Ok(made)
    }
}

/// A builder's refusal: which layer, and why.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{path}: {fault}")]
pub struct BuildError {
    /// The layer's full name.
    pub path: String,
    /// Why.
    pub fault: Fault,
}
