//! `cnn train`

mod bar;
mod display;
mod end;
mod job;
mod keep;

use crate::args::{MessageFormat, Train};
use crate::data;
use crate::failure::{Failure, INTERRUPTED, warn};
use crate::terminal;
use cnn_train::{Ended, Event, Outcome, Stop, Trainer};
use display::Display;
use job::Job;
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};

/// Trains a network, or goes on with a run.
pub fn run(args: &Train, format: MessageFormat) -> Result<(), Failure> {
    let had_runs = args.runs.exists();
    let job = Job::new(args, format)?;
    let trained = train(&job, format);
    if trained.is_err() && job.checkpoint.is_none() {
        // A run that has not begun leaves an empty folder.
        let removed = fs::remove_dir(job.folder.path());
        if removed.is_ok() && !had_runs {
            let _ = fs::remove_dir(&args.runs);
        }
    }
    let outcome = trained?;
    end::finish(&job, &outcome)?;
    if outcome.ended == Ended::Stopped { Err(Failure::Interrupted) } else { Ok(()) }
}

fn train(job: &Job, format: MessageFormat) -> Result<Outcome, Failure> {
    let mut trainer =
        Trainer::new(&job.model.network, job.training_data.clone(), job.recipe.clone()).map_err(Failure::new)?;
    if let Some(data) = &job.validation_data {
        trainer = trainer.validate_on(data.clone());
    }
    if let Some(weights) = &job.weights {
        trainer = trainer.weights(weights.clone());
    }
    if let Some(checkpoint) = &job.checkpoint {
        trainer = trainer.resume(checkpoint.clone());
    }
    let mut display = Display::new(job);
    stop_on_signals(trainer.stop())?;
    let result = trainer
        .folder(job.folder.clone())
        .note("source", &job.source)
        .map_err(Failure::new)?
        .try_observe(|event| {
            let kept = match event {
                Event::Start(start) => {
                    display.start(start);
                    if let Some(warning) = job.idle_outputs() {
                        warn(&warning, format);
                    }
                    if job.checkpoint.is_none() { keep::copy_model(job) } else { Ok(()) }
                }
                Event::Step(step) => {
                    display.step(step);
                    Ok(())
                }
                Event::Epoch(epoch) => {
                    display.epoch(epoch);
                    keep::draw_curves(job)
                }
                _ => Ok(()),
            };
            kept.map_err(Failure::into_message)
        })
        .run();
    display.clear();
    result.map_err(|error| match error {
        cnn_train::Error::Data(error) => data::failure(&error, job.source.skip_bad),
        error => Failure::new(error),
    })
}

/// Ctrl-C, and what asks a process to end, stop the run after its step; the second time the process ends at once, and the
/// checkpoint is that of before.
fn stop_on_signals(stop: Stop) -> Result<(), Failure> {
    let asked = AtomicBool::new(false);
    let handler = move || {
        if asked.swap(true, Ordering::Relaxed) {
            std::process::exit(INTERRUPTED.into());
        }
        stop.request();
        terminal::say("\ninterrupted: the step is finished and the state kept; once more quits at once");
    };
    ctrlc::set_handler(handler).map_err(|error| Failure::Message(format!("cannot watch for Ctrl-C: {error}")))
}
