//! What a run writes down while it goes on: `metrics.jsonl`, `metrics.csv` and TensorBoard's event files.

mod events;
mod files;
#[cfg(test)]
mod tests;

pub use events::EventWriter;
pub use files::{Record, read_rows};

use serde::{Deserialize, Deserializer, Serialize};
use std::path::PathBuf;

/// What a row tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// The examples that the network learns from.
    Train,
    /// The examples that decide which state is the best.
    Validation,
    /// Examples that decide nothing.
    Test,
}

impl Phase {
    /// Its name in the files: `train`, `validation` or `test`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Validation => "validation",
            Self::Test => "test",
        }
    }
}

/// A row of the record: where a run was, and how well it did there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// How many steps were done.
    pub step: u64,
    /// How many epochs were done; inside of an epoch with the part of it: 1.5.
    pub epoch: f64,
    /// Which examples the loss and the accuracy are of.
    pub phase: Phase,
    /// The mean loss of an example; what is not finite is `null` in JSON and read as not a number.
    #[serde(deserialize_with = "number_or_null")]
    pub loss: f64,
    /// The part of the examples that was right, from 0 to 1, where there are classes.
    pub accuracy: Option<f64>,
    /// The learning rate of the last step.
    pub rate: Option<f64>,
    /// Speed since the last row of the phase.
    pub examples_per_second: Option<f64>,
    /// Seconds since the run began, without the time between an interruption and its resumption.
    pub seconds: f64,
}

fn number_or_null<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or(f64::NAN))
}

/// What goes wrong with a run's record.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// A file that cannot be written or read.
    #[error("cannot {action} {}: {source}{}", path.display(), kept(action))]
    Io {
        /// What was tried: `write`, `read`.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },

    /// A line that is no row.
    #[error("{}:{line}: not a row of a run's record ({problem}); delete the line", path.display())]
    Row {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// What is wrong.
        problem: String,
    },
}

fn kept(action: &str) -> &'static str {
    if action == "write" { "; what was there before is kept" } else { "" }
}
