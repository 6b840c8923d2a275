//! What a run's folder says of the run: the part of `config.json` that other commands go on from.

use crate::data::Data;
use crate::failure::Failure;
use cnn_data::{Dataset, Part, split};
use cnn_train::{Recipe, RunFolder};
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

/// A run as `config.json` has it.
#[derive(Debug, Deserialize)]
pub struct RunConfig {
    pub source: Source,
    pub recipe: Recipe,
}

/// Where a run's network and data come from, so that the run can go on without being told.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Source {
    /// The `.cnn` file.
    pub file: PathBuf,
    /// The model of the file, where it was named.
    pub model: Option<String>,
    /// Values of the model's parameters.
    pub set: Vec<String>,
    /// As on the command line, with the whole path.
    pub data: String,
    pub skip_bad: bool,
    /// Whether the test part of the data validates.
    pub validates_on_test: bool,
}

impl RunConfig {
    /// Reads it from the folder of a run.
    pub fn read(folder: &RunFolder) -> Result<Self, Failure> {
        let path = folder.config();
        let failure = |reason: String| {
            let text =
                format!("`{}` is not the folder of a run: `{}`: {reason}", folder.path().display(), path.display());
            Failure::Message(text)
        };
        let text = fs::read_to_string(&path).map_err(|error| failure(error.to_string()))?;
        serde_json::from_str(&text).map_err(|error| failure(error.to_string()))
    }

    /// The examples that the run validates on; of one without validation, the test part of its data, or all of them.
    pub fn validation(&self) -> Result<Arc<dyn Dataset>, Failure> {
        match self.held_back()? {
            Some(held_back) => Ok(held_back),
            None => self.source.open(Part::Test),
        }
    }

    /// The share of the training's examples that the run has held back.
    pub fn held_back(&self) -> Result<Option<Arc<dyn Dataset>>, Failure> {
        let share = self.recipe.validation.filter(|_| !self.source.validates_on_test);
        let Some(share) = share else { return Ok(None) };
        held_back(self.source.open(Part::Train)?, share, self.recipe.seed).map(Some)
    }
}

impl Source {
    /// A part of the data, where they were.
    pub fn open(&self, part: Part) -> Result<Arc<dyn Dataset>, Failure> {
        self.data()?.open(part).map_err(|failure| {
            let hint = "if the data of the run have moved, name them with `--data`";
            Failure::Message(format!("{}; {hint}", failure.into_message()))
        })
    }

    /// The data.
    pub fn data(&self) -> Result<Data, Failure> {
        Data::parse(&self.data, self.skip_bad).map_err(Failure::Message)
    }

    /// The copy of the model in the run's folder. It has none of the names of the run's own files.
    pub fn copy(&self, folder: &RunFolder) -> PathBuf {
        let copy = folder.path().join(self.file.file_name().unwrap_or("model".as_ref()));
        let is_named = copy.extension().is_some_and(|extension| extension == "cnn");
        if is_named { copy } else { copy.with_added_extension("cnn") }
    }
}

/// The share of the data that the trainer holds back for validation.
pub fn held_back(data: Arc<dyn Dataset>, share: f64, seed: u64) -> Result<Arc<dyn Dataset>, Failure> {
    let (_, held_back) = split(data, share, seed).map_err(Failure::new)?;
    Ok(Arc::new(held_back))
}
