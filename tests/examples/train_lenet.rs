//! Trains the generated LeNet on Fashion-MNIST, and runs the same type with what it has learned.
//!
//! ```text
//! apt-get install dataset-fashion-mnist
//! cargo run --release -p cnn-tests --example train_lenet [FOLDER]
//! ```

use cnn::{NetworkBuilder, Tensor};
use cnn_data::{Batch, Loader, LoaderOptions, Part, Pipeline, fashion_mnist};
use cnn_models::LeNet;
use cnn_train::{Event, Recipe, Trainer};
use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args_os().nth(1).map(PathBuf::from);
    let training = Arc::new(fashion_mnist(folder.as_deref(), Part::Train)?);
    let test = Arc::new(fashion_mnist(folder.as_deref(), Part::Test)?);

    let mut network = NetworkBuilder::new("LeNet");
    LeNet::build(&mut network)?;
    let mut recipe = Recipe::default();
    for (setting, text) in [("optimizer", "adam"), ("init", "xavier_uniform"), ("batch", "256"), ("epochs", "2")] {
        recipe.set(setting, text)?;
    }
    let outcome = Trainer::new(&network.finish()?, training, recipe)?
        .validate_on(test.clone())
        .observe(|event| {
            if let Event::Epoch(epoch) = event {
                println!("epoch {}: loss {:.4}", epoch.epoch, epoch.train.loss);
            }
        })
        .run()?;

    let mut model = LeNet::new(&outcome.weights)?;
    let options = LoaderOptions { batch_size: 8, ..LoaderOptions::default() };
    let mut loader = Loader::new(test, Pipeline::default(), options)?;
    let mut batch = Batch::default();
    loader.load(&mut batch)?;
    let images = Tensor::new(&[batch.labels.len(), 1, 28, 28], batch.values.clone())?;
    let logits = model.run(&images)?.logits;
    for (example, label) in batch.labels.iter().enumerate() {
        println!("class {label}, taken for {}", best(logits.example(example)));
    }
    Ok(())
}

fn best(scores: &[f32]) -> usize {
    (0..scores.len()).max_by(|&a, &b| scores[a].total_cmp(&scores[b])).unwrap_or(0)
}
