//! What is settled before the first step: that everything goes together, how long it takes and what memory it needs.

use super::Run;
use crate::adapters::compile_options;
use crate::checkpoint::{Checkpoint, Progress, RunState, VERSION};
use crate::feed::Feed;
use crate::trainer::Trainer;
use crate::{Error, Event, Length, Memory, Metric, Per, Recipe, RunFolder, Start};
use crate::{description, initial, initial_weights, memory, training_options};
use cnn_data::{Batch, Dataset, Loader, LoaderOptions, Position, split};
use cnn_ir::Network;
use cnn_recipe::{Curve, Mode};
use cnn_runtime::Session;
use cnn_runtime::training::TrainingSession;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Instant;

impl<'a> Run<'a> {
    /// Makes everything ready, and tells of the start.
    pub fn new(trainer: Trainer<'a>) -> Result<Self, Error> {
        let Trainer { network, recipe, folder, checkpoint, observers, stop, targets, notes, .. } = trainer;
        // Looked up before the run takes any itself.
        let (limit, free) = (trainer.memory, memory::available());
        let (dataset, validation) = match (trainer.validation, recipe.validation) {
            (Some(validation), _) => (trainer.dataset, Some(validation)),
            (None, Some(share)) => {
                let (training, validation) = split(trainer.dataset, share, recipe.seed)?;
                (Arc::new(training) as Arc<dyn Dataset>, Some(Arc::new(validation) as Arc<dyn Dataset>))
            }
            (None, None) => (trainer.dataset, None),
        };
        let held = Memory {
            data: dataset.memory().saturating_add(validation.as_ref().map_or(0, |data| data.memory())),
            program: memory::PROGRAM,
            ..Memory::default()
        };
        let available = limit.or(free.map(|free| free.saturating_add(held.total())));
        let examples = dataset.len();
        let progress = match &checkpoint {
            None => Progress::default(),
            Some(checkpoint) => {
                checkpoint.check(&network, &recipe, &*dataset)?;
                checkpoint.progress().clone()
            }
        };
        let loader = |workers: usize| {
            let options = loader_options(&recipe, workers, progress.position());
            Loader::new(Arc::clone(&dataset), recipe.transforms.clone(), options)
        };
        // Without threads nothing is loaded before it is clear that there is memory for it.
        let picture = loader(0)?.shape();
        let feed = Feed::new(&network, &recipe, picture, dataset.classes().len(), targets)?;
        check_metric(&recipe, &feed)?;
        check_schedule(&recipe, examples)?;
        check_labels(&*dataset)?;
        // Transforms of evaluation are stored with the weights, also where nothing validates.
        check_evaluation(validation.as_ref().unwrap_or(&dataset), &recipe, picture)?;
        if let Some(validation) = &validation {
            check_classes(&**validation, dataset.classes())?;
            check_labels(&**validation)?;
            feed.check_validation()?;
        }

        if !network.parameters().iter().any(|p| p.trainable && !recipe.is_frozen(&p.name)) {
            let problem = format!("no parameter of `{}` is to be trained", network.name);
            return Err(Error::mismatch(problem, "freeze less of it, or give it layers with parameters"));
        }
        let least = parameter_bytes(&network, &recipe);
        let left = available.map(|available| available.saturating_sub(held.total()));
        if let Some(available) = left.filter(|left| least > *left) {
            return Err(Error::ParameterMemory { needed: least, available });
        }
        let weights = match (&checkpoint, &trainer.weights) {
            (Some(checkpoint), _) => checkpoint.weights()?,
            (None, Some(weights)) => initial::starting_from(weights, &network, &recipe)?,
            (None, None) => initial_weights(&network, &recipe)?,
        };
        let mut session = TrainingSession::new(&network, &weights, &training_options(&network, &recipe))?;
        if let Some(checkpoint) = &checkpoint {
            checkpoint.restore(&mut session)?;
        }

        // Compiled once now: that the network can be validated is not learnt after an epoch.
        let inference = match &validation {
            Some(_) => {
                let inference = Session::from_network(&network, &weights, &compile_options(&recipe))?;
                Some((inference, weights.packed_bytes() as u64))
            }
            None => None,
        };
        let parameters: usize = session.parameters().map(|(_, values)| size_of_val(values)).sum();
        // A decoded picture of a thread that loads: its pixels as bytes and as floats, before the transforms.
        let decoded = dataset.shape().map_or(0, |shape| shape.iter().fold(5u64, |all, size| all * *size as u64));
        let needed = |batch: usize| {
            let loading = |batch: usize| {
                let batches = (recipe.workers as u64 + 3).saturating_mul(batch as u64);
                batches.saturating_mul(feed.example_bytes()).saturating_add(recipe.workers.max(1) as u64 * decoded)
            };
            let validating = |(inference, packed): &(Session, u64)| {
                let batch = batch.min(validation.as_ref().map_or(0, |data| data.len()));
                loading(batch).saturating_add(parameters as u64 + packed + inference.arena_bytes(batch) as u64)
            };
            Memory {
                loading: loading(batch),
                training: (session.bytes(batch) as u64).max(least),
                validation: inference.as_ref().map_or(0, validating),
                ..held
            }
        };
        let batch = recipe.batch.min(examples);
        let memory = needed(batch);
        if let Some(available) = available.filter(|available| memory.total() > *available) {
            let largest = largest(batch, |batch| needed(batch).total() <= available);
            return Err(Error::Memory { needed: memory.total(), available, batch: recipe.batch, largest });
        }
        let steps_per_epoch = steps_per_epoch(&recipe, examples);
        let start = Start {
            network: network.name.clone(),
            trained: session.trained().len(),
            examples,
            validation: validation.as_ref().map_or(0, |validation| validation.len()),
            steps_per_epoch,
            steps: match recipe.length {
                Length::Epochs(epochs) => epochs.saturating_mul(steps_per_epoch),
                Length::Steps(steps) => steps,
            },
            step: progress.step,
            epoch: progress.epoch,
            threads: session.threads(),
            memory,
            available,
        };
        drop(inference);
        let loader = loader(recipe.workers)?;

        let owned = session.parameters().filter(|(parameter, _)| !parameter.trainable);
        let buffers = owned.map(|(parameter, values)| (parameter.name.clone(), values.to_vec())).collect();
        let resumed = checkpoint.as_ref().map(|checkpoint| &checkpoint.path);
        let is_saved = folder.as_ref().is_some_and(|folder| resumed == Some(&folder.last()));
        let (layers, classes) = (description::lines(&network), dataset.classes().to_vec());
        let name = network.name.clone();
        let state = RunState { version: VERSION, network: name, layers, recipe, examples, classes, progress };
        let (mut lock, mut record) = (None, None);
        // A run that has nothing left to do changes nothing.
        if let Some(folder) = folder.as_ref().filter(|_| !(is_saved && state.is_over())) {
            lock = Some(folder.lock()?);
            check_folder(folder, checkpoint.as_ref())?;
            folder.write("config.json", &config(&state, notes))?;
            record = Some(folder.record(state.progress.step)?);
        }
        let mut run = Self {
            dataset,
            network,
            validation,
            folder,
            record,
            _lock: lock,
            observers,
            stop,
            feed,
            session,
            loader,
            batch: Batch::default(),
            rate: super::rate(&state.recipe, &state.progress),
            state,
            buffers,
            clock: Instant::now(),
            is_saved,
            train: None,
            validated: None,
        };
        run.observers.tell(Event::Start(&start));
        run.clock = Instant::now();
        Ok(run)
    }
}

fn loader_options(recipe: &Recipe, workers: usize, start: Position) -> LoaderOptions {
    LoaderOptions {
        batch_size: recipe.batch,
        seed: recipe.seed,
        shuffle: recipe.shuffle,
        drop_last: recipe.drop_last,
        workers,
        start,
        epochs: usize::MAX,
    }
}

/// Examples of the next step, of whole batches but for an epoch's last one.
pub(super) fn examples_of_step(recipe: &Recipe, examples: usize, done: usize) -> usize {
    let rest = examples.saturating_sub(done);
    let rest = if recipe.drop_last { rest / recipe.batch * recipe.batch } else { rest };
    rest.min(recipe.batch.saturating_mul(recipe.accumulate))
}

/// Updates of an epoch.
fn steps_per_epoch(recipe: &Recipe, examples: usize) -> u64 {
    let batches = if recipe.drop_last { examples / recipe.batch } else { examples.div_ceil(recipe.batch) };
    batches.div_ceil(recipe.accumulate) as u64
}

/// The least that a run needs, whatever its batch: the weights that it starts with, the parameters, and for each that is
/// trained its gradient and the optimizer's state.
fn parameter_bytes(network: &Network, recipe: &Recipe) -> u64 {
    let copies = |parameter: &cnn_ir::Parameter| match parameter.trainable && !recipe.is_frozen(&parameter.name) {
        true => 3 + recipe.optimizer.slot_names().len() as u64,
        false => 2,
    };
    let bytes = |parameter: &cnn_ir::Parameter| {
        let elements = parameter.shape.iter().fold(1u64, |all, size| all.saturating_mul(*size as u64));
        elements.saturating_mul(4 * copies(parameter))
    };
    network.parameters().iter().map(bytes).fold(0, u64::saturating_add)
}

/// That a new run has a folder without one, and that what goes on is what the folder has.
fn check_folder(folder: &RunFolder, checkpoint: Option<&Checkpoint>) -> Result<(), Error> {
    let last = folder.last();
    match checkpoint {
        None if last.exists() => Err(Error::RunExists { path: folder.path().to_owned() }),
        // Another process has gone on with the run since the checkpoint was opened.
        Some(ours) if ours.path == last && Checkpoint::open(&last)?.progress().step != ours.progress().step => {
            Err(Error::RunInUse { path: folder.path().to_owned() })
        }
        _ => Ok(()),
    }
}

/// The largest number below `end` that fits; 0 when none does.
fn largest(end: usize, fits: impl Fn(usize) -> bool) -> usize {
    let (mut low, mut high) = (0, end);
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if fits(middle) { low = middle } else { high = middle }
    }
    low
}

/// That there is an accuracy where the recipe wants one.
fn check_metric(recipe: &Recipe, feed: &Feed) -> Result<(), Error> {
    let remedy = "there is no accuracy without labels; take the loss";
    if recipe.best == Metric::Accuracy && !feed.is_judged() {
        return Err(Error::setting("best", "accuracy", remedy));
    }
    match &recipe.schedule.curve {
        Curve::ReduceOnPlateau(plateau) if plateau.mode == Mode::Max && !feed.is_judged() => {
            Err(Error::setting("schedule", &recipe.schedule, remedy))
        }
        _ => Ok(()),
    }
}

/// That a one-cycle schedule is not over before the run is; PyTorch refuses the first step behind it.
fn check_schedule(recipe: &Recipe, examples: usize) -> Result<(), Error> {
    let Curve::OneCycle(cycle) = &recipe.schedule.curve else { return Ok(()) };
    let per_epoch = steps_per_epoch(recipe, examples).max(1);
    let (length, unit) = match (recipe.counts(), recipe.length) {
        (Per::Step, Length::Epochs(epochs)) => (epochs.saturating_mul(per_epoch), "steps"),
        (Per::Step, Length::Steps(steps)) => (steps, "steps"),
        (Per::Epoch, Length::Epochs(epochs)) => (epochs, "epochs"),
        (Per::Epoch, Length::Steps(steps)) => (steps.div_ceil(per_epoch), "epochs"),
    };
    let warmup = recipe.schedule.warmup.as_ref().map_or(0, |warmup| warmup.steps);
    let end = warmup.saturating_add(cycle.total);
    if length <= end {
        return Ok(());
    }
    let total = length.saturating_sub(warmup).max(1);
    let remedy = format!("that ends after {end} of the run's {length} {unit}; write `total = {total}`");
    Err(Error::setting("schedule", format!("`{}`", recipe.schedule), remedy))
}

/// That every label is a class.
fn check_labels(data: &dyn Dataset) -> Result<(), Error> {
    let classes = data.classes().len();
    for index in 0..data.len() {
        let label = data.label(index)?;
        if label >= classes {
            let problem = format!("the label of {} is {label}, and there are {classes} classes", data.name(index));
            return Err(Error::mismatch(problem, "correct the label, or name the class"));
        }
    }
    Ok(())
}

/// That the validation has the classes of the training. Labels are numbers: the same class must have the same one in both.
fn check_classes(data: &dyn Dataset, classes: &[String]) -> Result<(), Error> {
    let differs = data.classes().iter().enumerate().find(|(number, class)| classes.get(*number) != Some(class));
    let Some((number, class)) = differs else { return Ok(()) };
    let trained = classes.get(number).map_or("none".to_owned(), |class| format!("`{class}`"));
    let problem =
        format!("class {number} of the data for validation is `{class}`, and of those for training {trained}");
    Err(Error::mismatch(problem, "give both the same classes, in the same order"))
}

/// That pictures of evaluation become what those of training do.
fn check_evaluation(data: &Arc<dyn Dataset>, recipe: &Recipe, picture: [usize; 3]) -> Result<(), Error> {
    if data.is_empty() {
        return Err(Error::mismatch("the data for validation have no examples", "give some, or none of it"));
    }
    let options = LoaderOptions { workers: 0, ..LoaderOptions::default() };
    let found = Loader::new(Arc::clone(data), recipe.evaluation(), options)?.shape();
    if found == picture {
        return Ok(());
    }
    let problem = format!(
        "after the transforms, pictures of evaluation are {found:?} (channels, height, width), and those of training \
         {picture:?}"
    );
    Err(Error::mismatch(problem, "give `evaluation_transforms` that make them the same"))
}

/// `config.json`: everything the run depends on, with its defaults, and the notes of its owner.
fn config(state: &RunState, notes: Vec<(String, Value)>) -> String {
    let RunState { network, recipe, examples, classes, .. } = state;
    let mut config = json!({ "network": network, "examples": examples, "classes": classes, "recipe": recipe });
    if let Some(fields) = config.as_object_mut() {
        fields.extend(notes);
    }
    // A recipe has no keys but texts.
    serde_json::to_string_pretty(&config).unwrap_or_default() + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn epochs_are_cut_into_steps() {
        for (batch, accumulate, drop_last, examples, steps) in [
            (4, 1, false, 10, vec![4, 4, 2]),
            (4, 2, false, 10, vec![8, 2]),
            (4, 2, true, 10, vec![8]),
            (4, 2, true, 14, vec![8, 4]),
            (4, 9, false, 10, vec![10]),
            (16, 1, false, 10, vec![10]),
        ] {
            let recipe = Recipe { batch, accumulate, drop_last, ..Recipe::default() };
            let (mut done, mut found) = (0, Vec::new());
            while examples_of_step(&recipe, examples, done) > 0 {
                found.push(examples_of_step(&recipe, examples, done));
                done += found.last().unwrap();
            }
            assert_eq!(found, steps);
            assert_eq!(steps_per_epoch(&recipe, examples), steps.len() as u64);
        }
    }

    #[test]
    fn the_largest_batch_is_found() {
        for (end, most, expected) in [(64, 10, 10), (64, 0, 0), (64, 63, 63), (1, 0, 0)] {
            assert_eq!(largest(end, |batch| batch <= most), expected);
        }
    }
}
