//! What goes into a batch, and the making of it.

use super::{Batch, LoaderOptions, Position};
use crate::dataset::Dataset;
use crate::error::Error;
use crate::picture::{Picture, elements};
use crate::random::Random;
use crate::transforms::{Pipeline, Scratch};
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// What every thread reads.
pub(super) struct Source {
    pub(super) dataset: Arc<dyn Dataset>,
    pub(super) pipeline: Pipeline,
    pub(super) options: LoaderOptions,
    /// The number of examples in the dataset.
    pub(super) len: usize,
    pub(super) shape: [usize; 3],
}

/// What one thread works in.
#[derive(Default)]
pub(super) struct Worker {
    pub(super) picture: Picture,
    scratch: Scratch,
}

/// The order of one epoch.
pub(super) struct Order {
    pub(super) epoch: usize,
    /// `None` is the dataset's own order.
    indices: Option<Vec<usize>>,
}

/// A batch to make ready.
pub(super) struct Task {
    pub(super) number: usize,
    pub(super) begin: usize,
    pub(super) end: usize,
    pub(super) order: Arc<Order>,
    pub(super) batch: Batch,
}

impl Source {
    /// The position with an epoch's end as the next one's start.
    pub(super) fn normal(&self, position: Position) -> Position {
        let Position { epoch, example } = position;
        let LoaderOptions { batch_size, drop_last, .. } = self.options;
        let rest = self.len.saturating_sub(example);
        let ended = rest == 0 || (drop_last && rest < batch_size);
        if ended { Position { epoch: epoch.saturating_add(1), example: 0 } } else { position }
    }

    /// Where the batch at a position begins; `None` behind the last epoch.
    pub(super) fn position(&self, position: Position) -> Option<Position> {
        Some(self.normal(position)).filter(|position| position.epoch < self.options.epochs)
    }

    pub(super) fn order(&self, epoch: usize) -> Order {
        let LoaderOptions { seed, shuffle, .. } = self.options;
        let indices = shuffle.then(|| {
            let mut indices: Vec<usize> = (0..self.len).collect();
            // No example has this number.
            Random::of(seed, epoch as u64, u64::MAX).shuffle(&mut indices);
            indices
        });
        Order { epoch, indices }
    }

    /// Makes a batch ready; a panic of the dataset is an error.
    pub(super) fn fill(&self, task: Task, worker: &mut Worker) -> Result<Batch, Error> {
        catch_unwind(AssertUnwindSafe(|| self.try_fill(task, worker)))
            .unwrap_or_else(|panic| Err(Error::Panic { message: message(&*panic) }))
    }

    fn try_fill(&self, task: Task, worker: &mut Worker) -> Result<Batch, Error> {
        let Task { begin, end, order, mut batch, .. } = task;
        batch.values.clear();
        batch.labels.clear();
        batch.indices.clear();
        let size = (end - begin).saturating_mul(elements(self.shape));
        let bytes = size.saturating_mul(size_of::<f32>());
        batch.values.try_reserve_exact(size).map_err(|_| Error::OutOfMemory { what: "a batch", bytes })?;
        for place in begin..end {
            let index = order.indices.as_ref().map_or(place, |indices| indices[place]);
            let label = self.load(order.epoch, index, worker);
            batch.labels.push(label.map_err(|error| error.of_example(|| self.dataset.name(index)))?);
            batch.values.extend_from_slice(&worker.picture.values);
            batch.indices.push(index);
        }
        Ok(batch)
    }

    /// Reads and transforms one picture, and gives its label.
    fn load(&self, epoch: usize, index: usize, worker: &mut Worker) -> Result<usize, Error> {
        let Worker { picture, scratch } = worker;
        let label = self.dataset.read(index, picture)?;
        let classes = self.dataset.classes().len();
        if label >= classes {
            return Err(Error::Label { label, classes });
        }
        let mut random = Random::of(self.options.seed, epoch as u64, index as u64);
        self.pipeline.apply(picture, &mut random, scratch)?;
        if picture.shape() != self.shape {
            return Err(Error::PictureSize { expected: self.shape, found: picture.shape() });
        }
        // Without a way out of the loop it is vectorised: all values are looked at, in less time than it takes to copy them.
        if picture.values.iter().fold(false, |bad, value| bad | !value.is_finite()) {
            return Err(Error::array(
                "a value of the picture is NaN or infinite after the transforms",
                "correct the data, or the numbers of `normalize`",
            ));
        }
        Ok(label)
    }
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("for no reason given").into()
}
