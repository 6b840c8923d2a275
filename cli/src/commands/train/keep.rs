//! What a run's folder gets besides what the trainer writes: the model and curves.

use super::job::Job;
use crate::failure::Failure;
use crate::output::write_file;
use cnn_train::plot::{self, CurveOptions};
use cnn_train::record::read_rows;
use std::fs;
use std::path::Path;

/// Replaces `curves.svg` by what the record says now.
pub fn draw_curves(job: &Job) -> Result<(), Failure> {
    let folder = job.folder.path();
    let name = folder.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let run = plot::Run { name, rows: read_rows(folder).map_err(Failure::new)? };
    let picture = plot::curves(&[run], &CurveOptions::default());
    write_file(&folder.join("curves.svg"), picture.svg().as_bytes())
}

/// The model's file, and those that it uses, so that the run does not depend on what becomes of them.
pub fn copy_model(job: &Job) -> Result<(), Failure> {
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
