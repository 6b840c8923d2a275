//! Our side of `bench/training/run.py`: trains a network in a process of its own.
//!
//! `training step FILE.cnn BATCH THREADS` or `training epoch FILE.cnn BATCH THREADS`. For each line `SECONDS` on the standard
//! input it trains for as long and prints the median and the least time of a step (or of an epoch over Fashion-MNIST, loading
//! included) in seconds, and the most memory it has had in bytes, as a line of JSON.

use cnn_data::{Batch, Dataset, Loader, LoaderOptions, Part, fashion_mnist};
use cnn_dsl::Settings;
use cnn_runtime::Tensor;
use cnn_runtime::training::{StepSettings, TrainingSession};
use cnn_train::{Recipe, initial_weights, labels, step, training_options};
use std::error::Error;
use std::io::{BufRead, stdin};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [mode, file, batch, threads] = &arguments[..] else {
        return Err("training step|epoch FILE.cnn BATCH THREADS".into());
    };
    let (batch, threads): (usize, usize) = (batch.parse()?, threads.parse()?);
    let sources = cnn_codegen::read_source(Path::new(file), file)?;
    let compilation = cnn_dsl::compile(&sources.sources, &Settings::parse(&[])?);
    let style = cnn_dsl::Style::Plain;
    let report = || cnn_dsl::render(&compilation.diagnostics, &sources.sources, style);
    let network = compilation.models.first().ok_or_else(report)?.clone();
    let recipe = Recipe { batch, threads: Some(threads), ..Recipe::default() };
    let mut session =
        TrainingSession::new(&network, &initial_weights(&network, &recipe)?, &training_options(&network, &recipe))?;
    let mut work: Box<dyn FnMut() -> Result<(), Box<dyn Error>>> = match mode.as_str() {
        "epoch" => {
            let data: Arc<dyn Dataset> = Arc::new(fashion_mnist(None, Part::Train)?);
            let (mut epoch, mut examples) = (0, Batch::default());
            Box::new(move || {
                let options = LoaderOptions { batch_size: batch, seed: epoch, epochs: 1, ..LoaderOptions::default() };
                epoch += 1;
                let mut loader = Loader::new(data.clone(), recipe.transforms.clone(), options)?;
                while loader.load(&mut examples)? {
                    let labels = labels(&examples)?;
                    step(&mut session, &mut examples, &[&labels], &StepSettings::default())?;
                }
                Ok(())
            })
        }
        _ => {
            let shape = [&[batch], &network.inputs[0].shape[..]].concat();
            let elements: usize = shape.iter().product();
            let x = Tensor::new(&shape, (0..elements).map(|i| (i * 7919 % 256) as f32 / 255.0).collect())?;
            let labels = Tensor::new(&[batch, 1], (0..batch).map(|i| (i % 10) as f32).collect())?;
            Box::new(move || Ok(session.step(&[&x], &[&labels], &StepSettings::default()).map(drop)?))
        }
    };
    work()?;
    for line in stdin().lock().lines() {
        let seconds: f64 = line?.trim().parse()?;
        let (begun, mut times) = (Instant::now(), Vec::new());
        while times.is_empty() || begun.elapsed().as_secs_f64() < seconds {
            let step = Instant::now();
            work()?;
            times.push(step.elapsed().as_secs_f64());
        }
        times.sort_by(f64::total_cmp);
        println!(r#"{{"median": {}, "least": {}, "memory": {}}}"#, times[times.len() / 2], times[0], peak_memory());
    }
    Ok(())
}

/// The most bytes that this process has had; 0 where the system does not tell.
fn peak_memory() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<usize>().ok()).map_or(0, |kib| 1024 * kib)
}
