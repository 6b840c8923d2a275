//! The memory of a network's runs, planned without its weights.

use crate::engine::collapse;
use crate::{CompileOptions, Error, Isa, LayerGraph, Weights};

/// The memory that a run takes besides the weights and the inputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arena {
    /// The instruction set that it was planned for.
    pub isa: Isa,
    /// The number of threads that it was planned for.
    pub threads: usize,
    /// Bytes for the values between layers, the outputs and the kernels' scratch memory; a
    /// [`Session`](crate::Session)'s `arena_bytes`.
    pub bytes: usize,
    /// Bytes of all values that steps make, if each had memory of its own.
    pub value_bytes: usize,
}

impl Arena {
    /// Plans a network's memory for a batch. Weights are neither needed nor packed, so it takes milliseconds.
    ///
    /// # Errors
    /// Those of [`Session::new`](crate::Session::new), weights apart.
    ///
    /// ```
    /// use cnn_ir::{Builder, ops::{DenseSpec, ReluSpec}};
    /// use cnn_runtime::{Arena, CompileOptions, LuminalBuilder};
    ///
    /// # fn main() -> Result<(), cnn_runtime::Error> {
    /// let mut network = LuminalBuilder::new();
    /// let x = network.input("x", &[64])?;
    /// let y = network.layer("hidden", DenseSpec::new(64, 256), &[&x])?;
    /// let y = network.layer("relu", ReluSpec::new(), &[&y])?;
    /// let y = network.layer("out", DenseSpec::new(256, 16), &[&y])?;
    /// network.output("y", &y)?;
    /// let arena = Arena::plan(network.finish()?, &CompileOptions::default(), 8)?;
    /// assert_eq!(arena.value_bytes, 8 * (256 + 16) * 4);
    /// # Ok(())
    /// # }
    /// ```
    pub fn plan(mut graph: LayerGraph, options: &CompileOptions, batch: usize) -> Result<Self, Error> {
        let threads = options.threads()?;
        let target = options.target(&threads)?;
        options.passes()?.run(&mut graph)?;
        let parameters = graph.parameters().to_vec();
        let shapes = parameters.iter().map(|tensor| (tensor.name.as_str(), tensor.shape.as_slice()));
        let program = collapse(&mut graph, &Weights::of_shapes(shapes)?, &target, &threads)?;
        Ok(Self {
            isa: target.isa,
            threads: threads.count(),
            bytes: program.arena_bytes(batch, threads.count()),
            value_bytes: program.value_bytes(batch),
        })
    }
}
