//! Batches, made ready in the background.

use crate::dataset::Dataset;
use crate::error::Error;
use crate::picture::{Picture, elements};
use crate::random::Random;
use crate::transforms::{Pipeline, Scratch};
use std::any::Any;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

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

/// What every thread reads.
struct Source {
    dataset: Arc<dyn Dataset>,
    pipeline: Pipeline,
    options: LoaderOptions,
    /// The number of examples in the dataset.
    len: usize,
    shape: [usize; 3],
}

/// What one thread works in.
#[derive(Default)]
struct Worker {
    picture: Picture,
    scratch: Scratch,
}

/// The batches under way.
struct Queue {
    state: Mutex<State>,
    /// For the caller: the next batch may be ready.
    ready: Condvar,
    /// For the threads: there may be work, or the end.
    work: Condvar,
    /// The most batches that are ready or under way.
    depth: usize,
}

struct State {
    /// Where the next batch begins that nobody has taken up; `None` behind the last one.
    next: Option<Position>,
    /// The order of the epoch of `next`.
    order: Arc<Order>,
    /// The number of batches that the caller has had.
    had: usize,
    /// The batches behind those, in order; `None` while one is under way.
    batches: VecDeque<Option<Result<Batch, Error>>>,
    /// Batches whose memory is used again.
    free: Vec<Batch>,
    /// Whether the threads are to stop.
    stop: bool,
}

/// The order of one epoch.
struct Order {
    epoch: usize,
    /// `None` is the dataset's own order.
    indices: Option<Vec<usize>>,
}

/// A batch to make ready.
struct Task {
    number: usize,
    begin: usize,
    end: usize,
    order: Arc<Order>,
    batch: Batch,
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
        let next = source.position(source.options.start);
        let order = Arc::new(source.order(next.map_or(0, |position| position.epoch)));
        let state = State { next, order, had: 0, batches: VecDeque::new(), free: Vec::new(), stop: false };
        // Each thread has one batch under way, and two more may wait.
        let (ready, work, depth) = (Condvar::new(), Condvar::new(), workers + 2);
        let queue = Arc::new(Queue { state: Mutex::new(state), ready, work, depth });
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
        self.source.epoch_len().div_ceil(self.source.options.batch_size)
    }

    /// Replaces `batch` by the next one, whose memory it takes in return; `false` behind the last.
    ///
    /// # Errors
    ///
    /// [`Error::Example`] with the example named when one cannot be loaded; that is then the end.
    pub fn load(&mut self, batch: &mut Batch) -> Result<bool, Error> {
        let used = std::mem::take(batch);
        let next = if self.threads.is_empty() {
            self.queue.lock().free.push(used);
            let task = self.queue.lock().take(&self.source);
            let result = task.map(|task| self.source.fill(task, &mut self.worker));
            self.queue.lock().batches.clear();
            result
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

impl Queue {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stop(&self) {
        let mut state = self.lock();
        state.stop = true;
        state.next = None;
        state.batches.clear();
        self.work.notify_all();
    }

    /// Makes batches ready until there are no more or the loader is dropped.
    fn serve(&self, source: &Source) {
        let mut worker = Worker::default();
        let mut state = self.lock();
        loop {
            if state.stop || state.next.is_none() {
                return;
            }
            if state.batches.len() >= self.depth {
                state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            let Some(task) = state.take(source) else { return };
            drop(state);
            let number = task.number;
            let result = source.fill(task, &mut worker);
            state = self.lock();
            let place = number.checked_sub(state.had);
            if let Some(batch) = place.and_then(|place| state.batches.get_mut(place)) {
                *batch = Some(result);
                self.ready.notify_one();
            }
        }
    }

    /// The next batch in order; `None` behind the last.
    fn wait(&self, used: Batch) -> Option<Result<Batch, Error>> {
        let mut state = self.lock();
        state.free.push(used);
        loop {
            if state.stop || (state.batches.is_empty() && state.next.is_none()) {
                return None;
            }
            if let Some(batch) = state.batches.front_mut().and_then(Option::take) {
                state.batches.pop_front();
                state.had += 1;
                self.work.notify_one();
                return Some(batch);
            }
            state = self.ready.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl State {
    /// Takes up the next batch.
    fn take(&mut self, source: &Source) -> Option<Task> {
        let Position { epoch, example } = self.next?;
        if self.order.epoch != epoch {
            self.order = Arc::new(source.order(epoch));
        }
        let end = example.saturating_add(source.options.batch_size).min(source.epoch_len());
        let number = self.had + self.batches.len();
        self.batches.push_back(None);
        self.next = source.position(Position { epoch, example: end });
        let mut batch = self.free.pop().unwrap_or_default();
        batch.epoch = epoch;
        batch.next = source.normal(Position { epoch, example: end });
        Some(Task { number, begin: example, end, order: Arc::clone(&self.order), batch })
    }
}

impl Source {
    /// The number of examples in an epoch, without those that are left out at its end.
    fn epoch_len(&self) -> usize {
        let Self { len, options: LoaderOptions { batch_size, drop_last, .. }, .. } = *self;
        if drop_last { len - len % batch_size } else { len }
    }

    /// The position with an epoch's end as the next one's start.
    fn normal(&self, position: Position) -> Position {
        let Position { epoch, example } = position;
        let LoaderOptions { batch_size, drop_last, .. } = self.options;
        let rest = self.len.saturating_sub(example);
        let ended = rest == 0 || (drop_last && rest < batch_size);
        if ended { Position { epoch: epoch.saturating_add(1), example: 0 } } else { position }
    }

    /// Where the batch at a position begins; `None` behind the last epoch.
    fn position(&self, position: Position) -> Option<Position> {
        Some(self.normal(position)).filter(|position| position.epoch < self.options.epochs)
    }

    fn order(&self, epoch: usize) -> Order {
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
    fn fill(&self, task: Task, worker: &mut Worker) -> Result<Batch, Error> {
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

fn check(dataset: &dyn Dataset, options: &LoaderOptions) -> Result<(), Error> {
    let LoaderOptions { batch_size, drop_last, start, workers, .. } = *options;
    let len = dataset.len();
    if len == 0 {
        return Err(Error::option("the number of examples", 0, "there must be at least one"));
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

/// More threads than this are a mistake.
const MAX_WORKERS: usize = 256;

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("for no reason given").into()
}

#[cfg(test)]
mod tests;
