//! The batches under way: taken up in order by whichever thread is free, given out in order.

use super::source::{Order, Source, Task, Worker};
use super::{Batch, Position};
use crate::error::Error;
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// The batches under way.
pub(super) struct Queue {
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

impl Queue {
    /// At most `depth` batches are made ready ahead of the caller.
    pub(super) fn new(source: &Source, depth: usize) -> Self {
        let next = source.position(source.options.start);
        let order = Arc::new(source.order(next.map_or(0, |position| position.epoch)));
        let state = State { next, order, had: 0, batches: VecDeque::new(), free: Vec::new(), stop: false };
        Self { state: Mutex::new(state), ready: Condvar::new(), work: Condvar::new(), depth }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends everything: nothing is taken up or given out any more.
    pub(super) fn stop(&self) {
        let mut state = self.lock();
        state.stop = true;
        state.next = None;
        state.batches.clear();
        self.work.notify_all();
    }

    /// Makes batches ready until there are no more or the loader is dropped.
    pub(super) fn serve(&self, source: &Source) {
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

    /// The next batch, made on this thread where there are no others; `None` behind the last.
    pub(super) fn make(&self, used: Batch, source: &Source, worker: &mut Worker) -> Option<Result<Batch, Error>> {
        let mut state = self.lock();
        state.free.push(used);
        let task = state.take(source)?;
        state.batches.clear();
        drop(state);
        Some(source.fill(task, worker))
    }

    /// The next batch in order, when the threads have made it; `None` behind the last.
    pub(super) fn wait(&self, used: Batch) -> Option<Result<Batch, Error>> {
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
        let end = example.saturating_add(source.options.batch_size).min(source.len);
        let number = self.had + self.batches.len();
        self.batches.push_back(None);
        self.next = source.position(Position { epoch, example: end });
        let mut batch = self.free.pop().unwrap_or_default();
        batch.epoch = epoch;
        batch.next = source.normal(Position { epoch, example: end });
        Some(Task { number, begin: example, end, order: Arc::clone(&self.order), batch })
    }
}
