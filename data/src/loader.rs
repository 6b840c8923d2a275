//! Batches, made ready in the background.

mod queue;
mod source;

use crate::dataset::Dataset;
use crate::error::Error;
use crate::transforms::Pipeline;
use queue::Queue;
use source::{Source, Worker};
use std::mem::take;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

/// More threads than this are a mistake.
pub const MAX_WORKERS: usize = 256;

/// A place in a run over a dataset: what a checkpoint keeps to go on from there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Epochs before it.
    pub epoch: usize,
    /// Examples of this epoch before it.
    pub example: usize,
}

/// How batches are made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoaderOptions {
    /// Examples in a batch.
    pub batch_size: usize,
    /// What order and augmentation depend on, beside epoch and example.
    pub seed: u64,
    /// Whether every epoch has an order of its own; otherwise it is the dataset's.
    pub shuffle: bool,
    /// Whether the last batch of an epoch is left out when it is not full.
    pub drop_last: bool,
    /// Threads that make batches ready; with 0 the caller's does it. The batches are the same for every number.
    pub workers: usize,
    /// Where to begin: at the start, or where an earlier run stopped.
    pub start: Position,
    /// The number of the epoch before which to stop.
    pub epochs: usize,
}

impl Default for LoaderOptions {
    /// One epoch of 64 examples a batch, not shuffled, made ready on one thread.
    fn default() -> Self {
        Self {
            batch_size: 64,
            seed: 0,
            shuffle: false,
            drop_last: false,
            workers: 1,
            start: Position::default(),
            epochs: 1,
        }
    }
}

/// Some examples, ready for a network.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Batch {
    /// The pictures one after the other: N×C×H×W values.
    pub values: Vec<f32>,
    /// The label of each.
    pub labels: Vec<usize>,
    /// The number of each in the dataset.
    pub indices: Vec<usize>,
    /// The epoch it belongs to.
    pub epoch: usize,
    /// What follows it: `next.epoch` differs from `epoch` when it is an epoch's last one.
    pub next: Position,
}

/// Gives the batches of a dataset, epoch after epoch, while threads make the next few ready.
///
/// What is in which batch depends on the seed, the epoch and the position in it alone. Dropping the loader stops its
/// threads.
///
/// ```
/// use cnn_data::{Arrays, Batch, Loader, LoaderOptions, Pipeline};
/// use std::sync::Arc;
///
/// let data = Arrays::new([1, 1, 2], vec![0.0; 6], vec![0, 1, 0], vec!["cat".into(), "dog".into()])?;
/// let options = LoaderOptions { batch_size: 2, shuffle: true, seed: 7, epochs: 3, ..LoaderOptions::default() };
/// let mut loader = Loader::new(Arc::new(data), Pipeline::default(), options)?;
/// let (mut batch, mut sizes) = (Batch::default(), Vec::new());
/// while loader.load(&mut batch)? {
///     sizes.push(batch.labels.len());
/// }
/// assert_eq!(sizes, [2, 1, 2, 1, 2, 1]);
/// # Ok::<(), cnn_data::Error>(())
/// ```
pub struct Loader {
    source: Arc<Source>,
    queue: Arc<Queue>,
    threads: Vec<JoinHandle<()>>,
    worker: Worker,
}

impl Loader {
    /// A loader of the whole dataset.
    ///
    /// The shape of what comes out is checked before the first picture is loaded; when the dataset's pictures differ in
    /// size, it is that of the first one, which is read for it.
    ///
    /// # Errors
    ///
    /// [`Error::Option`] when there is nothing to load or an option makes no sense, [`Error::Transform`] when the pipeline
    /// cannot take the pictures, [`Error::OutOfMemory`] when a batch is too large, [`Error::Thread`] when the system gives
    /// no threads.
    pub fn new(dataset: Arc<dyn Dataset>, pipeline: Pipeline, options: LoaderOptions) -> Result<Self, Error> {
        check(&*dataset, &options)?;
        let mut worker = Worker::default();
        let shape = match dataset.shape() {
            Some(shape) => pipeline.shape(shape)?,
            None => {
                let name = || dataset.name(0);
                dataset.read(0, &mut worker.picture).map_err(|error| error.of_example(name))?;
                pipeline.shape(worker.picture.shape()).map_err(|error| error.of_example(name))?
            }
        };
        let workers = options.workers;
        let len = dataset.len();
        let source = Arc::new(Source { dataset, pipeline, options, len, shape });
        // Each thread has one batch under way, and two more may wait.
        let queue = Arc::new(Queue::new(&source, workers + 2));
        let mut loader = Self { source, queue, threads: Vec::new(), worker };
        for number in 0..workers {
            let (source, queue) = (Arc::clone(&loader.source), Arc::clone(&loader.queue));
            let thread = thread::Builder::new().name(format!("cnn-loader-{number}"));
            let thread = thread.spawn(move || queue.serve(&source)).map_err(|source| Error::Thread { source })?;
            loader.threads.push(thread);
        }
        Ok(loader)
    }

    /// Channels, height and width of every picture in the batches.
    pub fn shape(&self) -> [usize; 3] {
        self.source.shape
    }

    /// The number of batches in a whole epoch.
    pub fn batches_per_epoch(&self) -> usize {
        let Source { len, options: LoaderOptions { batch_size, drop_last, .. }, .. } = *self.source;
        if drop_last { len / batch_size } else { len.div_ceil(batch_size) }
    }

    /// Replaces `batch` by the next one, whose memory it takes in return; `false` behind the last.
    ///
    /// # Errors
    ///
    /// [`Error::Example`] with the example named when one cannot be loaded; that is then the end.
    pub fn load(&mut self, batch: &mut Batch) -> Result<bool, Error> {
        let used = take(batch);
        let next = if self.threads.is_empty() {
            self.queue.make(used, &self.source, &mut self.worker)
        } else {
            self.queue.wait(used)
        };
        match next {
            None => Ok(false),
            Some(Ok(next)) => {
                *batch = next;
                Ok(true)
            }
            Some(Err(error)) => {
                self.queue.stop();
                Err(error)
            }
        }
    }
}

impl Drop for Loader {
    fn drop(&mut self) {
        self.queue.stop();
        for thread in self.threads.drain(..) {
            // What a thread panics with has been given to the caller as an error.
            let _ = thread.join();
        }
    }
}

fn check(dataset: &dyn Dataset, options: &LoaderOptions) -> Result<(), Error> {
    let LoaderOptions { batch_size, drop_last, start, workers, .. } = *options;
    let len = dataset.len();
    if len == 0 {
        return Err(Error::array("the dataset has no examples", "give it at least one"));
    }
    if batch_size == 0 {
        return Err(Error::option("the batch size", batch_size, "it is at least 1"));
    }
    if drop_last && batch_size > len {
        let remedy = format!("of {len} examples no batch is full: make it smaller, or keep the last batch");
        return Err(Error::option("the batch size", batch_size, remedy));
    }
    if start.example > len {
        let remedy = format!("an epoch has {len} examples; the run that stopped there had other data");
        return Err(Error::option("the position to begin at", start.example, remedy));
    }
    if workers > MAX_WORKERS {
        return Err(Error::option("the number of workers", workers, format!("it is at most {MAX_WORKERS}")));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
