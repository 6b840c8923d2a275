//! The trainer: what a run is made of, and what it ends with.

use crate::feed::Targets;
use crate::run::Run;
use crate::{Checkpoint, Error, Event, Progress, Recipe, RunFolder, Score};
use cnn_data::{Batch, Dataset};
use cnn_ir::Network;
use cnn_runtime::Weights;
use serde::Serialize;
use serde_json::Value;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A run that is about to begin.
///
/// ```
/// # use cnn_data::Arrays;
/// # use cnn_ir::{Builder, NetworkBuilder, ops::{DenseSpec, FlattenSpec}};
/// use cnn_train::{Checkpoint, Ended, Event, Recipe, RunFolder, Trainer};
/// # use std::sync::Arc;
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let mut network = NetworkBuilder::new("Line");
/// # let image = network.input("image", &[1, 1, 2])?;
/// # let flat = network.layer("flatten", FlattenSpec::new(), &[&image])?;
/// # let logits = network.layer("fc", DenseSpec::new(2, 2), &[&flat])?;
/// # network.output("logits", &logits)?;
/// # let network = network.finish()?;
/// # let values = (0..40).flat_map(|i| if i % 2 == 0 { [1.0, 0.2] } else { [0.1, 0.8] }).collect();
/// # let classes = vec!["left".to_owned(), "right".to_owned()];
/// # let data = Arc::new(Arrays::new([1, 1, 2], values, (0..40).map(|i| i % 2).collect(), classes)?);
/// # let runs = tempfile::tempdir()?;
/// # let runs = runs.path();
/// let mut recipe = Recipe::default();
/// recipe.set("batch", "8")?;
/// recipe.set("epochs", "3")?;
///
/// // Ctrl-C would call `stop.request()`; here it is called after seven of fifteen steps.
/// let trainer = Trainer::new(&network, data.clone(), recipe.clone())?;
/// let stop = trainer.stop();
/// let outcome = trainer
///     .folder(RunFolder::create(runs, "line")?)
///     .observe(move |event| {
///         if let Event::Step(step) = event && step.step == 7 {
///             stop.request();
///         }
///     })
///     .run()?;
/// assert_eq!((outcome.ended, outcome.progress.step), (Ended::Stopped, 7));
///
/// // Another process goes on from there.
/// let folder = RunFolder::open(runs.join("line"))?;
/// let checkpoint = Checkpoint::open(folder.last())?;
/// let recipe = checkpoint.recipe().clone();
/// let outcome = Trainer::new(&network, data, recipe)?.folder(folder).resume(checkpoint).run()?;
/// assert_eq!((outcome.ended, outcome.progress.step), (Ended::Finished, 15));
/// # Ok(())
/// # }
/// ```
pub struct Trainer<'a> {
    pub(crate) network: Network,
    pub(crate) dataset: Arc<dyn Dataset>,
    pub(crate) validation: Option<Arc<dyn Dataset>>,
    pub(crate) recipe: Recipe,
    pub(crate) weights: Option<Weights>,
    pub(crate) targets: Option<Arc<Targets>>,
    pub(crate) folder: Option<RunFolder>,
    pub(crate) checkpoint: Option<Checkpoint>,
    pub(crate) observers: Observers<'a>,
    pub(crate) notes: Vec<(String, Value)>,
    pub(crate) stop: Stop,
    pub(crate) memory: Option<u64>,
}

/// Why an observer ends a run.
type Problem = Box<dyn std::error::Error + Send + Sync>;

type Observer<'a> = Box<dyn FnMut(Event<'_>) -> Result<(), Problem> + 'a>;

/// Who is told of a run, and the first problem that one of them had.
#[derive(Default)]
pub(crate) struct Observers<'a> {
    all: Vec<Observer<'a>>,
    problem: Option<Problem>,
}

impl Observers<'_> {
    /// Tells all of them.
    pub fn tell(&mut self, event: Event<'_>) {
        for observer in &mut self.all {
            if let Err(problem) = observer(event) {
                self.problem.get_or_insert(problem);
            }
        }
    }

    /// That none of them had a problem since the last time; where the state is kept is for the run to say.
    pub fn check(&mut self) -> Result<(), Error> {
        self.problem.take().map_or(Ok(()), |source| Err(Error::Observer { source, step: 0, kept: None }))
    }
}

/// Asks a run to stop: it finishes its step, writes a checkpoint and returns. Clones ask the same run.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Asks; may be called on any thread and in a handler of signals.
    pub fn request(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether that was asked.
    pub fn is_requested(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// What a run ends with.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// Why it ended.
    pub ended: Ended,
    /// The parameters and buffers after the last step.
    pub weights: Weights,
    /// How far it came, and its best state.
    pub progress: Progress,
    /// The means over the last epoch's examples, each before the update that it was part of; none when the run was stopped
    /// within an epoch, or had nothing left to do.
    pub train: Option<Score>,
    /// The means over the validation's examples after the last step.
    pub validation: Option<Score>,
    /// The state from which it goes on, when the run has a folder.
    pub last: Option<PathBuf>,
    /// The weights of the best state, when the run has a folder and an epoch is over.
    pub best: Option<PathBuf>,
}

/// Why a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// All epochs or steps are done.
    Finished,
    /// The metric was no better for as many epochs as the recipe allows.
    NoBetter,
    /// It was asked to.
    Stopped,
}

impl<'a> Trainer<'a> {
    /// A run of a network on data; the recipe says all else.
    ///
    /// # Errors
    /// A recipe that is not allowed.
    pub fn new(network: &Network, dataset: Arc<dyn Dataset>, recipe: Recipe) -> Result<Self, Error> {
        recipe.check()?;
        Ok(Self {
            network: network.clone(),
            dataset,
            validation: None,
            recipe,
            weights: None,
            targets: None,
            folder: None,
            checkpoint: None,
            observers: Observers::default(),
            notes: Vec::new(),
            stop: Stop::default(),
            memory: None,
        })
    }

    /// Validates on these data after each epoch, in place of a share of the training's.
    pub fn validate_on(mut self, dataset: Arc<dyn Dataset>) -> Self {
        self.validation = Some(dataset);
        self
    }

    /// Starts from these weights, but for the layers that the recipe calls `fresh`.
    pub fn weights(mut self, weights: Weights) -> Self {
        self.weights = Some(weights);
        self
    }

    /// Makes the targets of all terms of the loss by a function, in place of labels: an autoencoder's are the pictures
    /// themselves.
    ///
    /// It is given a batch, a term's number, and room for that term's targets of all examples, one behind the other.
    pub fn targets(
        mut self,
        targets: impl Fn(&Batch, usize, &mut [f32]) -> Result<(), String> + Send + Sync + 'static,
    ) -> Self {
        self.targets = Some(Arc::new(targets));
        self
    }

    /// Keeps the run's files in a folder: `config.json`, `last.safetensors`, `best.safetensors`, and the record of its
    /// metrics ([`record`](crate::record)), a row for every `log_every` steps and for every validation.
    pub fn folder(mut self, folder: RunFolder) -> Self {
        self.folder = Some(folder);
        self
    }

    /// Goes on from a state.
    pub fn resume(mut self, checkpoint: Checkpoint) -> Self {
        self.checkpoint = Some(checkpoint);
        self
    }

    /// Adds a field to `config.json`: what the run's owner wants to find there.
    ///
    /// # Errors
    /// A value that has no form in JSON.
    pub fn note(mut self, name: &str, value: &impl Serialize) -> Result<Self, Error> {
        let value = serde_json::to_value(value).map_err(|error| Error::setting(name, "no JSON", error.to_string()))?;
        self.notes.push((name.to_owned(), value));
        Ok(self)
    }

    /// Tells a function what happens; there may be several.
    pub fn observe(self, mut observer: impl FnMut(Event<'_>) + 'a) -> Self {
        self.try_observe(move |event| -> Result<(), Problem> {
            observer(event);
            Ok(())
        })
    }

    /// As [`observe`](Self::observe), with a function that can fail: the run then ends before its next step with
    /// [`Error::Observer`], and keeps its state.
    ///
    /// ```
    /// # use cnn_data::Arrays;
    /// # use cnn_ir::{Builder, NetworkBuilder, ops::{DenseSpec, FlattenSpec}};
    /// use cnn_train::{Event, Recipe, Trainer};
    /// # use std::sync::Arc;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let mut network = NetworkBuilder::new("Line");
    /// # let image = network.input("image", &[1, 1, 2])?;
    /// # let flat = network.layer("flatten", FlattenSpec::new(), &[&image])?;
    /// # let logits = network.layer("fc", DenseSpec::new(2, 2), &[&flat])?;
    /// # network.output("logits", &logits)?;
    /// # let network = network.finish()?;
    /// # let classes = vec!["left".to_owned(), "right".to_owned()];
    /// # let data = Arc::new(Arrays::new([1, 1, 2], vec![1.0, 0.0, 0.0, 1.0], vec![0, 1], classes)?);
    /// let trainer = Trainer::new(&network, data, Recipe::default())?.try_observe(|event| match event {
    ///     Event::Step(step) if step.step == 3 => Err("the lights went out"),
    ///     _ => Ok(()),
    /// });
    /// let error = trainer.run().map(|_| ()).unwrap_err();
    /// assert_eq!(error.to_string(), "the run was ended after step 3: the lights went out");
    /// # Ok(())
    /// # }
    /// ```
    pub fn try_observe<E: Into<Problem>>(mut self, mut observer: impl FnMut(Event<'_>) -> Result<(), E> + 'a) -> Self {
        self.observers.all.push(Box::new(move |event| observer(event).map_err(Into::into)));
        self
    }

    /// What stops the run.
    pub fn stop(&self) -> Stop {
        self.stop.clone()
    }

    /// Refuses to start when the run needs more bytes than these, in place of what the system has.
    pub fn memory_limit(mut self, bytes: u64) -> Self {
        self.memory = Some(bytes);
        self
    }

    /// Trains.
    ///
    /// # Errors
    /// Before the first step: a network, data and a loss that do not go together, weights or a checkpoint that do not fit,
    /// too little memory, a folder that another process works in. After it: data that cannot be loaded, training that
    /// diverges, files that cannot be written, an observer's; the state before the step is then kept as the checkpoint.
    pub fn run(self) -> Result<Outcome, Error> {
        Run::new(self)?.finish()
    }
}
