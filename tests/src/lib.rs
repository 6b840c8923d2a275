//! What the workspace's tests share: shipped models, the formula behind the golden values, and random models.

pub mod formula;
pub mod random;

use cnn::{Error, Network, Tensor};
use cnn_dsl::Settings;
use std::path::{Path, PathBuf};

/// The workspace's folder.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// A shipped model, interpreted; `None` when there is none in the file, or the file has errors.
pub fn network(file: &str, model: &str) -> Option<Network> {
    let sources = cnn_codegen::read_source(&root().join("models").join(file), file).ok()?.sources;
    let compilation = cnn_dsl::compile(&sources, &Settings::default());
    let is_clean = compilation.diagnostics.is_empty();
    compilation.models.into_iter().find(|network| is_clean && network.name == model)
}

/// The golden input.
///
/// # Errors
/// A shape with too many elements.
pub fn golden_input(shape: &[usize]) -> Result<Tensor, Error> {
    Tensor::new(shape, formula::input(shape))
}
