//! What a run shows: what it is, a bar while it goes on, and a line for each epoch.

use super::bar::Line;
use super::job::Job;
use crate::number::{grouped, loss, percent, rate, size};
use crate::terminal;
use cnn_recipe::Curve;
use cnn_train::{EpochReport, Length, Memory, Metric, Per, Recipe, Score, Start, StepReport};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::{IsTerminal, Write, stdout};
use std::time::{Duration, Instant};

/// Where there is no bar, a line says how far it is so often.
const BETWEEN_LINES: Duration = Duration::from_secs(10);
/// How much of the mean speed stays from step to step.
const SMOOTHING: f64 = 0.9;

/// Shows a run. The bar goes to the standard error, all else to the standard output.
pub struct Display<'a> {
    job: &'a Job,
    /// Where the standard error is a terminal that can show it.
    bar: Option<ProgressBar>,
    start: Option<Start>,
    started: Instant,
    last_line: Instant,
    /// Means over the epoch so far.
    steps: u64,
    loss: f64,
    accuracy: f64,
    /// Images a second.
    speed: f64,
    has_heading: bool,
}

impl<'a> Display<'a> {
    pub fn new(job: &'a Job) -> Self {
        let now = Instant::now();
        Self {
            job,
            bar: None,
            start: None,
            started: now,
            last_line: now,
            steps: 0,
            loss: 0.0,
            accuracy: 0.0,
            speed: 0.0,
            has_heading: false,
        }
    }

    /// The summary.
    pub fn start(&mut self, start: &Start) {
        self.print(&summary(self.job, start));
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        // It is where there is no terminal, and where the terminal cannot go back.
        if !bar.is_hidden() {
            // The template is fixed, and right.
            bar.set_style(ProgressStyle::with_template("{wide_msg}").unwrap_or_else(|_| ProgressStyle::default_bar()));
            self.bar = Some(bar);
        }
        (self.started, self.last_line) = (Instant::now(), Instant::now());
        self.start = Some(start.clone());
    }

    pub fn step(&mut self, step: &StepReport) {
        let Some(start) = &self.start else { return };
        let (per_epoch, is_last) = (start.steps_per_epoch.max(1), step.epoch.fract() == 0.0);
        let position = if is_last { per_epoch } else { (step.step - 1) % per_epoch + 1 };
        // The last epoch of a run of so many steps may be cut short.
        let of_epoch = per_epoch.min(start.steps.saturating_sub(step.step - position)).max(position);
        self.steps += 1;
        let share = 1.0 / self.steps as f64;
        self.loss += share * (step.loss - self.loss);
        self.accuracy += share * (step.accuracy.unwrap_or(0.0) - self.accuracy);
        let speed = if self.speed == 0.0 { step.examples_per_second } else { self.speed };
        self.speed = SMOOTHING * speed + (1.0 - SMOOTHING) * step.examples_per_second;

        let epoch = of(if is_last { step.epoch as u64 } else { step.epoch as u64 + 1 }, self.epochs());
        let steps = [position, of_epoch];
        let facts = self.facts(step);
        match &self.bar {
            Some(bar) if is_last && start.validation > 0 => {
                let facts = vec![["validating".to_owned(), "validating".to_owned()]];
                bar.set_message(Line { epoch, steps, facts }.fitted(terminal::width()));
            }
            Some(bar) => bar.set_message(Line { epoch, steps, facts }.fitted(terminal::width())),
            None if self.last_line.elapsed() >= BETWEEN_LINES => {
                let facts = facts.into_iter().map(|[text, _]| text).collect::<Vec<_>>().join("  ");
                self.print(&format!("epoch {epoch}  step {position}/{of_epoch}  {facts}"));
                self.last_line = Instant::now();
            }
            None => {}
        }
    }

    /// What the means of the epoch are, in full and short.
    fn facts(&self, step: &StepReport) -> Vec<[String; 2]> {
        let text = format!("loss {}", loss(self.loss));
        let mut facts = vec![[text.clone(), text]];
        if step.accuracy.is_some() {
            let accuracy = percent(self.accuracy);
            facts.push([format!("accuracy {accuracy}"), format!("acc {accuracy}")]);
        }
        let speed = grouped(self.speed.round() as u128);
        facts.push([format!("{speed} images/s"), format!("{speed}/s")]);
        facts.extend(self.time_left(step.step).map(|left| [format!("{left} left"), format!("{left} left")]));
        facts
    }

    pub fn epoch(&mut self, epoch: &EpochReport) {
        let has_accuracy = epoch.train.accuracy.is_some();
        if !self.has_heading {
            let part = |name: &str| {
                let accuracy = if has_accuracy { format!("{:>10}", "accuracy") } else { String::new() };
                format!("{:>17}{accuracy}", format!("{name} loss"))
            };
            let validation = epoch.validation.map_or_else(String::new, |_| part("validation"));
            self.print(&format!("\n{:>9}{}{validation}{:>11}{:>13}", "epoch", part("training"), "rate", "time"));
            self.has_heading = true;
        }
        let score = |score: &Score| {
            let accuracy = score.accuracy.map_or_else(String::new, |accuracy| format!("{:>10}", percent(accuracy)));
            format!("{:>17}{accuracy}", loss(score.loss))
        };
        let validation = epoch.validation.as_ref().map_or_else(String::new, score);
        let number = of(epoch.epoch as u64, self.epochs());
        let time = duration(Duration::from_secs_f64(epoch.seconds.max(0.0)));
        let best = if epoch.is_best { "  best" } else { "" };
        let line = format!("{number:>9}{}{validation}{:>11}{time:>13}{best}", score(&epoch.train), rate(epoch.rate));
        self.print(&line);
        (self.steps, self.loss, self.accuracy, self.last_line) = (0, 0.0, 0.0, Instant::now());
        if let Some(bar) = &self.bar {
            bar.set_message("");
        }
    }

    /// Takes the bar away.
    pub fn clear(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }

    /// Prints above the bar. Who no longer reads does not stop the run.
    fn print(&self, text: &str) {
        let print = || {
            let _ = writeln!(stdout(), "{text}");
        };
        match &self.bar {
            Some(bar) => bar.suspend(print),
            None => print(),
        }
    }

    fn epochs(&self) -> Option<u64> {
        let per_epoch = self.start.as_ref().map_or(1, |start| start.steps_per_epoch.max(1));
        Some(match self.job.recipe.length {
            Length::Epochs(epochs) => epochs,
            Length::Steps(steps) => steps.div_ceil(per_epoch),
        })
    }

    /// From the mean time of the steps so far, validations included.
    fn time_left(&self, step: u64) -> Option<String> {
        let start = self.start.as_ref()?;
        let done = step.checked_sub(start.step).filter(|done| *done > 0)?;
        let elapsed = self.started.elapsed();
        let left = elapsed.as_secs_f64() / done as f64 * start.steps.saturating_sub(step) as f64;
        (elapsed > Duration::from_millis(500)).then(|| duration(Duration::from_secs_f64(left.min(1e9))))
    }
}

/// `3/10`.
fn of(number: u64, all: Option<u64>) -> String {
    all.map_or_else(|| number.to_string(), |all| format!("{number}/{all}"))
}

/// `8.3 s`, `2 min 05 s`, `1 h 02 min`.
pub fn duration(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..10 => format!("{:.1} s", time.as_secs_f64()),
        10..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        _ => format!("{} h {:02} min", seconds / 3600, seconds / 60 % 60),
    }
}

/// What the run is, in a few lines.
fn summary(job: &Job, start: &Start) -> String {
    let recipe = &job.recipe;
    let parameters = job.model.network.parameters();
    let count = |trained: bool| -> u128 {
        let meant = parameters.iter().filter(|p| p.trainable && (!trained || !recipe.is_frozen(&p.name)));
        meant.map(|p| p.shape.iter().product::<usize>() as u128).sum()
    };
    let frozen = match count(false) - count(true) {
        0 => String::new(),
        frozen => format!(", {} of them frozen", grouped(frozen)),
    };
    let validation = match (start.validation, &job.validation_data, recipe.validation) {
        (0, _, _) => "none; --validation 0.1 holds a part of the data back".to_owned(),
        (examples, Some(_), _) => format!("{}, the test part of the data", examples_text(examples)),
        (examples, None, share) => {
            format!("{}, {} of the training part", examples_text(examples), percent(share.unwrap_or(0.0)))
        }
    };
    let length = match recipe.length {
        Length::Epochs(epochs) => format!("{} of {}", several(epochs, "epoch"), several(start.steps_per_epoch, "step")),
        Length::Steps(steps) => {
            format!("{}, {} an epoch", several(steps, "step"), grouped(start.steps_per_epoch.into()))
        }
    };
    let threads = several(start.threads as u64, "thread");
    let accumulated = if recipe.accumulate > 1 { format!(" × {}", recipe.accumulate) } else { String::new() };
    let Memory { data, program, loading, training, validation: validating } = start.memory;
    let parts = [("data", data), ("program", program), ("batches", loading), ("training", training)];
    let parts = parts.into_iter().chain([("validation", validating)]).filter(|(_, bytes)| *bytes > 0);
    let parts: Vec<String> = parts.map(|(what, bytes)| format!("{what} {}", size(bytes.into()))).collect();
    let of = start.available.map_or_else(String::new, |available| format!(" of {}", size(available.into())));
    let memory = format!("{}{of} at most: {}", size(start.memory.total().into()), parts.join(", "));
    let best = if recipe.best == Metric::Loss { "loss" } else { "accuracy" };
    let mut lines = vec![
        ("network", format!("{}, {} parameters{frozen}", start.network, grouped(count(false)))),
        (
            "data",
            format!(
                "{} of {} from {}",
                examples_text(start.examples),
                several(job.training_data.classes().len() as u64, "class"),
                job.source.data
            ),
        ),
        ("validation", validation),
        ("training", format!("{length}, batch {}{accumulated}, {threads}, seed {}", recipe.batch, recipe.seed)),
        (
            "loss",
            format!("{}; the state of the least {best} is the best", recipe.loss)
                .replace("least accuracy", "highest accuracy"),
        ),
        ("optimizer", format!("{}, rate {}, {}", recipe.optimizer, rate(recipe.base_rate()), schedule(recipe))),
        ("weights", if job.weights.is_some() { "from the file given".into() } else { format!("{}", recipe.init) }),
        (
            "transforms",
            if recipe.transforms.0.is_empty() {
                "none: pixels from 0 to 1".into()
            } else {
                recipe.transforms.to_string()
            },
        ),
        ("memory", memory),
        ("run", job.folder.path().display().to_string()),
    ];
    if let Some(checkpoint) = &job.checkpoint {
        let progress = checkpoint.progress();
        let text = match start.steps > progress.step {
            true => format!("goes on after step {} of {}", grouped(progress.step.into()), grouped(start.steps.into())),
            false => format!("after step {}, the last", grouped(progress.step.into())),
        };
        lines.retain(|(name, _)| *name != "weights");
        lines.push(("state", text));
    }
    let mut text = String::new();
    for (name, value) in lines {
        text += &format!("{name:<12}{value}\n");
    }
    let width = if stdout().is_terminal() { terminal::width() } else { usize::MAX };
    text.lines().map(|line| shortened(line, width)).collect::<Vec<_>>().join("\n")
}

/// The schedule, and what its numbers count.
fn schedule(recipe: &Recipe) -> String {
    match (&recipe.schedule.curve, recipe.schedule.warmup.is_some(), recipe.counts()) {
        (Curve::Constant(_), false, _) => recipe.schedule.to_string(),
        (_, _, Per::Step) => format!("{} of steps", recipe.schedule),
        (_, _, Per::Epoch) => format!("{} of epochs", recipe.schedule),
    }
}

fn examples_text(count: usize) -> String {
    let text = grouped(count as u128);
    if count == 1 { format!("{text} example") } else { format!("{text} examples") }
}

/// `1 step`, `1 200 steps`.
pub fn several(count: u64, what: &str) -> String {
    let plural = if what.ends_with('s') { "es" } else { "s" };
    format!("{} {what}{}", grouped(count.into()), if count == 1 { "" } else { plural })
}

fn shortened(line: &str, width: usize) -> String {
    if line.chars().count() <= width {
        return line.to_owned();
    }
    line.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_two_units_at_most() {
        for (seconds, text) in [(0.25, "0.2 s"), (59.9, "59 s"), (125.0, "2 min 05 s"), (7_320.0, "2 h 02 min")] {
            assert_eq!(duration(Duration::from_secs_f64(seconds)), text);
        }
    }

    #[test]
    fn words_agree_with_their_numbers() {
        assert_eq!((several(1, "class"), several(10, "class")), ("1 class".into(), "10 classes".into()));
        assert_eq!(several(1200, "step"), "1 200 steps");
    }
}
