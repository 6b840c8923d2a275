//! Labelled pictures for networks: where they come from, what happens to them, and batches made ready in the background.
//!
//! - A [`Dataset`] gives pictures and labels by number. There are [`fashion_mnist`], [`mnist`], [`cifar10`] and [`cifar100`],
//!   [`idx`] files, a [`Folder`] of pictures for each class, [`Arrays`] and [`Bytes`] from the program's own memory, and
//!   whatever implements the trait. [`split`] holds a part back for validation.
//! - A [`Pipeline`] of [`transforms`] augments and normalises pictures. It has a form as text for command lines and files,
//!   and [`Pipeline::evaluation`] is what prediction repeats.
//! - A [`Loader`] gives [`Batch`]es of N×C×H×W values, epoch after epoch, while its threads make the next ones ready.
//!
//! Everything is fixed by the seed: the order of an epoch depends on (seed, epoch), the augmentation of an example on (seed,
//! epoch, index), and neither on the number of threads. The generator is the crate's own ([`Random`]), so that this stays so.
//!
//! Every [`Error`] names the file, example or transform and says what to do.
//!
//! ```
//! use cnn_data::{Arrays, Batch, Loader, LoaderOptions, Pipeline, split};
//! use std::sync::Arc;
//!
//! // Ten grey pictures of 4×4, five of each class.
//! let values = (0..10 * 16).map(|value| (value % 16) as f32 / 16.0).collect();
//! let labels = (0..10).map(|example| example % 2).collect();
//! let data = Arrays::new([1, 4, 4], values, labels, vec!["even".into(), "odd".into()])?;
//! let (training, validation) = split(Arc::new(data), 0.2, 1)?;
//!
//! let pipeline: Pipeline = "random_crop(4, padding = 1) -> horizontal_flip(0.5) -> normalize(0.5, 0.25)".parse()?;
//! let options = LoaderOptions { batch_size: 3, shuffle: true, seed: 1, ..LoaderOptions::default() };
//! let mut loader = Loader::new(Arc::new(training), pipeline.clone(), options)?;
//! assert_eq!(loader.shape(), [1, 4, 4]);
//!
//! let mut batch = Batch::default();
//! while loader.load(&mut batch)? {
//!     assert_eq!(batch.values.len(), batch.labels.len() * 16);
//! }
//!
//! // Evaluation leaves out what is random.
//! let pipeline = pipeline.evaluation();
//! assert_eq!(pipeline.to_string(), "center_crop(4) -> normalize(0.5, 0.25)");
//! let mut loader = Loader::new(Arc::new(validation), pipeline, LoaderOptions::default())?;
//! assert!(loader.load(&mut batch)? && batch.indices == [0, 1]);
//! # Ok::<(), cnn_data::Error>(())
//! ```
//!
//! This crate knows no networks and no engine.

#![deny(missing_docs)]

mod dataset;
mod error;
mod loader;
mod picture;
mod random;
mod sources;
pub mod transforms;

pub use dataset::{Dataset, Subset, split};
pub use error::Error;
pub use loader::{Batch, Loader, LoaderOptions, MAX_WORKERS, Position};
pub use picture::{MAX_PIXELS, MAX_SIDE, Picture};
pub use random::Random;
pub use sources::{
    Arrays, BadPicture, Bytes, Cifar100Labels, FASHION_MNIST_CLASSES, FASHION_MNIST_FOLDER, Folder, FolderOptions,
    Part, cifar10, cifar100, fashion_mnist, idx, mnist, read_picture,
};
pub use transforms::{Pipeline, Transform};
