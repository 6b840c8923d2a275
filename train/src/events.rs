//! What a run tells while it goes on.

use std::path::Path;

/// Something that happened in a run; see [`Trainer::observe`](crate::Trainer::observe).
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Event<'a> {
    /// All is ready; the first step follows.
    Start(&'a Start),
    /// The parameters were updated.
    Step(&'a StepReport),
    /// An epoch is over and validated, or the run is.
    Epoch(&'a EpochReport),
    /// A file is whole under its temporary name, and is about to take its place.
    Written(&'a Path),
    /// A checkpoint has taken its place: `last.safetensors`, or `best.safetensors`.
    Saved(&'a Path),
}

/// What a run is before its first step.
#[derive(Debug, Clone, PartialEq)]
pub struct Start {
    /// The model's name.
    pub network: String,
    /// Trained parameters, one by one.
    pub trained: usize,
    /// Examples of an epoch.
    pub examples: usize,
    /// Examples of the validation.
    pub validation: usize,
    /// Updates of a whole epoch.
    pub steps_per_epoch: u64,
    /// Updates of the whole run, unless it ends early.
    pub steps: u64,
    /// Updates made before; above 0 where a run is resumed.
    pub step: u64,
    /// Epochs made before.
    pub epoch: usize,
    /// Threads of the engine.
    pub threads: usize,
    /// What the run needs.
    pub memory: Memory,
    /// Bytes that it can have, what it has already included, where that is known.
    pub available: Option<u64>,
}

/// The most bytes that a run needs at once, by what needs them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Memory {
    /// The datasets that lie in memory.
    pub data: u64,
    /// The program itself, as measured for `cnn train`.
    pub program: u64,
    /// Batches that are being made ready, and the pictures that are being read for them where their size is known.
    pub loading: u64,
    /// Parameters, gradients, the optimizer's state, and what a step computes.
    pub training: u64,
    /// What the validation needs besides: batches, another copy of the parameters, and what inference computes.
    pub validation: u64,
}

impl Memory {
    /// All of it.
    pub fn total(&self) -> u64 {
        let Self { data, program, loading, training, validation } = *self;
        [data, program, loading, training, validation].into_iter().fold(0, u64::saturating_add)
    }
}

/// An update of the parameters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StepReport {
    /// Updates so far, this one included.
    pub step: u64,
    /// Epochs so far; inside of an epoch with the part of it: 1.5.
    pub epoch: f64,
    /// The loss before the update: the mean over its batches.
    pub loss: f64,
    /// The share of right labels before the update, from 0 to 1, where there are labels.
    pub accuracy: Option<f64>,
    /// The learning rate.
    pub rate: f64,
    /// The norm of all gradients before clipping.
    pub gradient_norm: f64,
    /// The speed of this step, loading included.
    pub examples_per_second: f64,
}

/// The mean over examples.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Score {
    /// The loss.
    pub loss: f64,
    /// The share of right labels, from 0 to 1, where there are labels.
    pub accuracy: Option<f64>,
    /// Examples that it is the mean of.
    pub examples: u64,
}

/// An epoch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EpochReport {
    /// Its number, counted from 1.
    pub epoch: usize,
    /// Updates so far.
    pub step: u64,
    /// The means over its examples, each before the update that it was part of.
    pub train: Score,
    /// The means over the validation's examples after it.
    pub validation: Option<Score>,
    /// Whether the state after it is the best so far.
    pub is_best: bool,
    /// The learning rate of its last step.
    pub rate: f64,
    /// Seconds of the run so far, without the time between an interruption and its resumption.
    pub seconds: f64,
}
