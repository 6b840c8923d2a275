//! What a run is told: everything but the network and the data.

mod set;
mod text;

use crate::Error;
use cnn_data::{MAX_WORKERS, Pipeline};
use cnn_recipe::{Clip, CrossEntropy, Curve, Initialiser, Objective, Optimizer, Schedule, WeightDecay, check_rate};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How a network is trained.
///
/// Everything has a default, and every setting has a form as text, which [`set`](Self::set) reads and `config.json` holds.
///
/// ```
/// use cnn_train::{Length, Recipe};
///
/// # fn main() -> Result<(), cnn_train::Error> {
/// let mut recipe = Recipe { batch: 128, length: Length::Epochs(5), ..Recipe::default() };
/// recipe.set("optimizer", "sgd(momentum = 0.9)")?;
/// recipe.set("rate", "0.05")?;
/// recipe.set("schedule", "warmup(1) -> cosine(total = 4)")?;
/// recipe.set("transforms", "random_crop(28, padding = 2) -> normalize(0.286, 0.353)")?;
/// recipe.check()?;
///
/// assert_eq!(recipe.evaluation().to_string(), "center_crop(28) -> normalize(0.286, 0.353)");
/// assert!(recipe.set("rate", "-1").is_err());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Recipe {
    /// The weighted sum of losses.
    #[serde(with = "text")]
    pub loss: Objective,
    /// How parameters follow their gradients.
    #[serde(with = "text")]
    pub optimizer: Optimizer,
    /// The base learning rate; none: the optimizer's default.
    pub rate: Option<f64>,
    /// The course of the learning rate.
    #[serde(with = "text")]
    pub schedule: Schedule,
    /// What the schedule counts; none: steps for `one_cycle`, epochs for the others.
    pub schedule_per: Option<Per>,
    /// When the run ends.
    pub length: Length,
    /// Examples of a batch.
    pub batch: usize,
    /// Batches whose gradients are averaged for one step; the last step of an epoch may have fewer.
    pub accumulate: usize,
    /// Whether an epoch's last batch is left out when it is not full.
    pub drop_last: bool,
    /// Whether every epoch has an order of its own.
    pub shuffle: bool,
    /// Weight decay; none: the optimizer's default, for all parameters.
    #[serde(with = "text::option")]
    pub weight_decay: Option<WeightDecay>,
    /// How gradients are clipped.
    #[serde(with = "text::option")]
    pub clip: Option<Clip>,
    /// How weights start.
    #[serde(with = "text")]
    pub init: Initialiser,
    /// How the weights of some layers or blocks start, by name; the longest name that fits counts.
    #[serde(with = "text::map")]
    pub init_of: BTreeMap<String, Initialiser>,
    /// What order, augmentation, dropout, initial weights and the split depend on.
    pub seed: u64,
    /// Threads of the engine; none: as many as the system has. Results do not depend on it.
    pub threads: Option<usize>,
    /// Threads that load data. Results do not depend on it.
    pub workers: usize,
    /// The share of the data that is held back for validation, when no set of its own is given.
    pub validation: Option<f64>,
    /// What happens to training pictures.
    #[serde(with = "text")]
    pub transforms: Pipeline,
    /// What happens to pictures in evaluation; none: what [`Pipeline::evaluation`] leaves of `transforms`.
    #[serde(with = "text::option")]
    pub evaluation_transforms: Option<Pipeline>,
    /// The metric by which a state is the best.
    pub best: Metric,
    /// After how many epochs in a row that are no better the run ends; none: it never does for that.
    pub early_stopping: Option<u64>,
    /// Layers, blocks or parameters that are not trained.
    pub freeze: Vec<String>,
    /// Layers or blocks that are initialised although weights to start from are given.
    pub fresh: Vec<String>,
    /// Steps between two checkpoints; none: one at the end of each epoch.
    pub checkpoint_every: Option<u64>,
    /// Steps whose mean is one row of the record.
    pub log_every: u64,
}

impl Default for Recipe {
    fn default() -> Self {
        Self {
            loss: cnn_recipe::Loss::from(CrossEntropy::default()).into(),
            optimizer: cnn_recipe::Adam::default().into(),
            rate: None,
            schedule: Curve::from(cnn_recipe::Constant::default()).into(),
            schedule_per: None,
            length: Length::Epochs(10),
            batch: 64,
            accumulate: 1,
            drop_last: false,
            shuffle: true,
            weight_decay: None,
            clip: None,
            init: Initialiser::default(),
            init_of: BTreeMap::new(),
            seed: 0,
            threads: None,
            workers: 1,
            validation: None,
            transforms: Pipeline::default(),
            evaluation_transforms: None,
            best: Metric::Loss,
            early_stopping: None,
            freeze: Vec::new(),
            fresh: Vec::new(),
            checkpoint_every: None,
            log_every: 10,
        }
    }
}

/// What a schedule counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Per {
    /// Updates of the parameters.
    Step,
    /// Passes over the data.
    Epoch,
}

/// When a run ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Length {
    /// After so many passes over the data.
    Epochs(u64),
    /// After so many updates of the parameters.
    Steps(u64),
}

/// What decides which state is the best: of the validation examples, or without any of the epoch's training.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Metric {
    /// The smallest loss.
    Loss,
    /// The largest share of right labels.
    Accuracy,
}

impl Recipe {
    /// The base learning rate.
    pub fn base_rate(&self) -> f64 {
        self.rate.unwrap_or_else(|| self.optimizer.default_rate())
    }

    /// The weight decay, the optimizer's default where none is given.
    pub fn decay(&self) -> WeightDecay {
        let default = || WeightDecay { rate: self.optimizer.default_decay(), ..WeightDecay::default() };
        self.weight_decay.clone().unwrap_or_else(default)
    }

    /// The transforms of evaluation.
    pub fn evaluation(&self) -> Pipeline {
        self.evaluation_transforms.clone().unwrap_or_else(|| self.transforms.evaluation())
    }

    /// What the schedule counts.
    pub fn counts(&self) -> Per {
        let is_cycle = matches!(self.schedule.curve, Curve::OneCycle(_));
        self.schedule_per.unwrap_or(if is_cycle { Per::Step } else { Per::Epoch })
    }

    /// Whether a parameter is left as it is.
    pub fn is_frozen(&self, parameter: &str) -> bool {
        self.freeze.iter().any(|name| belongs(parameter, name))
    }

    /// The initialiser of a parameter: the one of the longest name that it belongs to.
    pub fn initialiser(&self, parameter: &str) -> &Initialiser {
        let named = self.init_of.iter().filter(|(name, _)| belongs(parameter, name));
        named.max_by_key(|(name, _)| name.len()).map_or(&self.init, |(_, init)| init)
    }

    /// That all settings are allowed, each by itself and together.
    ///
    /// # Errors
    /// The first setting that is not, with what is.
    pub fn check(&self) -> Result<(), Error> {
        self.loss.check()?;
        self.optimizer.check()?;
        check_rate(self.base_rate())?;
        self.schedule.check()?;
        self.clip.as_ref().map_or(Ok(()), Clip::check)?;
        self.init.check()?;
        self.init_of.values().try_for_each(Initialiser::check)?;
        let counts = [
            ("batch", Some(self.batch as u64)),
            ("accumulate", Some(self.accumulate as u64)),
            ("threads", self.threads.map(|threads| threads as u64)),
            ("early_stopping", self.early_stopping),
            ("checkpoint_every", self.checkpoint_every),
            ("log_every", Some(self.log_every)),
            match self.length {
                Length::Epochs(epochs) => ("epochs", Some(epochs)),
                Length::Steps(steps) => ("steps", Some(steps)),
            },
        ];
        if let Some((name, _)) = counts.into_iter().find(|(_, count)| *count == Some(0)) {
            return Err(Error::setting(name, 0, "it is at least 1"));
        }
        if self.workers > MAX_WORKERS {
            return Err(Error::setting("workers", self.workers, format!("it is at most {MAX_WORKERS}")));
        }
        if let Some(decay) = &self.weight_decay
            && !(decay.rate >= 0.0 && decay.rate.is_finite())
        {
            return Err(Error::setting("weight_decay", decay.rate, "it is a number from 0"));
        }
        if let Some(split) = self.validation
            && !(split > 0.0 && split < 1.0)
        {
            return Err(Error::setting(
                "validation",
                split,
                "it is the share of the examples that is held back, such as 0.1, and 0 is none",
            ));
        }
        Ok(())
    }

    /// The first setting in which a run would differ from another's results.
    pub(crate) fn difference(&self, other: &Self) -> Option<(&'static str, String, String)> {
        let shown = |text: String| if text.is_empty() { "none".to_owned() } else { text };
        set::RESULTS.iter().find_map(|setting| {
            let (ours, theirs) = ((setting.get)(self), (setting.get)(other));
            (ours != theirs).then(|| (setting.name, shown(ours), shown(theirs)))
        })
    }
}

/// Whether a parameter is of a name, or of the layer or block of that name.
pub(crate) fn belongs(parameter: &str, name: &str) -> bool {
    parameter.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

#[cfg(test)]
mod tests;
