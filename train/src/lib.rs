//! Training of networks: the trainer, checkpoints, run folders, metrics and pictures.
//!
//! A [`Trainer`] takes a network, data and a [`Recipe`], and runs:
//!
//! ```
//! use cnn_data::Arrays;
//! use cnn_ir::{Builder, NetworkBuilder, ops::{DenseSpec, FlattenSpec}};
//! use cnn_train::{Recipe, Trainer};
//! use std::sync::Arc;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut network = NetworkBuilder::new("Line");
//! let image = network.input("image", &[1, 1, 2])?;
//! let flat = network.layer("flatten", FlattenSpec::new(), &[&image])?;
//! let logits = network.layer("fc", DenseSpec::new(2, 2), &[&flat])?;
//! network.output("logits", &logits)?;
//!
//! // Forty pictures of two pixels; the class says which one is brighter.
//! let values = (0..40).flat_map(|i| if i % 2 == 0 { [1.0, 0.2] } else { [0.1, 0.8] }).collect();
//! let labels = (0..40).map(|i| i % 2).collect();
//! let data = Arc::new(Arrays::new([1, 1, 2], values, labels, vec!["left".into(), "right".into()])?);
//!
//! let mut recipe = Recipe::default();
//! recipe.set("optimizer", "sgd(momentum = 0.9)")?;
//! recipe.set("rate", "0.1")?;
//! recipe.set("batch", "8")?;
//! recipe.set("epochs", "5")?;
//! recipe.set("validation", "0.2")?;
//!
//! let outcome = Trainer::new(&network.finish()?, data, recipe)?.run()?;
//! assert_eq!(outcome.validation.and_then(|score| score.accuracy), Some(1.0));
//! # Ok(())
//! # }
//! ```
//!
//! [`step`] is the same for a loop of one's own.
//!
//! # What is promised
//! - A run depends on the network, the data and the recipe alone: neither on the number of threads, nor on interruptions. A
//!   run that is resumed from `last.safetensors`, also inside of an epoch, ends with the same bits as one that was not stopped.
//! - A checkpoint is replaced at once. Whenever the process is killed, the file is whole and a state that existed.
//! - A step whose loss or gradients are not finite changes nothing; the run ends with the step named and the last good state
//!   kept.

mod adapters;
mod atomic;
mod checkpoint;
mod description;
mod error;
mod evaluate;
mod events;
mod feed;
mod file;
mod folder;
mod initial;
mod memory;
pub mod metrics;
mod names;
pub mod plot;
mod recipe;
pub mod record;
mod run;
mod trainer;
mod tsne;

pub use adapters::{RecipeLoss, RecipeUpdate, training_options};
pub use checkpoint::{Best, Checkpoint, Evaluation, Progress};
pub use error::Error;
pub use events::{EpochReport, Event, Memory, Score, Start, StepReport};
pub use feed::{Targets, labels, step};
pub use folder::RunFolder;
pub use initial::initial_weights;
pub use metrics::{Confusion, MetricsError};
pub use recipe::{Length, Metric, Per, Recipe};
pub use trainer::{Ended, Outcome, Stop, Trainer};
pub use tsne::{MAX_TSNE_POINTS, TsneError, TsneOptions, tsne};
