//! What a run's folder gets besides the states: the model, where it came from, rows of numbers and their curves.

use super::job::Job;
use crate::failure::Failure;
use crate::output::write_file;
use cnn_train::plot::{self, CurveOptions};
use cnn_train::record::{Phase, Record, Row, read_rows};
use cnn_train::{EpochReport, Score, Start, StepReport};
use serde_json::Value;
use std::fs;
use std::path::Path;

/// Writes a run down while it goes on.
pub struct Keeper<'a> {
    job: &'a Job,
    record: Option<Record>,
    steps: Vec<StepReport>,
    /// Seconds of the run before it was resumed, and when it was.
    seconds: f64,
    started: std::time::Instant,
}

impl<'a> Keeper<'a> {
    pub fn new(job: &'a Job) -> Self {
        let seconds = job.checkpoint.as_ref().map_or(0.0, |checkpoint| checkpoint.progress().seconds);
        Self { job, record: None, steps: Vec::new(), seconds, started: std::time::Instant::now() }
    }

    /// The record is begun, or cut off behind the state from which the run goes on.
    pub fn start(&mut self, start: &Start) -> Result<(), Failure> {
        let folder = self.job.folder.path();
        self.record = Some(if self.job.checkpoint.is_some() {
            Record::resume(folder, start.step).map_err(Failure::new)?
        } else {
            copy_model(self.job)?;
            add_source(self.job)?;
            Record::create(folder).map_err(Failure::new)?
        });
        self.started = std::time::Instant::now();
        Ok(())
    }

    /// Every few steps, and at the end of an epoch, their mean is a row.
    pub fn step(&mut self, step: &StepReport) -> Result<(), Failure> {
        self.steps.push(*step);
        if step.step.is_multiple_of(self.job.recipe.log_every) || step.epoch.fract() == 0.0 {
            self.row_of_steps()?;
        }
        Ok(())
    }

    /// A row of the validation, and the curves so far.
    pub fn epoch(&mut self, epoch: &EpochReport) -> Result<(), Failure> {
        self.row_of_steps()?;
        if let Some(Score { loss, accuracy, .. }) = epoch.validation {
            self.add(&Row {
                step: epoch.step,
                epoch: epoch.epoch as f64,
                phase: Phase::Validation,
                loss,
                accuracy,
                rate: None,
                examples_per_second: None,
                seconds: epoch.seconds,
            })?;
        }
        draw_curves(self.job)
    }

    fn row_of_steps(&mut self) -> Result<(), Failure> {
        let Some(last) = self.steps.last().copied() else { return Ok(()) };
        let count = self.steps.len() as f64;
        let mean = |value: fn(&StepReport) -> f64| self.steps.iter().map(value).sum::<f64>() / count;
        let row = Row {
            step: last.step,
            epoch: last.epoch,
            phase: Phase::Train,
            loss: mean(|step| step.loss),
            accuracy: last.accuracy.map(|_| mean(|step| step.accuracy.unwrap_or(0.0))),
            rate: Some(last.rate),
            examples_per_second: Some(mean(|step| step.examples_per_second)),
            seconds: self.seconds + self.started.elapsed().as_secs_f64(),
        };
        self.steps.clear();
        self.add(&row)
    }

    fn add(&mut self, row: &Row) -> Result<(), Failure> {
        self.record.as_mut().map_or(Ok(()), |record| record.add(row)).map_err(Failure::new)
    }
}

/// Replaces `curves.svg` by what the record says now.
fn draw_curves(job: &Job) -> Result<(), Failure> {
    let folder = job.folder.path();
    let name = folder.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let run = plot::Run { name, rows: read_rows(folder).map_err(Failure::new)? };
    let picture = plot::curves(&[run], &CurveOptions::default());
    write_file(&folder.join("curves.svg"), picture.svg().as_bytes())
}

/// The model's file, and those that it uses, so that the run does not depend on what becomes of them.
fn copy_model(job: &Job) -> Result<(), Failure> {
    let main = job.source.copy(&job.folder);
    write_file(&main, job.model.sources.text(0).as_bytes())?;
    let beside = job.source.file.parent().unwrap_or(Path::new(""));
    for used in &job.model.used {
        let copy = job.folder.path().join(used);
        let parent = copy.parent().unwrap_or(job.folder.path());
        let failure = |error: std::io::Error| Failure::Message(format!("cannot copy `{used}` to the run: {error}"));
        fs::create_dir_all(parent).map_err(failure)?;
        write_file(&copy, &fs::read(beside.join(used)).map_err(failure)?)?;
    }
    Ok(())
}

/// Adds to `config.json` where the network and the data come from.
fn add_source(job: &Job) -> Result<(), Failure> {
    let path = job.folder.config();
    let failure = |error: &dyn std::fmt::Display| Failure::Message(format!("`{}`: {error}", path.display()));
    let text = fs::read_to_string(&path).map_err(|error| failure(&error))?;
    let mut config: Value = serde_json::from_str(&text).map_err(|error| failure(&error))?;
    if let Some(fields) = config.as_object_mut() {
        fields.insert("source".into(), serde_json::to_value(&job.source).map_err(|error| failure(&error))?);
    }
    let text = serde_json::to_string_pretty(&config).map_err(|error| failure(&error))? + "\n";
    job.folder.write("config.json", &text).map_err(Failure::new)
}
