//! Settings by name and as text: for command lines and the language's `train` section.

use super::{Length, Metric, Per, Recipe};
use crate::Error;
use cnn_ir::Network;
use std::fmt::Display;
use std::str::FromStr;

/// A setting that decides what a run computes.
pub(super) struct Setting {
    pub name: &'static str,
    /// Its value as text.
    pub get: fn(&Recipe) -> String,
}

macro_rules! settings {
    ($($name:literal: $get:expr,)*) => {
        &[$(Setting { name: $name, get: $get },)*]
    };
}

/// All settings that results depend on; a resumed run has the same.
pub(super) const RESULTS: &[Setting] = settings! {
    "loss": |recipe| recipe.loss.to_string(),
    "optimizer": |recipe| recipe.optimizer.to_string(),
    "rate": |recipe| recipe.base_rate().to_string(),
    "schedule": |recipe| recipe.schedule.to_string(),
    "schedule_per": |recipe| format!("{:?}", recipe.counts()).to_lowercase(),
    "batch": |recipe| recipe.batch.to_string(),
    "accumulate": |recipe| recipe.accumulate.to_string(),
    "drop_last": |recipe| recipe.drop_last.to_string(),
    "shuffle": |recipe| recipe.shuffle.to_string(),
    "weight_decay": |recipe| recipe.decay().to_string(),
    "clip": |recipe| optional(recipe.clip.as_ref()),
    "seed": |recipe| recipe.seed.to_string(),
    "validation": |recipe| optional(recipe.validation.as_ref()),
    "transforms": |recipe| recipe.transforms.to_string(),
    "evaluation_transforms": |recipe| recipe.evaluation().to_string(),
    "best": |recipe| format!("{:?}", recipe.best).to_lowercase(),
    "freeze": |recipe| recipe.freeze.join(", "),
};

fn optional(value: Option<&impl Display>) -> String {
    value.map_or_else(|| "none".to_owned(), ToString::to_string)
}

/// The names of all settings.
pub(crate) const NAMES: &[&str] = &[
    "loss",
    "optimizer",
    "rate",
    "schedule",
    "schedule_per",
    "epochs",
    "steps",
    "batch",
    "accumulate",
    "drop_last",
    "shuffle",
    "weight_decay",
    "clip",
    "init",
    "seed",
    "threads",
    "workers",
    "validation",
    "transforms",
    "evaluation_transforms",
    "best",
    "early_stopping",
    "freeze",
    "fresh",
    "checkpoint_every",
    "log_every",
];

impl Recipe {
    /// What a model says of its training, in its `train` section and at its layers; the defaults for all else. The setting
    /// `data` is for whoever has the data.
    ///
    /// # Errors
    /// A setting with a value that is not allowed.
    ///
    /// ```
    /// use cnn_ir::{Builder, NetworkBuilder, ops::DenseSpec};
    /// use cnn_train::Recipe;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let mut network = NetworkBuilder::new("Line");
    /// let x = network.input("x", &[2])?;
    /// let y = network.layer("fc", DenseSpec::new(2, 1), &[&x])?;
    /// network.set_initialiser("xavier_uniform");
    /// network.output("y", &y)?;
    /// let recipe = Recipe::of(&network.finish()?)?;
    /// assert_eq!(recipe.initialiser("fc.weight").to_string(), "xavier_uniform");
    /// # Ok(())
    /// # }
    /// ```
    pub fn of(network: &Network) -> Result<Self, Error> {
        let mut recipe = Self::default();
        let settings = network.training.iter().flat_map(|training| &training.settings);
        for setting in settings.filter(|setting| setting.key != "data") {
            recipe.set(&setting.key, &setting.text)?;
        }
        for (index, layer) in network.layers.iter().enumerate() {
            if let Some(initialiser) = &layer.initialiser {
                recipe.set(&format!("init.{}", network.path(index)), initialiser)?;
            }
        }
        Ok(recipe)
    }

    /// Sets one setting, given by its field's name, from its text; `none` where it may be left out.
    ///
    /// The names are the fields', but for `epochs` and `steps`, which set the length, and `init.NAME` for the layer or block
    /// NAME. `weight_decay` takes a number, too, and a `validation` of 0 is none. Lists of names are separated by commas.
    ///
    /// # Errors
    /// A setting that does not exist, or a text that it cannot have.
    pub fn set(&mut self, name: &str, text: &str) -> Result<(), Error> {
        let text = text.trim();
        if let Some(layer) = name.strip_prefix("init.") {
            self.init_of.insert(layer.to_owned(), text.parse()?);
            return Ok(());
        }
        match name {
            "loss" => self.loss = text.parse()?,
            "optimizer" => self.optimizer = text.parse()?,
            "rate" => {
                self.rate = option(text, |text| number(name, text))?;
                self.rate.map_or(Ok(()), cnn_recipe::check_rate)?;
            }
            "schedule" => self.schedule = text.parse()?,
            "schedule_per" => self.schedule_per = option(text, |text| word(name, text, PERS))?,
            "epochs" => self.length = Length::Epochs(number(name, text)?),
            "steps" => self.length = Length::Steps(number(name, text)?),
            "batch" => self.batch = number(name, text)?,
            "accumulate" => self.accumulate = number(name, text)?,
            "drop_last" => self.drop_last = word(name, text, BOOLS)?,
            "shuffle" => self.shuffle = word(name, text, BOOLS)?,
            "weight_decay" => {
                self.weight_decay = option(text, |text| match text.parse::<f64>() {
                    Ok(rate) => Ok(format!("weight_decay({rate})").parse()?),
                    Err(_) => Ok(text.parse()?),
                })?;
            }
            "clip" => self.clip = option(text, |text| Ok(text.parse()?))?,
            "init" => self.init = text.parse()?,
            "seed" => self.seed = number(name, text)?,
            "threads" => self.threads = option(text, |text| number(name, text))?,
            "workers" => self.workers = number(name, text)?,
            "validation" => {
                self.validation = option(text, |text| number(name, text))?.filter(|share| *share != 0.0);
            }
            "transforms" => self.transforms = text.parse()?,
            "evaluation_transforms" => self.evaluation_transforms = option(text, |text| Ok(text.parse()?))?,
            "best" => self.best = word(name, text, METRICS)?,
            "early_stopping" => self.early_stopping = option(text, |text| number(name, text))?,
            "freeze" => self.freeze = list(text),
            "fresh" => self.fresh = list(text),
            "checkpoint_every" => self.checkpoint_every = option(text, |text| number(name, text))?,
            "log_every" => self.log_every = number(name, text)?,
            _ => {
                let near = NAMES.iter().min_by_key(|known| strsim::damerau_levenshtein(known, name));
                let near = near.filter(|near| strsim::damerau_levenshtein(near, name) <= near.len().div_ceil(3));
                let all = || format!("there are {}", NAMES.join(", "));
                let hint = near.map_or_else(all, |near| format!("did you mean `{near}`?"));
                return Err(Error::UnknownSetting { name: name.to_owned(), hint });
            }
        }
        // A count of 0 is found here and not at the start of the run.
        self.check()
    }
}

const PERS: &[(&str, Per)] = &[("step", Per::Step), ("epoch", Per::Epoch)];
const METRICS: &[(&str, Metric)] = &[("loss", Metric::Loss), ("accuracy", Metric::Accuracy)];
const BOOLS: &[(&str, bool)] = &[("true", true), ("false", false)];

fn option<T>(text: &str, read: impl FnOnce(&str) -> Result<T, Error>) -> Result<Option<T>, Error> {
    if text == "none" { Ok(None) } else { read(text).map(Some) }
}

fn number<T: FromStr>(name: &str, text: &str) -> Result<T, Error> {
    let is_large = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let remedy = match name {
        "rate" | "validation" => "it is a number",
        _ if is_large => "no number is so large here",
        _ => "it is a whole number from 0",
    };
    text.parse().map_err(|_| Error::setting(name, format!("`{text}`"), remedy))
}

fn word<T: Copy>(name: &str, text: &str, words: &[(&str, T)]) -> Result<T, Error> {
    let found = words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
    let known = || words.iter().map(|(word, _)| format!("`{word}`")).collect::<Vec<_>>().join(" or ");
    found.ok_or_else(|| Error::setting(name, format!("`{text}`"), format!("it is {}", known())))
}

fn list(text: &str) -> Vec<String> {
    text.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect()
}
