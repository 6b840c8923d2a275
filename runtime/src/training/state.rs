//! What training keeps from step to step: parameters, their gradients, the optimizer's state, running statistics.

use crate::Error;
use crate::buffer::Buffer;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Memory that the kernels of one training program share. Kernels run one after the other, so what one writes the next
/// ones read; within a kernel, threads keep to parts of their own.
#[derive(Debug)]
pub(crate) struct State {
    start: *mut f32,
    elements: usize,
    /// Never touched but through `start`.
    _memory: Buffer,
}

// SAFETY: the only access is through slots, whose users keep readers and writers apart.
unsafe impl Send for State {}
// SAFETY: as above.
unsafe impl Sync for State {}

impl State {
    /// This many zeros.
    pub fn new(elements: usize) -> Result<Arc<Self>, Error> {
        let mut memory = Buffer::zeros(elements, "parameters, gradients and the optimizer's state")?;
        let start = memory.as_mut_slice().as_mut_ptr();
        Ok(Arc::new(Self { start, elements, _memory: memory }))
    }
}

/// A run of elements of the state.
#[derive(Debug, Clone)]
pub(crate) struct Slot {
    state: Arc<State>,
    range: Range<usize>,
}

impl Slot {
    /// The elements of a range; none where the state does not have them.
    pub fn new(state: &Arc<State>, range: Range<usize>) -> Self {
        let is_within = range.start <= range.end && range.end <= state.elements;
        Self { state: state.clone(), range: if is_within { range } else { 0..0 } }
    }

    pub fn len(&self) -> usize {
        self.range.len()
    }

    /// A part of it; empty where it has no such part.
    pub fn part(&self, range: Range<usize>) -> Self {
        let range = if range.end <= self.len() && range.start <= range.end {
            self.range.start + range.start..self.range.start + range.end
        } else {
            0..0
        };
        Self { state: self.state.clone(), range }
    }

    /// The elements.
    ///
    /// # Safety
    /// Nobody writes them while the slice is in use: kernels run one after the other, and none reads what it writes.
    pub unsafe fn get(&self) -> &[f32] {
        // SAFETY: the range lies within the memory, which lives as long as the state; the caller keeps writers away.
        unsafe { std::slice::from_raw_parts(self.state.start.add(self.range.start), self.range.len()) }
    }

    /// The elements, to be written.
    ///
    /// # Safety
    /// Nobody else uses them while the slice is in use.
    #[allow(clippy::mut_from_ref)]
    pub unsafe fn get_mut(&self) -> &mut [f32] {
        // SAFETY: as in `get`, and the caller is alone.
        unsafe { std::slice::from_raw_parts_mut(self.state.start.add(self.range.start), self.range.len()) }
    }

    /// Some of the elements, to be written; none where there are not so many.
    ///
    /// # Safety
    /// Nobody else uses them while the slice is in use.
    #[allow(clippy::mut_from_ref)]
    pub unsafe fn range_mut(&self, range: Range<usize>) -> &mut [f32] {
        if range.start > range.end || range.end > self.len() {
            return &mut [];
        }
        // SAFETY: as in `get_mut`, for a range within the slot's.
        unsafe { std::slice::from_raw_parts_mut(self.state.start.add(self.range.start + range.start), range.len()) }
    }
}

/// What a run of a training program is told, and what it tells.
#[derive(Debug, Default)]
pub(crate) struct Control {
    settings: Mutex<Settings>,
    findings: Mutex<Findings>,
}

/// What a run is told.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Settings {
    /// Examples of the batch; the lanes behind them hold nothing.
    pub examples: usize,
    /// What random numbers depend on.
    pub seed: u64,
    /// The factor of all gradients.
    pub scale: f32,
    /// Whether the parameters follow their gradients at the end.
    pub updates: bool,
    /// Updates made before.
    pub update: u64,
    /// The learning rate.
    pub rate: f64,
}

/// What a run tells.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    /// The value of each loss, its weight not included.
    pub losses: Vec<f64>,
    /// The norm of all gradients, when there was an update.
    pub gradient_norm: Option<f64>,
    /// The first loss or layer that could not be computed, and why.
    pub failed: Option<(String, String)>,
}

impl Control {
    pub fn settings(&self) -> Settings {
        *lock(&self.settings)
    }

    pub fn set(&self, settings: Settings) {
        *lock(&self.settings) = settings;
        let mut findings = lock(&self.findings);
        findings.losses.clear();
        (findings.gradient_norm, findings.failed) = (None, None);
    }

    pub fn findings(&self) -> MutexGuard<'_, Findings> {
        lock(&self.findings)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
