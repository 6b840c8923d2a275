//! What a run's folder gets besides what the trainer writes: the model, where it came from, and curves.

use super::job::Job;
use crate::failure::Failure;
use crate::output::write_file;
use cnn_train::plot::{self, CurveOptions};
use cnn_train::record::read_rows;
use serde_json::Value;
use std::fs;
use std::path::Path;

/// Notes at the start of a new run where its network and data come from.
pub fn start(job: &Job) -> Result<(), Failure> {
    if job.checkpoint.is_some() {
        return Ok(());
    }
    copy_model(job)?;
    add_source(job)
}

/// Replaces `curves.svg` by what the record says now.
pub fn draw_curves(job: &Job) -> Result<(), Failure> {
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
