//! The `.cnn` texts.

/// `lenet.cnn`.
pub const LENET: &str = include_str!("../lenet.cnn");
