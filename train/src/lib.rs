//! Training of networks: the trainer, checkpoints, run folders, metrics and pictures.

pub mod metrics;
mod names;
pub mod plot;
pub mod record;
mod tsne;

pub use metrics::{Confusion, MetricsError};
pub use tsne::{MAX_TSNE_POINTS, TsneError, TsneOptions, tsne};
