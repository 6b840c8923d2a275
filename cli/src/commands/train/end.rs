//! What is left to do and to say when a run is over.

use super::display::{duration, several};
use super::job::{Job, quoted};
use super::keep::draw_curves;
use crate::evaluation::Judged;
use crate::failure::Failure;
use crate::number::{grouped, loss, percent};
use crate::output::write_file;
use crate::predictions::scores_output;
use crate::run::held_back;
use crate::trained::Trained;
use cnn_recipe::Curve;
use cnn_train::{Ended, Length, Metric, Outcome, Progress, plot};
use std::fmt::Write as _;
use std::io::{Write as _, stdout};
use std::path::Path;
use std::time::Duration;

/// Draws the confusion matrix of the best weights, and says where everything is.
pub fn finish(job: &Job, outcome: &Outcome) -> Result<(), Failure> {
    let text = match outcome.ended {
        Ended::Stopped => interrupted(job, outcome),
        _ if outcome.train.is_none() => {
            redraw(job, outcome)?;
            nothing_left(job, outcome)
        }
        Ended::Finished | Ended::NoBetter => {
            draw_confusion(job, outcome)?;
            finished(job, outcome)
        }
    };
    match stdout().write_all(text.as_bytes()) {
        // The run is whole; that nobody reads of it is no failure.
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// Draws what a process that was killed behind the last checkpoint has left out.
fn redraw(job: &Job, outcome: &Outcome) -> Result<(), Failure> {
    let exists = |name: &str| job.folder.path().join(name).exists();
    if exists("metrics.jsonl") && !exists("curves.svg") {
        draw_curves(job)?;
    }
    if !exists("confusion.svg") {
        draw_confusion(job, outcome)?;
    }
    Ok(())
}

fn interrupted(job: &Job, outcome: &Outcome) -> String {
    format!(
        "\ninterrupted after step {} {}; the state is in {}\nto go on: {}\n",
        grouped(outcome.progress.step.into()),
        place(&outcome.progress),
        job.folder.last().display(),
        job.resuming()
    )
}

/// Where a run stands, in epochs counted from 1.
fn place(progress: &Progress) -> String {
    match (progress.epoch, progress.example) {
        (epoch, _) if progress.is_unvalidated => format!("while epoch {epoch} was validated"),
        (epoch @ 1.., 0) => format!("at the end of epoch {epoch}"),
        (epoch, _) => format!("in epoch {}", epoch + 1),
    }
}

/// Of a run that was over when it was resumed.
fn nothing_left(job: &Job, outcome: &Outcome) -> String {
    let steps = several(outcome.progress.step, "step");
    let why = match outcome.ended {
        Ended::NoBetter => format!("no better for {} epochs", outcome.progress.no_better),
        _ => "all of it is done".to_owned(),
    };
    format!("\nthe run is finished after {steps}: {why}, and no state was changed\n{}", longer(job, outcome))
}

/// The command that trains twice as long as was planned or done; none where the schedule is of one length.
fn longer(job: &Job, outcome: &Outcome) -> String {
    if matches!(job.recipe.schedule.curve, Curve::OneCycle(_)) {
        return String::new();
    }
    let progress = &outcome.progress;
    let longer = match job.recipe.length {
        Length::Epochs(epochs) => format!("--epochs {}", epochs.max(progress.epoch as u64).saturating_mul(2)),
        Length::Steps(steps) => format!("--steps {}", steps.max(progress.step).saturating_mul(2)),
    };
    format!("to train on: {} {longer}\n", job.resuming())
}

fn finished(job: &Job, outcome: &Outcome) -> String {
    let progress = &outcome.progress;
    let time = duration(Duration::from_secs_f64(progress.seconds.max(0.0)));
    let why = match outcome.ended {
        Ended::NoBetter => format!("ended early, no better for {} epochs:", progress.no_better),
        _ => "finished:".to_owned(),
    };
    let mut text = format!("\n{why} {} in {time}", several(progress.step, "step"));
    if let Some(best) = progress.best {
        let on = if outcome.validation.is_some() { "validation" } else { "training" };
        let value = match job.recipe.best {
            Metric::Loss => format!("loss {}", loss(best.value)),
            Metric::Accuracy => format!("accuracy {}", percent(best.value)),
        };
        let _ = write!(text, "; best after epoch {}: {on} {value}", best.epoch);
    }
    let folder = job.folder.path();
    let _ = write!(text, "\n\n{}{}\n", folder.display(), std::path::MAIN_SEPARATOR);
    for (name, what) in [
        ("best.safetensors", "the best weights, with how pictures are prepared for them"),
        ("last.safetensors", "the state to go on from"),
        ("curves.svg", "loss and accuracy"),
        ("confusion.svg", "which classes are taken for which"),
        ("metrics.csv", "the numbers; also metrics.jsonl, and TensorBoard's events"),
        ("config.json", "all settings"),
    ] {
        if folder.join(name).exists() {
            let _ = writeln!(text, "  {name:<18}{what}");
        }
    }
    if outcome.best.is_some() {
        let run = quoted(&folder.to_string_lossy());
        let _ = write!(
            text,
            "\nto evaluate: cnn eval {run}\nto predict:  cnn predict {run} PICTURE\n{}",
            longer(job, outcome)
        );
    }
    text
}

/// Of the data that validated, where the network tells classes apart.
fn draw_confusion(job: &Job, outcome: &Outcome) -> Result<(), Failure> {
    let network = &job.model.network;
    let (Some(best), Some(data)) = (&outcome.best, validation(job)?) else { return Ok(()) };
    let Ok(output) = scores_output(network, network.outputs.iter().find(|o| !o.train_only).map(|o| o.name.as_str()))
    else {
        return Ok(());
    };
    let is_classifier = job.recipe.loss.terms.iter().any(|term| term.loss.wants_labels());
    if !is_classifier {
        return Ok(());
    }
    let classes = job.training_data.classes();
    let judged = Judged {
        network,
        weights: &Trained::open(Path::new(best))?.weights,
        output: &network.outputs[output].name,
        transforms: &job.recipe.evaluation(),
        classes,
        batch: job.recipe.batch,
        threads: job.recipe.threads,
    };
    let confusion = judged.confusion(&[data])?;
    let picture = plot::confusion(&confusion, classes);
    write_file(&job.folder.path().join("confusion.svg"), picture.svg().as_bytes())
}

/// The data that validated: the test part, or the share that the trainer held back.
fn validation(job: &Job) -> Result<Option<std::sync::Arc<dyn cnn_data::Dataset>>, Failure> {
    if let Some(data) = &job.validation_data {
        return Ok(Some(data.clone()));
    }
    let Some(share) = job.recipe.validation else { return Ok(None) };
    held_back(job.training_data.clone(), share, job.recipe.seed).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn epochs_are_counted_from_one() {
        for (epoch, example, is_unvalidated, expected) in [
            (0, 0, false, "in epoch 1"),
            (0, 5, false, "in epoch 1"),
            (1, 0, true, "while epoch 1 was validated"),
            (1, 0, false, "at the end of epoch 1"),
            (1, 5, false, "in epoch 2"),
        ] {
            let mut progress = Progress::default();
            (progress.epoch, progress.example, progress.is_unvalidated) = (epoch, example, is_unvalidated);
            assert_eq!(place(&progress), expected);
        }
    }
}
