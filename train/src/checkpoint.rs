//! The state of a run as a file.

use crate::file::{self, Named};
use crate::{Ended, Error, Length, Recipe, description};
use cnn_data::{Dataset, Position};
use cnn_ir::Network;
use cnn_recipe::Plateau;
use cnn_runtime::Weights;
use cnn_runtime::training::TrainingSession;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The key of the text that says how a run stands.
const RUN: &str = "cnn.run";
/// The key of the text that says how weights are evaluated.
const EVALUATION: &str = "cnn.evaluation";
/// The form of the texts.
pub(crate) const VERSION: u32 = 1;

/// A state from which a run goes on as if it had never stopped: `last.safetensors`.
///
/// The file holds the parameters and buffers under PyTorch's names, each vector of the optimizer's state as
/// `optimizer.exp_avg.NAME`, and everything else as JSON among its metadata. There is a checksum of all that, which
/// [`open`](Self::open) checks.
#[derive(Debug, Clone)]
pub struct Checkpoint {
    pub(crate) path: PathBuf,
    pub(crate) run: RunState,
    /// The file's tensors.
    tensors: Weights,
}

/// How a run stands, besides its tensors.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct RunState {
    pub version: u32,
    pub network: String,
    /// Its inputs, layers and outputs.
    pub layers: Vec<String>,
    pub recipe: Recipe,
    /// Examples of an epoch.
    pub examples: usize,
    /// The names of the classes, in the order of their labels.
    pub classes: Vec<String>,
    pub progress: Progress,
}

/// How far a run has come.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Updates of the parameters.
    pub step: u64,
    /// Whole epochs of training.
    pub epoch: usize,
    /// Examples of this epoch.
    pub example: usize,
    /// Whether the last epoch is still to be validated.
    pub is_unvalidated: bool,
    /// What reduce-on-plateau has seen.
    pub plateau: Plateau,
    /// The best state so far.
    pub best: Option<Best>,
    /// Epochs since then that were no better.
    pub no_better: u64,
    /// Seconds that the run took, interruptions left out.
    pub seconds: f64,
    /// The step after which there was the last validation; a run that ends within an epoch has one there.
    pub(crate) validated: u64,
    /// What the epoch's steps have told so far.
    pub(crate) of_epoch: Sums,
    /// What the steps since the last row of the record have told.
    pub(crate) of_row: Sums,
}

/// The best state of a run.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Best {
    /// The loss or accuracy.
    pub value: f64,
    /// The epoch that it is the end of, or lies within, counted from 1.
    pub epoch: usize,
    /// Updates before it.
    pub step: u64,
}

/// Sums over examples.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Sums {
    pub loss: f64,
    pub examples: u64,
    /// Right labels, and all of them.
    pub right: u64,
    pub labels: u64,
    pub seconds: f64,
}

impl RunState {
    /// Why there is no further step, if so.
    pub fn ended(&self) -> Option<Ended> {
        let Self { recipe, progress, .. } = self;
        let is_done = match recipe.length {
            Length::Epochs(epochs) => progress.epoch as u64 >= epochs,
            Length::Steps(steps) => progress.step >= steps,
        };
        let is_hopeless = recipe.early_stopping.is_some_and(|epochs| progress.no_better >= epochs);
        if is_done { Some(Ended::Finished) } else { is_hopeless.then_some(Ended::NoBetter) }
    }

    /// Whether there is nothing left to do, and no validation either.
    pub fn is_over(&self) -> bool {
        let Progress { step, example, is_unvalidated, validated, .. } = self.progress;
        self.ended().is_some() && !is_unvalidated && (example == 0 || validated == step)
    }
}

impl Progress {
    pub(crate) fn position(&self) -> Position {
        Position { epoch: self.epoch, example: self.example }
    }
}

impl Sums {
    /// Of so many examples with this mean loss.
    pub fn of(examples: usize, loss: f64) -> Self {
        Self { loss: loss * examples as f64, examples: examples as u64, ..Self::default() }
    }

    pub fn add(&mut self, other: &Self) {
        self.loss += other.loss;
        self.examples += other.examples;
        self.right += other.right;
        self.labels += other.labels;
        self.seconds += other.seconds;
    }

    pub fn score(&self) -> crate::Score {
        let accuracy = (self.labels > 0).then(|| self.right as f64 / self.labels as f64);
        crate::Score { loss: self.loss / self.examples.max(1) as f64, accuracy, examples: self.examples }
    }
}

impl Checkpoint {
    /// Opens a checkpoint. The file may be replaced, but not changed in place, while it is in use.
    ///
    /// # Errors
    /// A file that cannot be read, is damaged, or is no checkpoint.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref().to_owned();
        file::check(&path)?;
        let damaged = |problem: String| Error::NoCheckpoint { path: path.clone(), problem };
        let text = file::metadata(&path, RUN)?;
        let text = text.ok_or_else(|| damaged("it has no state of a run, only weights".to_owned()))?;
        #[derive(Deserialize)]
        struct Version {
            version: u32,
        }
        let version = serde_json::from_str(&text).map_or(0, |Version { version }| version);
        if version != VERSION {
            return Err(damaged(format!("it has the form {version}, and this version reads {VERSION}")));
        }
        let run = serde_json::from_str(&text).map_err(|error| damaged(error.to_string()))?;
        Ok(Self { tensors: Weights::open(&path)?, path, run })
    }

    /// The recipe of the run.
    pub fn recipe(&self) -> &Recipe {
        &self.run.recipe
    }

    /// The names of the classes of the run's data, in the order of their labels.
    pub fn classes(&self) -> &[String] {
        &self.run.classes
    }

    /// How far the run had come.
    pub fn progress(&self) -> &Progress {
        &self.run.progress
    }

    /// The parameters and buffers.
    ///
    /// # Errors
    /// None at present.
    pub fn weights(&self) -> Result<Weights, Error> {
        let names = self.tensors.names().filter(|name| slot_of(name, self.slots()).is_none());
        let names: BTreeMap<String, String> = names.map(|name| (name.to_owned(), name.to_owned())).collect();
        Ok(self.tensors.renamed(&names)?)
    }

    /// Checks that the checkpoint is of this network, trained by this recipe on data of this kind.
    pub(crate) fn check(&self, network: &Network, recipe: &Recipe, data: &dyn Dataset) -> Result<(), Error> {
        let parameters = network.parameters();
        let mut expected: Vec<(String, &[usize])> =
            parameters.iter().map(|p| (p.name.clone(), p.shape.as_slice())).collect();
        let trained = parameters.iter().filter(|p| p.trainable && !self.run.recipe.is_frozen(&p.name));
        for p in trained {
            expected.extend(self.slots().iter().map(|slot| (slot_name(slot, &p.name), p.shape.as_slice())));
        }
        let fits = self.tensors.check(expected.iter().map(|(name, shape)| (name.as_str(), *shape)), &BTreeSet::new());
        fits.map_err(|source| Error::OtherModel { path: self.path.clone(), source: source.into() })?;
        if let Some((ours, theirs)) = description::difference(&self.run.layers, &description::lines(network)) {
            return Err(Error::OtherNetwork { ours, theirs });
        }
        if let Some((setting, ours, theirs)) = self.run.recipe.difference(recipe) {
            return Err(Error::OtherRecipe { setting, ours, theirs });
        }
        let remedy = "resume it with the data that it began with";
        if self.run.examples != data.len() {
            let problem = format!("the run is on {} examples, and these data have {}", self.run.examples, data.len());
            return Err(Error::mismatch(problem, remedy));
        }
        if let Some((ours, theirs)) = description::difference(&self.run.classes, data.classes()) {
            let problem = format!("the run is on data with the class {ours} where these have {theirs}");
            return Err(Error::mismatch(problem, remedy));
        }
        Ok(())
    }

    /// Gives a session, made with [`weights`](Self::weights), the rest of the state.
    pub(crate) fn restore(&self, session: &mut TrainingSession) -> Result<(), Error> {
        for (index, slot) in self.slots().iter().enumerate() {
            let mut values = Vec::new();
            for name in trained(session) {
                values.extend_from_slice(self.tensors.get(&slot_name(slot, name))?.data());
            }
            session.set_slot(index, &values)?;
        }
        session.set_updates(self.run.progress.step);
        Ok(())
    }

    fn slots(&self) -> &'static [&'static str] {
        self.run.recipe.optimizer.slot_names()
    }
}

/// Replaces `last.safetensors` by the state of a session.
pub(crate) fn save(
    path: &Path,
    session: &TrainingSession,
    run: &RunState,
    written: &mut dyn FnMut(&Path),
) -> Result<(), Error> {
    let mut tensors: Vec<Named<'_>> =
        session.parameters().map(|(p, values)| (p.name.clone(), &*p.shape, values)).collect();
    for (slot, values) in run.recipe.optimizer.slot_names().iter().zip(session.slots()) {
        let mut rest = values;
        for (p, of_parameter) in session.parameters().filter(|(p, _)| session.gradient(&p.name).is_some()) {
            let (own, behind) = rest.split_at(of_parameter.len());
            tensors.push((slot_name(slot, &p.name), &p.shape, own));
            rest = behind;
        }
    }
    // A recipe has no keys but texts, and JSON writes what is not finite as null.
    let text = serde_json::to_string(run).unwrap_or_default();
    file::save(path, (RUN, text), &tensors, written)
}

/// How weights are evaluated; part of `best.safetensors`, so that prediction repeats what training did to pictures.
///
/// The file's tensors are the parameters and buffers alone, under PyTorch's names.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    version: u32,
    /// The model's name.
    pub network: String,
    /// The transforms of evaluation, as text; see [`cnn_data::Pipeline`].
    pub transforms: String,
    /// The names of the classes.
    pub classes: Vec<String>,
    /// By what these weights were the best.
    pub metric: crate::Metric,
    /// The metric's value, and when that was.
    pub best: Best,
}

impl Evaluation {
    /// Reads it from a file of weights; none where that does not have it.
    ///
    /// # Errors
    /// A file that cannot be read, is damaged, or is no safetensors file.
    pub fn read(path: impl AsRef<Path>) -> Result<Option<Self>, Error> {
        let path = path.as_ref();
        file::check(path)?;
        let damaged = |error: serde_json::Error| {
            let problem = format!("{}: what it says about evaluation cannot be read ({error})", path.display());
            Error::mismatch(problem, "take the file as `best.safetensors` was written")
        };
        file::metadata(path, EVALUATION)?.map(|text| serde_json::from_str(&text).map_err(damaged)).transpose()
    }

    pub(crate) fn new(network: &Network, recipe: &Recipe, classes: &[String], best: Best) -> Self {
        let (network, transforms) = (network.name.clone(), recipe.evaluation().to_string());
        Self { version: VERSION, network, transforms, classes: classes.to_vec(), metric: recipe.best, best }
    }

    /// Replaces a file by a session's parameters and this.
    pub(crate) fn save(
        &self,
        path: &Path,
        session: &TrainingSession,
        written: &mut dyn FnMut(&Path),
    ) -> Result<(), Error> {
        let tensors: Vec<Named<'_>> =
            session.parameters().map(|(p, values)| (p.name.clone(), &*p.shape, values)).collect();
        file::save(path, (EVALUATION, serde_json::to_string(self).unwrap_or_default()), &tensors, written)
    }
}

/// The names of the trained parameters, in the order in which they lie.
fn trained(session: &TrainingSession) -> impl Iterator<Item = &str> {
    session.parameters().map(|(p, _)| p.name.as_str()).filter(|name| session.gradient(name).is_some())
}

/// The name of a parameter's part of a vector of the optimizer's state.
fn slot_name(slot: &str, parameter: &str) -> String {
    format!("optimizer.{slot}.{parameter}")
}

/// Which of the vectors a tensor is a part of.
fn slot_of<'a>(name: &str, slots: &[&'a str]) -> Option<&'a str> {
    let rest = name.strip_prefix("optimizer.")?;
    slots.iter().copied().find(|slot| rest.strip_prefix(slot).is_some_and(|rest| rest.starts_with('.')))
}
