//! A run: the loop of steps, epochs and checkpoints.

mod plan;

use crate::checkpoint::{self, Best, Evaluation, Progress, RunState, Sums};
use crate::evaluate::evaluate;
use crate::feed::Feed;
use crate::record::{Phase, Record, Row};
use crate::trainer::{Ended, Observers, Outcome, Stop};
use crate::{EpochReport, Error, Event, Metric, Per, Recipe, RunFolder, Score, StepReport};
use cnn_data::{Batch, Dataset, Loader, Random};
use cnn_ir::Network;
use cnn_recipe::{Curve, Mode};
use cnn_runtime::training::{StepSettings, TrainingSession};
use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

/// A run under way.
pub(crate) struct Run<'a> {
    network: Network,
    dataset: Arc<dyn Dataset>,
    validation: Option<Arc<dyn Dataset>>,
    folder: Option<RunFolder>,
    record: Option<Record>,
    /// Held for as long as the run lives.
    _lock: Option<File>,
    observers: Observers<'a>,
    stop: Stop,
    feed: Feed,
    session: TrainingSession,
    loader: Loader,
    batch: Batch,
    /// The state after the last update, but for the tensors.
    state: RunState,
    /// Running statistics after the last update: a step that fails has changed the session's.
    buffers: Vec<(String, Vec<f32>)>,
    /// When the last step ended.
    clock: Instant,
    /// Whether the checkpoint is the state.
    is_saved: bool,
    rate: f64,
    /// Of the last epoch, once it is validated.
    train: Option<Score>,
    validated: Option<Score>,
}

impl<'a> Run<'a> {
    /// Goes on to the end.
    pub fn finish(mut self) -> Result<Outcome, Error> {
        let ended = match self.go() {
            Ok(ended) => ended,
            Err(error) => return Err(self.keep(error)),
        };
        let weights = self.session.weights()?;
        let Self { state: RunState { progress, .. }, train, validated: validation, folder, .. } = self;
        let best = folder.as_ref().filter(|_| progress.best.is_some()).map(RunFolder::best);
        let last = folder.as_ref().map(RunFolder::last);
        Ok(Outcome { ended, weights, progress, train, validation, last, best })
    }

    fn go(&mut self) -> Result<Ended, Error> {
        loop {
            self.observers.check()?;
            if self.state.progress.is_unvalidated {
                if !self.end_epoch()? {
                    return self.end(Ended::Stopped);
                }
                continue;
            }
            if let Some(ended) = self.state.ended() {
                if !self.state.is_over() && !self.validate_within_epoch()? {
                    return self.end(Ended::Stopped);
                }
                return self.end(ended);
            }
            if self.stop.is_requested() {
                return self.end(Ended::Stopped);
            }
            self.step()?;
            let Progress { step, is_unvalidated, .. } = self.state.progress;
            let is_due = self.state.recipe.checkpoint_every.is_some_and(|every| step.is_multiple_of(every));
            if is_due && !is_unvalidated {
                self.save()?;
            }
        }
    }

    fn end(&mut self, ended: Ended) -> Result<Ended, Error> {
        if !self.is_saved {
            self.save()?;
        }
        self.observers.check()?;
        Ok(ended)
    }

    /// One update, of as many batches as the recipe accumulates. What it changes of the state, it changes at its end.
    fn step(&mut self) -> Result<(), Error> {
        let Self { feed, session, loader, batch, state: RunState { recipe, progress, examples, .. }, .. } = self;
        let rate = rate(recipe, progress);
        let group = plan::examples_of_step(recipe, *examples, progress.example);
        let (mut sums, mut norm, mut number) = (Sums::default(), None, 0);
        while norm.is_none() {
            if !loader.load(batch)? {
                return Err(Error::mismatch("the data ended within an epoch", "give all examples of it"));
            }
            let count = batch.labels.len();
            let seen = sums.examples as usize + count;
            let settings = StepSettings {
                rate,
                seed: seed_of_step(recipe.seed, progress.step, number),
                // Gradients are averaged over examples, as if the batches were one.
                scale: if count == group { 1.0 } else { count as f64 / group as f64 },
                updates: seen >= group,
            };
            let (result, of_batch) = feed.step(session, batch, &settings)?;
            sums.add(&of_batch);
            norm = result.gradient_norm.or_else(|| settings.updates.then_some(0.0));
            number += 1;
        }
        sums.seconds = self.clock.elapsed().as_secs_f64();
        self.clock = Instant::now();
        progress.step += 1;
        progress.is_unvalidated = batch.next.epoch != batch.epoch;
        (progress.epoch, progress.example) = (batch.next.epoch, batch.next.example);
        progress.seconds += sums.seconds;
        progress.of_epoch.add(&sums);
        progress.of_row.add(&sums);
        (self.rate, self.is_saved, self.train, self.validated) = (rate, false, None, None);
        for (name, values) in &mut self.buffers {
            if let Some(now) = session.parameter(name) {
                values.copy_from_slice(now);
            }
        }
        let score = sums.score();
        let report = StepReport {
            step: progress.step,
            epoch: progress.epoch as f64 + progress.example as f64 / *examples as f64,
            loss: score.loss,
            accuracy: score.accuracy,
            rate,
            gradient_norm: norm.unwrap_or(0.0),
            examples_per_second: sums.examples as f64 / sums.seconds.max(1e-9),
        };
        let is_row = progress.step.is_multiple_of(recipe.log_every) || progress.is_unvalidated;
        let of_row = is_row.then(|| std::mem::take(&mut progress.of_row));
        self.observers.tell(Event::Step(&report));
        of_row.map_or(Ok(()), |of_row| self.write_row(Phase::Train, &of_row))
    }

    /// Validates the epoch that is over, and writes down what follows from it; false when it was asked to stop meanwhile.
    fn end_epoch(&mut self) -> Result<bool, Error> {
        let Some(validation) = self.validate()? else { return Ok(false) };
        let RunState { recipe, progress, .. } = &mut self.state;
        let train = std::mem::take(&mut progress.of_epoch).score();
        let score = validation.unwrap_or(train);
        if let Curve::ReduceOnPlateau(plateau) = &recipe.schedule.curve {
            let by = if plateau.mode == Mode::Min { Metric::Loss } else { Metric::Accuracy };
            progress.plateau.observe(&recipe.schedule, metric(by, &score));
        }
        progress.is_unvalidated = false;
        (self.is_saved, self.train, self.validated) = (false, Some(train), validation);
        let epoch = self.state.progress.epoch;
        let is_best = self.judge(&score, epoch)?;
        let progress = &mut self.state.progress;
        progress.no_better = if is_best { 0 } else { progress.no_better + 1 };
        self.report(&train, epoch, is_best);
        self.save()?;
        Ok(true)
    }

    /// Validates at the end of a run that ends within an epoch: it says how good the state is, and changes nothing that a
    /// longer run would depend on but the best state. False when it was asked to stop meanwhile.
    fn validate_within_epoch(&mut self) -> Result<bool, Error> {
        let Some(validation) = self.validate()? else { return Ok(false) };
        let train = self.state.progress.of_epoch.score();
        self.state.progress.validated = self.state.progress.step;
        (self.is_saved, self.train, self.validated) = (false, Some(train), validation);
        let epoch = self.state.progress.epoch + 1;
        let is_best = self.judge(&validation.unwrap_or(train), epoch)?;
        self.report(&train, epoch, is_best);
        Ok(true)
    }

    /// The score on the validation's examples, if there are any; none when it was asked to stop meanwhile.
    fn validate(&mut self) -> Result<Option<Option<Score>>, Error> {
        self.check_finite()?;
        let Some(dataset) = &self.validation else { return Ok(Some(None)) };
        let (weights, recipe) = (self.session.weights()?, &self.state.recipe);
        let Some(mut sums) = evaluate(&self.network, &weights, dataset, recipe, &mut self.feed, &self.stop)? else {
            return Ok(None);
        };
        sums.seconds = self.clock.elapsed().as_secs_f64();
        self.state.progress.seconds += sums.seconds;
        self.clock = Instant::now();
        self.write_row(Phase::Validation, &sums)?;
        Ok(Some(Some(sums.score())))
    }

    /// Adds a row to the record.
    fn write_row(&mut self, phase: Phase, sums: &Sums) -> Result<(), Error> {
        let Some(record) = &mut self.record else { return Ok(()) };
        let RunState { progress, examples, .. } = &self.state;
        let Score { loss, accuracy, examples: of_row } = sums.score();
        let row = Row {
            step: progress.step,
            epoch: progress.epoch as f64 + progress.example as f64 / *examples as f64,
            phase,
            loss,
            accuracy,
            rate: (phase == Phase::Train).then_some(self.rate),
            examples_per_second: (sums.seconds > 0.0).then(|| of_row as f64 / sums.seconds),
            seconds: progress.seconds,
        };
        Ok(record.add(&row)?)
    }

    /// Keeps the state when it is the best so far; epochs are counted from 1.
    fn judge(&mut self, score: &Score, epoch: usize) -> Result<bool, Error> {
        let RunState { recipe, progress, .. } = &mut self.state;
        let value = metric(recipe.best, score);
        let is_best = match progress.best {
            _ if !value.is_finite() => false,
            None => true,
            Some(best) if recipe.best == Metric::Loss => value < best.value,
            Some(best) => value > best.value,
        };
        if !is_best {
            return Ok(false);
        }
        let best = Best { value, epoch, step: progress.step };
        progress.best = Some(best);
        if let Some(folder) = &self.folder {
            let evaluation = Evaluation::new(&self.network, recipe, self.dataset.classes(), best);
            let path = folder.best();
            let mut written = |file: &Path| self.observers.tell(Event::Written(file));
            evaluation.save(&path, &self.session, &mut written)?;
            self.observers.tell(Event::Saved(&path));
        }
        Ok(true)
    }

    fn report(&mut self, train: &Score, epoch: usize, is_best: bool) {
        let Progress { step, seconds, .. } = self.state.progress;
        let (train, validation, rate) = (*train, self.validated, self.rate);
        self.observers.tell(Event::Epoch(&EpochReport { epoch, step, train, validation, is_best, rate, seconds }));
    }

    /// Replaces the checkpoint by the state after the last update.
    fn save(&mut self) -> Result<(), Error> {
        self.check_finite()?;
        let Some(folder) = &self.folder else { return Ok(()) };
        // What the state says to be recorded must be there when the state is.
        if let Some(record) = &self.record {
            record.sync()?;
        }
        let path = folder.last();
        let mut written = |file: &Path| self.observers.tell(Event::Written(file));
        checkpoint::save(&path, &self.session, &self.state, &mut written)?;
        self.is_saved = true;
        self.observers.tell(Event::Saved(&path));
        Ok(())
    }

    /// That the last update did not overflow, as it can where loss and gradients did not; the state before it is worth more.
    fn check_finite(&self) -> Result<(), Error> {
        let has = |values: &[f32]| values.iter().any(|value| !value.is_finite());
        let parameter = self.session.parameters().find(|(_, values)| has(values));
        let parameter = parameter.map(|(parameter, _)| match parameter.trainable {
            true => ("a parameter is", format!("`{}`", parameter.name)),
            false => ("a running statistic is", format!("`{}`", parameter.name)),
        });
        let state = || self.session.slots().any(has).then(|| ("a number is", "the optimizer's state".to_owned()));
        let Progress { step, epoch, example, .. } = self.state.progress;
        parameter.or_else(state).map_or(Ok(()), |(what, place)| {
            Err(Error::NotFinite {
                what,
                step: step.saturating_sub(1),
                epoch: if example == 0 { epoch.saturating_sub(1) } else { epoch },
                place,
                rate: self.rate,
                kept: None,
            })
        })
    }

    /// Keeps the state after the last update when something went wrong after it, and says so where the error does.
    fn keep(&mut self, error: Error) -> Error {
        if matches!(error, Error::Write { .. }) {
            return error;
        }
        let buffers = std::mem::take(&mut self.buffers);
        let restored = buffers.iter().try_for_each(|(name, values)| self.session.set_parameter(name, values));
        let is_kept = restored.is_ok() && (self.is_saved || self.save().is_ok());
        let last = self.folder.as_ref().map(RunFolder::last);
        let (kept, good) = (last.clone().filter(|_| is_kept), last.filter(|last| is_kept || last.exists()));
        let Progress { step, epoch, .. } = self.state.progress;
        match error {
            Error::Runtime(cnn_runtime::Error::NotFinite { what, place }) => Error::NotFinite {
                what,
                step,
                epoch,
                place,
                rate: rate(&self.state.recipe, &self.state.progress),
                kept: good,
            },
            Error::NotFinite { what, step, epoch, place, rate, .. } => {
                Error::NotFinite { what, step, epoch, place, rate, kept: good }
            }
            Error::Observer { source, .. } => Error::Observer { source, step, kept },
            error => error,
        }
    }
}

fn metric(metric: Metric, score: &Score) -> f64 {
    match metric {
        Metric::Loss => score.loss,
        Metric::Accuracy => score.accuracy.unwrap_or(f64::NAN),
    }
}

/// The learning rate of the next step.
fn rate(recipe: &Recipe, progress: &Progress) -> f64 {
    let index = match recipe.counts() {
        Per::Step => progress.step,
        Per::Epoch => progress.epoch as u64,
    };
    progress.plateau.rate(&recipe.schedule, recipe.base_rate(), index)
}

/// What dropout depends on in a batch of a step. The constant keeps it apart from the augmentation of epochs and examples.
fn seed_of_step(seed: u64, step: u64, batch: u64) -> u64 {
    const DROPOUT: u64 = 0x6472_6F70_6F75_7400;
    Random::of(seed ^ DROPOUT, step, batch).next_u64()
}
